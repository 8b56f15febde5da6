"""Weights and examples that a person names on the command line: found and read, with clear errors."""

from __future__ import annotations

import math
import zipfile
import zlib
from pathlib import Path
from typing import Any, Final

import numpy as np

from relational_rnn.config.checks import BadFile, check_shape
from relational_rnn.config.paths import check_file
from relational_rnn.training.pretrained import PREFIX, find_pretrained

MOST_BYTES: Final = 2**32
"""Of the arrays of a .npz file, unpacked: some megabytes may pack terabytes of zeros."""

READ: Final = ("inputs", "targets", "mask")
"""The arrays that are read; a file may hold others."""


def find_weights(path: Path) -> list[Path]:
    """Return the weights files of a run, or the one that is named.

    Args:
        path: folder of a run, a weights file, or `pretrained:NAME`.

    Raises:
        ValueError: there are none.
        BadFile: it is neither a folder nor a file.
    """
    if str(path).startswith(PREFIX):
        return [find_pretrained(str(path).removeprefix(PREFIX))]
    if not path.exists():
        raise ValueError(f"there is no run and no file of weights {path}")
    if not path.is_dir():
        return [check_file(path)]
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
        `inputs` (B, T, F) as float32, and `targets` and `mask` if it has them, unchecked.

    Raises:
        BadFile: no .npz file, no `inputs`, or inputs that do not fit; of more than `MOST_BYTES` nothing is
            unpacked.
        OSError: it cannot be read.
    """
    with check_file(path).open("rb") as stream:
        try:
            with zipfile.ZipFile(stream) as file:
                arrays = _unpack(file)
        except UNREADABLE as error:
            raise BadFile(path, f"is no .npz file of arrays: {error}", HOW) from None
    if "inputs" not in arrays:
        raise BadFile(path, f"must hold an array `inputs`, it has {', '.join(arrays) or 'none'}", HOW)
    inputs = arrays.pop("inputs")
    try:
        if not np.issubdtype(inputs.dtype, np.floating):
            raise ValueError(f"inputs must be floating point, got {inputs.dtype}")
        check_shape("inputs", inputs.shape, ("B", "T", "F"), F=features)
        if not np.isfinite(inputs).all():
            raise ValueError("inputs must be finite, got NaN or infinity")
        with np.errstate(over="ignore"):
            single = inputs.astype(np.float32)
        if not np.isfinite(single).all():
            largest = float(np.abs(inputs).max())
            raise ValueError(f"inputs must fit into float32, got {largest:.3g}")
    except ValueError as error:
        raise BadFile(path, f"does not fit the model: {error}") from None
    return single, arrays


HOW: Final = "write one with numpy.savez(FILE, inputs=..., targets=...)"

UNREADABLE: Final = (
    *(ValueError, TypeError, EOFError, KeyError, MemoryError, OverflowError, SyntaxError, OSError),
    *(zipfile.BadZipFile, zipfile.LargeZipFile, zlib.error, NotImplementedError, RuntimeError),
)
"""What zipfile and NumPy raise for damaged files: encrypted ones are a RuntimeError, places before the file's
beginning an OSError."""


def _unpack(file: zipfile.ZipFile) -> dict[str, np.ndarray]:
    """Return the arrays that are read, and by name alone those that are not.

    Raises:
        ValueError: one holds objects, is larger than it says or than all may be.
        UNREADABLE: the file is damaged.
    """
    members = {info.filename.removesuffix(".npy"): info for info in file.infolist()}
    total = sum(info.file_size for name, info in members.items() if name in READ)
    if total > MOST_BYTES:
        raise ValueError(f"its arrays have {total:,} bytes, and {MOST_BYTES:,} are the most")
    found: dict[str, np.ndarray] = {}
    for name in READ:
        if name not in members:
            continue
        with file.open(members[name]) as member:
            version = np.lib.format.read_magic(member)
            read = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
            if version not in read:
                raise ValueError(f"{name} is of the unknown version {version}")
            shape, _, dtype = read[version](member)
            if dtype.hasobject:
                raise ValueError(f"{name} holds Python objects, and those may be code")
            size = math.prod(shape) * dtype.itemsize
            if min(shape, default=0) < 0 or size != members[name].file_size - member.tell():
                raise ValueError(
                    f"{name} says that it has the shape {shape}, which is not what the file holds"
                )
        with file.open(members[name]) as member:
            found[name] = np.lib.format.read_array(member, allow_pickle=False)
    return found


def check_mask(mask: Any, shape: tuple[int, ...], axes: tuple[str, ...]) -> np.ndarray:
    """Return a file's mask if it marks answers in the given shape.

    Raises:
        ValueError: it does not.
    """
    check_shape("mask", mask.shape, axes, **dict(zip(axes, shape, strict=True)))
    if mask.dtype != bool:
        raise ValueError(f"mask must hold booleans, got {mask.dtype}")
    if not mask.any():
        raise ValueError("mask must mark a step whose answer counts, it marks none")
    return np.asarray(mask)


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
