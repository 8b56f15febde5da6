"""The LSTM's step, the loop over a sequence, and back-propagation through time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from jaxtyping import Float

from relational_rnn.reference.activations import (
    sigmoid_backward,
    sigmoid_forward,
    tanh_backward,
    tanh_forward,
)
from relational_rnn.reference.arrays import Array, as_floats, check_dtype, make_generator
from relational_rnn.reference.initialise import orthogonal, xavier_uniform
from relational_rnn.reference.linear import (
    linear_backward,
    linear_backward_input,
    linear_backward_parameters,
    linear_forward,
)
from relational_rnn.spec.checks import check_shape, check_size

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


class _LSTMCache(NamedTuple):
    inputs: Array
    """(T, B, F)"""
    hiddens: Array
    """(T + 1, B, hidden), from before the first step on."""
    steps: list[LSTMStepCache]


class LSTMCore:
    """Parameters and both passes of `LSTM` and `LSTMCell`, which see to the axes."""

    def __init__(
        self, input_size: int, hidden_size: int, dtype: npt.DTypeLike, generator: np.random.Generator
    ) -> None:
        self.input_size = check_size("input_size", input_size)
        self.hidden_size = check_size("hidden_size", hidden_size)
        self.dtype = check_dtype(dtype)
        # Each gate is a layer of its own, so each has its own Xavier bound and its own orthogonal matrix.
        from_input = [xavier_uniform(generator, hidden_size, input_size) for _ in "ifgo"]
        from_hidden = [orthogonal(generator, hidden_size) for _ in "ifgo"]
        bias_ih = np.zeros(4 * hidden_size)
        bias_ih[hidden_size : 2 * hidden_size] = 1  # the forget gate starts open (Jozefowicz et al. 2015)
        params = {
            "weight_ih": np.concatenate(from_input),
            "weight_hh": np.concatenate(from_hidden),
            "bias_ih": bias_ih,
            "bias_hh": np.zeros(4 * hidden_size),
        }
        self.params: dict[str, Array] = {name: value.astype(self.dtype) for name, value in params.items()}
        self.grads: dict[str, Array] = {}  # filled by `backward`
        self._cache: _LSTMCache | None = None

    def initial_state(self, batch_size: int) -> State:
        """Return the state before the first step, h and c of zeros, each (B, hidden).

        Raises:
            TypeError: `batch_size` is no integer.
            ValueError: it is below 1.
        """
        shape = (check_size("batch_size", batch_size), self.hidden_size)
        return np.zeros(shape, self.dtype), np.zeros(shape, self.dtype)

    def _check_state(self, name: str, state: Any, batch: int) -> State:
        """Return `state` as two arrays of the layer's dtype; None gives zeros."""
        if state is None:
            return self.initial_state(batch)
        if not isinstance(state, tuple | list) or len(state) != 2:
            raise ValueError(
                f"{name} must be a pair (h, c) of arrays (B, hidden), got {type(state).__name__}"
            )
        h, c = (as_floats(f"{name}'s {part}", x, self.dtype) for part, x in zip("hc", state, strict=True))
        for part, x in (("h", h), ("c", c)):
            check_shape(f"{name}'s {part}", x.shape, ("B", "D"), B=batch, D=self.hidden_size)
        return h, c

    def _forward_cache(self) -> _LSTMCache:
        if self._cache is None:
            raise RuntimeError(f"{type(self).__name__}.backward needs a forward before it")
        return self._cache

    def _run(
        self, inputs: Float[np.ndarray, "T B F"], state: State
    ) -> tuple[Float[np.ndarray, "T B hidden"], State]:
        """Run over checked arrays and keep what `_run_backward` needs; `inputs` are the layer's own."""
        params = self.params
        state = state[0], state[1].copy()  # backward needs it as it is now; h is copied into `hiddens`
        from_input, _ = linear_forward(inputs, params["weight_ih"], params["bias_ih"])  # (T, B, 4 hidden)
        hiddens = np.empty((len(inputs) + 1, *state[0].shape), self.dtype)
        hiddens[0] = state[0]
        steps = []
        for t, gates in enumerate(from_input):
            state, cache = lstm_step_forward(gates, *state, params["weight_hh"], params["bias_hh"])
            hiddens[t + 1] = state[0]
            steps.append(cache)
        self._cache = _LSTMCache(inputs, hiddens, steps)
        return hiddens[1:], state

    def _run_backward(
        self, d_hiddens: Float[np.ndarray, "T B hidden"] | None, d_state: State
    ) -> tuple[Float[np.ndarray, "T B F"], State]:
        """Go back through `_run` and overwrite the recurrent layer's `grads`."""
        inputs, hiddens, steps = self._forward_cache()
        d_h, d_c = d_state
        d_gates = np.empty((*inputs.shape[:2], 4 * self.hidden_size), self.dtype)
        for t in reversed(range(len(steps))):
            if d_hiddens is not None:
                d_h = d_h + d_hiddens[t]
            d_gates[t], (d_h, d_c) = lstm_step_backward(d_h, d_c, steps[t], self.params["weight_hh"])
        d_inputs, d_weight, d_bias = linear_backward(d_gates, (inputs, self.params["weight_ih"]))
        d_weight_hh, d_bias_hh = linear_backward_parameters(d_gates, hiddens[:-1])
        self.grads = self.grads | {
            "weight_ih": d_weight,
            "weight_hh": d_weight_hh,
            "bias_ih": d_bias,
            "bias_hh": d_bias_hh,
        }
        return d_inputs, (d_h, d_c)


