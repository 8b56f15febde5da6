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
        "paper": nth_farthest.paper,
        "tiny": nth_farthest.tiny,
    },
    **{
        task: {"quick": recipe, "tiny": supervised.tiny(recipe)}
        for task, recipe in (
            ("sorting", supervised.sorting),
            ("pair-matching", supervised.pair_matching),
            ("object-tracking", supervised.object_tracking),
            ("babi-synthetic", supervised.babi_synthetic),
            ("babi", supervised.babi),
            ("addition", supervised.addition),
            ("control", supervised.control),
            ("program", supervised.program),
            ("algebra", supervised.algebra),
            ("copy", supervised.copy),
            ("reverse", supervised.reverse),
            ("double", supervised.double),
        )
    },
}
RECIPES["addition"]["paper"] = supervised.addition_paper
RECIPES["control"]["paper"] = supervised.control_paper
RECIPES["program"]["paper"] = supervised.program_paper


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
