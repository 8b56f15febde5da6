"""A whole run of a supervised task: its trainings side by side in processes, then their scores."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from relational_rnn.reference import Batch
from relational_rnn.reference.arrays import Array
from relational_rnn.tasks import find_task
from relational_rnn.tasks.babi import mean_and_failed
from relational_rnn.training.common import generalisation
from relational_rnn.training.common.arrays_file import load_arrays
from relational_rnn.training.common.core_settings import LABELS, check_sizes
from relational_rnn.training.common.files import read_json, write_json
from relational_rnn.training.common.fit import Learner, Training
from relational_rnn.training.common.processes import peak_memory
from relational_rnn.training.common.records import RunFolder
from relational_rnn.training.common.schedule import warmup_cosine
from relational_rnn.training.common.supervised import (
    Contestant,
    SupervisedSettings,
    contestants,
    examples_to_reach,
    held_out_data,
    kinds_of,
    task_data,
)
from relational_rnn.training.common.trainings import train_all

AVERAGED = (
    *("test_accuracy", "test_sequence_accuracy", "harder_accuracy", "seconds", "examples"),
    *("examples_to_converge", "seconds_per_example", "peak_memory"),
)
"""Scores of a training whose means over the seeds are a model's."""


class Framework(NamedTuple):
    """What trains: functions that can be pickled."""

    name: str
    """As in the settings."""
    build: Callable[[SupervisedSettings[Any], str, int], Any]
    """(settings, model, seed) -> a model."""
    matched_size: Callable[[SupervisedSettings[Any], str], int]
    """(settings, opponent) -> the smallest size with at least the RMC's parameters."""
    count_parameters: Callable[[Any], int]
    """(model) -> how many numbers training changes."""
    learner: Callable[[Any, SupervisedSettings[Any]], Learner]
    """(model, settings) -> it with its optimiser."""
    save: Callable[[Path, Any, str, SupervisedSettings[Any], Contestant], None]
    """(path, model, task, settings, training): write weights and what it takes to build the model."""
    load: Callable[[Path], tuple[Any, str, SupervisedSettings[Any], Contestant]]
    """(path) -> model, task, settings, training; ValueError for another file."""
    predict: Callable[[Any, Array], Array]
    """(model, inputs (B, T, F)) -> the most likely class at each step (B, T)."""
    limit_threads: Callable[[int], AbstractContextManager[Any]]
    """Gives a training so many threads."""


def prepare(
    task: str, settings: SupervisedSettings[Any], framework: Framework, folder: RunFolder, resume: bool
) -> None:
    """Make the run's folder, or check the one to go on in, before any work is done.

    Raises:
        ValueError: the folder does not fit, or an opponent would have fewer parameters than the RMC.
    """
    check_sizes(settings, framework.matched_size)
    folder.create(f"train {task}", settings, resume)


def run(
    task: str,
    settings: SupervisedSettings[Any],
    framework: Framework,
    folder: RunFolder,
    *,
    resume: bool = False,
    show: Callable[[Contestant, dict[str, Any]], None] = lambda contestant, record: None,
) -> dict[str, Any]:
    """Train every model with every seed and score them.

    Args:
        task: its name.
        settings: of the run.
        framework: what trains.
        folder: where everything goes; `prepare` made or checked it.
        resume: go on with a run that was stopped.
        show: gets every record as it comes.

    Returns:
        The content of results.json.

    Raises:
        RunFailed: a training failed.
        Interrupted: stopped by the user; everything is saved.
    """
    wall_seconds = train_all(
        folder,
        {c.name: c for c in contestants(settings)},
        functools.partial(train_one, task, settings, framework, folder),
        workers=settings.at_once,
        resume=resume,
        saved_step=lambda c: saved_step(folder, c.name),
        show=show,
    )
    return summarise(task, settings, folder, wall_seconds)


