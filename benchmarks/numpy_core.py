"""How long forward + backward of the NumPy core takes, beside PyTorch: `python benchmarks/numpy_core.py`.

With `--port FILE` also beside the most used PyTorch port of the Relational Memory Core: FILE is
`relational_rnn_general.py` of github.com/L0SG/relational-rnn-pytorch. Its line `q *= ...`, which current
PyTorch refuses (it changes a view that `split` made), is replaced by `q = q * ...` when the file is loaded.

What is timed: one call of the core over a sequence, the sum of the outputs of all steps as loss, and its
gradients, in float32 with one thread each. The time is the processor's (`time.process_time`), so that other
programs count little. In every round each implementation runs in turn, once untimed and once timed, in
another order each time; the table holds medians over the rounds. All start from a given memory. The NumPy
core always returns the gradients of the inputs and of that memory too; the others are asked for those of the
parameters, as in training.

Before a configuration is timed, the NumPy core and this package's torch core have to agree in outputs and
gradients; else there is no report.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pages
import torch

from relational_rnn import nn
from relational_rnn.bench.fwd_bwd_torch import NUMPY, PORT, opponents, threads
from relational_rnn.bench.measure import measure
from relational_rnn.bench.workloads import CONFIGURATIONS, SIZES_TITLE, Sizes
from relational_rnn.interop.agreement import ALLOWED_LARGE, check_agreement
from relational_rnn.interop.port import load_port
from relational_rnn.training.files import find_target, write_text

TORCH = "torch core, eager"


def check(sizes: Sizes, dtype: str) -> None:
    """Leave with a message if outputs or gradients of the NumPy and the torch core differ."""
    generator, place = torch.Generator().manual_seed(0), getattr(torch, dtype)
    core = nn.RelationalMemory(
        **sizes.options, batch_first=True, backend="eager", generator=generator, dtype=place
    )
    allowed = ALLOWED_LARGE[dtype]
    for array in check_agreement(core, batch=sizes.batch, steps=sizes.time, allowed=allowed, dtype=dtype):
        if not array.passed:
            sys.exit(f"{sizes}, {dtype}: {array.name} differs by {array.difference:.1e}; nothing is timed")


def table(record: dict[str, Any]) -> str:
    """Return the record as a Markdown table."""
    rows = record["rows"]
    names = [name for name in (PORT, TORCH, NUMPY) if name in rows[0]["milliseconds"]]
    base = names[0]
    header = [SIZES_TITLE, *(f"{name}, ms" for name in names), f"NumPy / {base}"]
    lines = []
    for row in rows:
        times = row["milliseconds"]
        cells = [", ".join(map(str, row["sizes"]))]
        cells += [f"{times[name]:.1f}" for name in names]
        cells += [f"{times[NUMPY] / times[base]:.2f}"]
        lines.append(cells)
    return pages.markdown(header, lines)


def place(record: Path) -> str:
    """Return the name of a record's place in the page."""
    return record.stem.replace("_", "-")


def main(arguments: list[str] | None = None) -> None:
    """Print the table; with `--json` also keep its numbers, and put them into docs/performance.md."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--port", type=Path, help="the port's relational_rnn_general.py")
    parser.add_argument("--rounds", type=int, default=31)
    parser.add_argument("--json", type=Path, help="write the record there, and its table into the docs")
    parsed = parser.parse_args(arguments)
    if parsed.json is not None:
        find_target(parsed.json)  # raises before hours of timing
    port = None if parsed.port is None else load_port(parsed.port)
    rows = []
    with threads(1) as clock:
        for sizes in CONFIGURATIONS:
            for dtype in ("float64", "float32"):
                check(sizes, dtype)
            everyone = opponents(sizes, {TORCH: {"backend": "eager"}}, port, wide=False)
            runs = {name: run for name, run in everyone.items() if name in (PORT, TORCH, NUMPY)}
            times = measure(runs, parsed.rounds, clock=clock)
            milliseconds = {name: round(1000 * taken.median, 3) for name, taken in times.items()}
            rows.append({"sizes": list(sizes), "milliseconds": milliseconds})
    versions = {"numpy": np.__version__, "torch": torch.__version__.split("+")[0]}
    record = {"rounds": parsed.rounds, "versions": versions, "rows": rows}
    print(table(record))
    if parsed.json is not None:
        write_text(parsed.json, json.dumps(record, indent=1) + "\n")
        text = pages.PAGE.read_text(encoding="utf-8")
        write_text(pages.PAGE, pages.fill(text, place(parsed.json), table(record)))


if __name__ == "__main__":
    main()
