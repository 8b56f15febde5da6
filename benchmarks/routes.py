"""Both ways to multiply float32 matrices at the sizes of cores, and which of them the fused backend takes."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pages
import torch
import torch.nn.functional as F
from torch import Tensor

from relational_rnn.bench.fwd_bwd_torch import threads
from relational_rnn.bench.measure import measure as measure_runs
from relational_rnn.kernels import products

SHAPES = (
    (256, 64, 64),
    (1024, 64, 64),
    (1024, 64, 192),
    (2048, 64, 192),
    (1024, 128, 384),
    (2048, 256, 256),
    (2048, 256, 768),
)
"""Rows, features in, features out; never fewer out than in."""

MULTIPLICATIONS = 1 << 27
"""A product is repeated until it has so many."""

LEAST = {
    "layer": products.LARGE,
    "input gradient": products.LARGE,
    "weight gradient": products.LARGE_GRADIENT,
}
"""Which product of a linear layer -> from how many multiplications on it takes oneDNN."""

OWN, ONEDNN = "torch's own", "oneDNN"


def measure(rounds: int, port: Any) -> dict[str, Any]:
    """Time both ways of every product with one thread, in turn.

    Args:
        rounds: how often.
        port: not used.
    """
    rows = []
    with threads(1) as clock:
        for shape in SHAPES:
            count = -(-MULTIPLICATIONS // math.prod(shape))
            for product, ways in both_ways(*shape).items():
                runs = {name: repeated(way, count) for name, way in ways.items()}
                times = measure_runs(runs, rounds, clock=clock)
                ratio = round(times[OWN].median / times[ONEDNN].median, 3)
                rows.append({"shape": list(shape), "product": product, "ratio": ratio})
    return {"capability": torch.backends.cpu.get_cpu_capability(), "rows": rows}


def both_ways(rows: int, features: int, outputs: int) -> dict[str, dict[str, Callable[[], Tensor]]]:
    """Return the products of a linear layer and of its gradients, each both ways."""
    generator = torch.Generator().manual_seed(0)
    x, w, b, d = (
        torch.randn(shape, generator=generator)
        for shape in ((rows, features), (outputs, features), (outputs,), (rows, outputs))
    )
    onednn = products.onednn_linear
    return {
        "layer": {OWN: lambda: F.linear(x, w, b), ONEDNN: lambda: onednn(x, w, b)},
        "input gradient": {OWN: lambda: F.linear(d, w.t()), ONEDNN: lambda: onednn(d, w.t(), None)},
        "weight gradient": {OWN: lambda: d.t() @ x, ONEDNN: lambda: onednn(x.t(), d.t(), None).t()},
    }


def repeated(way: Callable[[], Tensor], count: int) -> Callable[[], None]:
    """Return a function that does it so many times."""

    def run() -> None:
        for _ in range(count):
            way()

    return run


def table(record: dict[str, Any]) -> str:
    """Return how many times faster oneDNN is; bold where the rule takes it."""
    lines = []
    for row in record["rows"]:
        rows, features, outputs = row["shape"]
        if not lines or lines[-1][0] != f"{rows} x {features} x {outputs}":
            lines.append([f"{rows} x {features} x {outputs}", f"{math.prod(row['shape']) / 1e6:.0f}"])
        taken = math.prod(row["shape"]) >= LEAST[row["product"]]
        lines[-1].append(f"**{row['ratio']:.2f}**" if taken else f"{row['ratio']:.2f}")
    title = "rows x features in x features out"
    return pages.markdown([title, "million multiplications", *LEAST], lines)
