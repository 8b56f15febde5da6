"""The softmax over the last axis, with a mask, and its derivative."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float


def softmax_forward(
    x: Float[np.ndarray, "*rows n"], mask: Bool[np.ndarray, "*shape"] | None = None
) -> tuple[Float[np.ndarray, "*rows n"], Float[np.ndarray, "*rows n"]]:
    """Turn every row of scores into weights: `y_j = exp(x_j) / Σ_k exp(x_k)`.

    Args:
        x: scores.
        mask: True where an entry takes part, broadcastable to `x`; None means everywhere.

    Returns:
        The weights, and the cache (the weights themselves). A row sums to 1; a row in which nothing takes
        part is 0 everywhere: a weighted mean over nothing is taken as 0, and no NaN comes out.

    Example:
        >>> softmax_forward(np.zeros((1, 4)))[0].tolist()
        [[0.25, 0.25, 0.25, 0.25]]
    """
    if mask is not None:
        x = np.where(mask, x, -np.inf)
    rows = x.reshape(-1, x.shape[-1])
    # Subtracting a row's largest score changes nothing in the quotient and keeps exp from overflowing. Rows
    # are short and many, which NumPy reduces slowly: it finds the largest many times faster in a copy with
    # rows as columns, and the product with ones is a faster sum.
    peak = np.asfortranarray(rows).max(axis=-1)
    if mask is not None:
        peak = np.where(np.isneginf(peak), 0, peak)
    y: np.ndarray = rows - peak[:, None]
    np.exp(y, out=y)
    total = y @ np.ones(y.shape[-1], y.dtype)
    if mask is not None:
        total = np.where(total == 0, 1, total)
    y /= total[:, None]
    y = y.reshape(x.shape)
    return y, y


def softmax_backward(
    d_y: Float[np.ndarray, "*rows n"], y: Float[np.ndarray, "*rows n"]
) -> Float[np.ndarray, "*rows n"]:
    """Carry `d_y` back: `dx_j = y_j (dy_j − Σ_k dy_k y_k)`.

    Entries that the mask left out have y = 0 and so receive 0.
    """
    d_x: np.ndarray = d_y - np.einsum("...n,...n->...", d_y, y)[..., None]
    d_x *= y
    return d_x
