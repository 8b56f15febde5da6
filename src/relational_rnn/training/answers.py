"""What a trained model answers to examples, whether it is right, and how a person reads it."""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Bool

from relational_rnn.reference.arrays import Array
from relational_rnn.tasks import TaskEntry
from relational_rnn.training.data import Ragged
from relational_rnn.training.weights import Trained


def first_examples(examples: Any, count: int) -> Any:
    """Return the first of some examples, at most `count`.

    Args:
        examples: a batch of a task, or stories of many lengths.
        count: how many.

    Example:
        >>> from relational_rnn.tasks.sorting import Sorting, sample
        >>> batch = sample(Sorting(), 9, np.random.default_rng(0))
        >>> first_examples(batch, 4).targets.shape
        (4, 16)
    """
    if isinstance(examples, Ragged):
        return examples.select(np.arange(min(count, len(examples.inputs))))
    return type(examples)(*(None if part is None else part[:count] for part in examples))


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


def answer_text(entry: TaskEntry, record: dict[str, Any], answer: Any) -> str:
    """Return an answer to the example of a record as a person reads it.

    Example:
        >>> from relational_rnn.tasks import find_task
        >>> record = {"pairs": [[9, 2]], "query": 9, "answer": 2}
        >>> answer_text(find_task("pair-matching"), record, 5)
        'value 5'
    """
    return entry.as_text(record | {"answer": answer}).splitlines()[-1].removeprefix("Answer: ")
