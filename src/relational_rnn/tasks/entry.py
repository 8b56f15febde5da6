"""What every task offers, under the same names; and the entry of a task whose class has everything."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from relational_rnn.tasks.checks import one_example_generators
from relational_rnn.tasks.score import ACCURACY, Score
from relational_rnn.tasks.splits import Counts, Grow, Splits, draw_splits, grow


@dataclass(frozen=True, kw_only=True)
class TaskEntry:
    """What every task offers, under the same names.

    Example:
        >>> from relational_rnn.tasks import TASKS
        >>> entry = TASKS["sorting"]
        >>> entry.name, entry.factory(items=5).classes
        ('sorting', 10)
    """

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
    step_words: Callable[[dict[str, Any], np.ndarray], list[str]] = lambda record, inputs: []
    """(record, its inputs (T, F)) -> what each step shows in a few words; none where steps have no words."""
    title: Callable[[Any], str] | None = None
    """(task) -> it in words, as figures and tables have it above them; None for its name and sizes."""
    shortcut: Callable[[Any, Any], Any] | None = None
    """(task, inputs) -> answers of a model that has noticed a regularity and does not reason; None if the
    task knows of none that is better than the majority."""
    kinds: Callable[[Any], list[str]] | None = None
    """(batch) -> what kind each example is of, for scores by kind; None if all are alike."""
    make_splits: Callable[[TaskEntry, Any, Counts, int], Splits] = draw_splits
    """(entry, full task, counts, seed) -> the examples of a training."""
    resolve: Callable[[Any], tuple[Any, str] | None] = lambda task: None
    """(task) -> it with its files found, and where they are in words; None if there is nothing to find."""
    score: Score = ACCURACY
    """What models are compared by."""
    vectors: bool = False
    """Whether an example is labelled vectors and a query, so that what slots hold of them can be decoded."""
    tokens: bool = False
    """Whether inputs are the numbers of tokens, (B, T), which a model embeds; else features (B, T, F)."""
    keep: Callable[[Any], dict[str, Any]] | None = None
    """(task) -> what a run keeps of the task's files, as plain values; None where models need none of it."""
    with_kept: Callable[[Any, Path], Any] = lambda task, file: task
    """(task, file of what was kept) -> it as its models can be built where its own files are gone."""
    given: Callable[[Any, Path], Any] | None = None
    """(task, file) -> what a file of one's own holds, to be scored; None where that is arrays (.npz)."""
    from_files: bool = False
    """Whether the examples are as they are, none can be drawn, and `sample` says so."""
    at_full_size: Callable[[Any], Any] = lambda task: task
    """(task) -> it as it is scored, without a curriculum of its own."""
    at_level: Callable[[Any, Sequence[float]], Any] = lambda task, losses: task
    """(task, validation losses so far) -> it as the next step draws it."""
    harder: Callable[[Any], Any] = lambda task: task.harder()
    """(task) -> it with larger examples that the same model reads; None if there are none."""
    larger: Callable[[Any], dict[str, list[Any]]] = lambda task: task.larger()
    """(full task) -> by size the task itself and ever larger ones, that the same model reads."""
    stages: Grow | None = grow
    """How the task can grow; None if it cannot."""
    draw_stage: Callable[..., tuple[Any, bool]] | None = None
    """(full task, batch_size, generator, sizes of the stage, share of smaller batches) -> a batch, and
    whether it is of the stage's own size; None draws the task with these sizes in place of its own."""
    lengthen: Callable[..., Any] | None = None
    """(task, batch, generator, counts by name) -> inputs with further steps that change no answer."""
    more_scores: Callable[..., dict[str, Any]] | None = None
    """(task, its test examples, seed, predict) -> further scores of a trained model, as plain values."""
    from_kinds: Callable[[dict[str, float]], dict[str, Any]] | None = None
    """(accuracy by kind) -> further scores of a model."""
    trivial_by_kind: Callable[[Any, Any], dict[str, dict[str, float]]] | None = None
    """(task, test examples) -> name of the score -> kind -> what a model without understanding has."""


def factory_of(name: str, kind: type[Any]) -> Callable[..., Any]:
    """Return `kind` with a ValueError for sizes that it lacks: they come from outside, as names do.

    Example:
        >>> from relational_rnn.tasks.sorting import Sorting
        >>> factory_of("sorting", Sorting)(items=5).classes
        10
    """
    known = [field.name for field in fields(kind)]

    def make(**sizes: Any) -> Any:
        unknown = [size for size in sizes if size not in known]
        if unknown:
            raise ValueError(f"{name} has no size {', '.join(unknown)}; its sizes are {', '.join(known)}")
        return kind(**sizes)

    return make


def trivial_of(task: Any) -> str:
    """Say what guessing scores at a task's sizes.

    Example:
        >>> from relational_rnn.tasks.pair_matching import PairMatching
        >>> trivial_of(PairMatching())
        'chance 10 %, majority 10 % at the standard sizes'
    """
    return f"chance {100 * task.chance:.3g} %, majority {100 * task.majority:.3g} % at the standard sizes"


