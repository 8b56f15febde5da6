"""Which slot is written and which is read at each step, as maps of slots by steps."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from jaxtyping import Bool, Float

from relational_rnn.analysis import style
from relational_rnn.analysis.memory import slot_changes
from relational_rnn.analysis.memory_plots import (
    EXPECTED,
    Recorded,
    by_name,
    expected_steps,
    length_of,
    runs_of,
    sequences_in_words,
    step_axis,
)
from relational_rnn.analysis.recorded_memory import RecordedMemory

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LEFT, MAP_WIDTH, BAR, BETWEEN = 0.85, 3.5, 0.75, 0.55
"""Inches; `BAR` is the room of a map's colour bar."""
STRIP = 0.07
"""Height in inches of the strip above a map that says where answers are expected."""
MOST_NAMED = 16
"""Slots that are named; of more, every second or third is."""
LEAST_SPAN = 0.2
"""Colours span at least this share of the largest value, so that noise does not look like a pattern."""


def slot_usage(
    recorded: Recorded,
    *,
    title: str,
    about: str = "",
    path: str | os.PathLike[str],
    mask: npt.ArrayLike | None = None,
) -> Path:
    """Draw which slot is used when and write it to `path`; see `draw_slot_usage`.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> memories = np.random.default_rng(0).standard_normal((5, 6, 3, 4))
        >>> recorded = RecordedMemory("rmc", memories, memories[:, 0], memories[:, :, 0], 100, 100)
        >>> with TemporaryDirectory() as folder:
        ...     slot_usage(recorded, title="Slots", path=f"{folder}/slots.svg").name
        'slots.svg'
    """
    return style.save(draw_slot_usage(recorded, title=title, about=about, mask=mask), path)


def draw_slot_usage(
    recorded: Recorded, *, title: str, about: str = "", mask: npt.ArrayLike | None = None
) -> Figure:
    """Two maps a model, slots by steps: how far each slot moves, and the attention that it gets.

    The attention is the mean over heads, blocks and the slots that attend; what is missing to 100 % goes to
    the input. Each map has its own colours, from its smallest value to its largest. Where no model has
    attention there are only the left maps.

    Args:
        recorded: one model or several by name, all of as many steps.
        title: above everything; long ones are wrapped.
        about: below the title, for example the task.
        mask: (B, T) booleans, True where an answer is expected; those steps are marked.

    Returns:
        The figure, unsaved.

    Raises:
        TypeError: `mask` holds no booleans, or something that is no `RecordedMemory`.
        ValueError: no models, models of different lengths, or a mask that does not fit them.
        ImportError: matplotlib is absent.

    Example:
        >>> memories = np.random.default_rng(0).standard_normal((5, 6, 3, 4))
        >>> recorded = RecordedMemory("rmc", memories, memories[:, 0], memories[:, :, 0], 100, 100)
        >>> len(draw_slot_usage(recorded, title="Memory").axes)  # the map and its colours
        2
    """
    models = by_name(recorded)
    expected = expected_steps(models, mask)
    attends = any(one.attention is not None for one in models.values())
    columns = 2 if attends else 1
    note = f"Means over {sequences_in_words(models)}. "
    note += "Colours of each map: from its smallest to its largest value."
    if attends:
        note += " Attention that no slot gets goes to the input."
    if expected is not None:
        note += f" Bar above a map: {EXPECTED}."
    with style.paper_style():
        width = max(LEFT + columns * (MAP_WIDTH + BAR) + (columns - 1) * BETWEEN + 0.1, 6.0)
        figure = style.new_figure(width)
        names = [style.wrap(figure, name, MAP_WIDTH, fontsize=style.TEXT_SIZE) for name in models]
        above = [0.2 * (1 + name.count("\n")) + 0.42 for name in names]
        slots = [one.memories.shape[2] for one in models.values()]
        heights = [count * min(max(2.4 / count, 0.1), 0.36) for count in slots]
        bottom = style.add_note(figure, note) + 0.62
        content = sum(above) + sum(heights)
        style.add_title(figure, title, width, bottom + content, about)
        ceiling = bottom + content
        attend = [index for index, one in enumerate(models.values()) if one.attention is not None]
        lowest = (len(models) - 1, attend[-1] if attends else None)
        for index, one in enumerate(models.values()):
            ceiling -= above[index]
            style.write_at(
                figure, LEFT, ceiling + 0.34, names[index], va="bottom", fontsize=style.TEXT_SIZE,
                fontweight="bold",
            )  # fmt: skip
            ceiling -= heights[index]
            kinds = {"how far it moves (norm)": slot_changes(one.memories, one.initial)}
            if one.attention is not None:
                kinds["attention it gets"] = attention_to_slots(one)
            for column, (what, values) in enumerate(kinds.items()):
                left = LEFT + column * (MAP_WIDTH + BAR + BETWEEN)
                axes = style.axes_at(figure, left, ceiling, MAP_WIDTH, heights[index])
                step_axis(axes, length_of(models))
                last = index == lowest[column]
                axes.tick_params(axis="x", labelbottom=last)
                axes.set_xlabel("step" if last else "")
                style.write_at(figure, left, ceiling + heights[index] + 0.13, what, va="bottom")
                _draw_map(axes, values.T, expected, heights[index])
                bar = style.axes_at(figure, left + MAP_WIDTH + 0.12, ceiling, 0.13, heights[index])
                _draw_colours(figure, axes, bar, heights[index], shares=column == 1)
    return figure


