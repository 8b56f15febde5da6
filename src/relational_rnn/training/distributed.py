"""Processes that train one model together, as torchrun starts them: what learner and trainer ask of them.

One process alone answers the same questions, so that neither has a second path.
"""

from __future__ import annotations

import time
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Final, Protocol, TypeVar

from relational_rnn.tasks import entry_of
from relational_rnn.training.config import RunConfig

T = TypeVar("T")


class Team(Protocol):
    """The processes of a training; each calls the same methods in the same order."""

    rank: int
    """Which of them this one is; 0 leads: it alone writes and shows."""
    size: int
    """How many they are."""

    def training(self, config: RunConfig, folder: Path, name: str) -> AbstractContextManager[None]:
        """Let the others train too, inside this.

        Args:
            config: of the run.
            folder: of the run.
            name: of the training.

        Raises:
            RunFailed: another process is gone.
        """

    def now(self) -> float:
        """Return the leader's clock in seconds, so that all save and end after the same step."""

    def any(self, flag: bool) -> bool:
        """Say whether one of them says so."""

    def check_same(self, step: int, folder: Path) -> None:
        """Check that all of them stand at the same step.

        Raises:
            ValueError: they do not see the same files.
        """

    def rows(self, count: int) -> slice:
        """Return which of so many streams are this process's."""

    def whole(self, part: T, axis: int) -> T:
        """Return a tensor of all streams from each process's own part, along an axis."""

    def mean(self, value: T) -> T:
        """Return the mean of a tensor over the processes."""

    def total(self, values: tuple[float, ...]) -> tuple[float, ...]:
        """Return the sums of numbers over the processes, in float64."""

    def shared(self, module: T, *, some_unused: bool) -> T:
        """Return a module whose gradients are averaged over the processes as they are computed.

        Args:
            module: the same on all of them.
            some_unused: whether a step may leave parameters without a gradient.
        """

    def alone(self, module: object) -> AbstractContextManager[None]:
        """Let such a module's gradients add up inside this, and average their sum the next time."""


class Alone:
    """A team of one."""

    rank, size = 0, 1

    def training(self, config: RunConfig, folder: Path, name: str) -> AbstractContextManager[None]:
        """Train."""
        return nullcontext()

    def now(self) -> float:
        """Return the clock."""
        return time.perf_counter()

    def any(self, flag: bool) -> bool:
        """Return the flag."""
        return flag

    def check_same(self, step: int, folder: Path) -> None:
        """Find nothing else."""

    def rows(self, count: int) -> slice:
        """Return all."""
        return slice(0, count)

    def whole(self, part: T, axis: int) -> T:
        """Return the part."""
        return part

    def mean(self, value: T) -> T:
        """Return the value."""
        return value

    def total(self, values: tuple[float, ...]) -> tuple[float, ...]:
        """Return the numbers."""
        return values

    def shared(self, module: T, *, some_unused: bool) -> T:
        """Return the module."""
        return module

    def alone(self, module: object) -> AbstractContextManager[None]:
        """Add them up, as ever."""
        return nullcontext()


ALONE: Final = Alone()


NOT_SHARED: Final = (
    "torchrun started {size} processes, which can share texts alone (train language), not {task}"
)


def check_together(config: RunConfig, size: int) -> None:
    """Check that so many processes can share the trainings of a run.

    Raises:
        ValueError: the task is no text, or the streams cannot be dealt out evenly.

    Example:
        >>> from relational_rnn.tasks.sorting import Sorting
        >>> check_together(RunConfig(task=Sorting()), 2)
        Traceback (most recent call last):
        ValueError: torchrun started 2 processes, which can share texts alone (train language), not sorting
    """
    entry, streams = entry_of(config.task), config.budget.batch_size
    if not entry.tokens:
        raise ValueError(NOT_SHARED.format(size=size, task=entry.name))
    if streams % size:
        raise ValueError(
            f"batch_size must be a multiple of the {size} processes that torchrun started, got {streams}"
        )
    check_pieces(config, size)


def check_pieces(config: RunConfig, size: int) -> None:
    """Check that each piece of a process's batch has a stream.

    Raises:
        ValueError: there are more pieces than streams.
    """
    own, pieces = config.budget.batch_size // size, config.runtime.accumulate
    if pieces > own:
        raise ValueError(
            f"accumulate must be at most the {own} streams of each of {size} processes, got {pieces}"
        )
