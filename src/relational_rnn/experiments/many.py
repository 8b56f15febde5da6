"""Many runs that differ in some factors: each a run folder of its own, trained side by side, put together."""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from relational_rnn.analysis.titles import title_of
from relational_rnn.config.checks import BadFile
from relational_rnn.experiments.factors import Range, Variant, value_of
from relational_rnn.tasks import entry_of
from relational_rnn.training.config import RunConfig
from relational_rnn.training.contestants import contestants
from relational_rnn.training.data import alone
from relational_rnn.training.files import write_json
from relational_rnn.training.models import LABELS
from relational_rnn.training.processes import (
    Interrupted,
    Record,
    RunFailed,
    asked_to_stop,
    train_side_by_side,
)
from relational_rnn.training.results import RunResult, TrainingResult, read_results
from relational_rnn.training.run import (
    Report,
    Stopped,
    command_of,
    go_back,
    is_finished,
    summarise,
    train_one,
    validation_of,
)
from relational_rnn.training.run_folder import RunFolder
from relational_rnn.training.variants import Value

MEANS = ("test_accuracy", "validation_accuracy", "seconds", "steps", "examples")
"""Scores of a run whose means over the seeds are a variant's."""

LEAVING = ("steps_to_leave", "examples_to_leave", "seconds_to_leave")
"""Scores of a run that are None if it never left the trivial score."""


class Job(NamedTuple):
    """One run of an experiment: a variant with one seed."""

    label: str
    """What people read."""
    config: RunConfig
    path: Path
    """Its folder."""


def jobs_of(variant: Variant, folder: Path) -> list[Job]:
    """Return a variant's runs, one for each seed, in a folder for each.

    Args:
        variant: its configuration says how many seeds there are.
        folder: of the variant.
    """
    first = variant.config.seed
    return [
        Job(
            f"{variant.name}, seed {seed}",
            alone(variant.config, seed),
            folder / f"seed-{seed}",
        )
        for seed in range(first, first + variant.config.seeds)
    ]


def train_jobs(jobs: Iterable[Job], workers: int, show: Callable[[str, Record], None]) -> None:
    """Train runs side by side, each in a process of its own; finished ones are kept.

    Args:
        jobs: with different labels.
        workers: how many run at the same time.
        show: gets every record with the label of its run, and at the end of a run what `train_job` returns.

    Raises:
        RunFailed, Interrupted: see `train_side_by_side`; everything is saved.
    """
    waiting = {job.label: job for job in jobs if not RunFolder(job.path).results.exists()}
    train_side_by_side(list(waiting), functools.partial(_train_named, waiting), workers=workers, show=show)


def train_here(jobs: Iterable[Job], show: Callable[[str, Record], None]) -> None:
    """Train runs one after the other in this process; finished ones are kept.

    Raises:
        Interrupted: stopped; everything is saved.
    """
    with asked_to_stop() as stopped:
        for job in jobs:
            ended = train_job(job, functools.partial(show, job.label), stopped)
            if ended is None:
                raise Interrupted(f"stopped; everything is saved, resume it in {job.path.parents[2]}")
            show(job.label, ended)


def _train_named(jobs: Mapping[str, Job], name: str, report: Report, stopped: Stopped) -> None:
    ended = train_job(jobs[name], report, stopped)
    if ended is not None:
        report(ended)


def train_job(job: Job, report: Report, stopped: Stopped) -> Record | None:
    """Train a run in this process, or go on with it.

    Returns:
        Its results.json as `read_scores` reads it, None if it was stopped before its end.

    Raises:
        RunFailed: the experiment's folder is gone: a part of it would come back.
    """
    folder, config = RunFolder(job.path), job.config
    if folder.results.exists():
        return read_scores(job)
    experiment = job.path.parents[2]
    if not experiment.exists():
        raise RunFailed(f"{experiment} was removed while its runs were trained")
    resume = folder.config.exists()
    with folder.writing(command_of(config), config, resume):
        names = [contestant.name for contestant in contestants(config)]
        if resume:
            go_back(folder, names)
        for name in names:
            if is_finished(folder, name):
                continue

            def note(record: Record, name: str = name) -> None:
                report({"training": name if len(names) > 1 else "", **record})

            train_one(config, folder, name, note, stopped)
            if not is_finished(folder, name):
                return None
        summarise(config, folder, wall_seconds=None)
    return read_scores(job)


def read_scores(job: Job) -> dict[str, Any]:
    """Return what a finished run came to.

    Returns:
        seed, trivial_accuracy, `diverged`: the reason for each model that did, and `models`: for each of the
        others, of the training that is best on validation, the test accuracy, the validation accuracy of the
        same parameters, parameters, seconds, steps, examples, and
        `steps_to_leave`, `examples_to_leave` and `seconds_to_leave`: how long it took until the validation
        accuracy had come half of the way from the trivial score to 1, None if it never had; and
        `task_reached`, the sizes of the last stage of a task that grew (else none), and `task_share`, how
        much that is of the full task's (the product of the sizes that it has).
    """
    folder = RunFolder(job.path)
    results = read_results(folder.results)
    try:
        best = {
            name: max(
                model.trainings, key=lambda training: (training.diverged is None, validation_of(training))
            )
            for name, model in results.models.items()
        }
    except ValueError as error:
        raise BadFile(
            folder.results, f"is of an older version: {error}", f"remove {job.path}: it is then trained anew"
        ) from None
    return {
        "seed": job.config.seed,
        "trivial_accuracy": results.trivial_accuracy,
        "models": {n: _score(folder, one, results) for n, one in best.items() if one.diverged is None},
        "diverged": {name: one.diverged for name, one in best.items() if one.diverged is not None},
    }


