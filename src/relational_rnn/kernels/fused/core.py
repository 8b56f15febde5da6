"""A core as its computation reads it: sizes and parameters, with the layers that they make."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import NamedTuple

from torch import Tensor

from relational_rnn.config import RelationalMemoryConfig
from relational_rnn.kernels.fused import rows as rowwise
from relational_rnn.kernels.fused.rows import Normed
from relational_rnn.kernels.products import linear


class BlockSizes(NamedTuple):
    """How many rows take part in one block of attention and MLP."""

    projected: int
    """Rows whose queries, keys and values are computed in the step."""
    attended: int
    """M, rows that can be attended to."""
    queries: int
    """Rows that ask, and come out. The last block leaves the input rows out."""


@functools.lru_cache
def block_sizes(config: RelationalMemoryConfig) -> tuple[BlockSizes, ...]:
    """Return every block's sizes.

    Example:
        >>> block_sizes(RelationalMemoryConfig(input_size=3, mem_slots=4, head_size=2))
        (BlockSizes(projected=4, attended=5, queries=4),)
    """
    slots, total, last = config.mem_slots, config.attended_rows, config.num_blocks - 1
    return tuple(
        BlockSizes(total if block else slots, total, slots if block == last else total)
        for block in range(config.num_blocks)
    )


class Core(NamedTuple):
    """A configuration and its parameters."""

    config: RelationalMemoryConfig
    parameters: Mapping[str, Tensor]
    """By name; weights of linear layers in the products' dtype."""

    def linear(self, name: str, x: Tensor) -> Tensor:
        """Apply a linear layer to the last axis."""
        return linear(x, self.parameters[f"{name}.weight"], self.parameters[f"{name}.bias"])

    def linear_backward(self, name: str, d_y: Tensor) -> Tensor:
        """Carry `d_y` back through a linear layer."""
        return linear(d_y, self.parameters[f"{name}.weight"].t())

    def norm(self, name: str, x: Tensor) -> Normed:
        """Apply a norm to the last axis, if there is one."""
        return rowwise.norm(x, *self.norm_parameters(name))

    def norm_backward(self, name: str, d_y: Tensor, x: Tensor, norm: Normed) -> Tensor:
        """Carry `d_y` back through `norm`, to what it was made from."""
        return rowwise.norm_backward(d_y, x, norm, *self.norm_parameters(name))

    def norm_parameters(self, name: str) -> tuple[Tensor | None, Tensor | None]:
        """Return a norm's weight and bias, or None twice without layer norm."""
        return self.parameters.get(f"{name}.weight"), self.parameters.get(f"{name}.bias")

    def slot_weight(self, block: int) -> Tensor:
        """Return the columns of a block's projection that see the memory: all but with tile fusion."""
        return self.parameters[f"blocks.{block}.qkv.weight"][:, : self.config.memory_width]

    def input_weight(self, block: int) -> Tensor:
        """Return the other columns, which with tile fusion see the input."""
        return self.parameters[f"blocks.{block}.qkv.weight"][:, self.config.memory_width :]
