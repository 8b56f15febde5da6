"""What a finished run came to, as frozen values, and results.json, which has the same fields by name.

A field that is None where nothing was measured of a kind that the task lacks is left out of the file; scores
that only one task has stand among the others there, and in `more` here.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from relational_rnn.config.checks import BadFile, check_number, check_size
from relational_rnn.training.curriculum import Change
from relational_rnn.training.decode import decode
from relational_rnn.training.files import read_object

REMEDY = "remove it: --resume writes it again"
"""What helps against a damaged results.json."""

Scores = Mapping[str, int | float | Mapping[str, tuple[float, ...]]]
"""Scores that only some tasks have: numbers, or of each kind the score at several sizes."""

ACCURACIES = (
    *("validation_accuracy", "test_accuracy", "test_sequence_accuracy"),
    *("harder_accuracy", "harder_sequence_accuracy"),
)
"""Shares of right answers that a training has."""


@dataclass(frozen=True, kw_only=True)
class TrainingResult:
    """What one training came to, for the parameters that were kept."""

    name: str
    """Names its files and its records."""
    label: str
    """What people read."""
    parameters: int
    """Of the model."""
    state_size: int | None = None
    """Numbers that the model keeps from step to step, after a test example; None where not measured."""
    validation_accuracy: float | None = None
    """Share of right answers on the validation examples, by which a model's best training regime is chosen;
    None in a record from before it was kept."""
    test_accuracy: float
    """Share of right answers on the test examples."""
    test_sequence_accuracy: float | None = None
    """Share of the sequences of which all answers are right; None of a text, which is one sequence."""
    harder_accuracy: float | None = None
    """The same on the harder examples; None where the task has none."""
    harder_sequence_accuracy: float | None = None
    """The same on the harder examples."""
    seconds: float
    """Wall time, the evaluations included."""
    steps: int
    """Optimiser steps."""
    examples: int
    """Seen in all steps."""
    seconds_per_example: float
    """Seconds over examples."""
    peak_memory: float | None
    """Bytes; None in a record from before it was measured."""
    best_step: int
    """After which the parameters that were kept were as they are."""
    examples_to_converge: int
    """Seen when the validation accuracy was first 90 % of its best."""
    test_by_kind: Mapping[str, float] | None = None
    """Kind of question -> accuracy; None where all are alike."""
    changes: tuple[Change, ...] | None = None
    """The stages of a task that grew; None without a curriculum."""
    diverged: str | None = None
    """What was no longer finite, and when; the scores are of the parameters that were kept before. None for a
    training that came to its end."""
    more: Scores = field(default_factory=dict)
    """Scores that only this task has: of Nth farthest `longer`, of group words `long_words`, of language
    `test_perplexity` and others."""

    def __post_init__(self) -> None:
        """Check what no training can come to.

        Raises:
            ValueError: a count below 0, an accuracy that is no share.
        """
        for name in ("parameters", "steps", "examples", "best_step", "examples_to_converge"):
            check_size(name, getattr(self, name), minimum=0, maximum=2**63)
        for name in ("seconds", "seconds_per_example"):
            check_number(name, getattr(self, name), minimum=0.0)
        if self.state_size is not None:
            check_size("state_size", self.state_size, minimum=0, maximum=2**63)
        shares = {name: getattr(self, name) for name in ACCURACIES} | dict(self.test_by_kind or {})
        for name, share in shares.items():
            if share is not None:
                check_number(name, share, 0.0, 1.0)


@dataclass(frozen=True, kw_only=True)
class ModelResult:
    """What a model came to: its trainings, and means over the seeds of the regime that validation chose."""

    label: str
    """What people read."""
    name: str
    """The training of that regime that is best on validation."""
    parameters: int
    """Of the model."""
    test_accuracy: float
    """Mean, as all numbers below."""
    test_sequence_accuracy: float | None = None
    """Share of the sequences of which all answers are right; None of a text, which is one sequence."""
    harder_accuracy: float | None = None
    """On the harder examples; None where the task has none."""
    seconds: float
    """Wall time of a training."""
    steps: float
    """Optimiser steps."""
    examples: float
    """Seen in all steps."""
    examples_to_converge: float
    """Seen when the validation accuracy was first 90 % of its best."""
    seconds_per_example: float
    """Seconds over examples."""
    peak_memory: float | None
    """Bytes; None in a record from before it was measured."""
    selected: tuple[str, ...]
    """The names of the trainings of that regime, one for each seed."""
    trainings: tuple[TrainingResult, ...]
    """All of them, the training regimes in the same order seed by seed."""
    test_by_kind: Mapping[str, float] | None = None
    """Kind of question -> accuracy; None where all are alike."""
    more: Scores = field(default_factory=dict)
    """Scores that only this task has: of bAbI `mean_error` and `failed_tasks`, of language `test_perplexity`
    and others."""


@dataclass(frozen=True, kw_only=True)
class RunResult:
    """What a run came to: the content of its results.json."""

    task: str
    """Name of the task."""
    framework: str
    """What trained: "numpy" or "torch"."""
    size: Mapping[str, Any]
    """Sizes of the task."""
    harder_size: Mapping[str, Any] | None
    """Sizes of the harder examples; None where the task has none."""
    harder: str | None
    """In words what makes them harder."""
    seed: int
    """The first seed."""
    seeds: int
    """How many in a row."""
    test_examples: int
    """Behind each score."""
    trivial_accuracy: float
    """The score to beat, `score_to_beat` of the test examples."""
    trivial: Mapping[str, Mapping[str, float | None]]
    """Split -> chance, majority, shortcut (None where none is known); and by kind of question."""
    wall_seconds: float | None
    """Of the whole run; None if it was interrupted in between."""
    models: Mapping[str, ModelResult]
    """By name."""
    generalisation: tuple[Mapping[str, Any], ...]
    """For each size that can grow what `generalisation.summarise` returns."""


def value_of(result: TrainingResult | ModelResult, name: str) -> float:
    """Return a score by its name, wherever it stands.

    Raises:
        ValueError: the result lacks it.

    Example:
        >>> from types import SimpleNamespace as Result
        >>> value_of(Result(test_accuracy=0.9, more={"test_loss": 1.5}), "test_loss")
        1.5
    """
    found = result.more[name] if name in result.more else getattr(result, name, None)
    if not isinstance(found, int | float):
        raise ValueError(f"{result.name} lacks its {name}")
    return found


def to_json(result: TrainingResult | ModelResult | RunResult) -> dict[str, Any]:
    """Return a result as results.json has it.

    Example:
        >>> axis = {"axis": "items", "sizes": [8, 10]}
        >>> run = {"task": "sorting", "framework": "numpy", "size": {"items": 8}, "harder_size": None}
        >>> run |= {"harder": None, "seed": 0, "seeds": 1, "test_examples": 9, "trivial_accuracy": 0.3}
        >>> run |= {"trivial": {}, "wall_seconds": None, "models": {}, "generalisation": [axis]}
        >>> to_json(from_json(run)) == run
        True
    """
    found: dict[str, Any] = {}
    for one in dataclasses.fields(result):
        value = getattr(result, one.name)
        if one.name == "more":
            found |= _plain(value)
        elif value is not None or one.default is not None:
            found[one.name] = _plain(value)
    return found


def _plain(value: Any) -> Any:
    if isinstance(value, TrainingResult | ModelResult):
        return to_json(value)
    if isinstance(value, Change):
        return value._asdict()
    if isinstance(value, Mapping):
        return {name: _plain(one) for name, one in value.items()}
    return [_plain(one) for one in value] if isinstance(value, tuple) else value


def read_results(path: Path) -> RunResult:
    """Read a run's results.json.

    Raises:
        BadFile: it is damaged.
        OSError: it cannot be read.
        ValueError: it is that of a run of agents.
    """
    values = read_object(path, REMEDY)
    if {"game", "players"} <= values.keys():
        raise ValueError(
            f"{path.parent} holds agents of a game: watch them with relational-rnn play {path.parent}"
        )
    try:
        results = from_json(values)
        _check_together(results)
    except ValueError as error:
        raise BadFile(path, f"does not hold the results of a run: {error}", REMEDY) from None
    return results


class _Along(NamedTuple):
    accuracy: list[float]
    trainings: dict[str, list[float]]


class _Axis(NamedTuple):
    """What `generalisation.summarise` returns for a size that can grow."""

    axis: str
    sizes: list[int]
    trained: int
    examples: int
    trivial: list[float]
    models: dict[str, _Along]


def _check_together(results: RunResult) -> None:
    """Check that the parts of a run's results go together.

    Raises:
        ValueError: they do not.
    """
    lacking = {"chance", "majority"} - results.trivial.get("test", {}).keys()
    if lacking:
        raise ValueError(f"trivial.test lacks {', '.join(sorted(lacking))}")
    if not results.models:
        raise ValueError("it has no model")
    for name, model in results.models.items():
        every = {training.name for training in model.trainings}
        if not model.selected or not {model.name, *model.selected} <= every:
            raise ValueError(f"the trainings that count for {name} are not among its own")
    for number, values in enumerate(results.generalisation):
        axis = decode(_Axis, values, f"generalisation[{number}]")
        scores = [along.accuracy for along in axis.models.values()]
        scores += [one for along in axis.models.values() for one in along.trainings.values()]
        if axis.models.keys() != results.models.keys() or not axis.sizes:
            raise ValueError(f"generalisation[{number}] has other models, or no sizes")
        if {len(axis.sizes)} != {len(axis.trivial), *map(len, scores)}:
            raise ValueError(f"generalisation[{number}] has not a score for each size")


def from_json(values: Mapping[str, Any]) -> RunResult:
    """Return the result that a results.json has.

    Raises:
        ValueError: a field is missing, unknown or of another type.
    """
    models = decode(_Models, {"models": values.get("models")}, "results").models
    plain = {name: _with_more(ModelResult, model) for name, model in models.items()}
    return decode(RunResult, {**values, "models": plain}, "results")


def training_from(values: Mapping[str, Any]) -> TrainingResult:
    """Return the result of a training that a results.json has.

    Raises:
        ValueError: see `from_json`.
    """
    return decode(TrainingResult, _with_more(TrainingResult, values), "training")


@dataclass(frozen=True)
class _Models:
    models: Mapping[str, Mapping[str, Any]]


def _with_more(kind: type[TrainingResult | ModelResult], values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a result, with what it has no field for in `more`."""
    known = {one.name for one in dataclasses.fields(kind)} - {"more"}
    found = {name: value for name, value in values.items() if name in known}
    if isinstance(values.get("trainings"), list):
        found["trainings"] = [
            _with_more(TrainingResult, one) if isinstance(one, Mapping) else one
            for one in values["trainings"]
        ]
    more = {name: value for name, value in values.items() if name not in known}
    return {**found, "more": more}