def summarise(
    task: str, settings: SupervisedSettings[Any], folder: RunFolder, wall_seconds: float | None
) -> dict[str, Any]:
    """Put the scores of all trainings together, with their means over the seeds, and write results.json.

    `wall_seconds` is the time of the whole run, None if it was interrupted in between.
    """
    models: dict[str, Any] = {}
    larger = {}
    for model in settings.models:
        trainings = [
            {"name": c.name, "label": c.label, **read_json(folder.score(c.name))}
            for c in contestants(settings)
            if c.model == model
        ]
        larger[model] = {training["name"]: training.pop("generalisation") for training in trainings}
        means = {name: sum(t[name] for t in trainings) / len(trainings) for name in AVERAGED}
        models[model] = {
            "label": LABELS[model],
            "parameters": trainings[0]["parameters"],
            **means,
            "trainings": trainings,
        }
        if "test_by_kind" in trainings[0]:
            by_seed = [training["test_by_kind"] for training in trainings]
            models[model]["test_by_kind"] = {
                kind: sum(scores[kind] for scores in by_seed) / len(by_seed) for kind in by_seed[0]
            }
        if task == "babi":
            mean, failed = mean_and_failed(models[model]["test_by_kind"].values())
            models[model] |= {"mean_error": mean, "failed_tasks": failed}
    held_out = held_out_data(task, settings, settings.seed)
    trivial: dict[str, Any] = dict(held_out.trivial)
    test, shortcut = held_out.test, None if task == "babi" else find_task(task).shortcut
    kinds = kinds_of(task, test)
    if task == "babi":
        trivial["majority_by_kind"] = settings.task.majority_by_kind
    if kinds is not None and shortcut is not None:
        right = (shortcut(settings.task, test.inputs) == test.targets) & test.mask
        trivial["shortcut_by_kind"] = {
            kind: float(right[own].sum() / test.mask[own].sum()) for kind, own in by_kind(kinds).items()
        }
    results = {
        "task": task,
        "framework": settings.framework,
        "size": dataclasses.asdict(settings.task),
        "harder_size": held_out.harder_sizes,
        "harder": held_out.changes,
        "seed": settings.seed,
        "seeds": settings.seeds,
        "test_examples": len(held_out.test.inputs),
        "trivial_accuracy": max(trivial["test"][name] for name in ("chance", "majority")),
        "trivial": trivial,
        "wall_seconds": wall_seconds,
        "models": models,
        "generalisation": generalisation.summarise(task, settings, larger),
    }
    write_json(folder.results, results)
    return results


def _checkpoint_path(folder: RunFolder, name: str) -> Path:
    return folder.checkpoints / f"{name}.checkpoint"


def saved_step(folder: RunFolder, name: str) -> int:
    """Return the step of a training's checkpoint, 0 without one."""
    path = _checkpoint_path(folder, name)
    return int(load_arrays(path)[1]["result"]["step"]) if path.exists() else 0


def train_one(
    task: str,
    settings: SupervisedSettings[Any],
    framework: Framework,
    folder: RunFolder,
    name: str,
    report: Callable[[dict[str, Any]], None],
    stopped: Callable[[], bool],
) -> None:
    """Train one contestant in this process and leave its weights and score in the folder."""
    with framework.limit_threads(settings.threads):
        contestant = next(c for c in contestants(settings) if c.name == name)
        model = framework.build(settings, contestant.model, contestant.seed)
        learner = framework.learner(model, settings)
        data = task_data(task, settings, contestant.seed)

        def schedule(step: int) -> float:
            return warmup_cosine(step, step / settings.steps, settings.warmup_steps, settings.final_share)

        training = Training(
            learner,
            data.batches,
            data.held_out.validation,
            peak=settings.learning_rate,
            schedule=schedule,
            steps=settings.steps,
            batch_size=settings.batch_size,
            evaluate_every=settings.evaluate_every,
            patience=settings.patience,
            monitor="accuracy",
            notes={"seed": contestant.seed, "framework": framework.name},
        )
        result = training.run(checkpoint=_checkpoint_path(folder, name), report=report, stopped=stopped)
        if not result.finished:
            return
        _, test_examples, harder_examples, *_ = data.held_out
        test, harder = learner.evaluate(test_examples), learner.evaluate(harder_examples)
        memory = peak_memory()
        larger = generalisation.larger_scores(task, settings, learner, contestant.seed)
    framework.save(folder.weights(name), model, task, settings, contestant)
    examples = result.step * settings.batch_size
    score: dict[str, Any] = {
        "parameters": framework.count_parameters(model),
        "test_accuracy": test["accuracy"],
        "test_sequence_accuracy": test["sequence_accuracy"],
        "harder_accuracy": harder["accuracy"],
        "harder_sequence_accuracy": harder["sequence_accuracy"],
        "seconds": round(result.seconds, 2),
        "steps": result.step,
        "examples": examples,
        "seconds_per_example": result.seconds / examples,
        "peak_memory": memory,
        "best_step": result.best["step"],
        "examples_to_converge": examples_to_reach(result.history),
        "generalisation": larger,
    }
    kinds = kinds_of(task, test_examples)
    if kinds is not None:
        score["test_by_kind"] = {
            kind: learner.evaluate(Batch(*(part[own] for part in test_examples[:3])))["accuracy"]
            for kind, own in by_kind(kinds).items()
        }
    write_json(folder.score(name), score)


def by_kind(kinds: list[str]) -> dict[str, Array]:
    """Return for each kind, in the order of their names (10 after 9), which examples are of it.

    Example:
        >>> {kind: own.tolist() for kind, own in by_kind(["b 10", "b 9", "b 10"]).items()}
        {'b 9': [False, True, False], 'b 10': [True, False, True]}
    """
    named = np.array(kinds)
    return {kind: named == kind for kind in sorted(set(kinds), key=lambda kind: (len(kind), kind))}
