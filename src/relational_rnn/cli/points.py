"""The work of `relational-rnn sweep`: the points of a product, or the trials of a search."""

from __future__ import annotations

import dataclasses
import itertools
import shlex
from collections.abc import Sequence
from typing import Any

from rich.console import Console

from relational_rnn.cli.factors import Values, only_values, parse_factors, refuse_overrides
from relational_rnn.cli.many import (
    check_all,
    folder_of,
    overview_of,
    present,
    search_in_words,
    train_variants,
)
from relational_rnn.cli.run import make_console, require, seeds_in_words, train_and_show
from relational_rnn.cli.sweep import Sweep
from relational_rnn.config.checks import check_size
from relational_rnn.experiments.factors import SLOT_SIZE, Range, Variant, is_override, product, variant
from relational_rnn.experiments.many import summarise_variant, write_results
from relational_rnn.training.config import FREE, RunConfig
from relational_rnn.training.run_folder import RunFolder, leaves_of

Factors = dict[str, Values | Range]

SHORTEST_GRACE = 4
"""Databases count heartbeats in whole seconds."""

MOST_CHECKED = 10_000
"""Combinations of a search that are checked before it begins."""


def sweep(task: str, options: Sweep[Any]) -> int:
    """Train, print and draw; return the exit code."""
    config = options.run
    factors = parse_factors(task, config, options.over)
    refuse_overrides(config, factors)
    points = check(config, factors, options)
    searched = [
        variant(config, {name: value}).config
        for name, values in factors.items()
        if name.rpartition(".")[2] == "optimiser"
        for value in _ends(values)
    ]
    check_all([point.config for point in points] or [config, *searched])
    if options.trials is None and options.storage is None:
        told = f"combinations of {', '.join(factors)}"
        return train_variants(_command(task, options), options, factors, points, told=told)
    require("optuna")
    console = make_console(of_training=True)
    return train_study(console, task, options, factors, None if options.trials else points)


def check(config: RunConfig, factors: Factors, options: Sweep[Any]) -> list[Variant]:
    """Return the combinations of a product; of a search check the corners, and that heads divide slot sizes.

    Raises:
        TypeError, ValueError: a value out of range, values that do not go together, a range without a search,
            or a search over what only another model than the first has.
    """
    if options.grace < SHORTEST_GRACE:
        raise ValueError(f"grace must be at least {SHORTEST_GRACE} seconds, got {options.grace}")
    if options.grace != Sweep.grace and options.storage is None and options.trials is None:
        raise ValueError("--grace is of a search or of a shared sweep: it needs --trials or --storage")
    if options.study is not None and options.storage is None:
        raise ValueError("--study names a study in a --storage, which is missing")
    if options.trials is None:
        return product(config, only_values(factors, "give --trials to search it"))
    check_size("trials", options.trials)
    first = config.model.models[0]
    for name in factors:
        if is_override(name) and not name.startswith(f"{first}."):
            raise ValueError(
                f"a search goes by the score of the first of --models, {first}, which {name} does not "
                f"change; put {name.partition('.')[0]} first, or search for each model by itself"
            )
    tried = {
        name: _every(values) if name in ("num_heads", SLOT_SIZE) else _ends(values)
        for name, values in factors.items()
    }
    for chosen in itertools.islice(itertools.product(*tried.values()), MOST_CHECKED):
        variant(config, dict(zip(tried, chosen)))
    return []


def _ends(values: Values | Range) -> Values:
    return (values.low, values.high) if isinstance(values, Range) else values


def _every(values: Values | Range) -> Values:
    """Return all values of an integer factor."""
    if not isinstance(values, Range):
        return values
    return tuple(range(int(values.low), int(values.high) + 1, int(values.step or 1)))


def train_study(
    console: Console,
    task: str,
    options: Sweep[Any],
    factors: Factors,
    points: Sequence[Variant] | None,
) -> int:
    """Train the trials of a study, perhaps together with other workers; return the exit code."""
    from relational_rnn.experiments.search import Search, train_trials
    from relational_rnn.experiments.storage import Place
    from relational_rnn.experiments.study import Plan, SharedStudy

    config, path = options.run, folder_of("sweep", task, options)
    folder, own = RunFolder(path), path / "study.db"
    shared = options.storage is not None
    if not shared and options.resume and not own.exists() and (path / "trials").exists():
        raise ValueError(f"{own} is missing: was the study elsewhere? Then give its --storage")
    storage = str(own) if options.storage is None else options.storage
    place = Place(storage, options.study or f"relational-rnn {task}", options.grace)
    base = {name: value for name, value in leaves_of(config).items() if name not in FREE}
    described = {
        f"--over {name}": dataclasses.asdict(values) if isinstance(values, Range) else list(values)
        for name, values in factors.items()
    }
    count = len(points) if points is not None else options.trials or 0
    plan = Plan(
        {"task": task, "trials": count, **base, **described},
        factors,
        count,
        config.model.models[0],
        None if points is None else [point.values for point in points],
        config.seed,
    )
    command = _command(task, options)
    if shared:
        SharedStudy(place, plan)  # before the folder is made: it may not be there, or have another plan
    search = Search(config, place, plan, path / "trials")

    def work() -> dict[str, Any]:
        ended = [*search.folder.glob("*/seed-*/results.json")]
        with overview_of(console, config, count * config.seeds, len(ended)) as overview:
            study = train_trials(search, config.runtime.at_once, overview.show)
        found = [
            summarise_variant(claim.values, runs, f"trial {claim.index}") for claim, runs in study.finished()
        ]
        by = {} if options.trials is None else {"searched_by": plan.model}
        return write_results(folder, f"sweep {task}", config, factors, found, storage=place.shown, **by)

    again = f"sweep {task}"
    if shared:
        again = f"{again} {shlex.join(['--storage', place.shown, '--study', place.name])}"
    with folder.writing(command, config, options.resume):
        if not shared:
            SharedStudy(place, plan)
        console.print(
            f"{task}: {count} trials over {', '.join(factors)}, {seeds_in_words(config)}, into {path}; "
            f"the study is in {place.shown}. Ctrl-C saves and stops."
        )
        first, *others = config.model.models
        if options.trials is not None and others:
            console.print(search_in_words(task, first, others))
        return train_and_show(console, folder, again, work, lambda results: present(console, folder, results))


def _command(task: str, options: Sweep[Any]) -> str:
    """Return the command with its own flags, but for the storage, whose address may hold a password."""
    flags = [word for given in options.over for word in ("--over", given)]
    if options.trials is not None:
        flags += ["--trials", str(options.trials)]
    return shlex.join(["sweep", task, *flags])
