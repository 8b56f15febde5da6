"""What factors do to a score: a table and a figure for each, from the results of `ablate` and `sweep`."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from relational_rnn.analysis import style
from relational_rnn.analysis.finding import NEAR
from relational_rnn.analysis.tables import Table, spread_told
from relational_rnn.tasks import score_of
from relational_rnn.tasks.score import ACCURACY, Score
from relational_rnn.training.models import LABELS
from relational_rnn.training.variants import objective, scores_of, text_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DASH = "\N{EN DASH}"
LEFT, PANEL, BETWEEN, RIGHT = 0.95, 4.1, 2.0, 0.3
HEIGHT = 3.3
HALF_WAY_COLUMNS = ("half way", "half way, s")
"""Columns of a table: examples and seconds until the trivial score was left."""
APART = 4
"""With more factors the values of a point share a column."""
LEAVING = "examples until half of the way\nfrom the trivial score to 100 %"
"""Names the axis of `examples_to_leave`."""
NOTE = (
    "A dot is a run, a bar reaches from the lowest to the highest, a thick dash is the mean. "
    "\N{MULTIPLICATION SIGN}: runs that never get half of the way from the trivial score to 100 %."
)
"""What the marks of the figure of a factor are."""
WORDS = {
    "grow": "curriculum",
    "start": "first stage",
    "num_heads": "heads",
    "mem_slots": "slots",
    "num_blocks": "blocks",
    "use_mlp": "MLP",
    "use_residual": "residual connections",
    "initialisation": "initial values",
}
"""Factor -> what figures call it; others have the names of their flags, in words."""
PARTS = 5
"""Rows of a table for a range."""
FIGURE_WIDTH = LEFT + 2 * PANEL + BETWEEN + RIGHT


class Level(NamedTuple):
    """All runs in which a factor has one value."""

    value: Any
    base: bool
    """Whether it is the base's."""
    variants: list[dict[str, Any]]
    """Of results.json."""

    @property
    def label(self) -> str:
        """The value in words, and how many trainings diverged."""
        return self.name + self.lost()

    @property
    def name(self) -> str:
        """The value in words."""
        return text_of(self.value) + (" (base)" if self.base else "")

    def lost(self, model: str | None = None) -> str:
        """Return in words how many trainings diverged, of which models if there are several, or of this one.

        Nothing if none did.
        """
        runs = [run for variant in self.variants for run in variant["runs"]]
        names = dict.fromkeys(name for run in runs for name in (*run["models"], *run["diverged"]))
        counts = {name: sum(name in run["diverged"] for run in runs) for name in names}
        told = [
            f"{count}" if model or len(names) == 1 else f"{count} {LABELS.get(name, name)}"
            for name, count in counts.items()
            if count and model in (None, name)
        ]
        return f", {', '.join(told)} diverged" if told else ""

    def scores(self, model: str, name: str) -> list[Any]:
        """Return a score of a model in every run that did not diverge."""
        return [score[name] for score in scores_of(self.variants, model)]

    def accuracy_told(self, model: str) -> str:
        """Return the mean accuracy on test and its range, in percent."""
        return _mean_and_range(self.scores(model, "test_accuracy"))

    def score_told(self, model: str, score: Score, split: str = "test") -> list[str]:
        """Return the mean of what the task is scored by and its range; nothing if that is the accuracy."""
        if score is ACCURACY:
            return []
        values = self.scores(model, f"{split}_{score.key}")
        return [spread_told(values, score.cell) if values else DASH]

    def rank(self, model: str, score: Score) -> float:
        """Return a number that is larger for a better mean on test."""
        values = self.scores(model, f"test_{score.key}")
        return score.rank(_average(values)) if values else -math.inf

    def leaving_told(self, model: str) -> str:
        """Return the mean number of examples until the trivial score was left, and how many runs left it."""
        left = self.scores(model, "examples_to_leave")
        return style.mean_or_never(left) if left else DASH

    def leaving_seconds_told(self, model: str) -> str:
        """Return the mean number of seconds until then, where runs left it and tell."""
        left = self.scores(model, "seconds_to_leave")
        return _mean([seconds for seconds in left if seconds is not None])


