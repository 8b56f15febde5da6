"""Tables in words, for the screen and for pages: what each training, each regime and each model came to."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from html import escape
from typing import NamedTuple

from relational_rnn.analysis.confidence import binomial_half_width
from relational_rnn.analysis.style import mean_and_range, mean_or_never
from relational_rnn.tasks import score_of
from relational_rnn.tasks.nth_farthest_variants import MORE_STEPS
from relational_rnn.tasks.score import ACCURACY
from relational_rnn.training.results import RunResult, TrainingResult, value_of

TO_NINETY = "to 90 %: examples until 90 % of the best validation accuracy, if that is above the trivial score"
"""What the column says."""


class Table(NamedTuple):
    """A table in words, for the screen and for the page.

    Example:
        >>> print(Table(("model", "test %"), [(True, ["RMC", "97.3"]), (False, ["LSTM", "66.7"])]))
        model  test %
        RMC      97.3
        LSTM     66.7
    """

    columns: tuple[str, ...]
    rows: list[tuple[bool, list[str]]]
    """Whether the row is in bold, and its cells."""

    def __str__(self) -> str:
        r"""Return it as text, the first column to the left, the others to the right.

        Example:
            >>> str(Table(("model", "test %"), [(True, ["RMC", "97.3"])]))
            'model  test %\nRMC      97.3'
        """
        lines = [list(self.columns), *(cells for _, cells in self.rows)]
        widths = [max(len(line[column]) for line in lines) for column in range(len(self.columns))]
        return "\n".join(
            "  ".join(
                cell.rjust(width) if number else cell.ljust(width)
                for number, (cell, width) in enumerate(zip(line, widths))
            ).rstrip()
            for line in lines
        )

    def _repr_html_(self) -> str:
        return _table(self)


def score_table(results: RunResult) -> Table:
    """Return each training of a run, in bold those of its model's best regime.

    "to 90 %" is what `to_ninety` tells.

    Example:
        >>> from relational_rnn.analysis.made_up import made_up_run
        >>> print(score_table(made_up_run()))
        training       test accuracy  seconds  examples  parameters  to 90 %
        RMC, seed 0   95.00% ± 1.36%       20    10,000      41,000    8,000
        RMC, seed 1   85.00% ± 2.21%       20    10,000      41,000    8,000
        LSTM, seed 0  65.00% ± 2.95%       20    10,000      41,000    8,000
        LSTM, seed 1  55.00% ± 3.08%       20    10,000      41,000    8,000
    """
    rows = []
    scored = score_of(results.task)
    for model in results.models.values():
        for score in model.trainings:
            half = binomial_half_width(score.test_accuracy, results.test_examples)
            told = f"{score.test_accuracy:.2%} ± {half:.2%}"
            if scored is not ACCURACY:
                told = scored.cell(value_of(score, f"test_{scored.key}"))
            cells = [
                marked(score.label, [score]),
                told,
                f"{score.seconds:,.0f}",
                f"{score.examples:,}",
                f"{score.parameters:,}",
                to_ninety([score], results.trivial_accuracy),
            ]
            rows.append((score.name in model.selected, cells))
    return Table(("training", f"test {scored.name}", "seconds", "examples", "parameters", "to 90 %"), rows)


def spread_told(values: Sequence[float], cell: Callable[[float], str]) -> str:
    """Return a mean, and of several values the lowest and the highest."""
    mean = cell(sum(values) / len(values))
    return mean if len(values) == 1 else f"{mean} ({cell(min(values))}\N{EN DASH}{cell(max(values))})"


def marked(label: str, trainings: Sequence[TrainingResult]) -> str:
    """Return a label that says how many of its trainings diverged, if any did.

    Example:
        >>> from types import SimpleNamespace as Score
        >>> marked("RMC", [Score(diverged=None), Score(diverged="the loss is nan")])
        'RMC (1 of 2 diverged)'
    """
    lost = sum(training.diverged is not None for training in trainings)
    if not lost:
        return label
    return f"{label} (diverged)" if len(trainings) == 1 else f"{label} ({lost} of {len(trainings)} diverged)"


def divergences(results: RunResult) -> list[str]:
    """Return a sentence for each training that diverged."""
    trainings = (training for model in results.models.values() for training in model.trainings)
    return [
        f"{training.label} diverged and is scored as it was kept before: {training.diverged}."
        for training in trainings
        if training.diverged is not None
    ]


def to_ninety(trainings: Sequence[TrainingResult], trivial: float) -> str:
    """Return how many examples trainings had seen when the validation accuracy was first 90 % of their best.

    The mean over those of which 90 % are more than the trivial score. The others had that without learning
    anything, so the number would say nothing: "never" where there are only such.

    Args:
        trainings: what they came to.
        trivial: what can be had without learning, 0 to 1.

    Example:
        >>> from types import SimpleNamespace as Score
        >>> scores = [Score(test_accuracy=share, examples_to_converge=900) for share in (0.7, 0.95)]
        >>> to_ninety(scores, trivial=0.667)
        '900 (1 of 2)'
    """
    return mean_or_never(
        [one.examples_to_converge if 0.9 * one.test_accuracy > trivial else None for one in trainings]
    )


def selected_only(results: RunResult) -> RunResult:
    """Return results in which each model has only the trainings that count for it, one for each seed.

    Example:
        >>> from relational_rnn.analysis.made_up import made_up_run
        >>> [training.name for training in selected_only(made_up_run()).models["rmc"].trainings]
        ['rmc-0', 'rmc-1']
    """
    models = {
        name: replace(model, trainings=tuple(one for one in model.trainings if one.name in model.selected))
        for name, model in results.models.items()
    }
    return replace(results, models=models)


def regimes_table(results: RunResult) -> Table:
    """Return each training regime, means over the seeds, in bold the best of its model on validation.

    Example:
        >>> from relational_rnn.analysis.made_up import made_up_run
        >>> print(regimes_table(made_up_run()))
        training            test %  seconds  examples  parameters  to 90 %
        RMC       90.0 (85.0–95.0)       20    10,000      41,000    8,000
        LSTM      60.0 (55.0–65.0)       20    10,000      41,000    8,000
    """
    rows = []
    scored = score_of(results.task)
    for model in results.models.values():
        regimes: dict[str, list[TrainingResult]] = {}
        for score in model.trainings:
            regimes.setdefault(regime_of(score), []).append(score)
        for label, scores in regimes.items():
            cells = [
                marked(label, scores),
                mean_and_range([score.test_accuracy for score in scores])
                if scored is ACCURACY
                else scored.cell(sum(value_of(one, f"test_{scored.key}") for one in scores) / len(scores)),
                f"{sum(score.seconds for score in scores) / len(scores):,.0f}",
                f"{sum(score.examples for score in scores) / len(scores):,.0f}",
                f"{scores[0].parameters:,}",
                to_ninety(scores, results.trivial_accuracy),
            ]
            rows.append((scores[0].name in model.selected, cells))
    return Table(("training", f"test {scored.head}", "seconds", "examples", "parameters", "to 90 %"), rows)


def regime_of(score: TrainingResult) -> str:
    """Return what a training is called, whatever its seed.

    Example:
        >>> from relational_rnn.analysis.made_up import made_up_run
        >>> regime_of(made_up_run().models["rmc"].trainings[1])
        'RMC'
    """
    return score.label.rsplit(", seed ", 1)[0]


def longer_table(results: RunResult) -> Table | None:
    """Return how the models do with more steps in Nth farthest's sequences, means over their trainings.

    None for other tasks.

    Args:
        results: with only the trainings that count.

    Example:
        >>> from relational_rnn.analysis.made_up import made_up_run
        >>> shares = (0.9, 0.8, 0.8, 0.7, 0.6)  # with 0, 1, 2, 4 and 8 more steps
        >>> scores = {"longer": {"distractors": shares, "repeats": shares}}
        >>> longer_table(made_up_run("nth-farthest", more=scores)).columns[:3]
        ('model', '0 distractors %', '1 distractor %')
    """
    kinds = ("distractors", "repeats")
    rows = []
    for model in results.models.values():
        seeds = [_longer_shares(score, kinds) for score in model.trainings]
        if any(len(shares) < len(kinds) * len(MORE_STEPS) for shares in seeds):
            return None
        means = [sum(shares) / len(shares) for shares in zip(*seeds)]
        rows.append((False, [model.label, *(f"{100 * mean:.1f}" for mean in means)]))
    columns = [f"{count} {kind[:-1] if count == 1 else kind} %" for kind in kinds for count in MORE_STEPS]
    return Table(("model", *columns), rows)


def _longer_shares(score: TrainingResult, kinds: Sequence[str]) -> list[float]:
    """Return a training's scores on longer sequences, kind by kind; fewer if it lacks some."""
    longer = score.more.get("longer")
    found = [list(longer.get(kind, ())) for kind in kinds] if isinstance(longer, Mapping) else []
    return [share for shares in found for share in shares if len(shares) == len(MORE_STEPS)]


