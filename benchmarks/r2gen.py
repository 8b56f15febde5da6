"""What R2Gen's memory costs while a report is decoded: run again for every token, and carried.

    python benchmarks/r2gen.py
    python benchmarks/r2gen.py --r2gen R2GEN_FOLDER

After n tokens R2Gen has run its memory n (n + 1) / 2 times, because it starts from the first token for every
token; a carried memory has run n times. Sizes are R2Gen's defaults; a row of the batch is a beam.
With `--r2gen`, the folder of github.com/zhjohnchan/R2Gen, its own class is timed beside; otherwise only ours,
run as R2Gen does. Weights are drawn. Every row says by how much all ways differ in float64; more than 1e-9
ends the program. Times are of float32: the processor's, one thread, medians. How far each float32 run is
off float64 stands beside: without layer norms, rounding grows from token to token, for all ways alike.
"""

from __future__ import annotations

import argparse
import copy
import importlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pages
import torch
from torch import Tensor

from relational_rnn.bench.fwd_bwd_torch import threads
from relational_rnn.bench.measure import machine, machine_line, measure
from relational_rnn.interop.r2gen import R2GenMemory, export_r2gen

SIZES = {"d_model": 512, "num_slots": 3, "num_heads": 8}
BEAMS = 3
TOKENS = (15, 30, 60, 100)
"""60 and 100 are the longest reports that R2Gen's two scripts write."""
LARGEST_DIFFERENCE = 1e-9


def rerun(run: Callable[[Tensor], Tensor], tokens: Tensor) -> Tensor:
    """Run over all tokens so far for every token, as R2Gen's decoding does: (B, n, D) -> (B, n, N D)."""
    return torch.stack([run(tokens[:, : n + 1])[:, -1] for n in range(tokens.shape[1])], 1)


def carried(memory: R2GenMemory, tokens: Tensor) -> Tensor:
    """Run over the newest token only, from the memory that the last one left."""
    state, outputs = None, []
    for token in tokens.split(1, 1):
        output, state = memory(token, state)
        outputs.append(output)
    return torch.cat(outputs, 1)


def ways(theirs: Any) -> dict[str, Callable[[Tensor], Tensor]]:
    """Return each way to decode by its name, carried last; each takes tokens of float32 or of float64."""
    memory = R2GenMemory(**SIZES, generator=torch.Generator().manual_seed(0)).eval()
    ours = {torch.float32: memory, torch.float64: copy.deepcopy(memory).double()}
    found: dict[str, Callable[[Tensor], Tensor]] = {}
    if theirs is not None:
        other = theirs(SIZES["num_slots"], SIZES["d_model"], SIZES["num_heads"]).eval()
        other.load_state_dict(export_r2gen(memory, prefix=""))
        others = {torch.float32: other, torch.float64: copy.deepcopy(other).double()}
        found["R2Gen's code"] = lambda tokens: rerun(
            lambda x: others[x.dtype](x, other.init_memory(len(x)).to(x)), tokens
        )
    found["ours, run again"] = lambda tokens: rerun(lambda x: ours[x.dtype](x)[0], tokens)
    found["ours, carried"] = lambda tokens: carried(ours[tokens.dtype], tokens)
    return found


def report(count: int, found: dict[str, Callable[[Tensor], Tensor]], rounds: int, clock: Any) -> list[str]:
    """Compare and time all ways on so many tokens; return a row of the table."""
    tokens = torch.randn(BEAMS, count, SIZES["d_model"], generator=torch.Generator().manual_seed(count))
    precise = [run(tokens.double()) for run in found.values()]
    gap = max(float((one - precise[-1]).abs().max()) for one in precise)
    if not gap <= LARGEST_DIFFERENCE:
        sys.exit(f"the memories differ by {gap:.1e} after {count} tokens: nothing is reported")
    off = [float((run(tokens) - precise[-1]).abs().max()) for run in found.values()]
    times = measure({name: lambda run=run: run(tokens) for name, run in found.items()}, rounds, clock=clock)
    medians = [1e3 * taken.median for taken in times.values()]
    shown = [f"{median:,.0f}" for median in medians]
    return [
        str(count),
        *shown,
        f"{medians[-1] / count:.2f}",
        f"{medians[0] / medians[-1]:.1f}",
        f"{gap:.0e}",
        f"{off[0]:.0e}, {off[-1]:.0e}",
    ]


@torch.no_grad()
def main(arguments: list[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--r2gen", type=Path, help="the folder of R2Gen, with `modules` in it")
    parser.add_argument("--tokens", type=int, nargs="+", default=TOKENS, help="lengths of reports")
    parser.add_argument("--rounds", type=int, default=5)
    parsed = parser.parse_args(arguments)
    theirs = None
    if parsed.r2gen is not None:
        if not (parsed.r2gen / "modules" / "encoder_decoder.py").is_file():
            parser.error(f"--r2gen must be a folder with modules/encoder_decoder.py, got {parsed.r2gen}")
        sys.path.insert(0, str(parsed.r2gen))
        theirs = importlib.import_module("modules.encoder_decoder").RelationalMemory
    found = ways(theirs)
    with threads(1) as clock:
        rows = [report(count, found, parsed.rounds, clock) for count in parsed.tokens]
    header = ["tokens", *(f"{name}, ms" for name in found), "carried, ms a token", "times faster"]
    first, *_, last = found
    header += ["difference in float64", f"float32 off float64: {first}; {last}"]
    print(pages.markdown(header, rows))
    sizes = ", ".join(f"{name} {size}" for name, size in SIZES.items())
    print(f"\n{sizes}, {BEAMS} beams. Measured on: {machine_line(machine())}.")


if __name__ == "__main__":
    main()
