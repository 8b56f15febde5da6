"""The fused backend: it runs every core, on every device."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from relational_rnn.config import RelationalMemoryConfig
from relational_rnn.kernels.backend import Backend, Gradients, KernelOptions, SequenceInputs
from relational_rnn.kernels.fused import backward, forward


class FusedSequence:
    """Forward and backward, see `SequenceKernel`."""

    def __init__(self, options: KernelOptions) -> None:
        self.options = options

    def forward(self, given: SequenceInputs, keep: bool) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
        """Run the sequence."""
        return forward.sequence_forward(given, self.options, keep)

    def backward(
        self,
        given: SequenceInputs,
        saved: Mapping[str, Tensor],
        d_memories: Tensor | None,
        d_last: Tensor | None,
        needed: frozenset[str],
    ) -> Gradients:
        """Back-propagate."""
        return backward.sequence_backward(given, self.options, saved, (d_memories, d_last), needed)


def _nothing(
    config: RelationalMemoryConfig, dtype: torch.dtype, device: torch.device, options: KernelOptions
) -> None:
    return None


def _kernel(options: KernelOptions, device: torch.device) -> FusedSequence:
    return FusedSequence(options)


BACKEND = Backend(name="fused", unsupported=_nothing, kernel=_kernel)
