"""Where labels go so that none lies on another; plain numbers, no drawing."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np


def spread(wanted: Sequence[float], sizes: Sequence[float], low: float, high: float) -> list[float]:
    """Move intervals apart along one axis, as little as possible in least squares.

    With the order kept, "no overlap" says that `centre - (sizes before it)` never falls, so the best centres
    are an isotonic regression, found by pooling neighbours that are out of order.

    Args:
        wanted: where the centre of each interval should be.
        sizes: its length.
        low: no interval begins below this.
        high: no interval ends above this, as long as all of them fit.

    Returns:
        The centres, in the order of `wanted`.

    Example:
        >>> spread([5.0, 5.0, 20.0], [4.0, 4.0, 4.0], low=0.0, high=30.0)
        [3.0, 7.0, 20.0]
    """
    order = np.argsort(np.asarray(wanted, dtype=float), kind="stable")
    size = np.asarray(sizes, dtype=float)[order]
    offset = np.cumsum(size) - size / 2
    pools: list[tuple[float, int]] = []  # (sum, count) of neighbours that share one value
    for target in np.asarray(wanted, dtype=float)[order] - offset:
        total, count = float(target), 1
        while pools and pools[-1][0] / pools[-1][1] >= total / count:
            earlier = pools.pop()
            total, count = total + earlier[0], count + earlier[1]
        pools.append((total, count))
    start = np.repeat([total / count for total, count in pools], [count for _, count in pools])
    centres = np.empty(len(order))
    centres[order] = np.clip(start, low, max(low, high - size.sum())) + offset
    return [float(centre) for centre in centres]


def group_labels(
    positions: Sequence[float], widths: Sequence[float], *, low: float, high: float, reach: float
) -> list[tuple[int, int, float]]:
    """Join neighbouring ticks under one label ("first to last") until every label stays near its ticks.

    Args:
        positions: of the ticks, from left to right.
        widths: of a label for each tick alone; a joined label takes the width of its first and last.
        low: labels begin above this ...
        high: ... and end below this.
        reach: the furthest that a label may move away from the middle of its ticks.

    Returns:
        For each label the first tick, the last tick and the label's centre.

    Example:
        >>> group_labels([0.0, 2.0, 80.0], [20.0, 20.0, 20.0], low=0.0, high=200.0, reach=30.0)
        [(0, 0, 10.0), (1, 1, 30.0), (2, 2, 80.0)]
    """
    groups = [(index, index) for index in range(len(positions))]
    while True:
        middles = [(positions[first] + positions[last]) / 2 for first, last in groups]
        sizes = [widths[first] + (widths[last] if last > first else 0.0) for first, last in groups]
        centres = spread(middles, sizes, low, high)
        moved = max((abs(centre - middle) for centre, middle in zip(centres, middles)), default=0.0)
        if len(groups) < 2 or (moved <= reach and sum(sizes) <= high - low):
            return [(first, last, centre) for (first, last), centre in zip(groups, centres)]
        gaps = [positions[right[0]] - positions[left[1]] for left, right in pairwise(groups)]
        nearest = int(np.argmin(gaps))
        groups[nearest : nearest + 2] = [(groups[nearest][0], groups[nearest + 1][1])]
