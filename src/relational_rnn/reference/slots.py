"""The slots of the hybrid relational RNN: one step, the loop over a sequence, and both derivatives."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from relational_rnn.reference.activations import (
    sigmoid_backward,
    sigmoid_forward,
    tanh_backward,
    tanh_forward,
)
from relational_rnn.reference.arrays import Array
from relational_rnn.reference.attention import (
    AttentionCache,
    multi_head_attention_backward,
    multi_head_attention_forward,
)
from relational_rnn.reference.linear import linear_backward, linear_backward_input, linear_forward
from relational_rnn.reference.parameter_gradients import ParameterGradients

LAYERS = ("update", "gate_input", "gate_memory", "W_q", "W_k", "W_v", "W_o")
"""The layers whose gradients `slots_backward` adds up."""


class SlotsStepCache(NamedTuple):
    """What the way back through one step needs; each (B, N, S) but the second and the last."""

    memory: Array
    rows: Array
    """What attention sees, (B, M, S): the written slots, or with "attend" the slots and the update."""
    attended: Array
    gate: Array
    candidate: Array
    attention: AttentionCache


class SlotsCache(NamedTuple):
    """What `slots_backward` needs."""

    u: Array
    """(T, B, S)"""
    steps: list[SlotsStepCache]


def slots_step_forward(
    memory: Float[np.ndarray, "B N S"],
    update: Float[np.ndarray, "B S"],
    gate_input: Float[np.ndarray, "B S"],
    num_heads: int,
    slot_update: str,
    params: Mapping[str, Array],
) -> tuple[Float[np.ndarray, "B N S"], SlotsStepCache]:
    """Write the update into the slots, let them attend to each other, and blend with what they held.

        shared:  w = memory + update,  rows = w
        attend:  w = memory,           rows = [memory; update]
        new = w + attention(w over rows) W_oᵀ + b_o
        next = f memory + (1 − f) tanh(new),  f = σ(memory W_fᵀ + gate_input)

    Source: docs/hybrid.md.

    Args:
        memory: the slots before the step.
        update: linear(u; update), which needs no memory and so is made for all steps at once.
        gate_input: linear(u; gate_input), the same.
        num_heads: H.
        slot_update: one of `config.core.SLOT_UPDATES`.
        params: the layers W_q, W_k, W_v, W_o and gate_memory.

    Returns:
        The slots after the step, and the cache for `slots_step_backward`.
    """
    if slot_update == "shared":
        written = rows = memory + update[:, None]  # (B, N, S)
    else:
        written = memory
        rows = np.concatenate([memory, update[:, None]], axis=1)  # (B, N + 1, S)
    q, k, v = (
        linear_forward(x, params[f"W_{name}.weight"], params[f"W_{name}.bias"])[0]
        for name, x in (("q", written), ("k", rows), ("v", rows))
    )
    attended, attention = multi_head_attention_forward(q, k, v, num_heads)
    new, _ = linear_forward(attended, params["W_o.weight"], params["W_o.bias"])
    new += written
    logits, _ = linear_forward(memory, params["gate_memory.weight"])
    gate, _ = sigmoid_forward(logits + gate_input[:, None])  # (B, N, S)
    candidate, _ = tanh_forward(new)
    updated = candidate + gate * (memory - candidate)
    return updated, SlotsStepCache(memory, rows, attended, gate, candidate, attention)


def slots_step_backward(
    d_next: Float[np.ndarray, "B N S"],
    cache: SlotsStepCache,
    params: Mapping[str, Array],
    gradients: ParameterGradients,
) -> tuple[Float[np.ndarray, "B N S"], Float[np.ndarray, "B S"], Float[np.ndarray, "B S"]]:
    """Carry the gradient `d_next` back through `slots_step_forward`.

    Args:
        d_next: gradient of the loss with respect to the slots after the step.
        cache: what `slots_step_forward` returned.
        params: the same as there.
        gradients: takes note of the layers' uses.

    Returns:
        The gradients of the slots before the step, of the update, and of the gate's input.
    """
    d_logits = sigmoid_backward(d_next * (cache.memory - cache.candidate), cache.gate)
    d_new = tanh_backward(d_next * (1 - cache.gate), cache.candidate)
    d_memory = d_next * cache.gate
    gradients.add("gate_memory", d_logits, cache.memory)
    gradients.add("W_o", d_new, cache.attended)
    d_attended = linear_backward_input(d_new, params["W_o.weight"])
    d_q, d_k, d_v = multi_head_attention_backward(d_attended, cache.attention)
    slots = cache.memory.shape[1]
    gradients.add("W_q", d_q, cache.rows[:, :slots])
    gradients.add("W_k", d_k, cache.rows)
    gradients.add("W_v", d_v, cache.rows)
    d_rows = linear_backward_input(d_k, params["W_k.weight"])  # (B, M, S)
    d_rows += linear_backward_input(d_v, params["W_v.weight"])
    d_rows[:, :slots] += d_new + linear_backward_input(d_q, params["W_q.weight"])
    d_memory = d_memory + d_rows[:, :slots] + linear_backward_input(d_logits, params["gate_memory.weight"])
    # The update is a row of its own, or a part of every slot's.
    d_update = d_rows[:, slots:] if d_rows.shape[1] > slots else d_rows
    return d_memory, d_update.sum(axis=1), d_logits.sum(axis=1)


def slots_forward(
    u: Float[np.ndarray, "T B S"],
    memory: Float[np.ndarray, "B N S"],
    num_heads: int,
    slot_update: str,
    params: Mapping[str, Array],
) -> tuple[Float[np.ndarray, "T B N S"], SlotsCache]:
    """Run `slots_step_forward` over a sequence.

    Args:
        u: what enters at each step; it and `memory` must not change until the backward pass.
        memory: the slots before the first step.
        num_heads: H.
        slot_update: one of `config.core.SLOT_UPDATES`.
        params: the layers of `LAYERS`.

    Returns:
        The slots after every step, and the cache for `slots_backward`.
    """
    update, _ = linear_forward(u, params["update.weight"], params["update.bias"])  # (T, B, S)
    gate_input, _ = linear_forward(u, params["gate_input.weight"], params["gate_input.bias"])  # (T, B, S)
    memories = np.empty((len(u), *memory.shape), u.dtype)
    steps = []
    for t in range(len(u)):
        memory, cache = slots_step_forward(memory, update[t], gate_input[t], num_heads, slot_update, params)
        memories[t] = memory
        steps.append(cache)
    return memories, SlotsCache(u, steps)


def slots_backward(
    d_memories: Float[np.ndarray, "T B N S"],
    d_memory: Float[np.ndarray, "B N S"],
    cache: SlotsCache,
    params: Mapping[str, Array],
) -> tuple[Float[np.ndarray, "T B S"], Float[np.ndarray, "B N S"], dict[str, Array]]:
    """Carry gradients back through `slots_forward`.

    Args:
        d_memories: gradient of the loss with respect to the slots after every step.
        d_memory: the same for the last slots, on top of it.
        cache: what `slots_forward` returned.
        params: the same as there.

    Returns:
        The gradients of u, of the slots before the first step, and of the parameters by name.
    """
    u, steps = cache
    of_layers = {name: value for name, value in params.items() if name.split(".")[0] in LAYERS}
    gradients = ParameterGradients(of_layers)
    d_update = np.empty(u.shape, u.dtype)
    d_gate_input = np.empty(u.shape, u.dtype)
    for t in reversed(range(len(steps))):
        d_memory, d_update[t], d_gate_input[t] = slots_step_backward(
            d_memory + d_memories[t], steps[t], params, gradients
        )
    total = gradients.total()
    d_u = np.zeros_like(u)
    for layer, d in (("update", d_update), ("gate_input", d_gate_input)):
        d_from_layer, total[f"{layer}.weight"], total[f"{layer}.bias"] = linear_backward(
            d, (u, params[f"{layer}.weight"])
        )
        d_u += d_from_layer
    return d_u, d_memory, total