NEEDED = ("name", "input_size", "classes", "chance", "majority", "sample")
"""What a task class has to have."""


def check_batch(task: Any, batch: Any, batch_size: int) -> None:
    """Check what a task of one's own has drawn.

    Raises:
        TypeError: inputs, targets or a mask that are missing or of another kind.
        ValueError: another number of examples, shapes that do not fit, or targets that are no classes.
    """
    name = type(task).__name__
    inputs, targets, mask = (getattr(batch, part, None) for part in ("inputs", "targets", "mask"))
    if not isinstance(inputs, np.ndarray) or inputs.dtype != np.float32:
        raise TypeError(f"{name}.sample must give inputs as a float32 array, got {_kind_of(inputs)}")
    if not isinstance(targets, np.ndarray) or targets.dtype != np.int64:
        raise TypeError(f"{name}.sample must give targets as an int64 array, got {_kind_of(targets)}")
    wanted, steps = (batch_size, task.input_size), inputs.shape[:2]
    if (
        inputs.ndim != 3
        or (inputs.shape[0], inputs.shape[2]) != wanted
        or targets.shape not in (steps, steps[:1])
    ):
        raise ValueError(
            f"{name}.sample must give inputs (B, T, F) with B = {batch_size} and F = {task.input_size} and "
            f"targets (B,) or (B, T), got {inputs.shape} and {targets.shape}"
        )
    lowest, highest = targets.min(), targets.max()
    if lowest < 0 or highest >= task.classes:
        raise ValueError(
            f"{name}.sample must give targets from 0 to {task.classes - 1}, got {lowest} to {highest}"
        )
    if mask is None:
        return
    if not isinstance(mask, np.ndarray) or mask.dtype != bool:
        raise TypeError(f"{name}.sample must give a mask of booleans, got {_kind_of(mask)}")
    if mask.shape != targets.shape or mask.ndim != 2 or not mask.any():
        raise ValueError(
            f"{name}.sample must give a mask (B, T) beside targets (B, T), True where an answer counts; "
            f"got {mask.shape} beside {targets.shape}, {mask.sum()} of them True"
        )


def _kind_of(value: Any) -> str:
    return f"{value.dtype}" if isinstance(value, np.ndarray) else type(value).__name__


def entry_from(kind: type[Any], description: str = "") -> TaskEntry:
    """Make the entry of a task whose class has everything; docs/extending.md shows a whole one.

    Args:
        kind: a frozen dataclass of sizes with `name`, `input_size`, `classes`, `chance`, `majority` and
            `sample(batch_size, generator) -> batch`, see `check_batch`: `inputs` (B, T, F), `targets`, (B,)
            for an answer after the last step or (B, T), and perhaps `mask` (B, T). It may have `harder()`,
            `larger()` and `oracle(inputs)`, and a static `kinds(batch)`: of what kind each example is.
        description: one line on what is asked.

    Raises:
        TypeError: something is missing, or it is no dataclass; the message names it.
    """
    missing = [attribute for attribute in NEEDED if not hasattr(kind, attribute)]
    if missing or not dataclasses.is_dataclass(kind):
        told = f"has no {', '.join(missing)}" if missing else "is no dataclass"
        raise TypeError(f"a task must be a dataclass with {', '.join(NEEDED)}; {kind.__name__} {told}")

    name = str(getattr(kind, "name"))  # noqa: B009  (a type has none that mypy knows)
    trivial = trivial_of(kind()) if description else ""

    def sample(task: Any, batch_size: int, generator: np.random.Generator) -> Any:
        batch = task.sample(batch_size, generator)
        check_batch(task, batch, batch_size)
        return batch

    def as_record(task: Any, batch: Any, example: int) -> dict[str, Any]:
        inputs, answer = np.asarray(batch.inputs[example]), np.asarray(batch.targets[example])
        return {"task": task.name, "inputs": inputs.tolist(), "answer": answer.tolist()}

    def records(task: Any, count: int, seed: int) -> Iterator[dict[str, Any]]:
        for generator in one_example_generators(count, seed):
            yield as_record(task, task.sample(1, generator), 0)

    return TaskEntry(
        name=name,
        description=description,
        trivial=trivial,
        factory=factory_of(name, kind),
        sample=sample,
        oracle=lambda task, inputs: task.oracle(inputs),
        records=records,
        as_record=as_record,
        as_text=lambda record: "\n".join([*map(str, record["inputs"]), f"Answer: {record['answer']}"]),
        kinds=(lambda batch: list(kind.kinds(batch))) if hasattr(kind, "kinds") else None,
        harder=lambda task: task.harder() if hasattr(task, "harder") else None,
        larger=lambda task: task.larger() if hasattr(task, "larger") else {},
    )
