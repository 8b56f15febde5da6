"""Saved models of the supervised tasks scored on fresh or given examples."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open

from relational_rnn.config.checks import check_shape, check_size
from relational_rnn.reference import Batch
from relational_rnn.tasks import find_task
from relational_rnn.training.common.examples_file import check_targets, read_examples
from relational_rnn.training.common.supervised import FRESH, at_full_size, held_out_data
from relational_rnn.training.common.supervised_run import Framework


def evaluate(
    weights: Path, framework: Framework, *, examples: int, seed: int, path: Path | None = None
) -> dict[str, Any]:
    """Score a saved model.

    Args:
        weights: a file that the framework's `save` wrote.
        framework: what trained it.
        examples: how many fresh ones, of the model's task and of its harder sizes, unless `path` is given; of
            bAbI there are none, and all stories of the test count.
        seed: of the fresh ones.
        path: .npz with `inputs` (B, T, F) and perhaps `targets` (B, T) and `mask` (B, T).

    Returns:
        name, label, examples, accuracy (None without targets), trivial_accuracy; for fresh examples also
        harder_accuracy; for given ones predictions (B, T).

    Raises:
        ValueError: the file's arrays do not fit the model.
    """
    model, name, settings, contestant = framework.load(weights)
    learner = framework.learner(model, settings)
    task = at_full_size(settings.task)
    score: dict[str, Any] = {
        "name": contestant.name,
        "label": f"{name}, {contestant.label}",
        "examples": check_size("examples", examples),
        "accuracy": None,
        "trivial_accuracy": max(task.chance, task.majority),
    }
    if path is None and name == "babi":
        _, test, longest, *_ = held_out_data(name, settings, seed)
        score["examples"] = len(test.inputs)
        score["accuracy"] = learner.evaluate(test)["accuracy"]
        return score | {"harder_accuracy": learner.evaluate(longest)["accuracy"]}
    if path is None:
        entry = find_task(name)
        for key, sizes in (("accuracy", task), ("harder_accuracy", task.harder())):
            batch = entry.sample(sizes, examples, np.random.default_rng([seed, FRESH]))
            score[key] = learner.evaluate(batch)["accuracy"]
        return score
    inputs, others = read_examples(path, task.input_size)
    score["examples"] = len(inputs)
    if "targets" in others:
        targets = check_targets(others["targets"], inputs.shape[:2], ("B", "T"), task.classes)
        mask = others.get("mask", np.ones(targets.shape, dtype=bool))
        check_shape("mask", mask.shape, ("B", "T"), B=inputs.shape[0], T=inputs.shape[1])
        if mask.dtype != bool:
            raise TypeError(f"mask must hold booleans, got {mask.dtype}")
        score["accuracy"] = learner.evaluate(Batch(inputs, targets, mask))["accuracy"]
    return score | {"predictions": framework.predict(model, inputs).tolist()}


def framework_of(path: Path) -> str | None:
    """Return what trained the model of a safetensors file, None if it is of no supervised task.

    Raises:
        ValueError: it is no safetensors file.
    """
    try:
        with safe_open(path, framework="numpy") as file:
            name = (file.metadata() or {}).get("framework")
    except SafetensorError as error:
        raise ValueError(f"{path} is no readable safetensors file: {error}") from None
    return None if name is None else str(json.loads(name))
