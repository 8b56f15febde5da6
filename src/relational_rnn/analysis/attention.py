"""Heat maps of the attention over the steps of a few sequences, every head by itself."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float

from relational_rnn.analysis import style
from relational_rnn.config.checks import check_shape
from relational_rnn.tasks.nth_farthest_text import question
from relational_rnn.training.recordings import RecordedAttention

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import PowerNorm
    from matplotlib.figure import Figure

LEFT, RIGHT = 1.0, 1.2
CELL_GAP = 0.08
BLOCK_GAP = 0.35
LINE = 0.19
"""Height in inches of a line of small text."""
SMALLEST_CELL, LARGEST_CELL = 0.58, 1.25
GOOD_WIDTH, GOOD_HEIGHT = 9.0, 12.0
"""Inches that maps may grow to fill, where the smallest would leave room."""
WIDEST = 12.6
"""Sequences lie beside each other if the figure is then no wider than this many inches."""
ROWS_BELOW, ROWS_BESIDE = 12, 8
"""Rows of maps in a figure whose sequences lie below, or beside, each other."""
NARROWEST_BLOCK = 2.0
"""A sequence has this many inches for its question, however few its steps."""


@dataclass(frozen=True, eq=False)
class AttentionExample:
    """One sequence and where its memory looked at each step."""

    attention: Float[np.ndarray, "T H N M"]
    """Weights of one block: how much slot N took from row M (the slots, then the input rows)."""
    step_labels: Sequence[str]
    """What each step brought, for example "vector 3"."""
    question: str
    """What was asked."""
    answer: str
    """The right answer."""
    prediction: str
    """The model's answer."""
    reference_step: int | None = None
    """Step (from 0) that brought the object that the question is about, if there is one."""

    def __post_init__(self) -> None:
        """Raise ValueError, or TypeError for no array, if the weights cannot be drawn."""
        if not isinstance(self.attention, np.ndarray):
            raise TypeError(f"attention must be a NumPy array, got {type(self.attention).__name__}")
        check_shape("attention", self.attention.shape, ("T", "H", "N", "M"))
        steps, _, slots, rows = self.attention.shape
        if rows < slots:
            raise ValueError(f"attention must see at least the {slots} slots that ask, got {rows} rows (M)")
        if not ((self.attention >= 0) & (self.attention <= 1 + 1e-2)).all():  # NaN fails too
            raise ValueError("attention must hold weights from 0 to 1, got others (NaN marks padded steps)")
        if len(self.step_labels) != steps:
            raise ValueError(f"step_labels must be {steps}, one for each step, got {len(self.step_labels)}")
        if self.reference_step is not None and not 0 <= self.reference_step < steps:
            raise ValueError(f"reference_step must be from 0 to {steps - 1}, got {self.reference_step}")


def attention_example(recorded: RecordedAttention) -> AttentionExample:
    """Put a recorded question of Nth farthest into words."""
    return AttentionExample(
        attention=recorded.attention,
        step_labels=[f"vector {label}" for label in recorded.labels],
        question=question({"labels": recorded.labels, "n": recorded.n, "reference": recorded.reference}),
        answer=f"vector {recorded.answer}",
        prediction=f"vector {recorded.prediction}",
        reference_step=recorded.reference_step,
    )


def attention_shares(recorded: Sequence[RecordedAttention]) -> dict[str, dict[str, list[float]]]:
    """Return what share of its attention each head gives the input, and the slot that asks itself.

    The weights of all slots are averaged, over the recorded questions of Nth farthest and over the steps
    before the one that brings the reference, that one, and the steps after it.

    Args:
        recorded: questions of one core, with the reference at the same step of all, neither the first nor
            the last.

    Returns:
        "input" and "itself" -> "before", "reference" and "after" -> for each head a share, to 4 digits.

    Raises:
        ValueError: no questions, the reference at other steps, or at the first or last.

    Example:
        >>> weights = np.full((3, 1, 2, 3), 1 / 3)  # T, H, N, M: a head that looks everywhere alike
        >>> one = RecordedAttention(weights, [2, 0, 1], n=0, reference=0, answer=1, prediction=1)
        >>> round(attention_shares([one])["input"]["before"][0], 3)
        0.333
    """
    found = {one.reference_step for one in recorded}
    if len(found) != 1:
        raise ValueError(
            f"the reference must be at the same step of all questions, got steps {sorted(found)}"
        )
    (step,) = found
    steps, _, slots, _ = recorded[0].attention.shape
    if not 0 < step < steps - 1:
        raise ValueError(f"the reference must have steps before and after it, got step {step} of {steps}")
    weights = np.stack([one.attention for one in recorded]).astype(np.float64).mean(0)  # (T, H, N, M)
    phases = {"before": slice(step), "reference": slice(step, step + 1), "after": slice(step + 1, None)}
    to_input = weights[..., slots:].sum(-1).mean(-1)  # (T, H)
    to_itself = np.diagonal(weights, axis1=2, axis2=3).mean(-1)  # (T, H)
    return {
        name: {phase: np.round(shares[part].mean(0), 4).tolist() for phase, part in phases.items()}
        for name, shares in (("input", to_input), ("itself", to_itself))
    }


