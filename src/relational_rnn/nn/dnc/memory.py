"""The memory of the Differentiable Neural Computer: what controls it, and one step of writing and reading."""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from relational_rnn.nn.dnc.addressing import (
    allocation_weighting,
    content_weighting,
    links_after,
    precedence_after,
    read_weighting,
    retention,
    usage_after,
    write_weighting,
)


class Interface(NamedTuple):
    """What the controller tells the memory to do, every value in its range; H read heads and one to write."""

    read_keys: Tensor
    """(B, H, W)"""
    read_strengths: Tensor
    """(B, H), at least 1."""
    write_key: Tensor
    """(B, 1, W)"""
    write_strength: Tensor
    """(B, 1), at least 1."""
    erase: Tensor
    """(B, 1, W), from 0 to 1."""
    write: Tensor
    """(B, 1, W)"""
    free_gates: Tensor
    """(B, H), from 0 to 1."""
    allocation_gate: Tensor
    """(B, 1), from 0 to 1."""
    write_gate: Tensor
    """(B, 1), from 0 to 1."""
    read_modes: Tensor
    """(B, H, 3), summing to 1: backward, content, forward."""


def interface_widths(word_size: int, read_heads: int) -> list[int]:
    """Return how many numbers each part of the interface takes; they sum to W H + 3 W + 5 H + 3.

    Example:
        >>> sum(interface_widths(word_size=7, read_heads=2))
        48
    """
    words = read_heads * word_size
    return [words, read_heads, word_size, 1, word_size, word_size, read_heads, 1, 1, 3 * read_heads]


def parse_interface(vector: Tensor, word_size: int, read_heads: int) -> Interface:
    """Cut the interface vector into its parts and bring each into its range.

        oneplus(x) = 1 + log(1 + eˣ) for strengths, σ for gates and erasing, softmax for read modes

    Source: Graves et al. 2016, Methods, "Interface parameters", in the order given there.

    Args:
        vector: ξ, (B, W H + 3 W + 5 H + 3).
        word_size: W.
        read_heads: H.
    """
    keys, strengths, write_key, write_strength, erase, write, free, allocation, write_gate, modes = (
        vector.split(interface_widths(word_size, read_heads), -1)
    )
    return Interface(
        keys.unflatten(-1, (read_heads, word_size)),
        1 + F.softplus(strengths),
        write_key.unsqueeze(1),
        1 + F.softplus(write_strength),
        torch.sigmoid(erase).unsqueeze(1),
        write.unsqueeze(1),
        torch.sigmoid(free),
        torch.sigmoid(allocation),
        torch.sigmoid(write_gate),
        torch.softmax(modes.unflatten(-1, (read_heads, 3)), -1),
    )


class Memory(NamedTuple):
    """The words and all that is known about them."""

    words: Tensor
    """M, (B, N, W)"""
    usage: Tensor
    """u, (B, N), from 0 to 1."""
    links: Tensor
    """L, (B, N, N); see `links_after`."""
    precedence: Tensor
    """p, (B, N)"""
    write_weights: Tensor
    """w^w, (B, N)"""
    read_weights: Tensor
    """w^r, (B, H, N)"""


def access(memory: Memory, interface: Interface) -> tuple[Tensor, Memory]:
    """Free, write, link, read: one step.

        M_t = M ∘ (1 − w^w eᵀ) + w^w vᵀ,  r_t^h = M_tᵀ w^h

    Source: Graves et al. 2016, Methods, "Read and write", and the sections that `addressing` names.

    Args:
        memory: before the step.
        interface: what to do.

    Returns:
        What the heads read, r (B, H, W), and the memory after the step.
    """
    retained = retention(interface.free_gates, memory.read_weights)
    usage = usage_after(memory.usage, memory.write_weights, retained)
    found = content_weighting(memory.words, interface.write_key, interface.write_strength).squeeze(1)
    writing = write_weighting(
        allocation_weighting(usage), found, interface.allocation_gate, interface.write_gate
    )
    share = writing.unsqueeze(-1)  # (B, N, 1)
    words = memory.words * (1 - share * interface.erase) + share * interface.write
    links = links_after(memory.links, memory.precedence, writing)
    precedence = precedence_after(memory.precedence, writing)
    found = content_weighting(words, interface.read_keys, interface.read_strengths)
    reading = read_weighting(links, memory.read_weights, found, interface.read_modes)
    return reading @ words, Memory(words, usage, links, precedence, writing, reading)
