"""Forward + backward of the torch models, ready to be timed: every backend, LSTMs, the public port."""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import torch
from threadpoolctl import threadpool_limits
from torch import Tensor

from relational_rnn.bench import fwd_bwd_numpy
from relational_rnn.bench.fwd_bwd_numpy import draw_inputs
from relational_rnn.bench.workloads import Sizes, matched_lstm
from relational_rnn.kernels import BACKENDS
from relational_rnn.nn import RelationalMemory

PORT, NUMPY = "PyTorch port", "NumPy core"
LSTM, WIDE_LSTM = "LSTM, equal parameters", "LSTM, equal width"
"""Names of those that every backend is timed beside; the wide LSTM has as many outputs as the core, N D."""

BFLOAT16 = ", bfloat16"
"""How the name of a variant ends whose products are in bfloat16."""

RECOMPUTE = ", recompute"
"""How the name of a variant ends that keeps only the memories."""

_EXTRAS: dict[str, dict[str, Any]] = {
    BFLOAT16: {"compute_dtype": torch.bfloat16},
    RECOMPUTE: {"recompute": True},
}


def variants(extra: str = "", device: str = "cpu") -> tuple[dict[str, dict[str, Any]], dict[str, str]]:
    """Return what of our own can run here, by walking over the registry of backends.

    Args:
        extra: "", or one of `BFLOAT16` and `RECOMPUTE`: every backend that has it, with it.
        device: type of the device; backends that are meant for another are left out.

    Returns:
        Name -> arguments of `nn.RelationalMemory`, and name -> why not for those that cannot run.

    Example:
        >>> "eager" in variants()[0]
        True
    """
    arguments = _EXTRAS.get(extra, {})
    known = inspect.signature(RelationalMemory.__init__).parameters
    if not arguments.keys() <= known.keys():
        return {}, {}
    found: dict[str, dict[str, Any]] = {}
    missing: dict[str, str] = {}
    for backend in BACKENDS:
        options = {"backend": backend} | arguments
        if device != "cpu":
            options["device"] = device
        meant = BACKENDS[backend].devices or (device,)
        reason = _why_not(options) if device in meant else f"it is for {', '.join(meant)}"
        if reason is None:
            found[f"{backend}{extra}"] = options
        else:
            missing[f"{backend}{extra}"] = reason
    return found, missing


def _why_not(options: dict[str, Any]) -> str | None:
    """Return why a core with these arguments cannot run here, or None: one tiny training step tells."""
    try:
        core = RelationalMemory(input_size=3, mem_slots=2, head_size=4, num_heads=2, **options)
        outputs, _ = core(torch.zeros(2, 2, 3, device=options.get("device")))
        outputs.sum().backward()
    except (ValueError, RuntimeError) as error:
        return str(error).splitlines()[0]
    used = core.backend_in_use
    return None if used == options["backend"] else f"falls back to {used}"


def auto_backend(sizes: Sizes) -> str:
    """Return the backend that a core takes here when none is named."""
    return RelationalMemory(**sizes.options).backend_in_use


def core_pass(sizes: Sizes, **options: Any) -> Callable[[], None]:
    """Return one forward + backward of our core in float32 from a given memory.

    The loss is the sum of all outputs; the gradients are those of the parameters, as in training.

    Args:
        sizes: of the batch and the core.
        options: further arguments of `nn.RelationalMemory`.
    """
    core = RelationalMemory(**sizes.options, batch_first=True, **options)
    return _pass(core, sizes, core.initial_state(sizes.batch))


def lstm_pass(sizes: Sizes, hidden: int, device: str = "cpu") -> Callable[[], None]:
    """Return the same for `torch.nn.LSTM` with so many hidden units."""
    return _pass(torch.nn.LSTM(sizes.input_size, hidden, batch_first=True, device=device), sizes, None)


def port_pass(sizes: Sizes, port: ModuleType, device: str = "cpu") -> Callable[[], None]:
    """Return the same for the public port, as `interop.port.load_port` loads it."""
    core = port.RelationalMemory(**sizes.options, return_all_outputs=True).to(device)
    return _pass(core, sizes, core.initial_state(sizes.batch).to(device))


def _pass(model: torch.nn.Module, sizes: Sizes, state: Any) -> Callable[[], None]:
    inputs = torch.from_numpy(draw_inputs(sizes)).to(next(model.parameters()).device)

    def run() -> None:
        model.zero_grad()
        outputs, _ = model(inputs, state)
        outputs.sum().backward()

    return run


def opponents(
    sizes: Sizes, ours: Mapping[str, Mapping[str, Any]], port: ModuleType | None = None, *, wide: bool = True
) -> dict[str, Callable[[], None]]:
    """Return one forward + backward of everyone, by name.

    Args:
        sizes: of the batch and the core.
        ours: name -> arguments of our core, as `variants` returns them.
        port: as `interop.port.load_port` loads it; None leaves it out.
        wide: with the LSTM that has as many outputs as the core.

    Example:
        >>> list(opponents(Sizes(2, 3, 4, 2, 3, 1), {"eager": {"backend": "eager"}}, wide=False))
        ['eager', 'NumPy core', 'LSTM, equal parameters']
    """
    runs = {} if port is None else {PORT: port_pass(sizes, port)}
    runs |= {name: core_pass(sizes, **options) for name, options in ours.items()}
    runs[NUMPY] = fwd_bwd_numpy.core_pass(sizes)
    runs[LSTM] = lstm_pass(sizes, matched_lstm(sizes))
    if wide:
        runs[WIDE_LSTM] = lstm_pass(sizes, sizes.config.output_size)
    return runs


def streaming_step(model: Callable[..., Any], inputs: Tensor, state: Any) -> Callable[[], None]:
    """Return one step of a model that keeps its state, without gradients.

    Args:
        model: (inputs, state) -> (outputs, state).
        inputs: of one step, the same every time.
        state: to begin with.
    """

    @torch.no_grad()
    def run() -> None:
        nonlocal state
        _, state = model(inputs, state)

    return run


@contextmanager
def threads(count: int) -> Iterator[Callable[[], float]]:
    """Give NumPy and torch so many threads.

    Yields:
        The clock for `bench.measure`: with one thread the processor's time, so that other programs
        count little and a thread beside it counts in full; else the wall's.
    """
    before = torch.get_num_threads()
    with threadpool_limits(count):
        torch.set_num_threads(count)
        try:
            yield time.process_time if count == 1 else time.perf_counter
        finally:
            torch.set_num_threads(before)
