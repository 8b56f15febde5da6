"""A sequence by a backend's kernel as one differentiable operation, and what is left to the eager twin."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.overrides import _get_current_function_mode_stack
from torch.utils._device import DeviceContext
from torch.utils._python_dispatch import _get_current_dispatch_mode

from relational_rnn.config import RelationalMemoryConfig, Trace
from relational_rnn.kernels import eager
from relational_rnn.kernels.backend import DEFAULTS, Backend, KernelOptions, SequenceInputs, SequenceKernel
from relational_rnn.kernels.dot_product import autocasts, plain_formulas, transformed

logger = logging.getLogger(__name__)

READ_PARAMETERS = (
    *("read_weights", "read_query", "read_projection.weight", "read_projection.bias"),
    "initial_memory",
)
"""Parameters that the sequence does not use: the read heads', and the memory that comes as `initial`."""


_PLAIN = {Tensor, torch.nn.Parameter}
"""Types whose numbers lie in memory as they are; a subclass may mean something else by them."""


def left_to_eager(parameters: Mapping[str, Tensor], *tensors: Tensor, trace: bool = False) -> str | None:
    """Say why a call has to take the eager functions, or None where it does not.

    Args:
        parameters: the core's.
        tensors: whatever else takes part.
        trace: whether attention and gates are asked for.

    Example:
        >>> left_to_eager({}, torch.zeros(2), trace=True)
        'a trace is asked for'
        >>> left_to_eager({}, torch.zeros(2))
    """
    if trace:
        return "a trace is asked for"
    if torch._C._get_tracing_state() is not None:
        return "the call is being traced"
    if _get_current_dispatch_mode() is not None:
        return "a dispatch mode is active"
    if _function_mode():
        return "a torch function mode is active"
    first = tensors[0]
    kind, dtype, device = first.device.type, first.dtype, first.device
    if kind == "meta":
        return "the tensors hold no data"
    if autocasts(kind):
        return "autocast is active"
    if transformed(tensors):
        return "a torch.func transform, vmap or forward-mode differentiation is active"
    everything = [*tensors, *parameters.values()]  # a step of one sample takes little longer than to look
    if strange := set(map(type, everything)) - _PLAIN:
        return f"a tensor is a {strange.pop().__name__}"
    alike = [x.dtype for x in everything].count(dtype) == len(everything)
    if first.is_cpu:
        alike = alike and False not in [x.is_cpu for x in everything]
    else:
        alike = alike and all(x.device == device for x in everything)
    return None if alike else "dtypes or devices differ"


def _function_mode() -> bool:
    """Say whether torch's functions go through a mode; that of a default device does not count."""
    if not torch._C._len_torch_function_stack():
        return False
    return any(type(mode) is not DeviceContext for mode in _get_current_function_mode_stack())


def run_sequence(
    backend: Backend, given: SequenceInputs, options: KernelOptions = DEFAULTS, trace: bool = False
) -> tuple[Tensor, Tensor, Trace | None]:
    """Run a backend's kernel where it can, else `eager.sequence`, without the options; results as there.

    A log record (level DEBUG) says what was left to eager, and why. Gradients of gradients are eager's.
    """
    if backend.kernel is None or torch.compiler.is_compiling():  # no more that a tracer cannot follow
        return eager.sequence(given, trace)
    config, parameters, inputs, batch_sizes, memory, initial, resets = given
    used = {name: x for name, x in parameters.items() if name not in READ_PARAMETERS}
    if resets is None and initial.requires_grad:
        initial = initial.detach()  # not used
    reason = left_to_eager(used, inputs, memory, initial, trace=trace)
    if reason is None and resets is not None and type(resets) is not Tensor:
        reason = f"resets are a {type(resets).__name__}"
    if reason is None:
        reason = backend.cannot_run(config, inputs.dtype, inputs.device, options)
    if reason is not None:
        logger.debug("eager instead of %s: %s", backend.name, reason)
        return eager.sequence(given._replace(initial=initial), trace)
    kernel = backend.kernel(options, inputs.device)
    tensors = (inputs, memory, initial, *used.values())
    if torch.is_grad_enabled() and any(x.requires_grad for x in tensors):
        call = _Call(kernel, config, tuple(used), batch_sizes)
        memories, last = _Sequence.apply(call, resets, *tensors)  # type: ignore[no-untyped-call]
    else:
        given = SequenceInputs(config, used, inputs, batch_sizes, memory, initial, resets)
        memories, last, _ = kernel.forward(given, keep=False)
    return memories, last, None


