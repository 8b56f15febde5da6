"""Nth farthest with more steps than objects: the same questions among distractors and repeated vectors.

No part of the paper's task: it asks how far a model that learned the task has understood it. The answer never
changes, for a distractor has no label and a repeated vector is the object that it was.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from jaxtyping import Float32

from relational_rnn.spec.checks import check_size
from relational_rnn.tasks.checks import check_generator
from relational_rnn.tasks.nth_farthest import NthFarthest, NthFarthestBatch

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
    more = check_size("distractors", distractors, minimum=0)
    again = check_size("repeats", repeats, minimum=0)
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
