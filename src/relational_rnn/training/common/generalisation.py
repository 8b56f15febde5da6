"""How far trained models reach: their scores on ever larger sizes of a supervised task."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from relational_rnn.tasks import TaskEntry, find_task
from relational_rnn.training.common.fit import Learner
from relational_rnn.training.common.supervised import LARGER, SupervisedSettings, at_full_size

EXAMPLES = 1_000
"""Most examples of a size; a run that is tested on fewer takes as many."""


def larger_scores(
    name: str, settings: SupervisedSettings[Any], learner: Learner, seed: int
) -> dict[str, list[float]]:
    """Return a trained model's accuracies along every size axis of the task, from the size of training on.

    Args:
        name: of the task.
        settings: of the run.
        learner: the trained model.
        seed: of the training.
    """
    return {
        axis: [learner.evaluate(_examples(name, settings, task, seed))["accuracy"] for task in tasks]
        for axis, tasks in at_full_size(settings.task).larger().items()
    }


def summarise(
    name: str, settings: SupervisedSettings[Any], scores: Mapping[str, Mapping[str, dict[str, list[float]]]]
) -> list[dict[str, Any]]:
    """Put the scores of all trainings together, with their means and the trivial scores.

    Args:
        name: of the task.
        settings: of the run.
        scores: model -> name of the training -> what `larger_scores` returned.

    Returns:
        For each axis: axis (the size that grows), sizes, trained (the largest in training), examples (of each
        size), trivial (the best score without understanding, at each size), and models: accuracy (the means)
        and trainings (by name), at each size.
    """
    found = []
    for axis, tasks in at_full_size(settings.task).larger().items():
        models = {}
        for model, trainings in scores.items():
            along = {training: axes[axis] for training, axes in trainings.items()}
            means = [sum(at_size) / len(at_size) for at_size in zip(*along.values())]
            models[model] = {"accuracy": means, "trainings": along}
        found.append(
            {
                "axis": axis,
                "sizes": [getattr(task, axis) for task in tasks],
                "trained": getattr(settings.task, axis),
                "examples": _count(settings),
                "trivial": [
                    _trivial(find_task(name), task, _examples(name, settings, task, settings.seed))
                    for task in tasks
                ],
                "models": models,
            }
        )
    return found


def _count(settings: SupervisedSettings[Any]) -> int:
    return min(EXAMPLES, settings.test_examples)


def _examples(name: str, settings: SupervisedSettings[Any], task: Any, seed: int) -> Any:
    return find_task(name).sample(task, _count(settings), np.random.default_rng([seed, LARGER]))


def _trivial(entry: TaskEntry, task: Any, examples: Any) -> float:
    """Return the best score that asks for no understanding: chance, majority, or the shortcut if known."""
    scores: list[float] = [task.chance, task.majority]
    if entry.shortcut is not None:
        right = entry.shortcut(task, examples.inputs) == examples.targets
        scores.append(float(right[examples.mask].mean()))
    return max(scores)
