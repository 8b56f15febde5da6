"""The Relational Memory Core as torch modules: one step, and a sequence called like `torch.nn.LSTM`."""

from __future__ import annotations

import logging
from typing import Any, Unpack

import torch
from torch import Tensor, nn
from torch.nn.utils import skip_init

from relational_rnn.config import (
    CoreOptions,
    RelationalMemoryConfig,
    Trace,
    check_parameters,
    parameter_shapes,
)
from relational_rnn.config.checks import check_bool, check_shape, check_size, check_unknown, tells_names
from relational_rnn.config.core import DRAWN_MEMORIES
from relational_rnn.kernels import (
    BACKENDS,
    KernelOptions,
    SequenceInputs,
    choose_backend,
    compiled,
    eager,
    run_sequence,
    run_step,
)
from relational_rnn.kernels.operation import READ_PARAMETERS
from relational_rnn.nn.factory import FactoryKwargs, check_dtype
from relational_rnn.nn.initialise import initialise_linear_, truncated_normal_
from relational_rnn.nn.inputs import (
    OpenSequence,
    Resets,
    Sequence,
    check_state,
    check_tensor,
    open_sequence,
)
from relational_rnn.nn.sublayers import (
    called_input,
    called_sequence,
    called_step,
    has_hooks,
    hooks_everywhere,
    like_of,
    why_called,
)

logger = logging.getLogger(__name__)


def _tell(reason: object) -> None:
    if not torch.compiler.is_compiling():  # a compiler takes no logging
        logger.debug("all layers are called: %s", reason)


class _Block(nn.Module):
    """The layers that one round of attention and MLP does not share with the others."""

    def __init__(self, config: RelationalMemoryConfig, factory_kwargs: FactoryKwargs) -> None:
        super().__init__()
        self.config = config
        self.qkv = skip_init(nn.Linear, config.row_width, config.projection_width, **factory_kwargs)
        if config.use_layer_norm:
            self.qkv_norm = nn.LayerNorm(config.projection_width, **factory_kwargs)
            self.attention_norm = nn.LayerNorm(config.memory_width, **factory_kwargs)
            if config.use_mlp:
                self.mlp_norm = nn.LayerNorm(config.memory_width, **factory_kwargs)

    def forward(
        self, rows: Tensor, mlp: list[nn.Module], queries: int, trace: bool
    ) -> tuple[Tensor, Tensor | None]:
        """Call every layer, in the order of the equations; kernels do the same without calling any.

        Args:
            rows: (B, M, D), or (B, M, D + R D) with tile fusion.
            mlp: the layers of the row-wise MLP; none leaves it out.
            queries: how many rows ask, and come out.
            trace: also return the attention.

        Returns:
            (B, queries, D), and the weights (B, H, queries, M) or None.
        """
        config, normed = self.config, self.config.use_layer_norm
        projected = self.qkv(rows)
        projected = self.qkv_norm(projected) if normed else projected
        attended, weights = eager.attend(config, projected, None, queries, trace)
        out = attended + rows[:, :queries, : config.memory_width] if config.use_residual else attended
        out = self.attention_norm(out) if normed else out
        if not mlp:
            return out, weights
        mixed = out
        for number, layer in enumerate(mlp):
            mixed = layer(torch.relu(mixed) if number else mixed)
        out = out + mixed if config.use_residual else mixed
        return self.mlp_norm(out) if normed else out, weights


