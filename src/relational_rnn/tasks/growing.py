"""Ever larger sizes of a task: how far does what was learned on one of them reach?"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Task = TypeVar("Task", bound="DataclassInstance")


def growing(task: Task, **most: int | None) -> dict[str, list[Task]]:
    """Return, for each named size, the task itself and those in which that size alone is larger.

    A size n grows to about 1.25 n, 1.5 n and 2 n, each time by 1 at least.

    Args:
        task: sizes of the task.
        most: size -> the largest that the input format has room for; None for no limit.

    Returns:
        Size -> the tasks, from `task` on. A size that cannot grow is left out.

    Example:
        >>> from relational_rnn.tasks.object_tracking import ObjectTracking
        >>> grown = growing(ObjectTracking(objects=3, labels=3, moves=5), objects=3, moves=None)
        >>> {size: [task.moves for task in tasks] for size, tasks in grown.items()}
        {'moves': [5, 7, 8, 10]}
    """
    grown = {}
    for size, limit in most.items():
        own = getattr(task, size)
        wanted = (own, own + max(1, -(-own // 4)), own + max(2, -(-own // 2)), own + max(3, own))
        values = sorted({value if limit is None else min(value, limit) for value in wanted})
        if len(values) > 1:
            grown[size] = [replace(task, **{size: value}) for value in values]
    return grown
