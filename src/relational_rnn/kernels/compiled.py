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
from typing import Any, Final

import torch
from torch import Tensor

from relational_rnn.config import RelationalMemoryConfig, parameter_shapes
from relational_rnn.kernels.backends import BACKENDS
from relational_rnn.kernels.dot_product import autocasts, transformed
from relational_rnn.kernels.fused.forward import room_shapes
from relational_rnn.kernels.native.passes import saved_size
from relational_rnn.kernels.operation import READ_PARAMETERS, Implementation, left_to_eager
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
    recompute: bool = False,
    compute_dtype: torch.dtype | None = None,
) -> tuple[Tensor, Tensor]:
    """Run a backend over sequences of one length; arguments and results as of `kernels.fused.sequence`.

    Args:
        backend: one of `IN_ONE_PIECE`.
        config: the core.
        parameters: its parameters.
        inputs: (S, F) or (S, R, F), S = steps * B.
        steps: T.
        memory: (B, N, D).
        initial: (N, D).
        resets: (S,) bool, or None.
        recompute: as in `kernels.fused.sequence`.
        compute_dtype: the same.

    Returns:
        The memories (S, N, D) and the last ones (B, N, D).
    """
    values = [parameters[name] for name in _names(config)]
    if resets is None:
        initial = initial.detach()  # not used
    keep = torch.is_grad_enabled() and any(x.requires_grad for x in (inputs, memory, initial, *values))
    how = as_text(config), backend, recompute, compute_dtype, keep
    memories, last, _ = _sequence(inputs, memory, initial, resets, values, steps, *how)
    return memories, last


def as_text(config: RelationalMemoryConfig) -> str:
    """Write a configuration as JSON: an operator's arguments are tensors, numbers and text.

    Example:
        >>> as_text(RelationalMemoryConfig(input_size=3, mem_slots=2, head_size=4))[:19]
        '{"input_size": 3, "'
    """
    return json.dumps(dataclasses.asdict(config))


as_text._dynamo_marked_constant = True  # type: ignore[attr-defined]  # a compiler takes the text as it is


@functools.lru_cache(maxsize=64)
def _from_text(text: str) -> RelationalMemoryConfig:
    return RelationalMemoryConfig(**json.loads(text))


def _names(config: RelationalMemoryConfig) -> list[str]:
    return [name for name in parameter_shapes(config) if name not in READ_PARAMETERS]


def _passes(backend: str, recompute: bool, compute_dtype: torch.dtype | None) -> Implementation:
    made: Implementation = BACKENDS[backend].implementation_for(recompute, compute_dtype)
    return made


@torch.library.custom_op("relational_rnn::sequence", mutates_args=())
def _sequence(
    inputs: Tensor,
    memory: Tensor,
    initial: Tensor,
    resets: Tensor | None,
    parameters: list[Tensor],
    steps: int,
    config: str,
    backend: str,
    recompute: bool,
    compute_dtype: torch.dtype | None,
    keep: bool,
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the memories, the last ones, and the room that the gradients need (empty without `keep`)."""
    core = _from_text(config)
    values = dict(zip(_names(core), parameters, strict=True))
    if (reason := left_to_eager(values, inputs, memory, initial)) is not None:
        raise ValueError(f"{_TAKES}: {reason}")
    memories, last, kept = _passes(backend, recompute, compute_dtype).forward(
        core, values, inputs, [len(inputs) // steps] * steps, memory, initial, resets, keep
    )
    (room,) = kept.values() or [inputs.new_empty(0)]
    return memories, last, room


@_sequence.register_fake
def _(
    inputs: Tensor,
    memory: Tensor,
    initial: Tensor,
    resets: Tensor | None,
    parameters: list[Tensor],
    steps: int,
    config: str,
    backend: str,
    recompute: bool,
    compute_dtype: torch.dtype | None,
    keep: bool,
) -> tuple[Tensor, Tensor, Tensor]:
    core, samples = _from_text(config), inputs.shape[0]
    slots = core.mem_slots, core.memory_width
    size = 0
    if keep and backend == "native":
        size = saved_size(core, samples, recompute)
    elif keep:
        shapes = room_shapes(core, recompute).values()
        size = sum(rounded(samples * math.prod(shape), memory) for shape in shapes)
    memories, last = memory.new_empty(samples, *slots), memory.new_empty(memory.shape[0], *slots)
    return memories, last, memory.new_empty(size)


@torch.library.custom_op("relational_rnn::sequence_backward", mutates_args=())
def _sequence_backward(
    d_memories: Tensor,
    d_last: Tensor,
    inputs: Tensor,
    resets: Tensor | None,
    parameters: list[Tensor],
    room: Tensor,
    steps: int,
    config: str,
    backend: str,
    recompute: bool,
    compute_dtype: torch.dtype | None,
) -> tuple[Tensor, Tensor, Tensor, list[Tensor]]:
    """Return the gradients of the inputs, the memory, the initial one, and the parameters."""
    core = _from_text(config)
    values = dict(zip(_names(core), parameters, strict=True))
    if (reason := left_to_eager(values, inputs, d_memories, d_last)) is not None:
        raise ValueError(f"{_TAKES}: {reason}")
    name = "saved" if backend == "native" else "room"
    d_inputs, d_memory, d_initial, by_name = _passes(backend, recompute, compute_dtype).backward(
        core,
        values,
        inputs,
        [len(inputs) // steps] * steps,
        resets,
        {name: room},
        d_memories,
        d_last,
        frozenset(("inputs", "memory", "initial", *values)),
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
    resets: Tensor | None,
    parameters: list[Tensor],
    room: Tensor,
    steps: int,
    config: str,
    backend: str,
    recompute: bool,
    compute_dtype: torch.dtype | None,
) -> tuple[Tensor, Tensor, Tensor, list[Tensor]]:
    d_initial = d_last.new_empty(d_last.shape[1:])
    d_parameters = [x.new_empty(x.shape) for x in parameters]
    return inputs.new_empty(inputs.shape), d_last.new_empty(d_last.shape), d_initial, d_parameters


def _setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor, Tensor]) -> None:
    x, _, _, resets, parameters, *others, keep = inputs
    if not keep:
        raise RuntimeError("this sequence was compiled or exported without gradients")
    ctx.save_for_backward(x, resets, output[2], *parameters)
    ctx.others = others


def _backward(ctx: Any, d_memories: Tensor, d_last: Tensor, _: Tensor) -> tuple[Any, ...]:
    inputs, resets, room, *parameters = ctx.saved_tensors
    d_inputs, d_memory, d_initial, d_parameters = _sequence_backward(
        d_memories, d_last, inputs, resets, parameters, room, *ctx.others
    )
    return d_inputs, d_memory, d_initial, None, d_parameters, *[None] * 6


_sequence.register_autograd(_backward, setup_context=_setup_context)
