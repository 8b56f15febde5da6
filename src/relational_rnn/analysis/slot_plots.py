"""Which slot holds which vector of Nth farthest, and what becomes of the vectors when the reference comes."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from relational_rnn.analysis import style
from relational_rnn.analysis.decoding import OWN_SHARE, SlotContents

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LEFT, BETWEEN, RIGHT = 0.85, 2.0, 0.3
MAP_WIDTH, PANEL_WIDTH, HEIGHT = 3.3, 5.2, 3.3
CAPTION = 0.6
"""Inches above the panels for what they show."""
NOTE = (
    "Read by a linear map, scored on fresh sequences. Row free: the slot of the label that the reference "
    "will have. Filled marks: vectors; hollow: distances from the reference, which comes at the dotted line."
)
LINES = ((style.QUIET, "o"), (style.INK, "s"), ("#8F8F8F", "^"))
"""Colour and mark of an object that comes before the reference, of the reference, and of one after: greys,
for colours are those of models."""


def slots_in_words(contents: SlotContents) -> str:
    """Return how many labels have a slot that holds their vector.

    Example:
        >>> slots_in_words(SlotContents(np.eye(3), np.zeros(3), 0.0, 1, {}))
        'Each of the 3 labels has a slot of its own, which gives 100 % of its vector'
    """
    held = contents.by_label.max(0)
    found = [share for share in held if share >= OWN_SHARE]
    count = len(held)
    if not found:
        most = f"{100 * held.max():.0f}"
        return f"No slot holds the vector of a label: at most {most} % of it can be read"
    who = f"Each of the {count} labels has" if len(found) == count else f"{len(found)} of {count} labels have"
    low, high = (f"{100 * share:.0f}" for share in (min(found), max(found)))
    shares = low if low == high else f"{low} to {high}"
    whose = "its" if len(found) == count else "their"
    return f"{who} a slot of {whose} own, which gives {shares} % of its vector"


def slot_contents_figure(
    contents: SlotContents, *, title: str, about: str = "", path: str | os.PathLike[str]
) -> Path:
    """Draw what slots hold and write it to `path`; see `draw_slot_contents`.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> readings = {0: {"vector": [0.9, 0.3], "distance": [0.0, 0.8]}}
        >>> found = SlotContents(np.eye(3), np.zeros(3), 0.0, 1, readings)
        >>> with TemporaryDirectory() as folder:
        ...     slot_contents_figure(found, title=slots_in_words(found), path=f"{folder}/slots.svg").name
        'slots.svg'
    """
    return style.save(draw_slot_contents(contents, title=title, about=about), path)


def draw_slot_contents(contents: SlotContents, *, title: str, about: str = "") -> Figure:
    """A map of the slots and the labels whose vectors they hold, and readings of three objects over time.

    The last row of the map is what the slot of the reference's label, still free before that comes, gives:
    `from_vacant`. Solid lines are vectors, dashed ones distances from the reference.

    Args:
        contents: as `decoding.slot_contents` finds them.
        title: above everything; long ones are wrapped.
        about: below the title, for example the task.

    Returns:
        The figure, unsaved.

    Raises:
        ImportError: matplotlib is absent.

    Example:
        >>> readings = {0: {"vector": [0.9, 0.3], "distance": [0.0, 0.8]}}
        >>> found = SlotContents(np.eye(3), np.zeros(3), 0.0, 1, readings)
        >>> len(draw_slot_contents(found, title="Slots").axes)
        3
    """
    with style.paper_style():
        from matplotlib.lines import Line2D

        width = LEFT + MAP_WIDTH + BETWEEN + PANEL_WIDTH + RIGHT
        figure = style.new_figure(width)
        lines = _lines(contents)
        handles = [Line2D([], [], **look) for _, _, look in lines]
        bottom = style.add_legend(figure, handles, [name for name, _, _ in lines], NOTE) + 0.9
        style.add_title(figure, title, width, bottom + HEIGHT + CAPTION, about)
        _draw_map(figure, bottom, contents)
        right = LEFT + MAP_WIDTH + BETWEEN
        panel = style.axes_at(figure, right, bottom, PANEL_WIDTH, HEIGHT)
        _draw_readings(panel, contents, lines)
        above = bottom + HEIGHT + 0.12
        style.write_at(
            figure,
            LEFT,
            above,
            "which slot gives the vector of which label,\njust before the reference comes",
        )
        style.write_at(
            figure, right, above, "what the slot of its label gives of an object,\nafter each step"
        )
    return figure


def _lines(contents: SlotContents) -> list[tuple[str, list[float], dict[str, Any]]]:
    """Return name, values and look of every reading."""
    found = []
    for step, kinds in contents.readings.items():
        reference = step == contents.reference_step
        place = 1 if reference else 0 if step < contents.reference_step else 2
        colour, mark = LINES[place]
        for kind, values in kinds.items():
            who = "vector of the reference" if reference else f"{kind} of the object of step {step + 1}"
            look = {
                "color": colour,
                "linestyle": "solid" if kind == "vector" else (0, (3, 1.4)),
                "marker": mark,
                "markersize": 6.5,
                "markerfacecolor": colour if kind == "vector" else "white",
                "linewidth": 2.0,
            }
            found.append((who, values, look))
    return found


def _draw_map(figure: Figure, bottom: float, contents: SlotContents) -> None:
    slots, labels = contents.by_label.shape
    panel = style.axes_at(figure, LEFT, bottom, MAP_WIDTH, HEIGHT)
    shares = np.vstack([contents.by_label, contents.from_vacant])
    image = panel.imshow(shares.clip(0, 1), cmap=style.MAP_COLOURS, vmin=0, vmax=1, aspect="auto")
    panel.grid(visible=False)
    panel.set_xlabel("label")
    panel.set_ylabel("slot")
    panel.set_xticks(range(labels))
    panel.axhline(slots - 0.5, color="white", linewidth=4.0)
    # Slots from 1, as in the other figures.
    panel.set_yticks(range(slots + 1), [*(str(slot + 1) for slot in range(slots)), "free"])
    bar = figure.colorbar(image, cax=style.axes_at(figure, LEFT + MAP_WIDTH + 0.12, bottom, 0.13, HEIGHT))
    style.percent_axis(bar.ax.yaxis)
    bar.set_label("share of the vector's variance", fontsize=style.SMALL_SIZE)
    bar.ax.tick_params(labelsize=style.SMALL_SIZE)
    bar.outline.set(linewidth=0.6)


def _draw_readings(
    axes: Axes, contents: SlotContents, lines: list[tuple[str, list[float], dict[str, Any]]]
) -> None:
    steps = len(lines[0][1])
    axes.set_xlim(0.7, steps + 0.3)
    axes.set_ylim(0, 1.0)
    style.percent_axis(axes.yaxis)
    axes.set_xlabel("after step")
    axes.set_ylabel("share of variance")
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