def _score(folder: RunFolder, best: TrainingResult, results: RunResult) -> dict[str, Any]:
    """Return the numbers of a training, the best of its model's where it has several training regimes."""
    points = folder.evaluations(best.name)
    half = (1 + results.trivial_accuracy) / 2
    left = next((p for p in points if p["validation_accuracy"] >= half), None)
    last = best.changes[-1].sizes if best.changes else {}
    reached = {name: size for name, size in last.items() if name in results.size}
    return {
        "label": best.label,
        "task_reached": reached,
        "task_share": math.prod((size / results.size[n] for n, size in reached.items()), start=1.0),
        **{
            name: getattr(best, name)
            for name in ("test_accuracy", "validation_accuracy", "parameters", "seconds", "steps", "examples")
        },
        **{name: value for name, value in best.more.items() if name.endswith("perplexity")},
        **{name: left and left[key] for name, key in zip(LEAVING, ("step", "examples", "seconds"))},
    }


def summarise_variant(values: Mapping[str, Value], runs: list[dict[str, Any]], name: str) -> dict[str, Any]:
    """Put the runs of a variant together.

    Args:
        values: of its factors.
        runs: what `read_scores` returned for each seed.
        name: of the variant.

    Returns:
        name, values, runs, trivial_accuracy, and `models`: for each the means over the seeds in which it did
        not diverge, `left`: how many left the trivial score behind, and the means of `LEAVING` over those.
    """
    models = {}
    for model in dict.fromkeys(model for run in runs for model in run["models"]):
        scores = [run["models"][model] for run in runs if model in run["models"]]
        left = [score for score in scores if score["examples_to_leave"] is not None]
        models[model] = {
            "label": LABELS.get(model, model),
            "parameters": scores[0]["parameters"],
            **{name: _mean([score[name] for score in scores]) for name in MEANS},
            "left": len(left),
            **{name: _mean([score[name] for score in left]) for name in LEAVING},
        }
    return {
        "name": name,
        "values": dict(values),
        "trivial_accuracy": runs[0]["trivial_accuracy"],
        "models": models,
        "runs": runs,
    }


def write_results(
    folder: RunFolder,
    command: str,
    config: RunConfig,
    factors: Mapping[str, tuple[Value, ...] | Range],
    variants: list[dict[str, Any]],
    **more: Any,
) -> dict[str, Any]:
    """Write results.json and return its content.

    Args:
        folder: of the experiment.
        command: "ablate" or "sweep", and the task.
        config: of the base.
        factors: what was varied.
        variants: what `summarise_variant` returned for each.
        more: further values.
    """
    how, task = command.split()
    results = {
        "task": task,
        "title": title_of_experiment(how, config, factors),
        "framework": config.runtime.framework,
        "models": list(config.model.models),
        "seed": config.seed,
        "seeds": config.seeds,
        "test_examples": config.data.test_examples,
        "factors": {
            name: dataclasses.asdict(values) if isinstance(values, Range) else {"values": list(values)}
            for name, values in factors.items()
        },
        "base": {name: value_of(config, name) for name in factors} if how == "ablate" else None,
        **more,
        "variants": variants,
    }
    write_json(folder.results, results)
    return results


def title_of_experiment(how: str, config: RunConfig, factors: Iterable[str]) -> str:
    """Return what figures and tables of an experiment have above them.

    Args:
        how: "ablate" or "sweep".
        config: of the base, whose sizes it names unless they are what varies.
        factors: what varies.

    Example:
        >>> from relational_rnn.tasks.nth_farthest import NthFarthest
        >>> config = RunConfig(task=NthFarthest(objects=3, dimensions=16))
        >>> title_of_experiment("ablate", config, ["num_heads"])
        'Nth farthest, 3 vectors of 16 dimensions, one factor at a time'
        >>> title_of_experiment("sweep", config, ["objects"])
        'nth-farthest, sweep'
    """
    sizes = {field.name for field in dataclasses.fields(config.task)}
    title = entry_of(config.task).name if sizes & set(factors) else title_of(config)
    return f"{title}, {'one factor at a time' if how == 'ablate' else 'sweep'}"


def summaries(variants: Iterable[Variant], jobs: Iterable[Sequence[Job]]) -> list[dict[str, Any]]:
    """Return what came out of variants whose runs are finished."""
    return [
        summarise_variant(variant.values, [read_scores(job) for job in of_variant], variant.name)
        for variant, of_variant in zip(variants, jobs)
    ]


def _mean(values: list[Any]) -> float | None:
    return sum(values) / len(values) if values else None
