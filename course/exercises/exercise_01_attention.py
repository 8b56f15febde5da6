"""Exercise 1: dot-product and multi-head attention, in NumPy.

Write the functions, then run this file or `relational-rnn course check 1`; both say where the lesson is.
Each function may use those above it.
"""


def softmax(x):
    """Turn scores into weights, over the last axis: `y_j = exp(x_j) / Σ_k exp(x_k)`.

    Args:
        x: scores (..., n); may be large, in either direction.

    Returns:
        (..., n), positive, each row's sum 1.
    """
    raise NotImplementedError("Take exp of x and divide by its sum over the last axis; mind large scores.")


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
    raise NotImplementedError("Compute the scores q kᵀ / sqrt(d_k), their softmax, and its product with v.")


def split_heads(x, num_heads):
    """Give each head its own neighbouring features.

    Args:
        x: (B, L, D).
        num_heads: H; divides D.

    Returns:
        (B, H, L, D / H); head h has the features h D/H up to (h+1) D/H.
    """
    raise NotImplementedError("Cut the last axis into H parts of D/H features and move H before L.")


def merge_heads(x):
    """Put the heads side by side again: the inverse of `split_heads`.

    Args:
        x: (B, H, L, S).

    Returns:
        (B, L, H * S).
    """
    raise NotImplementedError("Move H back behind L and join the last two axes.")


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
    raise NotImplementedError("Split Q, K and V into heads, attend, and merge the heads of the output.")


if __name__ == "__main__":
    from relational_rnn.cli.main import main

    raise SystemExit(main(["course", "check", "1", __file__]))
