"""All that the page needs of one trained model: weights, sizes, its score and what its slots hold."""

from __future__ import annotations

import base64
import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from relational_rnn.analysis.mistakes import mistakes
from relational_rnn.analysis.playground.model import (
    TRAIN,
    TRAIN_SWAPS,
    PlaneModel,
    ShownModel,
    SwapsModel,
    read_model,
)
from relational_rnn.analysis.playground.readings import CHUNK, find_readings
from relational_rnn.reference.arrays import Array
from relational_rnn.tasks import group_word
from relational_rnn.tasks.nth_farthest import sample
from relational_rnn.tasks.splits import FRESH, score_to_beat, trivial_scores
from relational_rnn.training.pretrained import FOLDER, PREFIX

EXAMPLES = 10_000
"""Fresh examples behind the score, those of `relational-rnn evaluate`, and others behind the readings."""
SEED = 1
"""Of these examples, as there."""


def scene_at(path: Path, *, examples: int = EXAMPLES) -> dict[str, Any]:
    """Return the page's scene of a trained RMC: Nth farthest in the plane, or a sequence of swaps.

    Args:
        path: its weights file.
        examples: fresh examples behind the score and, others, behind the readings.

    Raises:
        ValueError: the page cannot show it, see `model.read_model`.
    """
    model, shipped = read_model(path), path.parent == FOLDER
    train = TRAIN if isinstance(model, PlaneModel) else TRAIN_SWAPS
    command = f"{train} --seed {model.contestant.seed}" if shipped else None
    return scene_of(model, name_of(path), command, examples=examples)


def scene_of(
    model: PlaneModel | SwapsModel, name: str, command: str | None = None, *, examples: int = EXAMPLES
) -> dict[str, Any]:
    """Return the page's scene of a model.

    Args:
        model: to show.
        name: what the page calls it.
        command: what trained it, if that is known.
        examples: fresh examples behind the score and, others, behind the readings.
    """
    shared = {
        "name": name,
        "training": training_of(model, command),
        "core": dataclasses.asdict(model.core.config),
        "head": {"layers": head_layers(model), "activation": model.classifier.head_activation},
        "weights": pack(model),
    }
    if isinstance(model, SwapsModel):
        return {"kind": "swaps", "title": "Swaps", **shared, **_of_swaps(model, examples)}
    return {
        "kind": "plane",
        "title": "Nth farthest",
        **shared,
        "objects": model.task.objects,
        "score": score_of(model, examples),
        "readings": find_readings(model, examples),
    }


def _of_swaps(model: SwapsModel, examples: int) -> dict[str, Any]:
    """Return what only the scene of swaps has; accuracies are of the orders after each swap."""
    task = model.task
    scores = {}
    for name, words in (("score", task), ("longer", task.harder())):
        batch = group_word.sample(words, examples, np.random.default_rng([SEED, FRESH]))
        pieces = [batch.inputs[start : start + CHUNK] for start in range(0, examples, CHUNK)]
        said = np.concatenate([model.classifier.forward(piece).argmax(-1) for piece in pieces])
        parity = float((group_word.shortcut(words, batch.inputs) == batch.targets).mean())
        scores[name] = {
            "examples": examples,
            "length": words.length,
            "accuracy": float((said == batch.targets).mean()),
            "last": float((said == batch.targets)[:, -1].mean()),
            "trivial": score_to_beat(trivial_scores(words) | {"shortcut": parity}),
        }
    every = group_word.permutations(task.group)
    return {"orders": every.tolist(), "swaps": every[task.shown].tolist(), "length": task.length, **scores}


def name_of(path: Path) -> str:
    """Return what the page calls a model: its name in the package, else its file's in its run."""
    if path.parent == FOLDER:
        return f"{PREFIX}{path.stem}"
    folder = path.parent.parent if path.parent.name == "checkpoints" else path.parent
    return f"{folder.resolve().name}, {path.stem}"


def training_of(model: ShownModel, command: str | None) -> dict[str, Any]:
    """Return how a model was trained, as the page tells it."""
    budget = model.config.budget
    return {
        "parameters": sum(value.size for value in model.classifier.params.values()),
        "steps": budget.steps,
        "batch_size": budget.batch_size,
        "seed": model.contestant.seed,
        "command": command,
    }


def head_layers(model: ShownModel) -> int:
    """Return how many linear layers the head has."""
    return sum(name.startswith("head.") and name.endswith(".weight") for name in model.classifier.params)


def score_of(model: PlaneModel, examples: int) -> dict[str, Any]:
    """Return a model's accuracy on fresh examples, and what its mistakes are like."""
    batch = sample(model.task, examples, np.random.default_rng([SEED, FRESH]))
    found = mistakes(batch, predict(model, batch.inputs))
    return {
        "examples": examples,
        "accuracy": found["accuracy"],
        "trivial": model.task.trivial_accuracy,
        "one_rank_off": found["one_rank_off"],
        "closest": found["margin"][0]["accuracy"],
        "others": float(np.mean([part["accuracy"] for part in found["margin"][1:]])),
    }


def predict(model: PlaneModel, inputs: Float[np.ndarray, "B T F"]) -> Int[np.ndarray, " B"]:
    """Return the labels that a model says."""
    pieces = [inputs[start : start + CHUNK] for start in range(0, len(inputs), CHUNK)]
    scores = [model.classifier.forward(piece, return_sequences=False) for piece in pieces]
    labels: Int[np.ndarray, " B"] = np.concatenate(scores).argmax(1)
    return labels


def pack(model: ShownModel) -> dict[str, Any]:
    """Return a classifier's arrays as float32 in base64, one after the other, with their names and shapes."""
    arrays: dict[str, Array] = dict(model.classifier.params)
    arrays |= {f"core.{name}": value for name, value in model.core.buffers.items()}
    data = b"".join(np.ascontiguousarray(value, dtype="<f4").tobytes() for value in arrays.values())
    return {
        "arrays": [[name, list(value.shape)] for name, value in arrays.items()],
        "base64": base64.b64encode(data).decode(),
    }