def levels(results: dict[str, Any], factor: str) -> list[Level]:
    """Return the values of a factor with their runs: numbers in their order, other values as they were given.

    Of an ablation only the base, which is first if it was not given, and the variants with this factor.

    Args:
        results: content of results.json.
        factor: one of its `factors`.
    """
    found: dict[str, Level] = {}
    for variant in results["variants"]:
        values = variant["values"] or results["base"]
        if factor in values:
            level = Level(values[factor], not variant["values"], [])
            found.setdefault(text_of(level.value), level).variants.append(variant)
    names = list(found)
    if all(
        isinstance(level.value, int | float) and not isinstance(level.value, bool) for level in found.values()
    ):
        names.sort(key=lambda name: found[name].value)
    else:
        given = [text_of(value) for value in results["factors"][factor]["values"]]
        names.sort(key=lambda name: given.index(name) if name in given else -1)
    return [found[name] for name in names]


def models_with(results: dict[str, Any], factor: str) -> list[str]:
    """Return the models that have a factor: all, or the one whose own setting it is.

    Args:
        results: content of results.json.
        factor: one of its `factors`, a setting of the run or MODEL.SETTING.

    Example:
        >>> models_with({"models": ["rmc", "lstm"]}, "lstm.learning_rate")
        ['lstm']
        >>> models_with({"models": ["rmc", "lstm"]}, "learning_rate")
        ['rmc', 'lstm']
    """
    return [model for model in results["models"] if factor.rpartition(".")[0] in ("", model)]


def factor_table(results: dict[str, Any], factor: str) -> Table:
    """Return one row a value (of several models for each that has it), in bold each model's best on test.

    "half way" counts the examples until the validation accuracy had come half of the way from the
    trivial score to 100 %: the mean over the runs that got there, and how many did; the column after it
    has their seconds until then, "seconds" those of the whole training. Of a range with many values a row
    has a part.

    Args:
        results: content of results.json.
        factor: one of its `factors`.

    Example:
        >>> from relational_rnn.analysis.made_up import made_up_ablation
        >>> print(factor_table(made_up_ablation(), "num_heads"))
        num_heads                test %        half way  half way, s  parameters  seconds
        1              75.0 (70.0–80.0)  1,000 (1 of 2)           10      41,000       20
        4 (base)       90.0 (85.0–95.0)             700            7      41,000       20
        trivial score              25.0
    """
    rows = []
    several, score = len(results["models"]) > 1, score_of(results["task"])
    for level in _grouped(levels(results, factor), results["factors"][factor]):
        for model in models_with(results, factor):
            label = level.name + (f", {LABELS.get(model, model)}" if several else "") + level.lost(model)
            cells = [label, *level.score_told(model, score), level.accuracy_told(model)]
            cells += [level.leaving_told(model), level.leaving_seconds_told(model)]
            cells += [_spread(level.scores(model, "parameters")), _mean(level.scores(model, "seconds"))]
            rows.append((model, level.rank(model, score), cells))
    return _table(factor, rows, results)


def points_table(results: dict[str, Any], most: int | None = None) -> Table:
    """Return one row a point of a sweep, the best on the validation examples first and in bold.

    Of several models each has its own rows, one model after the other. Points that differ only in what other
    models have of their own, such as `lstm.learning_rate` for the RMC, are one row, with a dash for that.

    Where the task grew, each is the better the more of the task it reached, as for a search, and the table
    says what that was.

    Args:
        results: content of results.json.
        most: how many rows at most, of each model; None for all.

    Example:
        >>> from relational_rnn.analysis.made_up import made_up_sweep
        >>> print(points_table(made_up_sweep(), most=2))
        learning_rate  validation %  test %
        0.001                  90.0    90.0
        0.01                   70.0    70.0
    """
    factors, score = list(results["factors"]), score_of(results["task"])
    several, apart = len(results["models"]) > 1, len(factors) <= APART
    trained = [one for model in results["models"] for one in scores_of(results["variants"], model)]
    grows = any(one["task_reached"] for one in trained)
    found = []
    for model in results["models"]:
        rows = []
        for values, level in _points(results, model):
            scores, test = level.scores(model, "validation_accuracy"), level.scores(model, "test_accuracy")
            told = [f"{factor} {value}" for factor, value in zip(factors, values) if value != DASH]
            cells = [
                *([LABELS.get(model, model)] if several else []),
                *(values if apart else [", ".join(told) or DASH]),
                *([_tasks(level.scores(model, "task_reached"))] if grows else []),
                *level.score_told(model, score, "validation"),
                *level.score_told(model, score),
                _mean_and_range(scores) + level.lost(model),
                _mean_and_range(test),
            ]
            runs = [run for variant in level.variants for run in variant["runs"]]
            rows.append((objective(runs, model) if scores else -math.inf, cells))
        rows.sort(key=lambda row: -row[0])
        found += [(not place and rank > -math.inf, cells) for place, (rank, cells) in enumerate(rows)][:most]
    columns = (
        *(["model"] if several else []),
        *(factors if apart else ["values"]),
        *(["task reached"] if grows else []),
        *([] if score is ACCURACY else [f"validation {score.head}", f"test {score.head}"]),
        *("validation %", "test %"),
    )
    return Table(columns, found)


