"""Weights and examples that a person names on the command line: found and read, with clear errors."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from relational_rnn.config.checks import check_shape
from relational_rnn.training.pretrained import PREFIX, find_pretrained


def find_weights(path: Path) -> list[Path]:
    """Return the weights files of a run, or the one that is named.

    Args:
        path: folder of a run, a weights file, or `pretrained:NAME`.

    Raises:
        ValueError: there are none.
    """
    if str(path).startswith(PREFIX):
        return [find_pretrained(str(path).removeprefix(PREFIX))]
    if path.is_file():
        return [path]
    found = sorted((path / "checkpoints").glob("*.safetensors"))
    if not found:
        raise ValueError(f"{path} holds no trained weights (checkpoints/*.safetensors)")
    return found


def read_examples(path: Path, features: int) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Read a .npz file of examples.

    Args:
        path: of the file.
        features: F that the model takes.

    Returns:
        `inputs` (B, T, F) as float32, and the file's other arrays by name, unchecked.

    Raises:
        ValueError: no .npz file, no `inputs`, or inputs that do not fit.
    """
    try:
        with path.open("rb") as stream, np.load(stream) as file:
            arrays = dict(file)
    except (ValueError, TypeError, EOFError, zipfile.BadZipFile) as error:
        raise ValueError(f"{path} is no .npz file of arrays: {error}") from None
    if "inputs" not in arrays:
        raise ValueError(f"{path} must hold an array `inputs`, it has {', '.join(arrays) or 'none'}")
    inputs = arrays.pop("inputs")
    if not np.issubdtype(inputs.dtype, np.floating):
        raise ValueError(f"inputs must be floating point, got {inputs.dtype}")
    check_shape("inputs", inputs.shape, ("B", "T", "F"), F=features)
    if not np.isfinite(inputs).all():
        raise ValueError("inputs must be finite, got NaN or infinity")
    return inputs.astype(np.float32), arrays


def check_targets(targets: Any, shape: tuple[int, ...], axes: tuple[str, ...], classes: int) -> np.ndarray:
    """Return a file's targets if they are classes in the given shape.

    Raises:
        ValueError: they are not.
    """
    check_shape("targets", targets.shape, axes, **dict(zip(axes, shape, strict=True)))
    if not np.issubdtype(targets.dtype, np.integer):
        raise ValueError(f"targets must be integers, got {targets.dtype}")
    if targets.min() < 0 or targets.max() >= classes:
        raise ValueError(f"targets must be from 0 to {classes - 1}, got {targets.min()} to {targets.max()}")
    return np.asarray(targets)
