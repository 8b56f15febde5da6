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
ROW = 0.24
"""Inches of a model's row in the table of what was not reached."""


@dataclass(frozen=True)
class Efficiency:
    """How many examples the trainings of one model needed.

    Example:
        >>> Efficiency("RMC", "rmc", [[2000, 9000], [1500, None]]).examples[1]  # the second seed: 90 % never
        [1500, None]
    """

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
    models: Sequence[Efficiency],
    *,
    accuracies: Sequence[float],
    title: str,
    about: str = "",
    path: str | os.PathLike[str],
) -> Path:
    """Draw the sample efficiency and write it to `path`; see `draw_sample_efficiency`.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> rmc = Efficiency("RMC", "rmc", [[2000, 9000], [1500, None]])
        >>> with TemporaryDirectory() as folder:
        ...     path = f"{folder}/efficiency.svg"
        ...     sample_efficiency([rmc], accuracies=[0.5, 0.9], title="Sorting", path=path).name
        'efficiency.svg'
    """
    figure = draw_sample_efficiency(models, accuracies=accuracies, title=title, about=about)
    return style.save(figure, path)


def draw_sample_efficiency(
    models: Sequence[Efficiency], *, accuracies: Sequence[float], title: str, about: str = ""
) -> Figure:
    """Examples needed (logarithmic) against the accuracy to reach, one line a model.

    A line joins the means of the trainings, a band reaches from the quickest to the slowest. Where a training
    never reached the accuracy there is no mean: a table above the panel says how many did not.

    Args:
        models: at least one.
        accuracies: to reach, rising, 0 to 1.
        title: above the panel; long ones are wrapped.
        about: below the title, for example the task.

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
    looks = style.lines_of([one.model for one in models])
    missing = [place for place, model in enumerate(models) if any(None in one for one in model.examples)]
    several = max(len(model.examples) for model in models) > 1
    note = "Lines are means over the seeds, bands reach from the quickest to the slowest." if several else ""
    with style.paper_style():
        from matplotlib.lines import Line2D

        figure = style.new_figure(WIDTH)
        names = [style.wrap(figure, model.name, WIDTH - 1.5) for model in models]
        bottom = style.add_legend(figure, [Line2D([], [], **look) for look in looks], names, note) + 0.75
        strip = ROW * len(missing)
        above = strip + 0.42 if missing else 0.1
        style.add_title(figure, title, WIDTH, bottom + PANEL_HEIGHT + above, about)
        width = WIDTH - LEFT - RIGHT
        panel = style.axes_at(figure, LEFT, bottom, width, PANEL_HEIGHT)
        margin = 0.06 * (rising[-1] - rising[0]) or 0.05
        panel.set_xlim(rising[0] - margin, rising[-1] + margin)
        # Lines may be equal: each is thinner than those under it, the RMC's lies on top.
        order = sorted(range(len(models)), key=lambda place: models[place].model.lower() == "rmc")
        for above_it, place in enumerate(reversed(order)):
            wider = {"linewidth": 2.0 + 1.3 * above_it, "markersize": 6.0 + 2.0 * above_it}
            look = {**looks[place], **wider, "zorder": 4 - above_it / len(models)}
            _draw_model(panel, models[place], np.array(rising), look)
        _finish_panel(panel, models, rising)
        if missing:
            table = style.axes_at(figure, LEFT, bottom + PANEL_HEIGHT + 0.1, width, strip)
            table.set_xlim(panel.get_xlim())
            what = "seeds that never reach it" if several else "never reached: a cross"
            style.write_at(figure, LEFT, bottom + PANEL_HEIGHT + 0.14 + strip, what)
            for row, place in enumerate(missing):
                _draw_missing(table, models[place], rising, looks[place], 1 - (row + 0.5) / len(missing))
            _finish_table(table)
    return figure


def _draw_model(axes: Axes, model: Efficiency, places: np.ndarray, look: dict[str, Any]) -> None:
    """Mean and range of one model where all of its trainings reached the accuracy."""
    needed = np.array(model.examples, dtype=float)  # (trainings, thresholds), NaN for never
    axes.plot(places, needed.mean(axis=0), label=model.name, **look)
    reached = ~np.isnan(needed).any(axis=0)
    if len(needed) > 1:
        low, high = needed.min(axis=0)[reached], needed.max(axis=0)[reached]
        axes.fill_between(places[reached], low, high, color=look["color"], alpha=0.15, linewidth=0, zorder=2)


def _draw_missing(
    axes: Axes, model: Efficiency, rising: Sequence[float], look: dict[str, Any], height: float
) -> None:
    """A model's row: its mark, and how many of its trainings never reached each accuracy."""
    axes.plot(
        -0.012, height, transform=axes.transAxes, clip_on=False, **{**look, "linestyle": "none"},
    )  # fmt: skip
    for place, reached in zip(rising, zip(*model.examples)):
        never = reached.count(None)
        if never:
            text = f"{never} of {len(reached)}" if len(reached) > 1 else "\N{MULTIPLICATION SIGN}"
            axes.text(
                place, height, text, transform=axes.get_xaxis_transform(), ha="center", va="center",
                fontsize=8.5,
            )  # fmt: skip


def _finish_panel(axes: Axes, models: Sequence[Efficiency], rising: Sequence[float]) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    axes.set_xticks(rising, [f"{100 * accuracy:.3g}" for accuracy in rising])
    axes.set_xlabel("validation accuracy to reach (%)")
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


def _finish_table(axes: Axes) -> None:
    axes.set_facecolor("#F4F4F4")
    axes.set_yticks([])
    axes.tick_params(axis="x", bottom=False, labelbottom=False)
    axes.grid(visible=False)
    for spine in axes.spines.values():
        spine.set_visible(False)
