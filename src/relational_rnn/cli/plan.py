"""`relational-rnn plan language`: memory, time and traffic of a training, from a few of its steps."""

from __future__ import annotations

import dataclasses
import functools
import json
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import tyro

from relational_rnn.cli.choice import HELP, usage_of
from relational_rnn.cli.train import Settings, T, parse
from relational_rnn.config.checks import check_number, check_size, shortened
from relational_rnn.tasks import task_name
from relational_rnn.tasks.language.source import MADE
from relational_rnn.tasks.language.vocabulary import MOST
from relational_rnn.training.config import RunConfig, with_values
from relational_rnn.training.distributed import check_pieces
from relational_rnn.training.screen import say_error

if TYPE_CHECKING:
    from relational_rnn.analysis import Table
    from relational_rnn.bench.plan import Expected, Measured

TASK: Final = "language"

WIKITEXT103: Final = 103_000_000
"""Tokens of its training split, as the paper counts them."""

MOST_PROCESSES: Final = 100_000
LONGEST: Final = 86_400.0
GIGABIT: Final = 1e9 / 8


@dataclass(frozen=True, kw_only=True)
class Plan(Settings[T]):
    """Say what the training of language models takes: parameters, memory, speed, traffic and days.

    Each model is built, and some of its training steps are run here, on tokens drawn as often as they come in
    the text. Nothing is written.
    """

    processes: int = 1
    """Processes that share the batch, as torchrun starts them: one for each GPU, or on processors."""
    bandwidth: float = 10.0
    """Gigabits a second that each process can send to the next one, while it receives as many."""
    tokens: int | None = None
    """Tokens of an epoch; None for those of the training text, or where there is none WikiText-103's 103
    million."""
    vocabulary: int | None = None
    """Plan for so many different tokens without a text, their frequencies falling as 1 / rank; WikiText-103
    has 267,735 words, WikiText-2 33,278."""
    measure: float = 10.0
    """Seconds in which the steps of each model are timed. A step that takes more than a quarter of them is
    timed once."""
    json: tyro.conf.FlagCreatePairsOff[bool] = False
    """Print one JSON object a line instead."""


def main(argv: Sequence[str]) -> int:
    """Measure, reckon and print; return the exit code."""
    words = list(argv)
    task = task_name(words.pop(0)) if words and not words[0].startswith("-") else None
    if task is None and HELP & set(words):
        print(usage_of("plan"))
        return 0
    if task is None:
        raise ValueError(f"which task? relational-rnn plan {TASK}")
    if task != TASK:
        raise ValueError(f"plan takes {TASK} alone, got {shortened(task)}")
    options = parse(TASK, words, command="plan", options=Plan)
    check_options(options)

    from relational_rnn.bench.plan import expect
    from relational_rnn.cli.run import make_console, print_table, require_libraries

    require_libraries(options.run)
    from relational_rnn.bench.measure import machine, machine_line
    from relational_rnn.training.processes import Interrupted, RunFailed

    console = make_console()
    try:
        with text_of(options) as (config, epoch):
            found = measured(config, options)
    except Interrupted:
        return 130
    except RunFailed as failed:
        say_error(f"error: {failed}")
        return 1
    plans = {
        name: expect(one, config.of(name), options.processes, epoch, options.bandwidth * GIGABIT)
        for name, one in found.items()
    }
    if options.json:
        for name, one in found.items():
            print(json.dumps({"model": name, **record(one, plans[name], config, options.processes)}))
        return 0
    console.print(f"{machine_line(machine())}\n\n{in_words(config, options, epoch, found)}")
    print_table(console, memory_table(found, config, options.processes), title="\nMemory of a process, MB")
    print_table(console, time_table(found, plans, config), title="\nTime")
    return 0


def check_options(options: Plan[Any]) -> None:
    """Check what the configuration alone cannot.

    Raises:
        TypeError, ValueError: a number out of range, or streams that cannot be dealt out evenly.
    """
    processes = check_size("processes", options.processes, maximum=MOST_PROCESSES)
    if check_number("bandwidth", options.bandwidth) <= 0:
        raise ValueError(f"bandwidth must be above 0, got {options.bandwidth}")
    check_number("measure", options.measure, 0.0, LONGEST)
    if options.tokens is not None:
        check_size("tokens", options.tokens)
    streams = options.run.budget.batch_size
    if streams % processes:
        raise ValueError(f"batch_size must be a multiple of the {processes} processes, got {streams}")
    check_pieces(options.run, processes)
    if options.vocabulary is not None:
        if options.run.task.data != MADE:
            raise ValueError(f"vocabulary is for a plan without a text; leave it out, or data at {MADE!r}")
        if options.run.task.units == "bytes":
            raise ValueError(f"bytes are 256: vocabulary must be None, got {options.vocabulary}")
        check_size("vocabulary", options.vocabulary, minimum=4, maximum=MOST)


