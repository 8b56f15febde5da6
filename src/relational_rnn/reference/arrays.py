"""What every operation expects of the arrays, dtypes and seeds that a caller passes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from relational_rnn.config.checks import check_seed

Array = npt.NDArray[Any]
"""A float array; signatures that say more about the shape use jaxtyping."""


def check_dtype(dtype: npt.DTypeLike) -> np.dtype[Any]:
    """Return `dtype` as a NumPy dtype if it is float32 or float64.

    Raises:
        TypeError: it is something else.

    Example:
        >>> check_dtype("float32")
        dtype('float32')
    """
    try:
        checked = np.dtype(dtype)
    except TypeError:
        raise TypeError(f"dtype must be float32 or float64, got {dtype!r}") from None
    if dtype is None or checked not in (np.dtype(np.float32), np.dtype(np.float64)):
        raise TypeError(f"dtype must be float32 or float64, got {dtype!r}")
    return checked


def as_floats(name: str, value: npt.ArrayLike, dtype: npt.DTypeLike) -> Array:
    """Return `value` as an array of `dtype`; floats of any size are cast, other kinds are refused.

    Raises:
        TypeError: `value` holds integers, booleans or anything else that is not a float.

    Example:
        >>> as_floats("input", [0.5, 1.0], np.float32).dtype
        dtype('float32')
    """
    array = np.asarray(value)
    if array.dtype.kind != "f":
        raise TypeError(
            f"{name} must hold floats (of any size; they become {np.dtype(dtype)}), got {array.dtype}"
        )
    return array.astype(dtype, copy=False)


def shapes_of(params: Mapping[str, Array]) -> dict[str, tuple[int, ...]]:
    """Return the shape of each parameter, as `check_parameters` wants them."""
    return {name: value.shape for name, value in params.items()}


def check_parameters(
    params: Mapping[str, Array], shapes: Mapping[str, tuple[int, ...]], dtype: np.dtype[Any]
) -> None:
    """Check parameters that a caller may have replaced; a bias of shape (1,) would be broadcast in silence.

    Args:
        params: by name, as they are now.
        shapes: by name, as they were drawn.
        dtype: the layer's.

    Raises:
        TypeError: one is no array of the dtype.
        ValueError: one has another shape, is missing, or is not the layer's.

    Example:
        >>> check_parameters({"bias": np.zeros(1)}, {"bias": (3,)}, np.dtype(np.float64))
        Traceback (most recent call last):
        ...
        ValueError: params["bias"] must have shape (3,), got (1,)
    """
    if params.keys() != shapes.keys():
        missing, unknown = sorted(shapes.keys() - params.keys()), sorted(params.keys() - shapes.keys())
        raise ValueError(
            f"params must be {', '.join(shapes)}; missing: {', '.join(missing) or 'none'}, "
            f"unknown: {', '.join(unknown) or 'none'}"
        )
    for name, shape in shapes.items():
        value = params[name]
        if not isinstance(value, np.ndarray) or value.dtype != dtype:
            got = value.dtype if isinstance(value, np.ndarray) else type(value).__name__
            raise TypeError(f'params["{name}"] must be an array of {dtype}, got {got}')
        if value.shape != shape:
            raise ValueError(f'params["{name}"] must have shape {shape}, got {value.shape}')


def as_booleans(name: str, value: npt.ArrayLike) -> Array:
    """Return `value` as a boolean array.

    Raises:
        TypeError: `value` holds something else.
    """
    array = np.asarray(value)
    if array.dtype != np.bool_:
        raise TypeError(f"{name} must hold booleans, got {array.dtype}")
    return array


def make_generator(seed: int | np.random.Generator) -> np.random.Generator:
    """Return a random generator: `seed` itself if it is one, else a fresh one seeded with it.

    Raises:
        TypeError: `seed` is neither an integer nor a generator.
        ValueError: `seed` is negative.
    """
    if isinstance(seed, np.random.Generator):
        return seed
    return np.random.default_rng(check_seed("seed", seed))
