"""Errors as the papers on bAbI count them: for each task, their mean, and how many tasks are failed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from relational_rnn.tasks.babi.stories import Story

if TYPE_CHECKING:
    from jaxtyping import Bool, Int

FAILED_ABOVE = 0.05
"""A task with a larger error rate is failed (Weston et al. 2015)."""


class BabiScores(NamedTuple):
    """Error rates, as fractions of 1."""

    errors: dict[int, float]
    """Task -> share of its questions with a wrong answer."""
    mean: float
    """Mean over the tasks."""
    failed: tuple[int, ...]
    """Tasks with more than 5 % of errors."""


def score(tasks: Int[np.ndarray, " Q"], right: Bool[np.ndarray, " Q"]) -> BabiScores:
    """Score the answers to all questions.

    Args:
        tasks: number of the task of each question; of `StoryRows`: `np.repeat(rows.tasks, rows.mask.sum(1))`.
        right: whether it was answered rightly; of `StoryRows`: `(told == rows.targets)[rows.mask]`.

    Raises:
        ValueError: no questions, or another number of tasks than of answers.

    Example:
        >>> score(np.array([1, 1, 1, 1, 2]), np.array([True, True, True, False, True]))
        BabiScores(errors={1: 0.25, 2: 0.0}, mean=0.125, failed=(1,))
    """
    if len(tasks) != len(right) or not len(tasks):
        raise ValueError(f"there must be one task for each answer, got {len(tasks)} and {len(right)}")
    errors = {task: float((~right[tasks == task]).mean()) for task in np.unique(tasks).tolist()}
    failed = tuple(task for task, error in errors.items() if error > FAILED_ABOVE)
    return BabiScores(errors, sum(errors.values()) / len(errors), failed)


def mean_and_failed(accuracies: Collection[float]) -> tuple[float, int]:
    """Return the mean error of some tasks, and how many of them are failed.

    Example:
        >>> mean_and_failed([0.75, 1.0])
        (0.125, 1)
    """
    errors = [1 - accuracy for accuracy in accuracies]
    return sum(errors) / len(errors), sum(error > FAILED_ABOVE for error in errors)


def majority_scores(known: Iterable[Story], stories: Iterable[Story]) -> BabiScores:
    """Return the scores of always telling a task's most frequent answer in `known`, without reading."""
    often: dict[int, Counter[str]] = {}
    for story in known:
        often.setdefault(story.task, Counter()).update(question.answer for question in story.questions)
    asked = [(story.task, question.answer) for story in stories for question in story.questions]
    right = [task in often and answer == often[task].most_common(1)[0][0] for task, answer in asked]
    return score(np.array([task for task, _ in asked]), np.array(right))
