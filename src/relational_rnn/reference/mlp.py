"""The row-wise MLP: linear layers with ReLU or GELU between them, none after the last, and its derivative."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from jaxtyping import Float

from relational_rnn.reference.activations import gelu_backward, gelu_forward, relu_backward, relu_forward
from relational_rnn.reference.linear import (
    linear_backward_input,
    linear_backward_parameters,
    linear_forward,
)

ACTIVATIONS: Final = {"relu": (relu_forward, relu_backward), "gelu": (gelu_forward, gelu_backward)}
"""Forward and backward, by the names of `config.core.HEAD_ACTIVATIONS`."""

MLPCache = tuple[list[np.ndarray], Sequence[np.ndarray], str, list[np.ndarray]]
"""The input of every layer, the weights, and the activation with what it saved of all layers but the last."""


def mlp_forward(
    x: Float[np.ndarray, "*rows features"],
    weights: Sequence[np.ndarray],
    biases: Sequence[np.ndarray],
    activation: str = "relu",
) -> tuple[Float[np.ndarray, "*rows outputs"], MLPCache]:
    """Apply the same small network to every row: `y = W_L f(... f(W_1 x + b_1) ...) + b_L`.

    Args:
        x: rows of features, with any leading axes.
        weights: W_1 to W_L, features out by features in.
        biases: b_1 to b_L.
        activation: f, "relu" or "gelu".

    Returns:
        y with the leading axes of `x`, and the cache for `mlp_backward`.

    Example:
        >>> y, _ = mlp_forward(np.array([[-1.0, 2.0]]), [np.eye(2), np.eye(2)], [np.zeros(2), np.ones(2)])
        >>> y.tolist()
        [[1.0, 3.0]]
    """
    forward, _ = ACTIVATIONS[activation]
    inputs, saved = [x], []
    for weight, bias in zip(weights[:-1], biases[:-1], strict=True):
        x, _ = linear_forward(x, weight, bias)
        _, cache = forward(x, out=x)
        inputs.append(x)
        saved.append(cache)
    y, _ = linear_forward(x, weights[-1], biases[-1])
    return y, (inputs, weights, activation, saved)


def mlp_backward(
    d_y: Float[np.ndarray, "*rows outputs"], cache: MLPCache
) -> tuple[Float[np.ndarray, "*rows features"], list[tuple[np.ndarray, np.ndarray]]]:
    """Carry the gradient `d_y` back through `mlp_forward`.

    Args:
        d_y: gradient of the loss with respect to y.
        cache: what `mlp_forward` returned.

    Returns:
        The gradient of x, and for every layer the gradients of its weight and its bias.
    """
    d_x, d_outputs = mlp_backward_input(d_y, cache)
    return d_x, [linear_backward_parameters(d, x) for d, x in zip(d_outputs, cache[0], strict=True)]


def mlp_backward_input(
    d_y: Float[np.ndarray, "*rows outputs"], cache: MLPCache
) -> tuple[Float[np.ndarray, "*rows features"], list[np.ndarray]]:
    """Return the gradient of x, and that of every layer's output, from which its parameters' follow."""
    _, weights, activation, saved = cache
    _, backward = ACTIVATIONS[activation]
    d_outputs = [d_y]
    d_x = linear_backward_input(d_y, weights[-1])
    for layer in range(len(weights) - 2, -1, -1):
        d_y = backward(d_x, saved[layer])
        d_outputs.insert(0, d_y)
        d_x = linear_backward_input(d_y, weights[layer])
    return d_x, d_outputs
