"""Which implementation of the sequence runs: the only place that maps a backend's name to what it is."""

from __future__ import annotations

from typing import Final

import torch

from relational_rnn.config import RelationalMemoryConfig
from relational_rnn.config.checks import check_choice
from relational_rnn.kernels import fused, native, triton
from relational_rnn.kernels.backend import DEFAULTS, Backend, KernelOptions


def _lacks_options(
    config: RelationalMemoryConfig, dtype: torch.dtype, device: torch.device, options: KernelOptions
) -> str | None:
    asked = (name for name, value in options._asdict().items() if value)
    return next((f"it has no {name}" for name in asked), None)


EAGER: Final = Backend(name="eager", unsupported=_lacks_options, kernel=None)

BACKENDS: Final[dict[str, Backend]] = {
    backend.name: backend for backend in (EAGER, fused.BACKEND, native.BACKEND, triton.BACKEND)
}
"""From slow to fast."""


def cannot_run(
    name: str,
    config: RelationalMemoryConfig,
    dtype: torch.dtype,
    device: torch.device,
    options: KernelOptions = DEFAULTS,
) -> str | None:
    """Say why a backend cannot run a core here with these options, or None if it can.

    Example:
        >>> config = RelationalMemoryConfig(input_size=3, mem_slots=2, head_size=4)
        >>> core = config, torch.float32, torch.device("cpu")
        >>> cannot_run("eager", *core)
        >>> cannot_run("eager", *core, KernelOptions(recompute=True))
        'it has no recompute'
    """
    return BACKENDS[name].cannot_run(config, dtype, device, options)


def choose_backend(
    name: str,
    config: RelationalMemoryConfig,
    dtype: torch.dtype,
    device: torch.device,
    options: KernelOptions = DEFAULTS,
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
    core = config, dtype, device, options
    if name == "auto":
        known = [n for n, backend in reversed(BACKENDS.items()) if not backend.named_only]
        for n in known:
            if cannot_run(n, *core) is None:
                return n
        name = known[-1]  # an option that only eager has, and one that it has not
    reason = cannot_run(name, *core)
    if reason is not None:
        raise ValueError(f"backend={name!r} cannot run here: {reason}")
    return name


# A compiler takes the answer as it is; it could not follow the search for a library.
# `torch.compiler.assume_constant_result` does this too, and imports the compiler.
choose_backend._dynamo_marked_constant = True  # type: ignore[attr-defined]
