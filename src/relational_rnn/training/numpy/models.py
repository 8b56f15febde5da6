"""The models of a run in NumPy: built from its settings, of comparable size, and back from disk."""

from __future__ import annotations

import dataclasses
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from relational_rnn.reference import LSTM, Adam, Classifier, RelationalMemory, RelationalRNN
from relational_rnn.reference.arrays import Array
from relational_rnn.training.common.arrays_file import load_arrays, save_arrays
from relational_rnn.training.common.core_settings import core_options, opponent_size
from relational_rnn.training.common.matching import smallest_size
from relational_rnn.training.common.supervised import Contestant, SupervisedSettings, settings_from
from relational_rnn.training.common.supervised_run import Framework
from relational_rnn.training.numpy.fit import NumpyLearner

CHUNK = 256
"""Examples scored at once."""


def build_model(settings: SupervisedSettings[Any], model: str, seed: int) -> Classifier:
    """Build a model in float32; its initial values follow from the seed.

    Args:
        settings: of the run.
        model: "rmc", "hybrid" or "lstm".
        seed: of the training.
    """
    size = None if model == "rmc" else opponent_size(settings, model, matched_size)
    return _build(settings, model, size, seed)


def matched_size(settings: SupervisedSettings[Any], model: str) -> int:
    """Return the smallest hidden size with which "hybrid" or "lstm" has at least the RMC's parameters."""
    wanted = count_parameters(_build(settings, "rmc", None, 0))
    return smallest_size(lambda size: count_parameters(_build(settings, model, size, 0)), wanted)


def count_parameters(model: Classifier) -> int:
    """Return how many numbers training changes."""
    return sum(value.size for value in model.params.values())


def _build(settings: SupervisedSettings[Any], model: str, size: int | None, seed: int) -> Classifier:
    generator = np.random.default_rng(seed)
    features = settings.task.input_size
    core: RelationalMemory | RelationalRNN | LSTM
    if size is None:
        core = RelationalMemory(
            features,
            head_size=settings.head_size,
            **core_options(settings),
            dtype=np.float32,
            seed=generator,
        )
    elif model == "hybrid":
        core = RelationalRNN(
            features,
            size,
            num_slots=settings.mem_slots,
            slot_size=settings.head_size * settings.num_heads,
            num_heads=settings.num_heads,
            dtype=np.float32,
            seed=generator,
        )
    else:
        core = LSTM(features, size, dtype=np.float32, seed=generator)
    hidden = (settings.head_units,) * settings.head_layers
    return Classifier(
        core, settings.task.classes, hidden, head_activation=settings.head_activation, seed=generator
    )


def learner(model: Classifier, settings: SupervisedSettings[Any]) -> NumpyLearner:
    """Return a model with its optimiser."""
    return NumpyLearner(model, Adam(settings.learning_rate), settings.clip_norm)


def limit_threads(count: int) -> AbstractContextManager[Any]:
    """Give NumPy's products so many threads."""
    limits: AbstractContextManager[Any] = threadpool_limits(count)
    return limits


def save_model(
    path: Path, model: Classifier, task: str, settings: SupervisedSettings[Any], contestant: Contestant
) -> None:
    """Write weights as safetensors, with what it takes to build the model beside them, atomically."""
    notes = {
        "task": task,
        "framework": "numpy",
        "settings": dataclasses.asdict(settings),
        "contestant": contestant,
    }
    save_arrays(path, model.params, notes)


def load_model(path: Path) -> tuple[Classifier, str, SupervisedSettings[Any], Contestant]:
    """Build the model of a file that `save_model` wrote; return it, the task, the settings and the training.

    Raises:
        ValueError: the file is no such file.
    """
    params, notes = load_arrays(path)
    if notes.get("framework") != "numpy":
        raise ValueError(
            f"{path} holds no model of a reasoning task: its notes are {', '.join(notes) or 'none'}"
        )
    settings = settings_from(notes["task"], notes["settings"])
    contestant = Contestant(*notes["contestant"])
    model = build_model(settings, contestant.model, contestant.seed)
    for name, value in model.params.items():
        value[...] = params[name]
    return model, notes["task"], settings, contestant


def predict(model: Classifier, inputs: Array) -> Array:
    """Return the most likely class at each step of sequences (B, T, F): (B, T)."""
    pieces = [inputs[start : start + CHUNK] for start in range(0, len(inputs), CHUNK)]
    predictions: Array = np.concatenate([model.forward(piece).argmax(axis=-1) for piece in pieces])
    return predictions


NUMPY = Framework(
    name="numpy",
    build=build_model,
    matched_size=matched_size,
    count_parameters=count_parameters,
    learner=learner,
    save=save_model,
    load=load_model,
    predict=predict,
    limit_threads=limit_threads,
)
"""For `training.common.supervised_run`."""
