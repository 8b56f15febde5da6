"""Which implementation of the sequence runs: the only place that maps a backend's name to its functions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType, ModuleType
from typing import Any, Final

import torch

from relational_rnn.config import RelationalMemoryConfig
from relational_rnn.config.checks import check_choice
from relational_rnn.kernels import eager, fused, native, triton

BACKENDS: Final[dict[str, ModuleType]] = {"eager": eager, "fused": fused, "native": native, "triton": triton}
"""From slow to fast. Each offers `cell`, `read` and `sequence` with the signatures of
`kernels.eager`, and `unsupported(config, dtype, device)` if there are cores that it cannot run."""

OPTIONS: Final[dict[str, tuple[str, ...]]] = dict.fromkeys(
    ("fused", "native", "triton"), ("recompute", "compute_dtype")
)
"""What a backend's `sequence` takes more."""


PRODUCTS: Final[dict[str, Callable[[torch.dtype, torch.dtype], str | None]]] = {
    "native": native.unsupported_products,
    "triton": triton.unsupported_products,
}
"""Why a backend has no products in a `compute_dtype` (the second) for cores of a dtype, or None if it has."""

DEVICES: Final[dict[str, tuple[str, ...]]] = {"triton": ("cuda",)}
"""Types of devices that a backend is meant for; on others it runs for tests alone."""

NAMED_ONLY: Final = ("triton",)
"""What "auto" does not take: nobody has measured it yet."""


def cannot_run(
    name: str,
    config: RelationalMemoryConfig,
    dtype: torch.dtype,
    device: torch.device,
    options: Mapping[str, Any] = MappingProxyType({}),
) -> str | None:
    """Say why a backend cannot run a core here with some of the `OPTIONS`, or None if it can.

    Example:
        >>> config = RelationalMemoryConfig(input_size=3, mem_slots=2, head_size=4)
        >>> core = config, torch.float32, torch.device("cpu")
        >>> cannot_run("eager", *core)
        >>> cannot_run("eager", *core, {"recompute": True})
        'it has no recompute'
    """
    for option in options:
        if option not in OPTIONS.get(name, ()):
            return f"it has no {option}"
    unsupported = getattr(BACKENDS[name], "unsupported", None)
    reason: str | None = None if unsupported is None else unsupported(config, dtype, device)
    compute_dtype = options.get("compute_dtype")
    if reason is None and compute_dtype is not None and name in PRODUCTS:
        reason = PRODUCTS[name](dtype, compute_dtype)
    return reason


def choose_backend(
    name: str,
    config: RelationalMemoryConfig,
    dtype: torch.dtype,
    device: torch.device,
    options: Mapping[str, Any] = MappingProxyType({}),
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
    core = config, dtype, device
    if name == "auto":
        known = (n for n in reversed(BACKENDS) if n not in NAMED_ONLY)
        return next(n for n in known if cannot_run(n, *core, options) is None)
    reason = cannot_run(name, *core, options)
    if reason is not None:
        raise ValueError(f"backend={name!r} cannot run here: {reason}")
    return name


# A compiler takes the answer as it is; it could not follow the search for a library.
# `torch.compiler.assume_constant_result` does this too, and imports the compiler.
choose_backend._dynamo_marked_constant = True  # type: ignore[attr-defined]
