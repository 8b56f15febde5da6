"""An optimiser's state as named arrays and back, and whether one can take the place of another."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor

from relational_rnn.config.checks import MOST, shortened
from relational_rnn.reference.arrays import Array
from relational_rnn.training.files import parse_json

STRUCTURE: Final = "structure"
"""Names the array that holds, as JSON, how the others belong together."""


def flat(state: Any) -> dict[str, Array]:
    """Turn nested dicts and lists of tensors and plain values into named arrays.

    A tensor's axes are put down in the order of its memory: SOAP's bases are transposed ones, and a product
    with one that is laid out otherwise rounds otherwise.
    """
    arrays: dict[str, Array] = {}

    def plain(value: Any) -> Any:
        if isinstance(value, Tensor):
            name, strides = str(len(arrays)), value.stride()
            axes = sorted(range(value.ndim), key=lambda axis: -strides[axis])
            arrays[name] = value.detach().permute(axes).cpu().numpy().copy()
            return {"tensor": name, "axes": axes}
        if isinstance(value, dict):
            return {"dict": [[key, plain(part)] for key, part in value.items()]}
        return [plain(part) for part in value] if isinstance(value, list | tuple) else value

    text = json.dumps(plain(state))
    return {**arrays, STRUCTURE: np.frombuffer(text.encode(), dtype=np.uint8)}


def unflat(arrays: Mapping[str, Array]) -> dict[str, Any]:
    """Turn them back; what was a tuple is a list.

    Raises:
        ValueError: they do not belong together.
    """
    text, used = arrays.get(STRUCTURE), {STRUCTURE}
    if text is None or text.dtype != np.uint8:
        raise ValueError(f"optimiser.{STRUCTURE} must be bytes of text")

    def nested(value: Any) -> Any:
        if isinstance(value, list):
            return [nested(part) for part in value]
        if not isinstance(value, dict):
            return value
        if value.keys() == {"tensor", "axes"}:
            return tensor(value["tensor"], value["axes"])
        pairs = value.get("dict")
        if value.keys() != {"dict"} or not isinstance(pairs, list) or not all(map(_is_pair, pairs)):
            raise ValueError(f"optimiser.{STRUCTURE} holds neither a tensor nor values by name")
        return {key: nested(part) for key, part in pairs}

    def tensor(name: Any, axes: Any) -> Tensor:
        saved = arrays.get(name) if isinstance(name, str) and name not in used else None
        if saved is None:
            raise ValueError(f"optimiser.{STRUCTURE} names a tensor that is missing, or twice")
        used.add(name)
        if not isinstance(axes, list) or any(type(axis) is not int for axis in axes):
            raise ValueError(f"optimiser.{name} must have its axes as whole numbers")
        if sorted(axes) != list(range(saved.ndim)):
            raise ValueError(f"optimiser.{name} cannot have the axes {axes}")
        return torch.from_numpy(saved.copy()).permute([axes.index(axis) for axis in range(saved.ndim)])

    state = nested(parse_json(text.tobytes()))
    if not isinstance(state, dict) or used != arrays.keys():
        raise ValueError(f"optimiser.{STRUCTURE} does not hold all its tensors by name")
    return state


def _is_pair(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 2 and isinstance(value[0], int | str)


def check_same_kind(value: Any, wanted: Any, name: str) -> None:
    """Check that a state can take the place of another one of the same optimiser.

    Tensors have the same shapes and dtypes and are finite, and settings the same values, but for what changes
    from step to step.

    Raises:
        ValueError: it cannot.
    """
    if isinstance(wanted, Tensor):
        if not isinstance(value, Tensor) or (value.shape, value.dtype) != (wanted.shape, wanted.dtype):
            told = f"{value.dtype} of shape {tuple(value.shape)}" if isinstance(value, Tensor) else "none"
            raise ValueError(f"{name} must be {wanted.dtype} of shape {tuple(wanted.shape)}, got {told}")
        if not value.isfinite().all():
            raise ValueError(f"{name} must be finite, it holds NaN or infinity")
    elif isinstance(wanted, dict):
        if not isinstance(value, dict) or value.keys() != wanted.keys():
            raise ValueError(f"{name} must have {', '.join(map(str, wanted))}")
        for key, part in wanted.items():
            check_same_kind(value[key], part, f"{name}.{key}")
    elif isinstance(wanted, list | tuple):
        if not isinstance(value, list) or len(value) != len(wanted):
            raise ValueError(f"{name} must be a list of {len(wanted)}")
        for number, (one, part) in enumerate(zip(value, wanted)):
            check_same_kind(one, part, f"{name}.{number}")
    elif name.endswith((".lr", ".step")) and isinstance(wanted, int | float):
        if type(value) is not type(wanted) or not 0 <= value <= MOST:
            raise ValueError(f"{name} must be a number as {wanted}, got {shortened(value)}")
    elif type(value) is not type(wanted) or value != wanted:
        raise ValueError(f"{name} must be {wanted!r}, got {shortened(value)}")
