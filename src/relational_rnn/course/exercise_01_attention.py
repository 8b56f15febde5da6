"""The checks of exercise 1: softmax, attention, heads."""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from relational_rnn.course.checking import Array, Function, Part, WrongAnswer, compare, unpack
from relational_rnn.reference.attention import attention_forward, multi_head_attention
from relational_rnn.reference.softmax import softmax_forward

NAMES: Final = ("output", "weights")


def draw(*shape: int, seed: int = 0) -> Array:
    """Draw numbers from N(0, 1)."""
    return np.random.default_rng(seed).standard_normal(shape)


def softmax_of_two_rows(softmax: Function) -> None:
    """Two rows of three scores: each row becomes weights that sum to 1."""
    scores = np.array([[0.0, 1.0, 2.0], [2.0, -1.0, 0.5]])  # both have the same largest score, on purpose
    power = np.exp(scores)
    compare(
        "The result",
        softmax(scores),
        power / power.sum(axis=1, keepdims=True),
        {
            "These are the exponentials, not yet divided by their row's sum.": power,
            "Each column sums to 1 instead of each row: sum over the last axis (axis=-1).": power
            / power.sum(axis=0),
            "All entries together sum to 1: sum over the last axis only (axis=-1, keepdims=True).": power
            / power.sum(),
            "The scores are divided by their sum; take exp of them first.": scores
            / scores.sum(axis=1, keepdims=True),
            "Each row's largest weight is 1; divide by the row's sum, so that the sum is 1.": power
            / power.max(axis=1, keepdims=True),
            "Each row is divided by its mean; divide by its sum.": power / power.mean(axis=1, keepdims=True),
            "These are the weights' logarithms; leave the last log out.": np.log(_softmax(scores)),
            "The sign is the other way round: the largest score gets the largest weight.": _softmax(-scores),
        },
    )


def softmax_of_many_axes(softmax: Function) -> None:
    """Scores of shape (2, 3, 4, 5): the last axis sums to 1, whatever stands before it."""
    scores = draw(2, 3, 4, 5)
    compare(
        "The result",
        softmax(scores),
        softmax_forward(scores)[0],
        {
            "It sums over axis 1, which is the last only of a matrix: write axis=-1.": np.exp(scores)
            / np.exp(scores).sum(axis=1, keepdims=True)
        },
    )


def softmax_of_large_scores(softmax: Function) -> None:
    """Rows of scores around 1000 and around -1000: finite weights."""
    scores = np.array([[1000.0, 1001.0], [-1000.0, -1001.0]])
    result = softmax(scores)
    if isinstance(result, np.ndarray) and result.shape == scores.shape:
        if not np.isfinite(result[0]).all():
            raise WrongAnswer(
                "exp(1000) is infinite, and infinity / infinity is NaN. Subtract each row's largest score "
                "before exp: the quotient stays the same, and no exponent is above 0."
            )
        if not np.isfinite(result[1]).all():
            raise WrongAnswer(
                "The row around -1000 becomes 0/0: all its exponentials are 0. Subtract each row's own "
                "largest score (max over axis=-1, keepdims=True), not the largest of the whole array."
            )
    compare("The result", result, softmax_forward(scores)[0])


def softmax_of_scores_far_apart(softmax: Function) -> None:
    """Rows with 1000, 0 and -1000, in two orders: finite weights."""
    scores = np.array([[1000.0, -1000.0, 0.0], [-1000.0, 1000.0, 0.0]])
    result = softmax(scores)
    if isinstance(result, np.ndarray) and result.shape == scores.shape and not np.isfinite(result).all():
        raise WrongAnswer(
            "exp overflows where a score is far above what was subtracted. Subtract the largest of the row, "
            "not its smallest, its mean or its first: then no exponent is above 0."
        )
    compare("The result", result, softmax_forward(scores)[0])


def attention_by_hand(attention: Function) -> None:
    """The example of the page: one query, two keys."""
    q, k, v = np.array([[2.0, 0.0]]), np.array([[1.0, 0.0], [0.0, 1.0]]), np.array([[10.0], [20.0]])
    _attention(attention, q, k, v, None)


def attention_of_batches(attention: Function) -> None:
    """A batch with heads, q (2, 3, 5, 4), k (2, 3, 6, 4), v (2, 3, 6, 7)."""
    q, k, v = draw(2, 3, 5, 4), draw(2, 3, 6, 4, seed=1), draw(2, 3, 6, 7, seed=2)
    _attention(attention, q, k, v, None)


