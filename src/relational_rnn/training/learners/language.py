"""The learner of language models: it carries the core's memory from one window of a text to the next."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import cached_property
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor, nn

from relational_rnn.config.checks import check_number
from relational_rnn.nn.language_model import LanguageModel, Masks
from relational_rnn.reference.arrays import Array
from relational_rnn.tasks.language.examples import measures
from relational_rnn.tasks.language.task import Stream, Windows
from relational_rnn.training.arrays_file import check_arrays, with_prefix, without_prefix
from relational_rnn.training.config import RunConfig
from relational_rnn.training.distributed import ALONE, Team
from relational_rnn.training.learners.torch import Answered, TorchLearner, even_parts

CHUNK: Final = 4_096
"""Tokens whose vocabulary is scored at once."""

DIVERGED: Final = 100.0
"""Nats a token; who knows nothing of a million different tokens needs 14."""


class WindowLoss(nn.Module):
    """The mean loss of a window's tokens, and the memory after it: what several processes share.

    Args:
        model: that reads it.
        mixed: products in bfloat16, by `torch.autocast`; weights, memory and losses keep their dtype.
    """

    def __init__(self, model: LanguageModel, mixed: bool) -> None:
        super().__init__()
        self.model, self.mixed = model, mixed

    def forward(self, inputs: Tensor, targets: Tensor, memory: Any, masks: Masks) -> tuple[Tensor, Any]:
        """Return the loss, nats a token, and the memory without gradients: (B, T), (B, T) -> (), memory."""
        with precision(inputs.device.type, self.mixed):
            features, memory = self.model(inputs, memory, dropout=masks)
            losses = self.model.losses(features.flatten(0, 1), targets.flatten())
        return losses.mean(), None if memory is None else kept(memory, self.model.embedding.weight.dtype)


class LanguageLearner(TorchLearner):
    """A language model with its optimiser; gradients end where a window begins, the memory goes on.

    Args:
        model: it is moved to the run's device.
        config: of its training, of one model.
        team: the processes that train it; each reads some of the streams and carries their memory.
    """

    model: LanguageModel

    def __init__(self, model: LanguageModel, config: RunConfig, team: Team = ALONE) -> None:
        super().__init__(model, config)
        self.team = team
        self.carries = config.specs[config.model.models[0]].carries
        self.batch_size = config.budget.batch_size
        self.masks = Masks(None, None)
        """Of the batch whose gradient is worked out."""
        self.after: list[Any] = []
        """The memory after each of its pieces."""
        self.memory: Any = None
        """Of this process's streams before the next window, without gradients; None for the core's start."""
        self.dropout = torch.Generator(self.device).manual_seed(config.seed)
        self.mixed = config.model.compute_dtype != "float32"
        unused = config.model.adaptive_softmax or config.task.window == 1  # a cluster without a token, ...
        self.window_loss = team.shared(WindowLoss(self.model, self.mixed), some_unused=unused)

    def gradients(self, batch: Windows) -> tuple[Tensor, list[Answered]]:
        """Leave the gradient of the mean loss of a window's tokens, and carry the memory on.

        Of several processes each has the gradient of its own streams; the loss is the mean of all.
        """
        self.masks = self.model.draw_masks(len(batch.inputs), self.dropout)
        self.after = []
        loss, answered = super().gradients(batch)
        self.memory = self._joined(self.after) if self.carries else None
        return self.team.mean(loss), answered

    def _pieces(self, batch: Windows) -> list[tuple[slice, float]]:
        own = self.team.rows(len(batch.inputs))
        count = own.stop - own.start
        return [
            (slice(own.start + part.start, own.start + part.stop), (part.stop - part.start) / count)
            for part in even_parts(count, self.accumulate)
        ]

    def _alone(self) -> AbstractContextManager[None]:
        return self.team.alone(self.window_loss)

    def _loss(self, batch: Windows, rows: slice) -> tuple[Tensor, Answered]:
        memory = None if batch.begins or self.memory is None else self._of(rows, len(batch.inputs))
        inputs, targets = self._placed(batch, rows)
        loss, after = self.window_loss(inputs, targets, memory, self.masks.of(rows))
        self.after.append(after)
        return loss, tuple

    def _of(self, rows: slice, streams: int) -> Any:
        """Return the memory of some streams of all; this process has that of its own."""
        own = self.team.rows(streams)
        return self.memory if rows == own else narrowed(self.memory, rows, own.start, self.axes)

    def _joined(self, parts: list[Any]) -> Any:
        """Return the memory of all streams from that of the pieces."""
        if len(parts) == 1:
            return parts[0]
        several, axes = zip(*map(tensors_of, parts)), iter(self.axes)
        joined = iter([torch.cat(some, next(axes)) for some in several])
        return mapped(lambda part: next(joined), parts[0])

    @cached_property
    def axes(self) -> list[int]:
        """Along which the streams lie in each tensor of the memory."""
        return stream_axes(self.model)

    def _placed(self, batch: Windows, rows: slice) -> tuple[Tensor, Tensor]:
        parts = (batch.inputs[rows], batch.targets[rows])
        inputs, targets = (torch.from_numpy(part).to(self.device) for part in parts)
        return inputs, targets

    @torch.no_grad()
    def evaluate(self, examples: Any) -> dict[str, float]:
        """Return loss (nats a token), perplexity, bits per byte and accuracy over a whole text."""
        model = self.counts.eval()
        found = self._scores(model, examples)
        model.train()
        return found

    def evaluate_dynamic(self, examples: Stream, learning_rate: float) -> dict[str, float]:
        """Return the same of weights that follow the gradient of each window after it was scored.

        The steps are plain gradient descent on a copy, clipped as in training; dropout is off.

        Source: Mikolov et al. 2010; Krause et al. 2018.

        Args:
            examples: the text; its streams are read side by side and change the same weights.
            learning_rate: above 0.

        Raises:
            ValueError: the learning rate is not above 0, or so large that the model gets lost.
        """
        if check_number("dynamic", learning_rate) <= 0:
            raise ValueError(f"dynamic must be a learning rate above 0, got {learning_rate}")
        model = copy.deepcopy(self.counts).eval()
        optimiser = torch.optim.SGD(model.parameters(), lr=learning_rate)

        def follow(loss: Tensor) -> None:
            optimiser.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), self.max_norm)
            optimiser.step()

        found = self._scores(model, examples, follow)
        if not found["loss"] < DIVERGED:
            raise ValueError(f"dynamic = {learning_rate} is too large: the loss is {found['loss']:.3g}")
        return found

    def _scores(
        self, model: nn.Module, examples: Stream, follow: Callable[[Tensor], None] | None = None
    ) -> dict[str, float]:
        """Score a text window by window; `follow` gets the mean loss of each when it was scored."""
        assert isinstance(model, LanguageModel)
        memory: Any = None
        total, right = 0.0, 0.0
        for window in examples.windows():
            rows = self.team.rows(len(window.inputs))
            if rows.start == rows.stop:
                continue
            inputs, targets = self._placed(window, rows)
            before = None if window.begins or not self.carries else memory
            with precision(self.device.type, self.mixed):
                features, memory = model(inputs, before)
            memory = kept(memory, model.embedding.weight.dtype)
            mask = torch.from_numpy(window.mask[rows]).to(self.device)
            parts = []
            for some, wanted in zip(features[mask].split(CHUNK), targets[mask].split(CHUNK)):
                with precision(self.device.type, self.mixed):
                    losses, hits = model.judge(some, wanted)
                parts.append(losses)
                total += losses.detach().double().sum().item()
                right += int(hits.sum())
            if follow is not None:
                follow(torch.cat(parts).mean())
        total, right = self.team.total((total, right))
        count = examples.predictions
        return measures(total / count, examples) | {"accuracy": right / count}

    def state(self) -> dict[str, Array]:
        """Return that of any torch learner, the memory of all streams and where the dropout is."""
        drawn = {"dropout": self.dropout.get_state().numpy().copy()}
        memory = self.memory
        if memory is not None:
            axes = iter(self.axes)
            memory = mapped(lambda part: self.team.whole(part, next(axes)), memory)
        return super().state() | memory_arrays(memory) | with_prefix("generator", drawn)

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
        if carried is not None:
            carried = narrowed(carried, self.team.rows(self.batch_size), 0, self.axes)
        self.memory = carried


@torch.no_grad()
def stream_axes(model: LanguageModel) -> list[int]:
    """Return the axis along which the streams lie, of each tensor of a core's state in order."""
    like = model.embedding.weight
    one, two = (model.core(like.new_zeros(count, 1, model.embedding_size))[1] for count in (1, 2))
    return [
        next(axis for axis in range(a.ndim) if a.shape[axis] != b.shape[axis])
        for a, b in zip(tensors_of(one), tensors_of(two))
    ]


