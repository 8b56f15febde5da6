"""One round of attention and MLP over the rows of the memory, and its derivative."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from relational_rnn.config import RelationalMemoryConfig
from relational_rnn.reference.arrays import Array
from relational_rnn.reference.attention import (
    AttentionCache,
    attention_backward,
    attention_forward,
    merge_heads,
    split_heads,
)
from relational_rnn.reference.layer_norm import (
    LayerNormCache,
    layer_norm_backward,
    layer_norm_forward,
)
from relational_rnn.reference.linear import linear_backward_input, linear_forward
from relational_rnn.reference.mlp import MLPCache, mlp_backward_input, mlp_forward
from relational_rnn.reference.parameter_gradients import ParameterGradients


class BlockCache(NamedTuple):
    """What `block_backward` needs; None where a part is switched off."""

    rows: Array
    """(B, rows, D) that came in."""
    projected: Array
    """The rows among them whose queries, keys and values were computed here."""
    qkv_norm: LayerNormCache | None
    attention: AttentionCache | None
    attended_rows: int
    """M, rows that could be attended to."""
    attention_norm: LayerNormCache | None
    mlp: MLPCache | None
    mlp_norm: LayerNormCache | None


def block_forward(
    rows: Float[np.ndarray, "B rows D"],
    input_qkv: Float[np.ndarray, "B more P"] | None,
    queries: int,
    params: Mapping[str, Array],
    config: RelationalMemoryConfig,
    block: int,
) -> tuple[Float[np.ndarray, "B queries D"], BlockCache]:
    """Let rows attend to rows, then transform each by itself (docs/core.md; the paper's section 3.1).

        q, k, v = LN(rows Wᵀ + b)
        m = LN(rows + softmax(q kᵀ / sqrt(K)) v)
        m = LN(m + MLP(m))

    Args:
        rows: the memory, and the input rows after it where they take part as rows.
        input_qkv: what `input_projection_forward` made of the input for this block. With "append" these are
            the normalised queries, keys and values of the input rows (P = H (2K + V)), and `rows` are
            projected up to the slots only. With "tile" this is its summand in every slot's projection, before
            the norm (one row). None: no input, or its rows have been transformed by a block before.
        queries: how many rows come out, from the first on. The last block leaves the input rows out.
        params: arrays by name.
        config: sizes and options.
        block: number of the block.

    Returns:
        The rows that asked, and the cache for `block_backward`.
    """
    name = f"blocks.{block}"
    appended = input_qkv is not None and config.input_fusion == "append"
    projected = rows[:, : config.mem_slots] if appended else rows
    qkv, _ = linear_forward(projected, params[f"{name}.qkv.weight"], params[f"{name}.qkv.bias"])
    if input_qkv is not None and not appended:
        qkv += input_qkv
    qkv, qkv_norm = norm_forward(qkv, params, f"{name}.qkv_norm")
    parts = [qkv, input_qkv] if input_qkv is not None and appended else [qkv]

    attended, attention = _attend_forward(parts, queries, config)  # (B, queries or 1, D)
    if config.use_residual:
        attended = rows[:, :queries] + attended
    else:
        attended = np.broadcast_to(attended, (len(rows), queries, config.memory_width))
    m, attention_norm = norm_forward(attended, params, f"{name}.attention_norm")

    mlp, mlp_norm = None, None
    if config.use_mlp:
        layers = range(config.attention_mlp_layers)
        weights, biases = ([params[f"mlp.{i}.{kind}"] for i in layers] for kind in ("weight", "bias"))
        transformed, mlp = mlp_forward(m, weights, biases)
        if config.use_residual:
            transformed += m
        m, mlp_norm = norm_forward(transformed, params, f"{name}.mlp_norm")
    attended_rows = sum(part.shape[1] for part in parts)
    cache = BlockCache(rows, projected, qkv_norm, attention, attended_rows, attention_norm, mlp, mlp_norm)
    return m, cache


def block_backward(
    d_m: Float[np.ndarray, "B queries D"],
    cache: BlockCache,
    params: Mapping[str, Array],
    config: RelationalMemoryConfig,
    block: int,
    gradients: ParameterGradients,
) -> tuple[Float[np.ndarray, "B rows D"], Float[np.ndarray, "B more P"]]:
    """Carry the gradient `d_m` back through `block_forward`.

    Args:
        d_m: gradient of the loss with respect to the rows that came out.
        cache: what `block_forward` returned.
        params: arrays by name.
        config: sizes and options.
        block: number of the block.
        gradients: where the parameters' gradients are added up.

    Returns:
        The gradients of `rows` and of `input_qkv` (of no rows where there was none).
    """
    name = f"blocks.{block}"
    if cache.mlp is not None:
        d_m = norm_backward(d_m, cache.mlp_norm, f"{name}.mlp_norm", gradients)
        d_x, d_outputs = mlp_backward_input(d_m, cache.mlp)
        for layer, (d_y, x) in enumerate(zip(d_outputs, cache.mlp[0], strict=True)):
            gradients.add(f"mlp.{layer}", d_y, x)
        if config.use_residual:
            d_x += d_m
        d_m = d_x
    d_m = norm_backward(d_m, cache.attention_norm, f"{name}.attention_norm", gradients)

    slots = cache.projected.shape[1]
    d_qkv, d_input_qkv = _attend_backward(d_m, cache, config)
    d_qkv = norm_backward(d_qkv, cache.qkv_norm, f"{name}.qkv_norm", gradients)
    gradients.add(f"{name}.qkv", d_qkv, cache.projected)
    if config.input_fusion == "tile":
        d_input_qkv = d_qkv.sum(axis=1, keepdims=True)  # one row was added to all slots

    d_rows = linear_backward_input(d_qkv, params[f"{name}.qkv.weight"])
    if slots < cache.rows.shape[1]:  # the input rows' part came back as `d_input_qkv`
        d_projected, d_rows = d_rows, np.zeros(cache.rows.shape, d_m.dtype)
        d_rows[:, :slots] = d_projected
    if config.use_residual:
        d_rows[:, : d_m.shape[1]] += d_m
    return d_rows, d_input_qkv


def attention_weights(cache: BlockCache, config: RelationalMemoryConfig) -> Float[np.ndarray, "B H N M"]:
    """Return how much each slot attended to each row; without attention all the same."""
    batch, slots = len(cache.rows), config.mem_slots
    if cache.attention is not None:
        return cache.attention.weights[:, :, :slots]
    shape = (batch, config.num_heads, slots, cache.attended_rows)
    return np.full(shape, 1 / cache.attended_rows, cache.rows.dtype)


def _attend_forward(
    parts: Sequence[Array], queries: int, config: RelationalMemoryConfig
) -> tuple[Float[np.ndarray, "B queries D"], AttentionCache | None]:
    """Mix the values of all rows: by attention, or as their mean (one row, the same for each).

    `parts` are the queries, keys and values of the rows, (B, some, P) each, M rows together.
    """
    if not config.use_attention:
        return np.concatenate(parts, axis=1).mean(axis=1, keepdims=True), None
    batch, width, count = len(parts[0]), config.projection_width, config.num_heads
    # A copy, so that the rows of each head lie together: the products that follow read them several times.
    heads = np.empty((batch, count, sum(part.shape[1] for part in parts), width // count), parts[0].dtype)
    np.concatenate([split_heads(part, count) for part in parts], axis=2, out=heads)
    output = np.empty((batch, queries, config.memory_width), heads.dtype)
    _, cache = attention_forward(*_split_features(heads, queries, config), out=split_heads(output, count))
    return output, cache


def _attend_backward(
    d_attended: Float[np.ndarray, "B queries D"], cache: BlockCache, config: RelationalMemoryConfig
) -> tuple[Float[np.ndarray, "B slots P"], Float[np.ndarray, "B more P"]]:
    """Carry the gradient back through `_attend_forward`: to the rows projected in the step, and to others."""
    rows, queries, count = cache.attended_rows, d_attended.shape[1], config.num_heads
    here = cache.projected.shape[1]
    if cache.attention is None:
        d_values = d_attended.sum(axis=1, keepdims=True) / rows
        return np.repeat(d_values, here, axis=1), np.repeat(d_values, rows - here, axis=1)
    width = config.projection_width // count
    d_heads = np.empty((len(d_attended), count, rows, width), d_attended.dtype)
    d_heads[:, :, queries:, : config.key_width] = 0  # rows that did not ask
    out = _split_features(d_heads, queries, config)
    attention_backward(split_heads(d_attended, count), cache.attention, out)
    return merge_heads(d_heads[:, :, :here]), merge_heads(d_heads[:, :, here:])


def _split_features(
    heads: Float[np.ndarray, "B H M size"], queries: int, config: RelationalMemoryConfig
) -> tuple[Array, Array, Array]:
    """Return views of q (of the rows that ask), k and v: a head's features are its query, key and value."""
    key = config.key_width
    return heads[:, :, :queries, :key], heads[..., key : 2 * key], heads[..., 2 * key :]


def norm_forward(x: Array, params: Mapping[str, Array], name: str) -> tuple[Array, LayerNormCache | None]:
    """Apply the layer norm `name`, if there is one."""
    if f"{name}.weight" not in params:
        return x, None
    return layer_norm_forward(x, params[f"{name}.weight"], params[f"{name}.bias"])


def norm_backward(
    d_y: Array, cache: LayerNormCache | None, name: str, gradients: ParameterGradients
) -> Array:
    """Carry `d_y` back through `norm_forward`, adding the norm's gradients to `gradients`."""
    if cache is None:
        return d_y
    d_x, d_gain, d_bias = layer_norm_backward(d_y, cache)
    gradients.add_direct(f"{name}.weight", d_gain)
    gradients.add_direct(f"{name}.bias", d_bias)
    return d_x
