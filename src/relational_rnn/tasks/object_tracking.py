"""Object tracking: objects walk on a grid, one move a step; where is one of them at the end?

A sequence has three parts: O steps that place an object each, M steps that move one object each, and a last
step that asks for one object. One step's input has L + R + C + 5 features:

    [ object, one-hot L | row, one-hot R | column, one-hot C | up, right, down, left | 1 at the query ]

- A placing step has object, row and column.
- A moving step has object and direction: row - 1, column + 1, row + 1 or column - 1. **A move off the grid
  leaves the object where it is**, so a model must know the cell to know what a move does.
- The query has the object and the flag. Only it counts; its target is the cell, row * C + column.

The O objects of a sequence are drawn from L labels, so that more objects fit the same input format. First
cells are independent and uniform (objects may share a cell, then and later), object and direction of each
move too, and each object is asked for equally often.

The walls make every cell the answer equally often: as many (cell, direction) lead into each cell as out of
it, so a uniform first cell stays uniform. `shortcut` is the score of a model that ignores the moves.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import numpy as np

from relational_rnn.config.checks import check_size
from relational_rnn.tasks.batch import ReasoningBatch, at_last_step, last_step_batch
from relational_rnn.tasks.checks import (
    check_at_most,
    check_generator,
    check_inputs,
    check_task_size,
    one_example_generators,
    refuse,
)
from relational_rnn.tasks.growing import growing

if TYPE_CHECKING:
    from jaxtyping import Float, Float32, Int64

DIRECTIONS = ("up", "right", "down", "left")
"""The moves, in the order of their one-hot code."""
_ROW_STEP = (-1, 0, 1, 0)
_COLUMN_STEP = (0, 1, 0, -1)


@dataclass(frozen=True, kw_only=True)
class ObjectTracking:
    """Sizes of the task.

    Raises:
        TypeError: a size is no integer.
        ValueError: a size below 1 (moves: below 0), a grid of one cell, or fewer labels than objects.

    Example:
        >>> task = ObjectTracking()
        >>> task.input_size, task.steps, task.classes, task.chance
        (21, 16, 25, 0.04)
    """

    name: ClassVar[str] = "object-tracking"
    """In the registry."""
    objects: int = 3
    """O, objects in a sequence."""
    labels: int = 6
    """L, labels to draw the objects from, at least O."""
    rows: int = 5
    """R, rows of the grid."""
    columns: int = 5
    """C, columns of the grid."""
    moves: int = 12
    """M, moves of all objects together."""

    def __post_init__(self) -> None:
        """Check the sizes; they become plain ints."""
        for name in ("objects", "labels", "rows", "columns"):
            object.__setattr__(self, name, check_task_size(name, getattr(self, name)))
        object.__setattr__(self, "moves", check_task_size("moves", self.moves, minimum=0))
        check_at_most("objects", self.objects, self.labels, "the number of labels, which are distinct")
        if self.classes < 2:
            raise ValueError("rows * columns must be at least 2, got a grid of 1 cell")

    @property
    def input_size(self) -> int:
        """F = L + R + C + 5, features of one step's input."""
        return self.labels + self.rows + self.columns + len(DIRECTIONS) + 1

    @property
    def classes(self) -> int:
        """Cells to choose from, R * C."""
        return self.rows * self.columns

    @property
    def steps(self) -> int:
        """T = O + M + 1, steps of a sequence."""
        return self.objects + self.moves + 1

    @property
    def chance(self) -> float:
        """1 / (R * C), the score of guessing."""
        return 1 / self.classes

    @property
    def majority(self) -> float:
        """1 / (R * C), exact: every cell is the answer equally often."""
        return 1 / self.classes

    def harder(self) -> ObjectTracking:
        """Return the task with up to two objects more, as labels allow, and twice the moves (at least 1)."""
        return replace(self, objects=min(self.labels, self.objects + 2), moves=max(1, 2 * self.moves))

    def larger(self) -> dict[str, list[ObjectTracking]]:
        """Return tasks of ever more moves, and of more objects up to L, in the same format; see `growing`."""
        return growing(self, moves=None, objects=self.labels)


