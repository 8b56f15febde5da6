"""Running over a sequence stored step after step, where rows end and rows restart."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

State = tuple[Tensor, ...]
"""What one step hands to the next."""


def unroll(
    step: Callable[..., tuple[Tensor, State]],
    inputs: Tensor | tuple[Tensor, ...],
    batch_sizes: list[int],
    state: State,
    initial: State,
    resets: Tensor | None = None,
) -> tuple[Tensor, State]:
    """Run a step function over a sequence.

    Args:
        step: inputs (rows, ...), one or several, and their state -> outputs (rows, ...) and the next state.
        inputs: (S, ...), or several of them, stored as in `torch.nn.utils.rnn.PackedSequence`; S is the sum
            of `batch_sizes`.
        batch_sizes: how many rows run at each of the T steps; never rising, the first is B.
        state: before the first step; each part (B, ...).
        initial: what a reset puts back; each part (1, ...).
        resets: (S,) bool; True restarts that row before that step.

    Returns:
        The outputs (S, ...), and the last state of each row, each part (B, ...).

    Example:
        >>> add = lambda x, state: (x + state[0], (x + state[0],))
        >>> x, zero = torch.tensor([[1.0], [10.0], [2.0], [20.0], [3.0]]), (torch.zeros(1, 1),)
        >>> outputs, (last,) = unroll(add, x, [2, 2, 1], (torch.zeros(2, 1),), zero)
        >>> outputs.flatten().tolist(), last.flatten().tolist()
        ([1.0, 10.0, 3.0, 30.0, 6.0], [6.0, 30.0])
    """
    restarts = [None] * len(batch_sizes) if resets is None else resets.split(batch_sizes)
    outputs: list[Tensor] = []
    ended: list[State] = []  # the last states of rows that have ended, the longest row last
    several = inputs if isinstance(inputs, tuple) else (inputs,)
    steps = zip(*(x.split(batch_sizes) for x in several), strict=True)
    for running, now, restart in zip(batch_sizes, steps, restarts, strict=True):
        if running < state[0].shape[0]:
            ended.append(tuple(part[running:] for part in state))
            state = tuple(part[:running] for part in state)
        if restart is not None:
            state = tuple(
                torch.where(restart.reshape(-1, *[1] * (part.ndim - 1)), start, part)
                for start, part in zip(initial, state, strict=True)
            )
        output, state = step(*now, state)
        outputs.append(output)
    last = tuple(torch.cat(parts) for parts in zip(state, *reversed(ended), strict=True))
    return torch.cat(outputs), last


def run_between_resets(
    run: Callable[[Tensor, Tensor, State], tuple[Tensor, State]],
    inputs: Tensor,
    batch_sizes: list[int],
    state: State,
    resets: Tensor | None = None,
) -> tuple[Tensor, State]:
    """Run one of torch's recurrent networks over a sequence, all steps at once from reset to reset.

    Args:
        run: inputs (S, ...), their batch sizes as a tensor, and the state -> outputs (S, ...), last state.
        inputs, batch_sizes, resets: as in `unroll`.
        state: before the first step; each part (layers, B, hidden). A reset puts zeros back.

    Returns:
        The outputs (S, ...), and the last state of each row, each part (layers, B, hidden).
    """
    restarts = None if resets is None else resets.split(batch_sizes)
    starts = [0]
    if restarts is not None:
        starts += [t for t in range(1, len(batch_sizes)) if restarts[t].any()]
    pieces = list(zip(starts, [*starts[1:], len(batch_sizes)], strict=True))
    if len(pieces) == 1:
        data: Sequence[Tensor] = (inputs,)
    else:
        data = inputs.split([sum(batch_sizes[first:end]) for first, end in pieces])
    outputs: list[Tensor] = []
    ended: list[State] = []
    for now, (first, end) in zip(data, pieces, strict=True):
        running = batch_sizes[first]
        if running < state[0].shape[1]:
            ended.append(tuple(part[:, running:] for part in state))
            state = tuple(part[:, :running] for part in state)
        if restarts is not None:
            state = tuple(part.masked_fill(restarts[first][None, :, None], 0) for part in state)
        sizes = torch.tensor(batch_sizes[first:end], device="cpu")
        output, state = run(now, sizes, state)
        outputs.append(output)
    if ended:
        state = tuple(torch.cat(parts, 1) for parts in zip(state, *reversed(ended), strict=True))
    return torch.cat(outputs) if len(outputs) > 1 else outputs[0], state
