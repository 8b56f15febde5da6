"""The gated update of the memory and its derivative."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from relational_rnn.reference.activations import (
    sigmoid_backward,
    sigmoid_forward,
    tanh_backward,
    tanh_forward,
)


class GatesCache(NamedTuple):
    """What `gates_backward` needs."""

    input_gate: np.ndarray
    """(B, N, G) after the sigmoid."""
    forget_gate: np.ndarray
    """(B, N, G) after the sigmoid."""
    candidate: np.ndarray
    """(B, N, D), tanh of what attention and MLP made of the memory."""
    memory: np.ndarray
    """(B, N, D) before the update."""


def gates_forward(
    logits: Float[np.ndarray, "B N G2"],
    new: Float[np.ndarray, "B N D"],
    memory: Float[np.ndarray, "B N D"],
    input_bias: float,
    forget_bias: float,
) -> tuple[Float[np.ndarray, "B N D"], GatesCache]:
    """Blend the old memory with the new: `next = σ(i + input_bias) tanh(new) + σ(f + forget_bias) memory`.

    Source: Sonnet 1.36, `RelationalMemory._build`; the paper's section 3.3 without its output gate.

    Args:
        logits: i and f side by side, 2 G features; G = D gates every element, G = 1 a whole slot.
        new: what attention and MLP made of the memory.
        memory: the memory before the step; it enters without tanh.
        input_bias: constant added to i.
        forget_bias: constant added to f.

    Returns:
        The next memory, and the cache for `gates_backward`.

    Example:
        >>> memory = np.ones((1, 1, 2))
        >>> gates_forward(np.zeros((1, 1, 2)), np.zeros((1, 1, 2)), memory, 0.0, 0.0)[0].tolist()
        [[[0.5, 0.5]]]
    """
    gate_width = logits.shape[-1] // 2
    input_gate, _ = sigmoid_forward(logits[..., :gate_width] + input_bias)
    forget_gate, _ = sigmoid_forward(logits[..., gate_width:] + forget_bias)
    candidate, _ = tanh_forward(new)
    updated = input_gate * candidate
    updated += forget_gate * memory
    return updated, GatesCache(input_gate, forget_gate, candidate, memory)


def gates_backward(
    d_next: Float[np.ndarray, "B N D"], cache: GatesCache
) -> tuple[Float[np.ndarray, "B N G2"], Float[np.ndarray, "B N D"], Float[np.ndarray, "B N D"]]:
    """Carry the gradient `d_next` back through `gates_forward`.

    Args:
        d_next: gradient of the loss with respect to the next memory.
        cache: what `gates_forward` returned.

    Returns:
        The gradients of the logits, of `new`, and of `memory` (through the product with the forget gate).
    """
    input_gate, forget_gate, candidate, memory = cache
    d_input_gate, d_forget_gate = d_next * candidate, d_next * memory
    if input_gate.shape[-1] == 1:  # one gate served all features of a slot
        d_input_gate = d_input_gate.sum(axis=-1, keepdims=True)
        d_forget_gate = d_forget_gate.sum(axis=-1, keepdims=True)
    d_logits = np.concatenate(
        [sigmoid_backward(d_input_gate, input_gate), sigmoid_backward(d_forget_gate, forget_gate)], axis=-1
    )
    return d_logits, tanh_backward(d_next * input_gate, candidate), d_next * forget_gate