class LSTMCell(LSTMCore):
    """One step of an LSTM: see `lstm_step_forward` for the equations.

    Args:
        input_size: F, features of an input.
        hidden_size: features of the hidden and of the cell state.
        dtype: float64 or float32.
        seed: integer or generator that the weights are drawn from: Xavier uniform from the input, orthogonal
            from the hidden state, each gate by itself; biases are 0, the forget gate's 1 (in `bias_ih`).

    Attributes:
        params: weight_ih (4 hidden, F), weight_hh (4 hidden, hidden), bias_ih and bias_hh (4 hidden,); gates
            in the order i, f, g, o.
        grads: the same names; overwritten by each `backward`, not accumulated.

    Raises:
        TypeError: a size that is no integer, another dtype.
        ValueError: a size below 1.

    Example:
        >>> cell = LSTMCell(input_size=5, hidden_size=4)
        >>> h, c = cell.forward(np.zeros((7, 5)))
        >>> h.shape, c.shape
        ((7, 4), (7, 4))
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        *,
        dtype: npt.DTypeLike = np.float64,
        seed: int | np.random.Generator = 0,
    ) -> None:
        super().__init__(input_size, hidden_size, dtype, make_generator(seed))

    def forward(self, input: npt.ArrayLike, state: Sequence[npt.ArrayLike] | None = None) -> State:
        """Advance the state by one step.

        Args:
            input: (B, F) floats, cast to the cell's dtype.
            state: h and c, each (B, hidden), before the step; None means zeros.

        Returns:
            h and c after the step.

        Raises:
            TypeError: input or state that hold no floats.
            ValueError: wrong shape, or an empty batch.
        """
        x = as_floats("input", input, self.dtype)
        check_shape("input", x.shape, ("B", "F"), F=self.input_size)
        return self._run(x[None].copy(), self._check_state("state", state, len(x)))[1]

    def backward(self, d_h: npt.ArrayLike | None, d_c: npt.ArrayLike | None = None) -> tuple[Array, State]:
        """Carry gradients back through the last `forward` and overwrite `grads`.

        Args:
            d_h: gradient of the loss with respect to h after the step, (B, hidden); None for 0.
            d_c: the same for c; None for 0.

        Returns:
            The gradient of the input (B, F), and those of h and c before the step.

        Raises:
            RuntimeError: there was no `forward` yet.
            TypeError: a gradient that holds no floats.
            ValueError: a gradient of another shape than what it belongs to, or no gradient at all.
        """
        if d_h is None and d_c is None:
            raise ValueError("backward needs the gradient of h, of c, or both; got neither")
        batch = self._forward_cache().inputs.shape[1]
        zeros = self.initial_state(batch)
        given = tuple(zero if d is None else d for d, zero in zip((d_h, d_c), zeros, strict=True))
        d_inputs, d_state = self._run_backward(None, self._check_state("d_state", given, batch))
        return d_inputs[0], d_state
