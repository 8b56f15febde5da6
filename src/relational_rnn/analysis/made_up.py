"""Made-up results in round numbers: of a run, of an ablation and of a sweep.

The examples of this room use them. So can you, to see a table or a figure before anything is trained; what a
run of your own came to is read by `relational_rnn.training.results.read_results`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from relational_rnn.training.models import LABELS
from relational_rnn.training.results import RunResult, TrainingResult
from relational_rnn.training.run import model_results
from relational_rnn.training.variants import Value

ACCURACIES = {"rmc": (0.95, 0.85), "lstm": (0.65, 0.55)}
"""Model -> test accuracy of each seed."""


def made_up_run(task: str = "sorting", **scores: Any) -> RunResult:
    """Return results of an RMC and an LSTM with two seeds each, and on larger sizes.

    Args:
        task: its name.
        scores: fields of `TrainingResult` that all trainings share, such as `test_by_kind`.

    Example:
        >>> [training.test_accuracy for training in made_up_run().models["rmc"].trainings]
        [0.95, 0.85]
    """
    along = {
        name: {
            "accuracy": [sum(accuracies) / 2, 0.3],
            "trainings": {f"{name}-{seed}": [one, 0.3] for seed, one in enumerate(accuracies)},
        }
        for name, accuracies in ACCURACIES.items()
    }
    models = {
        name: [_training(name, seed, accuracy, scores) for seed, accuracy in enumerate(accuracies)]
        for name, accuracies in ACCURACIES.items()
    }
    return RunResult(
        task=task,
        framework="numpy",
        size={"items": 8},
        harder_size=None,
        harder=None,
        seed=0,
        seeds=2,
        test_examples=1_000,
        trivial_accuracy=0.25,
        trivial={"test": {"chance": 0.1, "majority": 0.25, "shortcut": None}},
        wall_seconds=None,
        models={name: model_results(LABELS[name], trainings, 2) for name, trainings in models.items()},
        generalisation=(
            {
                "axis": "items",
                "sizes": [8, 16],
                "trained": 8,
                "examples": 1_000,
                "trivial": [0.25, 0.2],
                "models": along,
            },
        ),
    )


def _training(name: str, seed: int, accuracy: float, scores: Mapping[str, Any]) -> TrainingResult:
    fields = {
        "name": f"{name}-{seed}",
        "label": f"{LABELS[name]}, seed {seed}",
        "parameters": 41_000,
        "validation_accuracy": accuracy,
        "test_accuracy": accuracy,
        "test_sequence_accuracy": accuracy - 0.1,
        "seconds": 20.0,
        "steps": 100,
        "examples": 10_000,
        "seconds_per_example": 0.002,
        "peak_memory": 150e6,
        "best_step": 100,
        "examples_to_converge": 8_000,
    }
    return TrainingResult(**{**fields, **scores})


def made_up_ablation() -> dict[str, Any]:
    """Return the results.json of an ablation: 4 heads and unit gates, then 1 head, then no gates; two seeds.

    Example:
        >>> [variant["name"] for variant in made_up_ablation()["variants"]]
        ['base', 'num_heads=1', 'gate_style=none']
    """
    return {
        "task": "sorting",
        "title": "sorting, one factor at a time",
        "models": ["rmc"],
        "base": {"num_heads": 4, "gate_style": "unit"},
        "factors": {"num_heads": {"values": [1]}, "gate_style": {"values": ["none"]}},
        "variants": [
            _variant({}, (0.95, 600), (0.85, 800)),
            _variant({"num_heads": 1}, (0.8, 1_000), (0.7, None)),
            _variant({"gate_style": "none"}, (0.9, 700), (0.9, 700)),
        ],
    }


def made_up_sweep() -> dict[str, Any]:
    """Return the results.json of a sweep over three learning rates, one seed.

    Example:
        >>> made_up_sweep()["factors"]["learning_rate"]["high"]
        0.01
    """
    scores = {0.0001: (0.4, None), 0.001: (0.9, 600), 0.01: (0.7, 300)}
    return {
        "task": "sorting",
        "title": "sorting, sweep",
        "models": ["rmc"],
        "base": None,
        "factors": {"learning_rate": {"low": 0.0001, "high": 0.01, "log": True, "step": None}},
        "variants": [_variant({"learning_rate": rate}, score) for rate, score in scores.items()],
    }


def _variant(values: Mapping[str, Value], *scores: tuple[float, int | None]) -> dict[str, Any]:
    """Return a variant: for each seed its accuracy, and the examples until the trivial score was left."""
    runs = [
        {
            "seed": seed,
            "trivial_accuracy": 0.25,
            "diverged": {},
            "models": {
                "rmc": {
                    "test_accuracy": accuracy,
                    "validation_accuracy": accuracy,
                    "examples_to_leave": left,
                    "seconds_to_leave": left and left / 100,
                    "parameters": 41_000,
                    "seconds": 20.0,
                    "examples": 10_000,
                    "task_reached": {},
                    "task_share": 1.0,
                }
            },
        }
        for seed, (accuracy, left) in enumerate(scores)
    ]
    name = ",".join(f"{factor}={value}" for factor, value in values.items()) or "base"
    found = {"name": name, "values": dict(values), "trivial_accuracy": 0.25, "models": {"rmc": {}}}
    return {**found, "runs": runs}
