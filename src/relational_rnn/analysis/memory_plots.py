"""Figures of a memory over time: norms, specialisation and effective rank; and which slot is written when."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from jaxtyping import Bool, Float

from relational_rnn.analysis import style
from relational_rnn.analysis.layout import spread
from relational_rnn.analysis.memory import effective_rank, slot_changes, slot_norms, specialisation
from relational_rnn.analysis.recorded_memory import RecordedMemory
from relational_rnn.config.checks import check_shape
from relational_rnn.reference.arrays import as_booleans

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.legend import Legend

POINT = 1 / 72
LEFT, BETWEEN, RIGHT = 0.85, 1.45, 0.75
"""Inches beside the panels; the names of the slots stand at their right."""
PANEL_WIDTHS = {1: 6.2, 2: 4.2}
"""Inches of a panel by their number beside each other."""
NARROWEST_PANEL = 2.7
NORM_HEIGHT, SMALL_HEIGHT, GAP = 2.6, 1.45, 0.2
MOST_NAMED = 16
"""Slots that are named; of more, every second or third is."""
MAP_WIDTH, MAP_RIGHT = 6.2, 0.95
STRIP = 0.07
"""Height in inches of the strip above a map that says where answers count."""
MINUS = "\N{MINUS SIGN}"

Recorded = RecordedMemory | Mapping[str, RecordedMemory]
"""One model, or several by name."""


def memory_evolution(
    recorded: Recorded, *, title: str, path: str | os.PathLike[str], mask: npt.ArrayLike | None = None
) -> Path:
    """Draw the memory over time and write it to `path`; see `draw_memory_evolution`."""
    return style.save(draw_memory_evolution(recorded, title=title, mask=mask), path)


def slot_usage(
    recorded: Recorded, *, title: str, path: str | os.PathLike[str], mask: npt.ArrayLike | None = None
) -> Path:
    """Draw which slot is written when and write it to `path`; see `draw_slot_usage`."""
    return style.save(draw_slot_usage(recorded, title=title, mask=mask), path)


def draw_memory_evolution(recorded: Recorded, *, title: str, mask: npt.ArrayLike | None = None) -> Figure:
    """Norm of every slot over time, and below it specialisation and effective rank; a column for each model.

    A model whose state is a single slot, such as an LSTM, has no column: its norm is a dashed line in those
    of the others, scaled by `sqrt(D / its width)`, because the norm of a wider vector is larger.

    Args:
        recorded: one model or several by name, all of as many steps.
        title: above everything; long ones are wrapped.
        mask: (B, T) booleans, True where an answer counts; those steps are shaded.

    Returns:
        The figure, unsaved.

    Raises:
        TypeError: `mask` holds no booleans, or something that is no `RecordedMemory`.
        ValueError: no models, models of different lengths, or a mask that does not fit them.
        ImportError: matplotlib is absent.

    Example:
        >>> memories = np.random.default_rng(0).standard_normal((5, 6, 3, 4))
        >>> recorded = RecordedMemory("rmc", memories, memories[:, 0], memories[:, :, 0], 100, 100)
        >>> len(draw_memory_evolution(recorded, title="Memory").axes)
        3
    """
    models = _by_name(recorded)
    counted = _counted(models, mask)
    single = {name: one for name, one in models.items() if one.memories.shape[2] == 1}
    slotted = {name: one for name, one in models.items() if name not in single}
    columns: dict[str, RecordedMemory | None] = {**slotted} if slotted else {"": None}
    heights = [NORM_HEIGHT, SMALL_HEIGHT, SMALL_HEIGHT] if slotted else [NORM_HEIGHT]
    caption = [f"Mean over {_sequences(models)}."]
    if slotted:
        caption.append(f"Dashed and grey: 1 {MINUS} 1/N, as of slots of unrelated directions.")
    if counted is not None:
        caption.append("Shaded: the steps at which an answer counts.")
    with style.paper_style():
        panel = PANEL_WIDTHS.get(len(columns), NARROWEST_PANEL)
        figure = style.new_figure(LEFT + len(columns) * panel + (len(columns) - 1) * BETWEEN + RIGHT)
        names = [
            style.wrap(figure, name, panel, fontsize=style.TEXT_SIZE) if len(models) > 1 else ""
            for name in columns
        ]
        above = max(0.2 * (name.count("\n") + 1) if name else 0.0 for name in names)
        content = sum(heights) + GAP * (len(heights) - 1) + above
        bottom = _compose(
            figure, title, " ".join(caption), content, single if len(models) > 1 else {}, scaled=bool(slotted)
        )
        for index, one in enumerate(columns.values()):
            left = LEFT + index * (panel + BETWEEN)
            floor, panels = bottom, []
            for height in reversed(heights):
                panels.append(style.axes_at(figure, left, floor, panel, height))
                floor += height + GAP
            style.write_at(
                figure, left, floor - GAP + 0.07, names[index], va="bottom", fontsize=style.TEXT_SIZE
            )
            for axes in panels:
                _time_axis(axes, _length(models), counted)
                axes.tick_params(axis="x", labelbottom=axes is panels[0])
            panels[0].set_xlabel("step")
            labels = ["norm of the state"]
            if one is not None:
                labels = ["norm of each slot", "specialisation", "effective rank"]
                _draw_specialisation(panels[1], one)
                _draw_rank(panels[0], one)
            _draw_norms(panels[-1], one, single, panel)
            for axes, label in zip(reversed(panels), labels):
                axes.set_ylabel(label if index == 0 else "", fontsize=style.SMALL_SIZE)
    return figure


def draw_slot_usage(recorded: Recorded, *, title: str, mask: npt.ArrayLike | None = None) -> Figure:
    """A heat map for each model, slots by steps: how far a slot moves in a step, `|m_t - m_(t-1)|`.

    Each map has its own colours, from 0 to its largest value. Where a slot is dark, it is written.

    Args:
        recorded: one model or several by name, all of as many steps.
        title: above everything; long ones are wrapped.
        mask: (B, T) booleans, True where an answer counts; those steps are marked.

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
    models = _by_name(recorded)
    counted = _counted(models, mask)
    caption = f"How far each slot moves in a step (the norm of its change), mean over {_sequences(models)}."
    if counted is not None:
        caption += " Marked above: the steps at which an answer counts."
    with style.paper_style():
        figure = style.new_figure(LEFT + MAP_WIDTH + MAP_RIGHT)
        names = [
            style.wrap(figure, name, MAP_WIDTH, fontsize=style.TEXT_SIZE) if len(models) > 1 else ""
            for name in models
        ]
        above = [0.2 * (name.count("\n") + 1) + 0.16 if name else 0.16 for name in names]
        heights = [
            one.memories.shape[2] * min(max(2.6 / one.memories.shape[2], 0.1), 0.4) for one in models.values()
        ]
        content = sum(above) + sum(heights) + GAP * (len(models) - 1)
        ceiling = _compose(figure, title, caption, content) + content
        for index, one in enumerate(models.values()):
            ceiling -= above[index]
            style.write_at(figure, LEFT, ceiling + 0.16, names[index], va="bottom", fontsize=style.TEXT_SIZE)
            ceiling -= heights[index]
            axes = style.axes_at(figure, LEFT, ceiling, MAP_WIDTH, heights[index])
            _time_axis(axes, _length(models), None)
            axes.tick_params(axis="x", labelbottom=index == len(models) - 1)
            axes.set_xlabel("step" if index == len(models) - 1 else "")
            _draw_changes(figure, axes, one, counted, ceiling, heights[index])
            ceiling -= GAP
    return figure


