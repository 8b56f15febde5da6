"""The tasks by name: where a string from outside becomes a task."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from typing import Any

from relational_rnn.tasks import (
    babi_synthetic,
    nth_farthest,
    object_tracking,
    pair_matching,
    programs,
    sorting,
)
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
    """Sizes as keyword arguments -> the task; without arguments the standard ones. A size that the task does
    not have is a ValueError that lists those it has."""
    sample: Callable[..., Any]
    """(task, batch_size, generator) -> a batch with `inputs` and `targets`."""
    oracle: Callable[[Any, Any], Any]
    """(task, inputs) -> the right answers."""
    records: Callable[[Any, int, int], Iterator[dict[str, Any]]]
    """(task, count, seed) -> examples as plain values with at least `task` and `answer`."""
    as_record: Callable[[Any, Any, int], dict[str, Any]]
    """(task, batch, number of the example) -> it as such a record, with what the batch's targets say as the
    answer; the targets may be a model's."""
    as_text: Callable[[dict[str, Any]], str]
    """A record -> the example as a person reads it."""
    shortcut: Callable[[Any, Any], Any] | None = None
    """(task, inputs) -> answers of a model that has noticed a regularity and does not reason; None if the
    task knows of none that is better than the majority."""
    kinds: Callable[[Any], list[str]] | None = None
    """(batch) -> what kind each example is of, for scores by kind; None if all are alike."""


def _factory(name: str, kind: type[Any]) -> Callable[..., Any]:
    """Return `kind` with a ValueError for sizes that it lacks: they come from outside, as names do."""
    known = [field.name for field in fields(kind)]

    def make(**sizes: Any) -> Any:
        unknown = [size for size in sizes if size not in known]
        if unknown:
            raise ValueError(f"{name} has no size {', '.join(unknown)}; its sizes are {', '.join(known)}")
        return kind(**sizes)

    return make


def _trivial(task: Any) -> str:
    return f"chance {100 * task.chance:.3g} %, majority {100 * task.majority:.3g} % at the standard sizes"


def _characters(kind: type[programs.CharacterTask], description: str, majority: str) -> TaskEntry:
    """Return the entry of a task that reads characters and tells digits; they differ in their class alone."""
    return TaskEntry(
        name=kind.name,
        description=description,
        trivial=f"chance 10 % of the digits, the most frequent one at each place {majority}; none solved",
        factory=_factory(kind.name, kind),
        sample=programs.sample,
        oracle=programs.oracle,
        records=programs.records,
        as_record=programs.as_record,
        as_text=programs.as_text,
    )


TASKS: dict[str, TaskEntry] = {
    "nth-farthest": TaskEntry(
        name="nth-farthest",
        description="Which of N labelled vectors is the n-th farthest from the vector labelled m?",
        trivial="2/N, 25 % at 8 objects",
        factory=_factory("nth-farthest", nth_farthest.NthFarthest),
        sample=nth_farthest.sample,
        oracle=nth_farthest.oracle,
        records=nth_farthest.records,
        as_record=nth_farthest.as_record,
        as_text=nth_farthest_as_text,
    ),
    "sorting": TaskEntry(
        name="sorting",
        description="Items are shown one a step; then tell them in ascending order.",
        trivial=_trivial(sorting.Sorting()),
        factory=_factory("sorting", sorting.Sorting),
        sample=sorting.sample,
        oracle=sorting.oracle,
        records=sorting.records,
        as_record=sorting.as_record,
        as_text=sorting.as_text,
    ),
    "pair-matching": TaskEntry(
        name="pair-matching",
        description="Pairs of a key and a value are shown, then a key; which value has it?",
        trivial=_trivial(pair_matching.PairMatching()) + "; the value shown most often, 34 %",
        factory=_factory("pair-matching", pair_matching.PairMatching),
        sample=pair_matching.sample,
        oracle=pair_matching.oracle,
        records=pair_matching.records,
        as_record=pair_matching.as_record,
        as_text=pair_matching.as_text,
        shortcut=pair_matching.shortcut,
    ),
    "object-tracking": TaskEntry(
        name="object-tracking",
        description="Objects walk on a grid, one move a step; in which cell is one of them at the end?",
        trivial=_trivial(object_tracking.ObjectTracking()) + "; the first cell of the object, 15 %",
        factory=_factory("object-tracking", object_tracking.ObjectTracking),
        sample=object_tracking.sample,
        oracle=object_tracking.oracle,
        records=object_tracking.records,
        as_record=object_tracking.as_record,
        as_text=object_tracking.as_text,
        shortcut=object_tracking.shortcut,
    ),
    "babi-synthetic": TaskEntry(
        name="babi-synthetic",
        description="A story of people who walk and carry things; where is one, or where was it before?",
        trivial=_trivial(babi_synthetic.BabiSynthetic()) + "; the place named most often, 43 %",
        factory=_factory("babi-synthetic", babi_synthetic.BabiSynthetic),
        sample=babi_synthetic.sample,
        oracle=babi_synthetic.oracle,
        records=babi_synthetic.records,
        as_record=babi_synthetic.as_record,
        as_text=babi_synthetic.as_text,
        shortcut=babi_synthetic.shortcut,
        kinds=babi_synthetic.kinds,
    ),
    "addition": _characters(programs.Addition, "Add up the numbers of a text, read by characters.", "20 %"),
    "control": _characters(programs.Control, "Execute a program of choices and loops.", "11 %"),
    "program": _characters(
        programs.FullProgram, "Execute a program of arithmetic, choices and loops.", "13 %"
    ),
    "algebra": _characters(programs.Algebra, "Execute sums, differences and products.", "13 %"),
    "copy": _characters(programs.Copy, "Read digits, then tell them.", "10 %"),
    "reverse": _characters(programs.Reverse, "Read digits, then tell them backwards.", "10 %"),
    "double": _characters(programs.Double, "Read digits, then tell them twice.", "10 %"),
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
