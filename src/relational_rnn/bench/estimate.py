"""How long a run will take on this machine, from training steps that are timed."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import nn

from relational_rnn.bench.measure import measure
from relational_rnn.training.config import RunConfig
from relational_rnn.training.contestants import contestants
from relational_rnn.training.data import Fresh
from relational_rnn.training.learners.torch import TorchLearner
from relational_rnn.training.learners.torch_models import build_model


class Estimate(NamedTuple):
    """Seconds on this machine."""

    step: dict[str, float]
    """Model -> one training step on the full task."""
    steps: dict[str, int]
    """Model -> steps of a training."""
    run: float
    """All trainings."""
    trainings: int
    workers: int
    """How many of them run at a time."""


def training_step(config: RunConfig, model: str, core: nn.Module | None = None) -> Callable[[], object]:
    """Return a training step of a model on the full task, ready to be timed.

    Args:
        config: of the run.
        model: one of its models.
        core: takes the place of the model's own, as one with another backend.
    """
    learner, batches, rate = in_training(config, model, core)
    return lambda: learner.train_step(batches(0), rate)


def in_training(
    config: RunConfig, model: str, core: nn.Module | None = None
) -> tuple[TorchLearner, Fresh, float]:
    """Return what a training step consists of: a learner, its batches of the full task, and its peak rate.

    Args:
        config, model, core: as of `training_step`.
    """
    contestant = next(c for c in contestants(config) if c.model == model)
    own = config.of(model)
    built = build_model(own, contestant)
    if core is not None:
        built.core = core
    return TorchLearner(built, own), Fresh(own), own.optimisation.learning_rate


def estimate_run(config: RunConfig, *, rounds: int = 9, seconds: float = 5.0) -> Estimate:
    """Time training steps of a run's models, and reckon from its steps how long it takes.

    Args:
        config: of the run.
        rounds, seconds: how long to measure, as for `measure`.

    Example:
        >>> from relational_rnn.recipes import find_recipe
        >>> estimate = estimate_run(find_recipe("nth-farthest", "tiny"), rounds=1)
        >>> estimate.trainings, estimate.steps
        (4, {'rmc': 20, 'lstm': 20})
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(config.runtime.threads)  # as each training of a run
    try:
        runs = {model: training_step(config, model) for model in config.model.models}
        step = {model: q.median for model, q in measure(runs, rounds, seconds=seconds).items()}
    finally:
        torch.set_num_threads(threads)
    steps = {model: config.of(model).budget.steps for model in config.model.models}
    everyone, workers = contestants(config), config.runtime.at_once
    free, ready = [0.0] * workers, 0.0
    for contestant in everyone:
        worker = free.index(min(free))
        start = max(free[worker], ready) if contestant.grown else free[worker]
        taken = steps[contestant.model] * step[contestant.model]
        if config.budget.seconds is not None:
            taken = min(taken, config.budget.seconds)
        free[worker] = start + taken
        if contestant.model == "rmc":
            ready = free[worker]
    return Estimate(step, steps, max(free), len(everyone), workers)