def narrowed(state: Any, rows: slice, first: int, axes: Sequence[int]) -> Any:
    """Return the state of some streams.

    Args:
        state: of streams from `first` on.
        rows: which of them, counted as `first` is.
        first: the first stream of the state.
        axes: as `stream_axes` tells them.

    Example:
        >>> narrowed([torch.arange(4)], slice(7, 9), 6, [0])
        [tensor([1, 2])]
    """
    along = iter(axes)
    return mapped(lambda part: part.narrow(next(along), rows.start - first, rows.stop - rows.start), state)


def memory_arrays(state: Any) -> dict[str, Array]:
    """Return the tensors of a core's state as arrays, in order "memory.0", "memory.1", ...; of None none."""
    parts = () if state is None else tensors_of(state)
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


def tensors_of(state: Any) -> Iterator[Tensor]:
    """Yield the tensors of a core's state, in order.

    Example:
        >>> [part.shape for part in tensors_of((torch.zeros(2), [torch.zeros(3)]))]
        [torch.Size([2]), torch.Size([3])]
    """
    if isinstance(state, Tensor):
        yield state
    else:
        for part in state:
            yield from tensors_of(part)


def precision(kind: str, mixed: bool) -> AbstractContextManager[object]:
    """Take products in bfloat16 inside this, if asked for, on a type of devices.

    bfloat16 has float32's range, so no loss has to be scaled.

    Example:
        >>> with precision("cpu", True):
        ...     (torch.ones(2, 2) @ torch.ones(2)).dtype
        torch.bfloat16
    """
    return torch.autocast(kind, torch.bfloat16) if mixed else nullcontext()


def kept(state: Any, dtype: torch.dtype) -> Any:
    """Return a state as the next window gets it: without gradients, in the weights' dtype.

    Some of torch's own layers hand on what autocast made of it.

    Example:
        >>> kept((torch.zeros(1, dtype=torch.bfloat16), torch.tensor([True])), torch.float32)
        (tensor([0.]), tensor([True]))
    """

    def plain(part: Tensor) -> Tensor:
        return part.detach().to(dtype) if part.is_floating_point() else part.detach()

    return mapped(plain, state)


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
