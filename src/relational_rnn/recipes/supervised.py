"""Presets of the reasoning tasks. `quick` has the tasks' standard sizes: minutes on two cores."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from relational_rnn.tasks.babi_synthetic import BabiSynthetic
from relational_rnn.tasks.object_tracking import ObjectTracking
from relational_rnn.tasks.pair_matching import PairMatching
from relational_rnn.tasks.sorting import Sorting
from relational_rnn.training.common.supervised import SupervisedSettings


def sorting() -> SupervisedSettings[Sorting]:
    """8 items of 10 values."""
    return SupervisedSettings(task=Sorting(), steps=1_500, learning_rate=1e-3)


def pair_matching() -> SupervisedSettings[PairMatching]:
    """6 pairs."""
    return SupervisedSettings(task=PairMatching(), train_examples=100_000, steps=6_000, learning_rate=3e-3)


def object_tracking() -> SupervisedSettings[ObjectTracking]:
    """3 objects on 5x5 for 12 moves."""
    return SupervisedSettings(task=ObjectTracking(), train_examples=200_000, steps=8_000, learning_rate=3e-3)


def babi_synthetic() -> SupervisedSettings[BabiSynthetic]:
    """Stories of 4 people and 6 places, questions with 1, 2 and 3 supporting facts."""
    return SupervisedSettings(task=BabiSynthetic(), train_examples=100_000, steps=4_000, learning_rate=3e-3)


def tiny(recipe: Callable[[], SupervisedSettings[Any]]) -> Callable[[], SupervisedSettings[Any]]:
    """Return a preset like `recipe`, but tiny."""

    def make() -> SupervisedSettings[Any]:
        """Seconds: to see the machinery run, not to learn."""
        return replace(
            recipe(),
            seeds=2,
            train_examples=200,
            validation_examples=50,
            test_examples=100,
            steps=20,
            batch_size=16,
            warmup_steps=5,
            evaluate_every=5,
            mem_slots=2,
            head_size=4,
            num_heads=2,
        )

    return make
