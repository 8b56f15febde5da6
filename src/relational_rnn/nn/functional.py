"""The two formulas of the core as plain functions on tensors: attention, and the gates between old and new.

The core's own step in plain torch (`kernels.eager`) calls the same functions. The layer is faster: its
kernels run whole sequences.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from relational_rnn.config.checks import check_number, check_shape
from relational_rnn.kernels import eager, plain_attention

__all__ = ["attention", "gated_update"]


def attention(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Let every query attend to the keys: softmax(q kᵀ / √K) v.

    Source: Santoro et al. 2018, equation 1; Vaswani et al. 2017, section 3.2.1.

    Args:
        query: (..., L, K); any leading axes, of which one may be heads.
        key: (..., M, K).
        value: (..., M, V).
        mask: bool, broadcast to (..., L, M): True where a query sees a key. A query that sees none gets 0.

    Returns:
        The attended values (..., L, V), and the probabilities (..., L, M).

    Raises:
        ValueError: fewer than two axes, queries and keys of different size, or not a value for each key.

    Example:
        >>> slots = torch.randn(7, 2, 3, 4)  # (B, H, N, K)
        >>> out, probs = attention(slots, slots, slots)
        >>> out.shape, probs.shape, bool(torch.allclose(probs.sum(-1), torch.ones(7, 2, 3)))
        (torch.Size([7, 2, 3, 4]), torch.Size([7, 2, 3, 3]), True)
    """
    shapes = [tuple(x.shape) for x in (query, key, value)]
    if min(map(len, shapes)) < 2 or shapes[0][-1] != shapes[1][-1] or shapes[1][-2] != shapes[2][-2]:
        raise ValueError(
            "attention takes query (..., L, K), key (..., M, K) and value (..., M, V), got shapes "
            f"{shapes[0]}, {shapes[1]} and {shapes[2]}"
        )
    return plain_attention(query, key, value, mask)


def gated_update(
    m_old: Tensor,
    m_attended: Tensor,
    x_t: Tensor,
    weight_memory: Tensor,
    weight_input: Tensor,
    bias_memory: Tensor | None = None,
    bias_input: Tensor | None = None,
    *,
    forget_bias: float = 1.0,
    input_bias: float = 0.0,
) -> Tensor:
    """Blend the memory with what attention made of it, by an input and a forget gate of its own content.

        i, f = σ(tanh(m_old) W_mᵀ + b_m + x_t W_xᵀ + b_x + (input_bias, forget_bias))
        next = i tanh(m_attended) + f m_old

    Source: Santoro et al. 2018, equations 5 to 8; Sonnet 1.36, `RelationalMemory._create_gates`.

    Args:
        m_old: (B, N, D), the memory before the step.
        m_attended: (B, N, D), the candidate: the memory after attention and MLP.
        x_t: (B, X), the input of the step, in the core its projection.
        weight_memory: (2G, D), the input gates first, then the forget gates; G = D for a gate for every
            element ("unit"), G = 1 for one for every slot ("memory").
        weight_input: (2G, X).
        bias_memory, bias_input: (2G,) each; None for none.
        forget_bias, input_bias: constants added to the gates before the sigmoid.

    Returns:
        The memory after the step, (B, N, D).

    Raises:
        TypeError: a bias that is no number.
        ValueError: wrong shape.

    Example:
        >>> from relational_rnn.nn import RelationalMemory
        >>> core = RelationalMemory(input_size=5, mem_slots=3, head_size=4)
        >>> memory, x = core.initial_state(7), core.input_projection(torch.zeros(7, 5))
        >>> of_memory, of_input = core.gate_memory, core.gate_input
        >>> gated_update(
        ...     memory, memory, x, of_memory.weight, of_input.weight, of_memory.bias, of_input.bias
        ... ).shape
        torch.Size([7, 3, 4])
    """
    check_shape("m_old", m_old.shape, ("B", "N", "D"))
    batch, slots, width = m_old.shape
    check_shape("m_attended", m_attended.shape, ("B", "N", "D"), B=batch, N=slots, D=width)
    check_shape("x_t", x_t.shape, ("B", "F"), B=batch)
    gates = len(weight_memory)
    if gates not in (2, 2 * width) or tuple(weight_memory.shape) != (gates, width):
        raise ValueError(
            f"weight_memory must have shape (2 D, D) = ({2 * width}, {width}) or (2, D) = (2, {width}), got "
            f"{tuple(weight_memory.shape)}"
        )
    if tuple(weight_input.shape) != (gates, x_t.shape[1]):
        wanted = (gates, x_t.shape[1])
        raise ValueError(f"weight_input must have shape {wanted}, got {tuple(weight_input.shape)}")
    offsets = eager.gate_offsets(
        m_old, gates // 2, check_number("input_bias", input_bias), check_number("forget_bias", forget_bias)
    )
    entered = (F.linear(x_t, weight_input, bias_input) + offsets).unsqueeze(1)  # (B, 1, 2G)
    return eager.gated_update(m_old, m_attended, entered, weight_memory, bias_memory)[0]