def attention_heatmap(
    examples: Sequence[AttentionExample], *, title: str, path: str | os.PathLike[str]
) -> Path:
    """Draw attention heat maps and write them to `path`; see `draw_attention_heatmap`."""
    return style.save(draw_attention_heatmap(examples, title=title), path)


def draw_attention_heatmap(examples: Sequence[AttentionExample], *, title: str) -> Figure:
    """For each sequence a grid of heat maps: a row per head, a column per step.

    A map has a row per slot that asks and a column per row attended to; the input's columns are set apart.
    The step that brought the reference is framed. Sequences lie beside each other where they fit and below
    each other otherwise. Where all heads would not fit on a page, those furthest from uniform attention
    (largest mean of `log M - entropy` over the examples) are shown, and the figure says so.

    Args:
        examples: one to a few, all of one core (the same H, N and M).
        title: above everything; long ones are wrapped.

    Returns:
        The figure, unsaved.

    Raises:
        ValueError: no examples, or examples of different cores.
        ImportError: matplotlib is absent.

    Example:
        >>> example = AttentionExample(np.full((3, 2, 4, 5), 0.2), ["a", "b", "c"], "which?", "b", "b")
        >>> figure = draw_attention_heatmap([example], title="Attention")
    """
    if not examples:
        raise ValueError("attention heat maps need at least one example, got none")
    cores = {example.attention.shape[1:] for example in examples}
    if len(cores) > 1:
        raise ValueError(f"examples must share heads, slots and rows (H, N, M), got {sorted(cores)}")
    plan = _plan(examples)
    with style.paper_style():
        figure = style.new_figure(plan.width)
        _compose(figure, examples, plan, title)
    return figure


@dataclass(frozen=True)
class _Plan:
    """Sizes in inches, and which heads are drawn."""

    beside: bool
    cell_width: float
    cell_height: float
    block_widths: list[float]
    width: float
    heads: list[int]

    @property
    def grid_height(self) -> float:
        return len(self.heads) * (self.cell_height + CELL_GAP) - CELL_GAP


