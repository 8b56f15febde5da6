"""Named arrays on disk as safetensors, which hold no code; a kill leaves the old or the new file whole."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from relational_rnn.reference.arrays import Array
from relational_rnn.training.files import write_atomically


def save_arrays(path: Path, arrays: Mapping[str, Array], notes: Mapping[str, Any]) -> None:
    """Write arrays by name, and notes (anything that JSON can hold) beside them."""
    contiguous = {name: np.asarray(value, order="C") for name, value in arrays.items()}
    written = {name: json.dumps(value) for name, value in notes.items()}
    write_atomically(path, lambda temporary: save_file(contiguous, temporary, written))


def load_arrays(path: Path) -> tuple[dict[str, Array], dict[str, Any]]:
    """Return the arrays and the notes of a file that `save_arrays` wrote.

    Raises:
        ValueError: the file is no such file; the message names it.
        OSError: it cannot be read.
    """
    try:
        with safe_open(path, framework="numpy") as file:
            notes = {name: json.loads(text) for name, text in (file.metadata() or {}).items()}
            return {name: file.get_tensor(name) for name in file.keys()}, notes  # noqa: SIM118
    except (SafetensorError, json.JSONDecodeError) as error:
        raise ValueError(f"{path} is no readable safetensors file: {error}") from None


def with_prefix(prefix: str, arrays: Mapping[str, Array]) -> dict[str, Array]:
    """Return the arrays under `prefix.<name>`.

    Example:
        >>> list(with_prefix("model", {"weight": np.ones(1)}))
        ['model.weight']
    """
    return {f"{prefix}.{name}": value for name, value in arrays.items()}


def without_prefix(prefix: str, arrays: Mapping[str, Array]) -> dict[str, Array]:
    """Return the arrays whose name begins with `prefix.`, under the rest of it."""
    return {name.removeprefix(f"{prefix}."): a for name, a in arrays.items() if name.startswith(f"{prefix}.")}
