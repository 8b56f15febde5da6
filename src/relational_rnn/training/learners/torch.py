"""The learner of torch models: Adam or SOAP, an average of the weights, any device."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from relational_rnn.nn import LanguageModel
from relational_rnn.reference.arrays import Array
from relational_rnn.reference.training import Examples
from relational_rnn.training.arrays_file import check_arrays, with_prefix, without_prefix
from relational_rnn.training.config import RunConfig
from relational_rnn.training.distributed import ALONE, Team
from relational_rnn.training.framework import Framework
from relational_rnn.training.learners.optimiser_state import check_same_kind, flat, unflat
from relational_rnn.training.learners.optimisers import averaged, build_optimiser
from relational_rnn.training.learners.torch_models import (
    build_model,
    copies,
    count_parameters,
    load_arrays,
    matched_size,
    state_size,
    write,
)
from relational_rnn.training.place import place
from relational_rnn.training.processes import peak_memory

CHUNK = 256
"""Examples scored at once."""

Answered = Callable[[], tuple[Tensor, ...]]
"""Says, when the parameters have changed, which answers were right and which sequences are solved; nothing
where that is not told."""


class TorchLearner:
    """A torch model with its optimiser, as the common loop wants them.

    Args:
        model: answers at the steps that are asked for; it is moved to the run's device.
        config: of its training.
    """

    def __init__(self, model: nn.Module, config: RunConfig) -> None:
        self.device = torch.device(config.runtime.device)
        if self.device.type == "cuda":
            torch.cuda.reset_peak_memory_stats()  # of another training in this process
        self.model = model.to(self.device)
        self.max_norm = config.optimisation.clip_norm
        self.twice = config.model.has_fault("double-softmax")
        self.accumulate = config.runtime.accumulate
        self.optimisation = config.optimisation
        self.optimiser = build_optimiser(model, config.optimisation)
        decay = config.optimisation.average_decay
        self.average = averaged(model, decay) if decay else None

    @property
    def counts(self) -> nn.Module:
        """The model that counts: with the moving average of the weights, if there is one."""
        return self.model if self.average is None else self.average.module

    def train_step(self, batch: Examples, learning_rate: float) -> dict[str, float]:
        """Run forward and backward on the answers that count, clip, and change the parameters.

        Raises:
            FloatingPointError: the loss or the gradients are not finite; the parameters stay as they were.
        """
        for group in self.optimiser.param_groups:
            group["lr"] = learning_rate
        loss, answered = self.gradients(batch)
        norm = nn.utils.clip_grad_norm_(self.model.parameters(), self.max_norm).item()
        value = loss.item()
        if not (math.isfinite(value) and math.isfinite(norm)):
            raise FloatingPointError(f"training diverged: loss {value}, norm of the gradients {norm}")
        self.optimiser.step()
        if self.average is not None:
            self.average.update_parameters(self.model)
        parts = [torch.cat(part) for part in zip(*(one() for one in answered))]
        return {"loss": value, "grad_norm": norm} | (_shares(*parts) if parts else {})

    def gradients(self, batch: Any) -> tuple[Tensor, list[Answered]]:
        """Leave the gradient of the mean loss over a batch, worked out piece by piece.

        Returns:
            The loss, and of each piece what was answered.
        """
        self.optimiser.zero_grad(set_to_none=True)
        total, answered = torch.zeros((), device=self.device), []
        pieces = self._pieces(batch)
        for number, (rows, share) in enumerate(pieces, 1):
            with self._alone() if number < len(pieces) else nullcontext():
                loss, told = self._loss(batch, rows)
                (loss * share).backward()
            total += loss.detach() * share
            answered.append(told)
        return total, answered

    def _pieces(self, batch: Any) -> list[tuple[slice, float]]:
        """Return the rows of each piece of a batch, and its share of the answers that count."""
        parts = even_parts(len(batch.inputs), self.accumulate)
        if len(parts) == 1:
            return [(parts[0], 1.0)]
        mask = getattr(batch, "mask", None)
        counts = [np.size(batch.targets[rows]) if mask is None else int(mask[rows].sum()) for rows in parts]
        return [(rows, count / sum(counts)) for rows, count in zip(parts, counts) if count]

    def _alone(self) -> AbstractContextManager[None]:
        """Keep gradients from other processes inside this: a piece that is not the last."""
        return nullcontext()

    def _loss(self, batch: Any, rows: slice) -> tuple[Tensor, Answered]:
        """Return the mean loss of the answers that count in some rows, and what was answered."""
        scores, targets, queries = self._answers(self.model, batch, rows)

        def answered() -> tuple[Tensor, ...]:
            right = scores.argmax(1) == targets
            return right, _solved(right, queries)

        return F.cross_entropy(scores.softmax(1) if self.twice else scores, targets), answered

    @torch.no_grad()
    def evaluate(self, examples: Examples) -> dict[str, float]:
        """Return loss, accuracy and sequence accuracy, as `reference.evaluate` does."""
        model = self.counts.eval()
        losses, rights, solved = 0.0, [], []
        for start in range(0, len(examples.inputs), CHUNK):
            scores, targets, queries = self._answers(model, examples, slice(start, start + CHUNK))
            losses += F.cross_entropy(scores, targets, reduction="sum").item()
            rights.append(scores.argmax(1) == targets)
            solved.append(_solved(rights[-1], queries))
        model.train()
        right = torch.cat(rights)
        return {"loss": losses / len(right)} | _shares(right, torch.cat(solved))

    def _answers(
        self, model: nn.Module, batch: Examples, piece: slice = slice(None)
    ) -> tuple[Tensor, Tensor, Tensor | None]:
        """Return scores (K, C) and targets (K,) of the answers that count.

        And which do (B, T); None where each sequence has one answer, after its last step.
        """
        inputs, targets = (
            torch.from_numpy(np.asarray(part[piece])).to(self.device)
            for part in (batch.inputs, batch.targets)
        )
        if targets.ndim == 1:
            return model(inputs), targets, None
        given = getattr(batch, "mask", None)
        mask = (
            torch.ones(targets.shape, dtype=torch.bool) if given is None else torch.from_numpy(given[piece])
        )
        mask = mask.to(self.device)
        return model(inputs, query_mask=mask), targets[mask], mask

    def parameters(self) -> dict[str, Array]:
        """Return copies of those that count."""
        return copies(dict(self.counts.named_parameters()))

    @torch.no_grad()
    def load_parameters(self, values: Mapping[str, Array]) -> None:
        """Write into the model's tensors, which count from then on."""
        parameters = dict(self.model.named_parameters())
        check_arrays(values, copies(parameters), finite=False)
        write(parameters, values)
        self.average = None

    def state(self) -> dict[str, Array]:
        """Return the weights, their average, and the optimiser's state."""
        found = with_prefix("model", copies(self.model.state_dict()))
        if self.average is not None:
            found |= with_prefix("average", copies(self.average.state_dict()))
        return found | with_prefix("optimiser", flat(self.optimiser.state_dict()))

    @torch.no_grad()
    def load_state(self, values: Mapping[str, Array]) -> None:
        """Go back to them.

        Raises:
            ValueError: they are not the model's, its average's and its optimiser's; the message names what
                does not fit.
        """
        model, average = without_prefix("model", values), without_prefix("average", values)
        optimiser = without_prefix("optimiser", values)
        parts = with_prefix("model", model) | with_prefix("optimiser", optimiser)
        check_arrays(values, parts if self.average is None else parts | with_prefix("average", average))
        state = unflat(optimiser)
        if self.average is not None:
            check_arrays(average, copies(self.average.state_dict()))
            if average["n_averaged"] < 0:
                raise ValueError(f"n_averaged must be at least 0, got {average['n_averaged']}")
        own = self.optimiser.state_dict()
        check_arrays(model, copies(self.model.state_dict()))
        check_same_kind(state, own if state.get("state") == {} else self._state_after_a_step(), "optimiser")
        write(self.model.state_dict(), model)
        if self.average is not None:
            write(self.average.state_dict(), average)
        self.optimiser.load_state_dict(state)

    def _state_after_a_step(self) -> dict[str, Any]:
        """Return the state of an optimiser like this one's after a step, for its names, shapes and dtypes."""
        twin = copy.deepcopy(self.model)
        optimiser = build_optimiser(twin, self.optimisation)
        with torch.enable_grad():
            for parameter in twin.parameters():
                parameter.grad = torch.zeros_like(parameter)
            optimiser.step()
        return optimiser.state_dict()


