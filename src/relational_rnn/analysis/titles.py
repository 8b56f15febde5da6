"""What a run is called above its figures and tables."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from relational_rnn.tasks import entry_of
from relational_rnn.training.config import RunConfig


def title_of(config: RunConfig) -> str:
    """Return the task and its sizes in words.

    Example:
        >>> from relational_rnn.tasks.nth_farthest import NthFarthest
        >>> title_of(RunConfig(task=NthFarthest(objects=3, dimensions=16)))
        'Nth farthest, 3 vectors of 16 dimensions'
    """
    entry = entry_of(config.task)
    if entry.title is not None:
        return entry.title(config.task)
    sizes = in_words(dataclasses.asdict(config.task))
    return f"{entry.name}, {sizes}" if sizes else entry.name


def in_words(sizes: Mapping[str, Any]) -> str:
    """Return the sizes of a task in words, without those that are not set.

    Example:
        >>> in_words({"length": 10, "curriculum": "mix", "level": None, "supporting_facts": (1, 2)})
        'length 10, curriculum mix, supporting facts 1 2'
    """
    told = []
    for name, value in sizes.items():
        if value is None or value is False:
            continue
        values = value if isinstance(value, list | tuple) else [value]
        told.append(" ".join([name.replace("_", " "), *(map(str, values) if value is not True else ())]))
    return ", ".join(told)
