"""Sample efficiency: how many examples a model has seen when it first reaches an accuracy."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from relational_rnn.analysis import style
from relational_rnn.config.checks import check_number

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ACCURACIES: Final = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99)
"""Accuracies to reach, of which `thresholds` takes some."""

WIDTH, LEFT, RIGHT = 8.6, 0.95, 0.35
PANEL_HEIGHT = 3.5
ROW, GAP = 0.23, 0.12
"""Inches of a model's row in the strip of what was not reached, and between strip and panel."""
REACH = 0.5
"""Share of the way to the next threshold over which the models' marks are spread."""


@dataclass(frozen=True)
class Efficiency:
    """How many examples the trainings of one model needed."""

    name: str
    """What the legend calls it."""
    model: str
    """Family, which chooses colour and mark: "rmc", "lstm", ..."""
    examples: Sequence[Sequence[float | None]]
    """For each training the examples seen when it first reached each threshold; None for never."""

    def __post_init__(self) -> None:
        """Raise ValueError if the numbers cannot be drawn."""
        lengths = {len(training) for training in self.examples}
        if len(lengths) != 1 or 0 in lengths:
            raise ValueError(
                f"{self.name!r} needs at least one training, and as many numbers of examples for each; "
                f"got {[len(training) for training in self.examples]}"
            )
        for training in self.examples:
            for number in training:
                if number is not None and not (0 < number < math.inf):
                    raise ValueError(f"examples of {self.name!r} must be above 0 and finite, got {number}")


def thresholds(trivial_accuracy: float, best: float) -> list[float]:
    """Return those of `ACCURACIES` above the trivial score, up to the first that the best has not reached.

    Example:
        >>> thresholds(trivial_accuracy=0.34, best=0.62)
        [0.4, 0.5, 0.6, 0.7]
    """
    above = [accuracy for accuracy in ACCURACIES if accuracy > trivial_accuracy] or [ACCURACIES[-1]]
    return above[: 1 + sum(accuracy <= best for accuracy in above)]


def examples_to_accuracy(records: Sequence[dict[str, Any]], accuracy: float) -> int | None:
    """Return after how many examples a training first had a validation accuracy; None for never.

    Args:
        records: of its evaluations, with `examples` and `validation_accuracy`, in order.
        accuracy: to reach, 0 to 1.

    Example:
        >>> points = [(100, 0.2), (200, 0.85), (300, 0.7)]
        >>> records = [{"examples": n, "validation_accuracy": share} for n, share in points]
        >>> examples_to_accuracy(records, 0.7), examples_to_accuracy(records, 0.9)
        (200, None)
    """
    return next((r["examples"] for r in records if r["validation_accuracy"] >= accuracy), None)


def sample_efficiency(
    models: Sequence[Efficiency], *, accuracies: Sequence[float], title: str, path: str | os.PathLike[str]
) -> Path:
    """Draw the sample efficiency and write it to `path`; see `draw_sample_efficiency`."""
    return style.save(draw_sample_efficiency(models, accuracies=accuracies, title=title), path)


def draw_sample_efficiency(
    models: Sequence[Efficiency], *, accuracies: Sequence[float], title: str
) -> Figure:
    """Examples needed (logarithmic) against the accuracy to reach, one line a model.

    A line joins the means of the trainings; small dots are the trainings, thin lines their range. Where one
    of them never reached the accuracy there is no mean: a hollow mark above the panel says so, and beside it
    how many did.

    Args:
        models: at least one.
        accuracies: to reach, rising, 0 to 1.
        title: above the panel; long ones are wrapped.

    Returns:
        The figure, unsaved.

    Raises:
        ValueError: no models, accuracies that do not rise, or other numbers of examples than accuracies.
        ImportError: matplotlib is absent.

    Example:
        >>> rmc = Efficiency("RMC", "rmc", [[2000, 9000], [1500, None]])
        >>> len(draw_sample_efficiency([rmc], accuracies=[0.5, 0.9], title="Sorting").axes)
        2
    """
    if not models:
        raise ValueError("sample efficiency needs at least one model, got none")
    rising = [check_number("accuracies", accuracy, 0, 1) for accuracy in accuracies]
    if sorted(set(rising)) != rising or any(len(m.examples[0]) != len(rising) for m in models):
        raise ValueError(
            "accuracies must rise, one for each number of examples; got "
            f"{rising} and {[len(m.examples[0]) for m in models]} numbers"
        )
    with style.paper_style():
        figure = style.new_figure(WIDTH)
        bottom = _add_legend(figure, models) + 0.75
        strip = ROW * len(models)
        style.add_title(figure, title, WIDTH, bottom + PANEL_HEIGHT + GAP + strip + 0.1)
        width = WIDTH - LEFT - RIGHT
        panel = style.axes_at(figure, LEFT, bottom, width, PANEL_HEIGHT)
        above = style.axes_at(figure, LEFT, bottom + PANEL_HEIGHT + GAP, width, strip)
        for axes in (panel, above):
            axes.set_xlim(-0.5, len(rising) - 0.5)
        for number, model in enumerate(models):
            shift = REACH * ((number + 0.5) / len(models) - 0.5)
            _draw_model(panel, model, np.arange(len(rising)) + shift)
            _draw_not_reached(above, model, number)
        _finish_panel(panel, models, [f"{100 * accuracy:.3g} %" for accuracy in rising])
        _finish_strip(above, len(models))
    return figure


