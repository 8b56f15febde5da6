"""`kernels.eager.sequence` by the Triton kernels where they can, else by `kernels.fused`."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from functools import cache

import torch
from torch import Tensor

from relational_rnn.config import RelationalMemoryConfig, Trace
from relational_rnn.kernels import eager, fused
from relational_rnn.kernels.operation import Implementation, run
from relational_rnn.kernels.triton.support import unsupported, unsupported_products

logger = logging.getLogger(__name__)


@cache
def implementation(
    recompute: bool = False, compute_dtype: torch.dtype | None = None, graphs: bool = True
) -> Implementation:
    """Return the two passes; with `graphs` the loops over the steps are recorded as CUDA graphs."""
    from relational_rnn.kernels.triton.graphs import Graphs
    from relational_rnn.kernels.triton.passes import TritonSequence

    passes = TritonSequence(recompute, compute_dtype, Graphs() if graphs else None)
    return Implementation(passes.forward, passes.backward)


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

    What `unsupported` names, and a call that asks for a trace, run in `kernels.fused` instead; a log record
    (level DEBUG) says so. Gradients of gradients are eager's.
    """
    if torch.compiler.is_compiling():  # before anything that a tracer cannot follow
        return eager.sequence(config, parameters, inputs, batch_sizes, memory, initial, resets, trace)
    reason = unsupported(config, inputs.dtype, inputs.device)
    if reason is None and compute_dtype is not None:
        reason = unsupported_products(inputs.dtype, compute_dtype)
    if reason is None and trace:
        reason = "a trace is asked for"
    if reason is not None:
        logger.debug("fused instead of triton: %s", reason)
        return fused.sequence(
            config, parameters, inputs, batch_sizes, memory, initial, resets, trace, recompute, compute_dtype
        )
    passes = implementation(recompute, compute_dtype, graphs=inputs.is_cuda)
    return run(passes, config, parameters, inputs, batch_sizes, memory, initial, resets, trace)
