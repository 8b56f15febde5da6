"""The step of the Relational Memory Core, the loop over a sequence, and back-propagation through time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from relational_rnn.config import RelationalMemoryConfig, Trace
from relational_rnn.reference.activations import tanh_backward, tanh_forward
from relational_rnn.reference.arrays import Array
from relational_rnn.reference.block import BlockCache, attention_weights, block_backward, block_forward
from relational_rnn.reference.gates import GatesCache, gates_backward, gates_forward
from relational_rnn.reference.input_projection import (
    InputProjection,
    InputProjectionCache,
    input_projection_backward,
    input_projection_forward,
)
from relational_rnn.reference.linear import linear_backward_input, linear_forward
from relational_rnn.reference.parameter_gradients import ParameterGradients


class StepCache(NamedTuple):
    """What `step_backward` needs."""

    blocks: list[BlockCache]
    squashed: Array | None
    """(B, N, D), tanh of the memory before the step, which the gates saw; None without gates."""
    gates: GatesCache | None


def step_forward(
    memory: Float[np.ndarray, "B N D"],
    work: InputProjection | None,
    params: Mapping[str, Array],
    config: RelationalMemoryConfig,
) -> tuple[Float[np.ndarray, "B N D"], StepCache]:
    """Advance the memory by one step (docs/core.md, "One step").

    Args:
        memory: before the step.
        work: the input's contribution to this step, or None for a step without input.
        params: arrays by name; with "tile" after `split_tile_weights`.
        config: sizes and options.

    Returns:
        The memory after the step, and the cache for `step_backward`.
    """
    rows, caches = memory, []
    last = config.num_blocks - 1
    if work is not None and config.input_fusion == "append" and last > 0:
        rows = np.concatenate([memory, work.rows], axis=1)  # (B, M, D)
    for block in range(config.num_blocks):
        queries = config.mem_slots if block == last else rows.shape[1]
        input_qkv = None if work is None else work.qkv[block]
        rows, cache = block_forward(rows, input_qkv, queries, params, config, block)
        caches.append(cache)
    if not config.gate_width:
        return rows, StepCache(caches, None, None)
    squashed, _ = tanh_forward(memory)
    logits, _ = linear_forward(squashed, params["gate_memory.weight"])  # (B, N, 2G)
    bias = params["gate_memory.bias"]
    logits += bias if work is None or work.gates is None else bias + work.gates  # (B, 1, 2G)
    updated, gates = gates_forward(logits, rows, memory, config.input_bias, config.forget_bias)
    return updated, StepCache(caches, squashed, gates)


def step_backward(
    d_next: Float[np.ndarray, "B N D"],
    cache: StepCache,
    params: Mapping[str, Array],
    config: RelationalMemoryConfig,
    gradients: ParameterGradients,
) -> tuple[Float[np.ndarray, "B N D"], InputProjection]:
    """Carry the gradient `d_next` back through `step_forward`.

    Args:
        d_next: gradient of the loss with respect to the memory after the step.
        cache: what `step_forward` returned.
        params: the same as in `step_forward`.
        config: sizes and options.
        gradients: where the parameters' gradients are added up.

    Returns:
        The gradient of the memory before the step, and those of the input's work (meaningless where the step
        had no input).
    """
    d_memory, d_rows, d_gates = None, d_next, None
    if cache.gates is not None and cache.squashed is not None:
        d_logits, d_rows, d_memory = gates_backward(d_next, cache.gates)
        gradients.add("gate_memory", d_logits, cache.squashed)
        d_squashed = linear_backward_input(d_logits, params["gate_memory.weight"])
        d_memory += tanh_backward(d_squashed, cache.squashed)
        d_gates = d_logits.sum(axis=1, keepdims=True)  # (B, 1, 2G): one row was added to all slots
    d_qkv: list[Array | None] = [None] * config.num_blocks
    for block in reversed(range(config.num_blocks)):
        d_rows, d_input_qkv = block_backward(d_rows, cache.blocks[block], params, config, block, gradients)
        if block == 0 or config.input_fusion == "tile":
            d_qkv[block] = d_input_qkv
    d_slots = d_rows[:, : config.mem_slots]
    d_memory = d_slots if d_memory is None else np.add(d_memory, d_slots, out=d_memory)
    return d_memory, InputProjection(d_rows[:, config.mem_slots :], d_qkv, d_gates)


class UnrollCache(NamedTuple):
    """What `unroll_backward` needs."""

    steps: list[StepCache]
    work: InputProjectionCache | None
    resets: Array | None


def unroll_forward(
    inputs: Float[np.ndarray, "T B R F"] | None,
    memory: Float[np.ndarray, "B N D"],
    initial: Float[np.ndarray, "N D"],
    resets: Bool[np.ndarray, "B T"] | None,
    params: Mapping[str, Array],
    config: RelationalMemoryConfig,
) -> tuple[Float[np.ndarray, "B T N D"], UnrollCache]:
    """Repeat `step_forward` over a sequence.

    Args:
        inputs: all steps' inputs, or None for one step without input.
        memory: before the first step.
        initial: the memory that a reset restarts a sample from.
        resets: True where a sample restarts before that step, or None for nowhere.
        params: arrays by name; with "tile" after `split_tile_weights`.
        config: sizes and options.

    Returns:
        The memory after every step, and the cache for `unroll_backward`.
    """
    work, work_cache = (None, None) if inputs is None else input_projection_forward(inputs, params, config)
    length = 1 if inputs is None else len(inputs)
    memories = np.empty((len(memory), length, *memory.shape[1:]), memory.dtype)
    steps = []
    for t in range(length):
        if resets is not None and resets[:, t].any():
            memory = np.where(resets[:, t, None, None], initial, memory)
        memory, cache = step_forward(memory, None if work is None else work.at(t), params, config)
        memories[:, t] = memory
        steps.append(cache)
    return memories, UnrollCache(steps, work_cache, resets)


def unroll_backward(
    d_memories: Float[np.ndarray, "B T N D"] | None,
    d_memory: Float[np.ndarray, "B N D"],
    cache: UnrollCache,
    params: Mapping[str, Array],
    config: RelationalMemoryConfig,
    gradients: ParameterGradients,
) -> tuple[Float[np.ndarray, "T B R F"] | None, Float[np.ndarray, "B N D"], Float[np.ndarray, "N D"]]:
    """Back-propagate through time.

    Args:
        d_memories: gradient of the loss with respect to the memory after every step, through that step's
            output; None for 0.
        d_memory: the same for the last memory, through what follows the sequence.
        cache: what `unroll_forward` returned.
        params: the same as in `unroll_forward`.
        config: sizes and options.
        gradients: where the parameters' gradients are added up.

    Returns:
        The gradients of the inputs (None without input), of the memory before the first step, and of
        `initial` (through the resets).
    """
    d_initial = np.zeros(d_memory.shape[1:], d_memory.dtype)
    d_steps = []
    for t in reversed(range(len(cache.steps))):
        if d_memories is not None:
            d_memory = d_memory + d_memories[:, t]
        d_memory, d_work = step_backward(d_memory, cache.steps[t], params, config, gradients)
        d_steps.append(d_work)
        if cache.resets is not None and cache.resets[:, t].any():
            restarted = cache.resets[:, t]
            d_initial += d_memory[restarted].sum(axis=0)
            d_memory[restarted] = 0
    if cache.work is None:
        return None, d_memory, d_initial
    d_inputs = input_projection_backward(d_steps[::-1], cache.work, params, config, gradients)
    return d_inputs, d_memory, d_initial


def unroll_trace(cache: UnrollCache, config: RelationalMemoryConfig) -> Trace:
    """Return what happened at every step: copies of the attention weights and of the gates."""
    attention = [[attention_weights(block, config) for block in step.blocks] for step in cache.steps]
    gates = [step.gates for step in cache.steps if step.gates is not None]
    return Trace(
        np.stack([np.stack(blocks, axis=1) for blocks in attention], axis=1),  # (B, T, blocks, H, N, M)
        np.stack([gate.input_gate for gate in gates], axis=1) if gates else None,  # (B, T, N, G)
        np.stack([gate.forget_gate for gate in gates], axis=1) if gates else None,
    )
