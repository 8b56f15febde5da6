"""The tasks by name: where a string from outside becomes a task."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from relational_rnn.tasks import nth_farthest
from relational_rnn.tasks.nth_farthest_text import as_text as nth_farthest_as_text


@dataclass(frozen=True, kw_only=True)
class TaskEntry:
    """What every task offers, under the same names."""

    name: str
    """What people type."""
    description: str
    """One line on what is asked."""
    trivial: str
    """The score without understanding the task, in words."""
    factory: Callable[..., Any]
    """Sizes as keyword arguments -> the task; without arguments the paper's."""
    sample: Callable[..., Any]
    """(task, batch_size, generator) -> a batch with `inputs` and `targets`."""
    oracle: Callable[[Any, Any], Any]
    """(task, inputs) -> the right answers."""
    records: Callable[[Any, int, int], Iterator[dict[str, Any]]]
    """(task, count, seed) -> examples as plain values with at least `task` and `answer`."""
    as_text: Callable[[dict[str, Any]], str]
    """A record -> the example as a person reads it."""


TASKS: dict[str, TaskEntry] = {
    "nth-farthest": TaskEntry(
        name="nth-farthest",
        description="Which of N labelled vectors is the n-th farthest from the vector labelled m?",
        trivial="2/N, 25 % at 8 objects",
        factory=nth_farthest.NthFarthest,
        sample=nth_farthest.sample,
        oracle=nth_farthest.oracle,
        records=nth_farthest.records,
        as_text=nth_farthest_as_text,
    ),
}


def find_task(name: str) -> TaskEntry:
    """Return the entry of a task.

    Raises:
        ValueError: there is no such task; the message lists the known ones.

    Example:
        >>> find_task("nth-farthest").factory().input_size
        40
    """
    if name not in TASKS:
        raise ValueError(f"there is no task {name!r}; known tasks: {', '.join(TASKS)}")
    return TASKS[name]
