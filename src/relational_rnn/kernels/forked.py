"""A forked process has its parent's OpenMP runtime without its threads, and would wait for them."""

from __future__ import annotations

import os
import warnings

import torch

_forked = False


def _note_fork() -> None:
    global _forked
    _forked = True


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_note_fork)


def single_thread_after_fork() -> None:
    """Let torch work on one thread, once, where this process was forked: as its own data loaders' workers do.

    More threads would wait for ever if the parent had worked in parallel before, which a child cannot know.

    Example:
        >>> single_thread_after_fork()  # nothing here: this process was not forked
    """
    global _forked
    if not _forked:
        return
    _forked = False
    if torch.get_num_threads() > 1:
        torch.set_num_threads(1)
        warnings.warn(
            "this process was forked, where torch's threads may be missing: it works on one thread "
            '(start processes with "spawn" for more)',
            RuntimeWarning,
            stacklevel=2,
        )
