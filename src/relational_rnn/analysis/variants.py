"""What the variants of an experiment came to: the words and the numbers that tables and searches share."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

Value = bool | int | float | str | None
"""Of a factor."""


def text_of(value: Value) -> str:
    """Return a value as people type it.

    Example:
        >>> text_of(True), text_of(None), text_of(0.001)
        ('true', 'none', '0.001')
    """
    return str(value).lower() if value is None or isinstance(value, bool) else str(value)


def finished(variants: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the runs of some variants of results.json that did not diverge."""
    return [run for variant in variants for run in variant["runs"] if "diverged" not in run]


def objective(runs: Iterable[dict[str, Any]], model: str) -> float:
    """Return what a search makes large: a model's mean validation accuracy; runs without one count as 0.

    Of a growing task times the share of it that was reached: the validation examples are those of the full
    task, and of models that have not come there they tell nothing.
    """
    scores = []
    for run in runs:
        lost = {"validation_accuracy": 0.0, "task_share": 1.0}
        score = lost if "diverged" in run else run["models"][model]
        found = float(score["validation_accuracy"] * score["task_share"])
        scores.append(0.0 if math.isnan(found) else found)
    return sum(scores) / len(scores)
