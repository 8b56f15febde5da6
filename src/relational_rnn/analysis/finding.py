"""What a run has found, in one sentence, worked out from its numbers."""

from __future__ import annotations

from collections.abc import Sequence

from relational_rnn.analysis.confidence import binomial_half_width
from relational_rnn.analysis.tables import marked
from relational_rnn.tasks import score_of
from relational_rnn.tasks.score import ACCURACY
from relational_rnn.tasks.splits import score_to_beat
from relational_rnn.training.results import ModelResult, RunResult, value_of

NEAR = 0.02
"""A score counts as near the trivial one up to this much above it, besides what chance explains."""


def finding(results: RunResult) -> str:
    """Return what a run has found: who leads, who is level with that, who stays near the trivial score.

    Models are level if their seeds' scores overlap, or the difference of their means is within both 95 %
    intervals of so many test examples. A score is near the trivial one if it lies at most its half width and
    two points above. A run of one seed says so.

    Args:
        results: with at least one model.

    Returns:
        A sentence without its full stop, so that it can also be a title.

    Example:
        >>> from relational_rnn.training.results import from_json
        >>> one = {"parameters": 9, "test_accuracy": 0.969, "test_sequence_accuracy": 0.9, "seconds": 1.0}
        >>> one |= {"steps": 9, "examples": 9, "seconds_per_example": 1.0, "peak_memory": None}
        >>> one |= {"examples_to_converge": 9, "label": "RMC", "name": "rmc"}
        >>> run = {"task": "sorting", "framework": "numpy", "size": {}, "harder_size": None, "harder": None}
        >>> run |= {"seed": 0, "seeds": 1, "test_examples": 1000, "trivial_accuracy": 0.25, "trivial": {}}
        >>> run |= {"wall_seconds": None, "generalisation": []}
        >>> models = {"rmc": one | {"selected": ["rmc"], "trainings": [one | {"best_step": 9}]}}
        >>> finding(from_json(run | {"models": models}))
        'RMC reaches 96.9 %, the trivial score is 25 % (one seed)'
    """
    if score_of(results.task) is not ACCURACY:
        return _finding_of_losses(results)
    ranked = sorted(results.models.values(), key=lambda model: -model.test_accuracy)
    best, examples = ranked[0], results.test_examples
    low = [model for model in ranked if is_trivial(model, results)]
    level = [m for m in ranked if m not in low and (m is best or _are_level(best, m, examples))]
    between = [model for model in ranked if model not in low and model not in level]
    reached = [f"{_name(model)} {_percent(model.test_accuracy)}" for model in between]
    parts = [", ".join([_lead(level, examples), *reached])] if level else []
    parts.append(
        _stay(low, results, with_scores=not level) if low else f"the trivial score is {_trivial(results)}"
    )
    separator = "; " if any("," in part for part in parts) else ", "
    sentence = separator.join(parts) + (" (one seed)" if results.seeds == 1 else "")
    return sentence[0].upper() + sentence[1:]


def _finding_of_losses(results: RunResult) -> str:
    """Say the same of a task that is scored by its loss: models are level if their seeds' scores overlap."""
    score = score_of(results.task)
    name = f"test_{score.key}"
    trivial = min(value for value in results.trivial[score.key].values() if value is not None)
    ranked = sorted(results.models.values(), key=lambda model: value_of(model, name))
    scores = {
        model.name: [value_of(one, name) for one in model.trainings if one.name in model.selected]
        for model in ranked
    }
    best = ranked[0]
    level = [best] + [one for one in ranked[1:] if min(scores[one.name]) <= max(scores[best.name])]
    low = [model for model in ranked if value_of(model, name) >= trivial]
    told = [f"{_name(model)} {score.cell(value_of(model, name))}" for model in ranked]
    if low == ranked:
        first = f"{_and([_name(model) for model in ranked])} {'do' if len(low) > 1 else 'does'} not get below"
        return f"{first} the trivial {score.in_words(trivial)}" + (
            " (one seed)" if results.seeds == 1 else ""
        )
    lead = f"{_name(best)} reaches {score.in_words(value_of(best, name))}"
    if len(level) > 1:
        values = ", ".join(score.cell(value_of(model, name)) for model in level)
        lead = f"the seeds of {_and([_name(model) for model in level])} overlap at {score.name} {values}"
    others = ", ".join(told[len(level) :])
    sentence = f"{lead}{', ' * bool(others)}{others}; the trivial score is {score.cell(trivial)}"
    return sentence[0].upper() + sentence[1:] + (" (one seed)" if results.seeds == 1 else "")


def _lead(level: Sequence[ModelResult], examples: int) -> str:
    """Say what the best model reaches, or the best ones where noise alone may tell them apart."""
    scores = [model.test_accuracy for model in level]
    if len(level) == 1:
        return f"{_name(level[0])} reaches {_percent(scores[0])}"
    if max(scores) - min(scores) > NEAR:  # level by noise, and not by their scores
        names = _and([_name_and_score(model) for model in level])
        if len(_scores(level[0])) > 1:
            return f"the seeds of {names} overlap"
        return f"{names} are within the noise of {examples:,} test examples"
    low, high = f"{100 * min(scores):.1f}", f"{100 * max(scores):.1f}"
    where = f"{high} %" if low == high else f"{low}\N{EN DASH}{high} %"
    return f"{_and([_name(model) for model in level])} are level at {where}"


def _stay(low: Sequence[ModelResult], results: RunResult, *, with_scores: bool) -> str:
    """Say who does not get past the trivial score."""
    far = any(m.test_accuracy < trivial_score(results) - _half(m, results) - NEAR for m in low)
    names = [_name_and_score(model) if with_scores else _name(model) for model in low]
    verbs = ("does not get past", "do not get past") if far else ("stays near", "stay near")
    return f"{_and(names)} {verbs[len(low) > 1]} the trivial {_trivial(results)}"


def trivial_score(results: RunResult, split: str = "test") -> float:
    """Return the best score on a split of a run's task that asks for no reasoning, a shortcut's included."""
    known = results.trivial.get(split)
    return score_to_beat(known) if known else results.trivial_accuracy


def is_trivial(model: ModelResult, results: RunResult) -> bool:
    """Say whether a model has learned no more than the trivial score, as far as the test can tell."""
    return model.test_accuracy <= trivial_score(results) + _half(model, results) + NEAR


def _half(model: ModelResult, results: RunResult) -> float:
    return binomial_half_width(model.test_accuracy, results.test_examples)


def _are_level(best: ModelResult, other: ModelResult, examples: int) -> bool:
    """Say whether two models are within noise of each other."""
    halves = sum(binomial_half_width(model.test_accuracy, examples) for model in (best, other))
    if best.test_accuracy - other.test_accuracy <= halves:
        return True
    lowest, highest = min(_scores(best)), max(_scores(other))
    return len(_scores(best)) > 1 and len(_scores(other)) > 1 and lowest <= highest


def _scores(model: ModelResult) -> list[float]:
    """Return the scores of its seeds."""
    return [one.test_accuracy for one in model.trainings if one.name in model.selected]


def _name(model: ModelResult) -> str:
    return marked(model.label, [one for one in model.trainings if one.name in model.selected])


def _name_and_score(model: ModelResult) -> str:
    return f"{_name(model)} ({_percent(model.test_accuracy)})"


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _trivial(results: RunResult) -> str:
    return f"{100 * trivial_score(results):.3g} %"


def _and(words: Sequence[str]) -> str:
    """Join words as a sentence does."""
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)
