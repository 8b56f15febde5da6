"""A memory over time, a line a model: size, differences between slots, change per step, gates."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt
from jaxtyping import Bool, Float

from relational_rnn.analysis import style
from relational_rnn.analysis.memory import effective_rank, slot_changes, slot_norms, specialisation
from relational_rnn.analysis.recorded_memory import RecordedMemory
from relational_rnn.config.checks import check_shape
from relational_rnn.reference.arrays import as_booleans

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LEFT, BETWEEN, RIGHT = 0.75, 0.65, 0.3
PANEL_WIDTHS = {1: 6.6, 2: 4.3}
"""Inches of a panel by their number beside each other."""
NARROWEST_PANEL = 3.1
PANEL_HEIGHT = 2.9
EXPECTED = "steps at which an answer is expected"
"""What shaded or marked steps are."""
MARKS = 8
"""Marks on a line."""

Recorded = RecordedMemory | Mapping[str, RecordedMemory]
"""One model, or several by name."""


class Panel(NamedTuple):
    """One quantity over the steps."""

    heading: str
    """What it is, in words."""
    values: Mapping[str, Float[np.ndarray, "T N"]]
    """By the models' names, for each of its slots; (T, 1) for what is of a whole memory."""
    top: float | None = None
    """The most that the quantity can be; None for what has no bound."""


def memory_evolution(
    recorded: Recorded,
    *,
    title: str,
    about: str = "",
    path: str | os.PathLike[str],
    mask: npt.ArrayLike | None = None,
) -> Path:
    """Draw the memory over time and write it to `path`; see `draw_memory_evolution`.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> memories = np.random.default_rng(0).standard_normal((5, 6, 3, 4))
        >>> recorded = RecordedMemory("rmc", memories, memories[:, 0], memories[:, :, 0], 100, 100)
        >>> with TemporaryDirectory() as folder:
        ...     memory_evolution(recorded, title="Memory", path=f"{folder}/memory.svg").name
        'memory.svg'
    """
    return style.save(draw_memory_evolution(recorded, title=title, about=about, mask=mask), path)


