"""All that a core computes from its inputs alone, for all time steps at once, and its derivative."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from relational_rnn.config import RelationalMemoryConfig
from relational_rnn.reference.arrays import Array
from relational_rnn.reference.block import norm_backward, norm_forward
from relational_rnn.reference.layer_norm import LayerNormCache
from relational_rnn.reference.linear import linear_backward_input, linear_forward
from relational_rnn.reference.parameter_gradients import ParameterGradients


class InputProjection(NamedTuple):
    """What the input contributes to the steps; the leading axes are T and B, or B for one step."""

    rows: Array
    """(T, B, R, D), the projected input."""
    qkv: Sequence[Array | None]
    """For each block. "append": (T, B, R, P), queries, keys and values of the input rows, normalised, for
    the first block; None for the others, which see rows that the step before has transformed.
    "tile": (T, B, 1, P), the summand in every slot's projection, before the norm, for every block."""
    gates: Array | None
    """(T, B, 1, 2G), the summand in the gates of every slot, or None without gates."""

    def at(self, step: int) -> InputProjection:
        """Return one step's part.

        Example:
            >>> InputProjection(np.zeros((5, 2, 1, 4)), [None], None).at(3).rows.shape
            (2, 1, 4)
        """
        gates = None if self.gates is None else self.gates[step]
        return InputProjection(self.rows[step], [None if x is None else x[step] for x in self.qkv], gates)


class InputProjectionCache(NamedTuple):
    """What `input_projection_backward` needs."""

    inputs: Array
    rows: Array
    flat: Array
    """(T, B, 1, R D), the projected rows side by side."""
    qkv_norm: LayerNormCache | None


def input_projection_forward(
    inputs: Float[np.ndarray, "T B R F"], params: Mapping[str, Array], config: RelationalMemoryConfig
) -> tuple[InputProjection, InputProjectionCache]:
    """Project the inputs, and carry them as far as they go without the memory (docs/core.md).

        x_proj = linear(x; input_projection)
        append: LN(linear(x_proj; blocks.0.qkv))        tile: x_proj as one row, times the input's columns
        gates:  linear(x_proj as one row; gate_input)

    The numbers are those of a computation step by step; only the order is another.

    Args:
        inputs: rows of features.
        params: arrays by name; with "tile" after `split_tile_weights`.
        config: sizes and options.

    Returns:
        The work, and the cache for `input_projection_backward`.
    """
    rows, _ = linear_forward(inputs, params["input_projection.weight"], params["input_projection.bias"])
    flat = rows.reshape(*rows.shape[:2], 1, -1)  # (T, B, 1, R D)
    qkv: list[Array | None] = [None] * config.num_blocks
    qkv_norm = None
    if config.input_fusion == "append":
        first, _ = linear_forward(rows, params["blocks.0.qkv.weight"], params["blocks.0.qkv.bias"])
        qkv[0], qkv_norm = norm_forward(first, params, "blocks.0.qkv_norm")
    else:
        for block in range(config.num_blocks):
            qkv[block], _ = linear_forward(flat, params[f"blocks.{block}.qkv_input.weight"])
    gates = None
    if config.gate_width:
        gates, _ = linear_forward(flat, params["gate_input.weight"], params["gate_input.bias"])
    return InputProjection(rows, qkv, gates), InputProjectionCache(inputs, rows, flat, qkv_norm)


def input_projection_backward(
    d_steps: Sequence[InputProjection],
    cache: InputProjectionCache,
    params: Mapping[str, Array],
    config: RelationalMemoryConfig,
    gradients: ParameterGradients,
) -> Float[np.ndarray, "T B R F"]:
    """Carry the gradients of all steps back through `input_projection_forward`.

    Args:
        d_steps: for each step, the gradients of its part of the work.
        cache: what `input_projection_forward` returned.
        params: the same as in `input_projection_forward`.
        config: sizes and options.
        gradients: where the parameters' gradients are added up.

    Returns:
        The gradient of the inputs.
    """
    d_rows = np.zeros_like(cache.rows)
    if d_steps[0].rows.size:  # only a second block sees the input rows themselves
        d_rows += np.stack([step.rows for step in d_steps])
    d_flat = d_rows.reshape(cache.flat.shape)  # a view: adding to it adds to d_rows
    if config.gate_width:
        d_gates = np.stack([step.gates for step in d_steps if step.gates is not None])
        gradients.add("gate_input", d_gates, cache.flat)
        d_flat += linear_backward_input(d_gates, params["gate_input.weight"])
    for block in range(config.num_blocks):
        parts = [part for step in d_steps if (part := step.qkv[block]) is not None]
        if not parts:
            continue
        d_qkv = np.stack(parts)
        if config.input_fusion == "append":
            d_qkv = norm_backward(d_qkv, cache.qkv_norm, "blocks.0.qkv_norm", gradients)
            gradients.add("blocks.0.qkv", d_qkv, cache.rows)
            d_rows += linear_backward_input(d_qkv, params["blocks.0.qkv.weight"])
        else:
            gradients.add(f"blocks.{block}.qkv_input", d_qkv, cache.flat)
            d_flat += linear_backward_input(d_qkv, params[f"blocks.{block}.qkv_input.weight"])
    gradients.add("input_projection", d_rows, cache.inputs)
    return linear_backward_input(d_rows, params["input_projection.weight"])


def split_tile_weights(params: Mapping[str, Array], config: RelationalMemoryConfig) -> dict[str, Array]:
    """With "tile", give the slots' and the input's columns of each projection names of their own.

    `W [m_i ; x] = W_slots m_i + W_input x`, and the second summand is the same for every slot. Views, no
    copies; other parameters stay as they are.

    Example:
        >>> config = RelationalMemoryConfig(input_size=3, mem_slots=2, head_size=4, input_fusion="tile")
        >>> split = split_tile_weights({"blocks.0.qkv.weight": np.zeros((12, 8))}, config)
        >>> split["blocks.0.qkv.weight"].shape, split["blocks.0.qkv_input.weight"].shape
        ((12, 4), (12, 4))
    """
    split = dict(params)
    if config.input_fusion == "tile":
        for block in range(config.num_blocks):
            weight = params[f"blocks.{block}.qkv.weight"]
            split[f"blocks.{block}.qkv.weight"] = weight[:, : config.memory_width]
            split[f"blocks.{block}.qkv_input.weight"] = weight[:, config.memory_width :]
    return split


def join_tile_weights(split: Mapping[str, Array], config: RelationalMemoryConfig) -> dict[str, Array]:
    """Undo `split_tile_weights`, for gradients."""
    joined = dict(split)
    if config.input_fusion == "tile":
        for block in range(config.num_blocks):
            parts = joined[f"blocks.{block}.qkv.weight"], joined.pop(f"blocks.{block}.qkv_input.weight")
            joined[f"blocks.{block}.qkv.weight"] = np.concatenate(parts, axis=1)
    return joined
