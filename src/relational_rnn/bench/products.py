"""The best rate of this machine's float32 matrix products: what a core's speed is held against."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from typing import Any, Final, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from relational_rnn.bench.measure import REST, measure

SHAPES: Final = ((2048, 128, 384), (2048, 256, 768), (2048, 512, 512), (1024, 1024, 1024), (8192, 256, 256))
"""Rows, features in, features out: what cores multiply, and what suits a processor best."""

LEAST_SECONDS: Final = 0.004
"""A product is repeated until it takes at least so long."""


def routes(x: Tensor, weight: Tensor) -> dict[str, Callable[[], Any]]:
    """Return the ways to compute x weightᵀ that this machine has.

    Args:
        x: (M, K) float32.
        weight: (N, K) float32.

    Example:
        >>> routes(torch.ones(2, 3), torch.ones(4, 3))["torch.mm"]().shape
        torch.Size([2, 4])
    """
    a, b = x.numpy(), weight.numpy()
    found: dict[str, Callable[[], Any]] = {
        "torch.mm": lambda: torch.mm(x, weight.t()),
        "F.linear": lambda: F.linear(x, weight),
        "numpy.matmul": lambda: np.matmul(a, b.T),
    }
    if torch.backends.mkldnn.is_available():
        linear = getattr(torch.ops.mkldnn, "_linear_pointwise", None)
        if linear is not None:
            found["oneDNN linear"] = lambda: linear(x, weight, None, "none", [], "")
    return found


class Product(NamedTuple):
    """A matrix product to time, and what was found."""

    run: Callable[[], None]
    """Computes it, several times if it is small."""
    operations: int
    """Floating-point operations of a run, 2 M N K for each product."""
    rate: float
    """Operations a second."""


def best_products(
    rounds: int = 15,
    shapes: tuple[tuple[int, int, int], ...] = SHAPES,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, Product]:
    """Measure how fast each way multiplies in float32, and return for each the product with the best rate.

    Args:
        rounds: how often each is timed; medians count.
        shapes: rows, features in, features out.
        clock: as in `bench.measure.measure`.
    """
    generator = torch.Generator().manual_seed(0)
    best: dict[str, Product] = {}
    for rows, features, outputs in shapes:
        x = torch.randn(rows, features, generator=generator)
        weight = torch.randn(outputs, features, generator=generator)
        ways = routes(x, weight)
        slowest = max(q.median for q in measure(ways, 3, rest=REST).values())
        repeats = max(1, round(LEAST_SECONDS / slowest))
        operations = repeats * 2 * rows * features * outputs
        runs = {name: functools.partial(_repeat, way, repeats) for name, way in ways.items()}
        for name, taken in measure(runs, rounds, clock=clock, rest=REST).items():
            found = Product(runs[name], operations, operations / taken.median)
            best[name] = max(best.get(name, found), found, key=lambda product: product.rate)
    return best


def _repeat(way: Callable[[], Any], times: int) -> None:
    for _ in range(times):
        way()