def draw_memory_evolution(
    recorded: Recorded, *, title: str, about: str = "", mask: npt.ArrayLike | None = None
) -> Figure:
    """How large the numbers in a memory are, how much its slots differ, and how many directions they span.

    A line a model, the mean of its slots; a band reaches from the lowest slot to the highest. The size is the
    root mean square, which memories of different widths share. A model whose state is a single slot, such as
    an LSTM, is in the first panel only.

    Args:
        recorded: one model or several by name, all of as many steps.
        title: above everything; long ones are wrapped.
        about: below the title, for example the task.
        mask: (B, T) booleans, True where an answer is expected; those steps are shaded.

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
    models = by_name(recorded)
    slotted = {name: one for name, one in models.items() if one.memories.shape[2] > 1}
    sizes = {name: slot_norms(m.memories) / np.sqrt(m.memories.shape[3]) for name, m in models.items()}
    panels = [Panel("size of its numbers (root mean square)", sizes)]
    if slotted:
        shares = {name: specialisation(one.memories)[:, None] for name, one in slotted.items()}
        ranks = {name: effective_rank(one.memories)[:, None] for name, one in slotted.items()}
        most = max(min(one.memories.shape[2:]) for one in slotted.values())
        panels += [
            Panel("share that differs between slots", shares, 1.0),
            Panel("independent directions of the slots", ranks, float(most)),
        ]
    return draw_over_steps(models, panels, title=title, about=about, mask=mask)


def draw_slot_changes(
    recorded: Recorded, *, title: str, about: str = "", mask: npt.ArrayLike | None = None
) -> Figure:
    """How far slots move in a step, as a share of their size after it: `|m_t - m_(t-1)| / |m_t|`.

    Both norms are means over the sequences. A line a model, the mean of its slots, with a band from the
    lowest slot to the highest.

    Args:
        recorded: as for `draw_memory_evolution`, and so are the other arguments, what it raises, and:

    Returns:
        The figure, unsaved.

    Example:
        >>> memories = np.random.default_rng(0).standard_normal((5, 6, 3, 4))
        >>> recorded = RecordedMemory("rmc", memories, memories[:, 0], memories[:, :, 0], 100, 100)
        >>> len(draw_slot_changes(recorded, title="Memory").axes)
        1
    """
    models = by_name(recorded)
    heading = "change of a slot in a step, as a share of its size"
    panel = Panel(heading, {name: relative_changes(one) for name, one in models.items()})
    return draw_over_steps(models, [panel], title=title, about=about, mask=mask)


def draw_gates(
    recorded: Recorded, *, title: str, about: str = "", mask: npt.ArrayLike | None = None
) -> Figure:
    """How far the gates are open over the steps: what is taken in (left) and what is kept (right).

    A line a model with gates, the mean over sequences, units and slots, with a band from the lowest slot to
    the highest.

    Args:
        recorded: as for `draw_memory_evolution`, and so are the other arguments.

    Returns:
        The figure, unsaved.

    Raises:
        ValueError: no model has gates; and what `draw_memory_evolution` raises.

    Example:
        >>> memories = np.random.default_rng(0).standard_normal((5, 6, 3, 4))
        >>> half = np.full((5, 6, 3, 1), 0.5)
        >>> recorded = RecordedMemory(
        ...     "rmc", memories, memories[:, 0], memories[:, :, 0], 9, 9, input_gate=half, forget_gate=half
        ... )
        >>> len(draw_gates(recorded, title="Gates").axes)
        2
    """
    models = by_name(recorded)
    opened = {name: gates_of(one) for name, one in models.items() if one.forget_gate is not None}
    if not opened:
        raise ValueError("a figure of gates needs a model that has them, got none")
    headings = ("input gate: how much of the new is taken in", "forget gate: how much of the old is kept")
    panels = [
        Panel(heading, {name: gates[place] for name, gates in opened.items()}, 1.0)
        for place, heading in enumerate(headings)
    ]
    shown = {name: models[name] for name in opened}
    return draw_over_steps(shown, panels, title=title, about=about, mask=mask)


def relative_changes(one: RecordedMemory) -> Float[np.ndarray, "T N"]:
    """Return how far each slot moves in a step, as a share of its norm after it."""
    changes = slot_changes(one.memories, one.initial)
    return np.asarray(changes / np.maximum(slot_norms(one.memories), 1e-12))


def gates_of(one: RecordedMemory) -> tuple[Float[np.ndarray, "T N"], Float[np.ndarray, "T N"]]:
    """Return the mean input and forget gate of each slot after each step.

    Raises:
        ValueError: the core has none.
    """
    if one.input_gate is None or one.forget_gate is None:
        raise ValueError(f"{one.model} has no gates")
    return one.input_gate.mean(axis=(0, 3)), one.forget_gate.mean(axis=(0, 3))


def draw_over_steps(
    models: Mapping[str, RecordedMemory],
    panels: Sequence[Panel],
    *,
    title: str,
    about: str,
    mask: npt.ArrayLike | None,
) -> Figure:
    """Draw quantities over the steps, a panel each, a line a model."""
    expected = expected_steps(models, mask)
    looks = dict(zip(models, style.lines_of([one.model for one in models.values()])))
    banded = any(values.shape[1] > 1 for panel in panels for values in panel.values.values())
    note = f"Means over {sequences_in_words(models)}."
    note += " Bands reach from the lowest slot to the highest." if banded else ""
    with style.paper_style():
        from matplotlib.lines import Line2D
        from matplotlib.patches import Patch

        panel_width = PANEL_WIDTHS.get(len(panels), NARROWEST_PANEL)
        width = LEFT + len(panels) * panel_width + (len(panels) - 1) * BETWEEN + RIGHT
        figure = style.new_figure(width)
        handles: list[Line2D | Patch] = [Line2D([], [], **look) for look in looks.values()]
        names = [style.wrap(figure, name, width - 1.5) for name in models]
        if expected is not None:
            handles.append(Patch(color=style.SHADE))
            names.append(EXPECTED)
        bottom = style.add_legend(figure, handles, names, note) + 0.7
        style.add_title(figure, title, width, bottom + PANEL_HEIGHT + 0.32, about)
        for column, panel in enumerate(panels):
            left = LEFT + column * (panel_width + BETWEEN)
            axes = style.axes_at(figure, left, bottom, panel_width, PANEL_HEIGHT)
            axes.set_title(panel.heading, fontsize=style.SMALL_SIZE, loc="left")
            step_axis(axes, length_of(models))
            for first, last in [] if expected is None else runs_of(expected):
                axes.axvspan(
                    first - 0.5, last + 0.5, color=style.SHADE, linewidth=0.8, zorder=0, gid="expected"
                )
            for name, values in panel.values.items():
                _draw_line(axes, name, values, looks[name])
            axes.set_ylim(0, 1.04 * (panel.top or max(float(axes.dataLim.y1), 1e-9)))
    return figure


def _draw_line(axes: Axes, name: str, values: Float[np.ndarray, "T N"], look: dict[str, object]) -> None:
    """The mean of the slots and their range."""
    steps = np.arange(1, len(values) + 1)
    every = max(1, len(values) // MARKS)
    axes.plot(steps, values.mean(axis=1), label=name, zorder=3, markevery=every, **look)  # type: ignore[arg-type]
    if values.shape[1] > 1:
        low, high = values.min(axis=1), values.max(axis=1)
        axes.fill_between(steps, low, high, color=str(look["color"]), alpha=0.2, linewidth=0, zorder=2)


def step_axis(axes: Axes, length: int) -> None:
    """Name the steps from 1 to T."""
    from matplotlib.ticker import MaxNLocator

    axes.set_xlim(0.5, length + 0.5)
    axes.xaxis.set_major_locator(MaxNLocator(8, integer=True, min_n_ticks=1))
    axes.set_xlabel("step")
    axes.grid(visible=False, axis="x")


def by_name(recorded: Recorded) -> dict[str, RecordedMemory]:
    """Return the models by name, if they can lie on one time axis.

    Raises:
        TypeError: something that is no `RecordedMemory`.
        ValueError: none, or models of different lengths.
    """
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


def length_of(models: Mapping[str, RecordedMemory]) -> int:
    """Return the number of steps that the models have in common."""
    return int(next(iter(models.values())).memories.shape[1])


def expected_steps(
    models: Mapping[str, RecordedMemory], mask: npt.ArrayLike | None
) -> Bool[np.ndarray, " T"] | None:
    """Return the steps at which an answer of any sample is expected."""
    if mask is None:
        return None
    counts = as_booleans("mask", mask)
    for one in models.values():
        batch, length = one.memories.shape[:2]
        check_shape("mask", counts.shape, ("B", "T"), B=batch, T=length)
    return np.asarray(counts.any(axis=0))


def runs_of(steps: Bool[np.ndarray, " T"]) -> list[tuple[int, int]]:
    """Return the first and the last of each run of True, counted from 1."""
    edges = np.diff(np.concatenate([[False], steps, [False]]).astype(int))
    return list(zip((np.flatnonzero(edges == 1) + 1).tolist(), np.flatnonzero(edges == -1).tolist()))


def sequences_in_words(models: Mapping[str, RecordedMemory]) -> str:
    """Return over how many sequences means are taken."""
    counts = sorted({len(one.memories) for one in models.values()})
    text = " or ".join(f"{count:,}" for count in counts)
    return f"{text} sequence{'' if counts == [1] else 's'}"