def attention_with_mask(attention: Function) -> None:
    """A causal mask: query i attends to the keys up to i."""
    q, k, v = draw(2, 5, 4), draw(2, 5, 4, seed=1), draw(2, 5, 3, seed=2)
    mask = np.tril(np.ones((5, 5), bool))
    _attention(attention, q, k, v, mask)


def attention_to_nothing(attention: Function) -> None:
    """A query that may attend to nothing: its output and its weights are 0."""
    q, k, v = draw(2, 4), draw(3, 4, seed=1), draw(3, 5, seed=2)
    mask = np.array([[True, True, False], [False, False, False]])
    output, weights = unpack(NAMES, attention(q, k, v, mask))
    for name, got in (("weights", weights), ("output", output)):
        if isinstance(got, np.ndarray) and got.ndim == 2 and len(got) == 2 and np.isnan(got[1]).any():
            raise WrongAnswer(
                f"{name}[1] is NaN. All scores of this row are -inf, and -inf - (-inf) is NaN: where the "
                f"mask has no True in a row, set the weights to 0."
            )
    expected, cache = attention_forward(q, k, v, mask)
    even = cache.weights.copy()
    even[1] = 1 / 3
    compare(
        "weights",
        weights,
        cache.weights,
        {
            "The query that may attend to nothing attends to everything evenly, as if there were no mask. "
            "Set its weights to 0.": even
        },
    )
    compare("output", output, expected)


def attention_in_single_precision(attention: Function) -> None:
    """Arrays of float32: the results are float32 too."""
    q, k, v = (draw(3, 4, seed=seed).astype(np.float32) for seed in range(3))
    output, weights = unpack(NAMES, attention(q, k, v))
    expected, cache = attention_forward(q, k, v)
    for name, got, right in (("weights", weights, cache.weights), ("output", output, expected)):
        if isinstance(got, np.ndarray) and got.dtype == np.float64:
            raise WrongAnswer(
                f"{name} is float64, though q, k and v are float32: a model would need twice the memory. "
                f"np.sqrt of an integer is a float64 that spreads; math.sqrt gives a plain number, which "
                f"does not."
            )
        compare(name, got, right, tolerance=1e-5)


def heads_split(split_heads: Function) -> None:
    """Splitting x (2, 5, 12) into 4 heads: (2, 4, 5, 3), head h has features 3h to 3h+2; then into 6."""
    x = np.arange(120.0).reshape(2, 5, 12)
    compare(
        "The result",
        split_heads(x, 4),
        x.reshape(2, 5, 4, 3).swapaxes(1, 2),
        {
            "The rows are mixed up: x.reshape(B, H, L, D // H) takes the numbers in order, row by row. "
            "Reshape to (B, L, H, D // H), then swap the axes L and H.": x.reshape(2, 4, 5, 3),
            "The heads are still behind the rows, (B, L, H, D // H): swap these two axes.": x.reshape(
                2, 5, 4, 3
            ),
            "Head h has every 4th feature. It should have neighbours: reshape to (B, L, H, D // H), in this "
            "order.": x.reshape(2, 5, 3, 4).transpose(0, 3, 1, 2),
        },
    )
    compare("With 6 heads the result", split_heads(x, 6), x.reshape(2, 5, 6, 2).swapaxes(1, 2))


def heads_merged(merge_heads: Function) -> None:
    """Merging x (2, 4, 5, 3), four heads of three features: (2, 5, 12)."""
    x = np.arange(120.0).reshape(2, 4, 5, 3)
    compare(
        "The result",
        merge_heads(x),
        x.swapaxes(1, 2).reshape(2, 5, 12),
        {
            "The rows are mixed up: reshape alone takes the numbers in order, head by head. Swap the "
            "axes H and L back first, then reshape.": x.reshape(2, 5, 12),
            "The features of the heads are interleaved. Each head's features stay together: swap the "
            "axes H and L, then reshape.": x.transpose(0, 2, 3, 1).reshape(2, 5, 12),
        },
    )


def several_heads(function: Function) -> None:
    """Q (2, 5, 12), K and V (2, 6, 12), 4 heads."""
    _several_heads(function, 4, None)


def several_heads_with_mask(function: Function) -> None:
    """The same with 3 heads and a mask (5, 6) that holds for all of them."""
    _several_heads(function, 3, np.tril(np.ones((5, 6), bool)))


