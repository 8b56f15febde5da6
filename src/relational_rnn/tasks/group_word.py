"""Group words: elements of a group are shown one a step; predict their product so far, or that of them all.

This is the word problem of a group, the field's measure of state tracking: the product of a long word cannot
be known without following it. Groups, numbering and product are those of Merrill, Petty & Sabharwal 2024
(https://github.com/jopetty/word-problem): a group is a set of permutations in lexicographic order, the
identity is number 0, and a product is taken from left to right,

    product_t = product_(t-1) * element_t,  (p * q)(i) = p(q(i)),  product_0 = identity

- S3 (6 elements) is solvable: its product can be built from two commutative ones.
- A5 (60) and S5 (120) are not: their word problem is NC1-complete, and a network of fixed depth without
  recurrence is believed unable to follow long words.

Elements are independent and uniform: all of the group, its swaps, or the swaps of neighbours (Grazzi et al.
2024 train on swaps alone). One step's input has an element, one-hot K, and no flag; each step counts
(`answers="every"`) or the last alone (`answers="last"`).

The parity of a permutation is easy to follow, the permutation itself is not: `shortcut` is the score of a
model that follows parity. A5 has even permutations only.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, Final

import numpy as np

from relational_rnn.config.checks import check_choice, check_size
from relational_rnn.tasks.batch import ReasoningBatch, at_last_step
from relational_rnn.tasks.checks import (
    MOST_SIZE,
    check_generator,
    check_inputs,
    check_task_size,
    one_example_generators,
    refuse,
)
from relational_rnn.tasks.splits import LONGER

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int64

GROUPS: Final = ("S3", "A5", "S5")
"""All permutations of 3, the even ones of 5, all of 5."""
ELEMENTS: Final = ("all", "swaps", "neighbours")
"""What is shown: all of the group, the swaps of any two places, those of two neighbours."""
ANSWERS: Final = ("every", "last")
"""Which steps count."""
FACTORS: Final = (1, 2, 4, 8, 16)
"""Lengths of the words that models are scored on, as multiples of the length of training."""
LONG_EXAMPLES: Final = 200
"""Most examples of each of these lengths in `long_scores`."""


@dataclass(frozen=True, kw_only=True)
class GroupWord:
    """Sizes of the task.

    Raises:
        TypeError: the length is no integer.
        ValueError: a length below 1, an unknown choice, or swaps in A5, which has none.

    Example:
        >>> task = GroupWord()
        >>> task.input_size, task.steps, task.classes, round(task.chance, 3)
        (6, 16, 6, 0.167)
        >>> GroupWord(group="S5", elements="neighbours").input_size
        4
    """

    name: ClassVar[str] = "group-word"
    """In the registry."""
    group: str = "S3"
    """One of `GROUPS`."""
    elements: str = "all"
    """One of `ELEMENTS`."""
    answers: str = "every"
    """One of `ANSWERS`."""
    length: int = 16
    """T, elements in a word."""

    def __post_init__(self) -> None:
        """Check the sizes; the length becomes a plain int."""
        check_choice("group", self.group, GROUPS)
        check_choice("elements", self.elements, ELEMENTS)
        check_choice("answers", self.answers, ANSWERS)
        if self.group == "A5" and self.elements != "all":
            raise ValueError(f"A5 has no swaps, they are odd: elements must be 'all', got {self.elements!r}")
        object.__setattr__(self, "length", check_task_size("length", self.length))

    @property
    def shown(self) -> Int64[np.ndarray, " K"]:
        """The elements that words are made of, as numbers in the group."""
        moved = (permutations(self.group) != permutations(self.group)[0]).sum(1)
        swaps = np.flatnonzero(moved == 2)
        if self.elements == "swaps":
            return swaps
        if self.elements == "neighbours":
            first = (permutations(self.group)[swaps] != permutations(self.group)[0]).argmax(1)
            places = permutations(self.group)[swaps, first]
            neighbours: Int64[np.ndarray, " K"] = swaps[places == first + 1]
            return neighbours
        return np.arange(self.classes)

    @property
    def input_size(self) -> int:
        """F = K, elements that words are made of."""
        return len(self.shown)

    @property
    def classes(self) -> int:
        """Elements of the group."""
        return len(permutations(self.group))

    @property
    def steps(self) -> int:
        """T, steps of a sequence."""
        return self.length

    @property
    def chance(self) -> float:
        """1 / elements of the group, the score of guessing."""
        return 1 / self.classes

    @property
    def majority(self) -> float:
        """Score of predicting, at each step that counts, its most frequent product; exact.

        The products of a step are distributed as a random walk on the group, one element further each step.
        """
        table = _table(self.group)
        inverse = (table == 0).argmax(1)
        before = table[:, inverse[self.shown]]  # (G, K) products from which one element leads to each
        likely = np.eye(self.classes)[0]
        best = []
        for _ in range(self.length):
            likely = likely[before].mean(1)
            best.append(float(likely.max()))
        counted = best[-1:] if self.answers == "last" else best
        return max(self.chance, sum(counted) / len(counted))  # rounding may lead below it

    def harder(self) -> GroupWord:
        """Return the task with words of twice the length."""
        return replace(self, length=2 * self.length)

    def larger(self) -> dict[str, list[GroupWord]]:
        """Return the task and those with words of 2, 4, 8 and 16 times the length."""
        lengths = [factor * self.length for factor in FACTORS if factor * self.length <= MOST_SIZE]
        return {"length": [replace(self, length=length) for length in lengths]}


def sample(task: GroupWord, batch_size: int, generator: np.random.Generator) -> ReasoningBatch:
    """Draw a batch.

    Args:
        task: sizes of the task.
        batch_size: B, examples.
        generator: the only source of chance; it moves on.

    Returns:
        inputs (B, T, K), targets and mask (B, T), lengths (B,).

    Raises:
        TypeError: `batch_size` is no integer, or `generator` is no `numpy.random.Generator`.
        ValueError: `batch_size` is below 1.

    Example:
        >>> batch = sample(GroupWord(), 512, np.random.default_rng(0))
        >>> batch.inputs.shape, batch.targets.shape, int(batch.mask.sum())
        ((512, 16, 6), (512, 16), 8192)
    """
    shape = (check_size("batch_size", batch_size), task.length)
    tokens = check_generator(generator).integers(task.input_size, size=shape)
    inputs = np.eye(task.input_size, dtype=np.float32)[tokens]
    targets = _counted(task, products(task.group, task.shown[tokens]))
    return ReasoningBatch(inputs, targets, _mask(task, shape), np.full(batch_size, task.length))


def products(group: str, elements: Int64[np.ndarray, "B T"]) -> Int64[np.ndarray, "B T"]:
    """Return the products of words up to each step.

    Args:
        group: one of `GROUPS`.
        elements: (B, T) as numbers in the group.

    Returns:
        (B, T) as numbers in the group.

    Example:
        >>> products("S3", np.array([[1, 2, 5, 1]]))
        array([[1, 4, 2, 3]])
    """
    table, found = _table(group), np.zeros(elements.shape, dtype=np.int64)
    product = np.zeros(len(elements), dtype=np.int64)
    for step, shown in enumerate(elements.T):
        product = table[product, shown]
        found[:, step] = product
    return found


def oracle(task: GroupWord, inputs: Float[np.ndarray, "B T F"]) -> Int64[np.ndarray, "B T"]:
    """Answer from the inputs alone, always rightly.

    Args:
        task: sizes of the task.
        inputs: (B, T, F) with F = K.

    Returns:
        (B, T) products at the steps that count, 0 elsewhere.

    Raises:
        TypeError: `inputs` is no array of floating-point numbers.
        ValueError: `inputs` is not what the task makes; the message names the row.

    Example:
        >>> task = GroupWord(group="A5")
        >>> batch = sample(task, 100, np.random.default_rng(0))
        >>> bool((oracle(task, batch.inputs) == batch.targets).all())
        True
    """
    return _counted(task, products(task.group, _read(task, inputs)))


def shortcut(task: GroupWord, inputs: Float[np.ndarray, "B T F"]) -> Int64[np.ndarray, "B T"]:
    """Answer from the parity alone: the first element itself, then the identity if even, else one swap.

    Args:
        task: sizes of the task.
        inputs: (B, T, F) as for `oracle`.

    Returns:
        (B, T) as `oracle`.

    Raises:
        TypeError, ValueError: as `oracle`.

    Example:
        >>> batch = sample(GroupWord(), 20_000, np.random.default_rng(0))
        >>> round(float((shortcut(GroupWord(), batch.inputs) == batch.targets)[batch.mask].mean()), 2)
        0.37
    """
    elements, odd = _read(task, inputs), _odd(task.group)
    parity = odd[elements].cumsum(1) % 2
    answers = parity * odd.argmax()  # the first odd one is a swap; 0 where there is none
    answers[:, 0] = elements[:, 0]
    return _counted(task, answers)


def long_scores(
    task: GroupWord, batch: ReasoningBatch, seed: int, predict: Callable[[np.ndarray], np.ndarray]
) -> dict[str, dict[str, list[float]]]:
    """Return how often the last product, and the whole sequence of products, is right in longer words.

    Args:
        task: of the training.
        batch: its test examples: at most as many of each length are drawn, and at most `LONG_EXAMPLES`.
        seed: of the training.
        predict: (inputs (B, T, F)) -> classes (B, T).

    Returns:
        `long_words`: "length" (of the words), "last" and, where every step counts, "whole", the shares of
        right answers at each length.
    """
    found: dict[str, list[float]] = {"length": [], "last": [], "whole": []}
    count = min(LONG_EXAMPLES, len(batch.inputs))
    for long in task.larger()["length"]:
        words = sample(long, count, np.random.default_rng([seed, LONGER, long.length]))
        right = predict(words.inputs) == words.targets
        found["length"].append(float(long.length))
        found["last"].append(float(right[:, -1].mean()))
        found["whole"].append(float((right | ~words.mask).all(1).mean()))
    if task.answers == "last":
        del found["whole"]
    return {"long_words": found}


def records(task: GroupWord, count: int, seed: int) -> Iterator[dict[str, Any]]:
    """Yield `count` examples as plain values, ready for JSON; all elements are numbers in the group.

    The first examples of a seed do not depend on `count`.

    Returns:
        Dicts with the `group`, the `elements` in order of presentation, and the `answer`: the products up to
        each step, or the last alone.

    Raises:
        TypeError: `count` or `seed` is no integer.
        ValueError: `count` or `seed` is out of range.

    Example:
        >>> next(records(GroupWord(length=3), count=1, seed=0))
        {'task': 'group-word', 'group': 'S3', 'elements': [5, 3, 3], 'answer': [5, 2, 1]}
    """
    return (as_record(task, sample(task, 1, each), 0) for each in one_example_generators(count, seed))


def as_text(record: dict[str, Any]) -> str:
    """Return a record as a person reads it; a permutation is where each place's content comes from.

    Example:
        >>> print(as_text({"group": "S3", "elements": [1, 2], "answer": [1, 4]}))
        Multiply these elements of S3 from left to right:
        1 = (0 2 1)
        2 = (1 0 2)
        The last product is (2 0 1)
        Answer: [1, 4]
    """
    answer = record["answer"]
    last = answer[-1] if isinstance(answer, list) else answer
    return "\n".join(
        [
            f"Multiply these elements of {record['group']} from left to right:",
            *(f"{number} = {permutation(record['group'], number)}" for number in record["elements"]),
            f"The last product is {permutation(record['group'], last)}",
            f"Answer: {answer}",
        ]
    )


def title(task: GroupWord) -> str:
    """Return the task in words.

    Example:
        >>> title(GroupWord()), title(GroupWord(group="S5", elements="neighbours", answers="last"))
        ('Products of 16 elements of S3', 'Products of 16 swaps of neighbours of S5, the last product alone')
    """
    shown = {"all": "elements", "swaps": "swaps", "neighbours": "swaps of neighbours"}[task.elements]
    alone = ", the last product alone" if task.answers == "last" else ""
    return f"Products of {task.length} {shown} of {task.group}{alone}"


def permutation(group: str, number: int) -> str:
    """Return an element as the permutation that it is.

    Example:
        >>> permutation("S3", 4)
        '(2 0 1)'
    """
    return f"({' '.join(map(str, permutations(group)[number]))})"


def as_record(task: GroupWord, batch: ReasoningBatch, example: int) -> dict[str, Any]:
    """Return an example of a batch as plain values, see `records`; its answer is what `targets` say."""
    answers = batch.targets[example].tolist()
    return {
        "task": "group-word",
        "group": task.group,
        "elements": _read(task, batch.inputs[example : example + 1])[0].tolist(),
        "answer": answers if task.answers == "every" else answers[-1],
    }


@functools.cache
def permutations(group: str) -> Int64[np.ndarray, "G n"]:
    """Return the elements of a group in lexicographic order, the identity first."""
    every = np.array(list(itertools.permutations(range(int(group[1])))))
    return every[~_is_odd(every)] if group[0] == "A" else every


@functools.cache
def _table(group: str) -> Int64[np.ndarray, "G G"]:
    """Return the products p * q of every two elements, as numbers."""
    every = permutations(group)
    number = {tuple(each): index for index, each in enumerate(every.tolist())}
    return np.array([[number[tuple(product)] for product in p[every].tolist()] for p in every])


@functools.cache
def _odd(group: str) -> Bool[np.ndarray, " G"]:
    """Return which elements are odd."""
    return _is_odd(permutations(group))


def _is_odd(every: Int64[np.ndarray, "G n"]) -> Bool[np.ndarray, " G"]:
    """Return whether each has an odd number of pairs in the wrong order."""
    wrong = np.triu(every[:, :, None] > every[:, None, :])
    odd: Bool[np.ndarray, " G"] = wrong.sum((1, 2)) % 2 == 1
    return odd


def _counted(task: GroupWord, answers: Int64[np.ndarray, "B T"]) -> Int64[np.ndarray, "B T"]:
    """Return the answers at the steps that count, 0 elsewhere."""
    return answers if task.answers == "every" else at_last_step(answers[:, -1], answers.shape[1])


def _mask(task: GroupWord, shape: tuple[int, int]) -> Bool[np.ndarray, "B T"]:
    mask = np.full(shape, task.answers == "every")
    mask[:, -1] = True
    return mask


def _read(task: GroupWord, inputs: Float[np.ndarray, "B T F"]) -> Int64[np.ndarray, "B T"]:
    """Return the elements as numbers in the group, or say which row is none of the task's."""
    inputs = check_inputs(inputs, T=task.length, F=task.input_size)
    tokens = inputs.argmax(-1)
    wrong = (inputs != np.eye(task.input_size, dtype=inputs.dtype)[tokens]).any(-1)
    refuse(wrong, f"must be one-hot: one of the {task.input_size} elements that words are made of")
    elements: Int64[np.ndarray, "B T"] = task.shown[tokens]
    return elements