def run_step(
    backend: Backend,
    config: RelationalMemoryConfig,
    parameters: Mapping[str, Tensor],
    inputs: Tensor | None,
    memory: Tensor,
    trace: bool = False,
) -> tuple[Tensor, Trace | None]:
    """Advance the memory by one step, as a sequence of one; arguments and results as of `eager.cell`.

    A step without input, one that asks for a trace, and those of a backend that gains nothing are eager's.
    """
    if inputs is None or trace or not backend.runs_steps or torch.compiler.is_compiling():
        return eager.cell(config, parameters, inputs, memory, trace)
    given = SequenceInputs(config, parameters, inputs, [len(memory)], memory, memory[0])
    return run_sequence(backend, given)[0], None


class _Call(NamedTuple):
    """What is no tensor."""

    kernel: SequenceKernel
    config: RelationalMemoryConfig
    names: tuple[str, ...]
    batch_sizes: list[int]

    def given(
        self, resets: Tensor | None, inputs: Tensor, memory: Tensor, initial: Tensor, *values: Tensor
    ) -> SequenceInputs:
        parameters = dict(zip(self.names, values))
        return SequenceInputs(self.config, parameters, inputs, self.batch_sizes, memory, initial, resets)


class _Sequence(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, call: _Call, resets: Tensor | None, *tensors: Tensor) -> tuple[Tensor, Tensor]:
        memories, last, saved = call.kernel.forward(call.given(resets, *tensors), keep=True)
        # All through `save_for_backward`: it notices changes in place, and frees the saved tensors in time.
        ctx.save_for_backward(resets, *tensors, *saved.values())
        ctx.call, ctx.names, ctx.count = call, tuple(saved), len(tensors)
        ctx.set_materialize_grads(False)
        return memories, last

    @staticmethod
    def backward(ctx: Any, d_memories: Tensor | None, d_last: Tensor | None) -> tuple[Tensor | None, ...]:
        if d_memories is None and d_last is None:
            return (None,) * len(ctx.needs_input_grad)
        call: _Call = ctx.call
        resets, *stored = ctx.saved_tensors
        d_memories, d_last = (
            d if d is None or d.layout is torch.strided else d.to_dense() for d in (d_memories, d_last)
        )
        tensors, saved = stored[: ctx.count], dict(zip(ctx.names, stored[ctx.count :]))
        wanted = ctx.needs_input_grad[2:]
        grads = [d for d in (d_memories, d_last) if d is not None]
        given = call.given(resets, *tensors)
        # They may have changed since: moved, cast, or packed and unpacked as something else.
        reason = left_to_eager(given.parameters, given.inputs, given.memory, given.initial, *grads)
        if torch.is_grad_enabled() or reason is not None:
            # Gradients of gradients, or gradients of many losses at once: differentiate the eager twin.
            found = _eager_gradients(call, resets, tensors, wanted, (d_memories, d_last))
            return (None, None, *found)
        keys = ("inputs", "memory", "initial", *call.names)
        needed = frozenset(key for key, want in zip(keys, wanted) if want)
        *first, by_name = call.kernel.backward(given, saved, d_memories, d_last, needed)
        found = [*first, *(by_name.get(name) for name in call.names)]
        return (None, None, *(x if want else None for x, want in zip(found, wanted)))


def _eager_gradients(
    call: _Call,
    resets: Tensor | None,
    tensors: list[Tensor],
    wanted: tuple[bool, ...],
    d_results: tuple[Tensor | None, Tensor | None],
) -> list[Tensor | None]:
    """Compute the gradients by running `eager.sequence` again; they can be differentiated in turn."""
    create_graph = torch.is_grad_enabled()
    with torch.enable_grad():
        # As views, so that nothing but this sequence lies between them and the results.
        views = [t.view_as(t) if want else t for t, want in zip(tensors, wanted)]
        with plain_formulas():
            memories, last, _ = eager.sequence(call.given(resets, *views))
    results = [(y, d) for y, d in zip((memories, last), d_results) if d is not None]
    asked = [t for t, want in zip(views, wanted) if want]
    found = iter(
        torch.autograd.grad(
            [y for y, _ in results],
            asked,
            [d for _, d in results],
            create_graph=create_graph,
            allow_unused=True,
        )
    )
    return [next(found) if want else None for want in wanted]
