"""Nth farthest otherwise than the paper draws it, with the same answers: more steps, another order.

**More steps than objects** ask how far a model that learned the task has understood it: distractors have no
label and a repeated vector is the object that it was, so the answer never changes. **Another order** of the
same objects puts the reference where an analysis wants it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import numpy as np

from relational_rnn.config.checks import check_size
from relational_rnn.tasks.checks import check_at_most, check_generator, check_task_size
from relational_rnn.tasks.nth_farthest import NthFarthest, NthFarthestBatch
from relational_rnn.tasks.splits import LONGER

if TYPE_CHECKING:
    from jaxtyping import Float32

MORE_STEPS: Final = (0, 1, 2, 4, 8)
"""How many steps runs add when they are scored on longer sequences."""


def lengthen(
    task: NthFarthest,
    batch: NthFarthestBatch,
    generator: np.random.Generator,
    *,
    distractors: int = 0,
    repeats: int = 0,
) -> Float32[np.ndarray, "B T F"]:
    """Put further steps among the steps of a batch, at random places.

    A **distractor** is a vector as all others, uniform in [-1, 1) in the batch's dimensions, with zeros where
    the label stands and the sequence's question. A **repeat** shows one of the objects once more, vector and
    label; the objects are drawn with replacement.

    Args:
        task: sizes of the full task.
        batch: k objects a sequence, of `sample`.
        generator: the only source of chance; it moves on.
        distractors, repeats: how many of each a sequence gets.

    Returns:
        Inputs (B, k + distractors + repeats, D + 3N), without any the batch's own; its targets are theirs.

    Raises:
        TypeError: a number is no integer, or `generator` is no `numpy.random.Generator`.
        ValueError: a number is below 0.

    Example:
        >>> from relational_rnn.tasks.nth_farthest import sample
        >>> task, generator = NthFarthest(), np.random.default_rng(0)
        >>> batch = sample(task, 32, generator)
        >>> lengthen(task, batch, generator, distractors=2, repeats=1).shape
        (32, 11, 40)
    """
    check_generator(generator)
    more = check_task_size("distractors", distractors, minimum=0)
    again = check_task_size("repeats", repeats, minimum=0)
    if not more and not again:
        return batch.inputs
    count, shown, used = batch.vectors.shape
    width, full = task.dimensions, task.objects

    strangers = np.zeros((count, more, task.input_size), dtype=np.float32)
    strangers[:, :, :used] = 2 * generator.random((count, more, used), dtype=np.float32) - 1
    question = slice(width + full, None)
    strangers[:, :, question] = batch.inputs[:, :1, question]
    which = generator.integers(shown, size=(count, again))
    repeated = np.take_along_axis(batch.inputs, which[:, :, None], axis=1)
    together = np.concatenate([batch.inputs, strangers, repeated], axis=1)  # (B, T, F)
    order = generator.permuted(np.tile(np.arange(together.shape[1]), (count, 1)), axis=1)
    return np.take_along_axis(together, order[:, :, None], axis=1)


def longer_scores(
    task: NthFarthest, batch: NthFarthestBatch, seed: int, predict: Callable[[np.ndarray], np.ndarray]
) -> dict[str, dict[str, list[float]]]:
    """Return a model's accuracies with more and more distractors, and with repeats, among a batch's steps.

    Args:
        task: its task.
        batch: examples of it.
        seed: of its training.
        predict: (inputs (B, T, F)) -> labels (B,).

    Returns:
        `longer`: "distractors" and "repeats", the accuracy for each of `MORE_STEPS`, the first without more.
    """

    def score(kind: str, count: int) -> float:
        generator = np.random.default_rng([seed, LONGER, count])
        inputs = lengthen(task, batch, generator, **{kind: count})
        return float((predict(inputs) == batch.targets).mean())

    plain = score("repeats", 0)
    more = MORE_STEPS[1:]
    return {
        "longer": {
            kind: [plain, *(score(kind, count) for count in more)] for kind in ("distractors", "repeats")
        }
    }


def with_reference_at(batch: NthFarthestBatch, step: int) -> NthFarthestBatch:
    """Let the reference of every sequence come at one step: it changes places with the object there.

    Args:
        batch: k objects a sequence, of `sample`.
        step: 0..k-1.

    Raises:
        TypeError: `step` is no integer.
        ValueError: the sequences have no such step.

    Example:
        >>> from relational_rnn.tasks.nth_farthest import sample
        >>> batch = with_reference_at(sample(NthFarthest(), 32, np.random.default_rng(0)), 5)
        >>> bool((batch.labels[:, 5] == batch.reference).all())
        True
    """
    count, shown = batch.labels.shape
    check_at_most("step", check_size("step", step, minimum=0), shown - 1, f"of {shown} steps")
    every = np.arange(count)
    stands = (batch.labels == batch.reference[:, None]).argmax(1)
    order = np.tile(np.arange(shown), (count, 1))
    order[every, stands] = step
    order[:, step] = stands
    inputs = np.take_along_axis(batch.inputs, order[:, :, None], axis=1)
    return batch._replace(
        inputs=inputs,
        vectors=inputs[:, :, : batch.vectors.shape[2]],
        labels=np.take_along_axis(batch.labels, order, axis=1),
    )
