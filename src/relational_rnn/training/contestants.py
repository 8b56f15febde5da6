"""The trainings of a run: every model with every seed, and in each of its training regimes."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass

from relational_rnn.training.config import RunConfig
from relational_rnn.training.models import LEADER


@dataclass(frozen=True)
class Contestant:
    """One training of a run: a model, with or without the curriculum, and how it starts."""

    name: str
    """Names its files and its records."""
    model: str
    """A name of `training.models.MODELS`."""
    label: str
    """What people read."""
    grown: bool
    """With the curriculum; else at full size from the first step."""
    initialisation: str
    """What its core starts with."""
    seed: int


def contestants(config: RunConfig) -> list[Contestant]:
    """Return the trainings of a run: for each seed every model, the RMC first.

    With a curriculum an opponent trains on the RMC's examples (where no RMC is trained, its own accuracy
    decides the stages) and, with `direct`, once more without it. It trains once with each of its
    initialisations.

    Example:
        >>> from relational_rnn.tasks.sorting import Sorting
        >>> [contestant.name for contestant in contestants(RunConfig(task=Sorting(), seed=5, seeds=2))]
        ['rmc-5', 'lstm-5', 'rmc-6', 'lstm-6']
    """
    regimes = list(_regimes(config))
    return [
        dataclasses.replace(
            regime,
            name=f"{regime.name}-{seed}",
            label=f"{regime.label}, seed {seed}" if config.seeds > 1 else regime.label,
            seed=seed,
        )
        for seed in range(config.seed, config.seed + config.seeds)
        for regime in regimes
    ]


def _regimes(config: RunConfig) -> Iterator[Contestant]:
    """Yield the trainings of one seed."""
    grow, names, specs = config.curriculum.grow, config.model.models, config.specs
    pace = ", curriculum" if LEADER in names else ", curriculum at its own pace"
    for model in sorted(names, key=list(specs).index):
        label = specs[model].label
        if model == LEADER:
            yield Contestant(
                model, model, label + pace * grow, grow, config.of(model).model.initialisation, 0
            )
            continue
        starts = config.starts_of(model)
        several = len(starts) > 1
        if grow and config.curriculum.direct:
            told = f", {starts[0]} start" if several else ""
            yield Contestant(f"{model}-direct", model, f"{label}, no curriculum{told}", False, starts[0], 0)
        for start in starts:
            told = f", {start} start" if several else ""
            name = f"{model}-{start}" if several else model
            yield Contestant(name, model, label + pace * grow + told, grow, start, 0)


def leader_of(config: RunConfig, contestant: Contestant) -> Contestant | None:
    """Return the training whose changes another one replays, None if it needs none."""
    if not contestant.grown or contestant.model == LEADER:
        return None
    same = (c for c in contestants(config) if (c.model, c.seed) == (LEADER, contestant.seed))
    return next(same, None)
