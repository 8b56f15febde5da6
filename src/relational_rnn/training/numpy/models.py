"""The models of a run in NumPy: built from its settings, of comparable size, and back from disk."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open

from relational_rnn.reference import LSTM, Classifier, RelationalMemory, RelationalRNN
from relational_rnn.tasks import find_task
from relational_rnn.training.common.matching import smallest_size
from relational_rnn.training.common.reasoning import Contestant, ReasoningSettings
from relational_rnn.training.numpy.arrays_file import load_arrays, save_arrays


def build_model(settings: ReasoningSettings[Any], model: str, seed: int) -> Classifier:
    """Build a model in float32; its initial values follow from the seed.

    Args:
        settings: of the run.
        model: "rmc", "hybrid" or "lstm".
        seed: of the training.
    """
    if model == "rmc":
        return _rmc(settings, seed)
    hidden = settings.hybrid_hidden_size if model == "hybrid" else settings.lstm_hidden_size
    return _with_hidden_size(settings, model, hidden or matched_hidden_size(settings, model), seed)


def matched_hidden_size(settings: ReasoningSettings[Any], model: str) -> int:
    """Return the smallest hidden size with which "hybrid" or "lstm" has at least the RMC's parameters."""
    wanted = count_parameters(_rmc(settings, 0))

    def size(hidden: int) -> int:
        return count_parameters(_with_hidden_size(settings, model, hidden, 0))

    return smallest_size(size, wanted)


def count_parameters(model: Classifier) -> int:
    """Return how many numbers training changes."""
    return sum(value.size for value in model.params.values())


def _rmc(settings: ReasoningSettings[Any], seed: int) -> Classifier:
    generator = np.random.default_rng(seed)
    core = RelationalMemory(
        settings.task.input_size,
        settings.mem_slots,
        settings.head_size,
        settings.num_heads,
        gate_style=settings.gate_style,
        dtype=np.float32,
        seed=generator,
    )
    return Classifier(core, settings.task.classes, seed=generator)


def _with_hidden_size(settings: ReasoningSettings[Any], model: str, hidden: int, seed: int) -> Classifier:
    generator = np.random.default_rng(seed)
    core: LSTM | RelationalRNN
    if model == "hybrid":
        core = RelationalRNN(
            settings.task.input_size,
            hidden,
            num_slots=settings.mem_slots,
            slot_size=settings.head_size * settings.num_heads,
            num_heads=settings.num_heads,
            dtype=np.float32,
            seed=generator,
        )
    else:
        core = LSTM(settings.task.input_size, hidden, dtype=np.float32, seed=generator)
    return Classifier(core, settings.task.classes, seed=generator)


def save_model(
    path: Path, model: Classifier, task: str, settings: ReasoningSettings[Any], contestant: Contestant
) -> None:
    """Write weights as safetensors, with what it takes to build the model beside them, atomically."""
    notes = {
        "task": task,
        "framework": "numpy",
        "settings": dataclasses.asdict(settings),
        "contestant": contestant,
    }
    save_arrays(path, model.params, notes)


def load_model(path: Path) -> tuple[Classifier, str, ReasoningSettings[Any], Contestant]:
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


def is_numpy_model(path: Path) -> bool:
    """Return whether a safetensors file is one of `save_model`'s.

    Raises:
        ValueError: it is no safetensors file.
    """
    try:
        with safe_open(path, framework="numpy") as file:
            return (file.metadata() or {}).get("framework") == json.dumps("numpy")
    except SafetensorError as error:
        raise ValueError(f"{path} is no readable safetensors file: {error}") from None


def settings_from(task: str, values: dict[str, Any]) -> ReasoningSettings[Any]:
    """Turn what a JSON file holds back into settings."""
    sizes = {name: tuple(v) if isinstance(v, list) else v for name, v in values["task"].items()}
    changed = {"task": find_task(task).factory(**sizes), "models": tuple(values["models"])}
    return ReasoningSettings(**{**values, **changed})
