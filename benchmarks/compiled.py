"""A classifier's forward + backward with torch.compile and without: what it takes, and what it brings."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pages
import torch
from speed import median, number

from relational_rnn.bench.fwd_bwd_numpy import draw_inputs
from relational_rnn.bench.fwd_bwd_torch import threads, variants
from relational_rnn.bench.measure import measure as measure_runs
from relational_rnn.bench.workloads import SIZES_TITLE, Sizes
from relational_rnn.nn import RelationalMemory, SequenceClassifier

CONFIGURATIONS = (Sizes(256, 8, 40, 8, 16, 4), Sizes(1, 8, 64, 4, 32, 4))
"""Short sequences: of the eager backend the compiler gets every step's operations, one after the other."""

COMPILED = ", compiled"
COMPILER = "inductor"


def measure(rounds: int, port: Any) -> dict[str, Any]:
    """Time every backend's model with one thread, compiled and not, in turn; return the record.

    Args:
        rounds: how often.
        port: not used: it calls for graph breaks.
    """
    ours, missing = variants()
    rows = []
    with threads(1) as clock:
        for sizes in CONFIGURATIONS:
            runs: dict[str, Callable[[], None]] = {}
            seconds = {}
            for name, options in ours.items():
                runs[name] = training_pass(sizes, options, compiled=False)
                runs[name + COMPILED] = training_pass(sizes, options, compiled=True)
                seconds[name] = seconds_of(runs[name + COMPILED])
            times = measure_runs(runs, rounds, clock=clock)
            milliseconds = {
                name: [round(1000 * q, 3) for q in (taken.low, taken.median, taken.high)]
                for name, taken in times.items()
            }
            rows.append({"sizes": list(sizes), "milliseconds": milliseconds, "seconds to compile": seconds})
    return {"missing": missing, "rows": rows}


def training_pass(sizes: Sizes, options: dict[str, Any], compiled: bool) -> Callable[[], None]:
    """Return forward + backward of a classifier; the first call of a compiled one compiles.

    Args:
        sizes: of the batch and the core.
        options: further arguments of `nn.RelationalMemory`.
        compiled: whether the model is compiled, in one graph.
    """
    generator = torch.Generator().manual_seed(0)
    core = RelationalMemory(**sizes.options, batch_first=True, generator=generator, **options)
    model = SequenceClassifier(core, classes=10, generator=generator)
    forward = torch.compile(model, fullgraph=True, backend=COMPILER) if compiled else model
    inputs, classes = torch.from_numpy(draw_inputs(sizes)), torch.arange(sizes.batch) % 10

    def run() -> None:
        model.zero_grad()
        torch.nn.functional.cross_entropy(forward(inputs), classes).backward()

    return run


def seconds_of(run: Callable[[], None]) -> float:
    """Return what a call takes."""
    begin = time.perf_counter()
    run()
    return round(time.perf_counter() - begin, 1)


def table(record: dict[str, Any]) -> str:
    """Return the medians with and without compiling, and what compiling took."""
    header = [SIZES_TITLE, "backend", "not compiled, ms", "compiled, ms", "times faster", "to compile, s"]
    lines = []
    for row in record["rows"]:
        for name, seconds in row["seconds to compile"].items():
            before, after = median(row, name), median(row, name + COMPILED)
            times = [number(before), number(after), f"{before / after:.2f}", f"{seconds:.0f}"]
            lines.append([", ".join(map(str, row["sizes"])), name, *times])
    return pages.markdown(header, lines)
