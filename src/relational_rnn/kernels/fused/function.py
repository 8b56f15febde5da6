"""`kernels.eager.sequence` by the whole-sequence passes of this folder."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import torch
from torch import Tensor

from relational_rnn.config import RelationalMemoryConfig, Trace
from relational_rnn.kernels.fused import backward, forward
from relational_rnn.kernels.operation import Implementation, run


def implementation_for(recompute: bool = False, compute_dtype: torch.dtype | None = None) -> Implementation:
    """Return the two passes."""
    return Implementation(
        partial(forward.sequence_forward, recompute=recompute, compute_dtype=compute_dtype),
        partial(backward.sequence_backward, recompute=recompute, compute_dtype=compute_dtype),
    )


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
    """Run the core over a sequence; arguments and results as in `eager.sequence`, and two more.

    With `recompute` only the memories are kept for the backward, which runs each step again: less memory,
    more time. `compute_dtype` is the dtype of the matrix products, None for the parameters'.

    What `operation.left_to_eager` names runs there instead, without these two, and a log record (level DEBUG)
    says so. Gradients of gradients are eager's too: the sequence is run again for them.
    """
    passes = implementation_for(recompute, compute_dtype)
    return run(passes, config, parameters, inputs, batch_sizes, memory, initial, resets, trace)
