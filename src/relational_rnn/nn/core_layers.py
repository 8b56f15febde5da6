"""The layers of the Relational Memory Core, which the cell and the sequence share, and who runs them."""

from __future__ import annotations

import logging
from typing import Any, Unpack

import torch
from torch import Tensor, nn
from torch.nn.utils import skip_init

from relational_rnn.config import CoreOptions, RelationalMemoryConfig, check_parameters, parameter_shapes
from relational_rnn.config.checks import check_size, check_unknown, tells_names
from relational_rnn.config.core import DRAWN_MEMORIES
from relational_rnn.kernels import KernelOptions, choose_backend, eager
from relational_rnn.kernels.operation import READ_PARAMETERS
from relational_rnn.nn.factory import FactoryKwargs, check_dtype
from relational_rnn.nn.initialise import initialise_linear_, truncated_normal_
from relational_rnn.nn.sublayers import has_hooks, hooks_everywhere, like_of, why_called

logger = logging.getLogger(__name__)


def log_called(reason: object) -> None:
    """Log why all layers are called, instead of a kernel."""
    if not torch.compiler.is_compiling():  # a compiler takes no logging
        logger.debug("all layers are called: %s", reason)


class Block(nn.Module):
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


class CoreLayers(nn.Module):
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
        self.blocks = nn.ModuleList(Block(config, factory_kwargs) for _ in range(config.num_blocks))
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
        if config.read_head == "query":
            self.read_projection = skip_init(nn.Linear, config.input_size, width, **factory_kwargs)
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
        self.reset_own_parameters(generator)

    @torch.no_grad()
    def reset_own_parameters(self, generator: torch.Generator | None = None) -> None:
        """Draw the initial values that no layer inside has: of the memory and of the read head."""
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
            >>> from relational_rnn.nn import RelationalMemory
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
            if type(block).forward is not Block.forward or has_hooks(block):
                return "a block was replaced or has hooks"
        return found

    def _read(self, found: dict[str, Tensor] | str, inputs: Tensor | None, memory: Tensor) -> Tensor:
        """Return the outputs of memories, given what `_read_layers` found.

        Args:
            found: the parameters, or why the layers have to be called.
            inputs: of the same steps; None for a step without one.
            memory: (..., N, D).
        """
        asks = self.config.read_head == "query"
        if isinstance(found, str):
            found = {name: getattr(self, name) for name in READ_PARAMETERS if hasattr(self, name)}
            if asks and inputs is not None:
                return eager.read(self.config, found, memory, self.read_projection(inputs))
            if asks:
                found["read_projection.bias"] = self.read_projection.bias
        query = eager.ask(found, inputs, memory) if asks else None
        return eager.read(self.config, found, memory, query)
