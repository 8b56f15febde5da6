"""Many runs that differ in some factors: each a run folder of its own, trained side by side, put together."""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from relational_rnn.training.common import supervised_run
from relational_rnn.training.common.core_settings import LABELS, check_sizes
from relational_rnn.training.common.factors import Value, Variant
from relational_rnn.training.common.files import read_json, write_json
from relational_rnn.training.common.processes import Record, train_side_by_side
from relational_rnn.training.common.records import RunFolder
from relational_rnn.training.common.supervised import SupervisedSettings, contestants

Report = Callable[[Record], None]
Stopped = Callable[[], bool]

MEANS = ("test_accuracy", "validation_accuracy", "seconds", "steps", "examples")
"""Scores of a run whose means over the seeds are a variant's."""

LEAVING = ("steps_to_leave", "examples_to_leave", "seconds_to_leave")
"""Scores of a run that are None if it never left the trivial score."""


class Trainer(Protocol):
    """How the runs of a task are trained, one training after the other; it can be pickled."""

    @property
    def task(self) -> str:
        """Name of the task."""

    def check(self, settings: Any) -> None:
        """Check what the settings alone cannot; raise ValueError."""

    def trainings(self, settings: Any) -> list[str]:
        """Return the names of a run's trainings, in an order in which they can be trained."""

    def saved_step(self, settings: Any, folder: RunFolder, name: str) -> int:
        """Return the step of a training's checkpoint, 0 without one."""

    def train(self, settings: Any, folder: RunFolder, name: str, report: Report, stopped: Stopped) -> None:
        """Train in this process; leave a score in the folder, or a checkpoint if it was stopped."""

    def summarise(self, settings: Any, folder: RunFolder) -> dict[str, Any]:
        """Write results.json once all trainings have a score, and return its content."""


@dataclass(frozen=True)
class SupervisedTrainer:
    """Trains runs of a supervised task."""

    task: str
    framework: supervised_run.Framework

    def check(self, settings: SupervisedSettings[Any]) -> None:
        """Check that no opponent is smaller than the RMC."""
        check_sizes(settings, self.framework.matched_size)

    def trainings(self, settings: SupervisedSettings[Any]) -> list[str]:
        """Return the names of a run's trainings."""
        return [contestant.name for contestant in contestants(settings)]

    def saved_step(self, settings: SupervisedSettings[Any], folder: RunFolder, name: str) -> int:
        """Return the step of a training's checkpoint."""
        return supervised_run.saved_step(folder, name)

    def train(
        self,
        settings: SupervisedSettings[Any],
        folder: RunFolder,
        name: str,
        report: Report,
        stopped: Stopped,
    ) -> None:
        """Train in this process."""
        supervised_run.train_one(self.task, settings, self.framework, folder, name, report, stopped)

    def summarise(self, settings: SupervisedSettings[Any], folder: RunFolder) -> dict[str, Any]:
        """Write results.json."""
        return supervised_run.summarise(self.task, settings, folder, wall_seconds=None)


class Job(NamedTuple):
    """One run of an experiment: a variant with one seed."""

    label: str
    """What people read."""
    settings: Any
    path: Path
    """Its folder."""


def jobs_of(variant: Variant, folder: Path) -> list[Job]:
    """Return a variant's runs, one for each seed, in a folder for each.

    Args:
        variant: its settings say how many seeds there are.
        folder: of the variant.
    """
    first = variant.settings.seed
    return [
        Job(
            f"{variant.name}, seed {seed}",
            dataclasses.replace(variant.settings, seed=seed, seeds=1),
            folder / f"seed-{seed}",
        )
        for seed in range(first, first + variant.settings.seeds)
    ]


def train_jobs(
    trainer: Trainer, jobs: Iterable[Job], workers: int, show: Callable[[str, Record], None]
) -> None:
    """Train runs side by side, each in a process of its own; finished ones are kept.

    Args:
        trainer: of their task.
        jobs: with different labels.
        workers: how many run at the same time.
        show: gets every record with the label of its run, and at the end of a run what `train_job` returns.

    Raises:
        RunFailed, Interrupted: see `train_side_by_side`; everything is saved.
    """
    waiting = {job.label: job for job in jobs if not RunFolder(job.path).results.exists()}
    train_side_by_side(
        list(waiting), functools.partial(_train_named, trainer, waiting), workers=workers, show=show
    )


def _train_named(
    trainer: Trainer, jobs: Mapping[str, Job], name: str, report: Report, stopped: Stopped
) -> None:
    ended = train_job(trainer, jobs[name], report, stopped)
    if ended is not None:
        report(ended)


