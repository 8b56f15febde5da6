"""The LSTM over a sequence: initial parameters, the loop, and back-propagation through time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from relational_rnn.reference.arrays import Array
from relational_rnn.reference.initialise import orthogonal, xavier_uniform
from relational_rnn.reference.linear import linear_backward, linear_backward_parameters, linear_forward
from relational_rnn.reference.lstm_step import LSTMStepCache, State, lstm_step_backward, lstm_step_forward


class LSTMCache(NamedTuple):
    """What `lstm_unroll_backward` needs."""

    inputs: Array
    """(T, B, F)"""
    hiddens: Array
    """(T + 1, B, hidden), from before the first step on."""
    steps: list[LSTMStepCache]


def initial_lstm_parameters(
    input_size: int, hidden_size: int, generator: np.random.Generator
) -> dict[str, Array]:
    """Draw Xavier weights for the input, orthogonal ones for h; biases are 0, the forget gate's 1.

    Example:
        >>> initial_lstm_parameters(3, 1, np.random.default_rng(0))["bias_ih"].tolist()
        [0.0, 1.0, 0.0, 0.0]
    """
    # Each gate is a layer of its own, so each has its own Xavier bound and its own orthogonal matrix.
    from_input = [xavier_uniform(generator, hidden_size, input_size) for _ in "ifgo"]
    from_hidden = [orthogonal(generator, hidden_size) for _ in "ifgo"]
    bias_ih = np.zeros(4 * hidden_size)
    bias_ih[hidden_size : 2 * hidden_size] = 1  # the forget gate starts open (Jozefowicz et al. 2015)
    return {
        "weight_ih": np.concatenate(from_input),
        "weight_hh": np.concatenate(from_hidden),
        "bias_ih": bias_ih,
        "bias_hh": np.zeros(4 * hidden_size),
    }


def lstm_unroll_forward(
    inputs: Float[np.ndarray, "T B F"], state: State, params: Mapping[str, Array]
) -> tuple[Float[np.ndarray, "T B hidden"], State, LSTMCache]:
    """Run `lstm_step_forward` over a sequence.

    Args:
        inputs: the sequence, which must not change until the backward pass.
        state: h and c before the first step; copied.
        params: weight_ih, weight_hh, bias_ih, bias_hh.

    Returns:
        The hidden states of all steps (a view of the cache), the last state, and the cache for
        `lstm_unroll_backward`.
    """
    state = state[0], state[1].copy()  # backward needs it as it is now; h is copied into `hiddens`
    from_input, _ = linear_forward(inputs, params["weight_ih"], params["bias_ih"])  # (T, B, 4 hidden)
    hiddens = np.empty((len(inputs) + 1, *state[0].shape), inputs.dtype)
    hiddens[0] = state[0]
    steps = []
    for t, gates in enumerate(from_input):
        state, cache = lstm_step_forward(gates, *state, params["weight_hh"], params["bias_hh"])
        hiddens[t + 1] = state[0]
        steps.append(cache)
    return hiddens[1:], state, LSTMCache(inputs, hiddens, steps)


def lstm_unroll_backward(
    d_hiddens: Float[np.ndarray, "T B hidden"] | None,
    d_state: State,
    cache: LSTMCache,
    params: Mapping[str, Array],
) -> tuple[Float[np.ndarray, "T B F"], State, dict[str, Array]]:
    """Carry gradients back through `lstm_unroll_forward`.

    Args:
        d_hiddens: gradient of the loss with respect to the hidden states of all steps; None for 0.
        d_state: the same for the last h and c, on top of it.
        cache: what `lstm_unroll_forward` returned.
        params: the same as there.

    Returns:
        The gradients of the inputs, of h and c before the first step, and of the parameters by name.
    """
    inputs, hiddens, steps = cache
    d_h, d_c = d_state
    d_gates = np.empty((*inputs.shape[:2], params["weight_hh"].shape[0]), inputs.dtype)
    for t in reversed(range(len(steps))):
        if d_hiddens is not None:
            d_h = d_h + d_hiddens[t]
        d_gates[t], (d_h, d_c) = lstm_step_backward(d_h, d_c, steps[t], params["weight_hh"])
    d_inputs, d_weight_ih, d_bias_ih = linear_backward(d_gates, (inputs, params["weight_ih"]))
    d_weight_hh, d_bias_hh = linear_backward_parameters(d_gates, hiddens[:-1])
    gradients = {
        "weight_ih": d_weight_ih,
        "weight_hh": d_weight_hh,
        "bias_ih": d_bias_ih,
        "bias_hh": d_bias_hh,
    }
    return d_inputs, (d_h, d_c), gradients
