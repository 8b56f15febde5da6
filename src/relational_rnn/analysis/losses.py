"""Loss curves: on the batches of training and on validation examples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from relational_rnn.analysis import style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LEFT, BETWEEN, RIGHT = 0.95, 0.45, 0.3
PANEL_WIDTH, PANEL_HEIGHT = 4.4, 3.3
MARKS = 8
"""Marks on a line."""


class Line(NamedTuple):
    """A loss over training, the mean of the seeds.

    Example:
        >>> Line(examples=[100, 200], loss=[2.0, 0.5], low=[1.9, 0.4], high=[2.1, 0.6]).loss[-1]
        0.5
    """

    examples: Sequence[float]
    """Seen at each point."""
    loss: Sequence[float]
    """Cross-entropy in nats, above 0."""
    low: Sequence[float]
    """Of the lowest seed; empty with one."""
    high: Sequence[float]
    """Of the highest seed."""


@dataclass(frozen=True)
class Losses:
    """The losses of one model, or of one of its training regimes.

    Example:
        >>> training, validation = Line([100, 200], [2.0, 0.5], [], []), Line([100, 200], [2.1, 0.7], [], [])
        >>> Losses("RMC", "rmc", training, validation).validation.loss[-1]
        0.7
    """

    name: str
    """What the legend calls it."""
    model: str
    """Family, which chooses colour and mark."""
    training: Line
    validation: Line

    def __post_init__(self) -> None:
        """Raise ValueError if the numbers cannot be drawn."""
        for line in (self.training, self.validation):
            if not len(line.examples) or len(line.examples) != len(line.loss):
                raise ValueError(
                    f"{self.name!r} needs as many losses as examples, at least one; "
                    f"got {len(line.examples)} examples, {len(line.loss)} losses"
                )
            if not (np.isfinite(line.loss).all() and min(line.loss) > 0):
                raise ValueError(f"losses of {self.name!r} must be finite and above 0")


def draw_loss_curves(models: Sequence[Losses], *, title: str, about: str = "") -> Figure:
    """Loss in training (left) and on validation examples (right) against examples seen, one scale for both.

    Args:
        models: at least one.
        title: above both panels; long ones are wrapped.
        about: below the title, for example the task.

    Returns:
        The figure, unsaved.

    Raises:
        ValueError: no models.
        ImportError: matplotlib is absent.

    Example:
        >>> falling = Line([100, 200], [2.0, 0.5], [], [])
        >>> len(draw_loss_curves([Losses("RMC", "rmc", falling, falling)], title="Loss").axes)
        2
    """
    if not models:
        raise ValueError("loss curves need at least one model, got none")
    several = any(len(one.training.low) for one in models)
    note = "The scale is logarithmic." + (" Bands: from the lowest seed to the highest." if several else "")
    with style.paper_style():
        from matplotlib.lines import Line2D

        width = LEFT + 2 * PANEL_WIDTH + BETWEEN + RIGHT
        figure = style.new_figure(width)
        looks = style.lines_of([one.model for one in models])
        handles = [Line2D([], [], **look) for look in looks]
        names = [style.wrap(figure, one.name, width - 1.5) for one in models]
        bottom = style.add_legend(figure, handles, names, note) + 0.72
        style.add_title(figure, title, width, bottom + PANEL_HEIGHT + 0.3, about)
        lines = {
            "on training batches": [one.training for one in models],
            "on validation examples": [one.validation for one in models],
        }
        left, panels = LEFT, []
        for heading, of_models in lines.items():
            axes = style.axes_at(figure, left, bottom, PANEL_WIDTH, PANEL_HEIGHT)
            axes.set_title(heading, fontsize=style.TEXT_SIZE, loc="left")
            _draw_panel(axes, of_models, looks)
            panels.append(axes)
            left += PANEL_WIDTH + BETWEEN
        _share_scale(panels, [line for of_models in lines.values() for line in of_models])
        panels[0].set_ylabel("loss (cross-entropy, nats)")
        panels[1].tick_params(axis="y", which="both", labelleft=False)
    return figure


def _draw_panel(axes: Axes, lines: Sequence[Line], looks: Sequence[dict[str, object]]) -> None:
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    axes.set_yscale("log")
    axes.set_xlim(0, max(line.examples[-1] for line in lines))
    axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: style.short_number(value)))
    axes.set_xlabel("examples seen")
    for place, (line, look) in enumerate(zip(lines, looks)):
        every = max(1, len(line.loss) // MARKS)
        marks: dict[str, Any] = {"markevery": (place * every // len(lines), every), "clip_on": False, **look}
        axes.plot(line.examples, line.loss, **marks)
        if len(line.low):
            axes.fill_between(
                line.examples, line.low, line.high, color=str(look["color"]), alpha=0.18, linewidth=0,
                zorder=1,
            )  # fmt: skip


def _share_scale(panels: Sequence[Axes], lines: Sequence[Line]) -> None:
    """Give both panels one axis with plain numbers."""
    from matplotlib.ticker import FuncFormatter, Locator, LogLocator, MaxNLocator, NullFormatter

    values = [value for line in lines for value in (*line.loss, *line.low, *line.high)]
    low, high = min(values) / 1.2, max(values) * 1.2
    for axes in panels:
        axes.set_ylim(low, high)
        ticks: Locator = LogLocator(subs=(1.0,) if high > 300 * low else (1.0, 2.0, 5.0))
        if high < 5 * low:  # a loss that hardly moved: there may be no such number between
            ticks = MaxNLocator(4, steps=[1, 2, 5, 10])
        axes.yaxis.set_major_locator(ticks)
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.yaxis.set_minor_formatter(NullFormatter())
