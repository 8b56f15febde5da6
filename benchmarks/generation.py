"""How fast language models write, against the length of the text so far: tokens a second, and what they keep.

    python benchmarks/generation.py
    python benchmarks/generation.py --lengths 100 1000 --figure speed.png

The models are those of the preset `characters`, with equal parameters and weights as they are drawn: speed
does not depend on what was learned. Each reads a text of so many tokens, then 64 more are written, the
likeliest each time, as `relational-rnn generate` does. The Transformer comes twice. As `generate` runs it,
the window of its training is its context, of which it reads the newer half anew whenever it is full. The
other has keys and values of the whole text: each token looks back on all. Without kept keys and values it
would read the whole text for every token; that is not timed. Times are the processor's, one thread,
medians.
"""

from __future__ import annotations

import argparse
import copy
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, NamedTuple

import pages
import torch

from relational_rnn.analysis import style
from relational_rnn.bench.fwd_bwd_torch import threads
from relational_rnn.bench.measure import machine, machine_line, measure
from relational_rnn.recipes import find_recipe
from relational_rnn.training.config import RunConfig
from relational_rnn.training.contestants import contestants
from relational_rnn.training.framework import framework_of
from relational_rnn.training.learners.generation import Writer
from relational_rnn.training.learners.language import tensors_of

LENGTHS: Final = (100, 300, 1_000, 3_000, 10_000)
WRITTEN: Final = 64
"""Tokens that are timed: the Transformer's window of 64 is full twice in them."""

FIGURE: Final = pages.FIGURES / "generation.png"


class Speed(NamedTuple):
    """A model after a text of some length."""

    tokens_a_second: float
    kept: int
    """Numbers that it keeps for the next token."""


def writers(config: RunConfig) -> dict[str, tuple[str, Callable[[], Writer]]]:
    """Return what is timed: its name -> its model's name, and what makes it."""
    framework, found = framework_of("torch"), dict[str, tuple[str, Callable[[], Writer]]]()
    for one in contestants(config):
        model = framework.build(config.of(one.model), one).eval()
        label = config.specs[one.model].label
        if config.specs[one.model].carries:
            found[label] = one.model, lambda model=model: Writer(model)
        else:
            window = config.task.window
            name = f"{label}, window of {window}"
            found[name] = one.model, lambda model=model, window=window: Writer(model, window)
            found[f"{label}, all kept"] = one.model, lambda model=model: Writer(model)
    return found


def write(writer: Writer, count: int) -> None:
    """Write so many tokens, the likeliest each time."""
    for _ in range(count):
        token = int(writer.log_probabilities().argmax())
        writer.tokens.append(token)


def speeds(
    found: dict[str, tuple[str, Callable[[], Writer]]],
    lengths: Sequence[int],
    rounds: int,
    clock: Callable[[], float],
) -> list[dict[str, Speed]]:
    """Let each read texts of these lengths, then time what it writes: all in turn, round after round."""
    text = torch.randint(30, (lengths[-1],), generator=torch.Generator().manual_seed(0)).tolist()
    runs, kept = dict[str, Callable[[], None]](), dict[str, int]()
    for length in lengths:
        for name, (_, make) in found.items():
            writer = make()
            writer.tokens += text[:length]
            write(writer, 1)
            numbers = (part.numel() for part in tensors_of(writer.memory) if part.is_floating_point())
            kept[f"{name} {length}"] = sum(numbers)

            def run(writer: Writer = writer) -> None:
                again = copy.copy(writer)  # whose memory is never changed in place
                again.tokens = list(writer.tokens)
                write(again, WRITTEN)

            runs[f"{name} {length}"] = run
    taken = measure(runs, rounds, clock=clock)
    every = {one: Speed(WRITTEN / taken[one].median, kept[one]) for one in runs}
    return [{name: every[f"{name} {length}"] for name in found} for length in lengths]


def finding(rows: Sequence[dict[str, Speed]], lengths: Sequence[int]) -> str:
    """Return how the first and the last of the models compare after the longest and the shortest text."""
    first, *_, last = rows[0]
    now = [rows[-1][name].tokens_a_second for name in (first, last)]
    before = [rows[0][name].tokens_a_second for name in (first, last)]
    return (
        f"After {lengths[-1]:,} tokens {first} writes {now[0] / now[1]:.1f} times as fast as {last}; "
        f"after {lengths[0]:,} tokens {before[0] / before[1]:.1f} times"
    )


def draw(rows: Sequence[dict[str, Speed]], lengths: Sequence[int], models: Sequence[str], path: Path) -> Path:
    """Draw tokens a second against the length of the text."""
    names = list(rows[0])
    with style.paper_style():
        from matplotlib.lines import Line2D
        from matplotlib.ticker import LogLocator

        figure, looks = style.new_figure(8.0), style.lines_of(models)
        note = "Both axes are logarithmic. The models have equal parameters."
        handles = [Line2D([], [], **look) for look in looks]
        bottom = style.add_legend(figure, handles, names, note) + 0.65
        about = "Characters one after another, one thread"
        style.add_title(figure, finding(rows, lengths), 8.0, bottom + 3.2, about)
        axes = style.axes_at(figure, 0.95, bottom, 6.7, 2.95)
        for name, look in zip(names, looks):
            axes.plot(lengths, [row[name].tokens_a_second for row in rows], **look)
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.set_xticks(lengths, [f"{length:,}" for length in lengths])
        axes.minorticks_off()
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_major_formatter(lambda speed, _: f"{speed:,g}")
        axes.set_xlabel("tokens of the text so far")
        axes.set_ylabel("tokens a second")
        axes.set_ylim(bottom=min(one.tokens_a_second for row in rows for one in row.values()) / 2)
        return style.save(figure, path)


@torch.no_grad()
def main(arguments: list[str] | None = None) -> None:
    """Print the table and draw the figure."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--lengths", type=int, nargs="+", default=LENGTHS, help="tokens before those timed")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--figure", type=Path, default=FIGURE, help="file of the figure")
    parsed = parser.parse_args(arguments)
    lengths = sorted(set(parsed.lengths))
    if lengths[0] < 1:
        parser.error(f"--lengths must be at least 1, got {lengths[0]}")
    found = writers(find_recipe("language", "characters"))
    with threads(1) as clock:
        rows = speeds(found, lengths, parsed.rounds, clock)
    header = ["tokens so far", *(f"{name}, {what}" for what in ("tokens/s", "keeps") for name in found)]
    cells = [
        [
            f"{length:,}",
            *(f"{row[name].tokens_a_second:,.0f}" for name in found),
            *(f"{row[name].kept:,}" for name in found),
        ]
        for length, row in zip(lengths, rows)
    ]
    print(pages.markdown(header, cells))
    print(f"\n{finding(rows, lengths)}. Measured on: {machine_line(machine())}.")
    print(f"Written: {draw(rows, lengths, [model for model, _ in found.values()], parsed.figure)}")


if __name__ == "__main__":
    main()
