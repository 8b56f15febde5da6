"""A forked process has its parent's OpenMP runtime without its threads, and would wait for them.

So torch works on one thread there, as in the workers of its own data loaders. More threads would wait for
ever if the parent had worked in parallel before, which a child cannot know. A number that a child sets itself
stays.
"""

from __future__ import annotations

import os

import torch


def _one_thread() -> None:
    if torch.get_num_threads() > 1:
        torch.set_num_threads(1)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_one_thread)
