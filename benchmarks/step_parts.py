"""Where a training step's time goes: data, core, head, optimiser, average of the weights."""

from __future__ import annotations

import gc
from typing import Any

import numpy as np
import pages
from speed import number

from relational_rnn.bench.fwd_bwd_torch import threads
from relational_rnn.bench.measure import orders
from relational_rnn.bench.step_parts import CORE, PARTS, step_parts
from relational_rnn.recipes import find_recipe
from relational_rnn.training.config import RunConfig, with_values

CONFIGS: dict[str, RunConfig] = {
    "Nth farthest, paper8x16, SOAP": find_recipe("nth-farthest", "paper8x16"),
    "Nth farthest, paper8x16, Adam": with_values(
        find_recipe("nth-farthest", "paper8x16"), {"optimiser": "adam"}
    ),
    "Nth farthest, quick, Adam": find_recipe("nth-farthest", "quick"),
    "sorting, Adam": find_recipe("sorting", "quick"),
    "words of a group, SOAP": find_recipe("group-word", "quick"),
}
STEPS = 10
"""Steps in one timing: SOAP turns its eigenbases every tenth step."""


def measure(rounds: int, port: Any) -> dict[str, Any]:
    """Take the parts of the RMC's steps with one thread, each training in turn; return the record.

    Args:
        rounds: how often.
        port: not used: its training is another.
    """
    with threads(1) as clock:
        runs = {name: step_parts(config, "rmc", clock) for name, config in CONFIGS.items()}
        found: dict[str, list[list[float]]] = {name: [] for name in runs}
        for run in runs.values():
            run(STEPS)
        gc.disable()  # else a collection falls into a part of whoever comes after the litter
        try:
            for _, order in zip(range(rounds), orders(list(runs))):
                gc.collect()
                for name in order:
                    runs[name](1)  # finds caches and memory as in a training
                    taken = runs[name](STEPS)
                    found[name].append([1000 * taken[part] / STEPS for part in PARTS])
        finally:
            gc.enable()
    return {
        "rows": [
            {"training": name, "parts": dict(zip(PARTS, np.median(times, 0).round(3).tolist()))}
            for name, times in found.items()
        ]
    }


def table(record: dict[str, Any]) -> str:
    """Return the milliseconds of each part, and which share of a step is not the core."""
    lines = []
    for row in record["rows"]:
        parts = row["parts"]
        whole = sum(parts.values())
        cells = [row["training"], *(number(parts[part]) for part in PARTS), number(whole)]
        lines.append([*cells, f"{100 * (1 - parts[CORE] / whole):.0f} %"])
    return pages.markdown(["ms of one step", *PARTS, "all", "beside the core"], lines)
