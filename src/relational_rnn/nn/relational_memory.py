"""The Relational Memory Core as torch modules: one step, and a sequence called like `torch.nn.LSTM`."""

from __future__ import annotations

import dataclasses
from typing import Unpack

import torch
from torch import Tensor

from relational_rnn.config import CoreOptions, Trace
from relational_rnn.config.checks import check_bool, check_shape, tells_names
from relational_rnn.kernels import (
    BACKENDS,
    KernelOptions,
    SequenceInputs,
    autocasts,
    choose_backend,
    compiled,
    eager,
    run_sequence,
    run_step,
    without_autocast,
)
from relational_rnn.nn.core_layers import CoreLayers, log_called
from relational_rnn.nn.factory import check_dtype
from relational_rnn.nn.inputs import (
    OpenSequence,
    Resets,
    Sequence,
    check_state,
    check_tensor,
    open_sequence,
    refuse_sparse_gradients,
)
from relational_rnn.nn.sublayers import called_input, called_sequence, called_step


class RelationalMemoryCell(CoreLayers):
    """One step of the Relational Memory Core.

    Equations: docs/core.md. Source: Santoro et al. 2018, section 3.3; Sonnet 1.36, `relational_memory.py`.
    The paper lets only memory rows ask in attention; the authors' code, and this, let the input row ask too.

    Args:
        input_size, mem_slots, head_size, num_heads, backend, device, dtype, generator: as for
            `RelationalMemory`.
        **options: as for `RelationalMemory`.

    Raises:
        TypeError: a size is no integer, an unknown argument, a dtype that is not floating point.
        ValueError: a size below 1, an unknown option or options that contradict each other.

    Example:
        >>> cell = RelationalMemoryCell(input_size=5, mem_slots=3, head_size=4, num_heads=2)
        >>> output, memory = cell(torch.zeros(7, 5))
        >>> output.shape, memory.shape
        (torch.Size([7, 24]), torch.Size([7, 3, 8]))
    """

    def forward(
        self, input: Tensor | None, memory: Tensor | None = None, *, return_trace: bool = False
    ) -> tuple[Tensor, Tensor] | tuple[Tensor, Tensor, Trace]:
        """Advance the memory by one step.

        Args:
            input: (B, F), or (B, R, F) with `treat_input_as_matrix`; None for a step without input.
            memory: (B, N, D); None means `initial_state`.
            return_trace: also return attention and gates.

        Returns:
            The output (B, output_size), the next memory (B, N, D), and the `config.Trace` if asked for,
            without its T axis: attention (B, blocks, H, N, M), gates (B, N, G).

        Raises:
            TypeError: not a tensor, not floating point, or another dtype or device than the parameters'.
            ValueError: wrong shape, or neither an input nor a memory.
        """
        config, found = self.config, self._read_layers()
        parameters = None if isinstance(found, str) else found
        like = self._like if parameters is None else parameters["input_projection.weight"]
        check_bool("return_trace", return_trace)
        if input is not None:
            check_tensor("input", input, like)
            check_shape("input", input.shape, ("B", *config.input_axes), **config.input_sizes)
        elif memory is None:
            raise ValueError(
                "a step without input needs a memory of shape (B, N, D): nothing says the batch size"
            )
        if memory is None:
            assert input is not None
            memory = self._start(input.shape[0])
        else:
            batch = None if input is None else input.shape[0]
            check_state("memory", memory, batch, config, like)
        if parameters is None:
            log_called(found)
            rows, gates = (None, None) if input is None else called_input(self, input)
            memory = eager.in_range(config, memory)
            memory, trace = called_step(self, memory, rows, gates, return_trace)
        else:
            backend = BACKENDS[self._choose(like)]
            memory, trace = run_step(backend, config, parameters, input, memory, return_trace)
        output = self._read(found, input, memory)
        refuse_sparse_gradients(self, output, memory)
        return (output, memory) if trace is None else (output, memory, trace)


