"""Scaled dot-product attention, with several heads, and its derivative (Vaswani et al. 2017)."""

from __future__ import annotations

import math
from typing import Literal, NamedTuple, overload

import numpy as np
import numpy.typing as npt
from jaxtyping import Bool, Float

from relational_rnn.config.checks import check_bool, check_shape, check_size
from relational_rnn.reference.arrays import Array, as_booleans, as_floats
from relational_rnn.reference.softmax import softmax_backward, softmax_forward


class AttentionCache(NamedTuple):
    """What `attention_backward` needs."""

    q: np.ndarray
    k: np.ndarray
    v: np.ndarray
    weights: np.ndarray
    """(B, H, Lq, Lk), how much each query attends to each key."""


def attention_forward(
    q: Float[np.ndarray, "B H Lq K"],
    k: Float[np.ndarray, "B H Lk K"],
    v: Float[np.ndarray, "B H Lk V"],
    mask: Bool[np.ndarray, "*shape"] | None = None,
    out: Float[np.ndarray, "B H Lq V"] | None = None,
) -> tuple[Float[np.ndarray, "B H Lq V"], AttentionCache]:
    """Let every query take a weighted mean of the values: `softmax(q kᵀ / sqrt(K)) v`.

    Source: Vaswani et al. 2017, equation 1; the paper's equation 2.

    Args:
        q: queries.
        k: keys.
        v: values, one for each key.
        mask: True where a query may attend to a key, broadcastable to (B, H, Lq, Lk). A query that may
            attend to nothing gets 0.
        out: where the attended values are written; None means a new array.

    Returns:
        The attended values, and the cache for `attention_backward`, which holds the weights.

    Example:
        >>> q, k, v = np.zeros((1, 1, 1, 2)), np.zeros((1, 1, 2, 2)), np.array([[[[0.0], [1.0]]]])
        >>> attention_forward(q, k, v)[0].tolist()
        [[[[0.5]]]]
    """
    scores = q @ k.swapaxes(-1, -2)  # (B, H, Lq, Lk)
    scores *= 1 / math.sqrt(q.shape[-1])
    weights, _ = softmax_forward(scores, mask)
    return np.matmul(weights, v, out=out), AttentionCache(q, k, v, weights)


def attention_backward(
    d_output: Float[np.ndarray, "B H Lq V"],
    cache: AttentionCache,
    out: tuple[Array | None, Array | None, Array | None] = (None, None, None),
) -> tuple[Float[np.ndarray, "B H Lq K"], Float[np.ndarray, "B H Lk K"], Float[np.ndarray, "B H Lk V"]]:
    """Carry the gradient `d_output` back through `attention_forward`.

    `dv = Aᵀ do`, `ds = softmax'(do vᵀ) / sqrt(K)`, `dq = ds k`, `dk = dsᵀ q`.

    Args:
        d_output: gradient of the loss with respect to the attended values.
        cache: what `attention_forward` returned.
        out: where the three gradients are written; None means new arrays.

    Returns:
        The gradients of q, k and v. What the mask hid receives 0.
    """
    q, k, v, weights = cache
    d_v = np.matmul(weights.swapaxes(-1, -2), d_output, out=out[2])
    d_scores = softmax_backward(d_output @ v.swapaxes(-1, -2), weights)  # (B, H, Lq, Lk)
    d_scores *= 1 / math.sqrt(q.shape[-1])
    d_q = np.matmul(d_scores, k, out=out[0])
    return d_q, np.matmul(d_scores.swapaxes(-1, -2), q, out=out[1]), d_v