def _look(model: Efficiency) -> dict[str, Any]:
    return {"color": style.colour_of(model.model), "marker": style.marker_of(model.model), "markersize": 7}


def _add_legend(figure: Figure, models: Sequence[Efficiency]) -> float:
    """Put the legend at the bottom; returns its height in inches."""
    from matplotlib.lines import Line2D

    handles = [Line2D([], [], linewidth=2.0, **_look(model)) for model in models]
    return style.add_legend(figure, handles, [model.name for model in models])


def _draw_model(axes: Axes, model: Efficiency, places: np.ndarray) -> None:
    """Mean, range and trainings of one model at the thresholds."""
    needed = np.array(model.examples, dtype=float)  # (trainings, thresholds), NaN for never
    order = 4 if model.model.lower() == "rmc" else 3  # the model this is about lies on top
    means = needed.mean(axis=0)
    axes.plot(places, means, linewidth=2.0, zorder=order, **_look(model))
    if len(needed) > 1:
        colour = style.colour_of(model.model)
        for place, reached in zip(places, needed.T):
            found = reached[~np.isnan(reached)]
            if len(found):
                axes.plot([place, place], [found.min(), found.max()], color=colour, linewidth=1.2, zorder=2)
                axes.plot([place] * len(found), found, ".", color=colour, markersize=4, alpha=0.7, zorder=2)


def _draw_not_reached(axes: Axes, model: Efficiency, row: int) -> None:
    """Hollow marks in a model's row where not all of its trainings reached a threshold."""
    for place, reached in enumerate(zip(*model.examples)):
        count = sum(number is not None for number in reached)
        if count < len(reached):
            axes.plot(place, row, markerfacecolor="white", markeredgewidth=1.4, **_look(model))
        if 0 < count < len(reached):
            text = f"{count}/{len(reached)} did"
            axes.annotate(text, (place, row), (7, 0), textcoords="offset points", va="center", fontsize=7.5)


def _finish_panel(axes: Axes, models: Sequence[Efficiency], names: list[str]) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    axes.set_xticks(range(len(names)), names)
    axes.set_xlabel("validation accuracy to reach")
    axes.set_ylabel("examples seen until then")
    needed = [number for model in models for training in model.examples for number in training if number]
    if not needed:
        axes.set_yticks([])
        axes.text(
            0.5, 0.5, "no training reached any of these", transform=axes.transAxes, ha="center", va="center"
        )
        return
    axes.set_yscale("log")
    axes.set_ylim(min(needed) / 1.4, max(needed) * 1.4)
    few = max(needed) < 200 * min(needed)
    axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0) if few else (1.0,)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: style.short_number(value)))
    axes.yaxis.set_minor_formatter(NullFormatter())


def _finish_strip(axes: Axes, rows: int) -> None:
    axes.set_ylim(rows - 0.5, -0.5)  # the first model on top
    axes.set_facecolor("#F4F4F4")
    axes.set_yticks([])
    axes.tick_params(axis="x", bottom=False, labelbottom=False)
    axes.grid(visible=False)
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.set_ylabel("not\nreached", rotation=0, ha="right", va="center", fontsize=style.SMALL_SIZE)
