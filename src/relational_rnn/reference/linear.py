"""The linear layer y = x Wᵀ + b and its derivative."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

LinearCache = tuple[np.ndarray, np.ndarray]
"""The inputs and the weight."""


def linear_forward(
    x: Float[np.ndarray, "*rows inputs"],
    weight: Float[np.ndarray, "outputs inputs"],
    bias: Float[np.ndarray, " outputs"] | None = None,
) -> tuple[Float[np.ndarray, "*rows outputs"], LinearCache]:
    """Apply one linear map to every row: `y = x Wᵀ + b`.

    Args:
        x: rows of features, with any leading axes.
        weight: W, features out by features in, as in torch.
        bias: b, or None for none.

    Returns:
        y with the leading axes of `x`, and the cache for `linear_backward`.

    Example:
        >>> y, _ = linear_forward(np.ones((2, 3)), np.eye(3), np.full(3, 0.5))
        >>> y.tolist()
        [[1.5, 1.5, 1.5], [1.5, 1.5, 1.5]]
    """
    # As one matrix: NumPy would otherwise do one small product for every entry of the leading axes.
    y = x.reshape(-1, x.shape[-1]) @ weight.T
    if bias is not None:
        y += bias
    return y.reshape(*x.shape[:-1], weight.shape[0]), (x, weight)


def linear_backward(
    d_y: Float[np.ndarray, "*rows outputs"], cache: LinearCache
) -> tuple[
    Float[np.ndarray, "*rows inputs"], Float[np.ndarray, "outputs inputs"], Float[np.ndarray, " outputs"]
]:
    """Carry the gradient `d_y` back through `linear_forward`.

    `dx = dy W`, `dW = dyᵀ x`, `db = Σ dy`, both sums over all rows.

    Args:
        d_y: gradient of the loss with respect to y.
        cache: what `linear_forward` returned.

    Returns:
        The gradients of x, the weight and the bias.
    """
    x, weight = cache
    return linear_backward_input(d_y, weight), *linear_backward_parameters(d_y, x)


def linear_backward_input(
    d_y: Float[np.ndarray, "*rows outputs"], weight: Float[np.ndarray, "outputs inputs"]
) -> Float[np.ndarray, "*rows inputs"]:
    """Return `dx = dy W` alone: all that the step before has to wait for."""
    d_x: np.ndarray = d_y.reshape(-1, d_y.shape[-1]) @ weight
    return d_x.reshape(*d_y.shape[:-1], weight.shape[1])


def linear_backward_parameters(
    d_y: Float[np.ndarray, "*rows outputs"], x: Float[np.ndarray, "*rows inputs"]
) -> tuple[Float[np.ndarray, "outputs inputs"], Float[np.ndarray, " outputs"]]:
    """Return `dW = dyᵀ x` and `db = Σ dy`: one product, however many rows, steps and samples there are."""
    rows = d_y.reshape(-1, d_y.shape[-1])
    # The sum as a product with ones, which is faster.
    return rows.T @ x.reshape(-1, x.shape[-1]), np.ones(len(rows), rows.dtype) @ rows
