"""What the one-step and the sequence form of the Relational Memory Core share."""

from __future__ import annotations

from typing import NamedTuple, Unpack

import numpy as np
import numpy.typing as npt
from jaxtyping import Float

from relational_rnn.config import CoreOptions, RelationalMemoryConfig, Trace, parameter_shapes
from relational_rnn.config.checks import check_shape, check_size, check_unknown, tells_names
from relational_rnn.config.core import DRAWN_MEMORIES
from relational_rnn.reference.arrays import (
    Array,
    as_floats,
    check_dtype,
    check_parameters,
    make_generator,
    shapes_of,
)
from relational_rnn.reference.initialise import truncated_normal
from relational_rnn.reference.input_projection import join_tile_weights, split_tile_weights
from relational_rnn.reference.parameter_gradients import ParameterGradients
from relational_rnn.reference.read_head import ReadCache, read_head_backward, read_head_forward
from relational_rnn.reference.unroll import UnrollCache, unroll_backward, unroll_forward, unroll_trace


class _ForwardCache(NamedTuple):
    unroll: UnrollCache
    read: ReadCache
    starts_from_initial: bool
    memory_shape: tuple[int, ...]
    output_shape: tuple[int, ...]
    """(B, T, O)."""


class Core:
    """Parameters and both passes of `RelationalMemory` and `RelationalMemoryCell`, which see to the axes."""

    @tells_names
    def __init__(
        self,
        input_size: int,
        mem_slots: int,
        head_size: int,
        num_heads: int = 1,
        *,
        dtype: npt.DTypeLike = np.float64,
        seed: int | np.random.Generator = 0,
        **options: Unpack[CoreOptions],
    ) -> None:
        check_unknown(type(self), options, CoreOptions.__annotations__)
        self.config = RelationalMemoryConfig(
            input_size=input_size,
            mem_slots=mem_slots,
            head_size=head_size,
            num_heads=num_heads,
            **options,
        )
        self.dtype = check_dtype(dtype)
        generator = make_generator(seed)
        self.params = initial_parameters(self.config, generator, self.dtype)
        self._shapes = shapes_of(self.params)
        self.grads: dict[str, Array] = {}  # filled by `backward`
        self.buffers: dict[str, Array] = {}
        if self.config.initial_memory in DRAWN_MEMORIES:
            drawn = generator.standard_normal((self.config.mem_slots, self.config.memory_width))
            if self.config.initial_memory == "random":
                drawn /= np.sqrt(self.config.memory_width)
            self.buffers["initial_memory"] = drawn.astype(self.dtype)
        self._cache: _ForwardCache | None = None

    @property
    def input_size(self) -> int:
        """F, features of an input."""
        return self.config.input_size

    @property
    def output_size(self) -> int:
        """Features of an output: N D for the flatten read head, else D."""
        return self.config.output_size

    def initial_state(self, batch_size: int) -> Float[np.ndarray, "B N D"]:
        """Return the memory before the first step, the same for every sample.

        Source: Sonnet 1.36, `RelationalMemory.initial_state`, for the identity.

        Args:
            batch_size: B.

        Raises:
            TypeError: `batch_size` is no integer.
            ValueError: it is below 1.

        Example:
            >>> Core(input_size=3, mem_slots=2, head_size=3).initial_state(1).tolist()
            [[[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]]
        """
        return np.repeat(self._initial_memory()[None], check_size("batch_size", batch_size), axis=0)

    def _initial_memory(self) -> Float[np.ndarray, "N D"]:
        kept = {**self.buffers, **self.params}.get("initial_memory")
        if kept is not None:
            return kept
        if self.config.initial_memory == "zeros":
            return np.zeros((self.config.mem_slots, self.config.memory_width), self.dtype)
        return identity_memory(self.config, self.dtype)

    def _check_memory(self, name: str, memory: npt.ArrayLike, batch: int) -> Float[np.ndarray, "B N D"]:
        sizes = {"B": batch, "N": self.config.mem_slots, "D": self.config.memory_width}
        array = as_floats(name, memory, self.dtype)
        check_shape(name, array.shape, ("B", "N", "D"), **sizes)
        return array

    def _run(
        self,
        inputs: Float[np.ndarray, "T B *input_axes"] | None,
        memory: Float[np.ndarray, "B N D"] | None,
        batch: int,
        resets: Array | None,
        return_trace: bool,
    ) -> tuple[Float[np.ndarray, "B T O"], Float[np.ndarray, "B N D"], Trace | None]:
        """Run over checked arrays and keep what `_run_backward` needs; `inputs` are the core's own."""
        check_parameters(self.params, self._shapes, self.dtype)
        config, params = self.config, split_tile_weights(self.params, self.config)
        if inputs is not None and not config.treat_input_as_matrix:
            inputs = inputs[:, :, None]  # (T, B, 1, F): one input row
        # Copies: backward needs them as they are now, whatever the caller does to them meanwhile.
        start = self.initial_state(batch) if memory is None else memory.copy()
        resets = None if resets is None else resets.copy()
        memories, unrolled = unroll_forward(inputs, start, self._initial_memory(), resets, params, config)
        seen = None if inputs is None or config.treat_input_as_matrix else inputs[:, :, 0].swapaxes(0, 1)
        outputs, read = read_head_forward(memories, config.read_head, params, seen)  # (B, T, O)
        self._cache = _ForwardCache(unrolled, read, memory is None, start.shape, outputs.shape)
        trace = unroll_trace(unrolled, config) if return_trace else None
        return outputs, memories[:, -1].copy(), trace

    def _forward_cache(self) -> _ForwardCache:
        if self._cache is None:
            raise RuntimeError(f"{type(self).__name__}.backward needs a forward before it")
        return self._cache

    def _run_backward(
        self, d_outputs: Float[np.ndarray, "B T O"] | None, d_memory: Float[np.ndarray, "B N D"] | None
    ) -> tuple[Float[np.ndarray, "T B *input_axes"] | None, Float[np.ndarray, "B N D"]]:
        """Go back through `_run` over checked arrays and overwrite `grads`."""
        if d_outputs is None and d_memory is None:
            raise ValueError(
                "backward needs the gradient of the outputs, of the memory, or both; got neither"
            )
        cache, config = self._forward_cache(), self.config
        params = split_tile_weights(self.params, config)
        gradients = ParameterGradients(params)
        d_memories = d_asked = None
        if d_outputs is not None:
            d_memories, d_head, d_asked = read_head_backward(d_outputs, cache.read)  # (B, T, N, D)
            for name, gradient in d_head.items():
                gradients.add_direct(name, gradient)
        if d_memory is None:
            d_memory = np.zeros(cache.memory_shape, self.dtype)
        d_inputs, d_memory0, d_initial = unroll_backward(
            d_memories, d_memory, cache.unroll, params, config, gradients
        )
        if config.initial_memory == "trainable":
            if cache.starts_from_initial:
                d_initial = d_initial + d_memory0.sum(axis=0)
            gradients.add_direct("initial_memory", d_initial)
        self.grads = join_tile_weights(gradients.total(), config)
        if d_inputs is not None and not config.treat_input_as_matrix:
            d_inputs = d_inputs[:, :, 0]
            if d_asked is not None:
                d_inputs = d_inputs + d_asked.swapaxes(0, 1)
        return d_inputs, d_memory0


