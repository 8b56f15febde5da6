"""The LSTM over a sequence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, overload

import numpy as np
import numpy.typing as npt

from relational_rnn.config.checks import check_bool, check_sequence, check_shape, check_size
from relational_rnn.reference.arrays import Array, as_floats, make_generator, shapes_of
from relational_rnn.reference.initialise import xavier_uniform
from relational_rnn.reference.linear import linear_backward, linear_forward
from relational_rnn.reference.lstm_cell import LSTMCore
from relational_rnn.reference.lstm_step import State


class LSTM(LSTMCore):
    """An LSTM over a sequence, with an optional linear layer on every hidden state.

    See `lstm_step_forward` for the equations; then `y = h W_outputᵀ + b_output` if `output_size` is given.

    Args:
        input_size: F, features of an input.
        hidden_size: features of the hidden and of the cell state.
        output_size: O, features of an output; None for the hidden state itself.
        dtype: float64 or float32.
        seed: integer or generator that the weights are drawn from; see `LSTMCell` for how. The output layer
            is Xavier uniform with bias 0.

    Attributes:
        params: those of `LSTMCell`, and output.weight (O, hidden) and output.bias (O,) with `output_size`.
        grads: the same names; overwritten by each `backward`, not accumulated.

    Raises:
        TypeError: a size that is no integer, another dtype.
        ValueError: a size below 1.

    Example:
        >>> lstm = LSTM(input_size=5, hidden_size=4, output_size=2)
        >>> outputs, (h, c) = lstm.forward(np.zeros((7, 6, 5)), return_state=True)
        >>> outputs.shape, h.shape
        ((7, 6, 2), (7, 4))
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        output_size: int | None = None,
        *,
        dtype: npt.DTypeLike = np.float64,
        seed: int | np.random.Generator = 0,
    ) -> None:
        generator = make_generator(seed)
        super().__init__(input_size, hidden_size, dtype, generator)
        self.output_size = hidden_size if output_size is None else check_size("output_size", output_size)
        if output_size is not None:
            weight = xavier_uniform(generator, output_size, hidden_size)
            self.params["output.weight"] = weight.astype(self.dtype)
            self.params["output.bias"] = np.zeros(output_size, self.dtype)
            self._shapes = shapes_of(self.params)
        self._returned_sequences = True

    @overload
    def forward(
        self,
        sequence: npt.ArrayLike,
        return_sequences: bool = True,
        return_state: Literal[False] = False,
        state: Sequence[npt.ArrayLike] | None = None,
    ) -> Array: ...

    @overload
    def forward(
        self,
        sequence: npt.ArrayLike,
        return_sequences: bool = True,
        *,
        return_state: Literal[True],
        state: Sequence[npt.ArrayLike] | None = None,
    ) -> tuple[Array, State]: ...

    def forward(
        self,
        sequence: npt.ArrayLike,
        return_sequences: bool = True,
        return_state: bool = False,
        state: Sequence[npt.ArrayLike] | None = None,
    ) -> Array | tuple[Array, State]:
        """Run over a sequence.

        Args:
            sequence: (B, T, F) floats, cast to the layer's dtype.
            return_sequences: outputs of all steps; False for the last step's alone.
            return_state: also return the last state.
            state: h and c, each (B, hidden), before the first step; None means zeros.

        Returns:
            The outputs (B, T, O), or the last one (B, O); with `return_state` also h and c, each (B, hidden).

        Raises:
            TypeError: sequence or state that hold no floats.
            ValueError: wrong shape, or an empty batch or sequence.
        """
        check_bool("return_state", return_state)
        self._returned_sequences = check_bool("return_sequences", return_sequences)
        x = as_floats("sequence", sequence, self.dtype)
        check_sequence("sequence", x.shape, ("B", "T", "F"), "LSTMCell", F=self.input_size)
        x = x.swapaxes(0, 1).copy()  # (T, B, F); a copy always: backward needs it as it is now
        hiddens, last = self._run(x, self._check_state("state", state, x.shape[1]))
        outputs = hiddens if return_sequences else hiddens[-1:]
        if "output.weight" in self.params:
            outputs, _ = linear_forward(outputs, self.params["output.weight"], self.params["output.bias"])
        # A copy, so that changing the outputs cannot change what backward needs.
        outputs = outputs.swapaxes(0, 1).copy() if return_sequences else outputs[0].copy()
        return (outputs, last) if return_state else outputs

    def backward(
        self,
        d_outputs: npt.ArrayLike | None,
        d_state: Sequence[npt.ArrayLike] | None = None,
    ) -> tuple[Array, State]:
        """Carry gradients back through the last `forward`, through time, and overwrite `grads`.

        Args:
            d_outputs: gradient of the loss with respect to what `forward` returned as outputs; None for 0.
            d_state: the same for the last h and c; None for 0.

        Returns:
            The gradient of the sequence (B, T, F), and those of h and c before the first step.

        Raises:
            RuntimeError: there was no `forward` yet.
            TypeError: a gradient that holds no floats.
            ValueError: a gradient of another shape than what it belongs to, or no gradient at all.
        """
        if d_outputs is None and d_state is None:
            raise ValueError("backward needs the gradient of the outputs, of the state, or both; got neither")
        inputs, hiddens, _ = self._forward_cache()
        length, batch = inputs.shape[:2]
        d_last = self._check_state("d_state", d_state, batch)
        axes = {"B": batch, "T": length, "O": self.output_size}
        if not self._returned_sequences:
            del axes["T"]
        if d_outputs is None:
            d_y = np.zeros(tuple(axes.values()), self.dtype)
        else:
            d_y = as_floats("d_outputs", d_outputs, self.dtype)
            check_shape("d_outputs", d_y.shape, tuple(axes), **axes)
        d_y = d_y.swapaxes(0, 1) if self._returned_sequences else d_y[None]  # (T or 1, B, O)
        if "output.weight" in self.params:
            read = hiddens[-len(d_y) :]  # all but the state before the first step, or the last one
            d_y, d_weight, d_bias = linear_backward(d_y, (read, self.params["output.weight"]))
            self.grads = self.grads | {"output.weight": d_weight, "output.bias": d_bias}
        d_hiddens = np.zeros((length, batch, self.hidden_size), self.dtype)
        d_hiddens[-len(d_y) :] = d_y
        d_inputs, d_state0 = self._run_backward(d_hiddens, d_last)
        return d_inputs.swapaxes(0, 1).copy(), d_state0
