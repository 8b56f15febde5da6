"""Loops recorded as CUDA graphs: launched as one, where each of hundreds of kernels would wait for Python."""

from __future__ import annotations

import itertools
import logging
import threading
from collections import OrderedDict, deque
from collections.abc import Callable, Hashable
from typing import Protocol

import torch
from torch import Tensor

from relational_rnn.kernels.triton.buffers import Buffers, new_carry
from relational_rnn.kernels.triton.recurrence import INPUT_PROJECTION, BackwardRun, ForwardRun

logger = logging.getLogger(__name__)


class Recording(Protocol):
    """A function without arguments or results that can be run again on the same memory."""

    def replay(self) -> None:
        """Do once more what the function did."""


Record = Callable[[Callable[[], None]], Recording]


class CudaRecording:
    """What a function launches on the current stream. It runs once before, on whatever its memory holds.

    Args:
        run: makes no decision that depends on the contents of tensors, and uses the same tensors every time.
    """

    def __init__(self, run: Callable[[], None]) -> None:
        # The first run compiles kernels and makes workspaces, which cannot be recorded.
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            run()
        torch.cuda.current_stream().wait_stream(side)
        self._graph = torch.cuda.CUDAGraph()
        # Other threads, say those that pin a loader's batches, may go on with what is no part of this.
        with torch.cuda.graph(self._graph, capture_error_mode="thread_local"):
            run()

    def replay(self) -> None:
        """Launch it on the current stream."""
        self._graph.replay()


class Recorded:
    """Both loops of a sequence, recorded, with memory of their own for all that goes in and comes out.

    Args:
        run: the forward, whose buffers nobody else uses.
        record: makes a recording of a function.
        keep: whether there will be backwards.
    """

    def __init__(self, run: ForwardRun, record: Record, keep: bool) -> None:
        self._run, self._forward = run, record(run.loop)
        self.ticket = torch.tensor(-1, device="cpu")
        """Which forward has run last; on the CPU, where looking at it waits for nothing."""
        if keep:
            buffers = run.buffers | {name: run.given[name] for name in INPUT_PROJECTION if name in run.given}
            carry = new_carry(run.config, run.memories, run.batch)
            self._d_memories = torch.empty_like(run.memories)
            self._backward_run = BackwardRun(
                run.config, run.given, buffers, carry, self._d_memories, run.steps, run.compute_dtype
            )
            self._backward = record(self._backward_run.loop)

    def forward(self, given: Buffers, memory: Tensor) -> tuple[Tensor, Tensor]:
        """Run forward: the memories and the last ones, copied; `ticket` is a new one."""
        for name, x in self._run.given.items():
            x.copy_(given[name])
        self._run.start(memory)
        self._forward.replay()
        self.ticket = torch.tensor(next(_tickets), device="cpu")
        return self._run.memories.clone(), self._run.last()

    def backward(self, d_memories: Tensor | None, d_last: Tensor | None) -> BackwardRun:
        """Run backward what ran forward last; the result's buffers are used again by the next call."""
        carry = self._backward_run.carry
        for x in carry.values():
            x.zero_()
        if d_last is not None:
            carry["d_direct"].copy_(d_last)
        if d_memories is None:
            self._d_memories.zero_()
        else:
            self._d_memories.copy_(d_memories)
        self._backward.replay()
        return self._backward_run


_tickets = itertools.count()


class Graphs:
    """A few recorded sequences, by what they were recorded for; the one not used for longest makes room.

    A key is recorded when it comes a second time: ragged batches, each of its own kind, are not.

    Args:
        record: makes a recording of a function.
        most: how many are held.
    """

    def __init__(self, record: Record = CudaRecording, most: int = 4) -> None:
        self._record, self._most = record, most
        self.lock = threading.RLock()
        """Held by whoever uses something from here: a backward runs on a thread of its own."""
        self.held: OrderedDict[Hashable, Recorded] = OrderedDict()
        self._seen: deque[Hashable] = deque(maxlen=64)

    def find(self, key: Hashable, make_run: Callable[[], ForwardRun], keep: bool) -> Recorded | None:
        """Return what is held for a key, made now if the key comes the second time; None if the first.

        Where recording fails, a warning says so once, and there is nothing from then on.
        """
        if key not in self.held:
            if key not in self._seen or not self._most:
                self._seen.append(key)
                return None
            while len(self.held) >= self._most:
                self.held.popitem(last=False)
            try:
                self.held[key] = Recorded(make_run(), self._record, keep)
            except RuntimeError as error:
                logger.warning("no CUDA graphs, the steps run one by one: %s", str(error).splitlines()[0])
                self._most = 0
                return None
        self.held.move_to_end(key)
        return self.held[key]

    def holder(self, ticket: Tensor) -> Recorded | None:
        """Return what still holds the forward that got this ticket, if anything does."""
        return next((x for x in self.held.values() if x.ticket.item() == ticket.item()), None)
