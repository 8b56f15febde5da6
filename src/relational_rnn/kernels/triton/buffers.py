"""The buffers of a sequence: what its steps leave for the backward, and what they share."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from relational_rnn.config import RelationalMemoryConfig
from relational_rnn.kernels.fused import forward
from relational_rnn.kernels.fused.core import Core
from relational_rnn.kernels.products import with_weights_in

Buffers = dict[str, Tensor]
Parameters = Mapping[str, Tensor]


def new_step_buffers(
    config: RelationalMemoryConfig, like: Tensor, samples: int, compute_dtype: torch.dtype | None
) -> Buffers:
    """Make room for what the steps of so many samples leave behind; what a product reads has its dtype."""
    slots, width = config.mem_slots, config.memory_width
    shapes = {
        "before": (slots, width),
        "projected": (slots, config.projection_width),
        "qkv_statistics": (2, slots),
        "weights": (config.num_heads, slots, config.attended_rows),
        "attended": (slots, width),
        "attended_statistics": (2, slots),
        "mixed": (slots, width),
        "mixed_statistics": (2, slots),
        "logits": (slots, 2 * config.gate_width),
    }
    buffers = {name: like.new_empty(samples, *shape) for name, shape in shapes.items()}
    dtype = like.dtype if compute_dtype is None else compute_dtype
    # The first is the first layer's input, not a hidden layer.
    hidden = [f"hidden.{layer}" for layer in range(config.attention_mlp_layers)]
    for name in ("squashed", *hidden):
        buffers[name] = like.new_empty(samples, slots, width, dtype=dtype)
    buffers["operand"] = buffers["before"]
    if dtype != like.dtype:
        buffers["operand"] = like.new_empty(samples, slots, width, dtype=dtype)
    return buffers


def new_gradient_buffers(
    config: RelationalMemoryConfig, like: Tensor, samples: int, compute_dtype: torch.dtype | None
) -> Buffers:
    """Make room for gradients of so many samples: of the products' outputs and of the input's part."""
    slots, width = config.mem_slots, config.memory_width
    dtype = like.dtype if compute_dtype is None else compute_dtype
    widths = {f"d_mlp.{layer}": width for layer in range(config.attention_mlp_layers)}
    widths |= {"d_projected": config.projection_width, "d_logits": 2 * config.gate_width}
    buffers = {name: like.new_empty(samples, slots, size, dtype=dtype) for name, size in widths.items()}
    buffers["d_first"] = like.new_empty(samples, config.input_rows, config.projection_width)
    buffers["d_gates"] = like.new_empty(samples, 1, 2 * config.gate_width)
    return buffers


def new_carry(config: RelationalMemoryConfig, like: Tensor, batch: int) -> Buffers:
    """Make what goes from step to step backward, and the sums over steps of each sample; zeros."""
    slots, width, projection = config.mem_slots, config.memory_width, config.projection_width
    shapes = {
        "d_direct": (slots, width),
        "d_through": (slots, width),
        "sum.initial": (slots, width),
        "sum.blocks.0.qkv.bias": (projection,),
        "sum.blocks.0.qkv_norm.weight": (projection,),
        "sum.blocks.0.qkv_norm.bias": (projection,),
        "sum.blocks.0.attention_norm.weight": (width,),
        "sum.blocks.0.attention_norm.bias": (width,),
        "sum.blocks.0.mlp_norm.weight": (width,),
        "sum.blocks.0.mlp_norm.bias": (width,),
    }
    shapes |= {f"sum.mlp.{layer}.bias": (width,) for layer in range(config.attention_mlp_layers)}
    return {name: like.new_zeros(batch, *shape) for name, shape in shapes.items()}


def new_scratch(config: RelationalMemoryConfig, like: Tensor, batch: int) -> Buffers:
    """Make what one step needs while it runs."""
    slots, width = config.mem_slots, config.memory_width
    shapes = dict.fromkeys(("product", "d_mixed", "d_squashed"), (batch, slots, width))
    shapes["d_values"] = (batch, slots, config.projection_width)
    return {name: like.new_empty(shape) for name, shape in shapes.items()}


def layers(parameters: Parameters, compute_dtype: torch.dtype | None) -> Buffers:
    """Return the parameters as the kernels take them: contiguous, matrices in the products' dtype."""
    return {name: x.contiguous() for name, x in with_weights_in(compute_dtype, parameters).items()}


def input_buffers(config: RelationalMemoryConfig, weights: Parameters, inputs: Tensor) -> Buffers:
    """Compute what depends only on the inputs, see `fused.forward.InputProjection`."""
    work = forward.input_projection(Core(config, weights), inputs)
    found = {"rows": work.rows, "unnormed": work.unnormed, "first": work.first, "gates": work.gates}
    return {name: x.contiguous() for name, x in found.items() if x is not None}