def _by_name(recorded: Recorded) -> dict[str, RecordedMemory]:
    """Return the models by name, if they can lie on one time axis."""
    models = {recorded.model: recorded} if isinstance(recorded, RecordedMemory) else dict(recorded)
    if not models:
        raise ValueError("a figure of memories needs at least one recorded memory, got none")
    for name, one in models.items():
        if not isinstance(one, RecordedMemory):
            raise TypeError(f"{name!r} must be a RecordedMemory, got {type(one).__name__}")
    lengths = {name: one.memories.shape[1] for name, one in models.items()}
    if len(set(lengths.values())) > 1:
        raise ValueError(f"all models must have as many steps, got {lengths}")
    return models


def _length(models: Mapping[str, RecordedMemory]) -> int:
    return int(next(iter(models.values())).memories.shape[1])


def _counted(
    models: Mapping[str, RecordedMemory], mask: npt.ArrayLike | None
) -> Bool[np.ndarray, " T"] | None:
    """Return the steps at which an answer of any sample counts."""
    if mask is None:
        return None
    counts = as_booleans("mask", mask)
    for one in models.values():
        batch, length = one.memories.shape[:2]
        check_shape("mask", counts.shape, ("B", "T"), B=batch, T=length)
    return np.asarray(counts.any(axis=0))


