"""All variants of an ablation in one figure and one table: what each single change does."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from relational_rnn.analysis import style
from relational_rnn.analysis.factors import (
    HALF_WAY_COLUMNS,
    LEAVING,
    Level,
    add_model_legend,
    beside,
    heads_of,
    levels,
    models_with,
    name_of,
)
from relational_rnn.analysis.finding import NEAR
from relational_rnn.analysis.headlines import MOST_NAMED
from relational_rnn.analysis.tables import Table
from relational_rnn.tasks import score_of
from relational_rnn.training.models import LABELS
from relational_rnn.training.variants import text_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ROW = 0.27
"""Height of a row in inches."""
INDENT, EDGE = 0.18, style.EDGE
PANEL, BETWEEN, NEVER = 3.6, 0.45, 1.0
"""Widths in inches: of a panel, between the two, and of the column for runs that never left."""
BOTTOM = 0.72
NOTE = (
    "A mark is a run, a bar reaches from the lowest to the highest. \N{MULTIPLICATION SIGN}: runs that never "
    "get half of the way."
)
"""What the marks are."""


class Row(NamedTuple):
    """One line of the figure."""

    text: str
    level: Level | None
    """None: the name of a factor, above its values."""
    name: bool
    """Whether it names a factor (or the base), else only a value."""
    factor: str = ""
    """Of a value, what has it, in words."""


def overview_figure(
    results: dict[str, Any],
    path: str | os.PathLike[str],
    rows: Sequence[Row] | None = None,
    title: str | None = None,
) -> Path:
    """Draw all variants of an ablation and write the figure to `path`; see `draw_overview`.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> from relational_rnn.analysis.made_up import made_up_ablation
        >>> with TemporaryDirectory() as folder:
        ...     overview_figure(made_up_ablation(), f"{folder}/overview.svg").name
        'overview.svg'
    """
    return style.save(draw_overview(results, rows, title), path)


def draw_overview(
    results: dict[str, Any], rows: Sequence[Row] | None = None, title: str | None = None
) -> Figure:
    """Test accuracy (left) and examples until the trivial score was left (right), a row a variant.

    The right axis is logarithmic. The base is at the top, its means are the lines through both panels.
    Every run is a mark, the bar reaches from the lowest to the highest. Runs that never left the trivial
    score are counted at the right edge, beside a cross.

    Args:
        results: content of an ablation's results.json.
        rows: the lines, to tell the variants in words of your own; None for one a variant.
        title: above the figure; None for which changes lose what the base has learned.

    Returns:
        The figure, unsaved.

    Raises:
        ImportError: matplotlib is absent.

    Example:
        >>> from relational_rnn.analysis.made_up import made_up_ablation
        >>> len(draw_overview(made_up_ablation()).axes)
        2
    """
    rows = _rows(results) if rows is None else rows
    with style.paper_style():
        figure = style.new_figure(1.0)
        widths = [_indent(row) + style.text_size(figure, row.text, **_font(row))[0] for row in rows]
        left, tall = EDGE + max(widths) + 0.15, max(ROW, 0.25 * len(results["models"])) * len(rows)
        width = left + 2 * PANEL + BETWEEN + NEVER + EDGE
        figure.set_size_inches(width, 1.0)
        several = len(results["models"]) > 1
        base = next((row.text for row in rows if row.level and row.level.base), None)
        lines = "" if base is None else f" Thin vertical line{'s' if several else ''}: mean of {base!r}."
        bottom = style.add_note(figure, NOTE + lines) + BOTTOM
        heading = overview_in_words(results) if title is None else title
        style.add_title(figure, heading, width, bottom + tall + (0.65 if several else 0.4), results["title"])
        panels = [
            style.axes_at(figure, left + column * (PANEL + BETWEEN), bottom, PANEL, tall) for column in (0, 1)
        ]
        for place, row in enumerate(rows):
            height = bottom + tall - (place + 0.5) * tall / len(rows)
            style.write_at(figure, EDGE + _indent(row), height, row.text, va="center", **_font(row))
        for axes in panels:
            axes.set_ylim(len(rows) - 0.5, -0.5)
            axes.set_yticks([place for place, row in enumerate(rows) if row.level], [])
            axes.tick_params(axis="y", length=0)
        _draw_accuracy(panels[0], results, rows)
        _draw_leaving(panels[1], results, rows)
        if several:
            add_model_legend(panels[0], results, 1 + 0.25 / tall)
    return figure


def overview_in_words(results: dict[str, Any]) -> str:
    """Return which changes lose all that the base has learned, or else the worst one.

    Several models have a line each, but for those that no change is of.
    """
    if len(results["models"]) == 1:
        return _overview_in_words(results, results["models"][0], "")
    return "\n".join(
        _overview_in_words(results, model, f" ({LABELS.get(model, model)})")
        for model in results["models"]
        if any(model in models_with(results, factor) for factor in results["factors"])
    )


def _overview_in_words(results: dict[str, Any], model: str, of: str) -> str:
    base, changed = None, {}
    for row in _rows(results):
        if row.level is None or not _changes(results, row.level, model):
            continue
        scores = row.level.scores(model, "test_accuracy")
        mean = sum(scores) / len(scores) if scores else None
        if row.level.base:
            base = mean
        elif mean is not None:
            changed[change_in_words(row)] = (mean, row.level.variants[0]["trivial_accuracy"])
    if base is None or not changed:
        return f"What each single change does{of}"
    lost = [name for name, (mean, trivial) in changed.items() if mean <= trivial + NEAR]
    told = f"the base{of} reaches {style.percent(base)}"
    if lost:
        trivial = style.percent(min(score for _, score in changed.values()))
        names = ", ".join(lost) if len(lost) <= MOST_NAMED else f"{len(lost)} of {len(changed)} changes"
        return f"At the trivial {trivial}: {names}; {told}"
    worst = min(changed, key=lambda name: changed[name][0])
    return f"T{told[1:]}; {worst} costs most, down to {style.percent(changed[worst][0])}"


def _changes(results: dict[str, Any], level: Level, model: str) -> bool:
    """Say whether a variant is the base, or has another value of what the model has."""
    return all(model in models_with(results, factor) for factor in level.variants[0]["values"])


def change_in_words(row: Row) -> str:
    """Return a variant in words that need no heading above them."""
    text = row.text.removesuffix(row.level.lost()) if row.level else row.text
    return text if row.name else f"{row.factor} {text}"


def overview_table(results: dict[str, Any]) -> Table:
    """Return one row a variant of an ablation (of several models for each that it changes), the base first.

    Its factors have the names of their flags, so that the table says what to type.

    Args:
        results: content of an ablation's results.json.

    Example:
        >>> from relational_rnn.analysis.made_up import made_up_ablation
        >>> print(overview_table(made_up_ablation()))
        change                      test %        half way  half way, s
        base              90.0 (85.0–95.0)             700            7
        num_heads: 1      75.0 (70.0–80.0)  1,000 (1 of 2)           10
        gate_style: none  90.0 (90.0–90.0)             700            7
    """
    rows = []
    several, score = len(results["models"]) > 1, score_of(results["task"])
    base = next(level for level in levels(results, next(iter(results["factors"]))) if level.base)
    changes = [("base", base, results["models"])]
    for factor in results["factors"]:
        others = [level for level in levels(results, factor) if not level.base]
        models = models_with(results, factor)
        changes += [(f"{factor}: {level.name}", level, models) for level in others]
    for change, level, models in changes:
        for model in models:
            named = f", {LABELS.get(model, model)}" if several else ""
            label = change + named + level.lost(model)
            cells = [label, *level.score_told(model, score), level.accuracy_told(model)]
            cells += [level.leaving_told(model), level.leaving_seconds_told(model)]
            rows.append((level.base, cells))
    return Table(("change", *heads_of(results), "test %", *HALF_WAY_COLUMNS), rows)


def _rows(results: dict[str, Any]) -> list[Row]:
    """Return the base, then every factor with its other values; one that has a single one takes one line."""
    rows: list[Row] = []
    for factor in results["factors"]:
        found, what = levels(results, factor), name_of(factor)
        base = next(level for level in found if level.base)
        if not rows:
            rows.append(Row("base" + base.lost(), base, name=True))
        others = [level for level in found if not level.base]
        if len(others) == 1:
            rows.append(Row(_single(factor, others[0]) + others[0].lost(), others[0], name=True))
        elif others:
            rows.append(Row(f"{what} (base: {text_of(base.value)})", None, name=True))
            rows += [Row(level.label, level, name=False, factor=what) for level in others]
    return rows


def _single(factor: str, level: Level) -> str:
    """Return the one other value of a factor in words."""
    return f"without {name_of(factor)}" if level.value is False else f"{name_of(factor)}: {level.name}"


def _indent(row: Row) -> float:
    return 0.0 if row.name else INDENT


def _font(row: Row) -> dict[str, Any]:
    return {"fontsize": style.SMALL_SIZE, "fontweight": "bold" if row.name else "normal"}


def _draw_accuracy(axes: Axes, results: dict[str, Any], rows: Sequence[Row]) -> None:
    _draw_values(axes, results, rows, "test_accuracy")
    trivial = {v["trivial_accuracy"] for row in rows if row.level for v in row.level.variants}
    if len(trivial) == 1:
        score = trivial.pop()
        axes.axvline(score, zorder=1, **style.TRIVIAL_LINE)
        axes.text(
            score, 1.0, f"trivial score {style.percent(score)}", transform=axes.get_xaxis_transform(),
            ha="center", va="bottom", fontsize=style.SMALL_SIZE,
        )  # fmt: skip
    axes.set_xlim(0, 1.03)
    style.percent_axis(axes.xaxis)
    axes.set_xlabel("test accuracy")


def _draw_leaving(axes: Axes, results: dict[str, Any], rows: Sequence[Row]) -> None:
    from matplotlib.ticker import EngFormatter, LogLocator, NullFormatter

    left = _draw_values(axes, results, rows, "examples_to_leave")
    axes.set_xscale("log")
    axes.set_xlim((min(left) / 1.5, max(left) * 1.5) if left else (1e3, 1e6))
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter(EngFormatter(sep=" "))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_xlabel(LEAVING)
    column = 1 + 0.5 * NEVER / PANEL
    axes.text(
        column, 1.0, "never", transform=axes.transAxes, ha="center", va="bottom", fontsize=style.SMALL_SIZE
    )
    for place, row in enumerate(rows):
        for index, model in enumerate(results["models"]):
            runs = row.level.scores(model, "examples_to_leave") if row.level else []
            if never := runs.count(None):
                if len(results["models"]) > 1:
                    axes.plot(
                        1 + 0.12 * NEVER / PANEL, beside(place, index, results), style.marker_of(model),
                        color=style.colour_of(model), markersize=5.5, clip_on=False,
                        transform=axes.get_yaxis_transform(),
                    )  # fmt: skip
                axes.text(
                    column, beside(place, index, results),
                    f"\N{MULTIPLICATION SIGN} {never} of {len(runs)}",
                    transform=axes.get_yaxis_transform(), ha="center", va="center", fontsize=style.SMALL_SIZE,
                )  # fmt: skip


def _draw_values(axes: Axes, results: dict[str, Any], rows: Sequence[Row], name: str) -> list[float]:
    """Draw a dot a run and a bar from the lowest to the highest; return all values that are known."""
    every = []
    for index, model in enumerate(results["models"]):
        colour = style.colour_of(model)
        for place, row in enumerate(rows):
            values = [v for v in (row.level.scores(model, name) if row.level else []) if v is not None]
            every += values
            if not values:
                continue
            height = beside(place, index, results)
            axes.plot([min(values), max(values)], [height, height], color=colour, linewidth=2, alpha=0.5)
            axes.plot(
                values, [height] * len(values), style.marker_of(model), color=colour, markersize=5.5,
                markeredgecolor="white", markeredgewidth=0.5,
            )  # fmt: skip
            if row.level and row.level.base:
                mean = sum(values) / len(values)
                axes.axvline(mean, color=colour, linewidth=1, alpha=0.4, zorder=1)
    return every