def initial_parameters(
    config: RelationalMemoryConfig, generator: np.random.Generator, dtype: npt.DTypeLike
) -> dict[str, Array]:
    """Draw the parameters as the authors do (docs/core.md, "Initial values").

    Example:
        >>> config = RelationalMemoryConfig(input_size=3, mem_slots=2, head_size=4)
        >>> initial_parameters(config, np.random.default_rng(0), np.float64)["mlp.0.bias"].tolist()
        [0.0, 0.0, 0.0, 0.0]
    """
    params = {}
    for name, shape in parameter_shapes(config).items():
        if name == "initial_memory":
            value = identity_memory(config, dtype)
        elif name == "read_weights" or name.endswith(".bias"):
            value = np.zeros(shape)
        elif len(shape) == 1 and name != "read_query":
            value = np.ones(shape)  # gain of a layer norm
        else:
            value = truncated_normal(generator, shape, fan_in=shape[-1])
        params[name] = value.astype(dtype)
    return params


def identity_memory(config: RelationalMemoryConfig, dtype: npt.DTypeLike) -> Float[np.ndarray, "N D"]:
    """Return one slot per axis: an identity matrix, cut or padded with zeros to the memory's width.

    Example:
        >>> config = RelationalMemoryConfig(input_size=3, mem_slots=3, head_size=2)
        >>> identity_memory(config, np.float64).tolist()
        [[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]]
    """
    return np.eye(config.mem_slots, config.memory_width, dtype=np.dtype(dtype))