def _runs(steps: Bool[np.ndarray, " T"]) -> list[tuple[int, int]]:
    """Return the first and the last of each run of True, counted from 1."""
    edges = np.diff(np.concatenate([[False], steps, [False]]).astype(int))
    return list(zip((np.flatnonzero(edges == 1) + 1).tolist(), np.flatnonzero(edges == -1).tolist()))


def _sequences(models: Mapping[str, RecordedMemory]) -> str:
    counts = sorted({len(one.memories) for one in models.values()})
    text = " or ".join(f"{count:,}" for count in counts)
    return f"{text} sequence{'' if counts == [1] else 's'}"


def _compose(
    figure: Figure,
    title: str,
    caption: str,
    content: float,
    single: Mapping[str, RecordedMemory] | None = None,
    *,
    scaled: bool = False,
) -> float:
    """Size the figure, write all that lies around `content` inches; return where that begins."""
    width = float(figure.get_size_inches()[0])
    font: dict[str, Any] = {"fontsize": style.TITLE_SIZE, "fontweight": "bold"}
    heading = style.wrap(figure, title, width - 0.4, **font)
    note = style.wrap(figure, caption, width - 0.6, fontsize=style.SMALL_SIZE)
    note_top = 0.14 + style.text_size(figure, note, fontsize=style.SMALL_SIZE)[1]
    legend, legend_height = None, 0.0
    if single:
        legend = _legend(figure, single, width, scaled=scaled)
        legend_height = float(legend.get_window_extent().height / figure.dpi)
    bottom = note_top + legend_height + 0.62  # step numbers and the axis' name
    height = bottom + content + 0.3 + style.text_size(figure, heading, **font)[1]
    figure.set_size_inches(width, height)
    style.write_at(figure, width / 2, height - 0.15, heading, ha="center", va="top", **font)
    style.write_at(figure, width / 2, 0.14, note, ha="center", va="bottom", color=style.QUIET)
    if legend is not None:
        legend.set_bbox_to_anchor((0.5, (note_top + 0.05) / height))
    return bottom


def _legend(figure: Figure, single: Mapping[str, RecordedMemory], width: float, *, scaled: bool) -> Legend:
    """Name the dashed lines, one below the other."""
    from matplotlib.lines import Line2D

    what = "norm of its state" + (", scaled to the width of a slot" if scaled else "")
    names = [style.wrap(figure, f"{name}: {what}", width - 1.6) for name in single]
    handles = [Line2D([], [], **look) for look in _looks(single)]
    return figure.legend(handles, names, loc="lower center", handlelength=3.0, borderaxespad=0.0)


def _looks(single: Mapping[str, RecordedMemory]) -> list[dict[str, Any]]:
    """Colour and dashes of the models without slots; those of one family differ in their dashes."""
    dashes = style.DASHES[1:]
    return [
        {"color": style.colour_of(one.model), "linestyle": dashes[index % len(dashes)], "linewidth": 2.0}
        for index, one in enumerate(single.values())
    ]


def _time_axis(axes: Axes, length: int, counted: Bool[np.ndarray, " T"] | None) -> None:
    """Steps from 1 to T, those that count shaded."""
    from matplotlib.ticker import MaxNLocator

    axes.set_xlim(0.5, length + 0.5)
    axes.xaxis.set_major_locator(MaxNLocator(8, integer=True, min_n_ticks=1))
    axes.grid(visible=False, axis="x")
    if counted is not None:
        for first, last in _runs(counted):
            axes.axvspan(first - 0.5, last + 0.5, color=style.SHADE, linewidth=0.8, zorder=0, gid="counted")


def _plot(axes: Axes, values: npt.ArrayLike, **look: Any) -> None:
    """A line over the steps, with dots where these are few (one step alone has no line)."""
    y = np.asarray(values)
    marker = {"marker": "o", "markersize": 3.5} if len(y) <= 32 else {}
    axes.plot(np.arange(1, len(y) + 1), y, **{"linewidth": 1.6, "zorder": 3, **marker, **look})