def _points(results: dict[str, Any], model: str) -> list[tuple[list[str], Level]]:
    """Return the points of a sweep as a model has them: the values, a dash for what it lacks, and its runs.

    A search may come back to a point, which is then there twice: only what others vary is put together.
    """
    factors = list(results["factors"])
    own = [factor for factor in factors if model in models_with(results, factor)]
    points: dict[Any, tuple[list[str], Level]] = {}
    for place, variant in enumerate(results["variants"]):
        values = [_short(variant["values"][factor]) if factor in own else DASH for factor in factors]
        key = place if own == factors else tuple(text_of(variant["values"][factor]) for factor in own)
        points.setdefault(key, (values, Level(None, False, [])))[1].variants.append(variant)
    return list(points.values())


def _tasks(reached: Sequence[Mapping[str, int]]) -> str:
    """Return the smallest and the largest of some sizes of the task."""
    sizes = sorted((tuple(sizes.values()) for sizes in reached if sizes), key=math.prod)
    told = ["x".join(map(str, task)) for task in sizes]
    return DASH.join(dict.fromkeys((told[0], told[-1]))) if told else DASH


def _grouped(found: list[Level], allowed: dict[str, Any]) -> list[Level]:
    """Put the values of a range with many of them into `PARTS` parts, equally long on its axis."""
    if "low" not in allowed or len(found) <= PARTS:
        return found
    scale: Callable[[float], float] = math.log if allowed["log"] else float
    low, high = scale(allowed["low"]), scale(allowed["high"])
    parts: dict[int, list[Level]] = {}
    for level in found:
        part = int(PARTS * (scale(level.value) - low) / (high - low))
        parts.setdefault(min(part, PARTS - 1), []).append(level)
    grouped = []
    for _, own in sorted(parts.items()):
        name = DASH.join(dict.fromkeys(_short(level.value) for level in (own[0], own[-1])))
        grouped.append(Level(name, False, [variant for level in own for variant in level.variants]))
    return grouped


def _table(factor: str, rows: Sequence[tuple[str, float, list[str]]], results: dict[str, Any]) -> Table:
    best = {model: rank for model, rank, _ in sorted(rows, key=lambda row: row[1])}
    found = [(rank == best[model] > -math.inf, cells) for model, rank, cells in rows]
    trivial = sorted({v["trivial_accuracy"] for v in results["variants"]})
    several = f"{DASH}{100 * trivial[-1]:.1f}" if len(trivial) > 1 else ""
    others = heads_of(results)
    cells = ["trivial score", *[""] * len(others), f"{100 * trivial[0]:.1f}{several}", *4 * [""]]
    found.append((False, cells))
    return Table((factor, *others, "test %", *HALF_WAY_COLUMNS, "parameters", "seconds"), found)


def heads_of(results: dict[str, Any]) -> list[str]:
    """Return the column of what a task is scored by, if that is not the accuracy."""
    score = score_of(results["task"])
    return [] if score is ACCURACY else [f"test {score.head}"]


def factor_figure(results: dict[str, Any], factor: str, path: str | os.PathLike[str]) -> Path:
    """Draw the figure of a factor and write it to `path`; see `draw_factor`.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> from relational_rnn.analysis.made_up import made_up_ablation
        >>> with TemporaryDirectory() as folder:
        ...     factor_figure(made_up_ablation(), "gate_style", f"{folder}/gate_style.svg").name
        'gate_style.svg'
    """
    return style.save(draw_factor(results, factor), path)


