"""Training curves: accuracy on the full task against time and against examples seen."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from relational_rnn.analysis import style
from relational_rnn.analysis.layout import group_labels, spread
from relational_rnn.config.checks import check_number

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LEFT, BETWEEN, RIGHT = 0.95, 1.3, 1.2
PANEL_WIDTH = 3.75
PANEL_HEIGHT = 3.5
TOP_ACCURACY = 1.03
"""The upper end of the accuracy axis, so that a line at 100 % is not cut in half."""

POINT = 1 / 72
TIMES = "\N{MULTIPLICATION SIGN}"
DASH = "\N{EN DASH}"
MARKS = 8
"""Marks on a line, so that lines are told apart in grey."""


@dataclass(frozen=True)
class StageChange:
    """The moment at which a growing task grew.

    Example:
        >>> grown = StageChange(step=400, examples=25_600, seconds=9.5, sizes={"objects": 4})
        >>> Curve("RMC", "rmc", [0, 20], [0, 51_200], [0.25, 0.93], stages=[grown]).stages[0].sizes
        {'objects': 4}
    """

    step: int
    """Optimiser steps done before it."""
    examples: float
    """Examples seen before it."""
    seconds: float
    """Training time before it."""
    sizes: Mapping[str, int]
    """The sizes that grow, by name, from here on."""


@dataclass(frozen=True)
class Curve:
    """Accuracy on held-out examples of the full task, measured by one training or as a mean of several.

    Example:
        >>> Curve("RMC", "rmc", seconds=[0, 60], examples=[0, 500_000], accuracy=[0.25, 0.93]).accuracy[-1]
        0.93
        >>> Curve("RMC", "rmc", seconds=[60, 0], examples=[0, 500_000], accuracy=[0.25, 0.93])
        Traceback (most recent call last):
            ...
        ValueError: seconds of curve 'RMC' must be finite, at least 0 and never fall, got [60, 0]
    """

    name: str
    """What the legend calls it, for example "LSTM, grown task, torch initialisation"."""
    model: str
    """Family, which chooses the colour: "rmc", "lstm", ..."""
    seconds: Sequence[float]
    """Training time at each measurement, never falling; empty where nobody kept it."""
    examples: Sequence[float]
    """Examples seen at each measurement, never falling."""
    accuracy: Sequence[float]
    """Share of right answers at each measurement, 0 to 1."""
    stages: Sequence[StageChange] = ()
    """When the task grew, in order; empty for a fixed task."""
    low: Sequence[float] = ()
    """The lowest accuracy of several trainings at each measurement, if the curve is their mean."""
    high: Sequence[float] = ()
    """The highest."""

    def __post_init__(self) -> None:
        """Raise ValueError if the measurements cannot be drawn."""
        lengths = [len(self.seconds), len(self.examples), len(self.accuracy)]
        if not lengths[1] or len(set(lengths if lengths[0] else lengths[1:])) > 1:
            raise ValueError(
                f"curve {self.name!r} needs as many seconds as examples and accuracies, at least one; "
                f"got {lengths[0]} seconds, {lengths[1]} examples, {lengths[2]} accuracies"
            )
        for axis in ("seconds", "examples"):
            _check_rising(f"{axis} of curve {self.name!r}", getattr(self, axis))
            _check_rising(
                f"{axis} of the stages of curve {self.name!r}", [getattr(s, axis) for s in self.stages]
            )
        if (self.low or self.high) and {len(self.low), len(self.high)} != {lengths[2]}:
            raise ValueError(
                f"low and high of curve {self.name!r} need {lengths[2]} accuracies each, as the curve has; "
                f"got {len(self.low)} and {len(self.high)}"
            )
        for value in (*self.accuracy, *self.low, *self.high):
            check_number(f"accuracy of curve {self.name!r}", value, 0, 1)


def _check_rising(name: str, numbers: Sequence[float]) -> None:
    values = np.asarray(numbers, dtype=float)
    if not np.isfinite(values).all() or (values < 0).any() or (np.diff(values) < 0).any():
        raise ValueError(f"{name} must be finite, at least 0 and never fall, got {list(numbers)}")


def training_curves(
    curves: Sequence[Curve],
    *,
    trivial_accuracy: float,
    title: str,
    about: str = "",
    path: str | os.PathLike[str],
) -> Path:
    """Draw training curves and write them to `path`; see `draw_training_curves`.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> rmc = Curve("RMC", "rmc", seconds=[0, 60], examples=[0, 500_000], accuracy=[0.25, 0.93])
        >>> with TemporaryDirectory() as folder:
        ...     training_curves([rmc], trivial_accuracy=0.25, title="Sorting", path=f"{folder}/rmc.svg").name
        'rmc.svg'
    """
    figure = draw_training_curves(curves, trivial_accuracy=trivial_accuracy, title=title, about=about)
    return style.save(figure, path)


def draw_training_curves(
    curves: Sequence[Curve], *, trivial_accuracy: float, title: str, about: str = ""
) -> Figure:
    """Validation accuracy on the full task against seconds (left) and against examples seen (right).

    Curves of one family share its colour and mark and differ in their dashes; around the mean of several
    trainings a band reaches from the lowest to the highest. The last value of each stands at the right of its
    panel, the highest in bold. Without the seconds of every curve there is no left panel. Ticks above the
    panels say when the task grew: for the RMC, or for the first curve with stages if no RMC has any.

    Args:
        curves: at least one.
        trivial_accuracy: what a model scores that knows the easy part only, 0 to 1: a dashed line.
        title: above both panels; long ones are wrapped.
        about: below the title, for example the task.

    Returns:
        The figure, unsaved.

    Raises:
        ValueError: no curves, or a trivial accuracy outside 0..1.
        ImportError: matplotlib is absent.

    Example:
        >>> rmc = Curve("RMC", "rmc", seconds=[0, 60], examples=[0, 500_000], accuracy=[0.25, 0.93])
        >>> len(draw_training_curves([rmc], trivial_accuracy=0.5, title="Nth farthest").axes)
        2
    """
    if not curves:
        raise ValueError("training curves need at least one curve, got none")
    trivial = check_number("trivial_accuracy", trivial_accuracy, 0, 1)
    with_stages = [curve for curve in curves if curve.stages]
    growing = next(
        (c for c in with_stages if c.model.lower() == "rmc"), with_stages[0] if with_stages else None
    )
    columns = [axis for axis in ("seconds", "examples") if all(len(getattr(c, axis)) for c in curves)]
    with style.paper_style():
        width = LEFT + len(columns) * (PANEL_WIDTH + BETWEEN) - BETWEEN + RIGHT
        figure = style.new_figure(width)
        looks = style.lines_of([one.model for one in curves])
        bottom = _add_legend(figure, curves, looks, columns) + 0.72
        panel_height = max(PANEL_HEIGHT, 0.2 * len(curves))  # room for one end label per curve
        style.add_title(figure, title, width, bottom + panel_height + (0.6 if growing else 0.1), about)
        for column, axis in enumerate(columns):
            left = LEFT + column * (PANEL_WIDTH + BETWEEN)
            axes = style.axes_at(figure, left, bottom, PANEL_WIDTH, panel_height)
            _draw_panel(figure, axes, curves, looks, axis, trivial, growing, panel_height)
            axes.set_ylabel("validation accuracy, full task" if column == 0 else "")
            axes.tick_params(axis="y", labelleft=column == 0)
    return figure


def _add_legend(
    figure: Figure, curves: Sequence[Curve], looks: list[dict[str, Any]], columns: Sequence[str]
) -> float:
    """Put legend and note at the bottom; returns their height in inches."""
    from matplotlib.lines import Line2D

    names = [style.wrap(figure, curve.name, figure.get_size_inches()[0] - 1.5) for curve in curves]
    note = "At the right: the last value of each line"
    ends = [{getattr(curve, axis)[-1] for curve in curves} for axis in columns]
    if max(map(len, ends)) > 1:
        note += "; a thin line leads there from where its training ended"
    if any(curve.low for curve in curves):
        note += ". Lines are means over the seeds, bands reach from the lowest seed to the highest"
    return style.add_legend(figure, [Line2D([], [], **look) for look in looks], names, note + ".")


def _draw_panel(
    figure: Figure,
    axes: Axes,
    curves: Sequence[Curve],
    looks: list[dict[str, Any]],
    axis: str,
    trivial: float,
    growing: Curve | None,
    height: float,
) -> None:
    """One panel of `height` inches: lines, trivial line, end labels, stage ticks."""
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    furthest = max(float(getattr(curve, axis)[-1]) for curve in curves) or 1.0
    axes.set_xlim(0, furthest)
    axes.set_ylim(0, TOP_ACCURACY)
    style.percent_axis(axes.yaxis)
    axes.xaxis.set_major_locator(MaxNLocator(6))
    axes.set_xlabel("training time (seconds)" if axis == "seconds" else "examples seen")
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: style.short_number(value)))
    for index, (curve, look) in enumerate(zip(curves, looks)):
        x, y = getattr(curve, axis), curve.accuracy
        order = 4 if curve.model.lower() == "rmc" else 3  # the model this is about lies on top
        marks = _marked_points(np.asarray(x, dtype=float), furthest, index / len(curves))
        axes.plot(x, y, label=curve.name, zorder=order, gid=f"curve {index}", markevery=marks, **look)
        if curve.low:
            axes.fill_between(
                x, curve.low, curve.high, color=look["color"], alpha=0.18, linewidth=0, zorder=2
            )
        axes.plot(x[-1:], y[-1:], zorder=order, clip_on=False, **look)
        axes.plot([x[-1], furthest], [y[-1]] * 2, color=look["color"], linewidth=0.8, alpha=0.5, zorder=2)
    axes.axhline(trivial, zorder=5, label="trivial score", **style.TRIVIAL_LINE)
    _label_trivial(figure, axes, curves, axis, trivial, furthest, height)
    _label_ends(axes, curves, looks, height)
    if growing is not None:
        _mark_stages(figure, axes, growing, axis, furthest, height)


def _marked_points(x: np.ndarray, furthest: float, shift: float) -> list[int]:
    """Return the points of a line that carry its mark: about eight, those of each line at other places."""
    wanted = furthest * (np.arange(MARKS) + shift) / MARKS
    return sorted({int(np.abs(x - place).argmin()) for place in wanted if place <= x[-1]})


def _label_trivial(
    figure: Figure,
    axes: Axes,
    curves: Sequence[Curve],
    axis: str,
    trivial: float,
    furthest: float,
    height: float,
) -> None:
    """Name the trivial line where the fewest curves pass: at its right, middle or left, below or above."""
    text = f"trivial score {style.percent(trivial)}"
    text_width, text_height = style.text_size(figure, text, fontsize=style.SMALL_SIZE)
    width, tall = text_width / PANEL_WIDTH, text_height / height
    grid = np.linspace(0, furthest, 400)
    lines = []
    for curve in curves:
        x = np.asarray(getattr(curve, axis), dtype=float)
        y = np.interp(grid, x, np.asarray(curve.accuracy, dtype=float)) / TOP_ACCURACY
        lines.append(np.where(grid >= x[0], y, np.nan))
    level = trivial / TOP_ACCURACY
    pad = 5 * POINT / height
    places = []
    for bottom in (level - pad - tall, level + pad):
        for left in (0.985 - width, 0.5 - width / 2, 0.02):
            inside = (grid >= left * furthest) & (grid <= (left + width) * furthest)
            hits = sum(
                int(((y > bottom - pad / 2) & (y < bottom + tall + pad / 2) & inside).sum()) for y in lines
            )
            cut_off = bottom < 0 or bottom + tall > 1
            places.append((cut_off, hits, left, bottom))
    _, _, left, bottom = min(places, key=lambda place: place[:2])
    axes.text(
        left, bottom, text, transform=axes.transAxes, fontsize=style.SMALL_SIZE, va="bottom", zorder=6,
        bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.75, "pad": 0.8},
    )  # fmt: skip


def _label_ends(axes: Axes, curves: Sequence[Curve], looks: list[dict[str, Any]], height: float) -> None:
    """Write the last value of each line at the right, led there by a piece of the line itself."""
    line_height = 13.5 * POINT / height  # of the axes' height
    ends = [float(curve.accuracy[-1]) / TOP_ACCURACY for curve in curves]
    places = spread(ends, [line_height] * len(ends), -line_height / 2, 1 + line_height / 2)
    step = POINT / PANEL_WIDTH
    highest = max(ends)
    for curve, look, end, place in zip(curves, looks, ends, places):
        axes.plot(
            [1 + 4 * step, 1 + 13 * step, 1 + 33 * step], [end, place, place], transform=axes.transAxes,
            clip_on=False, markevery=[2], **{**look, "linewidth": 1.5},
        )  # fmt: skip
        weight = "bold" if end == highest and len(ends) > 1 else "normal"
        axes.text(
            1 + 40 * step, place, style.percent(curve.accuracy[-1]), transform=axes.transAxes,
            va="center_baseline", fontsize=style.SMALL_SIZE, fontweight=weight,
        )  # fmt: skip


def _mark_stages(figure: Figure, axes: Axes, curve: Curve, axis: str, furthest: float, height: float) -> None:
    """Tick the top of the panel where the task grew; ticks too close for a label each share one."""
    small = style.SMALL_SIZE - 0.5
    stages = [stage for stage in curve.stages if getattr(stage, axis) <= furthest]
    names = [TIMES.join(map(str, stage.sizes.values())) for stage in stages]
    x = [float(getattr(stage, axis)) / furthest for stage in stages]
    inches = [style.text_size(figure, name, fontsize=small)[0] + 6 * POINT for name in names]
    places = group_labels(
        [PANEL_WIDTH * value for value in x],
        inches,
        low=-20 * POINT,
        high=PANEL_WIDTH + 20 * POINT,
        reach=48 * POINT,
    )
    up = POINT / height
    colour = style.INK
    thin: dict[str, Any] = {"color": colour, "linewidth": 0.9, "transform": axes.transAxes, "clip_on": False}
    for value in x:
        axes.plot([value, value], [1 - 5 * up, 1 + 3 * up], **thin)
    for first, last, centre in places:
        middle = (x[first] + x[last]) / 2
        if first != last:
            axes.plot([x[first], x[last]], [1 + 3 * up, 1 + 3 * up], **thin)
        axes.plot([middle, centre / PANEL_WIDTH], [1 + 3 * up, 1 + 9 * up], **thin)
        text = names[first] if first == last else f"{names[first]}{DASH}{names[last]}"
        axes.text(
            centre / PANEL_WIDTH, 1 + 11 * up, text, transform=axes.transAxes, ha="center", va="bottom",
            fontsize=small, color=colour,
        )  # fmt: skip
    what = f" {TIMES} ".join(stages[0].sizes) if stages else ""
    axes.text(
        0, 1 + 25 * up, f"{curve.name} trains on {what}:", transform=axes.transAxes,
        va="bottom", fontsize=small, color=colour,
    )  # fmt: skip
