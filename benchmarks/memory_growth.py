"""By how much the resident memory grows during one training step over a long batch.

Each implementation runs in a fresh process: its peak `VmHWM` in /proc/self/status after the step, less what
was resident before it (`VmRSS`); where there is no such file, from `resource.getrusage`. A tiny step comes
before, so that libraries and code are there. The step is forward + backward with one thread.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pages

from relational_rnn.bench.fwd_bwd_torch import LSTM, PORT, RECOMPUTE, opponents, threads, variants
from relational_rnn.bench.measure import memory_growth
from relational_rnn.bench.workloads import LONG, Sizes
from relational_rnn.interop.port import load_port

SIZES = LONG


def measure(rounds: int, port: Any) -> dict[str, Any]:
    """Let everyone do one step in a process of its own; return the record.

    Args:
        rounds: not used: one step tells.
        port: the port's module, or None.
    """
    (ours, missing), (long, _) = variants(), variants(RECOMPUTE)
    names = [*([] if port is None else [PORT]), *ours, *long]
    rows = [{"name": name, "bytes": in_fresh_process(name, port)} for name in [*names, LSTM]]
    return {"sizes": list(SIZES), "missing": missing, "rows": rows}


def in_fresh_process(name: str, port: Any) -> int:
    """Return by how many bytes a process grows that does one step."""
    file = "" if port is None else port.__file__
    command = [sys.executable, __file__, name, ",".join(map(str, SIZES)), file]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return int(done.stdout)


def step_of(sizes: Sizes, name: str, port: Any) -> Callable[[], None]:
    """Return someone's training step."""
    ours = variants()[0] | variants(RECOMPUTE)[0]
    return opponents(sizes, ours, port, wide=False)[name]


def table(record: dict[str, Any]) -> str:
    """Return what each needs, and its share of eager's."""
    eager = next(row["bytes"] for row in record["rows"] if row["name"] == "eager")
    lines = [
        [row["name"], f"{row['bytes'] / 2**20:,.0f}", f"{row['bytes'] / eager:.2f}"] for row in record["rows"]
    ]
    sizes = ", ".join(map(str, record["sizes"]))
    return pages.markdown([f"one training step at ({sizes})", "MiB", "share of eager's"], lines)


def main() -> None:
    """Be the fresh process: print the bytes."""
    name, numbers, file = sys.argv[1:]
    sizes, port = Sizes(*map(int, numbers.split(","))), load_port(Path(file)) if file else None
    with threads(1):
        step_of(sizes._replace(batch=2, time=2), name, port)()
        step = step_of(sizes, name, port)
        print(memory_growth(step))


if __name__ == "__main__":
    main()