def sample(task: ObjectTracking, batch_size: int, generator: np.random.Generator) -> ReasoningBatch:
    """Draw a batch.

    Args:
        task: sizes of the task.
        batch_size: B, examples.
        generator: the only source of chance; it moves on.

    Returns:
        inputs (B, O + M + 1, L + R + C + 5), targets and mask (B, O + M + 1), lengths (B,).

    Raises:
        TypeError: `batch_size` is no integer, or `generator` is no `numpy.random.Generator`.
        ValueError: `batch_size` is below 1.

    Example:
        >>> batch = sample(ObjectTracking(), 512, np.random.default_rng(0))
        >>> batch.inputs.shape, batch.targets.shape, int(batch.mask.sum())
        ((512, 16, 21), (512, 16), 512)
    """
    batch_size = check_size("batch_size", batch_size)
    check_generator(generator)
    every = np.arange(batch_size)
    every_label = np.tile(np.arange(task.labels), (batch_size, 1))
    placed = generator.permuted(every_label, axis=1)[:, : task.objects]  # (B, O)
    walk = _Walk(
        placed=placed,
        rows=generator.integers(task.rows, size=placed.shape),
        columns=generator.integers(task.columns, size=placed.shape),
        moved=placed[every[:, None], generator.integers(task.objects, size=(batch_size, task.moves))],
        directions=generator.integers(len(DIRECTIONS), size=(batch_size, task.moves)),
        query=placed[every, generator.integers(task.objects, size=batch_size)],
    )
    return last_step_batch(_encode(task, walk), _last_cells(task, walk))


def oracle(task: ObjectTracking, inputs: Float[np.ndarray, "B T F"]) -> Int64[np.ndarray, "B T"]:
    """Answer from the inputs alone, always rightly.

    Args:
        task: sizes of the task.
        inputs: (B, T, F) with T = O + M + 1 and F = L + R + C + 5.

    Returns:
        (B, T) the cell at the last step, 0 before it.

    Raises:
        TypeError: `inputs` is no array of floating-point numbers.
        ValueError: `inputs` is not what the task makes; the message names the row.

    Example:
        >>> batch = sample(ObjectTracking(), 100, np.random.default_rng(0))
        >>> bool((oracle(ObjectTracking(), batch.inputs) == batch.targets).all())
        True
    """
    return at_last_step(_last_cells(task, _read(task, inputs)), task.steps)


def shortcut(task: ObjectTracking, inputs: Float[np.ndarray, "B T F"]) -> Int64[np.ndarray, "B T"]:
    """Answer without following any move: the cell in which the object was placed.

    Args:
        task: sizes of the task.
        inputs: (B, T, F) as for `oracle`.

    Returns:
        (B, T) as `oracle`.

    Raises:
        TypeError, ValueError: as `oracle`.

    Example:
        >>> batch = sample(ObjectTracking(), 20_000, np.random.default_rng(0))
        >>> told = shortcut(ObjectTracking(), batch.inputs)
        >>> round(float((told == batch.targets)[batch.mask].mean()), 2)
        0.15
    """
    walk = _read(task, inputs)
    nobody = np.full_like(walk.moved, -1)
    return at_last_step(_last_cells(task, walk._replace(moved=nobody)), task.steps)


def records(task: ObjectTracking, count: int, seed: int) -> Iterator[dict[str, Any]]:
    """Yield `count` examples as plain values, ready for JSON.

    The first examples of a seed do not depend on `count`.

    Returns:
        Dicts with the `grid` [rows, columns], `objects` [label, row, column] and `moves` [label, direction]
        in order of presentation, the label of the `query`, and the `answer`, a cell: row * columns + column.

    Raises:
        TypeError: `count` or `seed` is no integer.
        ValueError: `count` or `seed` is out of range.

    Example:
        >>> sorted(next(records(ObjectTracking(), count=1, seed=0)))
        ['answer', 'grid', 'moves', 'objects', 'query', 'task']
    """
    return (as_record(task, sample(task, 1, each), 0) for each in one_example_generators(count, seed))


def as_text(record: dict[str, Any]) -> str:
    """Return a record as a person reads it; rows count from the top, columns from the left, both from 0.

    Example:
        >>> record = dict(grid=[2, 3], objects=[[1, 0, 2]], moves=[[1, "down"], [1, "right"]], query=1)
        >>> print(as_text(record | {"answer": 5}))
        Grid of 2 rows and 3 columns
        object 1 is at row 0, column 2
        object 1 moves down
        object 1 moves right
        Where is object 1?
        Answer: cell 5, at row 1, column 2
    """
    rows, columns = record["grid"]
    row, column = divmod(record["answer"], columns)
    return "\n".join(
        [
            f"Grid of {rows} rows and {columns} columns",
            *(f"object {label} is at row {r}, column {c}" for label, r, c in record["objects"]),
            *(f"object {label} moves {direction}" for label, direction in record["moves"]),
            f"Where is object {record['query']}?",
            f"Answer: cell {record['answer']}, at row {row}, column {column}",
        ]
    )


