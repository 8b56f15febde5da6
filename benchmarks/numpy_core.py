"""How long forward + backward of the NumPy core takes, beside PyTorch: `python benchmarks/numpy_core.py`.

With `--port FILE` also beside the most used PyTorch port of the Relational Memory Core: FILE is
`relational_rnn_general.py` of github.com/L0SG/relational-rnn-pytorch. Its line `q *= ...`, which current
PyTorch refuses (it changes a view that `split` made), is replaced by `q = q * ...` when the file is loaded.

What is timed: one call of the core over a sequence, the sum of the outputs of all steps as loss, and its
gradients, in float32 with one thread each. The time is the processor's (`time.process_time`), so that other
programs count little. In every round each implementation runs in turn, in another order each time; the table
holds medians over the rounds. All start from a given memory. The NumPy core always returns the gradients of
the inputs and of that memory too; the others are asked for those of the parameters, as in training.

Before a configuration is timed, the NumPy core and this package's torch core have to agree in outputs and
gradients; else there is no report.
"""

from __future__ import annotations

import argparse
import gc
import itertools
import json
import os
import re
import statistics
import sys
import time
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
for variable in THREADS:  # libraries read them when NumPy and torch are imported
    os.environ[variable] = "1"

import numpy as np  # noqa: E402
import torch  # noqa: E402

from relational_rnn import nn, reference  # noqa: E402
from relational_rnn.interop import get_gradients, get_parameters, set_parameters  # noqa: E402

PAGE = Path(__file__).parent.parent / "docs" / "performance.md"
TOLERANCES = {"float64": 1e-9, "float32": 1e-2}
"""Largest difference relative to an array's largest entry. In float32 rounding decides for some entries on
which side of the ReLU's kink they lie, and such a flip moves a gradient by more than rounding itself."""
PORT, TORCH, NUMPY = "PyTorch port", "torch core, eager", "NumPy core"


class Sizes(NamedTuple):
    """A configuration; one block, unit gates, an MLP of two layers."""

    batch: int
    time: int
    input_size: int
    mem_slots: int
    head_size: int
    num_heads: int


CONFIGURATIONS = (
    Sizes(256, 4, 16, 4, 16, 4),
    Sizes(256, 8, 40, 8, 16, 4),
    Sizes(256, 8, 40, 8, 32, 8),
    Sizes(32, 50, 64, 4, 32, 4),
    Sizes(1, 100, 64, 4, 32, 4),
)


def load_port(path: Path) -> types.ModuleType:
    """Return the port as a module, with its one line replaced that current PyTorch refuses."""
    source, count = re.subn(r"^(\s*)q \*= ", r"\1q = q * ", path.read_text(), flags=re.MULTILINE)
    if count != 1 and not re.search(r"^\s*q = q \* ", source, flags=re.MULTILINE):
        sys.exit(f"{path} is not relational_rnn_general.py: it has no line that scales q")
    module = types.ModuleType("port")
    exec(compile(source, path.name, "exec"), module.__dict__)
    return module


def options(sizes: Sizes) -> dict[str, int]:
    """Return the arguments that all three cores share."""
    return {name: value for name, value in sizes._asdict().items() if name not in ("batch", "time")}


def make_cores(
    sizes: Sizes, dtype: str
) -> tuple[reference.RelationalMemory, nn.RelationalMemory, np.ndarray]:
    """Return the NumPy core, the torch core with the same weights, and inputs."""
    numpy_core = reference.RelationalMemory(**options(sizes), dtype=dtype)
    torch_core = nn.RelationalMemory(
        **options(sizes), batch_first=True, backend="eager", dtype=getattr(torch, dtype)
    )
    set_parameters(torch_core, get_parameters(numpy_core))
    return numpy_core, torch_core, np.random.default_rng(0).standard_normal(sizes[:3]).astype(dtype)


def check_agreement(sizes: Sizes, dtype: str, tolerance: float) -> None:
    """Leave with a message if outputs or gradients of the NumPy and the torch core differ."""
    numpy_core, torch_core, x = make_cores(sizes, dtype)
    # With random weights: the plain sum of the outputs nearly cancels what passes through a layer norm.
    weights = np.random.default_rng(1).standard_normal((*x.shape[:2], numpy_core.output_size)).astype(dtype)
    outputs, _ = numpy_core.forward(x)
    numpy_core.backward(weights)
    outputs_torch, _ = torch_core(torch.from_numpy(x))
    (outputs_torch * torch.from_numpy(weights)).sum().backward()
    ours = {"outputs": outputs} | numpy_core.grads
    theirs = {"outputs": outputs_torch.detach().numpy()} | get_gradients(torch_core)
    for name in sorted(ours.keys() | theirs.keys()):
        error = np.abs(ours[name] - theirs[name]).max() / np.abs(theirs[name]).max()
        if not error <= tolerance:
            sys.exit(f"{sizes}, {dtype}: {name} differs by {error:.1e} of its largest; nothing is timed")