def long_words_table(results: RunResult, kinds: Sequence[str] = ("last", "whole")) -> Table | None:
    """Return how often the last product and the whole sequence are right in ever longer words of a group.

    Means over the trainings. None for other tasks.

    Args:
        results: with only the trainings that count.
        kinds: "last", the last product, and "whole", all of them.

    Example:
        >>> from relational_rnn.analysis.made_up import made_up_run
        >>> scores = {"long_words": {"length": (8, 16), "last": (0.9, 0.6), "whole": (0.8, 0.3)}}
        >>> print(long_words_table(made_up_run("group-word", more=scores)))
        model  last, length 8 %  last, length 16 %  whole, length 8 %  whole, length 16 %
        RMC                90.0               60.0               80.0                30.0
        LSTM               90.0               60.0               80.0                30.0
    """
    rows: list[tuple[bool, list[str]]] = []
    columns: tuple[str, ...] = ()
    for model in results.models.values():
        told = [score.more.get("long_words") for score in model.trainings]
        found = [one for one in told if isinstance(one, Mapping) and {"length", "last"} <= one.keys()]
        if not found or len(found) < len(told):
            return None
        known = [kind for kind in kinds if kind in found[0]]
        columns = tuple(f"{kind}, length {length:.0f} %" for kind in known for length in found[0]["length"])
        means = [sum(shares) / len(shares) for kind in known for shares in zip(*(one[kind] for one in found))]
        rows.append((False, [model.label, *(f"{100 * mean:.1f}" for mean in means)]))
    return Table(("model", *columns), rows)


def _table(table: Table) -> str:
    rows = ["<tr>" + "".join(f"<th>{escape(head)}</th>" for head in table.columns) + "</tr>"]
    for bold, cells in table.rows:
        best = ' class="best"' if bold else ""
        rows.append(f"<tr{best}>" + "".join(f"<td>{escape(cell)}</td>" for cell in cells) + "</tr>")
    head, *body = rows
    return "\n".join(["<table><thead>" + head + "</thead>", *body, "</table>"])
