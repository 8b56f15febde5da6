"""Multi-query associative recall: pairs of a key and a value, then each key again; predict its value.

The task, its numbering and the distribution of its gaps are those of Arora, Eyuboglu et al. 2024 (Zoology;
https://github.com/HazyResearch/zoology, `multiquery_ar` with one pass and blanks that stay blank). A token of
the vocabulary is 0, a blank; a key, 1 to V/2 - 1; or a value, V/2 to V - 1. A sequence has

    key value key value ...  (2P steps), then 2SP steps of which every second is one of SP places

and each key stands at one place, all others are blank. Keys are distinct, so are values. The first pair takes
a place first; a place k from 1 is taken with a probability in proportion to k^(0.01 - 1), so that short gaps
are frequent and long ones occur. One step's input is a token, one-hot V. A step with a key after the pairs
counts; its target is the key's value, as the number of the value.

Models are compared by the numbers that they keep from step to step (`state_size` in results): what cannot
hold all pairs cannot recall them. Zoology's vocabulary has 8,192 tokens; ours has 132, for two cores, with as
many keys as 64 pairs need.

`shortcut` is the score of a model that predicts the values in the order in which they came.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, Final, NamedTuple

import numpy as np

from relational_rnn.config.checks import check_size
from relational_rnn.tasks.batch import ReasoningBatch, one_hot
from relational_rnn.tasks.checks import (
    check_at_most,
    check_generator,
    check_inputs,
    check_task_size,
    one_example_generators,
    refuse,
)

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int64

POWER: Final = 0.01
"""Exponent of the gaps' power law, plus 1; Zoology's standard."""


@dataclass(frozen=True, kw_only=True)
class Mqar:
    """Sizes of the task.

    Raises:
        TypeError: a size is no integer.
        ValueError: a size below 1, a vocabulary below 6, or fewer keys than pairs.

    Example:
        >>> task = Mqar()
        >>> task.input_size, task.steps, task.classes, round(task.chance, 4)
        (132, 24, 66, 0.0152)
    """

    name: ClassVar[str] = "mqar"
    """In the registry."""
    pairs: int = 4
    """P, pairs in a sequence."""
    vocabulary: int = 132
    """V, tokens: a blank, the keys and the values."""
    spread: int = 2
    """S, places for each key after the pairs: with 1 there are no gaps."""

    def __post_init__(self) -> None:
        """Check the sizes; they become plain ints."""
        object.__setattr__(self, "pairs", check_task_size("pairs", self.pairs))
        object.__setattr__(self, "vocabulary", check_task_size("vocabulary", self.vocabulary, minimum=6))
        object.__setattr__(self, "spread", check_task_size("spread", self.spread))
        check_at_most("pairs", self.pairs, self.keys, f"the keys in a vocabulary of {self.vocabulary}")

    @property
    def keys(self) -> int:
        """Keys in the vocabulary, V/2 - 1."""
        return self.vocabulary // 2 - 1

    @property
    def places(self) -> int:
        """S * P, places that a key can be queried at."""
        return self.spread * self.pairs

    @property
    def input_size(self) -> int:
        """F = V, features of one step's input."""
        return self.vocabulary

    @property
    def classes(self) -> int:
        """Values in the vocabulary, V - V/2."""
        return self.vocabulary - self.vocabulary // 2

    @property
    def steps(self) -> int:
        """T = 2P + 2SP, steps of a sequence."""
        return 2 * self.pairs + 2 * self.places

    @property
    def chance(self) -> float:
        """1 / values, the score of guessing."""
        return 1 / self.classes

    @property
    def majority(self) -> float:
        """1 / values, exact: every value is the answer equally often."""
        return 1 / self.classes

    def harder(self) -> Mqar:
        """Return the task with twice as many pairs, as the keys allow.

        Raises:
            ValueError: there are no keys left for another pair.
        """
        if self.pairs == self.keys:
            raise ValueError(f"no harder task: {self.pairs} pairs already use all {self.keys} keys")
        return replace(self, pairs=min(self.keys, 2 * self.pairs))

    def larger(self) -> dict[str, list[Mqar]]:
        """Return the task and those with 2, 4, 8 and 16 times as many pairs, as far as the keys go."""
        pairs = [factor * self.pairs for factor in (1, 2, 4, 8, 16)]
        return {"pairs": [replace(self, pairs=count) for count in pairs if count <= self.keys]}


