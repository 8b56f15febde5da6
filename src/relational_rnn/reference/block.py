"""One round of attention and MLP over the rows of the memory, and its derivative."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

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
    layer_norm_backward_input,
    layer_norm_forward,
)
from relational_rnn.reference.linear import linear_backward_input, linear_forward
from relational_rnn.reference.mlp import MLPCache, mlp_backward_input, mlp_forward
from relational_rnn.reference.parameter_gradients import ParameterGradients
from relational_rnn.spec import RelationalMemoryConfig


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
        input_qkv: what `input_work_forward` made of the input for this block. With "append" these are the
            normalised queries, keys and values of the input rows (P = H (2K + V)), and `rows` are projected
            up to the slots only. With "tile" this is the input's summand in every slot's projection, before
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
    if appended:
        qkv = np.concatenate([qkv, input_qkv], axis=1)  # (B, M, P)

    attended, attention = _attend_forward(qkv, queries, config)  # (B, queries or 1, D)
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
    cache = BlockCache(rows, projected, qkv_norm, attention, qkv.shape[1], attention_norm, mlp, mlp_norm)
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
        d_m = d_x + d_m if config.use_residual else d_x
    d_m = norm_backward(d_m, cache.attention_norm, f"{name}.attention_norm", gradients)

    slots = cache.projected.shape[1]
    d_qkv = _attend_backward(d_m, cache, config)  # (B, M, P)
    d_qkv, d_input_qkv = d_qkv[:, :slots], d_qkv[:, slots:]
    d_qkv = norm_backward(d_qkv, cache.qkv_norm, f"{name}.qkv_norm", gradients)
    gradients.add(f"{name}.qkv", d_qkv, cache.projected)
    if config.input_fusion == "tile":
        d_input_qkv = d_qkv.sum(axis=1, keepdims=True)  # one row was added to all slots

    d_rows = np.zeros(cache.rows.shape, d_m.dtype)
    d_rows[:, :slots] = linear_backward_input(d_qkv, params[f"{name}.qkv.weight"])
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
    qkv: Float[np.ndarray, "B M P"], queries: int, config: RelationalMemoryConfig
) -> tuple[Float[np.ndarray, "B queries D"], AttentionCache | None]:
    """Mix the rows' values: by attention, or as the mean of all rows (one row, the same for each)."""
    if not config.use_attention:
        return qkv.mean(axis=1, keepdims=True), None
    # Head-major: the features of a head are its query, its key and its value.
    heads, key = split_heads(qkv, config.num_heads), config.key_width  # (B, H, M, 2K + V)
    q, k, v = heads[:, :, :queries, :key], heads[..., key : 2 * key], heads[..., 2 * key :]
    output, cache = attention_forward(q, k, v)
    return merge_heads(output), cache


def _attend_backward(
    d_attended: Float[np.ndarray, "B queries D"], cache: BlockCache, config: RelationalMemoryConfig
) -> Float[np.ndarray, "B M P"]:
    """Carry the gradient back through `_attend_forward`."""
    rows = cache.attended_rows
    if cache.attention is None:
        d_values = d_attended.sum(axis=1, keepdims=True) / rows
        return np.repeat(d_values, rows, axis=1)
    d_q, d_k, d_v = attention_backward(split_heads(d_attended, config.num_heads), cache.attention)
    d_qkv = np.empty((len(d_attended), rows, config.projection_width), d_attended.dtype)
    heads, key, queries = split_heads(d_qkv, config.num_heads), config.key_width, d_attended.shape[1]
    heads[:, :, :queries, :key] = d_q
    heads[:, :, queries:, :key] = 0  # rows that did not ask
    heads[..., key : 2 * key] = d_k
    heads[..., 2 * key :] = d_v
    return d_qkv


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
    gradients.add(name, d_y, cache[0])
    return layer_norm_backward_input(d_y, cache)
