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


def scores_of(variants: Iterable[dict[str, Any]], model: str) -> list[dict[str, Any]]:
    """Return a model's scores in the runs of some variants of results.json in which it did not diverge."""
    runs = (run for variant in variants for run in variant["runs"])
    return [run["models"][model] for run in runs if model in run["models"]]


def objective(runs: Iterable[dict[str, Any]], model: str) -> float:
    """Return what a search makes large: a model's mean validation accuracy; a run without one counts as 0.

    Of a text it is 1 / perplexity, the geometric mean of the probabilities of its tokens.

    With a curriculum times the share of it that was reached: the validation examples are those of the full
    task, and of models that have not come there they tell nothing.
    """
    lost = {"validation_accuracy": 0.0, "task_share": 1.0}
    found = [run["models"].get(model, lost) for run in runs]
    scores = [
        float(1 / score["validation_perplexity"])
        if "validation_perplexity" in score
        else float(score["validation_accuracy"] * score["task_share"])
        for score in found
    ]
    return sum(0.0 if math.isnan(score) else score for score in scores) / len(scores)
