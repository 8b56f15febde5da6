"""ReLU, tanh, the logistic sigmoid and GELU, element by element, and their derivatives.

The derivatives of the first three can be written with the output alone, so the output is the cache. GELU's
cannot, so it is the cache itself.
"""

from __future__ import annotations

import math

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


def gelu_forward(
    x: Float[np.ndarray, "*shape"], out: Float[np.ndarray, "*shape"] | None = None
) -> tuple[Float[np.ndarray, "*shape"], Float[np.ndarray, "*shape"]]:
    """Return `y = x Φ(x)` and the cache (its derivative); `out` as in `relu_forward`.

    Φ is the share of the standard normal distribution below x. Source: Hendrycks and Gimpel 2016
    (arXiv:1606.08415).

    Example:
        >>> gelu_forward(np.array([-50.0, 0.0, 1.0]))[0].round(4).tolist()
        [-0.0, 0.0, 0.8413]
    """
    below: np.ndarray = (0.5 + 0.5 * _erf(x * math.sqrt(0.5))).astype(x.dtype)
    near: np.ndarray = np.clip(x, -40, 40)  # beyond, the density is 0, and a square may overflow
    derivative: np.ndarray = np.exp(-0.5 * near * near)
    derivative *= near
    derivative *= 1 / math.sqrt(2 * math.pi)
    derivative += below
    y: np.ndarray = np.multiply(x, below, out=out)
    return y, derivative


def gelu_backward(
    d_y: Float[np.ndarray, "*shape"], derivative: Float[np.ndarray, "*shape"]
) -> Float[np.ndarray, "*shape"]:
    """Return `dx = dy (Φ(x) + x φ(x))`, φ the density of the standard normal distribution."""
    d_x: np.ndarray = d_y * derivative
    return d_x


_erf = np.vectorize(math.erf, otypes=[np.float64])  # NumPy has none
