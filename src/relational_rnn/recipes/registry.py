"""The presets by task and name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from relational_rnn.recipes import nth_farthest, supervised
from relational_rnn.training.common.nth_farthest import NthFarthestSettings
from relational_rnn.training.common.supervised import SupervisedSettings

Settings = NthFarthestSettings | SupervisedSettings[Any]

RECIPES: Final[dict[str, dict[str, Callable[[], Settings]]]] = {
    "nth-farthest": {
        "quick": nth_farthest.quick,
        "paper8x16": nth_farthest.paper8x16,
        "tiny": nth_farthest.tiny,
    },
    "sorting": {"quick": supervised.sorting, "tiny": supervised.tiny(supervised.sorting)},
    "pair-matching": {"quick": supervised.pair_matching, "tiny": supervised.tiny(supervised.pair_matching)},
    "object-tracking": {
        "quick": supervised.object_tracking,
        "tiny": supervised.tiny(supervised.object_tracking),
    },
    "babi-synthetic": {
        "quick": supervised.babi_synthetic,
        "tiny": supervised.tiny(supervised.babi_synthetic),
    },
}


def find_recipe(task: str, preset: str) -> Settings:
    """Return the settings of a preset.

    Raises:
        ValueError: there is no such task or preset; the message lists the known ones.

    Example:
        >>> find_recipe("nth-farthest", "paper8x16").batch_size
        512
    """
    if task not in RECIPES:
        raise ValueError(f"there are no presets for {task!r}, only for {', '.join(RECIPES)}")
    if preset not in RECIPES[task]:
        raise ValueError(
            f"there is no preset {preset!r} for {task}; known presets: {', '.join(RECIPES[task])}"
        )
    return RECIPES[task][preset]()
