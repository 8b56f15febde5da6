"""Named arrays on disk as safetensors, which hold no code; a kill leaves the old or the new file whole.

A file is eight bytes with the length of its header, the header, which is JSON, and the numbers of the arrays
one after the other. It is written here and not by the library of that name because that one puts the notes
in an order of chance: here the same numbers and notes are the same bytes. The library reads such files, and
those that it writes are read here.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np

from relational_rnn.config.checks import BadFile
from relational_rnn.reference.arrays import Array
from relational_rnn.training.files import parse_json, read_bytes, write_atomically

DTYPES: Final = {
    name: np.dtype(kind).newbyteorder("<")
    for name, kind in {
        "F64": "f8",
        "F32": "f4",
        "F16": "f2",
        "BOOL": "?",
        "I64": "i8",
        "I32": "i4",
        "I16": "i2",
        "I8": "i1",
        "U64": "u8",
        "U32": "u4",
        "U16": "u2",
        "U8": "u1",
    }.items()
}
"""The format's names of what NumPy can hold."""

NOTES: Final = "__metadata__"
"""The header's name for what is no array: texts by name."""

MOST_BYTES: Final = 2**34
"""Of a file."""


def save_arrays(path: Path, arrays: Mapping[str, Array], notes: Mapping[str, Any]) -> None:
    """Write arrays by name, and notes (anything that JSON can hold) beside them."""
    names = {dtype: name for name, dtype in DTYPES.items()}
    header: dict[str, Any] = {}
    if notes:
        header[NOTES] = {name: json.dumps(notes[name]) for name in sorted(notes)}
    pieces, end = list[bytes](), 0
    for name in sorted(
        arrays, key=lambda name: (-np.asarray(arrays[name]).itemsize, name)
    ):  # so each is aligned
        value = np.asarray(arrays[name])
        dtype = value.dtype.newbyteorder("<")
        pieces.append(value.astype(dtype, copy=False).tobytes())
        begin, end = end, end + len(pieces[-1])
        header[name] = {"dtype": names[dtype], "shape": list(value.shape), "data_offsets": [begin, end]}
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    write_atomically(
        path,
        lambda temporary: temporary.write_bytes(b"".join([len(text).to_bytes(8, "little"), text, *pieces])),
    )


def load_arrays(path: Path, remedy: str = "") -> tuple[dict[str, Array], dict[str, Any]]:
    """Return the arrays and the notes of a file that `save_arrays` wrote.

    Args:
        path: of the file.
        remedy: what to do if it is damaged.

    Raises:
        BadFile: the file is no such file.
        OSError: it cannot be read.
    """
    data = read_bytes(path, MOST_BYTES)
    try:
        return _parse(data)
    except ValueError as error:
        raise BadFile(path, f"is no readable safetensors file: {error}", remedy) from None


def _parse(data: bytes) -> tuple[dict[str, Array], dict[str, Any]]:
    begin = 8 + int.from_bytes(data[:8], "little")
    if len(data) < 8 or begin > len(data):
        raise ValueError(f"its header would end after {begin:,} bytes, and it has {len(data):,}")
    header = parse_json(data[8:begin])
    if not isinstance(header, dict):
        raise ValueError(f"its header must be a JSON object, it is {type(header).__name__}")
    notes = header.pop(NOTES, {})
    if not isinstance(notes, dict) or not all(isinstance(text, str) for text in notes.values()):
        raise ValueError(f"{NOTES} must be texts by name")
    numbers = memoryview(data)[begin:]
    arrays = {name: _array(name, about, numbers) for name, about in header.items()}
    spans = sorted(tuple(about["data_offsets"]) for about in header.values())
    if [0, *(end for _, end in spans)] != [*(begin for begin, _ in spans), len(numbers)]:
        raise ValueError("its arrays overlap, or leave bytes between them")
    return arrays, {name: parse_json(text) for name, text in notes.items()}


def _array(name: str, about: Any, numbers: memoryview) -> Array:
    """Return an array that the header tells of, once all that it tells fits the file."""
    if not isinstance(about, dict) or about.keys() != {"dtype", "shape", "data_offsets"}:
        raise ValueError(f"{name} must have a dtype, a shape and data_offsets")
    dtype, shape, offsets = about["dtype"], about["shape"], about["data_offsets"]
    if not isinstance(dtype, str) or dtype not in DTYPES:
        raise ValueError(f"{name} has the dtype {dtype!r}; known are {', '.join(DTYPES)}")
    for sizes in (shape, offsets):
        if not isinstance(sizes, list) or not all(type(size) is int and 0 <= size <= 2**63 for size in sizes):
            raise ValueError(f"{name} must have whole numbers for its shape and data_offsets")
    if len(shape) > 32 or len(offsets) != 2:  # axes that NumPy can have
        raise ValueError(
            f"{name} has {len(shape)} axes and {len(offsets)} offsets, where 32 and 2 are the most"
        )
    begin, end = offsets
    if not (begin + math.prod(shape) * DTYPES[dtype].itemsize == end <= len(numbers)):
        raise ValueError(f"{name} has bytes {begin} to {end} of {len(numbers)} for {dtype} of shape {shape}")
    if max(shape, default=0) > len(numbers):  # beside a 0
        raise ValueError(f"{name} has the shape {shape}")
    flat = np.frombuffer(numbers[begin:end], DTYPES[dtype])
    found: Array = flat.reshape(shape).astype(DTYPES[dtype].newbyteorder("="))  # a copy that can be written
    return found


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