def sample(task: Mqar, batch_size: int, generator: np.random.Generator) -> ReasoningBatch:
    """Draw a batch.

    Args:
        task: sizes of the task.
        batch_size: B, examples.
        generator: the only source of chance; it moves on.

    Returns:
        inputs (B, T, V), targets and mask (B, T), lengths (B,).

    Raises:
        TypeError: `batch_size` is no integer, or `generator` is no `numpy.random.Generator`.
        ValueError: `batch_size` is below 1.

    Example:
        >>> batch = sample(Mqar(), 512, np.random.default_rng(0))
        >>> batch.inputs.shape, batch.targets.shape, int(batch.mask.sum())
        ((512, 24, 132), (512, 24), 2048)
    """
    count = check_size("batch_size", batch_size)
    check_generator(generator)
    keys = 1 + generator.random((count, task.keys)).argsort(1)[:, : task.pairs]  # (B, P)
    values = generator.random((count, task.classes)).argsort(1)[:, : task.pairs]
    # The largest sums of a logarithm and Gumbel noise are draws without replacement, in their order.
    likely = (POWER - 1) * np.log(np.arange(1, task.places + 1)) + generator.gumbel(size=(count, task.places))
    places = (-likely).argsort(1)[:, : task.pairs]
    queries = np.zeros((count, task.places), dtype=np.int64)
    np.put_along_axis(queries, places, keys, axis=1)
    pairs = _Pairs(keys, values, queries)
    mask = _mask(task, pairs)
    return ReasoningBatch(_encode(task, pairs), _answers(task, pairs), mask, 1 + _last(mask))


def oracle(task: Mqar, inputs: Float[np.ndarray, "B T F"]) -> Int64[np.ndarray, "B T"]:
    """Answer from the inputs alone, always rightly.

    Args:
        task: sizes of the task.
        inputs: (B, T, V).

    Returns:
        (B, T) values of the keys at the steps that count, 0 elsewhere.

    Raises:
        TypeError: `inputs` is no array of floating-point numbers.
        ValueError: `inputs` is not what the task makes; the message names the row.

    Example:
        >>> batch = sample(Mqar(), 100, np.random.default_rng(0))
        >>> bool((oracle(Mqar(), batch.inputs) == batch.targets).all())
        True
    """
    return _answers(task, _read(task, inputs))


def shortcut(task: Mqar, inputs: Float[np.ndarray, "B T F"]) -> Int64[np.ndarray, "B T"]:
    """Answer without looking at the keys: the first value at the first query, and so on.

    Args:
        task: sizes of the task.
        inputs: (B, T, V) as for `oracle`.

    Returns:
        (B, T) as `oracle`.

    Raises:
        TypeError, ValueError: as `oracle`.

    Example:
        >>> batch = sample(Mqar(), 5_000, np.random.default_rng(0))
        >>> round(float((shortcut(Mqar(), batch.inputs) == batch.targets)[batch.mask].mean()), 2)
        0.32
    """
    pairs = _read(task, inputs)
    answers = np.zeros(inputs.shape[:2], dtype=np.int64)
    answers[_mask(task, pairs)] = pairs.values.ravel()
    return answers


def records(task: Mqar, count: int, seed: int) -> Iterator[dict[str, Any]]:
    """Yield `count` examples as plain values, ready for JSON.

    The first examples of a seed do not depend on `count`.

    Returns:
        Dicts with the `pairs` [key, value] in order of presentation, the key at each of the places after them
        as `queries` (0 for none), and the `answer`: the values of these keys.

    Raises:
        TypeError: `count` or `seed` is no integer.
        ValueError: `count` or `seed` is out of range.

    Example:
        >>> sorted(next(records(Mqar(), count=1, seed=0)))
        ['answer', 'pairs', 'queries', 'task']
    """
    return (as_record(task, sample(task, 1, each), 0) for each in one_example_generators(count, seed))


def as_text(record: dict[str, Any]) -> str:
    """Return a record as a person reads it.

    Example:
        >>> print(as_text({"pairs": [[5, 12], [3, 0]], "queries": [3, 0, 5, 0], "answer": [0, 12]}))
        key 5 has value 12
        key 3 has value 0
        Which values have these keys? (A dot is a gap.)
        3 . 5 .
        Answer: [0, 12]
    """
    return "\n".join(
        [
            *(f"key {key} has value {value}" for key, value in record["pairs"]),
            "Which values have these keys? (A dot is a gap.)",
            " ".join(str(key) if key else "." for key in record["queries"]),
            f"Answer: {record['answer']}",
        ]
    )


