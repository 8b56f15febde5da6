"""Losses over batches and sequences, with masks, and their derivatives."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from jaxtyping import Float, Int

from relational_rnn.reference.arrays import as_booleans


def cross_entropy_loss(
    scores: Float[np.ndarray, "*rows C"],
    targets: Int[np.ndarray, "*rows"],
    mask: npt.ArrayLike | None = None,
) -> tuple[float, Float[np.ndarray, "*rows C"]]:
    """Return the mean of `−log softmax(scores)[target]` and its derivative.

    `d_scores = (softmax(scores) − onehot(target)) / count` in every row that counts.

    The mean is over all rows that count, so each step of a sequence weighs the same, however long its
    sequence is.

    Args:
        scores: one row of C numbers for each answer, for example (B, C) or (B, T, C).
        targets: the right class of each row, 0..C-1, for example (B,) or (B, T).
        mask: booleans in the shape of `targets`, True where a row counts; None for everywhere. Where it is
            False the target may be anything, and the gradient is 0.

    Returns:
        The loss, and its gradient with respect to `scores`.

    Raises:
        TypeError: scores that hold no floats, targets that hold no integers, a mask that holds no booleans.
        ValueError: shapes that do not fit together, a target that is no class, or nothing that counts.

    Example:
        >>> loss, d_scores = cross_entropy_loss(np.zeros((1, 2)), np.array([1]))
        >>> round(loss, 6), d_scores.tolist()
        (0.693147, [[0.5, -0.5]])
    """
    scores, targets = _as_floats("scores", scores), np.asarray(targets)
    if targets.dtype.kind not in "iu":
        raise TypeError(f"targets must hold integers, got {targets.dtype}")
    if scores.ndim < 1 or scores.shape[:-1] != targets.shape:
        raise ValueError(
            f"scores must have the shape of targets and one axis of classes more, "
            f"got {scores.shape} for targets {targets.shape}"
        )
    counted = check_mask(mask, targets.shape)
    chosen = targets[counted]
    check_classes("targets", chosen, scores.shape[-1])
    rows, every = scores[counted], np.arange(len(chosen))  # (count, C)
    shifted = rows - rows.max(axis=1, keepdims=True)  # changes nothing, keeps exp from overflowing
    exponents = np.exp(shifted)
    total = exponents.sum(axis=1)
    loss = float(np.mean(np.log(total) - shifted[every, chosen], dtype=np.float64))
    d_rows = exponents / total[:, None]
    d_rows[every, chosen] -= 1
    d_scores = np.zeros_like(scores)
    d_scores[counted] = d_rows / len(chosen)
    return loss, d_scores


def mse_loss(
    predictions: Float[np.ndarray, "*rows O"],
    targets: Float[np.ndarray, "*rows O"],
    mask: npt.ArrayLike | None = None,
) -> tuple[float, Float[np.ndarray, "*rows O"]]:
    """Return the mean of `(prediction − target)²` and its gradient `2 (prediction − target) / count`.

    Args:
        predictions: rows of O numbers, for example (B, O) or (B, T, O).
        targets: the same shape.
        mask: booleans, one for each row, True where a row counts; None for everywhere. Where it is False the
            target may be anything, and the gradient is 0.

    Returns:
        The loss, a mean over the numbers of all rows that count, and its gradient with respect to
        `predictions`.

    Raises:
        TypeError: predictions or targets that hold no floats, a mask that holds no booleans.
        ValueError: shapes that do not fit together, or nothing that counts.

    Example:
        >>> mse_loss(np.array([[1.0, 3.0]]), np.array([[1.0, 1.0]]))
        (2.0, array([[0., 2.]]))
    """
    predictions, targets = _as_floats("predictions", predictions), _as_floats("targets", targets)
    if predictions.ndim < 1 or predictions.shape != targets.shape:
        raise ValueError(
            f"predictions and targets must have the same shape, got {predictions.shape} and {targets.shape}"
        )
    counted = check_mask(mask, targets.shape[:-1])
    gap = predictions[counted] - targets[counted]  # (count, O)
    d_predictions = np.zeros_like(predictions)
    d_predictions[counted] = 2 * gap / gap.size
    return float(np.mean(gap * gap, dtype=np.float64)), d_predictions


def check_mask(mask: npt.ArrayLike | None, shape: tuple[int, ...]) -> np.ndarray:
    """Return the mask as booleans of `shape`, all True for None.

    Raises:
        TypeError: the mask holds no booleans.
        ValueError: it has another shape, or nothing counts.

    Example:
        >>> check_mask(None, (2,)).tolist()
        [True, True]
    """
    counted = np.ones(shape, bool) if mask is None else as_booleans("mask", mask)
    if counted.shape != shape:
        raise ValueError(f"mask must have shape {shape}, one entry for each answer, got {counted.shape}")
    if not counted.any():
        raise ValueError(f"mask must be True somewhere: of {counted.size} answers none counts")
    return counted


def check_classes(name: str, chosen: np.ndarray, classes: int) -> None:
    """Say so when an integer is no class.

    Raises:
        ValueError: below 0 or not below `classes`; the message names the first.

    Example:
        >>> check_classes("targets", np.array([0, 2]), classes=3)
    """
    wrong = chosen[(chosen < 0) | (chosen >= classes)]
    if wrong.size:
        raise ValueError(
            f"{name} must be from 0 to {classes - 1}, the last of {classes} classes, got {wrong[0]}"
        )


def _as_floats(name: str, value: npt.ArrayLike) -> np.ndarray:
    array = np.asarray(value)
    if array.dtype.kind != "f":
        raise TypeError(f"{name} must hold floats, got {array.dtype}")
    return array
