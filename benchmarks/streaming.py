"""One step at batch 1 without gradients, as when acting or reading a stream: microseconds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pages
import torch

from relational_rnn import nn
from relational_rnn.bench.fwd_bwd_torch import LSTM, PORT, streaming_step, threads, variants
from relational_rnn.bench.measure import measure as measure_runs
from relational_rnn.bench.workloads import SIZES_TITLE, Sizes, matched_lstm

CONFIGURATIONS = (Sizes(1, 1, 64, 4, 32, 4), Sizes(1, 1, 40, 8, 32, 8))
CALLS = 100
"""Steps in one timing."""


def measure(rounds: int, port: Any) -> dict[str, Any]:
    """Time one step of everyone with one thread; return the record."""
    rows = []
    with threads(1) as clock:
        for sizes in CONFIGURATIONS:
            runs = {name: many(run) for name, run in steps(sizes, port).items()}
            times = measure_runs(runs, rounds, clock=clock)
            microseconds = {
                name: [round(1e6 * q / CALLS, 2) for q in (taken.low, taken.median, taken.high)]
                for name, taken in times.items()
            }
            rows.append({"sizes": list(sizes), "microseconds": microseconds})
    return {"missing": variants()[1], "rows": rows}


def steps(sizes: Sizes, port: Any) -> dict[str, Callable[[], None]]:
    """Return one step of everyone: the core as a sequence of length 1, and the cell."""
    x = torch.randn(1, 1, sizes.input_size)
    found = {}
    if port is not None:
        core = port.RelationalMemory(**sizes.options, return_all_outputs=True)
        found[PORT] = streaming_step(core, x, core.initial_state(1))
    for name, options in variants()[0].items():
        core = nn.RelationalMemory(**sizes.options, batch_first=True, **options)
        cell = nn.RelationalMemoryCell(**sizes.options, **options)
        found[name] = streaming_step(core, x, core.initial_state(1))
        found[f"{name}, cell"] = streaming_step(cell, x[:, 0], cell.initial_state(1))
    lstm = torch.nn.LSTM(sizes.input_size, matched_lstm(sizes), batch_first=True)
    found[LSTM] = streaming_step(lstm, x, None)
    return found


def many(run: Callable[[], None]) -> Callable[[], None]:
    """Return `CALLS` calls as one."""

    def runs() -> None:
        for _ in range(CALLS):
            run()

    return runs


def table(record: dict[str, Any]) -> str:
    """Return the medians, one column a configuration."""
    columns = [row["microseconds"] for row in record["rows"]]
    header = [f"microseconds a step; {SIZES_TITLE}:"]
    header += [", ".join(map(str, row["sizes"])) for row in record["rows"]]
    return pages.markdown(header, [[name, *(f"{c[name][1]:.1f}" for c in columns)] for name in columns[0]])
