"""How long a run of Nth farthest will take here, estimated from a few of its training steps."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import torch
from torch import nn

from relational_rnn.bench.measure import measure
from relational_rnn.training.common.nth_farthest import Growth, NthFarthestSettings
from relational_rnn.training.torch.loop import Budget, Training
from relational_rnn.training.torch.models import build_model, contestants


class Estimate(NamedTuple):
    """What a run will take, in seconds, if nothing else slows the machine down."""

    step: dict[str, float]
    """Model -> one training step on the full task."""
    rmc: float | None
    """The RMC's training; None without one."""
    steps: int
    """How many steps it has in that time."""
    run: float
    """All trainings."""
    trainings: int
    workers: int
    """How many of them run at a time."""


def full_task_training(model: nn.Module, settings: NthFarthestSettings) -> Training:
    """Return a training directly on the full task whose steps can be timed; it keeps no checkpoint.

    Args:
        model: (B, T, F) -> scores (B, C).
        settings: of its training.
    """
    budget, nowhere = Budget(settings.steps, settings.seconds), Path("no checkpoint is written")
    return Training(model, settings, Growth.none(settings), budget, nowhere)


def estimate_run(settings: NthFarthestSettings, *, rounds: int = 9, seconds: float = 5.0) -> Estimate:
    """Time training steps of a run's models, and reckon from its budgets how long it takes.

    Args:
        settings: of the run, with one seed.
        rounds, seconds: how long to measure, as for `bench.measure.measure`.

    Example:
        >>> from relational_rnn.training.common.nth_farthest import NthFarthestSettings
        >>> settings = NthFarthestSettings(models=("rmc",), steps=10, batch_size=4)
        >>> estimate = estimate_run(settings, rounds=1)
        >>> estimate.run == estimate.rmc == 10 * estimate.step["rmc"]
        True
    """
    threads = torch.get_num_threads()
    everyone = contestants(settings)
    first = {model: next(c for c in everyone if c.model == model) for model in settings.models}
    torch.set_num_threads(settings.threads)  # as each training of a run
    try:
        trainings = {
            model: full_task_training(build_model(settings, contestant), settings.of(model))
            for model, contestant in first.items()
        }
        runs = {model: lambda t=training: t.advance(0.0) for model, training in trainings.items()}
        step = {model: q.median for model, q in measure(runs, rounds, seconds=seconds).items()}
    finally:
        torch.set_num_threads(threads)

    workers = settings.at_once

    def alone(model: str) -> float:
        return min(settings.steps * step[model], settings.seconds)

    rmc = alone("rmc") if "rmc" in settings.models else None
    steps = settings.steps if rmc is None else round(rmc / step["rmc"])
    free, ready = [0.0] * workers, 0.0
    for contestant in everyone:
        worker = free.index(min(free))
        if contestant.model == "rmc" or rmc is None:
            free[worker] += alone(contestant.model)
            ready = free[worker]
        else:
            free[worker] = max(free[worker], ready) + max(rmc, steps * step[contestant.model])
    return Estimate(step, rmc, steps, max(free), len(everyone), workers)
