"""The hybrid relational RNN over a sequence: an LSTM with a relational memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, overload

import numpy as np
import numpy.typing as npt

from relational_rnn.config import Trace
from relational_rnn.config.checks import check_bool, check_sequence, check_shape, check_size, tells_names
from relational_rnn.reference.arrays import Array, as_floats, make_generator, shapes_of
from relational_rnn.reference.hybrid import HybridCore, HybridState, check_gradients_came
from relational_rnn.reference.initialise import xavier_uniform
from relational_rnn.reference.linear import LinearCache, linear_backward, linear_forward


class RelationalRNN(HybridCore):
    """An LSTM over a sequence, its hidden states completed by slots that attend to each other.

    See `RelationalRNNCell` for the step; then `y = output W_outputᵀ + b_output` if `output_size` is given.
    Equations: docs/hybrid.md; they are the package's own, not the paper's (that is `RelationalMemory`).

    Args:
        input_size: F, features of an input.
        hidden_size: features of h and c.
        output_size: O, features of an output; None for `hidden_size` and no output layer.
        num_slots: N, memory slots.
        slot_size: S, features of a slot.
        num_heads: H, attention heads; must divide S.
        slot_update: how the hidden state enters the slots: "shared" (the same update for all) or "attend" (as
            a row that they attend to, so that each takes its own).
        dtype: float64 or float32.
        seed: integer or generator that the initial values are drawn from; the output layer is Xavier uniform
            with bias 0.

    Attributes:
        params: those of `RelationalRNNCell`, and output.weight (O, hidden) and output.bias (O,) with
            `output_size`.
        grads: the same names; overwritten by each `backward`, not accumulated.

    Raises:
        TypeError: a size that is no integer, another dtype.
        ValueError: a size below 1, `num_heads` that does not divide `slot_size`, or an unknown `slot_update`.

    Example:
        >>> rnn = RelationalRNN(input_size=5, hidden_size=6, output_size=2, num_slots=3, slot_size=8)
        >>> outputs, h, c, memory = rnn.forward(np.zeros((7, 4, 5)), return_state=True)
        >>> outputs.shape, h.shape, memory.shape
        ((7, 4, 2), (7, 6), (7, 3, 8))
        >>> outputs, h, c, memory = rnn.forward(np.ones((7, 4, 5)), return_state=True, state=(h, c, memory))
        >>> d_sequence, d_state = rnn.backward(np.ones_like(outputs))
        >>> d_sequence.shape, rnn.grads["W_q.weight"].shape
        ((7, 4, 5), (8, 8))
    """

    @tells_names
    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        output_size: int | None = None,
        num_slots: int = 4,
        slot_size: int = 64,
        num_heads: int = 2,
        *,
        slot_update: str = "shared",
        dtype: npt.DTypeLike = np.float64,
        seed: int | np.random.Generator = 0,
    ) -> None:
        generator = make_generator(seed)
        super().__init__(
            input_size, hidden_size, num_slots, slot_size, num_heads, slot_update, dtype, generator
        )
        self.output_size = hidden_size if output_size is None else check_size("output_size", output_size)
        if output_size is not None:
            weight = xavier_uniform(generator, output_size, hidden_size)
            self.params["output.weight"] = weight.astype(self.dtype)
            self.params["output.bias"] = np.zeros(output_size, self.dtype)
            self._shapes = shapes_of(self.params)
        self._returned_sequences = True
        self._output_cache: LinearCache | None = None

    @overload
    def forward(
        self,
        sequence: npt.ArrayLike,
        return_sequences: bool = True,
        return_state: Literal[False] = False,
        state: Sequence[npt.ArrayLike] | None = None,
        *,
        return_trace: Literal[False] = False,
    ) -> Array: ...

    @overload
    def forward(
        self,
        sequence: npt.ArrayLike,
        return_sequences: bool = True,
        *,
        return_state: Literal[True],
        state: Sequence[npt.ArrayLike] | None = None,
        return_trace: Literal[False] = False,
    ) -> tuple[Array, Array, Array, Array]: ...

    @overload
    def forward(
        self,
        sequence: npt.ArrayLike,
        return_sequences: bool = True,
        return_state: bool = False,
        state: Sequence[npt.ArrayLike] | None = None,
        *,
        return_trace: Literal[True],
    ) -> tuple[Any, ...]: ...

    def forward(
        self,
        sequence: npt.ArrayLike,
        return_sequences: bool = True,
        return_state: bool = False,
        state: Sequence[npt.ArrayLike] | None = None,
        *,
        return_trace: bool = False,
    ) -> Array | tuple[Any, ...]:
        """Run over a sequence.

        Args:
            sequence: (B, T, F) floats, cast to the layer's dtype.
            return_sequences: outputs of all steps; False for the last step's alone.
            return_state: return four values: the outputs, and the last h, c and memory.
            state: (h, c, memory) before the first step, h and c each (B, hidden), memory (B, N, S), as they
                were returned; None means `initial_state`.
            return_trace: also return attention and gates of every step, as the last value.

        Returns:
            The outputs (B, T, O), or the last one (B, O); with `return_state` also h and c, each (B, hidden),
            and memory (B, N, S); and the `config.Trace` if asked for: attention (B, T, 1, H, N, M), M = N or
            with "attend" N + 1, the hidden state last; gates (B, T, N, S), the input gate 1 less the other.

        Raises:
            TypeError: sequence or state that hold no floats.
            ValueError: wrong shape, or an empty batch or sequence.
        """
        check_bool("return_state", return_state)
        check_bool("return_sequences", return_sequences)
        check_bool("return_trace", return_trace)
        x = as_floats("sequence", sequence, self.dtype)
        check_sequence("sequence", x.shape, ("B", "T", "F"), "RelationalRNNCell", F=self.input_size)
        x = x.swapaxes(0, 1).copy()  # (T, B, F); a copy always: backward needs it as it is now
        batch = x.shape[1]
        start = self.initial_state(batch) if state is None else self._check_state("state", state, batch)
        outputs, last = self._run(x, start, state is None)
        self._returned_sequences = return_sequences
        if not return_sequences:
            outputs = outputs[-1:]
        if "output.weight" in self.params:
            weight, bias = self.params["output.weight"], self.params["output.bias"]
            outputs, self._output_cache = linear_forward(outputs, weight, bias)
        # A copy, so that changing the outputs cannot change what backward needs.
        outputs = outputs.swapaxes(0, 1).copy() if return_sequences else outputs[0].copy()
        results: tuple[Any, ...] = (outputs, *last) if return_state else (outputs,)
        results += (self._trace(),) if return_trace else ()
        return results if len(results) > 1 else outputs

    def _trace(self) -> Trace:
        """Return copies of what the last run attended to and let through."""
        steps = self._forward_cache().slots.steps
        attention = np.stack([step.attention.weights for step in steps], axis=1)  # (B, T, H, N, M)
        forget_gate = np.stack([step.gate for step in steps], axis=1)
        return Trace(attention[:, :, None], 1 - forget_gate, forget_gate)

    def backward(
        self, d_outputs: npt.ArrayLike | None, d_state: Sequence[npt.ArrayLike] | None = None
    ) -> tuple[Array, HybridState]:
        """Carry gradients back through the last `forward`, through time, and overwrite `grads`.

        Args:
            d_outputs: gradient of the loss with respect to what `forward` returned as outputs; None for 0.
            d_state: the same for the last h, c and memory; None for 0.

        Returns:
            The gradient of the sequence (B, T, F), and those of h, c and memory before the first step. Where
            the memory started at the parameter `initial_memory`, that receives its gradient too.

        Raises:
            RuntimeError: there was no `forward` yet.
            TypeError: a gradient that holds no floats.
            ValueError: a gradient of another shape than what it belongs to, or no gradient at all.
        """
        check_gradients_came((d_outputs, d_state))
        length, batch = self._forward_cache().outputs.shape[:2]
        d_last = self._zero_state(batch) if d_state is None else self._check_state("d_state", d_state, batch)
        axes = {"B": batch, "T": length, "O": self.output_size}
        if not self._returned_sequences:
            del axes["T"]
        if d_outputs is None:
            d_y = np.zeros(tuple(axes.values()), self.dtype)
        else:
            d_y = as_floats("d_outputs", d_outputs, self.dtype)
            check_shape("d_outputs", d_y.shape, tuple(axes), **axes)
        d_y = d_y.swapaxes(0, 1) if self._returned_sequences else d_y[None]  # (T or 1, B, O)
        if self._output_cache is not None:
            d_y, d_weight, d_bias = linear_backward(d_y, self._output_cache)
            self.grads = self.grads | {"output.weight": d_weight, "output.bias": d_bias}
        d_combined = np.zeros((length, batch, self.hidden_size), self.dtype)
        d_combined[-len(d_y) :] = d_y
        d_inputs, d_state0 = self._run_backward(d_combined, d_last)
        return d_inputs.swapaxes(0, 1).copy(), d_state0