class RelationalMemory(CoreLayers):
    """The Relational Memory Core over a sequence, called like `torch.nn.LSTM`.

    Equations: docs/core.md. Source: Santoro et al. 2018, section 3.3; Sonnet 1.36, `relational_memory.py`.
    The paper lets only memory rows ask in attention; the authors' code, and this, let the input row ask too.

    Args:
        input_size: F, features of an input (of an input row with `treat_input_as_matrix`).
        mem_slots: N, memory slots.
        head_size: V, value size of an attention head; the memory width is D = head_size * num_heads.
        num_heads: H, attention heads.
        num_blocks: rounds of attention and MLP in a step.
        key_size: K, key size of a head; None means head_size.
        attention_mlp_layers: linear layers of the row-wise MLP.
        gate_style: "unit" (a gate for every element), "memory" (one for every slot), "none" or None.
        forget_bias: constant added to the forget gate.
        input_bias: constant added to the input gate.
        treat_input_as_matrix: an input is a matrix of rows that attention sees separately.
        input_rows: R, rows of a matrix input.
        initial_memory: "identity", "random" or "normal" (drawn once from N(0, 1/D) or N(0, 1), kept as a
            buffer), "zeros" (all slots alike, and they stay so) or "trainable".
        input_fusion: "append" (the input is an extra row) or "tile" (concatenated to every slot).
        read_head: "flatten" (output N*D), "mean", "weighted", "attention" or "query" (output D).
        use_attention: False replaces attention by the mean of the values.
        use_mlp: False leaves the MLP out.
        use_residual: False leaves the residual connections out.
        use_layer_norm: False leaves the layer norms out.
        batch_first: inputs and outputs are (B, T, ...) instead of (T, B, ...); memory is always (B, N, D).
        device, dtype: as everywhere in torch.
        generator: where initial values are drawn from; None means torch's own.
        backend: "auto" or one of `relational_rnn.kernels.BACKENDS`; `backend_in_use` says which runs.
        recompute: keep only the memories of a forward for its backward, which runs each step again: for long
            sequences, less memory for more time. Not with the eager backend, nor where a call is left to it
            (traces, autocast, torch.func, what docs/layer.md says of layers that have to be called).
        compute_dtype: the dtype of the matrix products, for example torch.bfloat16; None means the
            parameters'. Parameters, memory and results keep theirs. The same exceptions, but for autocast:
            with a dtype of its own the core stays on its backend there.

    Raises:
        TypeError: a size is no integer, an unknown argument, a dtype that is not floating point.
        ValueError: a size below 1, an unknown option, options that contradict each other or that the backend
            does not have.

    Example:
        >>> core = RelationalMemory(input_size=5, mem_slots=3, head_size=4, num_heads=2, batch_first=True)
        >>> outputs, memory = core(torch.zeros(7, 11, 5))
        >>> outputs.shape, memory.shape
        (torch.Size([7, 11, 24]), torch.Size([7, 3, 8]))
    """

    @tells_names
    def __init__(
        self,
        input_size: int,
        mem_slots: int,
        head_size: int,
        num_heads: int = 1,
        *,
        batch_first: bool = False,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
        generator: torch.Generator | None = None,
        backend: str = "auto",
        recompute: bool = False,
        compute_dtype: torch.dtype | None = None,
        **options: Unpack[CoreOptions],
    ) -> None:
        super().__init__(
            input_size,
            mem_slots,
            head_size,
            num_heads,
            device=device,
            dtype=dtype,
            generator=generator,
            backend=backend,
            **options,
        )
        self._kernel_options = KernelOptions(
            check_bool("recompute", recompute),
            None if compute_dtype is None else check_dtype(compute_dtype, "compute_dtype"),
        )
        dtype, device, _ = self._chosen
        self._chosen = (
            dtype,
            device,
            choose_backend(backend, self.config, dtype, device, self._kernel_options),
        )
        self.batch_first = check_bool("batch_first", batch_first)

    def extra_repr(self) -> str:
        """Show the configuration when printed."""
        return f"{super().extra_repr()}, batch_first={self.batch_first}"

    def forward(
        self,
        input: Sequence,
        state: Tensor | None = None,
        *,
        resets: Resets | None = None,
        return_trace: bool = False,
    ) -> tuple[Sequence, Tensor] | tuple[Sequence, Tensor, Trace]:
        """Run the core over a sequence.

        Args:
            input: (T, B, F), or (B, T, F) with `batch_first`, or (T, F) for one sequence, or a
                PackedSequence, sorted or not; with `treat_input_as_matrix` R stands before F.
            state: (B, N, D) before the first step (B = 1 for one sequence); None means `initial_state`.
            resets: bool, the input's leading axes: True restarts that row from `initial_state` before that
                step. For packed input a PackedSequence of the same lengths and order, or padded like the
                sequences that were packed: (T, B), or (B, T) with `batch_first`, rows in their order before
                packing, T the longest; what it says after a row's end does not count.
            return_trace: also return attention and gates of every step.

        Returns:
            The outputs in the input's layout with `output_size` features, the last memory of each row
            (B, N, D), and the `config.Trace` if asked for.

        Raises:
            TypeError: not a tensor, not floating point, or another dtype or device than the parameters';
                resets that are not bool.
            ValueError: wrong shape, an empty batch or sequence, resets packed in another way.
        """
        config, found = self.config, self._read_layers()
        like = self._like if isinstance(found, str) else found["input_projection.weight"]
        check_bool("return_trace", return_trace)
        opened = open_sequence(input, self.batch_first, config.input_axes, config.input_sizes, like)
        if state is None:
            memory = self._start(opened.batch)
        else:
            opened.check_rows(state, 3, "RelationalMemoryCell")
            check_state("state", state, opened.batch, config, like)
            memory = opened.sort(state)
        flags = None if resets is None else opened.match(resets)
        memories, last, trace = self._run(found, opened, memory, flags, return_trace, like)
        outputs = opened.close(self._read(found, opened.data, memories))
        last = opened.unsort(last)
        refuse_sparse_gradients(self, outputs, last)
        if trace is None:
            return outputs, last
        return outputs, last, Trace(*(t if t is None else opened.unsort(t) for t in trace))

    def _run(
        self,
        found: dict[str, Tensor] | str,
        opened: OpenSequence,
        memory: Tensor,
        resets: Tensor | None,
        trace: bool,
        like: Tensor,
    ) -> tuple[Tensor, Tensor, Trace | None]:
        """Run over an opened sequence: by calling all layers, by a compiler's operator, or by a backend."""
        kind, own = like.device.type, self._kernel_options.compute_dtype is not None
        if own and autocasts(kind) and not (trace or isinstance(found, str) or self._choose(like) == "eager"):
            # The backend casts by itself, and runs without autocast only.
            opened = dataclasses.replace(opened, data=opened.data.to(like.dtype))
            with without_autocast(kind):
                return self._run(found, opened, memory.to(like.dtype), resets, trace, like)
        # Only a reset needs it.
        initial = memory[0].detach() if resets is None else self._first_memory()
        if isinstance(found, str):
            log_called(found)
            return called_sequence(self, opened.data, opened.batch_sizes, memory, initial, resets, trace)
        name = self._choose(like)
        in_one_piece = opened.packed is None and not trace
        if torch.compiler.is_compiling() and in_one_piece and compiled.takes(name, opened.data):
            memories, last = compiled.sequence(
                name,
                self.config,
                found,
                opened.data,
                opened.steps,
                memory,
                initial,
                resets,
                self._kernel_options,
            )
            return memories, last, None
        given = SequenceInputs(self.config, found, opened.data, opened.batch_sizes, memory, initial, resets)
        return run_sequence(BACKENDS[name], given, self._kernel_options, trace)
