"""Batches of texts of different lengths: padded steps change nothing."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

from relational_rnn.config.checks import check_shape
from relational_rnn.nn.inputs import check_state
from relational_rnn.nn.relational_memory import RelationalMemory


class Tokens(NamedTuple):
    """Where the tokens of a padded batch are."""

    order: Tensor
    """(B, T) int64, steps: those with tokens first, in their order."""
    lengths: Tensor
    """(B,) int64, tokens of each row."""
    some: Tensor
    """(B,) bool, the rows that have any: a packed sequence has no empty ones."""

    def pack(self, rows: Tensor) -> PackedSequence:
        """Pack what stands at the tokens of rows (B, T, F), of those rows that have some."""
        moved = rows.gather(1, self.order.unsqueeze(-1).expand_as(rows))[self.some]
        return pack_padded_sequence(
            moved, self.lengths[self.some].cpu(), batch_first=True, enforce_sorted=False
        )


def find_tokens(padding: Tensor) -> Tokens:
    """Find the steps that are no padding, on whichever side it is.

    Args:
        padding: (B, T) bool, True where a step is padding.

    Example:
        >>> find_tokens(torch.tensor([[True, False, False]])).order
        tensor([[1, 2, 0]])
    """
    lengths = (~padding).sum(1)
    return Tokens(padding.to(torch.uint8).argsort(dim=1, stable=True), lengths, lengths > 0)


# Shapes depend on the mask's values: compilers fail on them, loudly.
@torch.compiler.disable  # type: ignore[untyped-decorator]
def run_unpadded(
    core: RelationalMemory, rows: Tensor, memory: Tensor, padding: Tensor
) -> tuple[Tensor, Tensor]:
    """Run a core over a padded batch as over each row alone.

    Args:
        core: of whatever layout.
        rows: (B, T, F).
        memory: (B, N, D) before the first step.
        padding: (B, T) bool, True where a step is padding.

    Returns:
        The outputs (B, T, output_size), at a padded step those of the token before it and zeros before the
        first token; and the memory of each row after its last token, (B, N, D).

    Raises:
        TypeError, ValueError: rows or a memory that the core does not take.

    Example:
        >>> core = RelationalMemory(3, mem_slots=2, head_size=4)
        >>> rows, memory = torch.randn(1, 4, 3), core.initial_state(1)
        >>> padding = torch.tensor([[True, False, True, False]])
        >>> alone, after = core(rows[:, [1, 3]].transpose(0, 1), memory)
        >>> outputs, last = run_unpadded(core, rows, memory, padding)
        >>> torch.allclose(outputs[0, [1, 2, 3]], alone[[0, 0, 1], 0]), torch.allclose(last, after)
        (True, True)
    """
    check_state("state", memory, len(rows), core.config, rows)
    tokens = find_tokens(padding)
    if not tokens.some.any():
        return rows.new_zeros(*padding.shape, core.output_size), memory
    packed, after = core(tokens.pack(rows), memory[tokens.some])
    found, _ = pad_packed_sequence(packed, batch_first=True)
    last = (~padding).cumsum(1)[tokens.some].unsqueeze(-1)  # number of the token before, 0 before the first
    at = (last - 1).clamp(min=0).expand(-1, -1, found.shape[-1])
    spread = found.gather(1, at).masked_fill(last == 0, 0)
    outputs = spread.new_zeros(*padding.shape, found.shape[-1])
    outputs[tokens.some] = spread
    return outputs, memory.masked_scatter(tokens.some[:, None, None], after)


def check_mask(name: str, mask: object, batch: int, time: int, device: torch.device) -> None:
    """Check that a mask is (B, T) bool on a device.

    Raises:
        TypeError: it is no bool tensor, or on another device.
        ValueError: it has another shape.
    """
    if not isinstance(mask, Tensor) or mask.dtype != torch.bool or mask.device != device:
        got = f"{mask.dtype} on {mask.device}" if isinstance(mask, Tensor) else type(mask).__name__
        raise TypeError(f"{name} must be a torch.bool tensor on {device}, got {got}")
    check_shape(name, mask.shape, ("B", "T"), B=batch, T=time)
