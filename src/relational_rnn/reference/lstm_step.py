"""One step of the LSTM and its derivative (Hochreiter and Schmidhuber 1997, Gers et al. 2000)."""

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
from relational_rnn.reference.arrays import Array
from relational_rnn.reference.linear import linear_backward_input, linear_forward

State = tuple[Array, Array]
"""h and c, each (B, hidden)."""


class LSTMStepCache(NamedTuple):
    """What `lstm_step_backward` needs; each (B, hidden)."""

    i: Array
    f: Array
    g: Array
    o: Array
    c_before: Array
    tanh_c: Array


def lstm_step_forward(
    from_input: Float[np.ndarray, "B gates"],
    h: Float[np.ndarray, "B hidden"],
    c: Float[np.ndarray, "B hidden"],
    weight_hh: Float[np.ndarray, "gates hidden"],
    bias_hh: Float[np.ndarray, " gates"],
) -> tuple[State, LSTMStepCache]:
    """Advance the state by one step.

        i, f, g, o = split(x W_ihᵀ + b_ih + h W_hhᵀ + b_hh)
        c = σ(f) c + σ(i) tanh(g)
        h = σ(o) tanh(c)

    Source: Hochreiter and Schmidhuber 1997 with the forget gate of Gers et al. 2000; the order of the gates
    is torch's.

    Args:
        from_input: `x W_ihᵀ + b_ih`, which needs no state and so is made for all steps at once.
        h: hidden state before the step.
        c: cell state before the step.
        weight_hh: W_hh.
        bias_hh: b_hh.

    Returns:
        The state after the step, and the cache for `lstm_step_backward`.
    """
    gates, _ = linear_forward(h, weight_hh, bias_hh)
    gates += from_input  # (B, 4 hidden)
    size = h.shape[1]
    i_and_f, _ = sigmoid_forward(gates[:, : 2 * size])
    i, f = i_and_f[:, :size], i_and_f[:, size:]
    g, _ = tanh_forward(gates[:, 2 * size : 3 * size])
    o, _ = sigmoid_forward(gates[:, 3 * size :])
    updated = f * c + i * g
    tanh_c, _ = tanh_forward(updated)
    return (o * tanh_c, updated), LSTMStepCache(i, f, g, o, c, tanh_c)


def lstm_step_backward(
    d_h: Float[np.ndarray, "B hidden"],
    d_c: Float[np.ndarray, "B hidden"],
    cache: LSTMStepCache,
    weight_hh: Float[np.ndarray, "gates hidden"],
) -> tuple[Float[np.ndarray, "B gates"], State]:
    """Carry the gradients of the state back through `lstm_step_forward`.

    Args:
        d_h: gradient of the loss with respect to the hidden state after the step.
        d_c: the same for the cell state.
        cache: what `lstm_step_forward` returned.
        weight_hh: the same as in `lstm_step_forward`.

    Returns:
        The gradient of the gates' sums, from which the parameters' and the input's follow, and the gradients
        of the state before the step.
    """
    i, f, g, o, c_before, tanh_c = cache
    d_c = d_c + tanh_backward(d_h * o, tanh_c)
    d_gates = np.concatenate(
        [
            sigmoid_backward(d_c * g, i),
            sigmoid_backward(d_c * c_before, f),
            tanh_backward(d_c * i, g),
            sigmoid_backward(d_h * tanh_c, o),
        ],
        axis=1,
    )
    return d_gates, (linear_backward_input(d_gates, weight_hh), d_c * f)
