"""A made-up text for those who have none at hand: sentences of a small grammar."""

from __future__ import annotations

import functools
from typing import Final

import numpy as np

PEOPLE: Final = ("Anna", "Ben", "Clara", "David", "Emma", "Felix")
THINGS: Final = ("a lamp", "the green book", "a key", "an old map", "the letter", "two apples")
PLACES: Final = ("the garden", "the kitchen", "the library", "the station", "the market")

LINES: Final = {"train": 2_000, "validation": 60, "test": 60}


@functools.cache
def made_text(split: str) -> str:
    """Return the text of a split: someone takes a thing somewhere and leaves it, and is named again later.

    Example:
        >>> made_text("test").splitlines()[0]
        'Ben takes the green book to the garden . Clara sees Ben in the garden .'
    """
    generator = np.random.default_rng([7, tuple(LINES).index(split)])
    lines = []
    for _ in range(LINES[split]):
        person, thing, place, other = (
            words[generator.integers(len(words))] for words in (PEOPLE, THINGS, PLACES, PEOPLE)
        )
        first = f"{person} takes {thing} to {place} ."
        rest = (
            f"{person} leaves {thing} there .",
            f"{other} sees {person} in {place} .",
            f"Later {person} looks for {thing} in {place} .",
            f"{other} asks {person} for {thing} ; {person} says no .",
        )[generator.integers(4)]
        lines.append(f"{first} {rest}\n")
    return "".join(lines)