def _plan(examples: Sequence[AttentionExample]) -> _Plan:
    """Decide on side by side or below each other, on the heads, and on the size of a map."""
    slots, rows = examples[0].attention.shape[2:]
    aspect = min(rows / slots, 2.0)

    def block_widths(cell_height: float) -> list[float]:
        step = cell_height * aspect + CELL_GAP
        return [max(len(example.step_labels) * step - CELL_GAP, NARROWEST_BLOCK) for example in examples]

    def full_width(cell_height: float, beside: bool) -> float:
        widths = block_widths(cell_height)
        content = sum(widths) + (len(widths) - 1) * BLOCK_GAP if beside else max(widths)
        return max(LEFT + content + RIGHT, 6.5)

    smallest = max(SMALLEST_CELL, 0.077 * slots)
    beside = full_width(smallest, beside=True) <= WIDEST
    heads = _choose(examples, ROWS_BESIDE if beside else max(2, ROWS_BELOW // len(examples)))
    blocks = 1 if beside else len(examples)
    tallest = (GOOD_HEIGHT - 1.2 * (blocks + 1)) / (blocks * len(heads)) - CELL_GAP
    cell = smallest
    while cell + 0.01 <= min(LARGEST_CELL, tallest) and full_width(cell + 0.01, beside) <= GOOD_WIDTH:
        cell += 0.01
    return _Plan(beside, cell * aspect, cell, block_widths(cell), full_width(cell, beside), heads)


def _choose(examples: Sequence[AttentionExample], shown: int) -> list[int]:
    """The heads to draw, in order: all, or the `shown` ones that are furthest from uniform attention."""
    heads = examples[0].attention.shape[1]
    if heads <= shown:
        return list(range(heads))
    sharpness = np.zeros(heads)
    for example in examples:
        weights = np.clip(np.asarray(example.attention, dtype=float), 1e-12, None)
        sharpness += (weights * np.log(weights)).sum(axis=-1).mean(axis=(0, 2))  # (H,)
    return sorted(int(head) for head in np.argsort(-sharpness, kind="stable")[:shown])


def _compose(figure: Figure, examples: Sequence[AttentionExample], plan: _Plan, title: str) -> None:
    """Stack title, blocks and caption from the top down."""
    font: dict[str, Any] = {"fontsize": style.TITLE_SIZE, "fontweight": "bold"}
    heading = style.wrap(figure, title, plan.width - 0.4, **font)
    note = style.wrap(figure, _caption(examples, plan), plan.width - 0.6, fontsize=style.SMALL_SIZE)
    top = 0.35 + style.text_size(figure, heading, **font)[1]
    bottom = 0.52 + LINE * (1 + note.count("\n"))
    below_width = plan.width - LEFT - RIGHT
    headers, steps = [], []
    for example, width in zip(examples, plan.block_widths):
        headers.append(_header(figure, example, width + 0.2 if plan.beside else below_width))
        room = plan.cell_width + CELL_GAP - 0.06
        steps.append(
            [style.wrap(figure, text, room, fontsize=style.SMALL_SIZE) for text in example.step_labels]
        )
    step_lines = max(text.count("\n") + 1 for labels in steps for text in labels)
    header_lines = [text.count("\n") + 1 for text in headers]
    if plan.beside:
        header_lines = [max(header_lines)] * len(examples)
    above = [LINE * (lines + step_lines + 1) + 0.14 for lines in header_lines]  # one line says "reference"
    blocks = 1 if plan.beside else len(examples)
    height = top + sum(above[:blocks]) + blocks * plan.grid_height + (blocks - 1) * (BLOCK_GAP + 0.2) + bottom
    figure.set_size_inches(plan.width, height)
    style.write_at(figure, plan.width / 2, height - 0.15, heading, ha="center", va="top", **font)
    style.write_at(figure, plan.width / 2, 0.14, note, ha="center", va="bottom", color=style.QUIET)
    left, ceiling = LEFT, height - top
    _colour_bar(figure, plan.width - RIGHT + 0.3, ceiling - above[0], min(plan.grid_height, 3.2))
    for index, example in enumerate(examples):
        grid_top = ceiling - above[index]
        style.write_at(figure, left, ceiling, headers[index], va="top")
        if index == 0 or not plan.beside:
            _name_heads(figure, plan, grid_top)
        _draw_grid(figure, example, plan, left, grid_top, index)
        _name_steps(figure, example, steps[index], plan, left, grid_top)
        if plan.beside:
            left += plan.block_widths[index] + BLOCK_GAP
        else:
            ceiling = grid_top - plan.grid_height - BLOCK_GAP - 0.2  # tick labels take the 0.2


def _caption(examples: Sequence[AttentionExample], plan: _Plan) -> str:
    """What a map shows, and which heads are missing."""
    _, heads, slots, rows = examples[0].attention.shape
    text = "In each map: a row for every slot that asks, a column for every slot it attends to"
    if rows > slots:
        text += " (in: the input)" if rows == slots + 1 else f" (in: the {rows - slots} input rows)"
    if len(plan.heads) < heads:
        text += f". {len(plan.heads)} of {heads} heads: those furthest from uniform attention"
    return text + "."


def _header(figure: Figure, example: AttentionExample, width: float) -> str:
    """Question, answer and prediction in lines of `width` inches."""
    verdict = "" if example.prediction == example.answer else " (wrong)"
    answer, prediction = f"answer: {example.answer}", f"prediction: {example.prediction}{verdict}"
    one_line = f"{answer}, {prediction}"
    fits = style.text_size(figure, one_line, fontsize=style.SMALL_SIZE)[0] <= width
    said = one_line if fits else f"{answer}\n{prediction}"
    return style.wrap(figure, f"{example.question}\n{said}", width, fontsize=style.SMALL_SIZE)


def _name_heads(figure: Figure, plan: _Plan, grid_top: float) -> None:
    for row, head in enumerate(plan.heads):
        middle = grid_top - row * (plan.cell_height + CELL_GAP) - plan.cell_height / 2
        style.write_at(figure, LEFT - 0.32, middle, f"head {head + 1}", ha="right", va="center")


def _name_steps(
    figure: Figure, example: AttentionExample, labels: list[str], plan: _Plan, left: float, grid_top: float
) -> None:
    """Write the steps' labels above the maps and mark the reference's."""
    for step, text in enumerate(labels):
        middle = left + step * (plan.cell_width + CELL_GAP) + plan.cell_width / 2
        if step != example.reference_step:
            style.write_at(figure, middle, grid_top + 0.08, text, ha="center", va="bottom")
            continue
        marked: dict[str, Any] = {"ha": "center", "va": "bottom", "color": style.HIGHLIGHT}
        style.write_at(figure, middle, grid_top + 0.08, text, **marked)
        lines = LINE * (text.count("\n") + 1)
        style.write_at(figure, middle, grid_top + 0.07 + lines, "reference", fontweight="bold", **marked)


def _draw_grid(
    figure: Figure, example: AttentionExample, plan: _Plan, left: float, grid_top: float, index: int
) -> None:
    """The maps of one sequence, a row per head and a column per step, and a frame for the reference."""
    from matplotlib.patches import Rectangle

    step_width, head_height = plan.cell_width + CELL_GAP, plan.cell_height + CELL_GAP
    for row, head in enumerate(plan.heads):
        bottom = grid_top - row * head_height - plan.cell_height
        for step in range(len(example.step_labels)):
            axes = style.axes_at(figure, left + step * step_width, bottom, plan.cell_width, plan.cell_height)
            axes.set_gid(f"example {index} head {head} step {step}")
            lowest = row == len(plan.heads) - 1
            _draw_map(axes, example.attention[step, head], name_rows=step == 0, name_columns=lowest)
    if example.reference_step is not None:
        pad, (width, height) = 0.03, figure.get_size_inches()
        corner = left + example.reference_step * step_width - pad, grid_top - plan.grid_height - pad
        frame = Rectangle(
            (corner[0] / width, corner[1] / height),
            (plan.cell_width + 2 * pad) / width,
            (plan.grid_height + 2 * pad) / height,
            fill=False,
            edgecolor=style.HIGHLIGHT,
            linewidth=2.2,
            gid=f"reference {index}",
        )
        figure.add_artist(frame)


def _draw_map(axes: Axes, weights: Float[np.ndarray, "N M"], *, name_rows: bool, name_columns: bool) -> None:
    """One head at one step."""
    slots, rows = weights.shape
    axes.imshow(weights, norm=_scale(), cmap="Blues", aspect="auto", interpolation="nearest")
    axes.grid(visible=False)
    for spine in axes.spines.values():
        spine.set(visible=True, linewidth=0.6)
    if slots <= 4:
        columns = [(float(slot), str(slot + 1)) for slot in range(slots)]
    else:
        columns = [((slots - 1) / 2, f"1\N{EN DASH}{slots}")]  # single numbers would touch each other
    if rows > slots:
        axes.axvline(slots - 0.5, color=style.INK, linewidth=0.9)
        columns.append(((slots + rows - 1) / 2, "in"))
    named = range(slots) if slots <= 4 else (0, slots - 1)
    axes.set_xticks([place for place, _ in columns] if name_columns else [])
    axes.set_yticks(list(named) if name_rows else [])
    if name_columns:
        axes.set_xticklabels([name for _, name in columns])
    if name_rows:
        axes.set_yticklabels([str(slot + 1) for slot in named])
    axes.tick_params(length=0, pad=4.5, labelsize=8.5)


def _scale() -> PowerNorm:
    """Colours by the square root of a weight: attention spread over many rows is still told from none."""
    from matplotlib.colors import PowerNorm

    return PowerNorm(0.5, vmin=0.0, vmax=1.0)


def _colour_bar(figure: Figure, left: float, top: float, height: float) -> None:
    from matplotlib.cm import ScalarMappable

    axes = style.axes_at(figure, left, top - height, 0.15, height)
    bar = figure.colorbar(ScalarMappable(_scale(), cmap="Blues"), cax=axes)
    bar.set_label("attention weight", fontsize=style.SMALL_SIZE)
    bar.set_ticks([0, 0.1, 0.25, 0.5, 1.0] if height > 1 else [0, 0.25, 1.0])
    bar.outline.set(linewidth=0.6)
