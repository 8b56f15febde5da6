"""Learning curves of agents: the return on held-out levels against the frames played."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from relational_rnn.analysis import style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

WIDTH, PANEL_WIDTH, PANEL_HEIGHT, LEFT = 7.4, 5.2, 3.4, 0.95
REACH = 1.5
"""A player whose return is further from the curves than so many times their height is only named in words."""


@dataclass(frozen=True)
class ReturnCurve:
    """Mean return on held-out levels, of one training or as a mean of several."""

    name: str
    """What the legend calls it."""
    model: str
    """Family, which chooses the colour: "rmc", "lstm", ..."""
    frames: Sequence[float]
    """Played at each point, rising."""
    returns: Sequence[float]
    """At each point."""
    low: Sequence[float] = ()
    """The lowest of several trainings at each point, if the curve is their mean."""
    high: Sequence[float] = ()
    """The highest."""


def near_and_far(
    curves: Sequence[ReturnCurve], players: Mapping[str, float]
) -> tuple[dict[str, float], list[str]]:
    """Return the players that can stand beside curves, and those far from them in words.

    What an agent has to beat, the lowest of the players, is always near.

    Example:
        >>> rmc = ReturnCurve("RMC", "rmc", frames=[1000, 2000], returns=[8.0, 20.0])
        >>> near_and_far([rmc], {"random": 9.0, "scripted": 519.6})
        ({'random': 9.0}, ['Scripted player: 519.6, off the panel'])
    """
    values = [value for curve in curves for value in (*curve.returns, *curve.low, *curve.high)]
    values.append(min(players.values(), default=values[0]))
    low, high = min(values), max(values)
    room = REACH * max(high - low, 1e-6)
    near = {name: value for name, value in players.items() if low - room <= value <= high + room}
    far = [
        f"{name.capitalize()} player: {value:.1f}, off the panel"
        for name, value in players.items()
        if name not in near
    ]
    return near, far


def draw_returns(
    curves: Sequence[ReturnCurve], *, players: Mapping[str, float], title: str, about: str = ""
) -> Figure:
    """Return on held-out levels against frames, beside players that learn nothing.

    Args:
        curves: at least one, each with at least one point.
        players: name -> the mean return of a player that learns nothing, a dashed line; one that is far above
            the curves is named below the figure.
        title: above the panel.
        about: below the title.

    Returns:
        The figure, unsaved.

    Raises:
        ValueError: no curves, or an empty one.
        ImportError: matplotlib is absent.

    Example:
        >>> rmc = ReturnCurve("RMC", "rmc", frames=[1000, 2000], returns=[8.0, 20.0])
        >>> len(draw_returns([rmc], players={"random": 9.0}, title="Mini PacMan").axes)
        1
    """
    if not curves or not all(len(curve.frames) for curve in curves):
        raise ValueError("learning curves need at least one curve, and each at least one point")
    near, far = near_and_far(curves, players)
    with style.paper_style():
        from matplotlib.lines import Line2D
        from matplotlib.ticker import FuncFormatter, MaxNLocator

        figure = style.new_figure(WIDTH)
        looks = style.lines_of([curve.model for curve in curves])
        several = any(curve.low for curve in curves)
        bands = (
            "Lines are means over the seeds, bands reach from the lowest to the highest" if several else ""
        )
        note = ". ".join([*([bands] if bands else []), *far])
        handles = [Line2D([], [], **look) for look in looks]
        bottom = 0.72 + style.add_legend(figure, handles, [curve.name for curve in curves], note)
        style.add_title(figure, title, WIDTH, bottom + PANEL_HEIGHT + 0.1, about)
        axes = style.axes_at(figure, LEFT, bottom, PANEL_WIDTH, PANEL_HEIGHT)
        for curve, look in zip(curves, looks):
            marks = max(1, len(curve.frames) // 8)
            axes.plot(curve.frames, curve.returns, markevery=marks, zorder=3, clip_on=False, **look)
            if curve.low:
                band = {"color": look["color"], "alpha": 0.18, "linewidth": 0, "zorder": 2}
                axes.fill_between(curve.frames, curve.low, curve.high, **band)
        for name, value in near.items():
            axes.axhline(value, zorder=4, **style.TRIVIAL_LINE)
            place = axes.get_yaxis_transform()
            axes.text(
                1.01, value, f"{name} {value:.1f}", transform=place, va="center", fontsize=style.SMALL_SIZE
            )
        axes.set_xlim(0, max(curve.frames[-1] for curve in curves))
        axes.set_xlabel("frames played")
        axes.set_ylabel("mean return, held-out levels")
        axes.xaxis.set_major_locator(MaxNLocator(6))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: style.short_number(value)))
    return figure
