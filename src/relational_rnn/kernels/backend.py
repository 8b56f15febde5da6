"""What a backend of the sequence is, and what its kernel is called with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple, Protocol

import torch
from torch import Tensor

from relational_rnn.config import RelationalMemoryConfig, core


class SequenceInputs(NamedTuple):
    """A core and a sequence for it, stored step after step as in `torch.nn.utils.rnn.PackedSequence`."""

    config: RelationalMemoryConfig
    parameters: Mapping[str, Tensor]
    """By the names of `config.parameter_shapes`."""
    inputs: Tensor
    """(S, F), or (S, R, F) with `treat_input_as_matrix`; S is the sum of `batch_sizes`."""
    batch_sizes: list[int]
    """How many rows run at each of the T steps; never rising, the first is B."""
    memory: Tensor
    """(B, N, D) before the first step."""
    initial: Tensor
    """(N, D), what a reset puts back."""
    resets: Tensor | None = None
    """(S,) bool; True restarts that row before that step."""


class KernelOptions(NamedTuple):
    """How a kernel computes the sequence; not what."""

    recompute: bool = False
    """Keep only the memories for the backward, which runs each step again: less memory, more time."""
    compute_dtype: torch.dtype | None = None
    """The dtype of the matrix products, None for the parameters'."""


DEFAULTS: Final = KernelOptions()


class Gradients(NamedTuple):
    """What a backward returns: None, or left out, where not asked for."""

    inputs: Tensor | None
    memory: Tensor | None
    """(B, N, D)"""
    initial: Tensor | None
    """(N, D)"""
    parameters: Mapping[str, Tensor]
    """By name."""


class SequenceKernel(Protocol):
    """A whole sequence, forward and backward, for plain dense tensors of one dtype and device."""

    def forward(self, given: SequenceInputs, keep: bool) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
        """Run the sequence.

        Args:
            given: the core and the sequence.
            keep: whether a backward may follow.

        Returns:
            The memories after each step (S, N, D), the last memory of each row (B, N, D), which share no
            storage with anything else, and what `backward` needs (nothing with `keep=False`).
        """

    def backward(
        self,
        given: SequenceInputs,
        saved: Mapping[str, Tensor],
        d_memories: Tensor | None,
        d_last: Tensor | None,
        needed: frozenset[str],
    ) -> Gradients:
        """Back-propagate through time.

        Args:
            given: what `forward` had.
            saved: what `forward` returned; not changed, it may be used again.
            d_memories: gradient of the loss with respect to the memories (S, N, D), None for 0.
            d_last: the same for the last ones (B, N, D).
            needed: which gradients are asked for: "inputs", "memory", "initial", names of parameters; others
                may be computed too.
        """


@dataclass(frozen=True, kw_only=True)
class Backend:
    """One implementation of the sequence, held against the eager twin."""

    name: str
    unsupported: Callable[[RelationalMemoryConfig, torch.dtype, torch.device, KernelOptions], str | None]
    """Why its kernel cannot run a core of a dtype on a device with these options; see `cannot_run`."""
    kernel: Callable[[KernelOptions, torch.device], SequenceKernel] | None
    """Its kernel, where it is supported; None for the eager twin, which has no backward of its own."""
    devices: tuple[str, ...] = ()
    """Types of the devices that it is meant for, if not all; on others it runs for tests alone."""
    named_only: bool = False
    """Whether "auto" leaves it out: nobody has measured it yet."""
    runs_steps: bool = False
    """Whether a cell's single step is faster as a sequence of one; else it is eager's."""

    def cannot_run(
        self,
        config: RelationalMemoryConfig,
        dtype: torch.dtype,
        device: torch.device,
        options: KernelOptions = DEFAULTS,
    ) -> str | None:
        """Say why it cannot run a core of a dtype on a device with these options, or None if it can."""
        if self.kernel is not None:
            for name in core.PLAIN_ONLY:
                if getattr(config, name) != getattr(RelationalMemoryConfig, name):  # its default
                    return f"only eager has {name}, got {name}={getattr(config, name)!r}"
        return self.unsupported(config, dtype, device, options)
