"""Opponents of comparable size: the hidden size that gives at least so many parameters."""

from __future__ import annotations

from collections.abc import Callable


def smallest_size(parameters: Callable[[int], int], wanted: int) -> int:
    """Return the smallest size with at least `wanted` parameters.

    Args:
        parameters: size, from 1 -> number of parameters, which rises with the size.
        wanted: so many at least.

    Raises:
        ValueError: the parameters do not rise with the size.

    Example:
        >>> smallest_size(lambda hidden: hidden * hidden, wanted=50)
        8
    """
    high = 1
    while (there := parameters(high)) < wanted:
        high *= 2
        if parameters(high) <= there:
            raise ValueError(
                f"a model's size must add parameters: it has {there:,} at size {high // 2} and at {high}, "
                f"and {wanted:,} are wanted"
            )
    low = high // 2  # parameters(low) < wanted <= parameters(high)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if parameters(middle) < wanted else (low, middle)
    return high
