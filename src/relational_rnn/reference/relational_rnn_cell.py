"""One step of the hybrid relational RNN: an LSTM cell with a relational memory."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from relational_rnn.config.checks import check_shape, tells_names
from relational_rnn.reference.arrays import Array, as_floats
from relational_rnn.reference.hybrid import HybridCore, check_gradients_came


class RelationalRNNCell(HybridCore):
    """One step of an LSTM with a memory beside it: slots that take in h and attend to each other.

        h, c = LSTM(x, h, c);  u = W_in h;  w = memory + W_u u;  new = w + attention(w)
        memory = f memory + (1 − f) tanh(new);  output = tanh(W [h ; W_r mean(memory)])

    Equations: docs/hybrid.md; they are the package's own, not the paper's (that is `RelationalMemoryCell`).

    Args:
        input_size: F, features of an input.
        hidden_size: features of h, c and the output.
        num_slots: N, memory slots.
        slot_size: S, features of a slot; where it equals `hidden_size`, there is no W_in.
        num_heads: H, attention heads; must divide S.
        slot_update: how the hidden state enters the slots: "shared" (the same update for all) or "attend" (as
            a row that they attend to, so that each takes its own).
        dtype: float64 or float32.
        seed: integer or generator that the initial values are drawn from.

    Attributes:
        params: arrays by name, as in docs/hybrid.md; change them in place or replace them.
        grads: the same names; overwritten by each `backward`, not accumulated.

    Raises:
        TypeError: a size that is no integer, another dtype.
        ValueError: a size below 1, `num_heads` that does not divide `slot_size`, or an unknown `slot_update`.

    Example:
        >>> cell = RelationalRNNCell(input_size=5, hidden_size=6, num_slots=3, slot_size=8)
        >>> output, h, c, memory = cell.forward(np.zeros((7, 5)))
        >>> output, h, c, memory = cell.forward(np.ones((7, 5)), h, c, memory)
        >>> output.shape, h.shape, memory.shape
        ((7, 6), (7, 6), (7, 3, 8))
    """

    @tells_names
    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_slots: int = 4,
        slot_size: int = 64,
        num_heads: int = 2,
        *,
        slot_update: str = "shared",
        dtype: npt.DTypeLike = np.float64,
        seed: int | np.random.Generator = 0,
    ) -> None:
        super().__init__(input_size, hidden_size, num_slots, slot_size, num_heads, slot_update, dtype, seed)

    def forward(
        self,
        x: npt.ArrayLike,
        h: npt.ArrayLike | None = None,
        c: npt.ArrayLike | None = None,
        memory: npt.ArrayLike | None = None,
    ) -> tuple[Array, Array, Array, Array]:
        """Advance the state by one step.

        Args:
            x: (B, F) floats, cast to the cell's dtype.
            h: (B, hidden) before the step; None means zeros.
            c: (B, hidden) before the step; None means zeros.
            memory: (B, N, S) before the step; None means the parameter `initial_memory`.

        Returns:
            The output (B, hidden), and h, c and memory after the step.

        Raises:
            TypeError: an array that holds no floats.
            ValueError: wrong shape, or an empty batch.
        """
        inputs = as_floats("x", x, self.dtype)
        check_shape("x", inputs.shape, ("B", "F"), F=self.input_size)
        batch = len(inputs)
        h0, c0, memory0 = self.initial_state(batch)
        state = (
            h0 if h is None else self._check_array("h", h, batch),
            c0 if c is None else self._check_array("c", c, batch),
            memory0 if memory is None else self._check_array("memory", memory, batch),
        )
        outputs, after = self._run(inputs[None].copy(), state, memory is None)
        return (outputs[0].copy(), *after)

    def backward(
        self,
        d_output: npt.ArrayLike | None,
        d_h: npt.ArrayLike | None = None,
        d_c: npt.ArrayLike | None = None,
        d_memory: npt.ArrayLike | None = None,
    ) -> tuple[Array, Array, Array, Array]:
        """Carry gradients back through the last `forward` and overwrite `grads`.

        Args:
            d_output: gradient of the loss with respect to the output, (B, hidden); None for 0.
            d_h: the same for h after the step; None for 0.
            d_c: the same for c; None for 0.
            d_memory: the same for the memory, (B, N, S); None for 0.

        Returns:
            The gradient of x (B, F), and those of h, c and memory before the step.

        Raises:
            RuntimeError: there was no `forward` yet.
            TypeError: a gradient that holds no floats.
            ValueError: a gradient of another shape than what it belongs to, or no gradient at all.
        """
        check_gradients_came((d_output, d_h, d_c, d_memory))
        batch = self._forward_cache().outputs.shape[1]
        zeros = self._zero_state(batch)
        d_y = zeros[0] if d_output is None else self._check_array("d_output", d_output, batch)
        d_after = (
            zeros[0] if d_h is None else self._check_array("d_h", d_h, batch),
            zeros[1] if d_c is None else self._check_array("d_c", d_c, batch),
            zeros[2] if d_memory is None else self._check_array("d_memory", d_memory, batch),
        )
        d_inputs, d_before = self._run_backward(d_y[None], d_after)
        return (d_inputs[0], *d_before)
