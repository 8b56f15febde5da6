"""Sorting: items are shown one a step; when all have been seen, predict them in ascending order.

A sequence has n steps with an item each and then n query steps. Items are independent and uniform in
0..V-1, so values repeat. One step's input has V + 1 features:

    [ item, one-hot V | 1 if an item is to be predicted at this step ]

An item's step has flag 0; a query step has no item. The i-th query step counts and its target is the i-th
smallest item. No query comes before the last item has been shown, so a causal model can predict them all.
Items are one-hot, not one scaled number: the values are classes in the targets too, and the task asks for
order among remembered things, not for reading small differences of a number.

The score is the share of query steps that are right.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from relational_rnn.config.checks import check_size
from relational_rnn.tasks.batch import ReasoningBatch
from relational_rnn.tasks.checks import (
    check_generator,
    check_inputs,
    check_task_size,
    one_example_generators,
    refuse,
)
from relational_rnn.tasks.growing import growing

if TYPE_CHECKING:
    from jaxtyping import Float, Float32, Int64


@dataclass(frozen=True, kw_only=True)
class Sorting:
    """Sizes of the task.

    Raises:
        TypeError: a size is no integer.
        ValueError: fewer than 1 item or fewer than 2 values.

    Example:
        >>> task = Sorting()
        >>> task.input_size, task.steps, task.classes, task.chance, round(task.majority, 3)
        (11, 16, 10, 0.1, 0.339)
    """

    name: ClassVar[str] = "sorting"
    """In the registry."""
    items: int = 8
    """n, items in a sequence."""
    values: int = 10
    """V, values an item can have."""

    def __post_init__(self) -> None:
        """Check the sizes; they become plain ints."""
        object.__setattr__(self, "items", check_task_size("items", self.items))
        object.__setattr__(self, "values", check_task_size("values", self.values, minimum=2))

    @property
    def input_size(self) -> int:
        """F = V + 1, features of one step's input."""
        return self.values + 1

    @property
    def classes(self) -> int:
        """C = V, values to choose from."""
        return self.values

    @property
    def steps(self) -> int:
        """T = 2n, steps of a sequence."""
        return 2 * self.items

    @property
    def chance(self) -> float:
        """1/V, the score of guessing."""
        return 1 / self.values

    @property
    def majority(self) -> float:
        """Score of predicting, at each query step, its most frequent answer; exact.

        The i-th smallest of n items (i from 1) is at most v when at least i of them are:

            P(at most v) = sum over k = i..n of (n choose k) p^k (1-p)^(n-k),  p = (v+1)/V
        """
        n, size = self.items, self.values
        best: int = 0
        for i in range(1, n + 1):
            at_most = [0]  # in units of V^-n, so that the integers are exact
            for below in range(1, size + 1):
                ways = (math.comb(n, k) * below**k * (size - below) ** (n - k) for k in range(i, n + 1))
                at_most.append(sum(ways))
            best += max(b - a for a, b in pairwise(at_most))
        score: float = best / (n * size**n)
        return score

    def harder(self) -> Sorting:
        """Return the task with half as many items more, at least one, in the same input format."""
        return replace(self, items=self.items + max(1, self.items // 2))

    def larger(self) -> dict[str, list[Sorting]]:
        """Return tasks of ever more items in the same input format, see `growing`."""
        return growing(self, items=None)


def sample(task: Sorting, batch_size: int, generator: np.random.Generator) -> ReasoningBatch:
    """Draw a batch.

    Args:
        task: sizes of the task.
        batch_size: B, examples.
        generator: the only source of chance; it moves on.

    Returns:
        inputs (B, 2n, V + 1), targets and mask (B, 2n), lengths (B,).

    Raises:
        TypeError: `batch_size` is no integer, or `generator` is no `numpy.random.Generator`.
        ValueError: `batch_size` is below 1.

    Example:
        >>> batch = sample(Sorting(), 512, np.random.default_rng(0))
        >>> batch.inputs.shape, batch.targets.shape, int(batch.mask.sum())
        ((512, 16, 11), (512, 16), 4096)
    """
    batch_size = check_size("batch_size", batch_size)
    items = check_generator(generator).integers(task.values, size=(batch_size, task.items))
    mask = np.zeros((batch_size, task.steps), dtype=bool)
    mask[:, task.items :] = True
    return ReasoningBatch(_encode(task, items), _in_order(items), mask, np.full(batch_size, task.steps))


def oracle(task: Sorting, inputs: Float[np.ndarray, "B T F"]) -> Int64[np.ndarray, "B T"]:
    """Answer from the inputs alone, always rightly.

    Args:
        task: sizes of the task.
        inputs: (B, T, F) with T = 2n and F = V + 1.

    Returns:
        (B, T) items in ascending order at the query steps, 0 before them.

    Raises:
        TypeError: `inputs` is no array of floating-point numbers.
        ValueError: `inputs` is not what the task makes; the message names the row.

    Example:
        >>> batch = sample(Sorting(), 100, np.random.default_rng(0))
        >>> bool((oracle(Sorting(), batch.inputs) == batch.targets).all())
        True
    """
    return _in_order(_read(task, inputs))


def records(task: Sorting, count: int, seed: int) -> Iterator[dict[str, Any]]:
    """Yield `count` examples as plain values, ready for JSON: `items` as shown and the `answer`, sorted.

    The first examples of a seed do not depend on `count`.

    Raises:
        TypeError: `count` or `seed` is no integer.
        ValueError: `count` or `seed` is out of range.

    Example:
        >>> next(records(Sorting(items=3), count=1, seed=0))
        {'task': 'sorting', 'items': [8, 6, 5], 'answer': [5, 6, 8]}
    """
    return (as_record(task, sample(task, 1, each), 0) for each in one_example_generators(count, seed))


def as_text(record: dict[str, Any]) -> str:
    """Return a record as a person reads it.

    Example:
        >>> print(as_text({"items": [8, 6, 5], "answer": [5, 6, 8]}))
        Put these 3 items in ascending order: 8, 6, 5
        Answer: [5, 6, 8]
    """
    items = ", ".join(map(str, record["items"]))
    return f"Put these {len(record['items'])} items in ascending order: {items}\nAnswer: {record['answer']}"


def as_record(task: Sorting, batch: ReasoningBatch, example: int) -> dict[str, Any]:
    """Return an example of a batch as plain values, see `records`; its answer is what `targets` say."""
    items = _read(task, batch.inputs[example : example + 1])[0].tolist()
    return {"task": "sorting", "items": items, "answer": batch.targets[example, task.items :].tolist()}


def _encode(task: Sorting, items: Int64[np.ndarray, "B n"]) -> Float32[np.ndarray, "B T F"]:
    """Return the inputs that show `items` and then ask."""
    inputs = np.zeros((len(items), task.steps, task.input_size), dtype=np.float32)
    inputs[:, : task.items, : task.values] = items[:, :, None] == np.arange(task.values)
    inputs[:, task.items :, task.values] = 1
    return inputs


def _read(task: Sorting, inputs: Float[np.ndarray, "B T F"]) -> Int64[np.ndarray, "B n"]:
    """Return the items in order of presentation, or say which row is none of the task's."""
    inputs = check_inputs(inputs, T=task.steps, F=task.input_size)
    items: Int64[np.ndarray, "B n"] = inputs[:, : task.items, : task.values].argmax(-1)
    wrong = (inputs != _encode(task, items)).any(-1)
    refuse(
        wrong,
        f"must be a one-hot item of {task.values} values with flag 0 in the first {task.items} steps, "
        "and no item with flag 1 after them",
    )
    return items


def _in_order(items: Int64[np.ndarray, "B n"]) -> Int64[np.ndarray, "B T"]:
    """Return the targets: 0 while items are shown, then the items in ascending order."""
    return np.concatenate([np.zeros_like(items), np.sort(items, axis=1)], axis=1)
