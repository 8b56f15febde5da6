"""Which slot holds which vector of Nth farthest, and what becomes of the vectors when the reference comes."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from relational_rnn.analysis import style
from relational_rnn.analysis.decoding import SlotContents

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LEFT, BETWEEN, RIGHT = 0.85, 1.75, 0.3
MAP_WIDTH, PANEL_WIDTH, HEIGHT = 3.3, 5.2, 3.3
CAPTION = 0.55
"""Inches above the panels for what they show."""
COLOURS = (style.PALETTE["rmc"], style.INK, style.PALETTE["lstm"])
"""Of an object that comes before the reference, of the reference, and of one that comes after."""


def slot_contents_figure(contents: SlotContents, *, title: str, path: str | os.PathLike[str]) -> Path:
    """Draw what slots hold and write it to `path`; see `draw_slot_contents`."""
    return style.save(draw_slot_contents(contents, title=title), path)


def draw_slot_contents(contents: SlotContents, *, title: str) -> Figure:
    """A map of the slots and the labels whose vectors they hold, and readings of three objects over time.

    The last row of the map is what the home of the reference's label gives before that comes: `from_vacant`.
    Solid lines are vectors, dashed ones distances from the reference.

    Args:
        contents: as `decoding.slot_contents` finds them.
        title: above everything; long ones are wrapped.

    Returns:
        The figure, unsaved.

    Raises:
        ImportError: matplotlib is absent.

    Example:
        >>> import numpy as np
        >>> readings = {0: {"vector": [0.9, 0.3], "distance": [0.0, 0.8]}}
        >>> found = SlotContents(np.eye(3), np.zeros(3), 0.0, 1, readings)
        >>> len(draw_slot_contents(found, title="Slots").axes)
        3
    """
    with style.paper_style():
        width = LEFT + MAP_WIDTH + BETWEEN + PANEL_WIDTH + RIGHT
        figure = style.new_figure(width)
        lines = _lines(contents)
        bottom = _add_legend(figure, lines) + 0.9
        style.add_title(figure, title, width, bottom + HEIGHT + CAPTION)
        _draw_map(figure, bottom, contents)
        right = LEFT + MAP_WIDTH + BETWEEN
        panel = style.axes_at(figure, right, bottom, PANEL_WIDTH, HEIGHT)
        _draw_readings(panel, contents, lines)
        above = bottom + HEIGHT + 0.15
        told = "the vector with a label, before the reference comes"
        style.write_at(figure, LEFT, above, f"{told}\n(vacant: from the home of the reference's label)")
        style.write_at(figure, right, above, "read from the slot of its label, after each step")
    return figure


def _lines(contents: SlotContents) -> list[tuple[str, list[float], dict[str, Any]]]:
    """Return name, values and look of every reading."""
    found = []
    for step, kinds in contents.readings.items():
        reference = step == contents.reference_step
        place = 1 if reference else 0 if step < contents.reference_step else 2
        for kind, values in kinds.items():
            who = "the reference's vector" if reference else f"{kind} of step {step + 1}"
            look = {
                "color": COLOURS[place],
                "linestyle": "solid" if kind == "vector" else (0, (3, 1.4)),
                "marker": "os^"[place],
                "markersize": 5.5,
                "linewidth": 2.0,
            }
            found.append((who, values, look))
    return found


def _add_legend(figure: Figure, lines: list[tuple[str, list[float], dict[str, Any]]]) -> float:
    from matplotlib.lines import Line2D

    return style.add_legend(
        figure, [Line2D([], [], **look) for _, _, look in lines], [name for name, _, _ in lines]
    )


def _draw_map(figure: Figure, bottom: float, contents: SlotContents) -> None:
    slots, labels = contents.by_label.shape
    panel = style.axes_at(figure, LEFT, bottom, MAP_WIDTH, HEIGHT)
    shares = np.vstack([contents.by_label, contents.from_vacant])
    image = panel.imshow(shares.clip(0, 1), cmap="Blues", vmin=0, vmax=1, aspect="auto")
    panel.grid(visible=False)
    panel.set_xlabel("label")
    panel.set_ylabel("slot")
    panel.set_xticks(range(labels))
    panel.axhline(slots - 0.5, color="white", linewidth=4.0)
    # Slots from 1, as in the other figures.
    panel.set_yticks(range(slots + 1), [*(str(slot + 1) for slot in range(slots)), "vacant"])
    bar = figure.colorbar(image, cax=style.axes_at(figure, LEFT + MAP_WIDTH + 0.12, bottom, 0.13, HEIGHT))
    style.percent_axis(bar.ax.yaxis)
    bar.ax.tick_params(labelsize=style.SMALL_SIZE)


def _draw_readings(
    axes: Axes, contents: SlotContents, lines: list[tuple[str, list[float], dict[str, Any]]]
) -> None:
    steps = len(lines[0][1])
    axes.set_xlim(0.7, steps + 0.3)
    axes.set_ylim(0, 1.0)
    style.percent_axis(axes.yaxis)
    axes.set_xlabel("after step")
    axes.set_ylabel("share of variance read")
    axes.grid(visible=False, axis="x")
    came = contents.reference_step + 1
    axes.set_xticks(
        range(1, steps + 1),
        [f"{step}\nreference" if step == came else f"{step}" for step in range(1, steps + 1)],
    )
    axes.axvline(came, color=style.QUIET, linewidth=1.0, linestyle=(0, (1, 2)), zorder=1)
    for name, values, look in lines:
        shares = [max(value, 0.0) for value in values]  # below 0 where nothing is there to read
        axes.plot(range(1, steps + 1), shares, label=name, zorder=3, clip_on=False, **look)
