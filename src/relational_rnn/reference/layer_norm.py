"""Layer normalisation over the last axis and its derivative."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

EPSILON = 1e-5
"""Added to the variance (Sonnet 1.36; it is also torch's default)."""

LayerNormCache = tuple[np.ndarray, np.ndarray, np.ndarray]
"""The normalised rows, one over their standard deviations, and the gain."""


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
    normalised = x - x.mean(axis=-1, keepdims=True)
    variance = np.einsum("...d,...d->...", normalised, normalised)[..., None] / x.shape[-1]
    inverse_deviation = 1 / np.sqrt(variance + EPSILON)
    normalised *= inverse_deviation
    return normalised * gain + bias, (normalised, inverse_deviation, gain)


def layer_norm_backward(
    d_y: Float[np.ndarray, "*rows features"], cache: LayerNormCache
) -> tuple[
    Float[np.ndarray, "*rows features"], Float[np.ndarray, " features"], Float[np.ndarray, " features"]
]:
    """Carry the gradient `d_y` back through `layer_norm_forward`.

    Args:
        d_y: gradient of the loss with respect to y.
        cache: what `layer_norm_forward` returned.

    Returns:
        The gradients of x, the gain and the bias.
    """
    return layer_norm_backward_input(d_y, cache), *layer_norm_backward_parameters(d_y, cache[0])


def layer_norm_backward_input(
    d_y: Float[np.ndarray, "*rows features"], cache: LayerNormCache
) -> Float[np.ndarray, "*rows features"]:
    """Return `dx = (g − mean(g) − x̂ mean(g x̂)) / sqrt(var + 1e-5)` with `g = γ dy` and x̂ the normalised row.

    The two means are what a change of x does through the row's mean and through its variance.
    """
    normalised, inverse_deviation, gain = cache
    d_x = d_y * gain
    along_row = np.einsum("...d,...d->...", d_x, normalised)[..., None] / d_x.shape[-1]
    d_x -= d_x.mean(axis=-1, keepdims=True)
    d_x -= normalised * along_row
    d_x *= inverse_deviation
    return d_x


def layer_norm_backward_parameters(
    d_y: Float[np.ndarray, "*rows features"], normalised: Float[np.ndarray, "*rows features"]
) -> tuple[Float[np.ndarray, " features"], Float[np.ndarray, " features"]]:
    """Return `dγ = Σ dy x̂` and `dβ = Σ dy`, both sums over all rows."""
    rows = d_y.reshape(-1, d_y.shape[-1])
    d_gain = np.einsum("rd,rd->d", rows, normalised.reshape(rows.shape))
    return d_gain, rows.sum(axis=0)
