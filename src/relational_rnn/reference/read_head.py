"""How the memory becomes an output: the read heads and their derivatives."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from relational_rnn.reference.softmax import softmax_backward, softmax_forward


class ReadCache(NamedTuple):
    """What `read_head_backward` needs."""

    kind: str
    memory: Float[np.ndarray, "*steps N D"]
    weights: np.ndarray | None = None
    """Of the slots, (N,) or (*steps, N)."""
    query: np.ndarray | None = None
    """(D,), or (*steps, D) where the inputs ask."""
    inputs: Float[np.ndarray, "*steps F"] | None = None
    """That asked."""
    projection: Float[np.ndarray, "D F"] | None = None
    """With which they did."""


def read_head_forward(
    memory: Float[np.ndarray, "*steps N D"],
    kind: str,
    params: Mapping[str, np.ndarray],
    inputs: Float[np.ndarray, "*steps F"] | None = None,
) -> tuple[Float[np.ndarray, "*steps O"], ReadCache]:
    """Read an output from every memory; all steps and samples at once.

    - "flatten": all slots side by side (the paper's), width N D.
    - "mean": `Σ_n m_n / N`, width D.
    - "weighted": `Σ_n w_n m_n`, `w = softmax(read_weights)`, the same for every input.
    - "attention": `Σ_n w_n m_n`, `w = softmax(m · read_query / sqrt(D))` over the slots.
    - "query": the same with `q = W x + b` for read_query, and `q` added to the sum; as End-To-End Memory
      Networks answer (Sukhbaatar et al. 2015, section 2.1), with the slots for sentences.

    Only "flatten" is the paper's and the authors'.

    Args:
        memory: memories, with any leading axes.
        kind: one of the five.
        params: holds "read_weights" (N,), "read_query" (D,), or "read_projection.weight" (D, F) and
            "read_projection.bias" (D,), where the kind needs it.
        inputs: of the same steps, for "query"; without any the bias asks.

    Returns:
        The outputs, and the cache for `read_head_backward`.

    Example:
        >>> read_head_forward(np.array([[1.0, 2.0], [3.0, 4.0]]), "mean", {})[0].tolist()
        [2.0, 3.0]
    """
    slots, width = memory.shape[-2:]
    if kind == "flatten":
        return memory.reshape(*memory.shape[:-2], slots * width), ReadCache(kind, memory)
    if kind == "mean":
        return memory.mean(axis=-2), ReadCache(kind, memory)
    if kind == "weighted":
        weights, _ = softmax_forward(params["read_weights"])  # (N,)
        return np.einsum("n,...nd->...d", weights, memory), ReadCache(kind, memory, weights)
    if kind == "attention":
        query, projection = params["read_query"], None
    else:
        projection, bias = params["read_projection.weight"], params["read_projection.bias"]
        query = np.broadcast_to(bias, (*memory.shape[:-2], width))
        if inputs is not None:
            query = query + inputs @ projection.T
    scores = np.einsum("...nd,...d->...n", memory, query) / math.sqrt(width)
    weights, _ = softmax_forward(scores)  # (..., N)
    output = np.einsum("...n,...nd->...d", weights, memory)
    if kind == "query":
        output = output + query
    return output, ReadCache(kind, memory, weights, query, inputs, projection)


def read_head_backward(
    d_output: Float[np.ndarray, "*steps O"], cache: ReadCache
) -> tuple[Float[np.ndarray, "*steps N D"], dict[str, np.ndarray], Float[np.ndarray, "*steps F"] | None]:
    """Carry the gradient `d_output` back through `read_head_forward`.

    Args:
        d_output: gradient of the loss with respect to the outputs.
        cache: what `read_head_forward` returned.

    Returns:
        The gradient of the memories, those of the head's parameters by name, and that of the inputs, None
        where they did not ask.
    """
    kind, memory, weights, query, inputs, projection = cache
    slots, width = memory.shape[-2:]
    if kind == "flatten":
        return d_output.reshape(memory.shape), {}, None
    d_sum = d_output[..., None, :]  # (..., 1, D)
    if weights is None:
        return np.broadcast_to(d_sum / slots, memory.shape), {}, None
    d_memory = weights[..., None] * d_sum
    d_weights = (memory * d_sum).sum(axis=-1)  # (..., N)
    if query is None:
        d_weights = d_weights.reshape(-1, slots).sum(axis=0)  # one set of weights served all memories
        return d_memory, {"read_weights": softmax_backward(d_weights, weights)}, None
    d_scores = softmax_backward(d_weights, weights) / math.sqrt(width)
    d_memory = d_memory + d_scores[..., None] * query[..., None, :]
    d_query = np.einsum("...n,...nd->...d", d_scores, memory)  # (..., D)
    if kind == "attention":
        return d_memory, {"read_query": d_query.reshape(-1, width).sum(axis=0)}, None
    d_query = d_query + d_output
    d_rows = d_query.reshape(-1, width)
    d_params = {"read_projection.bias": d_rows.sum(axis=0)}
    if inputs is None or projection is None:
        return d_memory, d_params, None
    d_params["read_projection.weight"] = d_rows.T @ inputs.reshape(len(d_rows), -1)
    return d_memory, d_params, d_query @ projection