def _solved(right: Tensor, queries: Tensor | None) -> Tensor:
    """Say of each sequence with an answer whether all of them are right.

    Args:
        right: (K,) bool, row after row.
        queries: (B, T) bool with K true; None where each sequence has one.
    """
    if queries is None:
        return right
    wrong = torch.zeros_like(queries)
    wrong[queries] = ~right
    return ~wrong[queries.any(1)].any(1)


def _shares(right: Tensor, solved: Tensor) -> dict[str, float]:
    return {
        "accuracy": right.double().mean().item(),
        "sequence_accuracy": solved.double().mean().item(),
    }


def even_parts(count: int, number: int) -> list[slice]:
    """Cut so many rows into at most so many parts, as even as there can be, none empty.

    Example:
        >>> even_parts(5, 2), even_parts(1, 3)
        ([slice(0, 2, None), slice(2, 5, None)], [slice(0, 1, None)])
    """
    number = min(number, count)
    return [slice(part * count // number, (part + 1) * count // number) for part in range(number)]


def make_learner(model: nn.Module, config: RunConfig, team: Team = ALONE) -> TorchLearner:
    """Return a model with its optimiser."""
    if isinstance(model, LanguageModel):
        from relational_rnn.training.learners.language import LanguageLearner  # which builds on this module

        return LanguageLearner(model, config, team)
    return TorchLearner(model, config)


@torch.no_grad()
def predict(model: nn.Module, inputs: Array, every_step: bool) -> Array:
    """Return the most likely class of sequences (B, T, F): at each step (B, T), or after the last (B,).

    Of a text's tokens (B, T), each sequence with a memory that starts anew, the most likely next ones.
    """
    device = next(model.parameters()).device
    model.eval()
    found = []
    for piece in torch.from_numpy(inputs).split(CHUNK):
        if isinstance(model, LanguageModel):
            found.append(model.log_probabilities(model(piece.to(device))[0]).argmax(-1).cpu())
            continue
        queries = torch.ones(piece.shape[:2], dtype=torch.bool, device=device) if every_step else None
        found.append(model(piece.to(device), query_mask=queries).argmax(1).cpu())
    model.train()
    classes: Array = torch.cat(found).view(inputs.shape[:2] if every_step else (-1,)).numpy()
    return classes


@contextmanager
def limit_threads(count: int) -> Iterator[None]:
    """Give torch so many threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def check_device(device: str) -> None:
    """Check that a device is there.

    Raises:
        ValueError: it is not.
    """
    if device == "cuda" and not torch.cuda.is_available():
        raise ValueError(f"device 'cuda' needs an NVIDIA GPU, and torch {torch.__version__} finds none here")


def check(config: RunConfig) -> None:
    """Check that the device is there, one for each process of torchrun.

    Raises:
        ValueError: it is not.
    """
    if config.runtime.device != "cuda":
        return
    check_device(config.runtime.device)
    own, here = place(), torch.cuda.device_count()
    if own is not None and own.local_size > here:
        raise ValueError(f"torchrun started {own.local_size} processes here; with GPUs at most {here} can be")


def most_memory(device: str) -> int | None:
    """Return the most bytes that this process has used, on a GPU those of torch's tensors."""
    return torch.cuda.max_memory_allocated() if device == "cuda" else peak_memory()


def generate(*arguments: Any, **options: Any) -> Iterator[str]:
    """Yield the text that a language model writes; see `training.learners.generation.generate`."""
    from relational_rnn.training.learners import generation  # which builds on this module

    return generation.generate(*arguments, **options)


TORCH = Framework(
    name="torch",
    check=check,
    build=build_model,
    matched_size=matched_size,
    count_parameters=count_parameters,
    state_size=state_size,
    learner=make_learner,
    arrays=lambda model: copies(model.state_dict()),
    load_arrays=load_arrays,
    predict=predict,
    generate=generate,
    limit_threads=limit_threads,
    peak_memory=most_memory,
)
