"""`relational-rnn ablate TASK`: one factor at a time around a base, to see what each part of a model does."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from relational_rnn.cli.experiment import (
    Experiment,
    find_trainer,
    folder_of,
    present,
    resolve,
    seeds_in_words,
    summaries,
    write_results,
)
from relational_rnn.cli.factors import Values, only_values, parse_factors
from relational_rnn.cli.overview import Overview
from relational_rnn.cli.run import make_console, train_and_show
from relational_rnn.cli.train import S
from relational_rnn.recipes.ablation import components
from relational_rnn.training.common.experiment import jobs_of, train_jobs
from relational_rnn.training.common.factors import one_at_a_time
from relational_rnn.training.common.records import RunFolder

ALL = "all"
"""Stands for every part of the core."""
DEFAULTS: dict[str, Any] = {"models": ("rmc",), "seeds": 3}
"""What an ablation has where a training has something else."""


@dataclass(frozen=True, kw_only=True)
class Ablate(Experiment[S]):
    """Train a model with one factor changed at a time, each value with several seeds, and compare.

    `--over num_heads=1,2,4` varies a setting, `--over all` every part of the core. The RMC is trained, with
    three seeds, unless --models and --seeds say otherwise.
    """


def main(argv: Sequence[str]) -> int:
    """Train, print and draw; return the exit code."""
    task, options = resolve("ablate", argv, Ablate, **DEFAULTS)
    settings = options.settings
    factors = find_factors(task, settings, options.over)
    variants = one_at_a_time(settings, factors)
    trainer = find_trainer(task, settings)
    for variant in variants:
        trainer.check(variant.settings)
    path = folder_of("ablate", task, options)
    console, folder = make_console(), RunFolder(path)
    flags = [word for given in options.over for word in ("--over", given)]
    folder.create(shlex.join(["ablate", task, *flags]), asdict(settings), options.resume)
    jobs = [jobs_of(variant, path / "runs" / variant.name) for variant in variants]
    every = [job for of_variant in jobs for job in of_variant]
    console.print(
        f"{task}: {len(variants)} variants ({', '.join(factors)}), {seeds_in_words(settings)}, "
        f"{len(every)} runs, into {path}. Ctrl-C saves and stops."
    )

    def work() -> dict[str, Any]:
        done = sum(RunFolder(job.path).results.exists() for job in every)
        stages = task == "nth-farthest"
        with Overview(console, total=len(every), done=done, stages=stages) as overview:
            train_jobs(trainer, every, settings.at_once, overview.show)
        return write_results(folder, f"ablate {task}", settings, dict(factors), summaries(variants, jobs))

    return train_and_show(
        console, folder, f"ablate {task}", work, lambda results: present(console, folder, results)
    )


def find_factors(task: str, settings: Any, over: Sequence[str]) -> dict[str, Values]:
    """Return the factors that `--over` names; one that is named replaces that of `all`.

    Raises:
        ValueError: see `parse_factors`; or a range.
    """
    named = parse_factors(task, settings, [word for word in over if word != ALL])
    values = only_values(named, "an ablation takes values; sweep searches ranges")
    return (components(settings) if ALL in over else {}) | values