def as_record(task: ObjectTracking, batch: ReasoningBatch, example: int) -> dict[str, Any]:
    """Return an example of a batch as plain values, see `records`; its answer is what `targets` say."""
    walk = _read(task, batch.inputs[example : example + 1])
    moves = zip(walk.moved[0].tolist(), walk.directions[0].tolist(), strict=True)
    return {
        "task": "object-tracking",
        "grid": [task.rows, task.columns],
        "objects": np.stack([walk.placed[0], walk.rows[0], walk.columns[0]], axis=1).tolist(),
        "moves": [[label, DIRECTIONS[direction]] for label, direction in moves],
        "query": int(walk.query[0]),
        "answer": int(batch.targets[example, -1]),
    }


class _Walk(NamedTuple):
    """What the inputs say; objects by label."""

    placed: Int64[np.ndarray, "B O"]
    rows: Int64[np.ndarray, "B O"]
    columns: Int64[np.ndarray, "B O"]
    moved: Int64[np.ndarray, "B M"]
    directions: Int64[np.ndarray, "B M"]
    query: Int64[np.ndarray, " B"]


def _last_cells(task: ObjectTracking, walk: _Walk) -> Int64[np.ndarray, " B"]:
    """Follow the object asked for."""
    every = np.arange(len(walk.query))
    which = (walk.placed == walk.query[:, None]).argmax(1)
    row, column = walk.rows[every, which], walk.columns[every, which]  # (B,) each
    for moved, direction in zip(walk.moved.T, walk.directions.T, strict=True):
        own = moved == walk.query
        row = np.clip(row + own * np.take(_ROW_STEP, direction), 0, task.rows - 1)
        column = np.clip(column + own * np.take(_COLUMN_STEP, direction), 0, task.columns - 1)
    cells: Int64[np.ndarray, " B"] = row * task.columns + column
    return cells


def _encode(task: ObjectTracking, walk: _Walk) -> Float32[np.ndarray, "B T F"]:
    """Return the inputs that place the objects, move them and then ask."""
    labels, rows, columns, directions = np.split(np.arange(task.input_size - 1), _cuts(task))
    first, last = task.objects, task.steps - 1
    inputs = np.zeros((len(walk.query), task.steps, task.input_size), dtype=np.float32)
    shown = np.concatenate([walk.placed, walk.moved, walk.query[:, None]], axis=1)  # (B, T)
    inputs[:, :, labels] = shown[:, :, None] == np.arange(task.labels)
    inputs[:, :first, rows] = walk.rows[:, :, None] == np.arange(task.rows)
    inputs[:, :first, columns] = walk.columns[:, :, None] == np.arange(task.columns)
    inputs[:, first:last, directions] = walk.directions[:, :, None] == np.arange(len(DIRECTIONS))
    inputs[:, last, -1] = 1
    return inputs


def _read(task: ObjectTracking, inputs: Float[np.ndarray, "B T F"]) -> _Walk:
    """Decode the inputs, or say which row is none of the task's."""
    inputs = check_inputs(inputs, T=task.steps, F=task.input_size)
    parts = np.split(inputs[:, :, :-1], _cuts(task), axis=2)
    labels, rows, columns, directions = (part.argmax(-1) for part in parts)  # (B, T) each
    first, last = task.objects, task.steps - 1
    walk = _Walk(
        labels[:, :first],
        rows[:, :first],
        columns[:, :first],
        labels[:, first:last],
        directions[:, first:last],
        labels[:, last],
    )
    refuse(
        (inputs != _encode(task, walk)).any(-1),
        f"must be one-hot: object, row and column in the first {first} steps, object and direction in the "
        f"next {task.moves}, object and flag in the last",
    )
    same = walk.placed[:, :, None] == walk.placed[:, None, :]  # (B, O, O)
    refuse(np.tril(same, -1).any(-1), "places the object of an earlier step")
    unknown = (labels[:, :, None] != walk.placed[:, None, :]).all(-1)
    refuse(unknown, "names an object that was not placed")
    return walk


def _cuts(task: ObjectTracking) -> list[int]:
    """Return where the parts of a step begin: rows, columns, directions."""
    return [task.labels, task.labels + task.rows, task.labels + task.rows + task.columns]
