"""Room for what a sequence keeps, used again by the next call.

Memory that the system hands out anew costs a page fault every few kilobytes, which for what a training step
keeps can take as long as the arithmetic. So large buffers on the CPU come from here. A buffer goes back by
itself when the last tensor that lies in it is gone, and is handed out again for the next request of its size.
A system that refuses any of this only costs time.
"""

from __future__ import annotations

import contextlib
import math
import mmap
import weakref
from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

LARGE = 1 << 20
"""Bytes from which on it pays; below, torch's own allocations are as good."""

_ALIGNMENT = 64
_free: list[mmap.mmap] = []


def empty(like: Tensor, *shape: int) -> Tensor:
    """Return a new tensor of `like`'s dtype and device, with arbitrary contents.

    Example:
        >>> empty(torch.zeros(1), 2, 3).shape
        torch.Size([2, 3])
    """
    size = math.prod(shape) * like.element_size()
    if size < LARGE or like.device.type != "cpu":
        return like.new_empty(shape)
    leased = _lease(size)
    return like.new_empty(shape) if leased is None else leased.view(like.dtype).view(shape)


def rounded(count: int, like: Tensor) -> int:
    """Return how many numbers a part of a shared buffer takes up, so that the next is aligned.

    Example:
        >>> rounded(3, torch.zeros(1))
        16
    """
    step = _ALIGNMENT // like.element_size()
    return -(-count // step) * step


def empties(like: Tensor, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Tensor]:
    """Return several such tensors, by name, in one piece of memory.

    Example:
        >>> empties(torch.zeros(1), {"a": (2, 3), "b": (4,)})["b"].shape
        torch.Size([4])
    """
    return carve(buffer_for(like, shapes), shapes)


def buffer_for(like: Tensor, shapes: Mapping[str, tuple[int, ...]]) -> Tensor:
    """Return one piece of memory, (numbers,), that `carve` can cut into tensors of these shapes."""
    return empty(like, sum(rounded(math.prod(shape), like) for shape in shapes.values()))


def carve(buffer: Tensor, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Tensor]:
    """Return views of a buffer, by name."""
    found, begin = {}, 0
    for name, shape in shapes.items():
        count = math.prod(shape)
        found[name] = buffer[begin : begin + count].view(shape)
        begin += rounded(count, buffer)
    return found


def clear() -> None:
    """Give the memory that no tensor uses back to the system."""
    _free.clear()


def _map(size: int) -> mmap.mmap | None:
    """Return new memory; None if the system refuses it, under a limit perhaps."""
    try:
        if not hasattr(mmap, "MAP_PRIVATE"):
            return mmap.mmap(-1, size)
        # Private: by default a forked process would write into the same memory.
        block = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    except OSError:
        return None
    if hasattr(mmap, "MADV_HUGEPAGE"):
        with contextlib.suppress(OSError):  # not every kernel has huge pages
            block.madvise(mmap.MADV_HUGEPAGE)  # far fewer page faults the first time
    return block


def _lease(size: int) -> Tensor | None:
    """Return bytes that come back to `_free` when no tensor uses them any more; None if there are none."""
    for block in list(_free):
        if len(block) == size:
            try:
                _free.remove(block)
            except ValueError:  # another thread was faster
                continue
            break
    else:
        # Work of other sizes has begun: what the work before left is not held any longer.
        clear()
        new = _map(size)
        if new is None:
            return None
        block = new
    # The tensor's storage holds this array, and only it: the array's end is the end of the lease.
    array = np.frombuffer(block, np.uint8)
    weakref.finalize(array, _free.append, block).atexit = False
    return torch.from_numpy(array)
