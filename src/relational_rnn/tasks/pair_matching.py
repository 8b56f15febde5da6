"""Pair matching, or associative recall: pairs of a key and a value are shown, then a key; predict its value.

A sequence has P steps with a pair each and a query as the last. The keys of a sequence are distinct, drawn
from K; the values are independent and uniform in 0..V-1, so they repeat; each key shown is queried equally
often. One step's input has K + V + 1 features:

    [ key, one-hot K | value, one-hot V | 1 at the query ]

A pair is shown in one step, with flag 0; the query has a key and no value. Only the query counts, and its
target is the value. More pairs, up to K, fit the same input format: that is the harder task.

Knowing nothing of keys, a model can still predict one of the values shown, which is right more often than a
guess among all V; `shortcut` does so.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import numpy as np

from relational_rnn.config.checks import check_size
from relational_rnn.tasks.batch import ReasoningBatch, at_last_step, last_step_batch, most_frequent
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


@dataclass(frozen=True, kw_only=True)
class PairMatching:
    """Sizes of the task.

    Raises:
        TypeError: a size is no integer.
        ValueError: fewer than 1 pair or 2 values, or fewer keys than pairs.

    Example:
        >>> task = PairMatching()
        >>> task.input_size, task.steps, task.classes, task.chance
        (23, 7, 10, 0.1)
    """

    name: ClassVar[str] = "pair-matching"
    """In the registry."""
    pairs: int = 6
    """P, pairs in a sequence."""
    keys: int = 12
    """K, keys to draw from, at least P."""
    values: int = 10
    """V, values a key can have."""

    def __post_init__(self) -> None:
        """Check the sizes; they become plain ints."""
        object.__setattr__(self, "pairs", check_task_size("pairs", self.pairs))
        object.__setattr__(self, "keys", check_task_size("keys", self.keys))
        object.__setattr__(self, "values", check_task_size("values", self.values, minimum=2))
        check_at_most("pairs", self.pairs, self.keys, "the number of keys, which are distinct")

    @property
    def input_size(self) -> int:
        """F = K + V + 1, features of one step's input."""
        return self.keys + self.values + 1

    @property
    def classes(self) -> int:
        """C = V, values to choose from."""
        return self.values

    @property
    def steps(self) -> int:
        """T = P + 1, steps of a sequence."""
        return self.pairs + 1

    @property
    def chance(self) -> float:
        """1/V, the score of guessing among all values."""
        return 1 / self.values

    @property
    def majority(self) -> float:
        """1/V, exact: every value is the answer equally often."""
        return 1 / self.values

    def harder(self) -> PairMatching:
        """Return the task with two thirds as many pairs more, at least one and up to K, in the same format.

        Raises:
            ValueError: there are no keys left for another pair.
        """
        if self.pairs == self.keys:
            raise ValueError(f"no harder task: {self.pairs} pairs already use all {self.keys} keys")
        return replace(self, pairs=min(self.keys, self.pairs + max(1, self.pairs * 2 // 3)))

    def larger(self) -> dict[str, list[PairMatching]]:
        """Return tasks of ever more pairs, up to K, in the same input format, see `growing`."""
        return growing(self, pairs=self.keys)


def sample(task: PairMatching, batch_size: int, generator: np.random.Generator) -> ReasoningBatch:
    """Draw a batch.

    Args:
        task: sizes of the task.
        batch_size: B, examples.
        generator: the only source of chance; it moves on.

    Returns:
        inputs (B, P + 1, K + V + 1), targets and mask (B, P + 1), lengths (B,).

    Raises:
        TypeError: `batch_size` is no integer, or `generator` is no `numpy.random.Generator`.
        ValueError: `batch_size` is below 1.

    Example:
        >>> batch = sample(PairMatching(), 512, np.random.default_rng(0))
        >>> batch.inputs.shape, batch.targets.shape, int(batch.mask.sum())
        ((512, 7, 23), (512, 7), 512)
    """
    batch_size = check_size("batch_size", batch_size)
    check_generator(generator)
    every_key = np.tile(np.arange(task.keys), (batch_size, 1))
    keys = generator.permuted(every_key, axis=1)[:, : task.pairs]  # (B, P)
    values = generator.integers(task.values, size=keys.shape)
    query = keys[np.arange(batch_size), generator.integers(task.pairs, size=batch_size)]
    pairs = _Pairs(keys, values, query)
    return last_step_batch(_encode(task, pairs), _answers(pairs))


def oracle(task: PairMatching, inputs: Float[np.ndarray, "B T F"]) -> Int64[np.ndarray, "B T"]:
    """Answer from the inputs alone, always rightly.

    Args:
        task: sizes of the task.
        inputs: (B, T, F) with T = P + 1 and F = K + V + 1.

    Returns:
        (B, T) the value at the last step, 0 before it.

    Raises:
        TypeError: `inputs` is no array of floating-point numbers.
        ValueError: `inputs` is not what the task makes; the message names the row.

    Example:
        >>> batch = sample(PairMatching(), 100, np.random.default_rng(0))
        >>> bool((oracle(PairMatching(), batch.inputs) == batch.targets).all())
        True
    """
    return at_last_step(_answers(_read(task, inputs)), task.steps)


def shortcut(task: PairMatching, inputs: Float[np.ndarray, "B T F"]) -> Int64[np.ndarray, "B T"]:
    """Answer without matching anything: the value shown most often, of several the last.

    Args:
        task: sizes of the task.
        inputs: (B, T, F) as for `oracle`.

    Returns:
        (B, T) as `oracle`.

    Raises:
        TypeError, ValueError: as `oracle`.

    Example:
        >>> batch = sample(PairMatching(), 20_000, np.random.default_rng(0))
        >>> told = shortcut(PairMatching(), batch.inputs)
        >>> round(float((told == batch.targets)[batch.mask].mean()), 2)
        0.34
    """
    return at_last_step(most_frequent(_read(task, inputs).values, task.values), task.steps)


def records(task: PairMatching, count: int, seed: int) -> Iterator[dict[str, Any]]:
    """Yield `count` examples as plain values, ready for JSON: `pairs` of key and value, `query`, `answer`.

    The first examples of a seed do not depend on `count`.

    Raises:
        TypeError: `count` or `seed` is no integer.
        ValueError: `count` or `seed` is out of range.

    Example:
        >>> sorted(next(records(PairMatching(), count=1, seed=0)))
        ['answer', 'pairs', 'query', 'task']
    """
    return (as_record(task, sample(task, 1, each), 0) for each in one_example_generators(count, seed))


def as_text(record: dict[str, Any]) -> str:
    """Return a record as a person reads it.

    Example:
        >>> print(as_text({"pairs": [[4, 9], [0, 2]], "query": 0, "answer": 2}))
        key 4 has value 9
        key 0 has value 2
        Which value has key 0?
        Answer: value 2
    """
    lines = [f"key {key} has value {value}" for key, value in record["pairs"]]
    return "\n".join([*lines, f"Which value has key {record['query']}?", f"Answer: value {record['answer']}"])


def as_record(task: PairMatching, batch: ReasoningBatch, example: int) -> dict[str, Any]:
    """Return an example of a batch as plain values, see `records`; its answer is what `targets` say."""
    pairs = _read(task, batch.inputs[example : example + 1])
    return {
        "task": "pair-matching",
        "pairs": np.stack([pairs.keys[0], pairs.values[0]], axis=1).tolist(),
        "query": int(pairs.query[0]),
        "answer": int(batch.targets[example, -1]),
    }


class _Pairs(NamedTuple):
    """What the inputs say."""

    keys: Int64[np.ndarray, "B P"]
    values: Int64[np.ndarray, "B P"]
    query: Int64[np.ndarray, " B"]


def _answers(pairs: _Pairs) -> Int64[np.ndarray, " B"]:
    step = (pairs.keys == pairs.query[:, None]).argmax(1)
    answers: Int64[np.ndarray, " B"] = pairs.values[np.arange(len(step)), step]
    return answers


def _encode(task: PairMatching, pairs: _Pairs) -> Float32[np.ndarray, "B T F"]:
    """Return the inputs that show the pairs and then ask."""
    inputs = np.zeros((len(pairs.query), task.steps, task.input_size), dtype=np.float32)
    codes = np.arange(task.keys)
    inputs[:, :-1, : task.keys] = pairs.keys[:, :, None] == codes
    inputs[:, :-1, task.keys : -1] = pairs.values[:, :, None] == np.arange(task.values)
    inputs[:, -1, : task.keys] = pairs.query[:, None] == codes
    inputs[:, -1, -1] = 1
    return inputs


def _read(task: PairMatching, inputs: Float[np.ndarray, "B T F"]) -> _Pairs:
    """Decode the inputs, or say which row is none of the task's."""
    inputs = check_inputs(inputs, T=task.steps, F=task.input_size)
    keys = inputs[:, :, : task.keys].argmax(-1)  # (B, T)
    pairs = _Pairs(keys[:, :-1], inputs[:, :-1, task.keys : -1].argmax(-1), keys[:, -1])
    refuse(
        (inputs != _encode(task, pairs)).any(-1),
        f"must be a one-hot key of {task.keys} and a one-hot value of {task.values} with flag 0, "
        "or at the last step a one-hot key with flag 1",
    )
    same = pairs.keys[:, :, None] == pairs.keys[:, None, :]  # (B, P, P)
    refuse(np.tril(same, -1).any(-1), "has the key of an earlier step")
    unknown = (pairs.keys != pairs.query[:, None]).all(-1)
    refuse(unknown[:, None] & (np.arange(task.steps) == task.pairs), "asks for a key that was not shown")
    return pairs
