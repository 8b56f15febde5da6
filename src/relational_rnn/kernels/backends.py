"""Which implementation of the sequence runs: the only place that maps a backend's name to its functions."""

from __future__ import annotations

from types import ModuleType
from typing import Final

from relational_rnn.kernels import eager
from relational_rnn.spec.checks import check_choice

BACKENDS: Final[dict[str, ModuleType]] = {"eager": eager}
"""Each offers `input_work`, `step`, `read` and `sequence` with the signatures of `kernels.eager`."""


def choose_backend(name: str) -> str:
    """Return the backend that `name` means here; "auto" takes the fastest that can run.

    Raises:
        ValueError: no such backend.

    Example:
        >>> choose_backend("auto")
        'eager'
    """
    check_choice("backend", name, ("auto", *BACKENDS))
    return "eager" if name == "auto" else name