def split_heads(x: Float[np.ndarray, "B L D"], num_heads: int) -> Float[np.ndarray, "B H L V"]:
    """Return a view in which each head has its own D / H neighbouring features.

    Example:
        >>> split_heads(np.zeros((2, 5, 12)), 4).shape
        (2, 4, 5, 3)
    """
    batch, length, width = x.shape
    return x.reshape(batch, length, num_heads, width // num_heads).swapaxes(1, 2)


def merge_heads(x: Float[np.ndarray, "B H L V"]) -> Float[np.ndarray, "B L D"]:
    """Put the heads side by side again: the inverse of `split_heads`.

    Example:
        >>> merge_heads(np.zeros((2, 4, 5, 3))).shape
        (2, 5, 12)
    """
    batch, heads, length, size = x.shape
    return x.swapaxes(1, 2).reshape(batch, length, heads * size)


def multi_head_attention_forward(
    Q: Float[np.ndarray, "B Lq D"],
    K: Float[np.ndarray, "B Lk D"],
    V: Float[np.ndarray, "B Lk D"],
    num_heads: int,
    mask: Bool[np.ndarray, "*shape"] | None = None,
) -> tuple[Float[np.ndarray, "B Lq D"], AttentionCache]:
    """Attend in each head by itself and put the heads side by side; the cache is `attention_forward`'s.

    `head_h = softmax(Q_h K_hᵀ / sqrt(D/H)) V_h`, where X_h are the h-th D/H features of X.
    """
    q, k, v = (split_heads(x, num_heads) for x in (Q, K, V))
    output, cache = attention_forward(q, k, v, mask)
    return merge_heads(output), cache


def multi_head_attention_backward(
    d_output: Float[np.ndarray, "B Lq D"], cache: AttentionCache
) -> tuple[Float[np.ndarray, "B Lq D"], Float[np.ndarray, "B Lk D"], Float[np.ndarray, "B Lk D"]]:
    """Carry the gradient `d_output` back through `multi_head_attention_forward` to Q, K and V."""
    d_q, d_k, d_v = attention_backward(split_heads(d_output, cache.q.shape[1]), cache)
    return merge_heads(d_q), merge_heads(d_k), merge_heads(d_v)


@overload
def multi_head_attention(
    Q: npt.ArrayLike,
    K: npt.ArrayLike,
    V: npt.ArrayLike,
    num_heads: int = 4,
    mask: npt.ArrayLike | None = None,
    return_weights: Literal[False] = False,
) -> Array: ...


@overload
def multi_head_attention(
    Q: npt.ArrayLike,
    K: npt.ArrayLike,
    V: npt.ArrayLike,
    num_heads: int = 4,
    mask: npt.ArrayLike | None = None,
    *,
    return_weights: Literal[True],
) -> tuple[Array, Array]: ...


def multi_head_attention(
    Q: npt.ArrayLike,
    K: npt.ArrayLike,
    V: npt.ArrayLike,
    num_heads: int = 4,
    mask: npt.ArrayLike | None = None,
    return_weights: bool = False,
) -> Array | tuple[Array, Array]:
    """Attend with several heads, without projections: `softmax(Q_h K_hᵀ / sqrt(D/H)) V_h`, heads joined.

    Source: Vaswani et al. 2017, section 3.2, without the matrices W; D = d_model, H = num_heads.

    Args:
        Q: queries (B, Lq, D), floats; float32 throughout if all three are, else float64.
        K: keys (B, Lk, D).
        V: values (B, Lk, D), one for each key.
        num_heads: H; must divide D. Head h has features h D/H to (h+1) D/H.
        mask: booleans, True where a query may attend to a key, broadcastable to (B, H, Lq, Lk). A query
            that may attend to nothing gets output 0 and weights 0.
        return_weights: also return the weights.

    Returns:
        The attended values (B, Lq, D), and with `return_weights` the weights (B, H, Lq, Lk).

    Raises:
        TypeError: Q, K or V hold no floats, or the mask no booleans.
        ValueError: shapes that do not fit together, or `num_heads` that does not divide D.

    Example:
        >>> x = np.random.default_rng(0).standard_normal((2, 5, 8))
        >>> attended, weights = multi_head_attention(x, x, x, num_heads=4, return_weights=True)
        >>> attended.shape, weights.shape
        ((2, 5, 8), (2, 4, 5, 5))
    """
    check_bool("return_weights", return_weights)
    all_single = all(np.asarray(x).dtype == np.float32 for x in (Q, K, V))
    dtype = np.float32 if all_single else np.float64
    queries, keys, values = (as_floats(name, x, dtype) for name, x in (("Q", Q), ("K", K), ("V", V)))
    num_heads = check_size("num_heads", num_heads)
    checked = check_attention(queries, keys, values, num_heads, mask)
    output, cache = multi_head_attention_forward(queries, keys, values, num_heads, checked)
    return (output, cache.weights) if return_weights else output


def check_heads(d_model: int, num_heads: int) -> None:
    """Say so when the heads cannot share the features evenly."""
    if d_model % num_heads:
        raise ValueError(f"num_heads must divide d_model, got num_heads={num_heads} and d_model={d_model}")


def check_attention(Q: Array, K: Array, V: Array, num_heads: int, mask: npt.ArrayLike | None) -> Array | None:
    """Check that Q, K, V and the mask fit together; return the mask as booleans."""
    check_shape("Q", Q.shape, ("B", "L", "D"))
    batch, queries, width = Q.shape
    check_shape("K", K.shape, ("B", "L", "D"), B=batch, D=width)
    check_shape("V", V.shape, ("B", "L", "D"), B=batch, L=K.shape[1], D=width)
    check_heads(width, num_heads)
    if mask is None:
        return None
    allowed, full = as_booleans("mask", mask), (batch, num_heads, queries, K.shape[1])
    try:
        fits = np.broadcast_shapes(allowed.shape, full) == full
    except ValueError:
        fits = False
    if not fits:
        raise ValueError(f"mask must broadcast to (B, H, Lq, Lk) = {full}, got shape {allowed.shape}")
    return allowed
