"""How the memory becomes an output: the read heads and their derivatives."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from jaxtyping import Float

from relational_rnn.reference.softmax import softmax_backward, softmax_forward

ReadCache = tuple[str, np.ndarray, np.ndarray | None, np.ndarray | None]
"""The kind of head, the memory, the weights of the slots, and the query."""


def read_head_forward(
    memory: Float[np.ndarray, "*steps N D"], kind: str, params: Mapping[str, np.ndarray]
) -> tuple[Float[np.ndarray, "*steps O"], ReadCache]:
    """Read an output from every memory; all steps and samples at once.

    - "flatten": all slots side by side (the paper's), width N D.
    - "mean": `Σ_n m_n / N`, width D.
    - "weighted": `Σ_n w_n m_n`, `w = softmax(read_weights)`, the same for every input.
    - "attention": `Σ_n w_n m_n`, `w = softmax(m · read_query / sqrt(D))` over the slots.

    Only "flatten" is the paper's and the authors'.

    Args:
        memory: memories, with any leading axes.
        kind: one of the four.
        params: holds "read_weights" (N,) or "read_query" (D,) where the kind needs it.

    Returns:
        The outputs, and the cache for `read_head_backward`.

    Example:
        >>> read_head_forward(np.array([[1.0, 2.0], [3.0, 4.0]]), "mean", {})[0].tolist()
        [2.0, 3.0]
    """
    slots, width = memory.shape[-2:]
    if kind == "flatten":
        return memory.reshape(*memory.shape[:-2], slots * width), (kind, memory, None, None)
    if kind == "mean":
        return memory.mean(axis=-2), (kind, memory, None, None)
    query = None
    if kind == "weighted":
        weights, _ = softmax_forward(params["read_weights"])  # (N,)
    else:
        query = params["read_query"]
        weights, _ = softmax_forward(memory @ query / math.sqrt(width))  # (..., N)
    return np.einsum("...n,...nd->...d", weights, memory), (kind, memory, weights, query)


def read_head_backward(
    d_output: Float[np.ndarray, "*steps O"], cache: ReadCache
) -> tuple[Float[np.ndarray, "*steps N D"], dict[str, np.ndarray]]:
    """Carry the gradient `d_output` back through `read_head_forward`.

    Args:
        d_output: gradient of the loss with respect to the outputs.
        cache: what `read_head_forward` returned.

    Returns:
        The gradient of the memories, and those of the head's parameters by name.
    """
    kind, memory, weights, query = cache
    slots, width = memory.shape[-2:]
    if kind == "flatten":
        return d_output.reshape(memory.shape), {}
    d_output = d_output[..., None, :]  # (..., 1, D)
    if weights is None:
        return np.broadcast_to(d_output / slots, memory.shape), {}
    d_memory = weights[..., None] * d_output
    d_weights = (memory * d_output).sum(axis=-1)  # (..., N)
    if query is None:
        d_weights = d_weights.reshape(-1, slots).sum(axis=0)  # one set of weights served all memories
        return d_memory, {"read_weights": softmax_backward(d_weights, weights)}
    d_scores = softmax_backward(d_weights, weights) / math.sqrt(width)
    d_query = d_scores.reshape(-1) @ memory.reshape(-1, width)
    return d_memory + d_scores[..., None] * query, {"read_query": d_query}
