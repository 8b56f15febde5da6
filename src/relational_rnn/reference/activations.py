"""ReLU, tanh and the logistic sigmoid, element by element, and their derivatives.

All three derivatives can be written with the output alone, so the output is the cache.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float


def relu_forward(
    x: Float[np.ndarray, "*shape"],
) -> tuple[Float[np.ndarray, "*shape"], Float[np.ndarray, "*shape"]]:
    """Return `y = max(x, 0)` and the cache (y itself).

    Example:
        >>> relu_forward(np.array([-1.0, 2.0]))[0].tolist()
        [0.0, 2.0]
    """
    y = np.maximum(x, 0)
    return y, y


def relu_backward(
    d_y: Float[np.ndarray, "*shape"], y: Float[np.ndarray, "*shape"]
) -> Float[np.ndarray, "*shape"]:
    """Return `dx = dy` where y > 0, else 0 (at the kink too)."""
    d_x: np.ndarray = d_y * (y > 0)
    return d_x


def tanh_forward(
    x: Float[np.ndarray, "*shape"],
) -> tuple[Float[np.ndarray, "*shape"], Float[np.ndarray, "*shape"]]:
    """Return `y = tanh(x)` and the cache (y itself).

    Example:
        >>> tanh_forward(np.array([0.0, 50.0]))[0].tolist()
        [0.0, 1.0]
    """
    y = np.tanh(x)
    return y, y


def tanh_backward(
    d_y: Float[np.ndarray, "*shape"], y: Float[np.ndarray, "*shape"]
) -> Float[np.ndarray, "*shape"]:
    """Return `dx = dy (1 − y²)`."""
    d_x: np.ndarray = d_y * (1 - y * y)
    return d_x


def sigmoid_forward(
    x: Float[np.ndarray, "*shape"],
) -> tuple[Float[np.ndarray, "*shape"], Float[np.ndarray, "*shape"]]:
    """Return `y = 1 / (1 + exp(−x))` and the cache (y itself).

    Computed as `(1 + tanh(x/2)) / 2`, the same function without an exponential that could overflow.

    Example:
        >>> sigmoid_forward(np.array([-1000.0, 0.0, 1000.0]))[0].tolist()
        [0.0, 0.5, 1.0]
    """
    y = 0.5 * np.tanh(0.5 * x) + 0.5
    return y, y


def sigmoid_backward(
    d_y: Float[np.ndarray, "*shape"], y: Float[np.ndarray, "*shape"]
) -> Float[np.ndarray, "*shape"]:
    """Return `dx = dy y (1 − y)`."""
    d_x: np.ndarray = d_y * y * (1 - y)
    return d_x