def train_job(trainer: Trainer, job: Job, report: Report, stopped: Stopped) -> Record | None:
    """Train a run in this process, or go on with it; a training that diverges is a result too.

    Returns:
        Its results.json as `read_scores` reads it, None if it was stopped before its end.
    """
    folder = RunFolder(job.path)
    resume = folder.config.exists()
    folder.create(f"train {trainer.task}", job.settings, resume)
    if folder.results.exists():
        return read_scores(job)
    names = trainer.trainings(job.settings)
    if resume:
        folder.forget_after({name: trainer.saved_step(job.settings, folder, name) for name in names})
    for name in names:
        if folder.score(name).exists():
            continue

        def note(record: Record, name: str = name) -> None:
            folder.append({"model": name, **record})
            report({"training": name if len(names) > 1 else "", **record})

        try:
            trainer.train(job.settings, folder, name, note, stopped)
        except FloatingPointError as error:
            write_json(folder.results, {"diverged": str(error)})
            return read_scores(job)
        if not folder.score(name).exists():
            return None
    trainer.summarise(job.settings, folder)
    return read_scores(job)


def read_scores(job: Job) -> dict[str, Any]:
    """Return what a finished run came to.

    Returns:
        seed; and `diverged`, the reason, or trivial_accuracy and `models`: for each the test accuracy, the
        validation accuracy of the same parameters, parameters, seconds, steps, examples, and
        `steps_to_leave`, `examples_to_leave` and `seconds_to_leave`: how long it took until the validation
        accuracy had come half of the way from the trivial score to 1, None if it never had; of Nth farthest
        also `task_reached`, the objects and dimensions of its last stage, and `task_share`, how much that is
        of the full task's (objects times dimensions).
    """
    folder = RunFolder(job.path)
    results = read_json(folder.results)
    found = {"seed": job.settings.seed}
    if "diverged" in results:
        return found | {"diverged": results["diverged"]}
    trivial = results["trivial_accuracy"]
    models = {name: _score(folder, model, results) for name, model in results["models"].items()}
    return found | {"trivial_accuracy": trivial, "models": models}


def _score(folder: RunFolder, model: dict[str, Any], results: dict[str, Any]) -> dict[str, Any]:
    """Return a model's numbers, of its best way to the task where it has several."""
    best = max(model["trainings"], key=lambda training: float(training["test_accuracy"]))
    points = folder.evaluations(best["name"])
    kept = best.get("best_step", points[-1]["step"])
    half = (1 + results["trivial_accuracy"]) / 2
    left = next((p for p in points if p["validation_accuracy"] >= half), None)
    reached = {}
    if "changes" in best:
        task = best["changes"][-1][1:]
        share = math.prod(task) / math.prod(results["size"].values())
        reached = {"task_reached": task, "task_share": share}
    return {
        "label": best["label"],
        **reached,
        **{name: best[name] for name in ("test_accuracy", "parameters", "seconds", "steps", "examples")},
        "validation_accuracy": next(p["validation_accuracy"] for p in points if p["step"] == kept),
        **{name: left and left[key] for name, key in zip(LEAVING, ("step", "examples", "seconds"))},
    }


def summarise_variant(values: Mapping[str, Value], runs: list[dict[str, Any]], name: str) -> dict[str, Any]:
    """Put the runs of a variant together.

    Args:
        values: of its factors.
        runs: what `read_scores` returned for each seed.
        name: of the variant.

    Returns:
        name, values, trivial_accuracy (None if all diverged), `diverged`: how many, and `models`: for each
        the means over the seeds that did not diverge, `left`: how many left the trivial score behind, and
        the means of `LEAVING` over those.
    """
    good = [run for run in runs if "diverged" not in run]
    models = {}
    for model in good[0]["models"] if good else ():
        scores = [run["models"][model] for run in good]
        left = [score for score in scores if score["examples_to_leave"] is not None]
        models[model] = {
            "label": LABELS[model],
            "parameters": scores[0]["parameters"],
            **{name: _mean([score[name] for score in scores]) for name in MEANS},
            "left": len(left),
            **{name: _mean([score[name] for score in left]) for name in LEAVING},
        }
    return {
        "name": name,
        "values": dict(values),
        "trivial_accuracy": good[0]["trivial_accuracy"] if good else None,
        "diverged": len(runs) - len(good),
        "models": models,
        "runs": runs,
    }


def finished(variants: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the runs of some variants of results.json that did not diverge."""
    return [run for variant in variants for run in variant["runs"] if "diverged" not in run]


def objective(runs: Iterable[dict[str, Any]], model: str) -> float:
    """Return what a search makes large: a model's mean validation accuracy; a diverged run counts as 0.

    Of a growing task times the share of it that was reached: the validation examples are those of the full
    task, and of models that have not come there they tell nothing.
    """
    scores = []
    for run in runs:
        score = {"validation_accuracy": 0.0} if "diverged" in run else run["models"][model]
        scores.append(float(score["validation_accuracy"] * score.get("task_share", 1.0)))
    return sum(scores) / len(scores)


def _mean(values: list[Any]) -> float | None:
    return sum(values) / len(values) if values else None
