"""How far trained models reach: their scores on ever larger sizes of a task."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from relational_rnn.config.checks import check_number
from relational_rnn.tasks import entry_of
from relational_rnn.tasks.splits import LARGER
from relational_rnn.training.config import RunConfig
from relational_rnn.training.decode import decode
from relational_rnn.training.trainer import Learner

EXAMPLES = 1_000
"""Most examples of a size; a run that is tested on fewer takes as many."""


def larger_scores(config: RunConfig, learner: Learner) -> dict[str, list[float]]:
    """Return a trained model's accuracies along every size axis of the task, from the size of training on.

    Args:
        config: of the training alone.
        learner: the trained model.
    """
    return {
        axis: [learner.evaluate(_examples(config, task))["accuracy"] for task in tasks]
        for axis, tasks in _axes(config).items()
    }


def check_scores(config: RunConfig, scores: Any) -> dict[str, list[float]]:
    """Return what `larger_scores` returned, read from a file.

    Raises:
        ValueError: it is no share of right answers for every size of every axis.
    """
    found = decode(_Scores, {"generalisation": scores}, "score").generalisation
    wanted = {axis: len(tasks) for axis, tasks in _axes(config).items()}
    if {axis: len(shares) for axis, shares in found.items()} != wanted:
        raise ValueError(f"generalisation must have as many scores as there are sizes: {wanted}")
    for shares in found.values():
        for share in shares:
            check_number("generalisation", share, 0.0, 1.0)
    return found


class _Scores(NamedTuple):
    generalisation: dict[str, list[float]]


def summarise(
    config: RunConfig, scores: Mapping[str, Mapping[str, dict[str, list[float]]]]
) -> list[dict[str, Any]]:
    """Put the scores of all trainings together, with their means and the trivial scores.

    Args:
        config: of the run.
        scores: model -> name of the training -> what `larger_scores` returned.

    Returns:
        For each axis: axis (the size that grows), sizes, trained (the largest in training), examples (of each
        size), trivial (the best score without understanding, at each size), and models: accuracy (the means)
        and trainings (by name), at each size.
    """
    found = []
    for axis, tasks in _axes(config).items():
        models = {}
        for model, trainings in scores.items():
            along = {training: axes[axis] for training, axes in trainings.items()}
            means = [sum(at_size) / len(at_size) for at_size in zip(*along.values())]
            models[model] = {"accuracy": means, "trainings": along}
        found.append(
            {
                "axis": axis,
                "sizes": [getattr(task, axis) for task in tasks],
                "trained": getattr(config.task, axis),
                "examples": _count(config),
                "trivial": [_trivial(task, _examples(config, task)) for task in tasks],
                "models": models,
            }
        )
    return found


def _axes(config: RunConfig) -> dict[str, list[Any]]:
    entry = entry_of(config.task)
    return entry.larger(entry.at_full_size(config.task))


def _count(config: RunConfig) -> int:
    return min(EXAMPLES, config.data.test_examples)


def _examples(config: RunConfig, task: Any) -> Any:
    return entry_of(task).sample(task, _count(config), np.random.default_rng([config.seed, LARGER]))


def _trivial(task: Any, examples: Any) -> float:
    """Return the best score that takes no understanding: chance, majority, or the shortcut if known."""
    entry, scores = entry_of(task), [task.chance, task.majority]
    if entry.shortcut is not None:
        right = entry.shortcut(task, examples.inputs) == examples.targets
        scores.append(float(right[examples.mask].mean()))
    return float(max(scores))
