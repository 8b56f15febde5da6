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

    gates: np.ndarray
    """(B, N, 2G) after the sigmoid: input gates and forget gates side by side."""
    candidate: np.ndarray
    """(B, N, D), tanh of what attention and MLP made of the memory."""
    memory: np.ndarray
    """(B, N, D) before the update."""

    @property
    def input_gate(self) -> np.ndarray:
        """(B, N, G)"""
        return self.gates[..., : self.gates.shape[-1] // 2]

    @property
    def forget_gate(self) -> np.ndarray:
        """(B, N, G)"""
        return self.gates[..., self.gates.shape[-1] // 2 :]


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
    biases = np.repeat(np.array([input_bias, forget_bias], logits.dtype), logits.shape[-1] // 2)
    gates: np.ndarray = logits + biases
    sigmoid_forward(gates, out=gates)
    candidate, _ = tanh_forward(new)
    cache = GatesCache(gates, candidate, memory)
    updated = cache.input_gate * candidate
    updated += cache.forget_gate * memory
    return updated, cache


def gates_backward(
    d_next: Float[np.ndarray, "B N D"], cache: GatesCache
) -> tuple[Float[np.ndarray, "B N G2"], Float[np.ndarray, "B N D"], Float[np.ndarray, "B N D"]]:
    """Carry the gradient `d_next` back through `gates_forward`.

    Args:
        d_next: gradient of the loss with respect to the next memory.
        cache: what `gates_forward` returned.

    Returns:
        The gradients of the logits, of `new`, and of `memory` (through the product with the forget gate).

    Example:
        >>> memory = np.ones((1, 1, 2))
        >>> _, cache = gates_forward(np.zeros((1, 1, 2)), np.zeros((1, 1, 2)), memory, 0.0, 0.0)
        >>> [gradient.tolist() for gradient in gates_backward(np.ones((1, 1, 2)), cache)]
        [[[[0.0, 0.5]]], [[[0.5, 0.5]]], [[[0.5, 0.5]]]]
    """
    gates, candidate, memory = cache
    gate_width = gates.shape[-1] // 2
    d_gates = np.empty_like(gates)
    for half, factor in ((d_gates[..., :gate_width], candidate), (d_gates[..., gate_width:], memory)):
        if gate_width == 1:  # one gate served all features of a slot
            np.einsum("bnd,bnd->bn", d_next, factor, out=half[..., 0])
        else:
            np.multiply(d_next, factor, out=half)
    d_new = tanh_backward(d_next * cache.input_gate, candidate)
    return sigmoid_backward(d_gates, gates), d_new, d_next * cache.forget_gate
