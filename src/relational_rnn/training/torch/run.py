"""A whole run: its trainings in processes of their own, then the scores, side by side and fair.

The opponents have at least the RMC's steps and its wall time, so they wait for it; on the growing task they
replay its changes.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from relational_rnn.training.common.core_settings import check_sizes
from relational_rnn.training.common.files import read_json, write_json
from relational_rnn.training.common.nth_farthest import (
    TEST,
    Change,
    Growth,
    NthFarthestSettings,
    held_out_batch,
    model_results,
)
from relational_rnn.training.common.processes import peak_memory
from relational_rnn.training.common.records import RunFolder
from relational_rnn.training.common.supervised import examples_to_reach
from relational_rnn.training.common.trainings import train_all
from relational_rnn.training.torch.build import count_parameters, matched_size
from relational_rnn.training.torch.evaluate import longer_scores
from relational_rnn.training.torch.loop import Budget, Training
from relational_rnn.training.torch.models import (
    Contestant,
    build_model,
    contestants,
    save_model,
)

COMMAND = "train nth-farthest"


def check(settings: NthFarthestSettings) -> None:
    """Check what the settings alone cannot.

    Raises:
        ValueError: an opponent would have fewer parameters than the RMC, or the device is not there.
    """
    check_sizes(settings, matched_size)
    if settings.device == "cuda" and not torch.cuda.is_available():
        raise ValueError(f"device 'cuda' needs an NVIDIA GPU, and torch {torch.__version__} finds none here")


def prepare(settings: NthFarthestSettings, folder: RunFolder, resume: bool) -> None:
    """Make the run's folder, or check the one to go on in, before any work is done.

    Raises:
        ValueError: see `check`; or the folder does not fit.
    """
    check(settings)
    folder.create(COMMAND, settings, resume)


def run(
    settings: NthFarthestSettings,
    folder: RunFolder,
    *,
    resume: bool = False,
    show: Callable[[Contestant, dict[str, Any]], None] = lambda contestant, record: None,
) -> dict[str, Any]:
    """Train all contestants of a run and score them.

    Args:
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
    wall_seconds = train_all(
        folder,
        {c.name: c for c in contestants(settings)},
        functools.partial(train_one, settings, folder),
        workers=settings.at_once,
        resume=resume,
        saved_step=lambda c: saved_step(folder, c),
        show=show,
        may_start=lambda c: _may_start(folder, c, settings),
    )
    return summarise(settings, folder, wall_seconds)


def summarise(settings: NthFarthestSettings, folder: RunFolder, wall_seconds: float | None) -> dict[str, Any]:
    """Put the contestants' scores together, see `model_results`, and write results.json.

    `wall_seconds` is the time of the whole run, None if it was interrupted in between.
    """
    models = {}
    for model in settings.models:
        scores = [
            {
                "name": c.name,
                "label": c.label,
                **read_json(folder.score(c.name)),
                "examples_to_converge": examples_to_reach(folder.evaluations(c.name)),
            }
            for c in contestants(settings)
            if c.model == model
        ]
        models[model] = model_results(scores, settings.seeds)
    results = {
        "task": "nth-farthest",
        "size": {"objects": settings.objects, "dimensions": settings.dimensions},
        "seed": settings.seed,
        "seeds": settings.seeds,
        "test_examples": settings.test_examples,
        "trivial_accuracy": settings.task.trivial_accuracy,
        "wall_seconds": wall_seconds,
        "models": models,
    }
    write_json(folder.results, results)
    return results


def _checkpoint_path(folder: RunFolder, contestant: Contestant) -> Path:
    return folder.checkpoints / f"{contestant.name}.pt"


def saved_step(folder: RunFolder, contestant: Contestant) -> int:
    """Return the step of a training's checkpoint, 0 without one."""
    path = _checkpoint_path(folder, contestant)
    return int(torch.load(path, map_location="cpu", weights_only=True)["step"]) if path.exists() else 0


def _leader(settings: NthFarthestSettings, seed: int) -> Contestant | None:
    """Return the RMC of a seed if it is trained: it sets the steps and the time of the others."""
    return next((c for c in contestants(settings) if (c.model, c.seed) == ("rmc", seed)), None)


def _may_start(folder: RunFolder, contestant: Contestant, settings: NthFarthestSettings) -> bool:
    leader = _leader(settings, contestant.seed)
    return leader is None or contestant == leader or folder.score(leader.name).exists()


def train_one(
    settings: NthFarthestSettings,
    folder: RunFolder,
    name: str,
    report: Callable[[dict[str, Any]], None],
    stopped: Callable[[], bool],
) -> None:
    """Train one contestant in this process and leave its weights and score in the folder."""
    torch.set_num_threads(settings.threads)
    if settings.device == "cuda":
        torch.cuda.reset_peak_memory_stats()  # of another training in this process
    contestant = next(c for c in contestants(settings) if c.name == name)
    leader = _leader(settings, contestant.seed)
    settings = dataclasses.replace(settings.of(contestant.model), seed=contestant.seed, seeds=1)
    growth = Growth(settings) if contestant.grown else Growth.none(settings)
    budget = Budget(settings.steps, settings.seconds)
    if contestant.model != "rmc":
        settings = dataclasses.replace(settings, port_fault="none")
        if leader is not None:
            score = read_json(folder.score(leader.name))
            budget = Budget(score["steps"], score["seconds"], both=True)
            if contestant.grown:
                growth = Growth(settings, [Change(*change) for change in score["changes"]])
    model = build_model(settings, contestant)
    training = Training(model, settings, growth, budget, _checkpoint_path(folder, contestant))
    if not training.run(report, stopped):
        return
    test = held_out_batch(settings, settings.test_examples, TEST)
    save_model(folder.weights(name), training.result, settings, contestant)
    longer = longer_scores(training.result, settings, test)
    score = {
        "parameters": count_parameters(model),
        "test_accuracy": longer["distractors"][0],  # without any
        "seconds": round(training.seconds, 2),
        "steps": training.step,
        "examples": training.step * settings.batch_size,
        "seconds_per_example": training.seconds / (training.step * settings.batch_size),
        "peak_memory": torch.cuda.max_memory_allocated() if settings.device == "cuda" else peak_memory(),
        "changes": [list(change) for change in growth.changes],
        "longer": longer,
    }
    write_json(folder.score(name), score)
