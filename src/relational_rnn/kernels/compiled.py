"""The whole sequence as an operator of torch's own, which torch.compile and torch.export keep in one piece.

A compiler can follow neither C nor a hand-written backward. It sees an operator, the shapes of its results
and an operator for its gradients, so a compiled model runs on the same kernels as one that is not compiled.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import math
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import torch
from torch import Tensor

from relational_rnn.config import RelationalMemoryConfig, parameter_shapes
from relational_rnn.kernels.backend import KernelOptions, SequenceInputs, SequenceKernel
from relational_rnn.kernels.backends import BACKENDS
from relational_rnn.kernels.dot_product import autocasts, transformed
from relational_rnn.kernels.fused.forward import buffer_shapes
from relational_rnn.kernels.native.fwd_bwd import saved_size
from relational_rnn.kernels.operation import READ_PARAMETERS, left_to_eager
from relational_rnn.kernels.workspace import rounded

_TAKES: Final = "a compiled sequence takes plain tensors of one dtype and device"

IN_ONE_PIECE: Final = ("fused", "native")
"""The backends that the operator runs on; eager's operations the compiler sees one by one."""


def takes(backend: str, x: Tensor) -> bool:
    """Say whether the operator runs a backend for inputs like x.

    It has a first derivative only; torch.func's transforms, forward mode and autocast are eager's.
    """
    return backend in IN_ONE_PIECE and not autocasts(x.device.type) and not transformed((x,))


def sequence(
    backend: str,
    config: RelationalMemoryConfig,
    parameters: Mapping[str, Tensor],
    inputs: Tensor,
    steps: int,
    memory: Tensor,
    initial: Tensor,
    resets: Tensor | None,
    options: KernelOptions,
) -> tuple[Tensor, Tensor]:
    """Run a backend over sequences of one length, whose number a compiler may not know: T, not `batch_sizes`.

    Args:
        backend: one of `IN_ONE_PIECE`.
        config: the core.
        parameters: its parameters.
        inputs: (S, F) or (S, R, F), S = steps * B.
        steps: T.
        memory: (B, N, D).
        initial: (N, D).
        resets: (S,) bool, or None.
        options: of the backend's kernel.

    Returns:
        The memories (S, N, D) and the last ones (B, N, D).
    """
    values = [parameters[name] for name in _names(config)]
    if resets is None:
        initial = initial.detach()  # not used
    keep = torch.is_grad_enabled() and any(x.requires_grad for x in (inputs, memory, initial, *values))
    how = as_text(config, backend, options)
    memories, last, _ = _sequence(inputs, memory, initial, resets, values, steps, how, keep)
    return memories, last


def as_text(config: RelationalMemoryConfig, backend: str, options: KernelOptions) -> str:
    """Write what is no tensor as JSON: an operator's arguments are tensors, numbers and text.

    Example:
        >>> config = RelationalMemoryConfig(input_size=3, mem_slots=2, head_size=4)
        >>> as_text(config, "fused", KernelOptions())[:49]
        '{"backend": "fused", "recompute": false, "compute'
    """
    dtype = options.compute_dtype
    name = None if dtype is None else str(dtype).removeprefix("torch.")
    how = {"backend": backend, "recompute": options.recompute, "compute_dtype": name}
    return json.dumps(how | {"config": dataclasses.asdict(config)})


as_text._dynamo_marked_constant = True  # type: ignore[attr-defined]  # a compiler takes the text as it is


class _How(NamedTuple):
    """What `as_text` writes."""

    config: RelationalMemoryConfig
    backend: str
    options: KernelOptions

    def kernel(self, device: torch.device) -> SequenceKernel:
        make = BACKENDS[self.backend].kernel
        assert make is not None
        return make(self.options, device)


@functools.lru_cache(maxsize=64)
def _from_text(text: str) -> _How:
    how = json.loads(text)
    name = how["compute_dtype"]
    options = KernelOptions(how["recompute"], None if name is None else getattr(torch, name))
    return _How(RelationalMemoryConfig(**how["config"]), how["backend"], options)


def _names(config: RelationalMemoryConfig) -> list[str]:
    return [name for name in parameter_shapes(config) if name not in READ_PARAMETERS]


