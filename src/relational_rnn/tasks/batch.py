"""The batch of the reasoning tasks: one form, so that one training loop serves them all."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from jaxtyping import Bool, Float32, Int64


class ReasoningBatch(NamedTuple):
    """Sequences with a class to predict at the steps that count; a single answer counts at its step only.

    Example:
        >>> from relational_rnn.tasks import generate_reasoning_data
        >>> batch = generate_reasoning_data("sorting", seed=0, train=2, validation=1, test=1).train
        >>> batch.inputs.shape[:2] == batch.targets.shape == batch.mask.shape
        True
    """

    inputs: Float32[np.ndarray, "B T F"]
    """What a model sees."""
    targets: Int64[np.ndarray, "B T"]
    """The right class at each step that counts, 0 elsewhere."""
    mask: Bool[np.ndarray, "B T"]
    """True at the steps that count."""
    lengths: Int64[np.ndarray, " B"]
    """Steps of each sequence without the padding at its end."""


def last_step_batch(inputs: Float32[np.ndarray, "B T F"], answers: Int64[np.ndarray, " B"]) -> ReasoningBatch:
    """Return a batch whose only answer is told at the last step; no padding."""
    batch_size, steps = inputs.shape[:2]
    mask = np.zeros((batch_size, steps), dtype=bool)
    mask[:, -1] = True
    return ReasoningBatch(inputs, at_last_step(answers, steps), mask, np.full(batch_size, steps))


def at_last_step(answers: Int64[np.ndarray, " B"], steps: int) -> Int64[np.ndarray, "B T"]:
    """Return the answers at the last of `steps` steps, 0 before it."""
    targets = np.zeros((len(answers), steps), dtype=np.int64)
    targets[:, -1] = answers
    return targets


def one_hot(ids: Int64[np.ndarray, "B T"], size: int) -> Float32[np.ndarray, "B T F"]:
    """Return words as inputs: F = `size` features, of which padding, id 0, has one too.

    Example:
        >>> one_hot(np.array([[2, 0]]), 3).tolist()
        [[[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]]]
    """
    inputs: Float32[np.ndarray, "B T F"] = np.eye(size, dtype=np.float32)[ids]
    return inputs


def most_frequent(classes: Int64[np.ndarray, "B S"], among: int) -> Int64[np.ndarray, " B"]:
    """Return the class of 0..`among`-1 that comes most often in each row, of several the one that comes last.

    Numbers outside that range do not count.

    Example:
        >>> most_frequent(np.array([[2, 0, 2, 1], [1, 0, -1, -1]]), among=3)
        array([2, 0])
    """
    steps = classes.shape[1]
    hot = classes[:, :, None] == np.arange(among)  # (B, S, C)
    last = (hot * np.arange(1, steps + 1)[:, None]).max(1)
    answers: Int64[np.ndarray, " B"] = (hot.sum(1) * (steps + 1) + last).argmax(1)
    return answers
