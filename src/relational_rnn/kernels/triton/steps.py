"""One step after the other, forward and backward: products by torch, all between them by the Triton kernels.

Nothing here makes a tensor, so that the loops can be recorded and replayed on the same memory.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from relational_rnn.config import RelationalMemoryConfig
from relational_rnn.kernels.triton import attention_kernel, mlp_gate_kernel
from relational_rnn.kernels.triton.buffers import Buffers
from relational_rnn.kernels.triton.sizes import gate_sizes, mix_sizes, row_sizes


class Step(NamedTuple):
    """Where a step's samples are."""

    begin: int
    """Its first sample in the sequence."""
    place: int
    """The same in the buffers that the steps leave behind."""
    size: int
    """Its samples."""
    next_place: int
    """Where the next step's samples are in these buffers."""
    next_size: int
    """How many samples go on to it."""


def steps(batch_sizes: list[int], keep: bool = True) -> list[Step]:
    """List the steps; without `keep` all of them use the same buffers.

    Example:
        >>> [(step.begin, step.place, step.next_size) for step in steps([3, 2], keep=False)]
        [(0, 0, 2), (3, 0, 0)]
    """
    found, begin = [], 0
    for size, next_size in zip(batch_sizes, [*batch_sizes[1:], 0]):
        end = begin + size
        found.append(Step(begin, begin if keep else 0, size, end if keep else 0, next_size))
        begin = end
    return found


def chunks(found: list[Step], least: int) -> Iterator[list[Step]]:
    """Cut steps into runs of at least so many samples, the last steps first; places count from a run's first.

    Example:
        >>> [[(step.begin, step.place) for step in chunk] for chunk in chunks(steps([3, 2, 2]), 3)]
        [[(3, 0), (5, 2)], [(0, 0)]]
    """
    last = len(found)
    for first in reversed(range(last)):
        begin = found[first].begin
        if first == 0 or found[last - 1].begin + found[last - 1].size - begin >= least:
            chunk, last = found[first:last], first
            yield [s._replace(place=s.begin - begin, next_place=s.begin - begin + s.size) for s in chunk]


def multiply(a: Tensor, b: Tensor, out: Tensor) -> None:
    """Write a b into `out`; halves are multiplied as such and come back in float32 where that is possible."""
    if a.dtype == out.dtype:
        torch.mm(a, b, out=out)
    elif out.dtype == torch.float32 and has_wide_products(a.device):
        torch.mm(a, b, out_dtype=out.dtype, out=out)
    else:
        out.copy_(a @ b)


@functools.cache
def has_wide_products(device: torch.device) -> bool:
    """Say whether the device returns products of halves in float32."""
    half = torch.zeros(8, 8, dtype=torch.bfloat16, device=device)
    try:
        torch.mm(half, half, out_dtype=torch.float32, out=half.float())
    except (RuntimeError, TypeError, NotImplementedError):
        return False
    return True


class ForwardTensors(NamedTuple):
    """What all steps of a forward work on."""

    given: Buffers
    """The layers, "first" and "gates" of the input projection, and, for resets, "restarts" and "initial"."""
    buffers: Buffers
    """A step finds "before", "operand", "squashed"; it fills the rest, and these three of the next step."""
    scratch: Buffers
    """See `buffers.new_scratch`."""
    memories: Tensor
    """(S, N, D), filled with the memories after the steps."""


def forward_step(config: RelationalMemoryConfig, tensors: ForwardTensors, step: Step) -> None:
    """Advance the memory of a step's samples."""
    given, buffers, scratch, memories = tensors
    grid, span = (step.size,), slice(step.place, step.place + step.size)
    product = scratch["product"][: step.size]
    restarts = given.get("restarts")

    def multiply_rows(x: Tensor, layer: str, y: Tensor) -> None:
        multiply(x.flatten(0, 1), given[f"{layer}.weight"].t(), y.flatten(0, 1))

    multiply_rows(buffers["operand"][span], "blocks.0.qkv", buffers["projected"][span])
    attention_kernel.mix[grid](
        buffers["projected"],
        given["blocks.0.qkv.bias"],
        given["blocks.0.qkv_norm.weight"],
        given["blocks.0.qkv_norm.bias"],
        given["first"],
        buffers["before"],
        given["blocks.0.attention_norm.weight"],
        given["blocks.0.attention_norm.bias"],
        buffers["qkv_statistics"],
        buffers["weights"],
        buffers["attended"],
        buffers["attended_statistics"],
        buffers["hidden.0"],
        step.begin,
        step.place,
        **mix_sizes(config),
    )
    last = config.attention_mlp_layers - 1
    for layer in range(last):
        multiply_rows(buffers[f"hidden.{layer}"][span], f"mlp.{layer}", product)
        hidden = buffers[f"hidden.{layer + 1}"]
        mlp_gate_kernel.activate[grid](
            product, given[f"mlp.{layer}.bias"], hidden, step.place, **row_sizes(config)
        )
    multiply_rows(buffers[f"hidden.{last}"][span], f"mlp.{last}", buffers["mixed"][span])
    if config.gate_width:
        multiply_rows(buffers["squashed"][span], "gate_memory", buffers["logits"][span])
    mlp_gate_kernel.finish[grid](
        buffers["mixed"],
        given[f"mlp.{last}.bias"],
        given["blocks.0.mlp_norm.weight"],
        given["blocks.0.mlp_norm.bias"],
        buffers["attended"],
        buffers["attended_statistics"],
        given["blocks.0.attention_norm.weight"],
        given["blocks.0.attention_norm.bias"],
        buffers["logits"],
        given.get("gates"),
        buffers["before"],
        restarts,
        given.get("initial"),
        buffers["mixed_statistics"],
        memories,
        buffers["before"],
        buffers["operand"],
        buffers["squashed"],
        step.begin,
        step.place,
        step.next_place,
        step.next_size,
        RESTARTS=restarts is not None,
        SPLIT=buffers["operand"] is not buffers["before"],
        **gate_sizes(config),
    )


