"""What a trained model answers to examples, whether it is right, and how a person reads it."""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Bool

from relational_rnn.reference.arrays import Array
from relational_rnn.tasks import TaskEntry
from relational_rnn.tasks.batch import ReasoningBatch
from relational_rnn.tasks.language.task import Stream
from relational_rnn.training.data import Ragged
from relational_rnn.training.weights import Trained


def spread_examples(examples: Any, count: int) -> tuple[list[int], Any]:
    """Return some of a split's examples, evenly spread over it: stories of bAbI stand task after task.

    Args:
        examples: a batch of a task, or stories of many lengths.
        count: how many, if there are as many.

    Returns:
        Their numbers in the split, and a batch of them.

    Example:
        >>> from relational_rnn.tasks.sorting import Sorting, sample
        >>> numbers, batch = spread_examples(sample(Sorting(), 9, np.random.default_rng(0)), 3)
        >>> numbers, batch.targets.shape
        ([0, 4, 8], (3, 16))
    """
    size = len(examples.inputs)
    numbers = np.linspace(0, size - 1, min(count, size)).astype(int)
    return numbers.tolist(), some_of(examples, numbers)


def some_of(examples: Any, numbers: Any) -> Any:
    """Return a batch of these examples of a split.

    Example:
        >>> from relational_rnn.tasks.sorting import Sorting, sample
        >>> some_of(sample(Sorting(), 9, np.random.default_rng(0)), [4]).targets.shape
        (1, 16)
    """
    if isinstance(examples, Stream):
        return examples.select(numbers)
    if isinstance(examples, Ragged):
        inputs, targets, mask, lengths = examples.inputs, examples.targets, examples.mask, examples.lengths
        return ReasoningBatch(inputs[numbers], targets[numbers], mask[numbers], lengths[numbers])
    return type(examples)(*(None if part is None else part[numbers] for part in examples))


def answers_of(trained: Trained, batch: Any) -> Array:
    """Return a model's answers in the shape of the batch's targets: 0 at the steps that do not count."""
    told = trained.predict(batch.inputs, every_step=np.ndim(batch.targets) > 1)
    return np.where(batch.mask, told, 0) if hasattr(batch, "mask") else told


def are_right(answers: Array, batch: Any) -> Bool[np.ndarray, " B"]:
    """Say for each example whether all of its answer is right.

    Example:
        >>> from relational_rnn.tasks.sorting import Sorting, sample
        >>> batch = sample(Sorting(), 2, np.random.default_rng(0))
        >>> are_right(batch.targets, batch).tolist()
        [True, True]
    """
    right: Array = (answers == batch.targets).reshape(len(answers), -1).all(1)
    return right


def question_text(entry: TaskEntry, record: dict[str, Any]) -> str:
    r"""Return the question of a record as a person reads it, without its answer.

    Example:
        >>> from relational_rnn.tasks import find_task
        >>> question_text(find_task("pair-matching"), {"pairs": [[9, 2]], "query": 9, "answer": 2})
        'key 9 has value 2\nWhich value has key 9?'
    """
    return entry.as_text(record).rpartition("\nAnswer: ")[0]


def answer_text(entry: TaskEntry, record: dict[str, Any], answer: Any) -> str:
    """Return an answer to the example of a record as a person reads it.

    Example:
        >>> from relational_rnn.tasks import find_task
        >>> record = {"pairs": [[9, 2]], "query": 9, "answer": 2}
        >>> answer_text(find_task("pair-matching"), record, 5)
        'value 5'
    """
    return entry.as_text(record | {"answer": answer}).splitlines()[-1].removeprefix("Answer: ")
