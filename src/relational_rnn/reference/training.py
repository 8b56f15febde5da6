"""One step of training and one evaluation, for any of the room's models."""

from __future__ import annotations

import math
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np

from relational_rnn.config.checks import check_size
from relational_rnn.reference.arrays import Array
from relational_rnn.reference.classifier import Classifier
from relational_rnn.reference.losses import check_classes, check_mask, cross_entropy_loss, mse_loss
from relational_rnn.reference.lstm import LSTM
from relational_rnn.reference.optimisers import SGD, Adam, clip_gradients, global_norm
from relational_rnn.reference.relational_rnn import RelationalRNN

Model = LSTM | RelationalRNN | Classifier
"""What can be trained; a `RelationalMemory` needs the head of a `Classifier`."""


class Batch(NamedTuple):
    """Examples: the least that `train_step` and `evaluate` ask for.

    Example:
        >>> counts = np.arange(6) >= np.full((7, 1), 3)  # (B, T): the last three steps
        >>> batch = Batch(np.ones((7, 6, 5)), targets=np.zeros((7, 6), int), mask=counts)
        >>> sorted(evaluate(LSTM(5, hidden_size=4, output_size=3), batch))
        ['accuracy', 'loss', 'sequence_accuracy']
    """

    inputs: Array
    """(B, T, F) floats."""
    targets: Array
    """Integer classes (B, T), or (B,) for an answer after the last step; or floats (B, T, O) or (B, O)."""
    mask: Array | None = None
    """(B, T) booleans, True where an answer counts; None for everywhere."""


@runtime_checkable
class Examples(Protocol):
    """A `Batch`, or a task's own kind of batch: its `mask` is optional."""

    @property
    def inputs(self) -> Any:
        """(B, T, F) floats."""

    @property
    def targets(self) -> Any:
        """As in `Batch`."""


def train_step(
    model: Model, batch: Examples, optimizer: SGD | Adam, max_norm: float | None = None
) -> dict[str, float]:
    """Run forward and backward, clip the gradients, and let the optimizer change the parameters in place.

    The loss is the cross-entropy for integer targets, the mean squared error for floats. Targets without a
    time axis are held against the last step's output alone.

    Args:
        model: its `output_size` is the number of classes, or of numbers to predict.
        batch: inputs, targets and perhaps a mask; see `Batch`.
        optimizer: `SGD` or `Adam`.
        max_norm: largest joint norm of all gradients; None for no clipping.

    Returns:
        The metrics before the step: `loss`, `grad_norm` (before clipping), and for classes those of
        `evaluate`.

    Raises:
        TypeError: wrong dtypes, or a model that is none of the three.
        ValueError: wrong shapes, or targets that are no classes.
        FloatingPointError: the loss or the gradients are not finite; the parameters are left as they were.

    Example:
        >>> model, optimizer = LSTM(3, 8, output_size=2), Adam(learning_rate=0.01)
        >>> batch = Batch(inputs=np.ones((4, 5, 3)), targets=np.array([0, 1, 1, 1]))
        >>> first = train_step(model, batch, optimizer, max_norm=1.0)
        >>> for _ in range(20):
        ...     last = train_step(model, batch, optimizer, max_norm=1.0)
        >>> last["loss"] < first["loss"]
        True
    """
    inputs, targets, mask = _parts(model, batch)
    outputs = model.forward(inputs, return_sequences=_has_time(targets))
    loss, d_outputs = _loss(outputs, targets, mask)
    model.backward(d_outputs)
    grads, norm = model.grads, global_norm(model.grads)
    if not math.isfinite(loss) or not math.isfinite(norm):
        raise FloatingPointError(f"training diverged: loss {loss}, norm of the gradients {norm}")
    if max_norm is not None:
        grads, _ = clip_gradients(grads, max_norm)
    optimizer.step(model.params, grads)
    return {"loss": loss, "grad_norm": norm} | _shares(_right(outputs, targets, mask))


def evaluate(model: Model, data: Examples, batch_size: int = 256) -> dict[str, float]:
    """Measure a model on examples.

    Args:
        model: as in `train_step`; its parameters stay as they are.
        data: inputs, targets and perhaps a mask; see `Batch`. A whole split may come at once.
        batch_size: examples that go through the model together; it does not change the metrics.

    Returns:
        `loss`, the mean over all answers that count; and for integer targets `accuracy`, the share of them
        that are right, and `sequence_accuracy`, the share of examples whose answers are all right (an
        example in which nothing counts is left out).

    Raises:
        TypeError: wrong dtypes, or a model that is none of the three.
        ValueError: wrong shapes, or targets that are no classes.

    Example:
        >>> model = LSTM(3, 8, output_size=2)
        >>> model.params["output.bias"][1] = 100  # always says 1
        >>> data = Batch(inputs=np.ones((4, 5, 3)), targets=np.array([0, 1, 1, 1]))
        >>> evaluate(model, data)["accuracy"]
        0.75
    """
    inputs, targets, mask = _parts(model, data)
    check_size("batch_size", batch_size)
    counted = check_mask(mask, _mask_shape(targets))
    losses, right = 0.0, []
    for start in range(0, len(inputs), batch_size):
        piece = slice(start, start + batch_size)
        count = int(counted[piece].sum())
        if count:
            outputs = model.forward(inputs[piece], return_sequences=_has_time(targets))
            losses += count * _loss(outputs, targets[piece], counted[piece])[0]
            right.append(_right(outputs, targets[piece], counted[piece]))
    joined = None if right[0] is None else np.concatenate([part for part in right if part is not None])
    return {"loss": losses / int(counted.sum())} | _shares(joined)