class _Core(nn.Module):
    """Parameters, initial values and initial state: what the cell and the sequence share."""

    initial_memory: Tensor
    """(N, D), if it is drawn or trainable; see `_first_memory`."""

    @tells_names
    def __init__(
        self,
        input_size: int,
        mem_slots: int,
        head_size: int,
        num_heads: int = 1,
        *,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
        generator: torch.Generator | None = None,
        backend: str = "auto",
        **options: Unpack[CoreOptions],
    ) -> None:
        """Check the arguments and draw the initial values."""
        super().__init__()
        check_unknown(type(self), options, CoreOptions.__annotations__)
        self.config = config = RelationalMemoryConfig(
            input_size=input_size,
            mem_slots=mem_slots,
            head_size=head_size,
            num_heads=num_heads,
            **options,
        )
        dtype = check_dtype(dtype)
        device = torch.get_default_device() if device is None else device
        self._backend_asked_for = backend
        self._kernel_options = KernelOptions()
        device = torch.device(device)
        chosen = choose_backend(backend, config, dtype, device)  # if it cannot run, say so now
        self._chosen = dtype, device, chosen

        width = config.memory_width
        factory_kwargs: FactoryKwargs = {"device": device, "dtype": dtype}
        self.input_projection = skip_init(nn.Linear, config.input_size, width, **factory_kwargs)
        self.blocks = nn.ModuleList(_Block(config, factory_kwargs) for _ in range(config.num_blocks))
        if config.use_mlp:
            layers = range(config.attention_mlp_layers)
            self.mlp = nn.ModuleList(skip_init(nn.Linear, width, width, **factory_kwargs) for _ in layers)
        if config.gate_width:
            self.gate_input = skip_init(
                nn.Linear, config.input_rows * width, 2 * config.gate_width, **factory_kwargs
            )
            self.gate_memory = skip_init(nn.Linear, width, 2 * config.gate_width, **factory_kwargs)
        if config.initial_memory == "trainable":
            self.initial_memory = nn.Parameter(torch.empty(config.mem_slots, width, **factory_kwargs))
        elif config.initial_memory in DRAWN_MEMORIES:
            self.register_buffer("initial_memory", torch.empty(config.mem_slots, width, **factory_kwargs))
        if config.read_head == "weighted":
            self.read_weights = nn.Parameter(torch.empty(config.mem_slots, **factory_kwargs))
        if config.read_head == "attention":
            self.read_query = nn.Parameter(torch.empty(width, **factory_kwargs))
        self._parameter_paths: dict[tuple[str, ...], list[tuple[str, str]]] = {}
        for name in parameter_shapes(config):
            *path, leaf = name.split(".")
            self._parameter_paths.setdefault(tuple(path), []).append((name, leaf))
        self.reset_parameters(generator)

    @torch.no_grad()
    def reset_parameters(self, generator: torch.Generator | None = None) -> None:
        """Draw all initial values anew, as the authors do: see docs/core.md."""
        for module in self.modules():
            if isinstance(module, nn.Linear):
                initialise_linear_(module, generator)
            elif isinstance(module, nn.LayerNorm):
                module.reset_parameters()
        width = self.config.memory_width
        if self.config.initial_memory in DRAWN_MEMORIES:
            deviation = 1.0 if self.config.initial_memory == "normal" else width**-0.5
            self.initial_memory.normal_(std=deviation, generator=generator)
        elif self.config.initial_memory == "trainable":
            nn.init.eye_(self.initial_memory)
        if self.config.read_head == "weighted":
            nn.init.zeros_(self.read_weights)
        if self.config.read_head == "attention":
            truncated_normal_(self.read_query, width, generator)

    @property
    def input_size(self) -> int:
        """F, features of an input."""
        return self.config.input_size

    @property
    def output_size(self) -> int:
        """Features of an output: N*D for the flatten read head, else D."""
        return self.config.output_size

    def initial_state(self, batch_size: int) -> Tensor:
        """Return the memory before the first step, (B, N, D).

        Source: Sonnet 1.36, `RelationalMemory.initial_state`. A trainable one carries gradients.

        Raises:
            TypeError: `batch_size` is no integer.
            ValueError: it is below 1.

        Example:
            >>> RelationalMemory(input_size=5, mem_slots=2, head_size=3).initial_state(1)
            tensor([[[1., 0., 0.],
                     [0., 1., 0.]]])
        """
        return self._start(check_size("batch_size", batch_size))

    def _start(self, batch: int) -> Tensor:
        # Apart from the check, which would fix the batch size of a `torch.export`.
        return self._first_memory().repeat(batch, 1, 1)

    def _first_memory(self) -> Tensor:
        if self.config.initial_memory not in ("identity", "zeros"):
            return self.initial_memory
        # Made from the sizes, not kept: a buffer would be missing after `to_empty` and `load_state_dict`.
        like = self._like
        sizes = self.config.mem_slots, self.config.memory_width
        make = torch.eye if self.config.initial_memory == "identity" else torch.zeros
        return make(*sizes, dtype=like.dtype, device=like.device)  # (N, D)

    def extra_repr(self) -> str:
        """Show the configuration when printed."""
        fields = vars(self.config)
        return ", ".join(f"{name}={value!r}" for name, value in fields.items())

    @property
    def backend_in_use(self) -> str:
        """The backend that runs the sequence: "auto" may mean another after `.to(...)`.

        It is "eager" while something acts through a layer of the core (hooks, pruning, adapters, quantised or
        sharded layers), since only that calls its layers.

        Raises:
            ValueError: the one asked for cannot run with the dtype or on the device that the core has now.
        """
        return "eager" if isinstance(self._read_layers(), str) else self._choose(self._like)

    def _choose(self, like: Tensor) -> str:
        dtype, device, chosen = self._chosen
        if dtype is not like.dtype or device != like.device:
            dtype, device = like.dtype, like.device
            chosen = choose_backend(self._backend_asked_for, self.config, dtype, device, self._kernel_options)
            self._chosen = dtype, device, chosen
        return chosen

    @property
    def _like(self) -> Tensor:
        """A tensor of the core's dtype and device."""
        return like_of(self, self.input_projection)

    def _read_layers(self) -> dict[str, Tensor] | str:
        """Return the parameters by name, or why they do not say all and every layer has to be called.

        Raises:
            ValueError: a parameter of another shape than it was made with, or another number of blocks.
        """
        config = self.config
        if hooks_everywhere():
            return "there are hooks on all modules"
        if config.use_mlp and len(self.mlp._modules) != config.attention_mlp_layers:
            return f"mlp has {len(self.mlp)} layers"
        if len(self.blocks._modules) != config.num_blocks:
            raise ValueError(f"blocks must be {config.num_blocks} (num_blocks), got {len(self.blocks)}")
        # Looked up at every call, so that parametrisations and functional calls are seen; past the modules'
        # own attribute access where that changes nothing, since a step of one sample takes no longer than it.
        found: dict[str, Tensor] = {}
        for path, leaves in self._parameter_paths.items():
            owner: Any = self
            for part in path:
                owner = owner._modules.get(part)
                if owner is None:
                    return f"{'.'.join(path)} was taken out"
            if path and (reason := why_called(owner)) is not None:
                return f"{'.'.join(path)} {reason}"
            own = owner._parameters
            for name, leaf in leaves:
                value = own.get(leaf)
                if value is None and (value := getattr(owner, leaf)) is None:
                    return f"{name} was taken out"
                found[name] = value
            if not path:
                check_parameters(config, found)  # those of the layers the backends check
        for block in self.blocks._modules.values():
            if type(block).forward is not _Block.forward or has_hooks(block):
                return "a block was replaced or has hooks"
        return found

    def _read_parameters(self, found: dict[str, Tensor] | str) -> dict[str, Tensor]:
        """Return what the read head needs, of what `_read_layers` found."""
        if not isinstance(found, str):
            return found
        return {name: getattr(self, name) for name in READ_PARAMETERS if hasattr(self, name)}


class RelationalMemoryCell(_Core):
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
            _tell(found)
            rows, gates = (None, None) if input is None else called_input(self, input)
            memory = eager.in_range(config, memory)
            memory, trace = called_step(self, memory, rows, gates, return_trace)
        else:
            backend = BACKENDS[self._choose(like)]
            memory, trace = run_step(backend, config, parameters, input, memory, return_trace)
        output = eager.read(config, self._read_parameters(found), memory)
        return (output, memory) if trace is None else (output, memory, trace)


class RelationalMemory(_Core):
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
        read_head: "flatten" (output N*D), "mean", "weighted" or "attention" (output D).
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
            parameters'. Parameters, memory and results keep theirs. The same exceptions.

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
        outputs = opened.close(eager.read(config, self._read_parameters(found), memories))
        if trace is None:
            return outputs, opened.unsort(last)
        return outputs, opened.unsort(last), Trace(*(t if t is None else opened.unsort(t) for t in trace))

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
        # Only a reset needs it.
        initial = memory[0].detach() if resets is None else self._first_memory()
        if isinstance(found, str):
            _tell(found)
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
