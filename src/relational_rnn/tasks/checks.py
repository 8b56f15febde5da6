"""Checks that every task makes of what a caller passes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from relational_rnn.config.checks import check_seed, check_shape, check_size

if TYPE_CHECKING:
    from jaxtyping import Float

MOST_SIZE: Final = 10_000
"""The largest size of a task: its examples grow with it, and those of a larger one would fill a disk."""


def check_task_size(name: str, value: Any, minimum: int = 1) -> int:
    """Return a size of a task as an int, from `minimum` to `MOST_SIZE`.

    Raises:
        TypeError: `value` is no integer.
        ValueError: `value` is out of range.
    """
    return check_size(name, value, minimum, MOST_SIZE)


def check_generator(generator: Any) -> np.random.Generator:
    """Return `generator` if it is one of NumPy's.

    Raises:
        TypeError: it is something else.
    """
    if not isinstance(generator, np.random.Generator):
        raise TypeError(
            "generator must be a numpy.random.Generator, for example np.random.default_rng(0); "
            f"got {generator!r} ({type(generator).__name__})"
        )
    return generator


def check_inputs(inputs: Any, **sizes: int) -> Float[np.ndarray, "B T F"]:
    """Return `inputs` if they are floating-point numbers (B, T, F), with `sizes` of the axes by letter.

    Raises:
        TypeError: no array of floating-point numbers.
        ValueError: wrong shape.
    """
    if not isinstance(inputs, np.ndarray) or not np.issubdtype(inputs.dtype, np.floating):
        came = f"of dtype {inputs.dtype}" if isinstance(inputs, np.ndarray) else f"a {type(inputs).__name__}"
        raise TypeError(f"inputs must be a NumPy array of floating-point numbers, got {came}")
    check_shape("inputs", inputs.shape, ("B", "T", "F"), **sizes)
    return inputs


def check_at_most(name: str, value: int, maximum: int, why: str) -> int:
    """Return `value` if it is at most `maximum`.

    Raises:
        ValueError: it is larger; the message says why that is not possible.
    """
    if value > maximum:
        raise ValueError(f"{name} must be at most {maximum}, {why}; got {value}")
    return value


def refuse(wrong: np.ndarray, complaint: str) -> None:
    """Raise a ValueError that names the first row marked in `wrong` (B, T or 1)."""
    if wrong.any():
        example, step = np.argwhere(wrong)[0]
        marked = int(wrong.any(-1).sum())
        raise ValueError(f"inputs[{example}, {step}] {complaint} (so in {marked} of {len(wrong)} examples)")


def one_example_generators(count: int, seed: int) -> Iterator[np.random.Generator]:
    """Yield the same generator `count` times: examples drawn one by one do not depend on `count`.

    Raises:
        TypeError: `count` or `seed` is no integer.
        ValueError: `count` or `seed` is out of range.
    """
    generator = np.random.default_rng(check_seed("seed", seed))
    return (generator for _ in range(check_size("count", count)))
