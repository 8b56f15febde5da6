"""Maps of the attention while one sequence is read, every head by itself."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float

from relational_rnn.analysis import style
from relational_rnn.config.checks import check_shape

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LEFT, BETWEEN, RIGHT, BAR = 0.95, 0.18, 0.95, 0.13
"""Inches; `RIGHT` is the room of the colour bar."""
PANEL_WIDTH, COLUMNS = 2.25, 4
INPUT, INPUT_GAP = 0.42, 0.06
"""Inches of the bars that say what the input gets, and between them and the map."""
BLOCK_GAP, ROW_GAP = 0.35, 0.42
STRIP = 0.06
MOST_HEADS = 8
"""Of one model; of more, those furthest from uniform attention are shown."""
LETTER = 0.085
"""Inches of a letter below a map; labels that do not fit give way to numbers."""


@dataclass(frozen=True, eq=False)
class Attention:
    """What one core attended to while it read one sequence.

    Example:
        >>> seen = Attention(np.full((3, 1, 2, 4, 5), 0.2))  # T, blocks, H, N slots look at M rows
        >>> seen.maps.shape, seen.to_input.shape  # heads first
        ((2, 3, 4), (2, 3))
    """

    weights: Float[np.ndarray, "T blocks H N M"]
    """Of N slots over M rows, the slots and then the input; NaN for rows that there are not yet."""
    over_steps: bool = False
    """Whether the rows are the steps so far instead, as those of a Transformer, whose N is 1."""

    def __post_init__(self) -> None:
        """Raise ValueError, or TypeError for no array, if the weights cannot be drawn."""
        if not isinstance(self.weights, np.ndarray):
            raise TypeError(f"attention must be a NumPy array, got {type(self.weights).__name__}")
        check_shape("attention", self.weights.shape, ("T", "blocks", "H", "N", "M"))
        steps, _, _, slots, rows = self.weights.shape
        if self.over_steps and (slots, rows) != (1, steps):
            raise ValueError(f"attention over steps must be of 1 row over {steps}, got {slots} over {rows}")
        if rows < slots:
            raise ValueError(
                f"attention must see at least the {slots} slots that attend, got {rows} rows (M)"
            )
        known = self.weights[~np.isnan(self.weights)] if self.over_steps else self.weights
        if not ((known >= 0) & (known <= 1 + 1e-2)).all():  # NaN fails too
            raise ValueError("attention must hold weights from 0 to 1, got others (NaN marks padded steps)")

    @property
    def by_head(self) -> Float[np.ndarray, "heads T M"]:
        """The weights that each row gets from each head of each block, means over the slots that attend."""
        steps, _, _, _, rows = self.weights.shape
        means: Float[np.ndarray, "heads T M"] = (
            self.weights.mean(axis=3).reshape(steps, -1, rows).transpose(1, 0, 2)
        )
        return means

    @property
    def to_input(self) -> Float[np.ndarray, "heads T"] | None:
        """What the input gets of each head; None for attention over steps, or without an input row."""
        slots, rows = self.weights.shape[3:]
        return None if self.over_steps or rows == slots else self.by_head[..., slots:].sum(-1)

    @property
    def maps(self) -> Float[np.ndarray, "heads T rows"]:
        """What the slots, or the steps, get of each head."""
        return self.by_head if self.over_steps else self.by_head[..., : self.weights.shape[3]]


def attention_in_words(attention: Mapping[str, Attention]) -> str:
    """Return where the models look on average over the steps: at the input, or at the newest step.

    Example:
        >>> attention_in_words({"RMC": Attention(np.full((3, 1, 2, 4, 5), 0.2))})
        'RMC gives 20 % of its attention to the input'
    """
    told = []
    for name, one in attention.items():
        to_input = one.to_input
        if one.over_steps:
            shares = np.diagonal(one.by_head, axis1=1, axis2=2).mean(1)
            what = "the newest step"
        elif to_input is None:
            told.append(f"{name} attends to its slots alone")
            continue
        else:
            shares, what = to_input.mean(1), "the input"
        low, high = round(100 * float(shares.min())), round(100 * float(shares.max()))
        by_head = f", head by head {low} to {high} %" if low < high else ""
        told.append(f"{name} gives {round(100 * float(shares.mean()))} % of its attention to {what}{by_head}")
    return "; ".join(told)


def attention_maps(
    attention: Mapping[str, Attention],
    *,
    title: str,
    about: str = "",
    step_labels: Sequence[str] = (),
    marked: Mapping[str, Sequence[int]] | None = None,
    path: str | os.PathLike[str],
) -> Path:
    """Draw attention maps and write them to `path`; see `draw_attention`.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> seen = {"RMC": Attention(np.full((3, 1, 2, 4, 5), 0.2))}
        >>> with TemporaryDirectory() as folder:
        ...     attention_maps(seen, title=attention_in_words(seen), path=f"{folder}/attention.png").name
        'attention.png'
    """
    figure = draw_attention(attention, title=title, about=about, step_labels=step_labels, marked=marked)
    return style.save(figure, path)


def draw_attention(
    attention: Mapping[str, Attention],
    *,
    title: str,
    about: str = "",
    step_labels: Sequence[str] = (),
    marked: Mapping[str, Sequence[int]] | None = None,
) -> Figure:
    """A map a head: what each slot gets (rows) at each step (columns), and above it what the input gets.

    Weights are means over the slots that attend. Of a Transformer the rows are the steps that it looks back
    at. Colours go from 0 to the largest weight in a model's maps. Of more than `MOST_HEADS` heads those
    furthest from uniform attention are shown, and the figure says so.

    Args:
        attention: models by name, all of as many steps.
        title: above everything; long ones are wrapped.
        about: below the title, for example the question.
        step_labels: what each step brought, in a few letters; numbers if there are none or many.
        marked: what to point out -> its steps, from 0; a bar above the maps, explained below them.

    Returns:
        The figure, unsaved.

    Raises:
        ValueError: no models, models of different lengths, or labels or marks for other steps.
        ImportError: matplotlib is absent.

    Example:
        >>> figure = draw_attention({"RMC": Attention(np.full((3, 1, 2, 4, 5), 0.2))}, title="Attention")
    """
    lengths = {name: len(one.weights) for name, one in attention.items()}
    if len(set(lengths.values())) != 1:
        raise ValueError(f"attention maps need models of as many steps, at least one; got {lengths}")
    steps = next(iter(lengths.values()))
    if step_labels and len(step_labels) != steps:
        raise ValueError(f"step_labels must be {steps}, one for each step, got {len(step_labels)}")
    marks = {what: sorted(places) for what, places in (marked or {}).items() if len(places)}
    for what, places in marks.items():
        if not (places[0] >= 0 and places[-1] < steps):
            raise ValueError(f"steps marked {what!r} must be from 0 to {steps - 1}, got {places}")
    blocks = {name: _Block(one, _choose(one)) for name, one in attention.items()}
    with style.paper_style():
        columns = min(COLUMNS, max(len(block.heads) for block in blocks.values()))
        width = max(LEFT + columns * (PANEL_WIDTH + BETWEEN) - BETWEEN + RIGHT, 7.0)
        figure = style.new_figure(width)
        bottom = style.add_note(figure, _note(attention, blocks, marks)) + 0.55
        content = sum(block.height for block in blocks.values()) + BLOCK_GAP * (len(blocks) - 1)
        style.add_title(figure, title, width, bottom + content + 0.1, about)
        ceiling = bottom + content
        for index, (name, block) in enumerate(blocks.items()):
            last = index == len(blocks) - 1
            _draw_block(figure, name, block, ceiling, _Steps(steps, step_labels, marks, last))
            ceiling -= block.height + BLOCK_GAP
    return figure


@dataclass(frozen=True, eq=False)
class _Block:
    """One model's part of the figure."""

    attention: Attention
    heads: list[int]

    @property
    def rows(self) -> int:
        return -(-len(self.heads) // COLUMNS)

    @property
    def map_height(self) -> float:
        return float(min(max(0.14 * self.attention.maps.shape[2], 0.5), 2.0))

    @property
    def panel_height(self) -> float:
        return self.map_height + (0.0 if self.attention.to_input is None else INPUT + INPUT_GAP)

    @property
    def height(self) -> float:
        return 0.28 + self.rows * (self.panel_height + ROW_GAP)


@dataclass(frozen=True)
class _Steps:
    """What the step axes of all maps have in common."""

    count: int
    labels: Sequence[str]
    marks: Mapping[str, Sequence[int]]
    last: bool
    """Whether this is the lowest model, whose axes are named."""


def _choose(one: Attention) -> list[int]:
    """The heads to draw, in order: all, or those that are furthest from uniform attention."""
    heads = one.by_head
    if len(heads) <= MOST_HEADS:
        return list(range(len(heads)))
    weights = np.clip(np.nan_to_num(heads.astype(float)), 1e-12, None)
    sharpness = (weights * np.log(weights)).sum(axis=-1).mean(axis=-1)
    return sorted(int(head) for head in np.argsort(-sharpness, kind="stable")[:MOST_HEADS])


def _note(
    attention: Mapping[str, Attention], blocks: Mapping[str, _Block], marks: Mapping[str, Sequence[int]]
) -> str:
    """What the marks are, and which heads are missing."""
    parts = []
    if not all(one.over_steps for one in attention.values()):
        parts.append("Weights are means over the slots that attend.")
    if any(one.to_input is not None for one in attention.values()):
        parts.append("Grey bars: what the input gets; the map below: what each slot gets.")
    if marks:
        parts.append(f"Thick line above a map: {', '.join(marks)}.")
    for name, block in blocks.items():
        count = len(block.attention.by_head)
        if len(block.heads) < count:
            parts.append(f"{name}: the {MOST_HEADS} of {count} heads furthest from uniform attention.")
    return " ".join(parts)


def _draw_block(figure: Figure, name: str, block: _Block, ceiling: float, steps: _Steps) -> None:
    """Name of the model, its maps from left to right and from top to bottom, and their colours."""
    one = block.attention
    style.write_at(figure, LEFT, ceiling - 0.02, name, va="top", fontsize=style.TEXT_SIZE, fontweight="bold")
    shown = one.maps[block.heads]
    highest = float(np.nanmax(shown)) or 1.0
    blocks, heads = one.weights.shape[1:3]
    level = "layer" if one.over_steps else "block"
    for place, head in enumerate(block.heads):
        row, column = divmod(place, COLUMNS)
        left = LEFT + column * (PANEL_WIDTH + BETWEEN)
        floor = ceiling - 0.28 - (row + 1) * (block.panel_height + ROW_GAP) + ROW_GAP - 0.22
        axes = style.axes_at(figure, left, floor, PANEL_WIDTH, block.map_height)
        lowest = place + COLUMNS >= len(block.heads)
        _draw_map(axes, shown[place], highest, one.over_steps, steps, named=column == 0, lowest=lowest)
        top = floor + block.map_height
        to_input = one.to_input
        if to_input is not None:
            bars = style.axes_at(figure, left, top + INPUT_GAP, PANEL_WIDTH, INPUT)
            _draw_input(bars, to_input[head], steps, named=column == 0)
            top += INPUT_GAP + INPUT
        _mark_steps(figure, steps, left, top + 0.03)
        what = f"head {head % heads + 1}" + (f", {level} {head // heads + 1}" if blocks > 1 else "")
        style.write_at(figure, left, top + 0.06 + STRIP, what, va="bottom")
        if place == 0:
            right = LEFT + min(COLUMNS, len(block.heads)) * (PANEL_WIDTH + BETWEEN) - BETWEEN + 0.12
            _draw_colours(figure, axes, right, floor, block.map_height)


def _draw_map(
    axes: Axes,
    weights: Float[np.ndarray, "T rows"],
    highest: float,
    over_steps: bool,
    steps: _Steps,
    *,
    named: bool,
    lowest: bool,
) -> None:
    """One head: steps from left to right, what it attends to from top to bottom."""
    from matplotlib.ticker import MaxNLocator

    rows = weights.shape[1]
    axes.imshow(
        np.ma.masked_invalid(weights.T), cmap=style.MAP_COLOURS, vmin=0.0, vmax=highest, aspect="auto",
        interpolation="nearest", extent=(0.5, steps.count + 0.5, rows + 0.5, 0.5), gid="map",
    )  # fmt: skip
    axes.grid(visible=False)
    axes.tick_params(length=0, labelsize=8.5, pad=3)
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True, min_n_ticks=1))
    if steps.labels and LETTER * sum(len(label) + 1 for label in steps.labels) < PANEL_WIDTH:
        axes.set_xticks(range(1, steps.count + 1), steps.labels)
    axes.tick_params(axis="x", labelbottom=lowest)
    axes.set_xlabel("step" if lowest and steps.last else "", fontsize=style.SMALL_SIZE)
    axes.yaxis.set_major_locator(MaxNLocator(4, integer=True, min_n_ticks=1))
    axes.tick_params(axis="y", labelleft=named)
    axes.set_ylabel(("step looked at" if over_steps else "slot") if named else "", fontsize=style.SMALL_SIZE)


