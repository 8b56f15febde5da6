"""The figures of a run's scores: from its results and the points of its trainings, without weights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from relational_rnn.analysis.bars import Bar, draw_accuracy_bars
from relational_rnn.analysis.confidence import binomial_half_width
from relational_rnn.analysis.cost import draw_cost_bars
from relational_rnn.analysis.curves import draw_training_curves
from relational_rnn.analysis.efficiency import draw_sample_efficiency, thresholds
from relational_rnn.analysis.finding import finding, trivial_score
from relational_rnn.analysis.headlines import (
    cost_in_words,
    efficiency_in_words,
    larger_in_words,
    losses_in_words,
    scores_in_words,
)
from relational_rnn.analysis.losses import draw_loss_curves
from relational_rnn.analysis.run_curves import Points, curves_of, last_of_each, losses_of, regimes_of
from relational_rnn.analysis.sizes import draw_generalisation
from relational_rnn.analysis.supervised import model_costs, model_efficiencies, size_axes
from relational_rnn.analysis.tables import selected_only
from relational_rnn.analysis.titles import title_of
from relational_rnn.tasks import score_of
from relational_rnn.tasks.score import ACCURACY
from relational_rnn.training.config import RunConfig
from relational_rnn.training.results import RunResult, value_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class NoFigure(ValueError):
    """A run has nothing that a figure could show; the message says what it lacks."""


def about_run(config: RunConfig, results: RunResult, what: str = "") -> str:
    """Return the quiet line under a title: the task, what is shown, and how many seeds.

    Example:
        >>> from types import SimpleNamespace as Run
        >>> from relational_rnn.tasks.sorting import Sorting
        >>> about_run(RunConfig(task=Sorting()), Run(seeds=1, seed=0), "accuracy on test")
        'sorting, items 8, values 10: accuracy on test, seed 0'
    """
    seeds = f"seed {results.seed}" if results.seeds == 1 else f"{results.seeds} seeds"
    return f"{title_of(config)}: {what}, {seeds}" if what else f"{title_of(config)}, {seeds}"


def _told(title: str, results: RunResult) -> str:
    """Return a title that says so if it rests on one seed; `finding` does that itself."""
    return f"{title} (one seed)" if results.seeds == 1 else title


def curves_figure(config: RunConfig, results: RunResult, evaluations: Points) -> Figure:
    """Draw the validation accuracy over training."""
    curves, trivial = curves_of(config, results, evaluations), trivial_score(results)
    return draw_training_curves(
        curves,
        trivial_accuracy=trivial,
        title=_told(scores_in_words(last_of_each(results, curves), trivial), results),
        about=about_run(config, results, "validation accuracy"),
    )


def losses_figure(config: RunConfig, results: RunResult, records: Points) -> Figure:
    """Draw the loss on training batches and on validation examples.

    Raises:
        NoFigure: the records hold no losses.
    """
    losses = losses_of(results, records)
    if not losses:
        raise NoFigure("its metrics.jsonl has no losses")
    ends: dict[str, float] = {}
    for one in losses:
        label, last = results.models[one.model].label, float(one.validation.loss[-1])
        ends[label] = min(last, ends.get(label, last))
    return draw_loss_curves(
        losses,
        title=_told(losses_in_words(ends), results),
        about=about_run(config, results, "loss over training"),
    )


def efficiency_figure(config: RunConfig, results: RunResult, evaluations: Points) -> Figure:
    """Draw how many examples each model needs to an accuracy."""
    chosen = selected_only(results)
    names = [name for model in chosen.models.values() for name in model.selected]
    best = max(point["validation_accuracy"] for name in names for point in evaluations[name])
    accuracies = thresholds(trivial_score(results), best)
    models = model_efficiencies(chosen, evaluations, accuracies)
    return draw_sample_efficiency(
        models,
        accuracies=accuracies,
        title=_told(efficiency_in_words({one.name: one.examples for one in models}, accuracies), results),
        about=about_run(config, results, "examples until a validation accuracy"),
    )


def accuracy_figure(config: RunConfig, results: RunResult, split: str) -> Figure:
    """Draw the final scores on test or on harder examples.

    Raises:
        NoFigure: the task has no harder examples.
    """
    if split not in results.trivial:
        raise NoFigure(f"{results.task} has no {split} examples")
    trivial = trivial_score(results, split)
    what = f"{results.test_examples:,} test examples"
    title = finding(results)
    if score_of(results.task) is not ACCURACY:
        what = f"the {split} text"
        scores = {model.label: value_of(model, f"{split}_accuracy") for model in results.models.values()}
        title = _told(scores_in_words(scores, trivial), results)
    elif split == "harder":
        what = f"{results.test_examples:,} harder examples, {results.harder}"
        scores = {model.label: model.harder_accuracy or 0.0 for model in results.models.values()}
        title = _told(f"On harder examples {scores_in_words(scores, trivial)}", results)
    bars = _bars(results, f"{split}_accuracy")
    about = about_run(config, results, f"accuracy on {what}")
    return draw_accuracy_bars(bars, trivial_accuracy=trivial, title=title, about=about)


def _bars(results: RunResult, name: str) -> list[Bar]:
    """Return a bar for each training regime: the mean of its seeds, or one training with its interval."""
    bars = []
    for family, label, trainings in regimes_of(results):
        scores = [getattr(training, name) for training in trainings]
        apart = len(scores) == 1 and score_of(results.task) is ACCURACY  # tokens of a text are not
        one = binomial_half_width(scores[0], results.test_examples) if apart else None
        chosen = trainings[0].name in results.models[family].selected
        seeds = scores if len(scores) > 1 else ()
        bars.append(Bar(label, family, sum(scores) / len(scores), one, chosen, seeds))
    return bars


def generalisation_figure(config: RunConfig, results: RunResult) -> Figure:
    """Draw the accuracy on sizes beyond those of training.

    Raises:
        NoFigure: no size of the task can grow.
    """
    axes = size_axes(results)
    if not axes:
        raise NoFigure(f"no size of {results.task} can grow")
    about = about_run(config, results, "larger sizes than in training")
    return draw_generalisation(axes, title=_told(larger_in_words(axes), results), about=about)


def cost_figure(config: RunConfig, results: RunResult) -> Figure:
    """Draw parameters, time and memory of each model.

    Raises:
        NoFigure: the memory was not measured.
    """
    chosen = selected_only(results)
    if any(one.peak_memory is None for model in chosen.models.values() for one in model.trainings):
        raise NoFigure("its results.json is from before the memory was measured")
    costs = model_costs(chosen)
    times: Mapping[str, float] = {
        cost.name: sum(cost.milliseconds) / len(cost.milliseconds) for cost in costs
    }
    return draw_cost_bars(costs, title=cost_in_words(times), about=about_run(config, results, "cost"))
