"""What the tables of the manifest are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from tools.publish import compared, inside, nth_farthest, repeated, supervised
from tools.publish.manifest import MANIFEST, OPPONENTS, Group, Kind
from tools.publish.records import Record, read_group
from tools.publish.text import commands

TABLES: Final[dict[Kind, dict[str, Callable[[Sequence[Record]], str]]]] = {
    "training": {
        "seeds": nth_farthest.seeds_table,
        "score": nth_farthest.score,
        "trainings": nth_farthest.trainings_table,
        "milestones": nth_farthest.milestones_table,
        "growth": nth_farthest.growth_table,
        "longer": nth_farthest.longer_table,
        "mistakes": inside.mistakes_table,
        "slots": inside.slots_table,
    },
    "supervised": {
        "summary": supervised.summary,
        "seeds": supervised.seeds_table,
        "kinds": supervised.kinds_table,
        "generalisation": supervised.generalisation_table,
        "efficiency": supervised.efficiency_table,
        "memory": supervised.memory,
        "cost": compared.cost_table,
        "last": compared.last_products_table,
        "whole": compared.whole_words_table,
    },
    "reasoning": {"overview": supervised.reasoning_table},
    "programs": {"overview": supervised.programs_table},
    "comparison": {
        "command": compared.comparison_command,
        "summary": compared.summary_table,
        "generalisation": supervised.generalisation_table,
        "cost": compared.cost_table,
        "longer": compared.longer_table,
        "memory": supervised.memory_table,
    },
    "opponents": {
        "command": commands,
        "summary": compared.opponents_table,
        "best": compared.best_sentence,
        "longer": compared.longer_table,
    },
    "search": {
        "command": commands,
        "summary": lambda records: compared.searches_table(records, read_group(MANIFEST[OPPONENTS])),
    },
    "tuning": {"command": commands, "summary": compared.tuning_table},
    "repeated": {"table": repeated.repeated_table},
    "ablation": {"command": commands, "overview": compared.overview_table},
}
"""Kind of a group -> its tables by name; an ablation has one for each of its factors besides."""


def write_table(group: Group, table: str) -> str:
    """Return a table of a group as it stands on a page.

    Raises:
        ValueError: groups of this kind have no such table.
    """
    known, records = TABLES[group.kind], read_group(group)
    if table in known:
        return known[table](records)
    if group.kind == "ablation":
        return compared.ablation_table(records, table)
    raise ValueError(f"a group of kind {group.kind!r} shows {', '.join(known)}, got {table!r}")
