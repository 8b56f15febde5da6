"""The LSTM's parameters and checks, and one step of it as a layer."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from jaxtyping import Float

from relational_rnn.config.checks import check_shape, check_size
from relational_rnn.reference.arrays import (
    Array,
    as_floats,
    check_dtype,
    check_parameters,
    make_generator,
    shapes_of,
)
from relational_rnn.reference.lstm_step import State
from relational_rnn.reference.lstm_unroll import (
    LSTMCache,
    initial_lstm_parameters,
    lstm_unroll_backward,
    lstm_unroll_forward,
)


class LSTMCore:
    """Parameters and both passes of `LSTM` and `LSTMCell`, which see to the axes."""

    def __init__(
        self, input_size: int, hidden_size: int, dtype: npt.DTypeLike, generator: np.random.Generator
    ) -> None:
        self.input_size = check_size("input_size", input_size)
        self.hidden_size = check_size("hidden_size", hidden_size)
        self.dtype = check_dtype(dtype)
        params = initial_lstm_parameters(input_size, hidden_size, generator)
        self.params: dict[str, Array] = {name: value.astype(self.dtype) for name, value in params.items()}
        self._shapes = shapes_of(self.params)
        self.grads: dict[str, Array] = {}  # filled by `backward`
        self._cache: LSTMCache | None = None

    def initial_state(self, batch_size: int) -> State:
        """Return the state before the first step, h and c of zeros, each (B, hidden).

        Raises:
            TypeError: `batch_size` is no integer.
            ValueError: it is below 1.
        """
        shape = (check_size("batch_size", batch_size), self.hidden_size)
        return np.zeros(shape, self.dtype), np.zeros(shape, self.dtype)

    def _check_state(self, name: str, state: object, batch: int) -> State:
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

    def _forward_cache(self) -> LSTMCache:
        if self._cache is None:
            raise RuntimeError(f"{type(self).__name__}.backward needs a forward before it")
        return self._cache

    def _run(
        self, inputs: Float[np.ndarray, "T B F"], state: State
    ) -> tuple[Float[np.ndarray, "T B hidden"], State]:
        """Run over checked arrays and keep what `_run_backward` needs; `inputs` are the layer's own."""
        check_parameters(self.params, self._shapes, self.dtype)
        hiddens, last, self._cache = lstm_unroll_forward(inputs, state, self.params)
        return hiddens, last

    def _run_backward(
        self, d_hiddens: Float[np.ndarray, "T B hidden"] | None, d_state: State
    ) -> tuple[Float[np.ndarray, "T B F"], State]:
        """Go back through `_run` and overwrite the recurrent layer's `grads`."""
        cache = self._forward_cache()
        d_inputs, d_state0, gradients = lstm_unroll_backward(d_hiddens, d_state, cache, self.params)
        self.grads = self.grads | gradients
        return d_inputs, d_state0


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
