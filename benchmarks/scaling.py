"""How the cost of forward + backward grows with the length of the sequences and with the batch; a figure."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pages

from relational_rnn.analysis import style
from relational_rnn.bench.fwd_bwd_torch import LSTM, opponents, threads, variants
from relational_rnn.bench.measure import measure as measure_runs
from relational_rnn.bench.workloads import Sizes

AXES = {
    "steps": [Sizes(8, steps, 64, 4, 32, 4) for steps in (16, 64, 256, 1024, 4096)],
    "batch": [Sizes(batch, 8, 64, 4, 32, 4) for batch in (1, 4, 16, 64, 256, 1024, 4096)],
}
"""What grows -> the configurations."""

FIGURE = pages.FIGURES / "cost.png"


def measure(rounds: int, port: Any) -> dict[str, Any]:
    """Time ours and an LSTM at growing sizes with one thread, in fewer rounds where it takes long.

    Args:
        rounds: how often each is timed at most.
        port: not used.
    """
    ours, rows = variants()[0], []
    with threads(1) as clock:
        for axis, configurations in AXES.items():
            for sizes in configurations:
                runs = opponents(sizes, ours, wide=False)
                times = measure_runs(runs, rounds, seconds=20.0, clock=clock)
                milliseconds = {name: round(1000 * taken.median, 3) for name, taken in times.items()}
                rows.append({"axis": axis, "sizes": list(sizes), "milliseconds": milliseconds})
    return {"missing": variants()[1], "rows": rows}


def size_of(row: dict[str, Any]) -> int:
    """Return the number that grows."""
    sizes = Sizes(*row["sizes"])
    return sizes.time if row["axis"] == "steps" else sizes.batch


def table(record: dict[str, Any]) -> str:
    """Return milliseconds along both axes, and by what power of it the cost grew over the last step."""
    parts = []
    for axis in AXES:
        rows = [row for row in record["rows"] if row["axis"] == axis]
        names = list(rows[0]["milliseconds"])
        fixed = f"batch {rows[0]['sizes'][0]}" if axis == "steps" else f"{rows[0]['sizes'][1]} steps"
        lines = [
            [f"{size_of(row):,}", *(f"{row['milliseconds'][name]:,.1f}" for name in names)] for row in rows
        ]
        before, last = rows[-2:]
        growth = math.log(size_of(last) / size_of(before))
        powers = [
            math.log(last["milliseconds"][name] / before["milliseconds"][name]) / growth for name in names
        ]
        lines.append(["last power", *(f"{power:.2f}" for power in powers)])
        parts.append(pages.markdown([f"{axis} ({fixed}), ms", *names], lines))
    parts.append("![Cost of forward + backward against steps and batch](results/figures/cost.png)")
    return "\n\n".join(parts)


def draw(record: dict[str, Any], path: Path | None = None) -> Path:
    """Draw the record; return the figure's file."""
    shortest, longest = (
        end(time for row in record["rows"] for time in row["milliseconds"].values()) for end in (min, max)
    )
    with style.paper_style():
        from matplotlib.lines import Line2D

        figure = style.new_figure(11.0)
        names = list(record["rows"][0]["milliseconds"])
        handles = [Line2D([], [], **look) for look in looks_of(names)]
        handles.append(Line2D([], [], **style.TRIVIAL_LINE))
        note = "Both axes are logarithmic. Blue: ways to compute the RMC. Dashed: cost in proportion to size."
        bottom = style.add_legend(figure, handles, [*names, "in proportion"], note) + 0.7
        style.add_title(
            figure, finding(record), 11.0, bottom + 3.2, "Forward + backward of a core, one thread"
        )
        for index, (axis, what) in enumerate(
            (("steps", "steps, {} sequences"), ("batch", "sequences, {} steps"))
        ):
            rows = [row for row in record["rows"] if row["axis"] == axis]
            axes = style.axes_at(figure, 0.95 + 5.2 * index, bottom, 4.6, 2.95)
            draw_panel(axes, rows)
            axes.set_ylim(shortest / 2, longest * 4)
            axes.set_xlabel(what.format(rows[0]["sizes"][0 if axis == "steps" else 1]))
            axes.set_ylabel("milliseconds" if index == 0 else "")
            axes.tick_params(axis="y", labelleft=index == 0)
        return style.save(figure, path or FIGURE)


def finding(record: dict[str, Any]) -> str:
    """Return how the fastest way to compute the RMC compares on the longest sequences."""
    row = [row for row in record["rows"] if row["axis"] == "steps"][-1]
    times = {name: time for name, time in row["milliseconds"].items() if name != LSTM}
    first, last = min(times, key=times.__getitem__), max(times, key=times.__getitem__)
    told = f"At {size_of(row):,} steps {first} is {times[last] / times[first]:.1f} times as fast as {last}"
    return f"{told}; the LSTM is {times[first] / row['milliseconds'][LSTM]:.1f} times as fast as {first}"


def looks_of(names: list[str]) -> list[dict[str, Any]]:
    """Return the looks of lines: the colour says which model, the mark and the dashes how it is computed."""
    looks = style.lines_of(["lstm" if name == LSTM else "rmc" for name in names])
    marks = iter("oD^vX")
    return [look if name == LSTM else {**look, "marker": next(marks)} for name, look in zip(names, looks)]


def draw_panel(axes: Any, rows: list[dict[str, Any]]) -> None:
    """One line for each implementation, and a dashed one that grows in proportion."""
    sizes, names = [size_of(row) for row in rows], list(rows[0]["milliseconds"])
    for name, look in zip(names, looks_of(names)):
        axes.plot(sizes, [row["milliseconds"][name] for row in rows], label=name, **look)
    above = 2 * max(rows[-1]["milliseconds"].values()) / sizes[-1]
    axes.plot(sizes, [above * size for size in sizes], label="in proportion", **style.TRIVIAL_LINE)
    axes.set_xscale("log", base=4)
    axes.set_yscale("log")
    axes.set_xticks(sizes, [f"{size:,}" for size in sizes])
    axes.minorticks_off()
    axes.yaxis.set_major_formatter(lambda milliseconds, _: f"{milliseconds:,g}")
