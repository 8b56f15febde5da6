"""Forward + backward of everyone on a GPU, in three classes of precision, beside the measured peak of each.

Nobody's class is better than his opponents': in float32 and TF32 all products are made in it; in bfloat16 the
fused and the Triton backend make their products in it, and the others run under autocast.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pages
import torch
from speed import median, number

from relational_rnn.bench.fwd_bwd_torch import (
    BFLOAT16,
    LSTM,
    PORT,
    WIDE_LSTM,
    core_pass,
    lstm_pass,
    port_pass,
    variants,
)
from relational_rnn.bench.measure import measure as measure_runs
from relational_rnn.bench.workloads import (
    SIZES_TITLE,
    Sizes,
    floating_point_operations,
    matched_lstm,
)

DEVICE = "cuda"
CONFIGURATIONS = (
    Sizes(1600, 8, 40, 8, 32, 8),
    Sizes(256, 8, 40, 8, 32, 8),
    Sizes(256, 8, 40, 8, 16, 4),
    Sizes(32, 50, 64, 4, 32, 4),
    Sizes(1, 100, 64, 4, 32, 4),
)
"""The first is the paper's training step of Nth farthest."""

CLASSES = {"float32": "highest", "TF32": "high", "bfloat16": "high"}
"""Class -> torch's precision of float32 products while it is timed."""

PEAK_SIZE = 8192
"""Rows and columns of the matrices whose product tells the peak."""


def measure(rounds: int, port: Any) -> dict[str, Any]:
    """Time everyone in every class; return the record."""
    missing: dict[str, str] = {}
    rows, peaks = [], {}
    for name in CLASSES:
        with precision(name):
            peak = peak_rate(name, rounds)
            peaks[name] = round(peak / 1e12, 2)
            for sizes in CONFIGURATIONS:
                everyone = opponents(sizes, name, port, missing)
                runs = {who: run for who, run in everyone.items() if runs_here(who, run, name, missing)}
                times = measure_runs(runs, rounds, clock=clock)
                milliseconds = {
                    who: [round(1000 * q, 3) for q in (taken.low, taken.median, taken.high)]
                    for who, taken in times.items()
                }
                limit = 1000 * floating_point_operations(sizes) / peak
                row = {"class": name, "sizes": list(sizes), "limit": round(limit, 4)}
                rows.append(row | {"milliseconds": milliseconds})
    gpu = torch.cuda.get_device_name() if DEVICE == "cuda" else "none"
    return {"gpu": gpu, "missing": missing, "teraflops": peaks, "rows": rows}


def clock() -> float:
    """Return the wall's time when the GPU has done what it was given."""
    if DEVICE == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter()


@contextmanager
def precision(name: str) -> Iterator[None]:
    """Make float32 products in a class."""
    before = torch.get_float32_matmul_precision()
    tf32 = torch.backends.cudnn.allow_tf32  # the LSTM's
    torch.set_float32_matmul_precision(CLASSES[name])
    torch.backends.cudnn.allow_tf32 = name != "float32"
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)
        torch.backends.cudnn.allow_tf32 = tf32


def peak_rate(name: str, rounds: int) -> float:
    """Measure the operations a second of a large matrix product in a class."""
    dtype = torch.bfloat16 if name == "bfloat16" else torch.float32
    x = torch.randn(PEAK_SIZE, PEAK_SIZE, device=DEVICE, dtype=dtype)
    taken = measure_runs({"product": lambda: torch.mm(x, x)}, rounds, clock=clock)["product"]
    return 2 * PEAK_SIZE**3 / taken.median


def opponents(sizes: Sizes, name: str, port: Any, missing: dict[str, str]) -> dict[str, Callable[[], None]]:
    """Return one forward + backward of everyone; who cannot run goes, with the reason, to `missing`."""
    ours, reasons = variants(device=DEVICE)
    missing |= reasons
    if name == "bfloat16":
        narrow, _ = variants(BFLOAT16, DEVICE)
        ours = {"eager": ours["eager"]} | {who.removesuffix(BFLOAT16): x for who, x in narrow.items()}
    others = {who: core_pass(sizes, **options) for who, options in ours.items()}
    others[LSTM] = lstm_pass(sizes, matched_lstm(sizes), DEVICE)
    others[WIDE_LSTM] = lstm_pass(sizes, sizes.config.output_size, DEVICE)
    if port is not None:
        others[PORT] = port_pass(sizes, port, DEVICE)
    if name != "bfloat16":
        return others
    return {
        who: run if "compute_dtype" in ours.get(who, {}) else autocast(run) for who, run in others.items()
    }


def runs_here(who: str, run: Callable[[], None], name: str, missing: dict[str, str]) -> bool:
    """Try it once: not everyone is known to run in every class; note in `missing` why not."""
    try:
        run()
    except RuntimeError as error:
        missing[f"{who}, {name}"] = str(error).splitlines()[0]
        return False
    return True


def autocast(run: Callable[[], None]) -> Callable[[], None]:
    """Run in bfloat16 as torch does it by itself."""

    def cast() -> None:
        with torch.autocast(DEVICE, torch.bfloat16):
            run()

    return cast


def table(record: dict[str, Any]) -> str:
    """Return the record's tables: for each class the times, and what they mean for the fastest of ours."""
    parts = [f"On one {record['gpu']}."]
    for name, peak in record["teraflops"].items():
        rows = [row for row in record["rows"] if row["class"] == name]
        names = list(dict.fromkeys(who for row in rows for who in row["milliseconds"]))
        fastest = "triton" if "triton" in names else "fused"
        lines = []
        for row in rows:
            taken = median(row, fastest)
            faster = median(row, PORT) / taken
            times = [number(median(row, who)) for who in names]
            ratio = "-" if math.isnan(faster) else f"{faster:.1f}"
            sizes = ", ".join(map(str, row["sizes"]))
            lines.append([sizes, *times, ratio, f"{100 * row['limit'] / taken:.0f} %"])
        header = [SIZES_TITLE, *names, f"{fastest}: times faster than the port", f"{fastest}: of the peak"]
        parts.append(f"{name}, milliseconds. A large product runs at {peak:.0f} TFLOP/s.")
        parts.append(pages.markdown(header, lines))
    parts += [f"{who} could not run: {reason}." for who, reason in record["missing"].items()]
    return "\n\n".join(parts)
