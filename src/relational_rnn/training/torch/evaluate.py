"""Saved models scored on fresh or given examples."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from relational_rnn.config.checks import check_size
from relational_rnn.tasks.nth_farthest import NthFarthestBatch, sample
from relational_rnn.tasks.nth_farthest_variants import MORE_STEPS, lengthen
from relational_rnn.training.common.examples_file import check_targets, read_examples
from relational_rnn.training.common.nth_farthest import FRESH, LONGER, NthFarthestSettings
from relational_rnn.training.torch.loop import accuracy, predict
from relational_rnn.training.torch.models import load_model


def longer_scores(
    model: nn.Module, settings: NthFarthestSettings, batch: NthFarthestBatch
) -> dict[str, list[float]]:
    """Return a model's accuracies with more and more distractors, and with repeats, among a batch's steps.

    Args:
        model: (B, T, F) -> scores (B, C).
        settings: of its training.
        batch: examples of its task.

    Returns:
        "distractors" and "repeats": the accuracy for each of `MORE_STEPS`, the first without more.
    """
    plain = accuracy(model, batch.inputs, batch.targets)

    def score(kind: str, count: int) -> float:
        generator = np.random.default_rng([settings.seed, LONGER, count])
        return accuracy(model, lengthen(settings.task, batch, generator, **{kind: count}), batch.targets)

    return {
        kind: [plain, *(score(kind, count) for count in MORE_STEPS[1:])]
        for kind in ("distractors", "repeats")
    }


def evaluate(
    weights: Path,
    *,
    examples: int,
    seed: int,
    path: Path | None = None,
    distractors: int = 0,
    repeats: int = 0,
    compute_dtype: str | None = None,
) -> dict[str, Any]:
    """Score a saved model.

    Args:
        weights: a file that `save_model` wrote.
        examples: how many fresh ones, unless `path` is given.
        seed: of the fresh ones.
        path: .npz with `inputs` (B, T, F) and perhaps `targets` (B,).
        distractors, repeats: steps to put among those of the fresh ones; see `tasks.nth_farthest_variants`.
        compute_dtype: of an RMC's matrix products; None for that of its training.

    Returns:
        name, label, examples, accuracy (None without targets), trivial_accuracy; for given examples also
        predictions.

    Raises:
        ValueError: the file's arrays do not fit the model, or `compute_dtype` is unknown.
    """
    model, settings, contestant = load_model(weights, compute_dtype)
    task = settings.task
    targets: np.ndarray | None
    if path is None:
        generator = np.random.default_rng([seed, FRESH])
        batch = sample(task, check_size("examples", examples), generator)
        inputs = lengthen(task, batch, generator, distractors=distractors, repeats=repeats)
        targets = batch.targets
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
