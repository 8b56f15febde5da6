"""Named arrays on disk as safetensors, which hold no code; a kill leaves the old or the new file whole."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from relational_rnn.config.checks import BadFile, shortened
from relational_rnn.config.paths import check_file
from relational_rnn.reference.arrays import Array
from relational_rnn.training.files import parse_json, write_atomically

NOTES: Final = "notes"
"""The one key of a file's metadata: of several the library would put down the order by chance."""


def save_arrays(path: Path, arrays: Mapping[str, Array], notes: Mapping[str, Any]) -> None:
    """Write arrays by name and notes, anything that JSON can hold; the same are the same bytes."""
    contiguous = {name: np.asarray(value, order="C") for name, value in arrays.items()}
    metadata = {NOTES: json.dumps(dict(notes))}
    write_atomically(path, lambda temporary: save_file(contiguous, temporary, metadata))


def load_arrays(path: Path, remedy: str = "") -> tuple[dict[str, Array], dict[str, Any]]:
    """Return the arrays and the notes of a file that `save_arrays` wrote.

    Args:
        path: of the file.
        remedy: what to do if it is damaged.

    Raises:
        BadFile: the file is no such file.
        OSError: it cannot be read.
    """
    with _opened(path, remedy) as (file, notes):
        return {name: file.get_tensor(name) for name in file.keys()}, notes  # noqa: SIM118


def load_notes(path: Path, remedy: str = "") -> dict[str, Any]:
    """Return the notes of such a file without reading its arrays; see `load_arrays`."""
    with _opened(path, remedy) as (_, notes):
        return notes


@contextmanager
def _opened(path: Path, remedy: str) -> Iterator[tuple[Any, dict[str, Any]]]:
    """Open a file for reading; give what its arrays are read from, and its notes."""
    check_file(path)
    try:
        with safe_open(path, framework="numpy") as file:
            notes = parse_json((file.metadata() or {}).get(NOTES, "{}"))
            if not isinstance(notes, dict):
                raise ValueError(f"its notes must be a JSON object, got {shortened(notes)}")
            yield file, notes
    except (SafetensorError, ValueError, TypeError, AttributeError, MemoryError) as error:
        raise BadFile(path, f"is no readable safetensors file: {error}", remedy) from None


def check_arrays(values: Mapping[str, Array], wanted: Mapping[str, Array], *, finite: bool = True) -> None:
    """Check that arrays can take the place of others: of the same names, shapes and dtypes, and finite.

    Raises:
        ValueError: they cannot; the message names the first that does not fit.

    Example:
        >>> check_arrays({"weight": np.ones((2, 1))}, {"weight": np.ones((1, 2))})
        Traceback (most recent call last):
        ValueError: weight must be float64 of shape (1, 2), got float64 of shape (2, 1)
    """
    missing, unknown = [n for n in wanted if n not in values], [n for n in values if n not in wanted]
    if missing or unknown:
        told = [
            f"{', '.join(names[:3])} {what}"
            for what, names in (("missing", missing), ("unknown", unknown))
            if names
        ]
        raise ValueError(f"names differ: {' and '.join(told)}")
    for name, right in wanted.items():
        value = values[name]
        if (value.shape, value.dtype) != (right.shape, right.dtype):
            raise ValueError(
                f"{name} must be {right.dtype} of shape {right.shape}, "
                f"got {value.dtype} of shape {value.shape}"
            )
        if finite and not np.isfinite(value).all():
            raise ValueError(f"{name} must be finite, it holds NaN or infinity")


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
