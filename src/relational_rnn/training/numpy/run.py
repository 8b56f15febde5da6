"""A whole run of a reasoning task in NumPy: its trainings side by side in processes, then their scores."""

from __future__ import annotations

import dataclasses
import functools
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from relational_rnn.reference import Adam, Batch, evaluate
from relational_rnn.reference.arrays import Array
from relational_rnn.tasks import find_task
from relational_rnn.training.common.files import read_json, write_json
from relational_rnn.training.common.processes import train_side_by_side
from relational_rnn.training.common.reasoning import (
    LABELS,
    Contestant,
    ReasoningSettings,
    contestants,
    examples_to_reach,
    held_out_data,
    reasoning_data,
    trivial_scores,
)
from relational_rnn.training.common.records import RunFolder
from relational_rnn.training.common.schedule import warmup_cosine
from relational_rnn.training.numpy.arrays_file import load_arrays
from relational_rnn.training.numpy.fit import fit
from relational_rnn.training.numpy.models import (
    build_model,
    count_parameters,
    matched_hidden_size,
    save_model,
)

CONVERGED = 0.9
"""Share of a training's best validation accuracy whose first crossing says how fast it learned."""


def prepare(task: str, settings: ReasoningSettings[Any], folder: RunFolder, resume: bool) -> None:
    """Make the run's folder, or check the one to go on in, before any work is done.

    Raises:
        ValueError: the folder does not fit, or an opponent would have fewer parameters than the RMC.
    """
    chosen = {"hybrid": settings.hybrid_hidden_size, "lstm": settings.lstm_hidden_size}
    for model, hidden in chosen.items():
        if hidden is not None and {"rmc", model} <= set(settings.models):
            fair = matched_hidden_size(settings, model)
            if hidden < fair:
                raise ValueError(
                    f"{model}_hidden_size must be at least {fair}, for as many parameters as the RMC has, "
                    f"got {hidden}"
                )
    folder.create(f"train {task}", dataclasses.asdict(settings), resume)


def run(
    task: str,
    settings: ReasoningSettings[Any],
    folder: RunFolder,
    *,
    resume: bool = False,
    show: Callable[[Contestant, dict[str, Any]], None] = lambda contestant, record: None,
) -> dict[str, Any]:
    """Train every model with every seed and score them.

    Args:
        task: its name.
        settings: of the run.
        folder: where everything goes; `prepare` made or checked it.
        resume: go on with a run that was stopped.
        show: gets every record as it comes.

    Returns:
        The content of results.json.

    Raises:
        RunFailed: a training failed.
        Interrupted: stopped by the user; everything is saved.
    """
    start = time.perf_counter()
    everyone = {c.name: c for c in contestants(settings)}
    if resume:
        folder.forget_after({name: _saved_step(folder, name) for name in everyone})

    def note(name: str, record: dict[str, Any]) -> None:
        folder.append({"model": name, **record})
        show(everyone[name], record)

    train_side_by_side(
        [name for name in everyone if not folder.score(name).exists()],
        functools.partial(_train, task, settings, folder),
        workers=settings.workers,
        show=note,
    )
    wall_seconds = None if resume else round(time.perf_counter() - start, 1)
    if resume and folder.results.exists():
        wall_seconds = read_json(folder.results)["wall_seconds"]  # the run was finished already
    return summarise(task, settings, folder, wall_seconds)


