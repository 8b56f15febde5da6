"""One stream of random numbers for each game of a batch, drawn for all games in one call.

A game's numbers follow from its seed and from how many it has drawn, never from the batch it is played in.
NumPy's generators draw for one stream at a time; SplitMix64 (Steele, Lea & Flood 2014), the generator that
seeds others, is a counter and three rounds of mixing, so a whole batch is a few operations on arrays.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from jaxtyping import Float64, Int64, UInt64

INCREMENT: Final = np.uint64(0x9E3779B97F4A7C15)
"""2**64 divided by the golden ratio: how far a stream's counter goes with each number."""
_FIRST, _SECOND = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)


def mix(counter: UInt64[np.ndarray, "*shape"]) -> UInt64[np.ndarray, "*shape"]:
    """Return the random number of each counter: SplitMix64's finaliser.

    Example:
        >>> mix(np.array([1234567], np.uint64) + INCREMENT)  # its first number for the seed 1234567
        array([6457827717110365317], dtype=uint64)
    """
    mixed = (counter ^ (counter >> np.uint64(30))) * _FIRST
    mixed = (mixed ^ (mixed >> np.uint64(27))) * _SECOND
    return np.asarray(mixed ^ (mixed >> np.uint64(31)))


def start(seeds: Int64[np.ndarray, " B"]) -> UInt64[np.ndarray, " B"]:
    """Return the counters of new streams, far apart for seeds that are neighbours.

    Args:
        seeds: of the games, at least 0.
    """
    return mix(seeds.astype(np.uint64) + INCREMENT)


def uniforms(counters: UInt64[np.ndarray, " B"], count: int) -> Float64[np.ndarray, "B count"]:
    """Return the next `count` numbers of each stream, uniform in [0, 1); the counters stay as they are.

    A game that needs only the first k goes on from `counters + k * INCREMENT`.

    Args:
        counters: of the games' streams.
        count: numbers from each.

    Example:
        >>> three = uniforms(start(np.array([0, 1])), 3)
        >>> three.shape, bool((0 <= three).all() and (three < 1).all())
        ((2, 3), True)
    """
    steps = np.arange(1, count + 1, dtype=np.uint64) * INCREMENT
    bits = mix(counters[:, None] + steps) >> np.uint64(11)
    return bits * 2.0**-53
