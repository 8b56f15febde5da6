"""The examples of a run: what is learned from, chosen by and scored on, each from a stream of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, fields, replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from relational_rnn.tasks.entry import TaskEntry

TRAINING, VALIDATION, TEST, HARDER, LARGER, FRESH, PICTURE, LONGER = range(8)
"""Second word of a generator's seed: the streams never share examples."""


class Counts(NamedTuple):
    """How many examples a run has of each kind."""

    train: int | None
    """None for fresh ones at every step."""
    validation: int
    test: int
    """And as many of the harder sizes."""


class Splits(NamedTuple):
    """The examples of one seed."""

    train: Any
    """To learn from; None where every step draws fresh ones."""
    validation: Any
    """To choose the parameters by."""
    test: Any
    """To report; of the task's own sizes, like validation."""
    harder: Any
    """To report: larger than any in training; None where the task has no such sizes."""
    harder_sizes: dict[str, Any] | None
    """Sizes of the harder ones."""
    changes: str | None
    """In words what makes them harder."""
    trivial: dict[str, dict[str, float | None]]
    """Split (test, harder) -> chance, majority and shortcut (None where the task knows of none)."""


def draw_splits(entry: TaskEntry, task: Any, counts: Counts, seed: int) -> Splits:
    """Draw the splits of a task whose examples are drawn by its `sample`.

    Args:
        entry: of the task.
        task: as it is scored: at its full size.
        counts: of the examples.
        seed: of the training.
    """

    def draw(sizes: Any, count: int, stream: int) -> Any:
        return entry.sample(sizes, count, np.random.default_rng([seed, stream]))

    train = None if counts.train is None else draw(task, counts.train, TRAINING)
    validation, test = draw(task, counts.validation, VALIDATION), draw(task, counts.test, TEST)
    trivial = {"test": trivial_scores(task)}
    harder_task = entry.harder(task)
    if harder_task is None:
        return Splits(train, validation, test, None, None, None, trivial)
    own, other = asdict(task), asdict(harder_task)
    changes = ", ".join(
        f"{name} {value} instead of {own[name]}" for name, value in other.items() if value != own[name]
    )
    trivial["harder"] = trivial_scores(harder_task)
    harder = draw(harder_task, counts.test, HARDER)
    return Splits(train, validation, test, harder, other, changes, trivial)


def trivial_scores(task: Any) -> dict[str, float | None]:
    """Return what a model scores that has understood nothing, by the way it has."""
    return {"chance": task.chance, "majority": task.majority, "shortcut": getattr(task, "shortcut", None)}


def score_to_beat(scores: Mapping[str, float | None]) -> float:
    """Return the trivial score of some examples: the best of chance, majority and shortcut, where known.

    Example:
        >>> score_to_beat({"chance": 0.1, "majority": 0.1, "shortcut": 0.34})
        0.34
    """
    return max(score for score in scores.values() if score is not None)


def grow(task: Any, start: dict[str, int]) -> list[dict[str, int]]:
    """Return the sizes of a curriculum by stage: one size after another, by one, up to the task's own.

    Args:
        task: the full one.
        start: the sizes that grow, and where each starts.

    Raises:
        ValueError: no such size, or one that changes what a model reads or predicts.

    Example:
        >>> from relational_rnn.tasks.sorting import Sorting
        >>> grow(Sorting(items=4), {"items": 2})
        [{'items': 2}, {'items': 3}, {'items': 4}]
    """
    stages = [dict(start)]
    for size in start:
        if size not in (can := growing(task)):
            raise ValueError(f"{task.name} can grow in {' and '.join(can) or 'nothing'}, got {size!r}")
        while stages[-1][size] < getattr(task, size):
            stages.append({**stages[-1], size: stages[-1][size] + 1})
    return stages


def growing(task: Any) -> list[str]:
    """Return the sizes of a task that leave what a model reads and predicts as it is.

    Example:
        >>> from relational_rnn.tasks.sorting import Sorting
        >>> growing(Sorting(items=4))
        ['items']
    """
    found = []
    for field in fields(task):
        value = getattr(task, field.name)
        if type(value) is not int:
            continue
        try:
            smaller = replace(task, **{field.name: value - 1})
        except ValueError:  # it is as small as it can be
            continue
        if (smaller.input_size, smaller.classes) == (task.input_size, task.classes):
            found.append(field.name)
    return found


Grow = Callable[[Any, dict[str, int]], list[dict[str, int]]]
"""(full task, sizes to start from) -> the sizes of each stage, the full task's last."""