def _several_heads(function: Function, heads: int, mask: Array | None) -> None:
    Q, K, V = draw(2, 5, 12), draw(2, 6, 12, seed=1), draw(2, 6, 12, seed=2)
    output, weights = unpack(NAMES, function(Q, K, V, heads, mask))
    expected, right = multi_head_attention(Q, K, V, heads, mask, return_weights=True)
    one_output, one = attention_forward(Q, K, V, mask)
    joined = np.matmul(right, V.reshape(2, 6, heads, 12 // heads).swapaxes(1, 2))  # (B, H, Lq, V)
    mistakes = {
        "There is one head over all features: split Q, K and V into heads before attending.": one.weights,
        "This is the mean over the heads; return each head's, (B, H, Lq, Lk).": right.mean(axis=1),
        "The keys are made of V; K gives the keys, V the values.": multi_head_attention(
            Q, V, V, heads, mask, return_weights=True
        )[1],
    }
    if mask is not None:
        mistakes["The mask is not passed on to the attention."] = multi_head_attention(
            Q, K, V, heads, return_weights=True
        )[1]
    compare("weights", weights, right, mistakes)
    compare(
        "output",
        output,
        expected,
        {
            "The heads are not merged: merge_heads puts them side by side, (B, Lq, D).": joined,
            "The output is that of one head over all features: use the heads' values.": one_output,
            "The values are made of K; they are made of V.": multi_head_attention(Q, K, K, heads, mask),
            "Reshape alone joins the heads and mixes up their rows: use merge_heads.": joined.reshape(
                expected.shape
            ),
        },
    )


def _attention(attention: Function, q: Array, k: Array, v: Array, mask: Array | None) -> None:
    """Hold attention against the right one, and against what typical mistakes make of q, k and v."""
    expected, cache = attention_forward(q, k, v, mask)
    output, weights = unpack(NAMES, attention(q, k, v) if mask is None else attention(q, k, v, mask))
    shapes = getattr(output, "shape", ()), getattr(weights, "shape", ())
    if shapes == (cache.weights.shape, expected.shape) != (expected.shape, cache.weights.shape):
        raise WrongAnswer("The two results are in the wrong order: return output, then weights.")
    products = q @ k.swapaxes(-1, -2)
    scores = products / math.sqrt(q.shape[-1])
    scale = "With d_k = q.shape[-1], the scores are q kᵀ / sqrt(d_k); yours are"
    if mask is None:
        mistakes = {
            f"{scale} not scaled, or by a size that is 1 here.": _softmax(products),
            f"{scale} multiplied by sqrt(d_k).": _softmax(products * math.sqrt(q.shape[-1])),
            f"{scale} divided by d_k.": _softmax(products / q.shape[-1]),
            f"{scale} divided by the root of the number of keys.": _softmax(
                products / math.sqrt(k.shape[-2])
            ),
            "The softmax runs over the queries, so that a key's weights sum to 1. It belongs on the last "
            "axis: a query's weights sum to 1.": _softmax(scores, axis=-2),
            "These are the scores; the softmax is missing.": scores,
        }
    else:
        mistakes = {
            "The mask has no effect.": _softmax(scores),
            "The mask is used the wrong way round: True is where a query MAY attend.": _softmax(
                np.where(mask, -np.inf, scores)
            ),
            "The mask comes after the softmax, so the weights of a query no longer sum to 1. Put -inf "
            "into the scores where the mask is False, before the softmax.": _softmax(scores) * mask,
            "Masked scores are 0, which is a score like any other: exp(0) = 1. Put -inf there.": _softmax(
                np.where(mask, scores, 0)
            ),
            "The mask is added to the scores, as 0 and 1. Put -inf where it is False: np.where(mask, scores, "
            "-np.inf).": _softmax(scores + mask),
        }
    compare("weights", weights, cache.weights, mistakes)
    compare(
        "output",
        output,
        expected,
        {
            "The output holds the scores' product with v: use the weights.": scores @ v,
            "The output is a mean of the keys; it is that of the values, weights @ v.": cache.weights @ k,
        },
    )


def _softmax(scores: Array, axis: int = -1) -> Array:
    """A softmax over any axis; a row of nothing but -inf becomes NaN."""
    with np.errstate(invalid="ignore"):
        power = np.exp(scores - scores.max(axis=axis, keepdims=True))
    return np.asarray(power / power.sum(axis=axis, keepdims=True))


PARTS: Final = (
    Part(
        "softmax",
        (softmax_of_two_rows, softmax_of_many_axes, softmax_of_large_scores, softmax_of_scores_far_apart),
    ),
    Part(
        "scaled_dot_product_attention",
        (
            attention_by_hand,
            attention_of_batches,
            attention_with_mask,
            attention_to_nothing,
            attention_in_single_precision,
        ),
    ),
    Part("split_heads", (heads_split,)),
    Part("merge_heads", (heads_merged,)),
    Part("multi_head_attention", (several_heads, several_heads_with_mask)),
)
