"""The finding of a run says what its numbers say: who leads, who is level, who learned nothing."""

import dataclasses
from typing import Any

import pytest

from relational_rnn.analysis import finding
from relational_rnn.training.results import ModelResult, RunResult, TrainingResult

COUNTS = {"parameters": 9, "seconds": 1.0, "steps": 9, "examples": 9, "seconds_per_example": 0.1}


def run(models: dict[str, list[float]], *, trivial: float = 0.25, examples: int = 10_000) -> RunResult:
    """Results with the test accuracies of each model's seeds."""
    return RunResult(
        task="sorting",
        framework="numpy",
        size={},
        harder_size=None,
        harder=None,
        seed=0,
        seeds=len(next(iter(models.values()))),
        test_examples=examples,
        trivial_accuracy=trivial,
        trivial={"test": {"chance": 0.1, "majority": trivial, "shortcut": None}},
        wall_seconds=None,
        models={label.lower(): model(label, scores) for label, scores in models.items()},
        generalisation=(),
    )


def model(label: str, scores: list[float]) -> ModelResult:
    common: dict[str, Any] = {
        **COUNTS,
        "test_sequence_accuracy": 0.1,
        "peak_memory": None,
        "examples_to_converge": 9,
    }
    trainings = tuple(
        TrainingResult(name=f"{label}-{n}", label=label, test_accuracy=score, best_step=9, **common)
        for n, score in enumerate(scores)
    )
    names = tuple(one.name for one in trainings)
    mean = sum(scores) / len(scores)
    return ModelResult(
        label=label, name=names[0], test_accuracy=mean, selected=names, trainings=trainings, **common
    )


@pytest.mark.parametrize(
    ("models", "sentence"),
    [
        (
            {"RMC": [0.969], "LSTM": [0.26]},
            "RMC reaches 96.9 %, LSTM stays near the trivial 25 % (one seed)",
        ),
        ({"RMC": [0.95, 0.97]}, "RMC reaches 96.0 %, the trivial score is 25 %"),
        (
            {"RMC": [0.9], "LSTM": [0.5], "GRU": [0.25], "DNC": [0.26]},
            "RMC reaches 90.0 %, LSTM 50.0 %; DNC and GRU stay near the trivial 25 % (one seed)",
        ),
        (
            {"LSTM": [0.26], "RMC": [0.25]},
            "LSTM (26.0 %) and RMC (25.0 %) stay near the trivial 25 % (one seed)",
        ),
        ({"LSTM": [0.1]}, "LSTM (10.0 %) does not get past the trivial 25 % (one seed)"),
        (
            {"RMC": [1.0], "LSTM": [1.0]},
            "RMC and LSTM are level at 100.0 %, the trivial score is 25 % (one seed)",
        ),
        (
            {"hybrid": [0.90, 0.92], "LSTM": [0.89, 0.91]},
            "Hybrid and LSTM are level at 90.0\N{EN DASH}91.0 %, the trivial score is 25 %",
        ),
        (
            {"RMC": [0.90, 0.96], "LSTM": [0.5, 0.91]},
            "The seeds of RMC (93.0 %) and LSTM (70.5 %) overlap, the trivial score is 25 %",
        ),
    ],
)
def test_the_sentence(models: dict[str, list[float]], sentence: str) -> None:
    assert finding(run(models)) == sentence


def test_few_test_examples_make_scores_level_and_near_the_trivial_one() -> None:
    models = {"RMC": [0.9], "LSTM": [0.85], "GRU": [0.3]}
    assert finding(run(models)).startswith("RMC reaches 90.0 %, LSTM 85.0 %, GRU 30.0 %")
    few = finding(run(models, examples=50))
    assert few.startswith("RMC (90.0 %) and LSTM (85.0 %) are within the noise of 50 test examples, GRU")


def test_a_model_that_diverged_is_marked() -> None:
    results = run({"RMC": [0.9], "LSTM": [0.5]})
    lost = results.models["lstm"]
    diverged = dataclasses.replace(lost.trainings[0], diverged="the loss is nan")
    models = {**results.models, "lstm": dataclasses.replace(lost, trainings=(diverged,))}
    sentence = finding(dataclasses.replace(results, models=models))
    assert sentence == "RMC reaches 90.0 %, LSTM (diverged) 50.0 %; the trivial score is 25 % (one seed)"
