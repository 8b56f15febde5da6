"""Opponents of comparable size: the smallest that has as many numbers of a kind as wanted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

PLATEAU: Final = 64
"""So many times the size must have more: heads of whole features make steps."""


def smallest_size(count: Callable[[int], int], wanted: int) -> int:
    """Return the smallest size with at least `wanted` parameters, or numbers of a state.

    Args:
        count: size, from 1 -> how many there are, which rises with the size and never falls.
        wanted: so many at least.

    Raises:
        ValueError: the count does not rise with the size.

    Example:
        >>> smallest_size(lambda hidden: hidden * hidden, wanted=50)
        8
    """
    high = 1
    while (there := count(high)) < wanted:
        if high >= PLATEAU and there <= count(high // PLATEAU):
            raise ValueError(
                f"a larger size must give a model more: it has {there:,} at size {high // PLATEAU} and at "
                f"{high}, and {wanted:,} are wanted"
            )
        high *= 2
    low = high // 2  # count(low) < wanted <= count(high)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if count(middle) < wanted else (low, middle)
    return high
