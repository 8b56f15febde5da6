"""The size of a task over a training: found by watching the accuracy, or replayed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from relational_rnn.config.checks import check_number
from relational_rnn.tasks import entry_of
from relational_rnn.training.config import RunConfig
from relational_rnn.training.decode import decode


class Change(NamedTuple):
    """The task has these sizes from this step on."""

    step: int
    """0-based."""
    sizes: dict[str, int]
    """Those that differ from the full task's, or may; none for the full task."""


class Growth:
    """The stages of a training.

    Starting small gets a model over the plateau of the trivial score: each time a moving average of the
    training accuracy passes the threshold, the task goes on to its next stage.

    Args:
        config: of the training.
        replay: the changes that another model found; None watches and finds its own.

    Raises:
        ValueError: changes to replay that do not go through the stages in their order.

    Example:
        >>> from relational_rnn.tasks.sorting import Sorting
        >>> from relational_rnn.training.config_parts import CurriculumConfig
        >>> curriculum = CurriculumConfig(grow=True, start=("items=2",))
        >>> Growth(RunConfig(task=Sorting(), curriculum=curriculum)).changes
        [Change(step=0, sizes={'items': 2})]
    """

    SMOOTHING = 0.02

    def __init__(self, config: RunConfig, replay: Sequence[Change] | None = None) -> None:
        entry, curriculum = entry_of(config.task), config.curriculum
        assert entry.stages is not None
        self._stages = entry.stages(config.task, curriculum.starts())
        self._threshold = curriculum.growth_threshold
        self._watching = replay is None
        self.changes = self._checked([Change(0, self._stages[0])] if replay is None else list(replay))
        self._mean = 0.0

    def _checked(self, changes: list[Change]) -> list[Change]:
        """Return changes that go through the stages in their order."""
        steps = [change.step for change in changes]
        if [change.sizes for change in changes] != self._stages[: len(changes)] or not changes:
            raise ValueError(f"the sizes of the changes must be {self._stages}, in this order")
        if steps[0] != 0 or steps != sorted(set(steps)):
            raise ValueError(f"the changes must begin at step 0 and go up, got {steps}")
        return changes

    def at(self, step: int) -> dict[str, int]:
        """Return the sizes of a step."""
        return self.until(step)[-1]

    def until(self, step: int) -> list[dict[str, int]]:
        """Return the sizes of all stages up to that of a step."""
        return [change.sizes for change in self.changes if change.step <= step]

    def observe(self, step: int, accuracy: float) -> None:
        """Take note of the training accuracy at a stage's own sizes; grow if it is time."""
        if not self._watching or self.finished:
            return
        self._mean += self.SMOOTHING * (accuracy - self._mean)
        if self._mean > self._threshold:
            self._mean = 0.0
            self.changes.append(Change(step + 1, self._stages[len(self.changes)]))

    @property
    def finished(self) -> bool:
        """Whether the last change leads to the full task."""
        return self.changes[-1].sizes == self._stages[-1]

    def state(self) -> dict[str, Any]:
        """Return what a checkpoint keeps."""
        return {"changes": [list(change) for change in self.changes], "mean": self._mean}

    def restore(self, state: dict[str, Any]) -> None:
        """Go back to a checkpoint's `state`.

        Raises:
            ValueError: it is no state of these stages.
        """
        found = decode(_State, state, "stages")
        changes = []
        for change in found.changes:
            if len(change) != 2:
                raise ValueError("a change must be a step and sizes")
            changes.append(decode(Change, dict(zip(Change._fields, change)), "change"))
        self.changes, self._mean = self._checked(changes), check_number("mean", found.mean, 0.0, 1.0)


class _State(NamedTuple):
    """What a checkpoint keeps."""

    changes: list[list[Any]]
    mean: float