def summarise(
    task: str, settings: ReasoningSettings[Any], folder: RunFolder, wall_seconds: float | None
) -> dict[str, Any]:
    """Put the scores of all trainings together, with their means over the seeds, and write results.json.

    `wall_seconds` is the time of the whole run, None if it was interrupted in between.
    """
    models = {}
    for model in settings.models:
        trainings = [
            {"name": c.name, "label": c.label, **read_json(folder.score(c.name))}
            for c in contestants(settings)
            if c.model == model
        ]
        averaged = ("test_accuracy", "harder_accuracy", "seconds", "examples", "examples_to_converge")
        means = {name: sum(t[name] for t in trainings) / len(trainings) for name in averaged}
        models[model] = {
            "label": LABELS[model],
            "parameters": trainings[0]["parameters"],
            **means,
            "trainings": trainings,
        }
        if "test_by_kind" in trainings[0]:
            kinds = [training["test_by_kind"] for training in trainings]
            models[model]["test_by_kind"] = {
                kind: sum(scores[kind] for scores in kinds) / len(kinds) for kind in kinds[0]
            }
    data = held_out_data(task, settings, settings.seed)
    trivial: dict[str, Any] = trivial_scores(data.metadata)
    entry = find_task(task)
    if entry.kinds is not None and entry.shortcut is not None:
        right = (entry.shortcut(data.task, data.test.inputs) == data.test.targets) & data.test.mask
        trivial["shortcut_by_kind"] = {
            kind: float(right[own].sum() / data.test.mask[own].sum())
            for kind, own in by_kind(entry.kinds(data.test)).items()
        }
    results = {
        "task": task,
        "framework": settings.framework,
        "size": dataclasses.asdict(settings.task),
        "harder_size": data.metadata["harder_sizes"],
        "harder": data.metadata["harder"],
        "seed": settings.seed,
        "seeds": settings.seeds,
        "test_examples": settings.test_examples,
        "trivial_accuracy": max(data.task.chance, data.task.majority),
        "trivial": trivial,
        "wall_seconds": wall_seconds,
        "models": models,
    }
    write_json(folder.results, results)
    return results


def _checkpoint_path(folder: RunFolder, name: str) -> Path:
    return folder.checkpoints / f"{name}.checkpoint"


def _saved_step(folder: RunFolder, name: str) -> int:
    path = _checkpoint_path(folder, name)
    return int(load_arrays(path)[1]["result"]["step"]) if path.exists() else 0


def _train(
    task: str,
    settings: ReasoningSettings[Any],
    folder: RunFolder,
    name: str,
    report: Callable[[dict[str, Any]], None],
    stopped: Callable[[], bool],
) -> None:
    """Train one contestant in this process, on one thread, and leave its weights and score in the folder."""
    with threadpool_limits(1):
        contestant = next(c for c in contestants(settings) if c.name == name)
        data = reasoning_data(task, settings, contestant.seed)
        model = build_model(settings, contestant.model, contestant.seed)

        def schedule(step: int) -> float:
            return warmup_cosine(step, step / settings.steps, settings.warmup_steps, settings.final_share)

        result = fit(
            model,
            data.train,
            data.validation,
            steps=settings.steps,
            optimizer=Adam(settings.learning_rate),
            batch_size=settings.batch_size,
            schedule=schedule,
            max_norm=settings.clip_norm,
            evaluate_every=settings.evaluate_every,
            patience=settings.patience,
            seed=contestant.seed,
            checkpoint=_checkpoint_path(folder, name),
            progress=False,
            report=report,
            stopped=stopped,
        )
        if not result.finished:
            return
        test, harder = evaluate(model, data.test), evaluate(model, data.harder)
    save_model(folder.weights(name), model, task, settings, contestant)
    score: dict[str, Any] = {
        "parameters": count_parameters(model),
        "test_accuracy": test["accuracy"],
        "test_sequence_accuracy": test["sequence_accuracy"],
        "harder_accuracy": harder["accuracy"],
        "harder_sequence_accuracy": harder["sequence_accuracy"],
        "seconds": round(result.seconds, 2),
        "steps": result.step,
        "examples": result.step * settings.batch_size,
        "best_step": result.best["step"],
        "examples_to_converge": examples_to_reach(result.history, CONVERGED),
    }
    own_kinds = find_task(task).kinds
    if own_kinds is not None:
        score["test_by_kind"] = {
            kind: evaluate(model, Batch(*(part[own] for part in data.test[:3])))["accuracy"]
            for kind, own in by_kind(own_kinds(data.test)).items()
        }
    write_json(folder.score(name), score)


def by_kind(kinds: list[str]) -> dict[str, Array]:
    """Return for each kind, in the order of their names, which examples are of it.

    Example:
        >>> {kind: own.tolist() for kind, own in by_kind(["b", "a", "b"]).items()}
        {'a': [False, True, False], 'b': [True, False, True]}
    """
    named = np.array(kinds)
    return {str(kind): named == kind for kind in np.unique(named)}
