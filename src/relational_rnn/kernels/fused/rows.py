"""What happens to every row by itself, and the mixing of rows by attention; each with its derivative."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from relational_rnn.kernels.eager import EPSILON

BOUND = 30.0
"""Scores up to here can be exponentiated as they are in float32: e³⁰ and sums of it are far from its ends."""
MUCH = 2048
"""From so many numbers on, several fast operations are faster than a slow one."""
SMALL, MANY = 400, 64
"""Below so many multiplications a matrix torch takes a plain loop, which is slow for many matrices."""
SHORT = 32
"""A softmax over fewer entries goes through products with ones: torch's takes one short row at a time."""


def _exact_on_cpu(x: Tensor) -> bool:
    return x.device.type == "cpu" and x.dtype in (torch.float32, torch.float64)


class Normed(NamedTuple):
    """A norm's output and statistics."""

    y: Tensor
    mean: Tensor
    rstd: Tensor
    """1 / standard deviation."""


def norm(x: Tensor, weight: Tensor | None, bias: Tensor | None) -> Normed:
    """Normalise the last axis; without a weight the result is x itself, and no statistics."""
    if weight is None:
        return Normed(x, x, x)
    return Normed(*torch.native_layer_norm(x, weight.shape, weight, bias, EPSILON))


def norm_backward(d_y: Tensor, x: Tensor, norm: Normed, weight: Tensor | None, bias: Tensor | None) -> Tensor:
    """Carry `d_y` back through `norm` to x."""
    if weight is None:
        return d_y
    d_x: Tensor = torch.ops.aten.native_layer_norm_backward(
        d_y, x, weight.shape, norm.mean, norm.rstd, weight, bias, [True, False, False]
    )[0]
    return d_x


def norm_parameter_gradients(
    d_y: Tensor, x: Tensor, norm: Normed, weight: Tensor, bias: Tensor
) -> tuple[Tensor, Tensor]:
    """Return the gradients of a norm's weight and bias, summed over all rows."""
    _, d_weight, d_bias = torch.ops.aten.native_layer_norm_backward(
        d_y, x, weight.shape, norm.mean, norm.rstd, weight, bias, [False, True, True]
    )
    return d_weight, d_bias


def tanh(x: Tensor) -> Tensor:
    """Squash with tanh; much of it on a CPU as 2 σ(2x) − 1, which is several times faster there.

    That is off by at most 2e-7 (float32) as a share of 1 and not of the result: near 0 it has fewer digits
    than `torch.tanh`. What the core squashes is added to, or weighed against, terms of the size of 1.
    """
    if not _exact_on_cpu(x) or x.numel() < MUCH:
        return torch.tanh(x)
    return torch.mul(x, 2).sigmoid_().mul_(2).sub_(1)


def tanh_backward(d_y: Tensor, y: Tensor) -> Tensor:
    """Carry `d_y` back through y = tanh(x)."""
    return torch.ops.aten.tanh_backward(d_y, y)  # type: ignore[no-any-return]


def softmax(scores: Tensor) -> Tensor:
    """Return the softmax over the last axis; `scores` may be overwritten."""
    size = scores.shape[-1]
    if size < SHORT and _exact_on_cpu(scores) and scores.numel() >= MUCH:
        low, high = torch.aminmax(scores)
        if low.item() > -BOUND and high.item() < BOUND:  # so that no maximum needs to be taken off
            scores = scores.exp_()
            return scores.div_((scores.view(-1, size) @ scores.new_ones(size, size)).view_as(scores))
    return torch.softmax(scores, -1)


def softmax_backward(d_weights: Tensor, weights: Tensor) -> Tensor:
    """Carry `d_weights` back through `softmax` to the scores."""
    size = weights.shape[-1]
    if weights.numel() < MUCH:
        return torch._softmax_backward_data(d_weights, weights, -1, weights.dtype)
    product = d_weights * weights
    if size < SHORT:
        along = (product.view(-1, size) @ product.new_ones(size, size)).view_as(product)
    else:
        along = product.sum(-1, keepdim=True)
    return torch.addcmul(product, weights, along, value=-1)


def attention(heads: Tensor, queries: int, key_width: int) -> tuple[Tensor, Tensor]:
    """Let the first rows ask all rows: (heads, M, 2K+V) -> weights (heads, Q, M), values (heads, Q, V)."""
    q, k, v = (
        heads[:, :queries, :key_width],
        heads[..., key_width : 2 * key_width],
        heads[..., 2 * key_width :],
    )
    scores = heads.new_empty(len(heads), queries, heads.shape[1])
    torch.baddbmm(scores, q, k.transpose(1, 2), beta=0, alpha=key_width**-0.5, out=scores)
    weights = softmax(scores)
    return weights, product(weights, v)


def attention_backward(
    d_values: Tensor, weights: Tensor, heads: Tensor, key_width: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Carry `d_values` (heads, Q, V) back through `attention` to q (heads, Q, K), k and v (heads, M, ·)."""
    queries = d_values.shape[1]
    q, k, v = (
        heads[:, :queries, :key_width],
        heads[..., key_width : 2 * key_width],
        heads[..., 2 * key_width :],
    )
    d_v = product(weights.transpose(1, 2), d_values)
    d_scores = softmax_backward(torch.bmm(d_values, v.transpose(1, 2)), weights).mul_(key_width**-0.5)
    return product(d_scores, k), product(d_scores.transpose(1, 2), q), d_v


def product(a: Tensor, b: Tensor) -> Tensor:
    """Multiply many small matrices: (heads, I, J), (heads, J, L) -> (heads, I, L)."""
    width = b.shape[2]
    size = a.shape[1] * a.shape[2] * width
    if a.shape[0] >= MANY and SMALL / 4 <= size < SMALL and a.device.type == "cpu":
        # The same columns several times: more work in less time.
        return torch.bmm(a, b.repeat(1, 1, -(-SMALL // size)))[:, :, :width].contiguous()
    return torch.bmm(a, b)