def attention_to_slots(one: RecordedMemory) -> Float[np.ndarray, "T N"]:
    """Return the attention that each slot gets at each step, 0 to 1; the input gets what is missing.

    Raises:
        ValueError: the core has no attention.
    """
    if one.attention is None:
        raise ValueError(f"{one.model} has no attention")
    means = one.attention.mean(axis=(0, 2, 3, 4), dtype=np.float64)
    return np.asarray(means[:, : one.memories.shape[2]])


def _draw_map(
    axes: Axes, values: Float[np.ndarray, "N T"], expected: Bool[np.ndarray, " T"] | None, height: float
) -> None:
    """One heat map, and a strip above the steps at which an answer is expected."""
    from matplotlib.patches import Rectangle

    slots, length = values.shape
    high = float(values.max()) or 1.0
    low = min(float(values.min()), (1 - LEAST_SPAN) * high)
    axes.imshow(
        values, cmap=style.MAP_COLOURS, vmin=low, vmax=high, aspect="auto", interpolation="nearest",
        extent=(0.5, length + 0.5, slots + 0.5, 0.5), gid="map",
    )  # fmt: skip
    axes.grid(visible=False)
    named = range(1, slots + 1, -(-slots // MOST_NAMED))
    axes.set_yticks(named, [f"slot {slot}" for slot in named] if slots > 1 else ["state"])
    axes.tick_params(axis="y", length=0)
    for first, last in [] if expected is None else runs_of(expected):
        corner, size = (first - 0.5, 1 + 0.4 * STRIP / height), (last - first + 1, STRIP / height)
        strip = Rectangle(corner, *size, color=style.INK, linewidth=0.5, clip_on=False, gid="expected")
        strip.set_transform(axes.get_xaxis_transform())
        axes.add_patch(strip)


def _draw_colours(figure: Figure, axes: Axes, bar: Axes, height: float, *, shares: bool) -> None:
    """The scale of a map: its smallest and its largest value, and some between."""
    from matplotlib.ticker import FuncFormatter

    (image,) = axes.images
    low, high = image.get_clim()
    scale = figure.colorbar(image, cax=bar)
    scale.set_ticks(np.linspace(low, high, 3 if height > 0.7 else 2).tolist())
    scale.formatter = FuncFormatter(
        (lambda value, _: style.percent(value)) if shares else (lambda value, _: f"{value:.3g}")
    )
    scale.update_ticks()
    scale.outline.set(linewidth=0.6)
    bar.tick_params(labelsize=8.5)
    if height <= 0.7:  # one slot: both numbers stay within its height
        low_label, high_label = bar.get_yticklabels()
        low_label.set_verticalalignment("bottom")
        high_label.set_verticalalignment("top")
