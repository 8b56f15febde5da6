"""The presets by task and name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from relational_rnn.recipes import nth_farthest
from relational_rnn.training.common.nth_farthest import NthFarthestSettings

RECIPES: Final[dict[str, dict[str, Callable[[], NthFarthestSettings]]]] = {
    "nth-farthest": {
        "quick": nth_farthest.quick,
        "paper8x16": nth_farthest.paper8x16,
        "tiny": nth_farthest.tiny,
    },
}


def find_recipe(task: str, preset: str) -> NthFarthestSettings:
    """Return the settings of a preset.

    Raises:
        ValueError: there is no such task or preset; the message lists the known ones.

    Example:
        >>> find_recipe("nth-farthest", "paper8x16").objects
        8
    """
    if task not in RECIPES:
        raise ValueError(f"there are no presets for {task!r}, only for {', '.join(RECIPES)}")
    if preset not in RECIPES[task]:
        raise ValueError(
            f"there is no preset {preset!r} for {task}; known presets: {', '.join(RECIPES[task])}"
        )
    return RECIPES[task][preset]()