def _draw_input(axes: Axes, shares: Float[np.ndarray, " T"], steps: _Steps, *, named: bool) -> None:
    """Bars of what the input gets at each step."""
    axes.bar(np.arange(1, steps.count + 1), shares, 0.85, color=style.FALLBACK_COLOUR, gid="input")
    axes.set_xlim(0.5, steps.count + 0.5)
    axes.set_ylim(0, 1)
    axes.set_yticks([0, 1], ["0 %", "100 %"] if named else [])
    axes.set_ylabel("input" if named else "", fontsize=style.SMALL_SIZE)
    axes.tick_params(axis="x", bottom=False, labelbottom=False)
    axes.tick_params(axis="y", labelsize=8.5, length=0)


def _mark_steps(figure: Figure, steps: _Steps, left: float, bottom: float) -> None:
    """Thick lines above the steps that are pointed out."""
    from matplotlib.patches import Rectangle

    width, height = figure.get_size_inches()
    step = PANEL_WIDTH / steps.count
    for place in sorted({place for places in steps.marks.values() for place in places}):
        corner = ((left + place * step) / width, bottom / height)
        look: dict[str, Any] = {"color": style.INK, "linewidth": 0, "gid": "marked"}
        figure.add_artist(Rectangle(corner, step / width, STRIP / height, **look))


def _draw_colours(figure: Figure, axes: Axes, left: float, bottom: float, height: float) -> None:
    (image,) = axes.images
    scale = figure.colorbar(image, cax=style.axes_at(figure, left, bottom, BAR, height))
    highest = float(image.get_clim()[1])
    scale.set_ticks([0.0, highest / 2, highest] if height > 0.6 else [0.0, highest])
    scale.ax.set_yticklabels([f"{100 * tick:.3g} %" for tick in scale.get_ticks()])
    scale.ax.tick_params(labelsize=8.5)
    scale.set_label("weight", fontsize=style.SMALL_SIZE)
    scale.outline.set(linewidth=0.6)