@torch.library.custom_op("relational_rnn::sequence", mutates_args=())
def _sequence(
    inputs: Tensor,
    memory: Tensor,
    initial: Tensor,
    resets: Tensor | None,
    parameters: list[Tensor],
    steps: int,
    how: str,
    keep: bool,
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the memories, the last ones, and what is saved for the gradients (empty without `keep`)."""
    read = _from_text(how)
    values = dict(zip(_names(read.config), parameters, strict=True))
    if (reason := left_to_eager(values, inputs, memory, initial)) is not None:
        raise ValueError(f"{_TAKES}: {reason}")
    given = SequenceInputs(read.config, values, inputs, [len(memory)] * steps, memory, initial, resets)
    memories, last, buffers = read.kernel(inputs.device).forward(given, keep)
    (saved,) = buffers.values() or [inputs.new_empty(0)]
    return memories, last, saved


@_sequence.register_fake
def _(
    inputs: Tensor,
    memory: Tensor,
    initial: Tensor,
    resets: Tensor | None,
    parameters: list[Tensor],
    steps: int,
    how: str,
    keep: bool,
) -> tuple[Tensor, Tensor, Tensor]:
    core, backend, options = _from_text(how)
    samples = inputs.shape[0]
    slots = core.mem_slots, core.memory_width
    size = 0
    if keep and backend == "native":
        size = saved_size(core, samples, options.recompute)
    elif keep:
        shapes = buffer_shapes(core, options.recompute).values()
        size = sum(rounded(samples * math.prod(shape), memory) for shape in shapes)
    memories, last = memory.new_empty(samples, *slots), memory.new_empty(memory.shape[0], *slots)
    return memories, last, memory.new_empty(size)


@torch.library.custom_op("relational_rnn::sequence_backward", mutates_args=())
def _sequence_backward(
    d_memories: Tensor,
    d_last: Tensor,
    inputs: Tensor,
    memory: Tensor,
    initial: Tensor,
    resets: Tensor | None,
    parameters: list[Tensor],
    saved: Tensor,
    steps: int,
    how: str,
) -> tuple[Tensor, Tensor, Tensor, list[Tensor]]:
    """Return the gradients of the inputs, the memory, the initial one, and the parameters."""
    read = _from_text(how)
    values = dict(zip(_names(read.config), parameters, strict=True))
    if (reason := left_to_eager(values, inputs, memory, initial, d_memories, d_last)) is not None:
        raise ValueError(f"{_TAKES}: {reason}")
    given = SequenceInputs(read.config, values, inputs, [len(memory)] * steps, memory, initial, resets)
    needed = frozenset(("inputs", "memory", "initial", *values))
    kernel = read.kernel(inputs.device)
    d_inputs, d_memory, d_initial, by_name = kernel.backward(
        given, {"saved": saved}, d_memories, d_last, needed
    )
    assert d_inputs is not None
    assert d_memory is not None
    assert d_initial is not None
    return d_inputs, d_memory, d_initial, [by_name[name].contiguous() for name in values]


@_sequence_backward.register_fake
def _(
    d_memories: Tensor,
    d_last: Tensor,
    inputs: Tensor,
    memory: Tensor,
    initial: Tensor,
    resets: Tensor | None,
    parameters: list[Tensor],
    saved: Tensor,
    steps: int,
    how: str,
) -> tuple[Tensor, Tensor, Tensor, list[Tensor]]:
    d_initial = d_last.new_empty(d_last.shape[1:])
    d_parameters = [x.new_empty(x.shape) for x in parameters]
    return inputs.new_empty(inputs.shape), d_last.new_empty(d_last.shape), d_initial, d_parameters


def _setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor, Tensor]) -> None:
    x, memory, initial, resets, parameters, *others, keep = inputs
    if not keep:
        raise RuntimeError("this sequence was compiled or exported without gradients")
    ctx.save_for_backward(x, memory, initial, resets, output[2], *parameters)
    ctx.others = others


def _backward(ctx: Any, d_memories: Tensor, d_last: Tensor, _: Tensor) -> tuple[Any, ...]:
    inputs, memory, initial, resets, saved, *parameters = ctx.saved_tensors
    d_inputs, d_memory, d_initial, d_parameters = _sequence_backward(
        d_memories, d_last, inputs, memory, initial, resets, parameters, saved, *ctx.others
    )
    return d_inputs, d_memory, d_initial, None, d_parameters, *[None] * 3


_sequence.register_autograd(_backward, setup_context=_setup_context)
