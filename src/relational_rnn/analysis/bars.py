"""Bars of the final test accuracies."""

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

POINT = 1 / 72
PANEL = 4.6
"""Length in inches from 0 to 100 % with lying bars; standing ones get less."""
STANDING_PANEL = 3.4
SLOT = 1.35
"""Width in inches that a standing bar, its name and its value have."""


@dataclass(frozen=True)
class Bar:
    """The score of one model, or of one variant of a model.

    Example:
        >>> Bar("RMC", "rmc", accuracy=0.952, error=0.004).label
        '95.2 ± 0.4 %'
    """

    name: str
    """What stands beside the bar."""
    model: str
    """Family, which chooses the colour: "rmc", "lstm", ..."""
    accuracy: float
    """Share of right answers, 0 to 1."""
    error: float | None = None
    """Half-width of the 95 % interval, if known; see `binomial_half_width`."""
    chosen: bool = True
    """Whether this is the training regime of its model that validation chose; the others are drawn pale."""
    seeds: Sequence[float] = ()
    """The scores of several trainings whose mean this is, drawn as dots."""

    def __post_init__(self) -> None:
        """Raise ValueError if the numbers cannot be drawn."""
        check_number(f"accuracy of bar {self.name!r}", self.accuracy, 0, 1)
        if self.error is not None:
            check_number(f"error of bar {self.name!r}", self.error, 0, 1)
        for score in self.seeds:
            check_number(f"seeds of bar {self.name!r}", score, 0, 1)

    @property
    def label(self) -> str:
        """The accuracy in words, "95.2 ± 0.4 %"."""
        if self.error is None:
            return style.percent(self.accuracy)
        return f"{100 * self.accuracy:.1f} \N{PLUS-MINUS SIGN} {style.percent(self.error)}"

    @property
    def whiskers(self) -> list[list[float]] | None:
        """How far the interval reaches down and up, within 0 to 1, as matplotlib wants it."""
        if self.error is None:
            return None
        return [[min(self.error, self.accuracy)], [min(self.error, 1 - self.accuracy)]]

    @property
    def end(self) -> float:
        """Where the bar and its interval end."""
        return max([min(self.accuracy + (self.error or 0.0), 1.0), *self.seeds])


def accuracy_bars(
    results: Sequence[Bar],
    *,
    trivial_accuracy: float,
    title: str,
    about: str = "",
    path: str | os.PathLike[str],
) -> Path:
    """Draw accuracy bars and write them to `path`; see `draw_accuracy_bars`.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> bars = [Bar("RMC", "rmc", 0.95, 0.004), Bar("LSTM", "lstm", 0.51, 0.01)]
        >>> with TemporaryDirectory() as folder:
        ...     accuracy_bars(bars, trivial_accuracy=0.5, title="Sorting", path=f"{folder}/bars.svg").name
        'bars.svg'
    """
    figure = draw_accuracy_bars(results, trivial_accuracy=trivial_accuracy, title=title, about=about)
    return style.save(figure, path)


def draw_accuracy_bars(
    results: Sequence[Bar], *, trivial_accuracy: float, title: str, about: str = ""
) -> Figure:
    """One bar per result in the order given, with 95 % intervals or seeds, values and the trivial score.

    The bars stand if there are few and their names short, and lie otherwise. The highest value is in bold.

    Args:
        results: at least one.
        trivial_accuracy: what a model scores that knows the easy part only, 0 to 1.
        title: above the bars; long ones are wrapped.
        about: below the title, for example the task.

    Returns:
        The figure, unsaved.

    Raises:
        ValueError: no results, or a trivial accuracy outside 0..1.
        ImportError: matplotlib is absent.

    Example:
        >>> bars = [Bar("RMC", "rmc", 0.95, 0.004), Bar("LSTM", "lstm", 0.51, 0.01)]
        >>> len(draw_accuracy_bars(bars, trivial_accuracy=0.5, title="Nth farthest").axes)
        1
    """
    if not results:
        raise ValueError("accuracy bars need at least one result, got none")
    trivial = check_number("trivial_accuracy", trivial_accuracy, 0, 1)
    with style.paper_style():
        figure = style.new_figure(8.0)
        names = [style.wrap(figure, bar.name, SLOT - 0.15, fontsize=style.TEXT_SIZE) for bar in results]
        standing = len(results) <= 6 and max(name.count("\n") for name in names) <= 1
        draw = _standing if standing else _lying
        draw(figure, results, trivial, title, about)
    return figure