def title(task: Mqar) -> str:
    """Return the task in words.

    Example:
        >>> title(Mqar())
        'Associative recall, 4 pairs, 65 keys and 66 values'
    """
    return f"Associative recall, {task.pairs} pairs, {task.keys} keys and {task.classes} values"


def as_record(task: Mqar, batch: ReasoningBatch, example: int) -> dict[str, Any]:
    """Return an example of a batch as plain values, see `records`; its answer is what `targets` say."""
    pairs = _read(task, batch.inputs[example : example + 1])
    return {
        "task": "mqar",
        "pairs": np.stack([pairs.keys[0], pairs.values[0]], axis=1).tolist(),
        "queries": pairs.queries[0].tolist(),
        "answer": batch.targets[example][_mask(task, pairs)[0]].tolist(),
    }


class _Pairs(NamedTuple):
    """What the inputs say."""

    keys: Int64[np.ndarray, "B P"]
    """As tokens."""
    values: Int64[np.ndarray, "B P"]
    """As numbers of values."""
    queries: Int64[np.ndarray, "B SP"]
    """The key at each place, 0 for none."""


def _mask(task: Mqar, pairs: _Pairs) -> Bool[np.ndarray, "B T"]:
    mask = np.zeros((len(pairs.keys), task.steps), dtype=bool)
    mask[:, 2 * task.pairs :: 2] = pairs.queries > 0
    return mask


def _last(mask: Bool[np.ndarray, "B T"]) -> Int64[np.ndarray, " B"]:
    """Return the last step that counts."""
    last: Int64[np.ndarray, " B"] = np.where(mask, np.arange(mask.shape[1]), 0).max(1)
    return last


def _answers(task: Mqar, pairs: _Pairs) -> Int64[np.ndarray, "B T"]:
    """Return the values of the keys at the steps that count, 0 elsewhere."""
    same = pairs.queries[:, :, None] == pairs.keys[:, None, :]  # (B, SP, P)
    answers = np.zeros((len(pairs.keys), task.steps), dtype=np.int64)
    answers[:, 2 * task.pairs :: 2] = (same * pairs.values[:, None, :]).sum(2)
    return answers


def _encode(task: Mqar, pairs: _Pairs) -> Float[np.ndarray, "B T F"]:
    tokens = np.zeros((len(pairs.keys), task.steps), dtype=np.int64)
    tokens[:, 0 : 2 * task.pairs : 2] = pairs.keys
    tokens[:, 1 : 2 * task.pairs : 2] = pairs.values + task.vocabulary // 2
    tokens[:, 2 * task.pairs :: 2] = pairs.queries
    return one_hot(tokens, task.vocabulary)


def _read(task: Mqar, inputs: Float[np.ndarray, "B T F"]) -> _Pairs:
    """Return the pairs and queries, or say which row is none of the task's."""
    inputs = check_inputs(inputs, T=task.steps, F=task.input_size)
    tokens, half = inputs.argmax(-1), task.vocabulary // 2
    refuse((inputs != one_hot(tokens, task.vocabulary)).any(-1), "must be a one-hot token")
    keys, queries = tokens[:, 0 : 2 * task.pairs : 2], tokens[:, 2 * task.pairs :: 2]
    values = tokens[:, 1 : 2 * task.pairs : 2]
    wrong = np.zeros(tokens.shape, dtype=bool)
    wrong[:, 0 : 2 * task.pairs : 2] = (keys == 0) | (keys >= half)
    wrong[:, 1 : 2 * task.pairs : 2] = values < half
    wrong[:, 2 * task.pairs + 1 :: 2] = tokens[:, 2 * task.pairs + 1 :: 2] != 0
    refuse(wrong, f"must be a key (1 to {half - 1}), then its value ({half} and above), then no value")
    same = queries[:, :, None] == keys[:, None, :]  # (B, SP, P)
    twice, unknown = np.zeros(tokens.shape, dtype=bool), np.zeros(tokens.shape, dtype=bool)
    twice[:, 0 : 2 * task.pairs : 2] = same.sum(1) != 1
    unknown[:, 2 * task.pairs :: 2] = ~same.any(2) & (queries != 0)
    refuse(unknown, "must be one of the sequence's keys, or a blank")
    refuse(twice, "must be a key that stands at one place after the pairs, and once in them")
    return _Pairs(keys, values - half, queries)
