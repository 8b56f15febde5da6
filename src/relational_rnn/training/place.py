"""Where a process is among those that torchrun started; imports nothing, for every command asks."""

from __future__ import annotations

import os
from typing import NamedTuple


class Place(NamedTuple):
    """Where a process is among those that torchrun started."""

    rank: int
    """Among all."""
    size: int
    """How many there are."""
    local_rank: int
    """Among those of this machine; also the number of its GPU."""
    local_size: int
    """How many there are on this machine."""


def place() -> Place | None:
    """Return the place that torchrun gave this process; None without torchrun.

    It hands it over in the environment, as `torch.distributed` reads it.

    Example:
        >>> place() is None
        True
    """
    if "TORCHELASTIC_RUN_ID" not in os.environ:
        return None
    names = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE")
    return Place(*(int(os.environ[name]) for name in names))
