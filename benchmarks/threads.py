"""What more cores than there are here would bring the native backend: forward + backward, simulated.

    python benchmarks/threads.py
    python benchmarks/threads.py --threads 8 32 --rounds 10

The library splits the work as for so many threads, and hands the shares to a team whose members take turns
on one core. Each member's processor time is taken. A parallel part lasts as long as its longest member, and
all else runs on one thread; their sum is what the call would take. That is the best case: the members of a
real team share caches, memory bandwidth and clock frequency, and each barrier takes some microseconds. Each
timed call follows one that is not; times are the smallest of all rounds.
"""

from __future__ import annotations

import argparse
import ctypes
import sys
from collections.abc import Sequence
from time import thread_time
from typing import Final, NamedTuple

import pages
import torch

from relational_rnn.bench.measure import machine, machine_line
from relational_rnn.bench.workloads import CONFIGURATIONS, SIZES_TITLE, Sizes
from relational_rnn.config import parameter_shapes
from relational_rnn.kernels import SequenceInputs
from relational_rnn.kernels.native import library
from relational_rnn.kernels.native.fwd_bwd import NativeSequence

THREADS: Final = (2, 4, 8, 16)
ROWS: Final = 112
"""Rows of a block of samples (buffers.h)."""


class Cost(NamedTuple):
    """Seconds of a call."""

    alone: float
    """What runs on one thread."""
    parts: list[list[float]]
    """What each member needs, for every parallel part; a barrier ends each."""

    @property
    def seconds(self) -> float:
        """How long it takes with a core for each member."""
        return self.alone + sum(map(max, self.parts))


class Team:
    """Members that take turns, in the place of an OpenMP runtime's (threads.c, `use_team`)."""

    def __init__(self, native: library.Library, size: int) -> None:
        self.member, self.parts = 0, list[list[float]]()
        self.work = ctypes.CFUNCTYPE(None, ctypes.c_void_p)
        number = ctypes.CFUNCTYPE(ctypes.c_int)
        start = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_uint, ctypes.c_uint)
        self.size = size
        self.held = start(self.start), number(lambda: self.member), number(lambda: self.size)
        native.use_team(*(ctypes.cast(function, ctypes.c_void_p) for function in self.held))

    def start(self, function: int, argument: int, threads: int, flags: int) -> None:
        """Let one member after another do its share."""
        work, seconds = self.work(function), []
        for member in range(self.size):
            self.member, begun = member, thread_time()
            work(argument)
            seconds.append(thread_time() - begun)
        self.parts.append(seconds)


def costs(native: library.Library, sizes: Sizes, threads: Sequence[int], rounds: int) -> list[Cost]:
    """Time forward + backward, split for each of these numbers of threads, which take turns."""
    given = sequence(sizes)
    gradient = torch.randn(len(given.inputs), sizes.mem_slots, sizes.config.memory_width)

    def warm(size: int) -> Cost:
        once(native, given, gradient, size)  # memory and caches are then as in a training
        return once(native, given, gradient, size)

    return [smallest(measured) for measured in zip(*(list(map(warm, threads)) for _ in range(rounds)))]


def once(native: library.Library, given: SequenceInputs, gradient: torch.Tensor, threads: int) -> Cost:
    """Time forward + backward once."""
    kernel, team = NativeSequence(native, threads=threads), Team(native, threads)
    begun = thread_time()
    _, _, saved = kernel.forward(given, keep=True)
    kernel.backward(given, saved, gradient, None, frozenset())
    return Cost(thread_time() - begun - sum(map(sum, team.parts)), team.parts)


def smallest(measured: Sequence[Cost]) -> Cost:
    """Return each part's smallest time."""
    alone, parts = zip(*measured)
    return Cost(min(alone), [list(map(min, zip(*part))) for part in zip(*parts)])


def sequence(sizes: Sizes) -> SequenceInputs:
    """Draw a core and a batch."""
    config = sizes.config
    state = config.mem_slots, config.memory_width
    parameters = {name: 0.1 * torch.randn(shape) for name, shape in parameter_shapes(config).items()}
    inputs = torch.randn(sizes.time * sizes.batch, sizes.input_size)
    batch = torch.randn(sizes.batch, *state)
    return SequenceInputs(config, parameters, inputs, [sizes.batch] * sizes.time, batch, torch.randn(state))


def balance(sizes: Sizes, threads: int) -> float:
    """Return the mean share of the samples over the largest, by the rule of buffers.h (`sizes_of`).

    Example:
        >>> balance(Sizes(256, 8, 40, 8, 32, 8), 16)
        1.0
        >>> balance(Sizes(32, 50, 64, 4, 32, 4), 6)
        0.8888888888888888
    """
    threads = min(threads, sizes.batch)
    wanted = -(-sizes.batch // max(1, ROWS // sizes.mem_slots))
    samples = -(-sizes.batch // (-(-wanted // threads) * threads))
    blocks = [min(samples, sizes.batch - first) for first in range(0, sizes.batch, samples)]
    return sizes.batch / threads / max(sum(blocks[thread::threads]) for thread in range(threads))


def main(arguments: Sequence[str] | None = None) -> None:
    """Simulate, and print a table."""
    form = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=form)
    parser.add_argument("--threads", type=int, nargs="+", default=THREADS, help="default: 2 4 8 16")
    parser.add_argument("--rounds", type=int, default=10, help="of each timing (default: 10)")
    chosen = parser.parse_args(arguments)
    if min(*chosen.threads, chosen.rounds) < 1:
        parser.error("--threads and --rounds must be 1 or more")
    native = library.load()
    if isinstance(native, str):
        sys.exit(native)
    try:
        lines = simulate(native, chosen.threads, chosen.rounds)
    finally:
        library.share_threads(native, torch._C.__file__)
    header = [SIZES_TITLE, "threads", "balance", "barriers", "on one thread, ms", "together, ms"]
    print(pages.markdown([*header, "times faster than one", "efficiency"], lines))
    print(machine_line(machine()))


def simulate(native: library.Library, threads: Sequence[int], rounds: int) -> list[list[str]]:
    """Return a line of the table for every size and number of threads."""
    lines = []
    for sizes in CONFIGURATIONS:
        if sizes.batch == 1:
            continue  # samples are what threads share
        print(f"timing {sizes}", file=sys.stderr)
        one, *more = costs(native, sizes, (1, *threads), rounds)
        for number, made in zip(threads, more, strict=True):
            times = one.seconds / made.seconds
            counts = [str(number), f"{balance(sizes, number):.2f}", str(len(made.parts))]
            seconds = [f"{1e3 * made.alone:.2f}", f"{1e3 * made.seconds:.2f}"]
            lines.append([str(sizes), *counts, *seconds, f"{times:.2f}", f"{times / number:.2f}"])
    return lines


if __name__ == "__main__":
    main()
