"""The Relational Memory Core over a sequence (Santoro et al. 2018, section 3)."""

from __future__ import annotations

from typing import Literal, overload

import numpy as np
import numpy.typing as npt

from relational_rnn.config import Trace
from relational_rnn.config.checks import check_bool, check_sequence, check_shape
from relational_rnn.reference.arrays import Array, as_booleans, as_floats
from relational_rnn.reference.core import Core


class RelationalMemory(Core):
    """A recurrent layer whose memory is a set of slots that attend to each other and to the input.

    Equations: docs/core.md; source: Santoro et al. 2018, section 3, and Sonnet 1.36's `relational_memory.py`.
    The paper lets only memory rows ask in attention; the authors' code, and this, let the input row ask too.

    Args:
        input_size: F, features of an input (of an input row with `treat_input_as_matrix`).
        mem_slots: N, memory slots.
        head_size: V, value size of a head; the memory width D is `head_size * num_heads`.
        num_heads: H, attention heads.
        **options: how many blocks, which gates, initial memory, input fusion and read head, what is left out:
            `config.RelationalMemoryConfig` explains each.
        dtype: float64 or float32; everything is computed and returned in it.
        seed: integer or generator that the initial values are drawn from.

    Attributes:
        config: the `RelationalMemoryConfig`.
        params: arrays by name, as in `config.parameter_shapes`; change them in place or replace them.
        grads: the same names; overwritten by each `backward`, not accumulated.
        buffers: "initial_memory" if that is drawn, else empty.

    Raises:
        TypeError: a size that is no integer, an unknown argument, another dtype.
        ValueError: a size below 1, an unknown option, or options that contradict each other.

    Example:
        >>> core = RelationalMemory(input_size=5, mem_slots=3, head_size=4, num_heads=2)
        >>> outputs, memory = core.forward(np.zeros((7, 6, 5)))
        >>> outputs.shape, memory.shape
        ((7, 6, 24), (7, 3, 8))
        >>> d_inputs, d_memory0 = core.backward(np.ones_like(outputs))
        >>> d_inputs.shape, core.grads["gate_memory.weight"].shape
        ((7, 6, 5), (16, 8))
    """

    @overload
    def forward(
        self,
        inputs: npt.ArrayLike,
        memory: npt.ArrayLike | None = None,
        *,
        resets: npt.ArrayLike | None = None,
        return_trace: Literal[False] = False,
    ) -> tuple[Array, Array]: ...

    @overload
    def forward(
        self,
        inputs: npt.ArrayLike,
        memory: npt.ArrayLike | None = None,
        *,
        resets: npt.ArrayLike | None = None,
        return_trace: Literal[True],
    ) -> tuple[Array, Array, Trace]: ...

    def forward(
        self,
        inputs: npt.ArrayLike,
        memory: npt.ArrayLike | None = None,
        *,
        resets: npt.ArrayLike | None = None,
        return_trace: bool = False,
    ) -> tuple[Array, Array] | tuple[Array, Array, Trace]:
        """Run over a sequence.

        Args:
            inputs: (B, T, F), or (B, T, R, F) with `treat_input_as_matrix`; floats, cast to the core's dtype.
            memory: (B, N, D) before the first step; None means `initial_state`.
            resets: booleans (B, T); True restarts that sample from the initial memory before that step.
            return_trace: also return attention and gates of every step.

        Returns:
            The outputs (B, T, output_size), the last memory (B, N, D), and the `config.Trace` if asked for.

        Raises:
            TypeError: inputs or memory that hold no floats, resets that hold no booleans.
            ValueError: wrong shape, or an empty batch or sequence.
        """
        config = self.config
        check_bool("return_trace", return_trace)
        x = as_floats("inputs", inputs, self.dtype)
        check_sequence(
            "inputs", x.shape, ("B", "T", *config.input_axes), "RelationalMemoryCell", **config.input_sizes
        )
        batch, length = x.shape[:2]
        start = None if memory is None else self._check_memory("memory", memory, batch)
        restarts = None if resets is None else as_booleans("resets", resets)
        if restarts is not None:
            check_shape("resets", restarts.shape, ("B", "T"), B=batch, T=length)
        # Time first inside, so that a step's part of all that is made from the inputs is one piece of memory.
        # Always a copy: backward needs the inputs as they are now.
        x = x.swapaxes(0, 1).copy()
        outputs, last, trace = self._run(x, start, batch, restarts, return_trace)
        return (outputs, last) if trace is None else (outputs, last, trace)

    def backward(
        self, d_outputs: npt.ArrayLike | None, d_memory: npt.ArrayLike | None = None
    ) -> tuple[Array, Array]:
        """Carry gradients back through the last `forward`, through time, and overwrite `grads`.

        Args:
            d_outputs: gradient of the loss with respect to the outputs, (B, T, output_size); None for 0.
            d_memory: the same for the last memory, (B, N, D); None for 0.

        Returns:
            The gradient of the inputs, in their shape, and of the memory before the first step, (B, N, D).
            What lies before a reset receives nothing from what lies after it. A trainable initial memory
            receives, in `grads`, what reached it through `memory=None` and through resets.

        Raises:
            RuntimeError: there was no `forward` yet.
            TypeError: a gradient that holds no floats.
            ValueError: a gradient of another shape than what it belongs to, or no gradient at all.
        """
        batch, length, width = self._forward_cache().output_shape
        d_y = None
        if d_outputs is not None:
            d_y = as_floats("d_outputs", d_outputs, self.dtype)
            check_shape("d_outputs", d_y.shape, ("B", "T", "O"), B=batch, T=length, O=width)
        d_last = None if d_memory is None else self._check_memory("d_memory", d_memory, batch)
        d_inputs, d_memory0 = self._run_backward(d_y, d_last)
        assert d_inputs is not None  # a sequence has inputs
        return np.ascontiguousarray(d_inputs.swapaxes(0, 1)), d_memory0
