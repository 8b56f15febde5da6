"""Time everything that the docs tell of: `python benchmarks/run.py [NAME ...]`; without a name all but "gpu".

    python benchmarks/run.py --port relational_rnn_general.py --publish
    python benchmarks/run.py streaming --rounds 50
    python benchmarks/run.py gpu --port relational_rnn_general.py

First the parity tests run; if one of them fails, nothing is timed. `--publish` keeps the records in
docs/results/benchmarks and puts their tables into docs/performance.md; `--pages` only does the latter again.

`--port FILE` times the most used PyTorch port beside: `relational_rnn_general.py` of
github.com/L0SG/relational-rnn-pytorch. Its line `q *= ...`, which current PyTorch refuses, is replaced by
`q = q * ...` when the file is loaded.

Everyone is timed in turn in one process, in an order that changes every round (each order is followed by its
reverse), with a short rest in between, until the threads of the last one sleep; right before each timed run
the same runs once untimed, so that it finds caches and memory as in a training. Times are medians: of the
processor's time with one thread, of the wall's with more or on a GPU.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import compiled
import gpu
import memory_growth
import pages
import routes
import scaling
import speed
import step_parts
import streaming
import training_step

from relational_rnn.analysis.style import check_drawing
from relational_rnn.bench.measure import machine, machine_line
from relational_rnn.interop.port import load_port
from relational_rnn.training.files import find_target, read_json, write_text


class Benchmark(NamedTuple):
    """One kind of measurement."""

    measure: Callable[[int, Any], dict[str, Any]]
    """(rounds, the port's module or None) -> a record, with its numbers in "rows"."""
    table: Callable[[dict[str, Any]], str]
    """A record -> what stands in the docs."""
    draw: Callable[[dict[str, Any]], Path] | None = None
    """A record -> a figure."""


BENCHMARKS = {
    "speed": Benchmark(speed.measure, speed.table),
    "streaming": Benchmark(streaming.measure, streaming.table),
    "memory": Benchmark(memory_growth.measure, memory_growth.table),
    "scaling": Benchmark(scaling.measure, scaling.table, scaling.draw),
    "compiled": Benchmark(compiled.measure, compiled.table),
    "training": Benchmark(training_step.measure, training_step.table),
    "parts": Benchmark(step_parts.measure, step_parts.table),
    "routes": Benchmark(routes.measure, routes.table),
    "gpu": Benchmark(gpu.measure, gpu.table),
}
"""Name -> measurement; the record and the place in the docs have the same name."""


def as_text(name: str, record: dict[str, Any]) -> str:
    """Return what the docs say of a record: its tables and the machine line."""
    return f"{BENCHMARKS[name].table(record)}\n\nMeasured on: {machine_line(record['machine'])}."


def write_pages() -> None:
    """Put the tables of all records into the docs."""
    text = pages.PAGE.read_text(encoding="utf-8")
    for name in BENCHMARKS:
        path = pages.RECORDS / f"{name}.json"
        if path.exists():
            text = pages.fill(text, name, as_text(name, read_json(path)))
    write_text(pages.PAGE, text)


def main(arguments: list[str] | None = None) -> None:
    """Measure and print; with `--publish` also keep it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(BENCHMARKS))
    parser.add_argument("--port", type=Path, help="the port's relational_rnn_general.py")
    parser.add_argument("--rounds", type=int, default=21)
    parser.add_argument("--publish", action="store_true", help="keep records, figures and tables")
    parser.add_argument("--pages", action="store_true", help="measure nothing, write the tables again")
    parsed = parser.parse_args(arguments)
    if unknown := set(parsed.names) - set(BENCHMARKS):
        parser.error(f"there is no benchmark {', '.join(sorted(unknown))}; there are {', '.join(BENCHMARKS)}")
    if parsed.pages:
        write_pages()
        return
    names = parsed.names or [name for name in BENCHMARKS if name != "gpu"]
    if parsed.publish:  # what fails then should fail now
        find_target(pages.PAGE)
        for name in names:
            find_target(pages.RECORDS / f"{name}.json")
            if BENCHMARKS[name].draw is not None:
                check_drawing()
    port = None if parsed.port is None else load_port(parsed.port)
    pages.check_parity()
    for name in names:
        measured = BENCHMARKS[name].measure(parsed.rounds, port)
        record = {"machine": machine(), "rounds": parsed.rounds} | measured
        print(f"\n{name}\n\n{as_text(name, record)}", flush=True)
        if parsed.publish:
            pages.save(name, record)
            draw = BENCHMARKS[name].draw
            if draw is not None:
                draw(record)
            write_pages()


if __name__ == "__main__":
    main()
