"""Generalisation: accuracy on sizes of a task beyond those of training."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from relational_rnn.analysis import style
from relational_rnn.config.checks import check_number

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LEFT, BETWEEN, RIGHT = 0.95, 0.35, 0.3
PANEL_HEIGHT = 3.5
PANEL_WIDTHS = {1: 6.2, 2: 4.2}
"""Inches of a panel by their number beside each other."""
NARROWEST_PANEL = 3.0
TOP_ACCURACY = 1.03


@dataclass(frozen=True)
class Reach:
    """The scores of one model along a size axis.

    Example:
        >>> Reach("RMC", "rmc", [[0.99, 0.6], [0.98, 0.5]]).accuracies[0]  # the first seed at each size
        [0.99, 0.6]
    """

    name: str
    """What the legend calls it."""
    model: str
    """Family, which chooses colour and mark: "rmc", "lstm", ..."""
    accuracies: Sequence[Sequence[float]]
    """For each training its accuracy at each size, 0 to 1."""


@dataclass(frozen=True)
class SizeAxis:
    """One size of a task that grows while the others stay.

    Example:
        >>> rmc = Reach("RMC", "rmc", [[0.99, 0.6]])
        >>> SizeAxis("items", sizes=[8, 16], trained=8, trivial=[0.3, 0.3], models=[rmc]).trained
        8
    """

    name: str
    """Of the size, below the panel."""
    sizes: Sequence[int]
    """Rising."""
    trained: int
    """The largest size in training."""
    trivial: Sequence[float]
    """What can be had without understanding, at each size, 0 to 1."""
    models: Sequence[Reach]

    def __post_init__(self) -> None:
        """Raise ValueError if the numbers cannot be drawn."""
        if not self.sizes or sorted(set(self.sizes)) != list(self.sizes):
            raise ValueError(f"sizes of {self.name!r} must rise, at least one; got {list(self.sizes)}")
        if not self.models:
            raise ValueError(f"axis {self.name!r} needs at least one model, got none")
        for reach in self.models:
            if not reach.accuracies:
                raise ValueError(f"{reach.name!r} needs at least one training, got none")
            for training in reach.accuracies:
                self._check(f"accuracies of {reach.name!r}", training)
        self._check("trivial", self.trivial)

    def _check(self, name: str, accuracies: Sequence[float]) -> None:
        if len(accuracies) != len(self.sizes):
            raise ValueError(f"{name} must be {len(self.sizes)}, one for each size; got {len(accuracies)}")
        for accuracy in accuracies:
            check_number(name, accuracy, 0, 1)


def generalisation(
    axes: Sequence[SizeAxis], *, title: str, about: str = "", path: str | os.PathLike[str]
) -> Path:
    """Draw accuracy against size and write it to `path`; see `draw_generalisation`.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> items = SizeAxis("items", [8, 16], 8, [0.3, 0.3], [Reach("RMC", "rmc", [[0.99, 0.6]])])
        >>> with TemporaryDirectory() as folder:
        ...     generalisation([items], title="Sorting", path=f"{folder}/sizes.svg").name
        'sizes.svg'
    """
    return style.save(draw_generalisation(axes, title=title, about=about), path)


def draw_generalisation(axes: Sequence[SizeAxis], *, title: str, about: str = "") -> Figure:
    """Accuracy against size, a panel for each size axis, one line a model.

    Lines are means of the trainings, bands reach from the lowest to the highest. Sizes of training are
    shaded; the dashed line is the trivial score, which may change with the size.

    Args:
        axes: at least one.
        title: above the panels; long ones are wrapped.
        about: below the title, for example the task.

    Returns:
        The figure, unsaved.

    Raises:
        ValueError: no axes.
        ImportError: matplotlib is absent.

    Example:
        >>> rmc = Reach("RMC", "rmc", [[0.99, 0.9, 0.6], [0.98, 0.8, 0.5]])
        >>> items = SizeAxis("items", [8, 12, 16], 8, [0.3, 0.3, 0.3], [rmc])
        >>> len(draw_generalisation([items], title="Sorting").axes)
        1
    """
    if not axes:
        raise ValueError("generalisation needs at least one size axis, got none")
    with style.paper_style():
        width = PANEL_WIDTHS.get(len(axes), NARROWEST_PANEL)
        full_width = LEFT + len(axes) * width + (len(axes) - 1) * BETWEEN + RIGHT
        figure = style.new_figure(full_width)
        bottom = _add_legend(figure, axes) + 0.75
        style.add_title(figure, title, full_width, bottom + PANEL_HEIGHT + 0.1, about)
        for column, axis in enumerate(axes):
            panel = style.axes_at(figure, LEFT + column * (width + BETWEEN), bottom, width, PANEL_HEIGHT)
            _draw_panel(panel, axis)
            panel.set_ylabel("accuracy" if column == 0 else "")
            panel.tick_params(axis="y", labelleft=column == 0)
    return figure


def _add_legend(figure: Figure, axes: Sequence[SizeAxis]) -> float:
    """Put legend and note at the bottom; returns their height in inches."""
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    models = {reach.name: reach for axis in axes for reach in axis.models}
    handles: list[Any] = [Line2D([], [], **style.line_of(reach.model)) for reach in models.values()]
    handles += [Line2D([], [], **style.TRIVIAL_LINE), Patch(color=style.SHADE)]
    notes = []
    if any(len(reach.accuracies) > 1 for reach in models.values()):
        notes.append("Lines are means over the seeds, bands reach from the lowest to the highest.")
    if len({share for axis in axes for share in axis.trivial}) > 1:
        notes.append("The trivial score changes with the size: it is what the larger task gives for nothing.")
    names = [style.wrap(figure, name, figure.get_size_inches()[0] - 1.5) for name in models]
    return style.add_legend(figure, handles, [*names, "trivial score", "sizes in training"], " ".join(notes))


def _draw_panel(axes: Axes, axis: SizeAxis) -> None:
    sizes = list(axis.sizes)
    margin = 0.06 * (sizes[-1] - sizes[0]) or 0.5
    axes.set_xlim(sizes[0] - margin, sizes[-1] + margin)
    axes.set_ylim(0, TOP_ACCURACY)
    style.percent_axis(axes.yaxis)
    axes.set_xticks(sizes)
    axes.set_xlabel(axis.name)
    axes.grid(visible=False, axis="x")
    axes.axvspan(
        sizes[0] - margin, axis.trained + margin / 2, color=style.SHADE, linewidth=0, zorder=0, gid="trained"
    )
    for reach in axis.models:
        scores = np.array(reach.accuracies, dtype=float)  # (trainings, sizes)
        look, order = (
            style.line_of(reach.model),
            4 if reach.model.lower() == "rmc" else 3,
        )  # the model this is about on top
        axes.plot(sizes, scores.mean(axis=0), label=reach.name, zorder=order, clip_on=False, **look)
        if len(scores) > 1:
            axes.fill_between(
                sizes, scores.min(axis=0), scores.max(axis=0), color=look["color"], alpha=0.18, linewidth=0,
                zorder=2,
            )  # fmt: skip
    axes.plot(sizes, axis.trivial, label="trivial score", zorder=5, **style.TRIVIAL_LINE)
