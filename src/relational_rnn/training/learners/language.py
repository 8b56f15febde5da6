"""The learner of language models: it carries the core's memory from one window of a text to the next."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor

from relational_rnn.nn.language_model import LanguageModel
from relational_rnn.reference.arrays import Array
from relational_rnn.tasks.language.examples import measures
from relational_rnn.tasks.language.task import Windows
from relational_rnn.training.arrays_file import check_arrays, with_prefix, without_prefix
from relational_rnn.training.config import RunConfig
from relational_rnn.training.learners.torch import Metrics, TorchLearner

CHUNK: Final = 4_096
"""Tokens whose vocabulary is scored at once."""


class LanguageLearner(TorchLearner):
    """A language model with its optimiser; gradients end where a window begins, the memory goes on.

    Args:
        model: it is moved to the run's device.
        config: of its training, of one model.
    """

    model: LanguageModel

    def __init__(self, model: LanguageModel, config: RunConfig) -> None:
        super().__init__(model, config)
        self.carries = config.specs[config.model.models[0]].carries
        self.batch_size = config.budget.batch_size
        self.memory: Any = None
        """Before the next window, without gradients; None for the core's start."""
        self.dropout = torch.Generator(self.device).manual_seed(config.seed)

    def _loss(self, batch: Windows) -> tuple[Tensor, Metrics]:
        """Return the mean loss of a window's tokens, and carry the memory on."""
        inputs, targets = self._placed(batch)
        memory = None if batch.begins else self.memory
        features, memory = self.model(inputs, memory, dropout=self.dropout)
        self.memory = mapped(Tensor.detach, memory) if self.carries and memory is not None else None
        losses = self.model.losses(features.flatten(0, 1), targets.flatten())
        return losses.mean(), dict

    def _placed(self, batch: Windows) -> tuple[Tensor, Tensor]:
        inputs, targets = (torch.from_numpy(part).to(self.device) for part in (batch.inputs, batch.targets))
        return inputs, targets

    @torch.no_grad()
    def evaluate(self, examples: Any) -> dict[str, float]:
        """Return loss (nats a token), perplexity, bits per byte and accuracy over a whole `Stream`."""
        model = self.counts.eval()
        assert isinstance(model, LanguageModel)
        memory: Any = None
        total, right = 0.0, 0
        for window in examples.windows():
            inputs, targets = self._placed(window)
            features, memory = model(inputs, None if window.begins or not self.carries else memory)
            mask = torch.from_numpy(window.mask).to(self.device)
            for some, wanted in zip(features[mask].split(CHUNK), targets[mask].split(CHUNK)):
                losses, hits = model.judge(some, wanted)
                total += losses.double().sum().item()
                right += int(hits.sum())
        model.train()
        count = examples.predictions
        return measures(total / count, examples) | {"accuracy": right / count}

    def state(self) -> dict[str, Array]:
        """Return that of any torch learner, the memory and where the dropout is."""
        drawn = {"dropout": self.dropout.get_state().numpy().copy()}
        return super().state() | memory_arrays(self.memory) | with_prefix("generator", drawn)

    @torch.no_grad()
    def load_state(self, values: Mapping[str, Array]) -> None:
        """Go back to it.

        Raises:
            ValueError: it is another model's, or holds a memory that this one cannot have.
        """
        memory = {name: array for name, array in values.items() if name.startswith("memory.")}
        drawn = without_prefix("generator", values)
        own = memory.keys() | with_prefix("generator", drawn).keys()
        check_arrays(drawn, {"dropout": self.dropout.get_state().numpy()})
        carried = memory_from(memory, state_after_a_step(self.model, self.batch_size)) if memory else None
        super().load_state({name: value for name, value in values.items() if name not in own})
        self.dropout.set_state(torch.from_numpy(np.array(drawn["dropout"])))
        self.memory = carried


def memory_arrays(state: Any) -> dict[str, Array]:
    """Return the tensors of a core's state as arrays, in order "memory.0", "memory.1", ...; of None none."""
    parts = () if state is None else parts_of(state)
    return {f"memory.{number}": part.cpu().numpy().copy() for number, part in enumerate(parts)}


def memory_from(arrays: Mapping[str, Array], like: Any) -> Any:
    """Return the state of a core that `memory_arrays` made these arrays of.

    Args:
        arrays: by name.
        like: a state of the core for as many streams.

    Raises:
        ValueError: the core has no such state.
    """
    wanted = memory_arrays(like)
    check_arrays(arrays, wanted)
    tensors = iter([torch.from_numpy(np.array(arrays[name])) for name in wanted])
    return mapped(lambda part: next(tensors).to(part.device), like)


@torch.no_grad()
def state_after_a_step(model: LanguageModel, streams: int) -> Any:
    """Return a state that the core of a language model has for so many streams."""
    like = model.embedding.weight
    return model.core(like.new_zeros(streams, 1, model.embedding_size))[1]


def parts_of(state: Any) -> Iterator[Tensor]:
    """Yield the tensors of a core's state, in order.

    Example:
        >>> [part.shape for part in parts_of((torch.zeros(2), [torch.zeros(3)]))]
        [torch.Size([2]), torch.Size([3])]
    """
    if isinstance(state, Tensor):
        yield state
    else:
        for part in state:
            yield from parts_of(part)


def mapped(change: Any, state: Any) -> Any:
    """Return a state in which each tensor is changed.

    Example:
        >>> mapped(lambda part: part + 1, (torch.zeros(1), [torch.ones(1)]))
        (tensor([1.]), [tensor([2.])])
    """
    if isinstance(state, Tensor):
        return change(state)
    changed = [mapped(change, part) for part in state]
    return type(state)(*changed) if hasattr(state, "_fields") else type(state)(changed)
