"""One training step of Nth farthest at the paper's size on every backend: draw, learn, average weights."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pages
from speed import median, narrow_variants, number

from relational_rnn.bench.estimate import training_step
from relational_rnn.bench.fwd_bwd_torch import threads, variants
from relational_rnn.bench.measure import measure as measure_runs
from relational_rnn.nn import RelationalMemory
from relational_rnn.recipes import find_recipe
from relational_rnn.tasks.nth_farthest import NthFarthest
from relational_rnn.training.config import RunConfig, with_values

CONFIG: RunConfig[NthFarthest] = find_recipe("nth-farthest", "paper8x16")
OPTIMISERS = ("soap", "adam")
STEPS = 10
"""Steps in one timing: SOAP turns its eigenbases every tenth step."""


def measure(rounds: int, port: Any) -> dict[str, Any]:
    """Time the steps of everyone with one thread, in turn; return the record.

    Args:
        rounds: how often.
        port: not used: its loss and initial weights belong to another training.
    """
    ours, missing = variants()
    taking_part = ours | narrow_variants()
    with threads(1) as clock:
        runs = {
            f"{optimiser}: {name}": steps(with_values(CONFIG, {"optimiser": optimiser}), options)
            for optimiser in OPTIMISERS
            for name, options in taking_part.items()
        }
        times = measure_runs(runs, rounds, clock=clock)
    rows = [
        {
            "optimiser": optimiser,
            "milliseconds": {
                name: [round(1000 * q / STEPS, 3) for q in times[f"{optimiser}: {name}"][:3]]
                for name in taking_part
            },
        }
        for optimiser in OPTIMISERS
    ]
    return {"missing": missing, "rows": rows}


def steps(config: RunConfig[NthFarthest], options: dict[str, Any]) -> Callable[[], None]:
    """Return `STEPS` steps of a training on the full task.

    Args:
        config: of the training.
        options: of its core, beside its sizes.
    """
    model = config.model
    core = RelationalMemory(
        config.task.input_size,
        head_size=model.head_size,
        **model.core_options(),
        batch_first=True,
        **options,
    )
    step = training_step(config, "rmc", core)

    def run() -> None:
        for _ in range(STEPS):
            step()

    return run


def table(record: dict[str, Any]) -> str:
    """Return what a step takes with each optimiser, and how many times faster than eager that is."""
    found = {row["optimiser"]: row for row in record["rows"]}
    header = ["one training step"]
    for optimiser in found:
        header += [f"{optimiser}, ms", f"{optimiser}: times faster than eager"]
    lines = []
    for name in record["rows"][0]["milliseconds"]:
        cells = [name]
        for row in found.values():
            cells += [number(median(row, name)), f"{median(row, 'eager') / median(row, name):.2f}"]
        lines.append(cells)
    return pages.markdown(header, lines)