def check_examples(name: str, model: Model, data: Examples) -> None:
    """Say what about examples does not fit, all of them at once: batches would find it late or never.

    Args:
        name: what they are called in the message.
        model: as in `train_step`; the first example goes through it.
        data: inputs, targets and perhaps a mask; see `Batch`.

    Raises:
        TypeError: no such examples, wrong dtypes, or a model that is none of the three.
        ValueError: wrong shapes, numbers that are not finite, or targets that are no classes.

    Example:
        >>> data = Batch(inputs=np.full((4, 5, 3), np.nan), targets=np.zeros(4, int))
        >>> check_examples("train", LSTM(3, 8, output_size=2), data)
        Traceback (most recent call last):
        ValueError: train holds inputs that are NaN or infinite, in 4 of 4 examples
    """
    inputs, targets, mask = _parts(model, data, name)
    counted = check_mask(mask, _mask_shape(targets))
    if inputs.ndim < 3:
        raise ValueError(f"{name} must have inputs of shape (B, T, F), got {inputs.shape}")
    outputs = model.forward(inputs[:1], return_sequences=_has_time(targets))
    _check_finite(f"{name} holds inputs", inputs)
    if _is_regression(targets):
        if targets.shape[1:] != outputs.shape[1:]:
            raise ValueError(
                f"{name} must have targets of shape {(len(inputs), *outputs.shape[1:])}, as the model has "
                f"outputs, got {targets.shape}; floats are numbers to predict, classes are integers"
            )
        _check_finite(f"{name} holds targets", targets)
        return
    if targets.dtype.kind not in "iu":
        raise TypeError(f"{name} must have targets of integers or floats, got {targets.dtype}")
    if targets.shape[1:] != outputs.shape[1:-1]:
        raise ValueError(
            f"{name} must have targets of shape {inputs.shape[:1]}, one after each sequence, or "
            f"{inputs.shape[:2]}, one a step, got {targets.shape}; integers are classes, floats numbers to "
            "predict"
        )
    check_classes(f"targets of {name}", targets[counted], outputs.shape[-1])


def _check_finite(what: str, values: Array) -> None:
    finite = np.isfinite(values).reshape(len(values), -1).all(axis=1)
    if not finite.all():
        raise ValueError(
            f"{what} that are NaN or infinite, in {(~finite).sum():,} of {len(values):,} examples"
        )


def _parts(model: Model, batch: Examples, name: str = "the batch") -> tuple[Array, Array, Array | None]:
    """Return inputs, targets and mask as arrays, if inputs and targets are of as many examples."""
    if not isinstance(model, Model):
        raise TypeError(
            "model must be an LSTM, a RelationalRNN or a Classifier (which puts a head on any core), "
            f"got {type(model).__name__}"
        )
    if not isinstance(batch, Examples):
        raise TypeError(f"{name} must be a Batch(inputs, targets), got {type(batch).__name__}")
    inputs, targets = np.asarray(batch.inputs), np.asarray(batch.targets)
    mask = getattr(batch, "mask", None)
    if targets.ndim == 0 or inputs.ndim == 0 or len(inputs) != len(targets):
        raise ValueError(
            f"inputs and targets must be of as many examples, got shapes {inputs.shape} and {targets.shape}"
        )
    return inputs, targets, None if mask is None else np.asarray(mask)


def _is_regression(targets: Array) -> bool:
    return targets.dtype.kind == "f"


def _mask_shape(targets: Array) -> tuple[int, ...]:
    return targets.shape[:-1] if _is_regression(targets) else targets.shape


def _has_time(targets: Array) -> bool:
    return len(_mask_shape(targets)) > 1


def _loss(outputs: Array, targets: Array, mask: Array | None) -> tuple[float, Array]:
    if _is_regression(targets):
        return mse_loss(outputs, targets.astype(outputs.dtype, copy=False), mask)
    return cross_entropy_loss(outputs, targets, mask)


def _right(outputs: Array, targets: Array, mask: Array | None) -> Array | None:
    """Return for each answer 1 (right), 0 (wrong) or -1 (does not count), (B, answers); None for floats."""
    if _is_regression(targets):
        return None
    right: Array = (outputs.argmax(axis=-1) == targets).astype(np.int8)
    if mask is not None:
        right[~mask] = -1
    by_example: Array = right.reshape(len(right), -1)
    return by_example


def _shares(right: Array | None) -> dict[str, float]:
    """Return the metrics that follow from `_right`."""
    if right is None:
        return {}
    asked = (right >= 0).any(axis=1)
    return {
        "accuracy": float((right[right >= 0] == 1).mean()),
        "sequence_accuracy": float((right[asked] != 0).all(axis=1).mean()),
    }
