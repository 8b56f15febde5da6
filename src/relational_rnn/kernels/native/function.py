"""`kernels.eager.sequence` by the native library where it can, else by `kernels.fused`."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from functools import cache

import torch
from torch import Tensor

from relational_rnn.config import RelationalMemoryConfig, Trace
from relational_rnn.kernels import eager, fused
from relational_rnn.kernels.native.library import Library, load
from relational_rnn.kernels.native.passes import NativeSequence, unsupported
from relational_rnn.kernels.operation import Implementation, run

logger = logging.getLogger(__name__)


@cache
def implementation(variant: int = 0, threads: int | None = None, recompute: bool = False) -> Implementation:
    """Return the two passes on one instruction set; arguments as in `NativeSequence`.

    Raises:
        RuntimeError: there is no library; the message says why.
    """
    library = load()
    if isinstance(library, str):
        raise RuntimeError(library)
    native = NativeSequence(library, variant, threads, recompute)
    return Implementation(native.forward, native.backward)


def product_variant(compute_dtype: torch.dtype) -> int | None:
    """Return the number of the fastest variant that multiplies in a dtype, or None."""
    library = load()
    if compute_dtype == torch.bfloat16 and isinstance(library, Library):
        return library.bfloat16
    return 0 if compute_dtype == torch.float32 else None


def implementation_for(recompute: bool = False, compute_dtype: torch.dtype | None = None) -> Implementation:
    """Return the two passes on the fastest instruction set that multiplies in a dtype, None for float32.

    Raises:
        RuntimeError: there is no library, or no such instruction set.
    """
    variant = 0 if compute_dtype is None else product_variant(compute_dtype)
    if variant is None:
        raise RuntimeError(f"there are no products in {compute_dtype} here")
    return implementation(variant, recompute=recompute)


def unsupported_products(dtype: torch.dtype, compute_dtype: torch.dtype) -> str | None:
    """Say why there are no products in `compute_dtype` for a core of a dtype, or None if there are.

    Example:
        >>> unsupported_products(torch.float32, torch.float16)
        'it has no products in torch.float16'
    """
    return f"it has no products in {compute_dtype}" if product_variant(compute_dtype) is None else None


def cell(
    config: RelationalMemoryConfig,
    parameters: Mapping[str, Tensor],
    inputs: Tensor | None,
    memory: Tensor,
    trace: bool = False,
) -> tuple[Tensor, Trace | None]:
    """Advance the memory by one step, as a sequence of one; arguments and results as in `eager.cell`.

    A step without input, one that asks for a trace, and what `unsupported` names are eager's.
    """
    if (
        inputs is None
        or trace
        or torch.compiler.is_compiling()
        or unsupported(config, inputs.dtype, inputs.device) is not None
    ):
        return eager.cell(config, parameters, inputs, memory, trace)
    memories, _, _ = sequence(config, parameters, inputs, [len(memory)], memory, memory[0])
    return memories, None


def sequence(
    config: RelationalMemoryConfig,
    parameters: Mapping[str, Tensor],
    inputs: Tensor,
    batch_sizes: list[int],
    memory: Tensor,
    initial: Tensor,
    resets: Tensor | None = None,
    trace: bool = False,
    recompute: bool = False,
    compute_dtype: torch.dtype | None = None,
) -> tuple[Tensor, Tensor, Trace | None]:
    """Run the core over a sequence; arguments and results as in `fused.sequence`.

    What `unsupported` names, a call that asks for a trace, and products in a dtype that this processor has
    no instructions for run in `kernels.fused` instead; a log record (level DEBUG) says so. Gradients of
    gradients are eager's.
    """
    if torch.compiler.is_compiling():  # before anything that a tracer cannot follow
        return eager.sequence(config, parameters, inputs, batch_sizes, memory, initial, resets, trace)
    reason = unsupported(config, inputs.dtype, inputs.device)
    if reason is None and trace:
        reason = "a trace is asked for"
    if reason is None and compute_dtype is not None and product_variant(compute_dtype) is None:
        reason = f"products in {compute_dtype} are asked for"
    if reason is not None:
        logger.debug("fused instead of native: %s", reason)
        return fused.sequence(
            config, parameters, inputs, batch_sizes, memory, initial, resets, trace, recompute, compute_dtype
        )
    passes = implementation_for(recompute, compute_dtype)
    return run(passes, config, parameters, inputs, batch_sizes, memory, initial, resets, trace)
