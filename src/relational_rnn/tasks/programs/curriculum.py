"""How large the examples of a batch are: the four curricula of Zaremba and Sutskever 2014.

    baseline    every example has the largest nesting and length; every evaluation draws so
    naive       every example has those of the current level
    mix         each example's are uniform up to the largest; what the paper trained with
    combined    each example's are uniform up to those of the current level

A level is a number from 1 on. In the authors' order (Sonnet v1, `learn_to_execute.py`) the length grows by 1
until it is the largest, then the nesting: for nesting 2 and length 3 the levels are (nesting 1, length 1),
(1, 2), (1, 3), (2, 3). Zaremba and Sutskever start again with length 1 at each nesting.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from jaxtyping import Int64

CURRICULA = ("baseline", "naive", "mix", "combined")
"""The curricula by name."""

WITH_LEVELS = ("naive", "combined")
"""Those that start small and grow."""


def level_sizes(level: int, nesting: int, length: int) -> tuple[int, int]:
    """Return the nesting and length of a level.

    Args:
        level: 1..(nesting + length - 1).
        nesting: the largest.
        length: the largest.

    Example:
        >>> [level_sizes(level, nesting=2, length=3) for level in (1, 2, 3, 4)]
        [(1, 1), (1, 2), (1, 3), (2, 3)]
    """
    return max(1, level - length + 1), min(level, length)


def draw_sizes(
    curriculum: str, level: int | None, nesting: int, length: int, count: int, generator: np.random.Generator
) -> tuple[Int64[np.ndarray, " B"], Int64[np.ndarray, " B"]]:
    """Draw the nesting and the length of each of `count` examples.

    Args:
        curriculum: one of `CURRICULA`.
        level: of naive and combined; None for the last.
        nesting: the largest.
        length: the largest.
        count: B.
        generator: the source of chance.
    """
    if curriculum in WITH_LEVELS and level is not None:
        nesting, length = level_sizes(level, nesting, length)
    if curriculum in ("baseline", "naive"):
        return np.full(count, nesting), np.full(count, length)
    return generator.integers(1, nesting + 1, size=count), generator.integers(1, length + 1, size=count)


def level_is_learned(losses: Sequence[float], *, threshold: float = 0.05, tries: int = 10) -> bool:
    """Return whether it is time for the next level: the authors' rule.

        mean(loss[i] - loss[i-1]) / mean(loss) < threshold      over the last 5 to 10 losses

    The mean change of a falling loss is negative, so a level ends after `tries` evaluations unless the loss
    is rising. Zaremba and Sutskever wait until the validation error no longer falls.

    Args:
        losses: one for each evaluation since the level began.
        threshold: as a share of the mean loss.
        tries: evaluations that a level has at least.

    Example:
        >>> level_is_learned([2.0, 1.5, 1.2], tries=3), level_is_learned([1.0, 2.0, 3.0], tries=3)
        (True, False)
    """
    if len(losses) < max(tries, 2):
        return False
    window = np.asarray(losses[-max(5, min(tries, 10)) :])
    return bool(np.diff(window).mean() < threshold * window.mean())


def at_full_size(task: Any) -> Any:
    """Return the task as it is scored: without its curriculum."""
    return dataclasses.replace(task, curriculum="baseline", level=None)


def at_level(task: Any, losses: Sequence[float]) -> Any:
    """Return the task as its training draws it after evaluations with these validation losses.

    Only a curriculum with levels changes it: a level ends when `level_is_learned` says so.

    Example:
        >>> from relational_rnn.tasks.programs import Addition
        >>> at_level(Addition(length=3, curriculum="naive"), [2.0] * 25).level
        3
    """
    if task.curriculum not in WITH_LEVELS:
        return task
    level, since = 1, 0
    for now in range(1, len(losses) + 1):
        if level < task.levels and level_is_learned(losses[since:now]):
            level, since = level + 1, now
    return dataclasses.replace(task, level=level)
