"""Saved models scored on fresh or given examples."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from relational_rnn.spec.checks import check_shape, check_size
from relational_rnn.tasks.nth_farthest import NthFarthest, sample
from relational_rnn.training.common.nth_farthest import FRESH
from relational_rnn.training.torch.loop import predict
from relational_rnn.training.torch.models import load_model


def find_weights(path: Path) -> list[Path]:
    """Return the weights files of a run, or the one that is named.

    Raises:
        ValueError: there are none.
    """
    if path.is_file():
        return [path]
    found = sorted((path / "checkpoints").glob("*.safetensors"))
    if not found:
        raise ValueError(f"{path} holds no trained weights (checkpoints/*.safetensors)")
    return found


def evaluate(weights: Path, *, examples: int, seed: int, path: Path | None = None) -> dict[str, Any]:
    """Score a saved model.

    Args:
        weights: a file of `find_weights`.
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
    if path is None:
        batch = sample(settings.task, check_size("examples", examples), np.random.default_rng([seed, FRESH]))
        given: tuple[np.ndarray, np.ndarray | None] = batch.inputs, batch.targets
    else:
        given = read_examples(path, settings.task)
    inputs, targets = given
    predictions = predict(model, inputs).numpy()
    score: dict[str, Any] = {
        "name": contestant.name,
        "label": contestant.label,
        "examples": len(inputs),
        "accuracy": None if targets is None else float((predictions == targets).mean()),
        "trivial_accuracy": settings.task.trivial_accuracy,
    }
    return score if path is None else {**score, "predictions": predictions.tolist()}


def read_examples(path: Path, task: NthFarthest) -> tuple[np.ndarray, np.ndarray | None]:
    """Read inputs (B, T, F) float32 and, if there are any, targets (B,) of a .npz file.

    Raises:
        ValueError: no .npz file, no `inputs`, or arrays that do not fit the task.
    """
    try:
        with path.open("rb") as stream, np.load(stream) as file:
            arrays = dict(file)
    except (ValueError, TypeError, EOFError, zipfile.BadZipFile) as error:
        raise ValueError(f"{path} is no .npz file of arrays: {error}") from None
    if "inputs" not in arrays:
        raise ValueError(f"{path} must hold an array `inputs`, it has {', '.join(arrays) or 'none'}")
    inputs, targets = arrays["inputs"], arrays.get("targets")
    if not np.issubdtype(inputs.dtype, np.floating):
        raise ValueError(f"inputs must be floating point, got {inputs.dtype}")
    check_shape("inputs", inputs.shape, ("B", "T", "F"), F=task.input_size)
    if not np.isfinite(inputs).all():
        raise ValueError("inputs must be finite, got NaN or infinity")
    if targets is not None:
        check_shape("targets", targets.shape, ("B",), B=len(inputs))
        if not np.issubdtype(targets.dtype, np.integer):
            raise ValueError(f"targets must be integers, got {targets.dtype}")
        if targets.min() < 0 or targets.max() >= task.classes:
            raise ValueError(
                f"targets must be from 0 to {task.classes - 1}, got {targets.min()} to {targets.max()}"
            )
    return inputs.astype(np.float32), targets
