"""Which questions of Nth farthest a model gets wrong: close calls, ranks, and when the reference comes."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float64, Int64

from relational_rnn.analysis import style
from relational_rnn.config.checks import check_size
from relational_rnn.tasks.nth_farthest import NthFarthestBatch, trivial_accuracy

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

GROUPS = 10
"""Equal parts of the questions, by how close a call they are."""
LEFT, PANEL, BETWEEN, RIGHT, HEIGHT = 0.85, 3.5, 0.75, 0.3, 2.9


def mistakes(
    batch: NthFarthestBatch, predictions: Int64[np.ndarray, " B"], groups: int = GROUPS
) -> dict[str, Any]:
    """Count the right and wrong answers to questions of the full task.

    The margin of a question is the difference between the distance of the vector that is asked for and the
    one next to it in order. Questions for the reference itself, n = N-1, have none and are left out of
    "margin" and of the shares.

    Args:
        batch: B examples of the full task, N objects each.
        predictions: the labels that a model said.
        groups: how many equal parts of the questions, by their margin.

    Returns:
        examples, accuracy; "margin": for each part, smallest margins first, its mean margin, accuracy and
        share of all mistakes; "n", "reference_step" and "answer", the right label: the accuracy for each,
        None where there was none; "one_rank_off": the share of mistakes that name a neighbour in order, None
        without mistakes.

    Raises:
        TypeError: `groups` is no integer.
        ValueError: the predictions do not fit the batch, or `groups` is below 1.

    Example:
        >>> from relational_rnn.tasks.nth_farthest import NthFarthest, sample
        >>> batch = sample(NthFarthest(objects=3, dimensions=2), 100, np.random.default_rng(0))
        >>> found = mistakes(batch, batch.targets, groups=2)
        >>> found["accuracy"], [part["accuracy"] for part in found["margin"]], found["one_rank_off"]
        (1.0, [1.0, 1.0], None)
    """
    if predictions.shape != batch.targets.shape:
        raise ValueError(f"predictions must be {batch.targets.shape}, got {predictions.shape}")
    groups = check_size("groups", groups)
    objects = batch.labels.shape[1]
    distances = _distances(batch)
    farthest_first = np.argsort(-distances, axis=1, kind="stable")
    by_rank = np.take_along_axis(distances, farthest_first, axis=1)
    labels_by_rank = np.take_along_axis(batch.labels, farthest_first, axis=1)
    right = predictions == batch.targets
    compared = batch.n < objects - 1
    margins = _margins(by_rank, batch.n)[compared]
    wrong = ~right[compared]
    order = np.argsort(margins, kind="stable")
    ranks = (labels_by_rank == predictions[:, None]).argmax(1)
    off = np.abs(ranks - batch.n)[compared][wrong]
    reference_step = (batch.labels == batch.reference[:, None]).argmax(1)
    return {
        "examples": len(right),
        "accuracy": float(right.mean()),
        "margin": [
            {
                "mean": float(margins[part].mean()),
                "accuracy": float(1 - wrong[part].mean()),
                "share_of_mistakes": float(wrong[part].sum() / max(1, wrong.sum())),
            }
            for part in np.array_split(order, groups)
            if len(part)
        ],
        "n": _by_value(right, batch.n, objects),
        "reference_step": _by_value(right, reference_step, objects),
        "answer": _by_value(right, batch.targets, objects),
        "one_rank_off": float((off == 1).mean()) if len(off) else None,
    }


def _distances(batch: NthFarthestBatch) -> Float64[np.ndarray, "B N"]:
    """Return the distances from the reference, in order of presentation."""
    vectors = batch.vectors.astype(np.float64)
    reference = vectors[batch.labels == batch.reference[:, None]]
    distances: Float64[np.ndarray, "B N"] = np.sqrt(((vectors - reference[:, None]) ** 2).sum(2))
    return distances


def _margins(by_rank: Float64[np.ndarray, "B N"], n: Int64[np.ndarray, " B"]) -> Float64[np.ndarray, " B"]:
    """Return how far the n-th distance is from its nearer neighbour in order."""
    gaps = np.full((len(by_rank), by_rank.shape[1] + 1), np.inf)
    gaps[:, 1:-1] = by_rank[:, :-1] - by_rank[:, 1:]
    every = np.arange(len(n))
    margins: Float64[np.ndarray, " B"] = np.minimum(gaps[every, n], gaps[every, n + 1])
    return margins


def _by_value(right: np.ndarray, values: Int64[np.ndarray, " B"], count: int) -> list[float | None]:
    return [
        float(right[values == value].mean()) if (values == value).any() else None for value in range(count)
    ]


def mistakes_in_words(found: Mapping[str, Mapping[str, Any]]) -> str:
    """Return how much close calls cost the model that is best elsewhere.

    Args:
        found: model -> what `mistakes` returned for it, and its "label".

    Example:
        >>> parts = [{"mean": 0.1, "accuracy": 0.6}, {"mean": 0.5, "accuracy": 1.0}]
        >>> mistakes_in_words({"rmc": {"label": "RMC", "margin": parts}})
        'RMC: 60.0 % right where distances are closest, 100.0 % elsewhere'
    """
    told = []
    for one in found.values():
        closest, *others = [part["accuracy"] for part in one["margin"]] or [0.0]
        rest = sum(others) / max(1, len(others))
        how = f"{style.percent(closest)} right where distances are closest, {style.percent(rest)} elsewhere"
        told.append((rest, f"{one['label']}: {how}"))
    return max(told, key=lambda pair: pair[0])[1]


def mistakes_figure(
    found: Mapping[str, Mapping[str, Any]], *, title: str, about: str = "", path: str | os.PathLike[str]
) -> Path:
    """Draw which questions models get wrong and write the figure to `path`; see `draw_mistakes`.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> from relational_rnn.tasks.nth_farthest import NthFarthest, sample
        >>> batch = sample(NthFarthest(objects=3, dimensions=2), 100, np.random.default_rng(0))
        >>> found = {"rmc": {"label": "RMC", **mistakes(batch, batch.reference)}}  # says the reference
        >>> with TemporaryDirectory() as folder:
        ...     mistakes_figure(found, title="Mistakes", path=f"{folder}/mistakes.svg").name
        'mistakes.svg'
    """
    return style.save(draw_mistakes(found, title=title, about=about), path)


def draw_mistakes(found: Mapping[str, Mapping[str, Any]], *, title: str, about: str = "") -> Figure:
    """Accuracy against the margin of a question, the rank asked for and the reference's step.

    Margins are on a logarithmic axis. The dashed lines are the trivial score of the questions shown: a model
    that knows only that n = N-1 asks for the reference answers all of these and 1 of N-1 others. So it is
    lower in the first panel, which leaves these out, and the figure says so.

    Args:
        found: model -> what `mistakes` returned for it, and its "label".
        title: above everything; long ones are wrapped.
        about: below the title, for example the task.

    Returns:
        The figure, unsaved.

    Raises:
        ImportError: matplotlib is absent.

    Example:
        >>> from relational_rnn.tasks.nth_farthest import NthFarthest, sample
        >>> batch = sample(NthFarthest(objects=3, dimensions=2), 100, np.random.default_rng(0))
        >>> found = {"rmc": {"label": "RMC", **mistakes(batch, batch.reference)}}  # says the reference
        >>> len(draw_mistakes(found, title=mistakes_in_words(found)).axes)
        3
    """
    with style.paper_style():
        from matplotlib.lines import Line2D

        width = LEFT + 3 * PANEL + 2 * BETWEEN + RIGHT
        figure = style.new_figure(width)
        looks = {model: {**style.line_of(model), "clip_on": False, "zorder": 3} for model in found}
        handles = [Line2D([], [], **look) for look in looks.values()]
        handles.append(Line2D([], [], **style.TRIVIAL_LINE))
        names = [style.wrap(figure, str(one["label"]), width - 1.5) for one in found.values()]
        count = len(next(iter(found.values()))["n"])
        note = (
            f"Trivial score: all questions for the reference itself (rank {count - 1}) right, a guess among "
            f"{count - 1} for the others. The left panel is without the former: they have no margin."
        )
        bottom = style.add_legend(figure, handles, [*names, "trivial score"], note) + 0.85
        style.add_title(figure, title, width, bottom + HEIGHT + 0.35, about)
        panels = [
            style.axes_at(figure, LEFT + place * (PANEL + BETWEEN), bottom, PANEL, HEIGHT)
            for place in range(3)
        ]
        guess, last = 1 / (count - 1), count - 1
        panels[0].axhline(guess, zorder=1, **style.TRIVIAL_LINE)
        for ends, height in (((-0.5, last - 0.5), guess), ((last - 0.5, last + 0.5), 1.0)):
            panels[1].plot(ends, (height, height), zorder=1, **style.TRIVIAL_LINE)
        panels[2].axhline(trivial_accuracy(count), zorder=1, **style.TRIVIAL_LINE)
        for axes, heading in zip(panels, ("by how close a call it is", "by rank", "by the reference's step")):
            axes.set_title(heading, fontsize=style.TEXT_SIZE, loc="left")
            axes.set_ylim(0, 1.03)
            style.percent_axis(axes.yaxis)
        for model, one in found.items():
            parts = one["margin"]
            panels[0].plot([p["mean"] for p in parts], [p["accuracy"] for p in parts], **looks[model])
            for axes, name, first in ((panels[1], "n", 0), (panels[2], "reference_step", 1)):
                places = [(first + x, y) for x, y in enumerate(one[name]) if y is not None]
                axes.plot([x for x, _ in places], [y for _, y in places], **looks[model])
        _name_axes(panels, count)
    return figure


def _name_axes(panels: Sequence[Axes], count: int) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    panels[0].set_xscale("log")
    panels[0].xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    panels[0].xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    panels[0].xaxis.set_minor_formatter(NullFormatter())
    panels[0].set_ylabel("accuracy")
    panels[0].set_xlabel("margin: difference to the next distance\n(mean of each tenth of the questions)")
    names = [str(n) for n in range(count)]
    names[0], names[-1] = "0\nfarthest", f"{count - 1}\nreference"
    panels[1].set_xticks(range(count), names)
    panels[1].set_xlabel("n, the rank that the question is about")
    panels[2].set_xticks(range(1, count + 1))
    panels[2].set_xlabel("step at which the reference comes")
