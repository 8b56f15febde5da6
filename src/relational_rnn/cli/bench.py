"""`relational-rnn bench`: how fast this machine trains the core, and what to expect of a training."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Annotated, Any, Final

import tyro

from relational_rnn.cli.arguments import NUMBERS

if TYPE_CHECKING:
    from relational_rnn.analysis import Table
    from relational_rnn.bench.measure import Quantiles
    from relational_rnn.bench.workloads import Sizes
    from relational_rnn.reference.gradient_check import GradientCheck

ROUNDS: Final = 1000
"""More than fit into the time."""

SHORTEST, LONGEST, MOST_THREADS = 1.0, 86_400.0, 1_024

PRESET: Final = "quick"

NUMPY: Final = "NumPy core"

SMALL: Final[dict[str, Any]] = {"input_size": 5, "mem_slots": 3, "head_size": 4, "num_heads": 2}
"""The core whose outputs and gradients are checked."""

WITHOUT_TORCH: Final = "`relational-rnn train nth-farthest` needs torch: pip install torch"

LEGEND: Final = """\
One forward + backward over a batch of sequences in float32; medians, the wall's time.
sizes: batch, steps, input, slots, head size, heads; * what backend="auto" takes
"""


@dataclass(frozen=True, kw_only=True)
class Bench:
    """Time the core on this machine, in under a minute: every backend, the NumPy core and an LSTM.

    First every backend has to agree with the NumPy core, in outputs and gradients.
    """

    seconds: float = 30.0
    """About so long is timed."""
    threads: int = 1
    """Threads of NumPy and torch; the trainings of `relational-rnn train` have one each."""
    port: Annotated[Path | None, tyro.conf.arg(metavar="FILE")] = None
    """Time the public PyTorch port beside: its relational_rnn_general.py. The code in the file is run."""
    json: tyro.conf.FlagCreatePairsOff[bool] = False
    """Print one JSON object a line instead."""


def main(argv: Sequence[str]) -> int:
    """Check, time and print; return the exit code."""
    options = tyro.cli(Bench, prog="relational-rnn bench", args=list(argv), registry=NUMBERS)

    from relational_rnn.bench.measure import REST, machine, machine_line, measure
    from relational_rnn.cli.run import make_console, print_table
    from relational_rnn.config.checks import check_number, check_size

    check_number("seconds", options.seconds, SHORTEST, LONGEST)
    check_size("threads", options.threads, maximum=MOST_THREADS)
    with_torch, console, about = _has_torch(), make_console(), machine()
    port = None
    if options.port is not None:
        from relational_rnn.interop.port import load_port

        port = load_port(options.port)  # needs torch

    def say(text: str, **record: Any) -> None:
        if options.json:
            print(json.dumps(record), flush=True)
        elif text:
            console.print(text)

    say(machine_line(about) + "\n", kind="machine", **about)
    with console.status("checking outputs and gradients"):
        checks = check_with_torch() if with_torch else [check_numpy()]
    for check in checks:
        say(parity_line(check), kind="parity", **check)
    if not all(check["passed"] for check in checks):
        say("\nNothing is timed: what is installed here computes something wrong.", kind="refused")
        return 1

    rows: list[dict[str, Any]] = []
    share = options.seconds / (1 + len(configurations()))
    with _threads(options.threads, with_torch):
        for sizes in configurations():
            with console.status(f"timing {sizes}"):
                times = measure(runs(sizes, with_torch, port), ROUNDS, seconds=share, rest=REST)
            rows += timed_rows(sizes, times, _auto(sizes) if with_torch else NUMPY)
    for row in rows:
        say("", kind="time", **row)
    if not options.json:
        console.print(f"\n{LEGEND}")
        print_table(console, as_table(rows), title="Forward + backward", mark="*")
    with console.status(f"timing steps of the preset {PRESET}"):
        text, record = expect(share) if with_torch else (WITHOUT_TORCH, {"reason": "needs torch"})
    say(f"\n{text}", kind="estimate", preset=PRESET, **record)
    return 0


def check_with_torch() -> list[dict[str, Any]]:
    """Hold every backend against the NumPy core at small sizes, in each dtype that it takes."""
    import torch

    from relational_rnn import nn
    from relational_rnn.bench.fwd_bwd_torch import variants
    from relational_rnn.interop.agreement import ALLOWED, check_agreement

    ours, missing = variants()
    found = [_absent(name, reason) for name, reason in missing.items()]
    for name, arguments in ours.items():
        for dtype, allowed in ALLOWED.items():
            place: dict[str, Any] = {"dtype": getattr(torch, dtype)}
            try:
                core = nn.RelationalMemory(**SMALL, **arguments, **place, generator=torch.Generator())
            except ValueError as error:  # not in this dtype
                found.append(_absent(f"{name}, {dtype}", str(error)))
            else:
                found.append(_parity(name, dtype, check_agreement(core, batch=3, steps=7, allowed=allowed)))
    return found


def check_numpy() -> dict[str, Any]:
    """Hold the gradients of the NumPy core against central differences."""
    import numpy as np

    from relational_rnn.reference import RelationalMemory
    from relational_rnn.reference.gradient_check import check_gradients

    inputs = np.random.default_rng(0).standard_normal((2, 3, SMALL["input_size"]))
    checks = check_gradients(RelationalMemory(**SMALL), inputs, entries=2)
    return _parity(NUMPY, "float64", checks)


def runs(sizes: Sizes, with_torch: bool, port: ModuleType | None) -> dict[str, Callable[[], None]]:
    """Return what is timed, by name; an LSTM with at least the core's parameters stands last."""
    from relational_rnn.bench import fwd_bwd_numpy
    from relational_rnn.bench.workloads import matched_lstm

    if not with_torch:
        hidden = matched_lstm(sizes)
        return {NUMPY: fwd_bwd_numpy.core_pass(sizes), "NumPy LSTM": fwd_bwd_numpy.lstm_pass(sizes, hidden)}
    from relational_rnn.bench.fwd_bwd_torch import opponents, variants

    return opponents(sizes, variants()[0], port, wide=False)