def draw_factor(results: dict[str, Any], factor: str) -> Figure:
    """Test accuracy (left) and examples until the trivial score was left (right) against a factor's values.

    Every run is a dot, the mean over the runs with a value a dash, a bar reaches from the lowest to the
    highest. Runs that never left the trivial score are a cross at the upper edge. Values of a range lie
    where they are on its axis, others side by side.

    Args:
        results: content of results.json.
        factor: one of its `factors`.

    Returns:
        The figure, unsaved.

    Raises:
        ImportError: matplotlib is absent.

    Example:
        >>> from relational_rnn.analysis.made_up import made_up_ablation
        >>> len(draw_factor(made_up_ablation(), "num_heads").axes)
        2
    """
    found = levels(results, factor)
    ranged = "low" in results["factors"][factor]
    places = [float(level.value) if ranged else float(place) for place, level in enumerate(found)]
    several = len(results["models"]) > 1
    with style.paper_style():
        figure = style.new_figure(FIGURE_WIDTH)
        names = [style.wrap(figure, level.label, PANEL / max(1, len(found)) - 0.08) for level in found]
        lines = 1 if ranged else 1 + max(name.count("\n") for name in names)
        bottom = style.add_note(figure, NOTE) + 0.45 + 0.2 * lines
        top = HEIGHT + (0.5 if several else 0.3)
        style.add_title(
            figure, factor_in_words(results, factor), FIGURE_WIDTH, bottom + top, results["title"]
        )
        panels = [
            style.axes_at(figure, LEFT + column * (PANEL + BETWEEN), bottom, PANEL, HEIGHT)
            for column in (0, 1)
        ]
        for axes in panels:
            axes.grid(visible=False, axis="x")
            axes.set_xlabel(name_of(factor))
            if ranged:
                _set_range(axes, results["factors"][factor])
            else:
                axes.set_xticks(places, names)
                axes.set_xlim(-0.5, len(found) - 0.5)
        _draw_accuracy(panels[0], results, found, places, ranged)
        _draw_leaving(panels[1], results, found, places, ranged)
    return figure


def name_of(factor: str) -> str:
    """Return what figures call a factor.

    Example:
        >>> name_of("num_heads"), name_of("use_layer_norm"), name_of("gate_style")
        ('heads', 'layer norm', 'gate style')
    """
    return WORDS.get(factor, factor.removeprefix("use_").replace("_", " "))


def factor_in_words(results: dict[str, Any], factor: str) -> str:
    """Return which values of a factor are best and worst; of several models a line for each that has it."""
    several = len(results["models"]) > 1
    return "\n".join(
        _factor_in_words(results, factor, model, f" ({LABELS.get(model, model)})" if several else "")
        for model in models_with(results, factor)
    )


def _factor_in_words(results: dict[str, Any], factor: str, model: str, of: str) -> str:
    means = [
        (level.name, _average(level.scores(model, "test_accuracy"))) for level in levels(results, factor)
    ]
    known = sorted((pair for pair in means if pair[1] > -math.inf), key=lambda pair: -pair[1])
    what = name_of(factor.rpartition(".")[2] if of else factor)
    what = what[0].upper() + what[1:] + of
    if not known:
        return f"{what}: every training diverged"
    (best, top), (worst, low) = known[0], known[-1]
    if top - low <= NEAR:
        return f"{what} hardly matters: {100 * low:.1f} to {style.percent(top)}"
    return f"{what}: {best} is best, {style.percent(top)}; {worst} is worst, {style.percent(low)}"


def _set_range(axes: Axes, allowed: dict[str, Any]) -> None:
    """Let the axis reach a little beyond the range, with plain numbers."""
    from matplotlib.ticker import FuncFormatter, NullFormatter

    low, high = allowed["low"], allowed["high"]
    if allowed["log"]:
        axes.set_xscale("log")
        margin = (high / low) ** 0.03
        axes.set_xlim(low / margin, high * margin)
        axes.xaxis.set_minor_formatter(NullFormatter())
    else:
        margin = 0.03 * (high - low)
        axes.set_xlim(low - margin, high + margin)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))


