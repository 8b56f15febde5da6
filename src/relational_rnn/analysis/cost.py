"""What the models cost: parameters, time for an example, memory."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from relational_rnn.analysis import style
from relational_rnn.config.checks import check_number

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PANEL, BETWEEN, RIGHT = 2.1, 1.0, 0.85
"""Inches of a panel, and beside it, where the values stand."""
ROW = 0.42


@dataclass(frozen=True)
class Cost:
    """What the trainings of one model cost.

    Example:
        >>> Cost("RMC", "rmc", parameters=41_418, milliseconds=[0.34, 0.36], megabytes=[180, 182]).parameters
        41418
    """

    name: str
    """What stands beside the bars."""
    model: str
    """Family, which chooses the colour: "rmc", "lstm", ..."""
    parameters: int
    """Numbers that training changes."""
    milliseconds: Sequence[float]
    """For each training its time divided by the examples that it saw."""
    megabytes: Sequence[float]
    """For each training the most memory that its process held."""

    def __post_init__(self) -> None:
        """Raise ValueError if the numbers cannot be drawn."""
        if not self.milliseconds or not self.megabytes:
            raise ValueError(f"the cost of {self.name!r} needs at least one training, got none")
        for name in ("parameters", "milliseconds", "megabytes"):
            value = getattr(self, name)
            for number in [value] if name == "parameters" else value:
                check_number(f"{name} of {self.name!r}", number, 0)


def cost_bars(models: Sequence[Cost], *, title: str, about: str = "", path: str | os.PathLike[str]) -> Path:
    """Draw the costs and write them to `path`; see `draw_cost_bars`.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> rmc = Cost("RMC", "rmc", 41_418, [0.34, 0.35], [180, 181])
        >>> with TemporaryDirectory() as folder:
        ...     cost_bars([rmc], title="Sorting", path=f"{folder}/cost.svg").name
        'cost.svg'
    """
    return style.save(draw_cost_bars(models, title=title, about=about), path)


def draw_cost_bars(models: Sequence[Cost], *, title: str, about: str = "") -> Figure:
    """Three panels of lying bars beside each other: parameters, milliseconds an example, peak memory.

    Bars are means of the trainings, thin lines reach from the lowest to the highest.

    Args:
        models: at least one, from top to bottom.
        title: above the panels; long ones are wrapped.
        about: below the title, for example the task.

    Returns:
        The figure, unsaved.

    Raises:
        ValueError: no models.
        ImportError: matplotlib is absent.

    Example:
        >>> len(draw_cost_bars([Cost("RMC", "rmc", 41_418, [0.34, 0.35], [180, 181])], title="Sorting").axes)
        3
    """
    if not models:
        raise ValueError("cost bars need at least one model, got none")
    columns: dict[str, list[Sequence[float]]] = {
        "parameters": [[model.parameters] for model in models],
        "training, ms per example": [model.milliseconds for model in models],
        "peak memory, MB": [model.megabytes for model in models],
    }
    with style.paper_style():
        figure = style.new_figure(8.0)
        names = [style.wrap(figure, model.name, 2.2, fontsize=style.TEXT_SIZE) for model in models]
        left = 0.35 + max(style.text_size(figure, name, fontsize=style.TEXT_SIZE)[0] for name in names)
        row = ROW + 0.17 * max(name.count("\n") for name in names)
        height, width = row * len(models), left + 3 * PANEL + 2 * BETWEEN + RIGHT
        figure.set_size_inches(width, 1.0)
        several = max(len(model.milliseconds) for model in models) > 1
        note = "Bars are means over the seeds, black lines reach from the lowest to the highest."
        bottom = style.add_note(figure, note if several else "") + 0.15
        style.add_title(figure, title, width, bottom + height + 0.4, about)
        for column, (heading, values) in enumerate(columns.items()):
            axes = style.axes_at(figure, left + column * (PANEL + BETWEEN), bottom, PANEL, height)
            axes.set_title(heading, fontsize=style.TEXT_SIZE, loc="left")
            _draw_panel(axes, models, values)
            axes.set_yticks(range(len(models)), names if column == 0 else [], fontsize=style.TEXT_SIZE)
    return figure


def _draw_panel(axes: Axes, models: Sequence[Cost], values: Sequence[Sequence[float]]) -> None:
    axes.set_xlim(0, max(max(of_model) for of_model in values) or 1)
    axes.set_ylim(len(models) - 0.5, -0.5)  # the first one on top
    axes.set_xticks([])
    axes.grid(visible=False)
    axes.spines["bottom"].set_visible(False)
    axes.tick_params(axis="y", length=0)
    for place, (model, of_model) in enumerate(zip(models, values)):
        mean, low, high = sum(of_model) / len(of_model), min(of_model), max(of_model)
        axes.barh(place, mean, 0.6, color=style.colour_of(model.model))
        if high > low:
            axes.errorbar(mean, place, xerr=[[mean - low], [high - mean]], **_RANGE)
        axes.annotate(
            _plain(mean), (high, place), (5, 0), textcoords="offset points", va="center_baseline",
            fontsize=style.SMALL_SIZE, annotation_clip=False,
        )  # fmt: skip


_RANGE: dict[str, Any] = {"ecolor": style.INK, "elinewidth": 1.2, "capsize": 3, "clip_on": False}


def _plain(value: float) -> str:
    """Three digits of a small number, all of a large one."""
    return f"{value:.3g}" if value < 1000 else f"{value:,.0f}"