class BackwardTensors(NamedTuple):
    """What all steps of a backward work on."""

    given: Buffers
    """The layers, "first" and "gates" of the steps in `buffers`, and, for resets, all "restarts"."""
    buffers: Buffers
    """What the forward left."""
    gradients: Buffers
    """Filled for each step, see `buffers.new_gradient_buffers`."""
    carry: Buffers
    """What the next step left; then what this one leaves."""
    scratch: Buffers
    """See `buffers.new_scratch`."""
    d_memories: Tensor | None
    """Gradient of the loss with respect to all memories (S, N, D), None for 0."""


def backward_step(config: RelationalMemoryConfig, tensors: BackwardTensors, step: Step) -> None:
    """Carry the gradient of the memories back through a step."""
    given, buffers, gradients, carry, scratch, d_memories = tensors
    grid, span = (step.size,), slice(step.place, step.place + step.size)
    product, d_squashed = scratch["product"][: step.size], scratch["d_squashed"][: step.size]
    restarts = given.get("restarts")

    def multiply_rows(d_y: Tensor, layer: str, d_x: Tensor) -> None:
        multiply(d_y[span].flatten(0, 1), given[f"{layer}.weight"], d_x.flatten(0, 1))

    last = config.attention_mlp_layers - 1
    mlp_gate_kernel.finish_backward[grid](
        buffers["mixed"],
        given[f"mlp.{last}.bias"],
        given["blocks.0.mlp_norm.weight"],
        given["blocks.0.mlp_norm.bias"],
        buffers["attended"],
        buffers["attended_statistics"],
        given["blocks.0.attention_norm.weight"],
        given["blocks.0.attention_norm.bias"],
        buffers["logits"],
        given.get("gates"),
        buffers["before"],
        restarts,
        buffers["mixed_statistics"],
        d_memories,
        carry["d_direct"],
        carry["d_through"],
        scratch["d_mixed"],
        gradients[f"d_mlp.{last}"],
        gradients["d_logits"],
        gradients["d_gates"],
        carry["sum.blocks.0.mlp_norm.weight"],
        carry["sum.blocks.0.mlp_norm.bias"],
        carry[f"sum.mlp.{last}.bias"],
        carry["sum.initial"],
        step.begin,
        step.place,
        step.next_size,
        RESTARTS=restarts is not None,
        MEMORIES=d_memories is not None,
        **gate_sizes(config),
    )
    if config.gate_width:
        multiply_rows(gradients["d_logits"], "gate_memory", d_squashed)
    for layer in reversed(range(last + 1)):
        multiply_rows(gradients[f"d_mlp.{layer}"], f"mlp.{layer}", product)
        if layer:
            mlp_gate_kernel.activate_backward[grid](
                product,
                buffers[f"hidden.{layer}"],
                gradients[f"d_mlp.{layer - 1}"],
                carry[f"sum.mlp.{layer - 1}.bias"],
                step.place,
                **row_sizes(config),
            )
    attention_kernel.mix_backward[grid](
        buffers["projected"],
        given["blocks.0.qkv.bias"],
        given["blocks.0.qkv_norm.weight"],
        given["blocks.0.qkv_norm.bias"],
        given["first"],
        buffers["before"],
        given["blocks.0.attention_norm.weight"],
        buffers["weights"],
        buffers["attended"],
        buffers["attended_statistics"],
        buffers["qkv_statistics"],
        scratch["d_mixed"],
        scratch["product"],
        scratch["d_squashed"],
        carry["d_direct"],
        scratch["d_values"],
        gradients["d_projected"],
        gradients["d_first"],
        carry["sum.blocks.0.attention_norm.weight"],
        carry["sum.blocks.0.attention_norm.bias"],
        carry["sum.blocks.0.qkv_norm.weight"],
        carry["sum.blocks.0.qkv_norm.bias"],
        carry["sum.blocks.0.qkv.bias"],
        step.place,
        GATES=config.gate_width > 0,
        **mix_sizes(config),
    )
    multiply_rows(gradients["d_projected"], "blocks.0.qkv", carry["d_through"][: step.size])
