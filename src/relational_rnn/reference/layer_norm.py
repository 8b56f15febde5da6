"""Layer normalisation over the last axis and its derivative."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

EPSILON = 1e-5
"""Added to the variance (Sonnet 1.36; it is also torch's default)."""

LayerNormCache = tuple[np.ndarray, np.ndarray, np.ndarray]
"""The normalised rows (rows, features), one over their standard deviations (rows, 1), and the gain."""


def layer_norm_forward(
    x: Float[np.ndarray, "*rows features"],
    gain: Float[np.ndarray, " features"],
    bias: Float[np.ndarray, " features"],
) -> tuple[Float[np.ndarray, "*rows features"], LayerNormCache]:
    """Normalise every row by itself: `y = γ (x − mean) / sqrt(var + 1e-5) + β`.

    Source: Ba et al. 2016, with the biased variance, as in Sonnet 1.36's `LayerNorm`.

    Args:
        x: rows of features, with any leading axes.
        gain: γ.
        bias: β.

    Returns:
        y with the shape of `x`, and the cache for `layer_norm_backward`.

    Example:
        >>> y, _ = layer_norm_forward(np.array([[1.0, 3.0]]), np.ones(2), np.zeros(2))
        >>> y.round(3).tolist()
        [[-1.0, 1.0]]
    """
    features = x.shape[-1]
    rows = x.reshape(-1, features)
    # Sums over rows as products with ones: much faster than a reduction of many short rows.
    normalised = rows - (rows @ np.full(features, 1 / features, x.dtype))[:, None]
    variance = np.einsum("rd,rd->r", normalised, normalised)[:, None] / features
    inverse_deviation = 1 / np.sqrt(variance + EPSILON)
    normalised *= inverse_deviation
    y = normalised * gain
    y += bias
    return y.reshape(x.shape), (normalised, inverse_deviation, gain)


def layer_norm_backward(
    d_y: Float[np.ndarray, "*rows features"], cache: LayerNormCache
) -> tuple[
    Float[np.ndarray, "*rows features"], Float[np.ndarray, " features"], Float[np.ndarray, " features"]
]:
    """Carry the gradient `d_y` back through `layer_norm_forward`.

        dx = (g − mean(g) − x̂ mean(g x̂)) / sqrt(var + 1e-5),  g = γ dy
        dγ = Σ dy x̂,  dβ = Σ dy

    with x̂ the normalised row. The two means run over the features; they are what a change of x does through
    the row's mean and through its variance. The two sums run over all rows.

    Args:
        d_y: gradient of the loss with respect to y.
        cache: what `layer_norm_forward` returned.

    Returns:
        The gradients of x, the gain and the bias.

    Example:
        >>> _, cache = layer_norm_forward(np.array([[-1.0, 1.0]]), np.ones(2), np.zeros(2))
        >>> d_x, d_gain, d_bias = layer_norm_backward(np.array([[1.0, 1.0]]), cache)
        >>> d_x.tolist(), d_bias.tolist()  # what moves both alike moves no normalised row
        ([[0.0, 0.0]], [1.0, 1.0])
    """
    normalised, inverse_deviation, gain = cache
    rows = d_y.reshape(normalised.shape)
    ones, mean_of_gain = np.ones(len(rows), rows.dtype), gain / len(gain)
    product = rows * normalised
    d_gain, d_bias = ones @ product, ones @ rows
    mean, along_row = (rows @ mean_of_gain)[:, None], (product @ mean_of_gain)[:, None]
    d_x = rows * gain
    d_x -= mean
    d_x -= np.multiply(normalised, along_row, out=product)
    d_x *= inverse_deviation
    return d_x.reshape(d_y.shape), d_gain, d_bias
