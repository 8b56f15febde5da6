"""Saved models scored on fresh or given examples."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from relational_rnn.spec.checks import check_size
from relational_rnn.tasks.nth_farthest import sample
from relational_rnn.training.common.examples_file import check_targets, read_examples
from relational_rnn.training.common.nth_farthest import FRESH
from relational_rnn.training.torch.loop import predict
from relational_rnn.training.torch.models import load_model


def evaluate(weights: Path, *, examples: int, seed: int, path: Path | None = None) -> dict[str, Any]:
    """Score a saved model.

    Args:
        weights: a file that `save_model` wrote.
        examples: how many fresh ones, unless `path` is given.
        seed: of the fresh ones.
        path: .npz with `inputs` (B, T, F) and perhaps `targets` (B,).

    Returns:
        name, label, examples, accuracy (None without targets), trivial_accuracy; for given examples also
        predictions.

    Raises:
        ValueError: the file's arrays do not fit the model.
    """
    model, settings, contestant = load_model(weights)
    task = settings.task
    targets: np.ndarray | None
    if path is None:
        batch = sample(task, check_size("examples", examples), np.random.default_rng([seed, FRESH]))
        inputs, targets = batch.inputs, batch.targets
    else:
        inputs, others = read_examples(path, task.input_size)
        targets = others.get("targets")
        if targets is not None:
            check_targets(targets, inputs.shape[:1], ("B",), task.classes)
    predictions = predict(model, inputs).numpy()
    score: dict[str, Any] = {
        "name": contestant.name,
        "label": contestant.label,
        "examples": len(inputs),
        "accuracy": None if targets is None else float((predictions == targets).mean()),
        "trivial_accuracy": settings.task.trivial_accuracy,
    }
    return score if path is None else {**score, "predictions": predictions.tolist()}
