"""ReLU, tanh and the logistic sigmoid, element by element, and their derivatives.

All three derivatives can be written with the output alone, so the output is the cache.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float


def relu_forward(
    x: Float[np.ndarray, "*shape"], out: Float[np.ndarray, "*shape"] | None = None
) -> tuple[Float[np.ndarray, "*shape"], Float[np.ndarray, "*shape"]]:
    """Return `y = max(x, 0)` and the cache (y itself); `out` says where y is written, `x` itself is allowed.

    Example:
        >>> relu_forward(np.array([-1.0, 2.0]))[0].tolist()
        [0.0, 2.0]
    """
    y = np.maximum(x, np.zeros(x.shape[-1:], x.dtype), out=out)  # a row of zeros: faster than one zero
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
    d_x: np.ndarray = y * y
    np.subtract(1, d_x, out=d_x)
    d_x *= d_y
    return d_x


def sigmoid_forward(
    x: Float[np.ndarray, "*shape"], out: Float[np.ndarray, "*shape"] | None = None
) -> tuple[Float[np.ndarray, "*shape"], Float[np.ndarray, "*shape"]]:
    """Return `y = 1 / (1 + exp(−x))` and the cache (y itself); `out` as in `relu_forward`.

    Computed as `(1 + tanh(x/2)) / 2`, the same function without an exponential that could overflow.

    Example:
        >>> sigmoid_forward(np.array([-1000.0, 0.0, 1000.0]))[0].tolist()
        [0.0, 0.5, 1.0]
    """
    y: np.ndarray = np.multiply(0.5, x, out=out)
    np.tanh(y, out=y)
    y *= 0.5
    y += 0.5
    return y, y


def sigmoid_backward(
    d_y: Float[np.ndarray, "*shape"], y: Float[np.ndarray, "*shape"]
) -> Float[np.ndarray, "*shape"]:
    """Return `dx = dy y (1 − y)`."""
    d_x: np.ndarray = 1 - y
    d_x *= y
    d_x *= d_y
    return d_x
