"""The presets by task and name."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Final

from relational_rnn.config.checks import check_preset
from relational_rnn.recipes import language, nth_farthest, reasoning
from relational_rnn.tasks import TASKS, find_task
from relational_rnn.training.config import RunConfig

RECIPES: Final[dict[str, dict[str, Callable[[], RunConfig]]]] = {
    "nth-farthest": {
        "quick": nth_farthest.quick,
        "paper8x16": nth_farthest.paper8x16,
        "paper": nth_farthest.paper,
        "plane": nth_farthest.plane,
        "tiny": nth_farthest.tiny,
    },
    "language": {
        "quick": language.characters,
        "characters": language.characters,
        "bytes": language.of_bytes,
        "wikitext2": language.wikitext2,
        "wikitext103-paper": language.wikitext103_paper,
        "tiny": language.tiny,
    },
    **{
        task: {"quick": recipe, "tiny": reasoning.tiny(recipe)}
        for task, recipe in (
            ("sorting", reasoning.sorting),
            ("pair-matching", reasoning.pair_matching),
            ("object-tracking", reasoning.object_tracking),
            ("babi-synthetic", reasoning.babi_synthetic),
            ("group-word", reasoning.group_word),
            ("mqar", reasoning.mqar),
            ("track-recall", reasoning.track_recall),
            ("babi", reasoning.babi),
            ("addition", reasoning.addition),
            ("control", reasoning.control),
            ("program", reasoning.program),
            ("algebra", reasoning.algebra),
            ("copy", reasoning.copy),
            ("reverse", reasoning.reverse),
            ("double", reasoning.double),
        )
    },
}
RECIPES["group-word"]["s5"] = reasoning.s5
RECIPES["group-word"]["swaps"] = reasoning.swaps
RECIPES["track-recall"]["factworld"] = reasoning.factworld
RECIPES["addition"]["paper"] = reasoning.addition_paper
RECIPES["control"]["paper"] = reasoning.control_paper
RECIPES["program"]["paper"] = reasoning.program_paper


for _name, _entry in TASKS.items():  # a task without presets of its own has these
    _recipe = functools.partial(reasoning.plain, _entry)
    RECIPES.setdefault(_name, {"quick": _recipe, "tiny": reasoning.tiny(_recipe)})


def find_recipe(task: str, preset: str) -> RunConfig:
    """Return the configuration of a preset.

    Raises:
        ValueError: there is no such task or preset; the message lists the known ones.

    Example:
        >>> find_recipe("nth-farthest", "paper8x16").budget.batch_size
        512
    """
    task = find_task(task).name
    return RECIPES[task][check_preset(preset, task, RECIPES[task])]()