def _draw_norms(
    axes: Axes, one: RecordedMemory | None, single: Mapping[str, RecordedMemory], panel: float
) -> None:
    """The norms of a model's slots, named at the right, and those of the models without slots, dashed."""
    for (name, other), look in zip(single.items(), _looks(single)):
        scale = 1.0 if one is None else np.sqrt(one.memories.shape[3] / other.memories.shape[3])
        _plot(axes, scale * slot_norms(other.memories)[:, 0], label=name, **{**look, "zorder": 4})
    norms = np.zeros((0, 0)) if one is None else slot_norms(one.memories)
    colours = _slot_colours(norms.shape[1])
    for slot, colour in enumerate(colours):
        _plot(axes, norms[:, slot], color=colour, label=f"slot {slot + 1}")
    axes.set_ylim(0, 1.06 * max(axes.dataLim.y1, 1e-9))
    if len(norms):
        _name_slots(axes, norms[-1], colours, panel)


def _slot_colours(slots: int) -> list[Any]:
    """From dark to light in the order of the slots."""
    from matplotlib import colormaps

    return [colormaps["viridis"](place) for place in np.linspace(0.0, 0.88, slots)]


def _name_slots(axes: Axes, ends: Float[np.ndarray, " N"], colours: Sequence[Any], panel: float) -> None:
    """Write the numbers of the slots at the right, led there from the ends of their lines."""
    named = range(0, len(ends), -(-len(ends) // MOST_NAMED))
    line_height = 11 * POINT / NORM_HEIGHT  # of the axes' height
    heights = [float(ends[slot] / axes.get_ylim()[1]) for slot in named]
    places = spread(heights, [line_height] * len(named), -line_height / 2, 1 + line_height / 2)
    step = POINT / panel
    for slot, end, place in zip(named, heights, places):
        axes.plot(
            [1 + 3 * step, 1 + 9 * step, 1 + 14 * step], [end, place, place], transform=axes.transAxes,
            clip_on=False, color=colours[slot], linewidth=1.0,
        )  # fmt: skip
        axes.text(
            1 + 16 * step, place, f"slot {slot + 1}", transform=axes.transAxes, va="center_baseline",
            fontsize=8.5,
        )  # fmt: skip


def _draw_specialisation(axes: Axes, one: RecordedMemory) -> None:
    """The share of the variance between slots, and what slots of unrelated directions have."""
    _plot(axes, specialisation(one.memories), color=style.colour_of(one.model), label="specialisation")
    axes.axhline(1 - 1 / one.memories.shape[2], color=style.QUIET, linewidth=1.0, linestyle=(0, (4, 3)))
    axes.set_ylim(0, 1.04)
    axes.set_yticks([0, 0.5, 1.0])


def _draw_rank(axes: Axes, one: RecordedMemory) -> None:
    """The mean effective rank of the slots, on an axis as high as it can get."""
    highest = min(one.memories.shape[2:])
    _plot(axes, effective_rank(one.memories), color=style.colour_of(one.model), label="effective rank")
    axes.set_ylim(0, 1.04 * highest)
    axes.set_yticks(sorted({0, highest // 2, highest}))


def _draw_changes(
    figure: Figure,
    axes: Axes,
    one: RecordedMemory,
    counted: Bool[np.ndarray, " T"] | None,
    bottom: float,
    height: float,
) -> None:
    """One heat map, its colours at the right, and a strip above the steps that count."""
    from matplotlib.patches import Rectangle
    from matplotlib.ticker import MaxNLocator

    changes = slot_changes(one.memories, one.initial).T  # (N, T)
    slots, length = changes.shape
    image = axes.imshow(
        changes, cmap="Blues", vmin=0, vmax=changes.max() or 1.0, aspect="auto", interpolation="nearest",
        extent=(0.5, length + 0.5, slots + 0.5, 0.5), gid="changes",
    )  # fmt: skip
    axes.grid(visible=False)
    named = range(1, slots + 1, -(-slots // MOST_NAMED))
    axes.set_yticks(named, [str(slot) for slot in named] if slots > 1 else ["state"])
    axes.set_ylabel("slot" if slots > 1 else "", fontsize=style.SMALL_SIZE)
    axes.tick_params(axis="y", length=0)
    for first, last in [] if counted is None else _runs(counted):
        corner, size = (first - 0.5, 1 + 0.4 * STRIP / height), (last - first + 1, STRIP / height)
        strip = Rectangle(corner, *size, color=style.HIGHLIGHT, linewidth=0.5, clip_on=False, gid="counted")
        strip.set_transform(axes.get_xaxis_transform())
        axes.add_patch(strip)
    colours = style.axes_at(figure, LEFT + MAP_WIDTH + 0.2, bottom, 0.15, height)
    bar = figure.colorbar(image, cax=colours)
    bar.locator = MaxNLocator(4 if height > 1 else 1)
    bar.update_ticks()
    bar.outline.set(linewidth=0.6)
