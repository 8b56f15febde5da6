"""Which implementation of the sequence runs: the only place that maps a backend's name to its functions."""

from __future__ import annotations

from collections.abc import Iterable
from types import ModuleType
from typing import Final

import torch

from relational_rnn.kernels import eager, fused, native
from relational_rnn.spec import RelationalMemoryConfig
from relational_rnn.spec.checks import check_choice

BACKENDS: Final[dict[str, ModuleType]] = {"eager": eager, "fused": fused, "native": native}
"""From slow to fast. Each offers `input_work`, `step`, `read` and `sequence` with the signatures of
`kernels.eager`, and `unsupported(config, dtype, device)` if there are cores that it cannot run."""

OPTIONS: Final[dict[str, tuple[str, ...]]] = {
    "fused": ("recompute", "compute_dtype"),
    "native": ("recompute", "compute_dtype"),
}
"""What a backend's `sequence` takes more."""


def cannot_run(
    name: str,
    config: RelationalMemoryConfig,
    dtype: torch.dtype,
    device: torch.device,
    options: Iterable[str] = (),
) -> str | None:
    """Say why a backend cannot run a core here with some of the `OPTIONS`, or None if it can.

    Example:
        >>> config = RelationalMemoryConfig(input_size=3, mem_slots=2, head_size=4)
        >>> cannot_run("eager", config, torch.float32, torch.device("cpu"))
    """
    for option in options:
        if option not in OPTIONS.get(name, ()):
            return f"it has no {option}"
    unsupported = getattr(BACKENDS[name], "unsupported", None)
    return None if unsupported is None else unsupported(config, dtype, device)


def choose_backend(
    name: str,
    config: RelationalMemoryConfig,
    dtype: torch.dtype,
    device: torch.device,
    options: Iterable[str] = (),
) -> str:
    """Return the backend that `name` means for a core; "auto" takes the fastest that can run.

    Raises:
        ValueError: no such backend, or it cannot run this core here.

    Example:
        >>> config = RelationalMemoryConfig(input_size=3, mem_slots=2, head_size=4)
        >>> choose_backend("auto", config, torch.float64, torch.device("cpu"))
        'fused'
    """
    check_choice("backend", name, ("auto", *BACKENDS))
    if name == "auto":
        return next(n for n in reversed(BACKENDS) if cannot_run(n, config, dtype, device, options) is None)
    reason = cannot_run(name, config, dtype, device, options)
    if reason is not None:
        raise ValueError(f"backend={name!r} cannot run here: {reason}")
    return name
