"""Forward + backward of everyone at the configurations of the docs, beside the limit of the machine."""

from __future__ import annotations

import math
from typing import Any

import pages
import torch

from relational_rnn import nn
from relational_rnn.bench.fwd_bwd_torch import BFLOAT16, PORT, auto_backend, opponents, threads, variants
from relational_rnn.bench.measure import REST, machine
from relational_rnn.bench.measure import measure as measure_runs
from relational_rnn.bench.products import best_products
from relational_rnn.bench.workloads import (
    CONFIGURATIONS,
    SIZES_TITLE,
    Sizes,
    floating_point_operations,
)
from relational_rnn.interop.agreement import ALLOWED_LARGE, check_agreement

THREADS = (1, 2)
BFLOAT16_AT = CONFIGURATIONS[2]
"""Where products in bfloat16 are timed: they are worth it where products are large."""

BFLOAT16_INSTRUCTIONS = ("avx512_bf16", "amx_bf16", "bf16")
"""Processors without one of these make them from float32, slowly."""

PRODUCT = "best product"
"""Timed in turn with the others, since a machine is not always equally fast."""


def measure(rounds: int, port: Any) -> dict[str, Any]:
    """Check and time everyone; return the record.

    Raises:
        RuntimeError: outputs or gradients differ from the NumPy core's; nothing is reported then.
    """
    (ours, missing), narrow = variants(), narrow_variants()
    rows, rates = [], {}
    for count in THREADS:
        with threads(count) as clock:
            products = best_products(clock=clock)
            rates[str(count)] = {way: round(found.rate / 1e9, 1) for way, found in products.items()}
            best = max(products.values(), key=lambda found: found.rate)
            for sizes in CONFIGURATIONS:
                taking_part = ours | (narrow if sizes == BFLOAT16_AT else {})
                for name, options in taking_part.items():
                    check(sizes, name, options)
                runs = opponents(sizes, taking_part, port) | {PRODUCT: best.run}
                times = measure_runs(runs, rounds, clock=clock, rest=REST)
                rate = best.operations / times.pop(PRODUCT).median
                milliseconds = {
                    name: [round(1000 * q, 3) for q in (taken.low, taken.median, taken.high)]
                    for name, taken in times.items()
                }
                limit = 1000 * floating_point_operations(sizes) / rate
                row = {"threads": count, "sizes": list(sizes), "auto": auto_backend(sizes)}
                row |= {"limit": round(limit, 3), "gflops": round(rate / 1e9, 1)}
                rows.append(row | {"milliseconds": milliseconds})
    return {
        "ours": [*ours, *narrow],
        "missing": missing,
        "gflops": rates,
        "rows": rows,
    }


def narrow_variants() -> dict[str, dict[str, Any]]:
    """Return what can run here with products in bfloat16; nothing where the processor lacks them."""
    return variants(BFLOAT16)[0] if set(BFLOAT16_INSTRUCTIONS) & set(machine()["instructions"]) else {}


def check(sizes: Sizes, name: str, options: dict[str, Any]) -> None:
    """Raise RuntimeError if a backend differs from the NumPy core at these sizes."""
    generator = torch.Generator().manual_seed(0)
    core = nn.RelationalMemory(**sizes.options, batch_first=True, generator=generator, **options)
    allowed = ALLOWED_LARGE["bfloat16" if name.endswith(BFLOAT16) else "float32"]
    checks = check_agreement(core, batch=sizes.batch, steps=sizes.time, allowed=allowed, dtype="float32")
    for array in checks:
        if not array.passed:
            raise RuntimeError(
                f"{name} at {sizes}: {array.name} differs by {array.difference:.1e}, "
                f"allowed {array.allowed:.1e}; nothing is reported"
            )


def table(record: dict[str, Any]) -> str:
    """Return the record's tables: for each number of threads the times, then what they mean."""
    autos = ", ".join(dict.fromkeys(row["auto"] for row in record["rows"]))
    parts = [f'`backend="auto"` takes {autos}.']
    for count, rates in record["gflops"].items():
        rows = [row for row in record["rows"] if row["threads"] == int(count)]
        way = max(rates, key=rates.get)
        seen = [row["gflops"] for row in rows]
        parts.append(
            f"{'One thread' if count == '1' else f'{count} threads'}, milliseconds. The limit is reckoned "
            f"with the best product ({way}) in the same rounds, {min(seen):.0f} to {max(seen):.0f} GFLOP/s; "
            "before them the ways to multiply had "
            + ", ".join(f"{other} {rate:.0f}" for other, rate in rates.items())
            + "."
        )
        parts += [times_table(rows), "", ratios_table(record, rows)]
        parts += [sentence for name in record["ours"] if (sentence := narrow_sentence(name, rows))]
    for name, reason in record["missing"].items():
        parts.append(f"{name} could not run: {reason}.")
    return "\n\n".join(part for part in parts if part)


def median(row: dict[str, Any], name: str) -> float:
    """Return someone's median milliseconds; NaN where it was not timed."""
    times: dict[str, list[float]] = row["milliseconds"]
    return times[name][1] if name in times else math.nan


def times_table(rows: list[dict[str, Any]]) -> str:
    """Return everyone's medians, and the limit."""
    names = list(dict.fromkeys(name for row in rows for name in row["milliseconds"]))
    lines = [
        [", ".join(map(str, row["sizes"])), *(number(median(row, name)) for name in names)]
        + [number(row["limit"])]
        for row in rows
    ]
    return pages.markdown([SIZES_TITLE, *names, "limit"], lines)


def ratios_table(record: dict[str, Any], rows: list[dict[str, Any]]) -> str:
    """Return how many times faster than the port ours are, and how many times the limit they take."""
    names = [name for name in record["ours"] if not name.endswith(BFLOAT16)]
    faster = {
        name: [median(row, PORT) / median(row, name) for row in rows]
        for name in names
        if PORT in rows[0]["milliseconds"]
    }
    above = {name: [median(row, name) / row["limit"] for row in rows] for name in names}
    header = [SIZES_TITLE, *(f"{name}: times faster than the port" for name in faster)]
    header += [f"{name}: times the limit" for name in above]
    columns = [*faster.values(), *above.values()]
    lines = [
        [", ".join(map(str, row["sizes"])), *(f"{column[index]:.2f}" for column in columns)]
        for index, row in enumerate(rows)
    ]
    means = [math.exp(sum(map(math.log, column)) / len(column)) for column in columns]
    return pages.markdown(header, [*lines, ["geometric mean", *(f"{mean:.2f}" for mean in means)]])


def narrow_sentence(name: str, rows: list[dict[str, Any]]) -> str:
    """Say how much faster products in bfloat16 make a backend; nothing for another one."""
    if not name.endswith(BFLOAT16):
        return ""
    plain = name.removesuffix(BFLOAT16)
    (row,) = [row for row in rows if name in row["milliseconds"]]
    sizes = ", ".join(map(str, row["sizes"]))
    gain = median(row, plain) / median(row, name)
    return f"Products in bfloat16 make {plain} {gain:.2f} times faster than float32 at ({sizes})."


def number(milliseconds: float) -> str:
    """Write a time with three digits; a dash for none."""
    if math.isnan(milliseconds):
        return "-"
    return f"{milliseconds:.{2 if milliseconds < 10 else 1 if milliseconds < 100 else 0}f}"