def _draw_accuracy(
    axes: Axes, results: dict[str, Any], found: Sequence[Level], places: Sequence[float], ranged: bool
) -> None:
    from matplotlib.ticker import PercentFormatter

    for index, model in enumerate(results["models"]):
        for level, place in zip(found, places):
            x = place if ranged else beside(place, index, results)
            _draw_runs(axes, x, level.scores(model, "test_accuracy"), model)
    trivial = [next((v["trivial_accuracy"] for v in level.variants if v["models"]), None) for level in found]
    known = sorted({value for value in trivial if value is not None})
    if len(known) == 1:
        axes.axhline(known[0], zorder=1, **style.TRIVIAL_LINE)
    elif not ranged:
        for place, value in zip(places, trivial):
            if value is not None:
                axes.plot([place - 0.4, place + 0.4], [value, value], zorder=1, **style.TRIVIAL_LINE)
    if known:
        some = style.percent(known[0]) if len(known) == 1 else "(dashed)"
        axes.text(
            1.015, known[0], f"trivial score\n{some}", transform=axes.get_yaxis_transform(), va="center",
            fontsize=style.SMALL_SIZE,
        )  # fmt: skip
    axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0, symbol=" %"))
    axes.set_ylim(0, 1.03)
    axes.set_ylabel("test accuracy")
    if len(results["models"]) > 1:
        add_model_legend(axes, results)


def _draw_leaving(
    axes: Axes, results: dict[str, Any], found: Sequence[Level], places: Sequence[float], ranged: bool
) -> None:
    from matplotlib.ticker import EngFormatter

    highest, never, runs = 0.0, 0, 0
    for index, model in enumerate(results["models"]):
        for level, place in zip(found, places):
            examples = level.scores(model, "examples_to_leave")
            left = [float(value) for value in examples if value is not None]
            x = place if ranged else beside(place, index, results)
            _draw_runs(axes, x, left, model)
            highest, runs = max([highest, *left]), runs + len(examples)
            if len(left) < len(examples):
                never += len(examples) - len(left)
                axes.plot(
                    x, 1.0, "x", transform=axes.get_xaxis_transform(), color=style.colour_of(model),
                    clip_on=False, zorder=6,
                )  # fmt: skip
    if never:
        axes.text(
            1.0, 1.04, f"\N{MULTIPLICATION SIGN} never: {never} of {runs} runs", ha="right",
            transform=axes.transAxes, va="bottom", fontsize=style.SMALL_SIZE,
        )  # fmt: skip
    axes.set_ylim(0, 1.08 * highest or 1.0)
    if not highest:
        axes.set_yticks([])
    axes.yaxis.set_major_formatter(EngFormatter())
    axes.set_ylabel(LEAVING)


def _draw_runs(axes: Axes, x: float, values: Sequence[float], model: str) -> None:
    """Draw a dot a run, and for several their mean and range."""
    if not values:
        return
    colour = style.colour_of(model)
    if len(values) > 1:
        axes.plot([x, x], [min(values), max(values)], color=colour, linewidth=1.2, alpha=0.6, zorder=2)
        axes.plot(
            [x], [sum(values) / len(values)], "_", color=colour, markersize=17, markeredgewidth=2.6, zorder=4
        )
    axes.plot(
        [x] * len(values),
        values,
        style.marker_of(model),
        color=colour,
        markersize=5.5,
        markeredgecolor="white",
        markeredgewidth=0.5,
        zorder=3,
    )


def beside(place: float, index: int, results: dict[str, Any]) -> float:
    """Return where the runs of a model, of which there may be several at a place, are drawn."""
    return place + 0.6 * ((index + 0.5) / len(results["models"]) - 0.5)


def add_model_legend(axes: Axes, results: dict[str, Any], bottom: float = 1.02) -> None:
    """Name the models above a panel's left corner, from `bottom` of its height up."""
    from matplotlib.lines import Line2D

    handles = [Line2D([], [], **{**style.line_of(model), "linestyle": "none"}) for model in results["models"]]
    labels = [LABELS.get(model, model) for model in results["models"]]
    axes.legend(
        handles, labels, fontsize=style.SMALL_SIZE, borderaxespad=0,
        loc="lower left", bbox_to_anchor=(0, bottom), ncols=len(handles),
    )  # fmt: skip


def _average(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else -math.inf


def _mean_and_range(values: Sequence[float]) -> str:
    return style.mean_and_range(values) if values else DASH


def _spread(values: Sequence[int]) -> str:
    if not values:
        return DASH
    several = f"{DASH}{max(values):,}" if min(values) != max(values) else ""
    return f"{min(values):,}{several}"


def _mean(values: Sequence[float]) -> str:
    return f"{_average(values):,.0f}" if values else DASH


def _short(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else text_of(value)