def _standing(figure: Figure, results: Sequence[Bar], trivial: float, title: str, about: str) -> None:
    names = [style.wrap(figure, bar.name, SLOT - 0.15, fontsize=style.TEXT_SIZE) for bar in results]
    left, right, panel = 0.85, 1.25, max(3.2, SLOT * len(results))
    bottom = 0.2 + 0.2 * (1 + max(name.count("\n") for name in names))
    axes = _frame(figure, results, title, about, left, bottom, (panel, STANDING_PANEL), right=right, gap=0.3)
    axes.set_xlim(-0.5, len(results) - 0.5)
    axes.set_ylim(0, 1)
    axes.set_ylabel("test accuracy")
    axes.set_xticks(range(len(results)), names, fontsize=style.TEXT_SIZE)
    axes.tick_params(axis="x", length=0)
    axes.grid(visible=False, axis="x")
    style.percent_axis(axes.yaxis)
    axes.axhline(trivial, zorder=3, label="trivial score", **style.TRIVIAL_LINE)
    axes.text(
        1.015, trivial, f"trivial score\n{style.percent(trivial)}", transform=axes.get_yaxis_transform(),
        va="center", fontsize=style.SMALL_SIZE,
    )  # fmt: skip
    for place, bar in enumerate(results):
        axes.bar(place, bar.accuracy, 0.56, zorder=2, **_fill(bar))
        axes.errorbar(place, bar.accuracy, yerr=bar.whiskers, **_ERROR)
        if bar.seeds:
            axes.plot([place] * len(bar.seeds), bar.seeds, **_DOTS)
        leads = bar.accuracy == max(one.accuracy for one in results)
        _write_value(axes, bar, leads, (place, bar.end), (0, 6), ha="center", va="bottom")


def _lying(figure: Figure, results: Sequence[Bar], trivial: float, title: str, about: str) -> None:
    names = [style.wrap(figure, bar.name, 3.8, fontsize=style.TEXT_SIZE) for bar in results]
    left = 0.3 + max(
        style.text_size(figure, name, fontsize=style.TEXT_SIZE, fontweight="bold")[0] for name in names
    )
    slot = 0.3 + 0.16 * (1 + max(name.count("\n") for name in names))
    panel, bottom = slot * len(results), 0.62
    axes = _frame(figure, results, title, about, left, bottom, (PANEL, panel), right=1.35, gap=0.32)
    axes.set_xlim(0, 1)
    axes.set_ylim(len(results) - 0.5, -0.5)  # the first one on top
    axes.set_xlabel("test accuracy")
    axes.set_yticks(range(len(results)), names, fontsize=style.TEXT_SIZE)
    axes.tick_params(axis="y", length=0)
    axes.grid(visible=False, axis="y")
    style.percent_axis(axes.xaxis)
    axes.axvline(trivial, zorder=3, label="trivial score", **style.TRIVIAL_LINE)
    text = f"trivial score {style.percent(trivial)}"
    half = style.text_size(figure, text, fontsize=style.SMALL_SIZE)[0] / 2 / PANEL
    axes.text(
        min(max(trivial, half), 1 - half), 1 + 4 * POINT / panel, text, transform=axes.transAxes, ha="center",
        va="bottom", fontsize=style.SMALL_SIZE,
    )  # fmt: skip
    for place, bar in enumerate(results):
        axes.barh(place, bar.accuracy, 0.6, zorder=2, **_fill(bar))
        axes.errorbar(bar.accuracy, place, xerr=bar.whiskers, **_ERROR)
        if bar.seeds:
            axes.plot(bar.seeds, [place] * len(bar.seeds), **_DOTS)
        leads = bar.accuracy == max(one.accuracy for one in results)
        _write_value(axes, bar, leads, (bar.end, place), (8, 0), ha="left", va="center_baseline")


_ERROR: dict[str, Any] = {
    "ecolor": style.INK,
    "elinewidth": 1.3,
    "capsize": 3.5,
    "zorder": 4,
    "clip_on": False,
}

_DOTS: dict[str, Any] = {
    "marker": "o",
    "linestyle": "none",
    "markersize": 5,
    "markerfacecolor": "white",
    "markeredgecolor": style.INK,
    "markeredgewidth": 1.0,
    "zorder": 5,
    "clip_on": False,
}


def _fill(bar: Bar) -> dict[str, Any]:
    from matplotlib.colors import to_rgb

    colour = to_rgb(style.colour_of(bar.model))
    pale = tuple(0.35 * channel + 0.65 for channel in colour)
    return {"color": colour if bar.chosen else pale, "edgecolor": colour, "linewidth": 1.0}


def _write_value(
    axes: Axes, bar: Bar, leads: bool, point: tuple[float, float], shift: tuple[int, int], **align: Any
) -> None:
    axes.annotate(
        bar.label, point, shift, textcoords="offset points", fontsize=style.SMALL_SIZE, zorder=5,
        fontweight="bold" if leads else "normal", annotation_clip=False,
        bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.6}, **align,
    )  # fmt: skip


def _frame(
    figure: Figure,
    results: Sequence[Bar],
    title: str,
    about: str,
    left: float,
    bottom: float,
    panel: tuple[float, float],
    *,
    right: float,
    gap: float,
) -> Axes:
    """Size the figure around a panel (width, height) in inches, with title and note; return the axes."""
    width, height = panel
    figure.set_size_inches(left + width + right, 1.0)
    floor = style.add_note(figure, _note(results)) + bottom
    style.add_title(figure, title, left + width + right, floor + height + gap, about)
    return style.axes_at(figure, left, floor, width, height)


def _note(results: Sequence[Bar]) -> str:
    """Say what the marks are."""
    notes = []
    if any(bar.seeds for bar in results):
        notes.append("Bars are means, dots the seeds.")
    if any(bar.error is not None for bar in results):
        notes.append("Black lines: 95 % intervals for so many test examples.")
    if not all(bar.chosen for bar in results):
        notes.append("Pale: training regimes of a model that score less on test than its full-coloured one.")
    return " ".join(notes)