def passes(sizes: Sizes, port: types.ModuleType | None) -> dict[str, Callable[[], None]]:
    """Return one forward + backward by implementation."""
    numpy_core, torch_core, x = make_cores(sizes, "float32")
    memory = numpy_core.initial_state(sizes.batch)
    x_torch, memory_torch = torch.from_numpy(x.copy()), torch.from_numpy(memory.copy())

    def run_numpy() -> None:
        outputs, _ = numpy_core.forward(x, memory)
        outputs.sum()
        numpy_core.backward(np.ones_like(outputs))

    def run_torch() -> None:
        torch_core.zero_grad()
        outputs, _ = torch_core(x_torch, memory_torch)
        outputs.sum().backward()

    runs: dict[str, Callable[[], None]] = {NUMPY: run_numpy, TORCH: run_torch}
    if port is not None:
        port_core = port.RelationalMemory(**options(sizes), return_all_outputs=True)
        port_memory = port_core.initial_state(sizes.batch)

        def run_port() -> None:
            port_core.zero_grad()
            outputs, _ = port_core(x_torch, port_memory)
            outputs.sum().backward()

        runs[PORT] = run_port
    return runs


def measure(runs: dict[str, Callable[[], None]], rounds: int) -> dict[str, float]:
    """Return the median milliseconds by implementation over interleaved rounds."""
    milliseconds: dict[str, list[float]] = {name: [] for name in runs}
    for run in runs.values():  # the first pass of each sets up what later passes reuse
        run()
    orders = itertools.cycle(itertools.permutations(runs))
    for _ in range(rounds):
        for name in next(orders):
            gc.collect()
            start = time.process_time()
            runs[name]()
            milliseconds[name].append(1000 * (time.process_time() - start))
    return {name: statistics.median(values) for name, values in milliseconds.items()}


def table(record: dict[str, Any]) -> str:
    """Return the record as a Markdown table."""
    rows = record["rows"]
    names = [name for name in (PORT, TORCH, NUMPY) if name in rows[0]["milliseconds"]]
    base = names[0]
    header = ["B, T, input, slots, head size, heads", *(f"{name}, ms" for name in names), f"NumPy / {base}"]
    lines = ["| " + " | ".join(header) + " |", "|---" * len(header) + "|"]
    for row in rows:
        times = row["milliseconds"]
        cells = [", ".join(map(str, row["sizes"]))]
        cells += [f"{times[name]:.1f}" for name in names]
        cells += [f"{times[NUMPY] / times[base]:.2f}"]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def fill(page: str, name: str, record: dict[str, Any]) -> str:
    """Return the page with the record's table between `<!-- name -->` and `<!-- /name -->`."""
    around = re.compile(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)
    return around.sub(lambda match: f"{match[1]}{table(record)}\n{match[2]}", page)


def place(record: Path) -> str:
    """Return the name of a record's place in the page."""
    return record.stem.replace("_", "-")


def main(arguments: list[str] | None = None) -> None:
    """Print the table; with `--json` also keep its numbers, and put them into docs/performance.md."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--port", type=Path, help="the port's relational_rnn_general.py")
    parser.add_argument("--rounds", type=int, default=31)
    parser.add_argument("--json", type=Path, help="write the record there, and its table into the docs")
    parsed = parser.parse_args(arguments)
    torch.set_num_threads(1)
    port = None if parsed.port is None else load_port(parsed.port)
    rows = []
    for sizes in CONFIGURATIONS:
        for dtype, tolerance in TOLERANCES.items():
            check_agreement(sizes, dtype, tolerance)
        medians = measure(passes(sizes, port), parsed.rounds)
        rows.append({"sizes": list(sizes), "milliseconds": {n: round(ms, 3) for n, ms in medians.items()}})
    versions = {"numpy": np.__version__, "torch": torch.__version__.split("+")[0]}
    record = {"rounds": parsed.rounds, "versions": versions, "rows": rows}
    print(table(record))
    if parsed.json is not None:
        parsed.json.write_text(json.dumps(record, indent=1) + "\n")
        PAGE.write_text(fill(PAGE.read_text(), place(parsed.json), record))


if __name__ == "__main__":
    main()
