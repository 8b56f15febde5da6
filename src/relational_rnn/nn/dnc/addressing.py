"""Where the Differentiable Neural Computer reads and writes: pure functions, one for each equation.

Source: Graves et al. 2016, "Hybrid computing using a neural network with dynamic external memory", Methods.
Axes: B batch, N memory slots, W word size, H heads. A weighting is non-negative and sums to at most 1.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

EPSILON = 1e-6
"""Keeps lengths of words away from 0, and usages: both have no useful derivative there."""


def content_weighting(memory: Tensor, keys: Tensor, strengths: Tensor) -> Tensor:
    """Look up words that point the way a key does.

        C(M, k, β)[i] = softmax over i of (β k·M[i] / (|k| |M[i]|)),  |x| = sqrt(x·x + ε)

    Source: "Content-based addressing". With its ε the cosine of a word of zeros is 0, and differentiable.

    Args:
        memory: M, (B, N, W).
        keys: k, (B, H, W).
        strengths: β, (B, H), at least 1.

    Returns:
        Weightings, (B, H, N).

    Example:
        >>> memory = torch.eye(3)[None]
        >>> content_weighting(memory, memory[:, :1], torch.full((1, 1), 50.0)).round()
        tensor([[[1., 0., 0.]]])
    """
    of_keys, of_words = ((x.square().sum(-1) + EPSILON).sqrt() for x in (keys, memory))
    cosines = keys @ memory.mT / (of_keys.unsqueeze(-1) * of_words.unsqueeze(-2))
    return torch.softmax(strengths.unsqueeze(-1) * cosines, -1)


def retention(free_gates: Tensor, read_weights: Tensor) -> Tensor:
    """Say how much of each slot is not freed by what was read from it.

        ψ[i] = Π over heads r of (1 − f^r w^r[i])

    Source: "Dynamic memory allocation".

    Args:
        free_gates: f, (B, H), from 0 to 1.
        read_weights: w of the step before, (B, H, N).

    Returns:
        ψ, (B, N).
    """
    return (1 - free_gates.unsqueeze(-1) * read_weights).prod(1)


def usage_after(usage: Tensor, write_weights: Tensor, retained: Tensor) -> Tensor:
    """Count slots as used that were written, and as free that were read and released.

        u_t = (u + w − u ∘ w) ∘ ψ = (1 − (1 − u) ∘ (1 − w)) ∘ ψ

    Source: "Dynamic memory allocation". The second form stays from 0 to 1 whatever the rounding.

    Args:
        usage: u of the step before, (B, N).
        write_weights: w of the step before, (B, N).
        retained: ψ, (B, N).

    Returns:
        u_t, (B, N), from 0 to 1.
    """
    return (1 - (1 - usage) * (1 - write_weights)) * retained


def allocation_weighting(usage: Tensor) -> Tensor:
    """Point to the least used slots.

        a[φ[j]] = (1 − u[φ[j]]) Π over i < j of u[φ[i]],  φ the slots by rising usage (the free list)

    Source: "Dynamic memory allocation", equation 1. u is first moved into [ε, 1]: a product of zeros has no
    derivative that says which slot to free. Of equally used slots the first comes first. As in the paper, the
    order itself is not differentiated.

    Args:
        usage: u, (B, N), from 0 to 1.

    Returns:
        Weightings, (B, N); near 0 everywhere if all slots are used.

    Example:
        >>> allocation_weighting(torch.tensor([[1.0, 0.5, 1.0, 0.5]])).round(decimals=3)
        tensor([[0.0000, 0.5000, 0.0000, 0.2500]])
    """
    ordered, free_list = (usage + EPSILON * (1 - usage)).sort(dim=-1, stable=True)
    of_freer = F.pad(ordered.cumprod(-1)[:, :-1], (1, 0), value=1.0)
    return torch.zeros_like(ordered).scatter(-1, free_list, (1 - ordered) * of_freer)


def write_weighting(
    allocation: Tensor, content: Tensor, allocation_gate: Tensor, write_gate: Tensor
) -> Tensor:
    """Write to new slots, to ones found by content, or not at all.

        w = g^w (g^a a + (1 − g^a) c)

    Source: "Dynamic memory allocation".

    Args:
        allocation: a, (B, N).
        content: c, (B, N).
        allocation_gate: g^a, (B, 1), from 0 to 1.
        write_gate: g^w, (B, 1), from 0 to 1.

    Returns:
        A weighting, (B, N).
    """
    return write_gate * (content + allocation_gate * (allocation - content))


def links_after(links: Tensor, precedence: Tensor, write_weights: Tensor) -> Tensor:
    """Note which slot was written after which.

        L_t[i, j] = (1 − w[i] − w[j]) L[i, j] + w[i] p[j],  L_t[i, i] = 0

    Source: "Temporal memory linkage".

    Args:
        links: L of the step before, (B, N, N): L[i, j] says how surely i was written right after j. Its rows
            and columns are weightings.
        precedence: p of the step before, (B, N).
        write_weights: w of this step, (B, N).

    Returns:
        L_t, (B, N, N).
    """
    after, before = write_weights.unsqueeze(2), write_weights.unsqueeze(1)
    updated = (1 - after - before) * links + after * precedence.unsqueeze(1)
    to_itself = torch.eye(links.shape[-1], dtype=torch.bool, device=links.device)
    return updated.masked_fill(to_itself, 0)


def precedence_after(precedence: Tensor, write_weights: Tensor) -> Tensor:
    """Say how surely each slot is the last one written.

        p_t = (1 − Σ_i w[i]) p + w

    Source: "Temporal memory linkage".

    Args:
        precedence: p of the step before, (B, N).
        write_weights: w of this step, (B, N).

    Returns:
        p_t, a weighting, (B, N).
    """
    return (1 - write_weights.sum(-1, keepdim=True)) * precedence + write_weights


def read_weighting(links: Tensor, before: Tensor, content: Tensor, modes: Tensor) -> Tensor:
    """Read what was written before, what is like the key, or what was written after.

        w^r = π[1] Lᵀ w + π[2] c + π[3] L w

    Source: "Temporal memory linkage", "Read and write".

    Args:
        links: L, (B, N, N).
        before: w, the read weightings of the step before, (B, H, N).
        content: c, (B, H, N).
        modes: π, (B, H, 3), summing to 1.

    Returns:
        Weightings, (B, H, N).
    """
    backward, like, forward = modes.unsqueeze(-1).unbind(2)  # (B, H, 1) each
    return backward * (before @ links) + like * content + forward * (before @ links.mT)