@contextmanager
def text_of(options: Plan[Any]) -> Iterator[tuple[RunConfig[Any], int]]:
    """Give the run with a text, or with a vocabulary that stands for one, and the tokens of an epoch.

    Raises:
        ValueError, OSError: see `tasks.language.task.read` and `training.run.check`.
    """
    from relational_rnn.cli.run import make_console
    from relational_rnn.tasks.language import Vocabulary, read
    from relational_rnn.tasks.language.task import KEPT
    from relational_rnn.training.data import with_files
    from relational_rnn.training.run import check, check_models_here

    if options.vocabulary is None:
        config, told = with_files(options.run)
        if not options.json:
            make_console().print(told)
        check(config)
        own = len(read(config.task).streams["train"]) if config.task.data != MADE else WIKITEXT103
        yield config, options.tokens or own
        return
    units, count = options.run.task.units, options.vocabulary
    tokens = tuple(map(str, range(count)))
    made = Vocabulary(units, tokens, tuple(10**9 // rank for rank in range(1, count + 1)))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / KEPT
        path.write_text(json.dumps(made.to_json()), encoding="utf-8")
        config = with_values(options.run, {"data": str(path)})
        check_models_here(config)
        yield config, options.tokens or WIKITEXT103


def measured(config: RunConfig[Any], options: Plan[Any]) -> dict[str, Measured]:
    """Measure every model of a run, each in a fresh process.

    Raises:
        RunFailed: one failed.
    """
    from relational_rnn.bench.plan import Measured, measure_model
    from relational_rnn.training.processes import train_side_by_side

    found: dict[str, Measured] = {}
    train_side_by_side(
        config.model.models,
        functools.partial(
            measure_model, config, config.budget.batch_size // options.processes, options.measure
        ),
        workers=1,
        show=lambda name, fields: found.update({name: Measured(**fields)}),
    )
    return found


def record(found: Measured, plan: Expected, config: RunConfig[Any], processes: int) -> dict[str, Any]:
    """Return what is known of a model as plain values: bytes and seconds."""
    from relational_rnn.bench.plan import ring_bytes

    streams = config.budget.batch_size // processes
    return {
        "streams": streams,
        "processes": processes,
        **dataclasses.asdict(found),
        "points": [point._asdict() for point in found.points],
        "work": found.work(streams),
        "peak": found.peak(streams, shared=processes > 1),
        "sent": ring_bytes(found.gradients, processes),
        **plan._asdict(),
    }


def in_words(config: RunConfig[Any], options: Plan[Any], epoch: int, found: dict[str, Measured]) -> str:
    """Say what is measured, and what is assumed."""
    processes, batch = options.processes, config.budget.batch_size
    streams = batch // processes
    each = f", {streams:,} on each of {processes:,} processes" if processes > 1 else ""
    if config.runtime.accumulate > 1:
        each += f", in {config.runtime.accumulate:,} pieces one after another"
    lines = [
        f"A step reads {batch:,} streams of {config.task.window:,} tokens{each}; there are "
        f"{config.task.classes:,} different tokens.",
        "Counted: parameters, and the bytes of weights, gradients, the optimiser's state, the copies of "
        "weights that a training keeps, and the tensors of a step (activations above all).",
        "Measured here: the time of a step, and the memory of a fresh process that trains, validates and "
        'copies its state for a checkpoint; "process" is what is not counted otherwise.',
    ]
    fewer = [
        f"{config.specs[name].label} {one.points[-1].streams:,}"
        for name, one in found.items()
        if one.points[-1].streams < streams
    ]
    if fewer:
        lines.append(
            f"Assumed: memory and time of {streams:,} streams lie on the straight line through the two "
            f"largest numbers that were run; the largest: {', '.join(fewer)}."
        )
    if processes > 1:
        lines.append(
            "Assumed: each process is as fast as this one alone. After each step the gradients, copied for "
            f"it, are summed around a ring at {options.bandwidth:g} Gbit/s, while nothing else is done."
        )
    lines.append(
        f"The run is {config.budget.steps:,} steps of each training, an epoch {epoch:,} tokens; both without "
        "validation and test."
    )
    return "\n".join(lines)


def memory_table(found: dict[str, Measured], config: RunConfig[Any], processes: int) -> Table:
    """Return what takes how much memory, a row a model."""
    from relational_rnn.analysis import Table

    streams, shared = config.budget.batch_size // processes, processes > 1

    def cells(name: str) -> list[str]:
        one = found[name]
        kept = (one.process, one.weights, one.gradients * (1 + shared), one.optimiser, one.copies)
        sizes = [size / 1e6 for size in (*kept, one.work(streams), one.peak(streams, shared))]
        told = [f"{size:,.0f}" if size >= 10 else f"{size:.1f}" for size in sizes]
        return [config.specs[name].label, f"{one.parameters:,}", *told]

    counted = ("parameters", "process", "weights", "gradients", "optimiser", "copies")
    columns = ("model", *counted, "step", "peak")
    return Table(columns, [(False, cells(name)) for name in found])


def time_table(found: dict[str, Measured], plans: dict[str, Expected], config: RunConfig[Any]) -> Table:
    """Return how long things take, a row a model."""
    from relational_rnn.analysis import Table

    def cells(name: str) -> list[str]:
        plan = plans[name]
        speed = f"{plan.tokens_per_second:,.0f}"
        told = [f"{found[name].gradients / 1e6:,.1f} MB", *map(duration, (plan.step, plan.all_reduce))]
        return [config.specs[name].label, *told, speed, duration(plan.run), duration(plan.epoch)]

    columns = ("model", "gradients", "step", "all-reduce", "tokens/s", "run", "epoch")
    return Table(columns, [(False, cells(name)) for name in found])


def duration(seconds: float) -> str:
    """Return a time as people read it.

    Example:
        >>> [duration(seconds) for seconds in (0.0, 0.0123, 45, 600, 50_000, 1e6)]
        ['-', '12.3 ms', '45.0 s', '10.0 min', '13.9 h', '11.6 days']
    """
    if not seconds:
        return "-"
    for size, unit, most in ((1e-3, "ms", 1), (1, "s", 120), (60, "min", 7_200), (3_600, "h", 172_800)):
        if seconds < most:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds / 86_400:,.1f} days"
