"""Two abilities against each other: each model is a point, the best corner is the upper right one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from relational_rnn.analysis import style
from relational_rnn.config.checks import check_number

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LEFT, RIGHT, WIDTH, HEIGHT = 0.95, 0.35, 5.2, 3.9
"""Inches beside the panel, and of it."""


@dataclass(frozen=True)
class Place:
    """What one model scored at both.

    Example:
        >>> Place("RMC", "rmc", across=[0.99, 0.97], up=[0.9, 1.0]).up
        [0.9, 1.0]
    """

    name: str
    """What the legend calls it."""
    model: str
    """Family, which chooses colour and mark: "rmc", "lstm", ..."""
    across: Sequence[float]
    """Scores of its trainings on the horizontal axis, 0 to 1."""
    up: Sequence[float]
    """The same on the vertical one, of other trainings perhaps."""

    def __post_init__(self) -> None:
        """Raise ValueError if the numbers cannot be drawn."""
        for name, scores in (("across", self.across), ("up", self.up)):
            if not scores:
                raise ValueError(f"{name} of {self.name!r} needs at least one training, got none")
            for score in scores:
                check_number(f"{name} of {self.name!r}", score, 0, 1)


def draw_plane(places: Sequence[Place], *, across: str, up: str, title: str, about: str = "") -> Figure:
    """Models as points: a score of one task across, of another up.

    Points are means of the trainings, bars reach from the lowest to the highest.

    Args:
        places: at least one.
        across: what the horizontal axis says.
        up: what the vertical axis says.
        title: above the panel; long ones are wrapped.
        about: below the title.

    Returns:
        The figure, unsaved.

    Raises:
        ValueError: no places.
        ImportError: matplotlib is absent.

    Example:
        >>> places = [Place("RMC", "rmc", [0.99, 0.97], [0.9, 1.0]), Place("LSTM", "lstm", [0.2], [1.0])]
        >>> len(draw_plane(places, across="recall", up="tracking", title="Both").axes)
        1
    """
    if not places:
        raise ValueError("a plane needs at least one place, got none")
    with style.paper_style():
        from matplotlib.lines import Line2D

        width = LEFT + WIDTH + RIGHT
        figure = style.new_figure(width)
        several = any(len(one.across) > 1 or len(one.up) > 1 for one in places)
        note = (
            "Points are means over the seeds, bars reach from the lowest to the highest." if several else ""
        )
        handles = [Line2D([], [], **_mark_of(place.model)) for place in places]
        bottom = style.add_legend(figure, handles, [place.name for place in places], note) + 0.75
        style.add_title(figure, title, width, bottom + HEIGHT + 0.1, about)
        panel = style.axes_at(figure, LEFT, bottom, WIDTH, HEIGHT)
        _draw_panel(panel, places)
        panel.set_xlabel(across)
        panel.set_ylabel(up)
    return figure


def _draw_panel(axes: Axes, places: Sequence[Place]) -> None:
    axes.set_xlim(-0.03, 1.03)
    axes.set_ylim(-0.03, 1.03)
    style.percent_axis(axes.xaxis)
    style.percent_axis(axes.yaxis)
    for place in places:
        across, up = (sum(scores) / len(scores) for scores in (place.across, place.up))
        axes.errorbar(
            across, up,
            xerr=[[across - min(place.across)], [max(place.across) - across]],
            yerr=[[up - min(place.up)], [max(place.up) - up]],
            ecolor=style.colour_of(place.model), elinewidth=1.4, zorder=4, clip_on=False, label=place.name,
            **_mark_of(place.model),
        )  # fmt: skip


def _mark_of(model: str) -> dict[str, Any]:
    return style.line_of(model) | {"linestyle": "none", "markersize": 9.0}
