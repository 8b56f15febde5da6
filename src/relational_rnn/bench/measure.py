"""How long things take, side by side in one process, how much memory they need, and on what machine."""

from __future__ import annotations

import gc
import importlib.metadata
import platform
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np

from relational_rnn.config.checks import check_size
from relational_rnn.training.processes import available_cores, lines_of, peak_memory, processor

FEWEST_ROUNDS: Final = 3
"""So many rounds there are, however long they take."""

REST: Final = 0.15
"""Seconds after which the threads of OpenBLAS, NumPy's, sleep: until then they wait for the next product,
busily, and whoever runs next has a processor less."""


class Quantiles(NamedTuple):
    """The times of several rounds, in seconds."""

    low: float
    """A quarter of the rounds took less."""
    median: float
    high: float
    """A quarter of the rounds took more."""
    rounds: int


def orders(names: Sequence[str]) -> Iterator[list[str]]:
    """Return one order of the names after another, each followed by its reverse, then the next one begins.

    So every name stands in every place, and after its neighbour as often as before it.

    Example:
        >>> order = orders("abc")
        >>> [" ".join(next(order)) for _ in range(4)]
        ['a b c', 'c b a', 'b c a', 'a c b']
    """
    order = list(names)
    while True:
        yield order
        yield order[::-1]
        order = order[1:] + order[:1]


def measure(
    runs: Mapping[str, Callable[[], object]],
    rounds: int,
    *,
    seconds: float = float("inf"),
    clock: Callable[[], float] = time.perf_counter,
    rest: float = 0.0,
) -> dict[str, Quantiles]:
    """Time several things in turn, in another order each round.

    Each timed run comes right after an untimed one of the same thing, so that it finds caches and memory as
    its own last run left them, which is what a training does.

    Args:
        runs: name -> what to time.
        rounds: how often each is timed.
        seconds: no further round begins after this time, but for the first `FEWEST_ROUNDS`.
        clock: `time.perf_counter`, or `time.process_time` for the processor's time of all threads together.
        rest: seconds of sleep before each untimed run; `REST` where several threads run.

    Returns:
        Name -> the quantiles of its times.

    Raises:
        TypeError: `rounds` is no integer.
        ValueError: it is below 1.

    Example:
        >>> measure({"nothing": lambda: None}, rounds=5)["nothing"].rounds
        5
    """
    rounds = check_size("rounds", rounds)
    taken: dict[str, list[float]] = {name: [] for name in runs}
    for run in runs.values():  # the first run sets up what later ones use again
        run()
    end, collects = time.perf_counter() + seconds, gc.isenabled()
    gc.disable()  # else a collection falls into the time of whoever comes after the litter
    try:
        for number, order in zip(range(rounds), orders(list(runs))):
            if number >= FEWEST_ROUNDS and time.perf_counter() > end:
                break
            gc.collect()
            for name in order:
                time.sleep(rest)
                runs[name]()
                start = clock()
                runs[name]()
                taken[name].append(clock() - start)
    finally:
        if collects:
            gc.enable()
    return {name: _quantiles(times) for name, times in taken.items()}


def _quantiles(times: list[float]) -> Quantiles:
    low, median, high = (float(q) for q in np.quantile(times, (0.25, 0.5, 0.75)))
    return Quantiles(low, median, high, len(times))


def machine() -> dict[str, Any]:
    """Return what a measurement depends on: processor, cores, its vector instructions, versions."""
    name, instructions = processor()
    versions = {"python": platform.python_version()}
    for library in ("numpy", "torch"):
        try:
            versions[library] = importlib.metadata.version(library).split("+")[0]
        except importlib.metadata.PackageNotFoundError:
            continue
    return {
        "processor": name,
        "cores": available_cores(),
        "instructions": instructions,
        "system": f"{platform.system()} {platform.machine()}",
        "versions": versions,
    }


def machine_line(found: Mapping[str, Any]) -> str:
    """Return the result of `machine` as one line.

    Example:
        >>> machine_line({"processor": "Foo 3", "cores": 2, "instructions": ["avx2"],
        ...     "system": "Linux x86_64", "versions": {"numpy": "2.0.0"}})
        'Foo 3, 2 cores, avx2, Linux x86_64, numpy 2.0.0'
    """
    cores = f"{found['cores']} core{'' if found['cores'] == 1 else 's'}"
    versions = [f"{name} {version}" for name, version in found["versions"].items()]
    return ", ".join(
        [found["processor"], cores, *(found["instructions"] or ["no vector instructions known"])]
        + [found["system"], *versions]
    )


def memory_growth(step: Callable[[], object]) -> int:
    """Return by how many bytes the resident memory of this process peaks above its size before a step.

    On Linux from /proc/self/status, the peak `VmHWM` after the step less `VmRSS` before it. Elsewhere from
    `resource.getrusage`, which knows only peaks: there too little comes out if the process was larger before.
    So the step should be the first large thing that a fresh process does.

    Args:
        step: what to run, once.
    """
    before = _resident("VmRSS")
    step()
    return max(0, _resident("VmHWM") - before)


def _resident(field: str) -> int:
    """Return a size of this process in bytes; `field` as /proc/self/status names it."""
    found = dict(line.split(":", 1) for line in lines_of(Path("/proc/self/status")) if ":" in line)
    return 1024 * int(found[field].split()[0]) if field in found else peak_memory()
