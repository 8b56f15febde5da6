"""One step of the Relational Memory Core (Santoro et al. 2018, section 3)."""

from __future__ import annotations

from typing import Literal, overload

import numpy.typing as npt

from relational_rnn.config import Trace
from relational_rnn.config.checks import check_bool, check_shape
from relational_rnn.reference.arrays import Array, as_floats
from relational_rnn.reference.core import Core


class RelationalMemoryCell(Core):
    """One step of `RelationalMemory`, with or without input; the constructor and the attributes are the same.

    Equations: docs/core.md; source: Santoro et al. 2018, section 3, and Sonnet 1.36's `relational_memory.py`.

    Example:
        >>> cell = RelationalMemoryCell(input_size=5, mem_slots=3, head_size=4, num_heads=2)
        >>> output, memory = cell.forward(np.zeros((7, 5)))
        >>> output, memory = cell.forward(None, memory)  # a step of thought
        >>> output.shape, memory.shape
        ((7, 24), (7, 3, 8))
    """

    @overload
    def forward(
        self,
        input: npt.ArrayLike | None,
        memory: npt.ArrayLike | None = None,
        return_trace: Literal[False] = False,
    ) -> tuple[Array, Array]: ...

    @overload
    def forward(
        self,
        input: npt.ArrayLike | None,
        memory: npt.ArrayLike | None = None,
        *,
        return_trace: Literal[True],
    ) -> tuple[Array, Array, Trace]: ...

    def forward(
        self,
        input: npt.ArrayLike | None,
        memory: npt.ArrayLike | None = None,
        return_trace: bool = False,
    ) -> tuple[Array, Array] | tuple[Array, Array, Trace]:
        """Advance the memory by one step.

        Args:
            input: (B, F), or (B, R, F) with `treat_input_as_matrix`; floats, cast to the core's dtype. None
                for a step without input.
            memory: (B, N, D) before the step; None means `initial_state`.
            return_trace: also return attention and gates.

        Returns:
            The output (B, output_size), the memory after the step (B, N, D), and the `config.Trace` if asked
            for, without its T axis: attention (B, blocks, H, N, M), gates (B, N, G).

        Raises:
            TypeError: an input or a memory that holds no floats.
            ValueError: wrong shape, an empty batch, or neither an input nor a memory.
        """
        config = self.config
        check_bool("return_trace", return_trace)
        x, start = None, None
        if input is not None:
            x = as_floats("input", input, self.dtype)
            check_shape("input", x.shape, ("B", *config.input_axes), **config.input_sizes)
        if memory is not None:
            start = as_floats("memory", memory, self.dtype)
            sizes = {} if x is None else {"B": len(x)}
            sizes |= {"N": config.mem_slots, "D": config.memory_width}
            check_shape("memory", start.shape, ("B", "N", "D"), **sizes)
        some = x if start is None else start
        if some is None:
            raise ValueError(
                "a step without input needs a memory of shape (B, N, D), for example "
                "initial_state(batch_size): nothing else says the batch size"
            )
        inputs = None if x is None else x[None].copy()  # (T = 1, B, ...)
        outputs, updated, trace = self._run(inputs, start, len(some), None, return_trace)
        if trace is None:
            return outputs[:, 0], updated
        return outputs[:, 0], updated, Trace(*(None if part is None else part[:, 0] for part in trace))

    def backward(
        self, d_output: npt.ArrayLike | None, d_memory: npt.ArrayLike | None = None
    ) -> tuple[Array | None, Array]:
        """Carry gradients back through the last `forward` and overwrite `grads`.

        Args:
            d_output: gradient of the loss with respect to the output, (B, output_size); None for 0.
            d_memory: the same for the memory after the step, (B, N, D); None for 0.

        Returns:
            The gradient of the input, in its shape (None for a step without input), and of the memory before
            the step, (B, N, D).

        Raises:
            RuntimeError: there was no `forward` yet.
            TypeError: a gradient that holds no floats.
            ValueError: a gradient of another shape than what it belongs to, or no gradient at all.
        """
        batch, _, width = self._forward_cache().output_shape
        d_y = None
        if d_output is not None:
            d_y = as_floats("d_output", d_output, self.dtype)
            check_shape("d_output", d_y.shape, ("B", "O"), B=batch, O=width)
            d_y = d_y[:, None]
        d_last = None if d_memory is None else self._check_memory("d_memory", d_memory, batch)
        d_inputs, d_before = self._run_backward(d_y, d_last)
        return None if d_inputs is None else d_inputs[0], d_before
