"""How far a measured accuracy may lie from the true one."""

from __future__ import annotations

import math

from relational_rnn.config.checks import check_number, check_size

Z_95 = 1.959963984540054
"""The normal distribution keeps 95 % of its mass within this many standard deviations."""


def binomial_half_width(accuracy: float, count: int) -> float:
    """Half the width of the 95 % Wilson interval of an accuracy measured on `count` examples.

    Equation (Wilson 1927): `z sqrt(p (1 - p) / n + z² / (4 n²)) / (1 + z² / n)` with z = 1.96. Unlike the
    textbook `z sqrt(p (1 - p) / n)` it is not zero at 0 % and 100 %. The interval's centre lies a little
    closer to one half than `accuracy`, by less than the half-width.

    Args:
        accuracy: share of right answers, 0 to 1.
        count: number of examples that it was measured on, at least 1.

    Returns:
        The half-width, as a share of 1.

    Raises:
        ValueError: `accuracy` is outside 0..1 or `count` below 1.
        TypeError: `accuracy` is no number or `count` no integer.

    Example:
        >>> round(binomial_half_width(0.9, 10_000), 4)
        0.0059
    """
    p, n = check_number("accuracy", accuracy, 0, 1), check_size("count", count)
    z2 = Z_95**2
    return Z_95 * math.sqrt(p * (1 - p) / n + z2 / (4 * n * n)) / (1 + z2 / n)
