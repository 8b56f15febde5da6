"""Solution of exercise 1: dot-product and multi-head attention, in NumPy."""

import math

import numpy as np


def softmax(x):
    """Turn scores into weights, over the last axis: `y_j = exp(x_j) / Σ_k exp(x_k)`.

    Args:
        x: scores (..., n); may be large, in either direction.

    Returns:
        (..., n), positive, each row's sum 1.
    """
    power = np.exp(x - x.max(axis=-1, keepdims=True))  # the largest exponent is 0: nothing overflows
    return power / power.sum(axis=-1, keepdims=True)


def scaled_dot_product_attention(q, k, v, mask=None):
    """Let each query take a weighted mean of the values: `softmax(q kᵀ / sqrt(d_k)) v`.

    Args:
        q: queries (..., Lq, d_k).
        k: keys (..., Lk, d_k).
        v: values (..., Lk, d_v), one for each key.
        mask: booleans, True where a query may attend to a key, broadcastable to (..., Lq, Lk); None for
            everywhere. A query that may attend to nothing gets weights 0 and output 0.

    Returns:
        output: (..., Lq, d_v).
        weights: (..., Lq, Lk).
    """
    scores = q @ k.swapaxes(-1, -2) / math.sqrt(q.shape[-1])  # (..., Lq, Lk)
    if mask is None:
        weights = softmax(scores)
    else:
        attends = mask.any(axis=-1, keepdims=True)  # a row of nothing but -inf would become NaN
        weights = softmax(np.where(mask | ~attends, scores, -np.inf)) * attends
    return weights @ v, weights


def split_heads(x, num_heads):
    """Give each head its own neighbouring features.

    Args:
        x: (B, L, D).
        num_heads: H; divides D.

    Returns:
        (B, H, L, D / H); head h has the features h D/H up to (h+1) D/H.
    """
    batch, length, width = x.shape
    return x.reshape(batch, length, num_heads, width // num_heads).swapaxes(1, 2)


def merge_heads(x):
    """Put the heads side by side again: the inverse of `split_heads`.

    Args:
        x: (B, H, L, S).

    Returns:
        (B, L, H * S).
    """
    batch, heads, length, size = x.shape
    return x.swapaxes(1, 2).reshape(batch, length, heads * size)


def multi_head_attention(Q, K, V, num_heads, mask=None):
    """Attend in each head by itself and put the heads side by side.

    Args:
        Q: queries (B, Lq, D).
        K: keys (B, Lk, D).
        V: values (B, Lk, D).
        num_heads: H; divides D.
        mask: as for `scaled_dot_product_attention`, broadcastable to (B, H, Lq, Lk).

    Returns:
        output: (B, Lq, D).
        weights: (B, H, Lq, Lk).
    """
    q, k, v = (split_heads(x, num_heads) for x in (Q, K, V))  # (B, H, L, D / H)
    output, weights = scaled_dot_product_attention(q, k, v, mask)
    return merge_heads(output), weights


if __name__ == "__main__":
    from relational_rnn.cli.main import main

    raise SystemExit(main(["course", "check", "1", __file__]))
