"""Saved NumPy models of the reasoning tasks scored on fresh or given examples."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from relational_rnn.reference import Batch, Classifier
from relational_rnn.reference import evaluate as score_of
from relational_rnn.reference.arrays import Array
from relational_rnn.spec.checks import check_shape, check_size
from relational_rnn.tasks import find_task
from relational_rnn.training.common.examples_file import check_targets, read_examples
from relational_rnn.training.numpy.models import load_model

FRESH = 1
"""Second word of the generator's seed; the examples of a run come from streams of another kind."""
CHUNK = 256
"""Examples scored at once."""


def evaluate(weights: Path, *, examples: int, seed: int, path: Path | None = None) -> dict[str, Any]:
    """Score a saved model.

    Args:
        weights: a file that `save_model` wrote.
        examples: how many fresh ones, of the model's task and of its harder sizes, unless `path` is given.
        seed: of the fresh ones.
        path: .npz with `inputs` (B, T, F) and perhaps `targets` (B, T) and `mask` (B, T).

    Returns:
        name, label, examples, accuracy (None without targets), trivial_accuracy; for fresh examples also
        harder_accuracy; for given ones predictions (B, T).

    Raises:
        ValueError: the file's arrays do not fit the model.
    """
    model, name, settings, contestant = load_model(weights)
    task, entry = settings.task, find_task(name)
    score: dict[str, Any] = {
        "name": contestant.name,
        "label": f"{name}, {contestant.label}",
        "examples": check_size("examples", examples),
        "accuracy": None,
        "trivial_accuracy": max(task.chance, task.majority),
    }
    if path is None:
        for key, sizes in (("accuracy", task), ("harder_accuracy", task.harder())):
            batch = entry.sample(sizes, examples, np.random.default_rng([seed, FRESH]))
            score[key] = score_of(model, batch)["accuracy"]
        return score
    inputs, others = read_examples(path, task.input_size)
    score["examples"] = len(inputs)
    if "targets" in others:
        targets = check_targets(others["targets"], inputs.shape[:2], ("B", "T"), task.classes)
        mask = others.get("mask")
        if mask is not None:
            check_shape("mask", mask.shape, ("B", "T"), B=inputs.shape[0], T=inputs.shape[1])
        score["accuracy"] = score_of(model, Batch(inputs, targets, mask))["accuracy"]
    return score | {"predictions": predict(model, inputs).tolist()}


def predict(model: Classifier, inputs: Array) -> Array:
    """Return the most likely class at each step of sequences (B, T, F): (B, T)."""
    pieces = [inputs[start : start + CHUNK] for start in range(0, len(inputs), CHUNK)]
    predictions: Array = np.concatenate([model.forward(piece).argmax(axis=-1) for piece in pieces])
    return predictions