def expect(seconds: float) -> tuple[str, dict[str, Any]]:
    """Return what a training with the preset will take, in words and as a record."""
    from relational_rnn.bench.estimate import estimate_run
    from relational_rnn.recipes.nth_farthest import quick

    estimate = estimate_run(quick(), rounds=ROUNDS, seconds=seconds)
    steps = ", ".join(
        f"{model.upper()} {1000 * step:.1f} ms, {estimate.steps[model]:,} steps"
        for model, step in estimate.step.items()
    )
    text = (
        f"Estimate for `relational-rnn train nth-farthest --preset {PRESET}` on this machine, from steps "
        f"timed with one thread ({steps}): the whole run in about {estimate.run / 60:.1f} minutes "
        f"({estimate.trainings} trainings, {estimate.workers} at a time), rather more than less: trainings "
        "side by side slow each other down."
    )
    return text, estimate._asdict()


def configurations() -> list[Sizes]:
    """Return what is timed: the core of the preset, a wide batch, a long batch and one sequence alone."""
    from relational_rnn.bench.workloads import Sizes
    from relational_rnn.recipes.nth_farthest import quick

    preset = quick()
    core = preset.task.input_size, preset.model.mem_slots, preset.model.head_size, preset.model.num_heads
    return [
        Sizes(preset.budget.batch_size, preset.task.objects, *core),
        Sizes(256, 8, 40, 8, 16, 4),
        Sizes(32, 50, 64, 4, 32, 4),
        Sizes(1, 100, 64, 4, 32, 4),
    ]


def timed_rows(sizes: Sizes, times: dict[str, Quantiles], auto: str | None) -> list[dict[str, Any]]:
    """Return one record for each that was timed; the LSTM stands last."""
    lstm = list(times.values())[-1].median
    return [
        {
            "sizes": list(sizes),
            "backend": name,
            "auto": name == auto,
            "milliseconds": round(1000 * taken.median, 4),
            "quartiles": [round(1000 * taken.low, 4), round(1000 * taken.high, 4)],
            "rounds": taken.rounds,
            "times_lstm": round(taken.median / lstm, 3),
            "examples_per_second": round(sizes.batch / taken.median, 3),
        }
        for name, taken in times.items()
    ]


def as_table(rows: list[dict[str, Any]]) -> Table:
    """Return the records as a table, one block for each configuration."""
    from relational_rnn.analysis import Table

    columns = ("backend", "sizes", "ms", "x LSTM", "examples/s")
    cells = [
        (
            row["auto"],
            [
                row["backend"],
                ", ".join(map(str, row["sizes"])),
                f"{row['milliseconds']:.2f}",
                f"{row['times_lstm']:.2f}",
                f"{row['examples_per_second']:,.0f}",
            ],
        )
        for row in rows
    ]
    return Table(columns, cells)


def parity_line(check: dict[str, Any]) -> str:
    """Say how a check came out."""
    if check["reason"]:
        return f"{check['backend']}: {check['reason']}"
    verdict = "right" if check["passed"] else f"WRONG in {', '.join(check['wrong'])}"
    return (
        f"{check['backend']}, {check['dtype']}: outputs and gradients {verdict} "
        f"({check['arrays']} arrays, off by {check['largest']:.0e}, allowed {check['allowed']:.0e})"
    )


def _parity(backend: str, dtype: str, checks: list[GradientCheck]) -> dict[str, Any]:
    scales = [max(1.0, check.largest) for check in checks]
    return {
        "backend": backend,
        "dtype": dtype,
        "arrays": len(checks),
        "largest": max(check.difference / scale for check, scale in zip(checks, scales)),
        "allowed": checks[0].allowed / scales[0],
        "wrong": [check.name for check in checks if not check.passed],
        "passed": all(check.passed for check in checks),
        "reason": None,
    }


def _absent(backend: str, reason: str) -> dict[str, Any]:
    return {"backend": backend, "passed": True, "reason": reason}


def _has_torch() -> bool:
    try:
        import torch  # noqa: F401
    except ModuleNotFoundError as missing:
        if (missing.name or "").split(".")[0] != "torch":
            raise
        return False
    return True


def _auto(sizes: Sizes) -> str:
    from relational_rnn.bench.fwd_bwd_torch import auto_backend

    return auto_backend(sizes)


def _threads(count: int, with_torch: bool) -> AbstractContextManager[object]:
    if with_torch:
        from relational_rnn.bench.fwd_bwd_torch import threads

        return threads(count)
    from threadpoolctl import threadpool_limits

    limits: AbstractContextManager[object] = threadpool_limits(count)
    return limits
