"""The trainings of an Nth-farthest run, their models, and models on disk (safetensors)."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import nn

from relational_rnn.nn import LSTM, RelationalMemory, SequenceClassifier
from relational_rnn.nn.initialise import start_as_torch_
from relational_rnn.training.common.core_settings import core_options
from relational_rnn.training.common.files import write_atomically
from relational_rnn.training.common.matching import smallest_size
from relational_rnn.training.common.nth_farthest import NthFarthestSettings


@dataclass(frozen=True)
class Contestant:
    """One training of a run: a model, how its task comes and how it starts."""

    name: str
    """Names its checkpoint and its records."""
    model: str
    """"rmc" or "lstm"."""
    label: str
    """What people read."""
    grown: bool
    """On the growing task; else directly on the full task."""
    initialisation: str
    """"authors" for the RMC; see `nn.LSTM` for the LSTM."""


def contestants(settings: NthFarthestSettings) -> list[Contestant]:
    """Return the trainings of a run, the RMC first.

    An opponent starts in two ways on the RMC's examples and trains once directly on the full task.
    """
    grown = "growing task" if settings.grow else "full task"
    result = []
    if "rmc" in settings.models:
        result.append(Contestant("rmc", "rmc", f"RMC, {grown}", settings.grow, "authors"))
    if "lstm" in settings.models:
        if settings.grow:
            name, label = "lstm-direct", "LSTM, full task, orthogonal start"
            result.append(Contestant(name, "lstm", label, False, "orthogonal"))
        for start in ("orthogonal", "torch"):
            name, label = f"lstm-{start}", f"LSTM, {grown}, {start} start"
            result.append(Contestant(name, "lstm", label, settings.grow, start))
    return result


def build_model(settings: NthFarthestSettings, contestant: Contestant) -> SequenceClassifier:
    """Build a contestant's model; its initial values follow from the seed and its name."""
    generator = torch.Generator().manual_seed(settings.seed)
    core: nn.Module
    if contestant.model == "rmc":
        core = _rmc_core(settings, generator)
    else:
        hidden = settings.lstm_hidden_size or matched_hidden_size(settings)
        core = LSTM(
            settings.task.input_size,
            hidden,
            batch_first=True,
            initialisation=contestant.initialisation,
            generator=generator,
        )
    return _with_head(settings, core, generator)


def _rmc_core(settings: NthFarthestSettings, generator: torch.Generator | None) -> RelationalMemory:
    core = RelationalMemory(
        settings.task.input_size,
        head_size=settings.head_size,
        **core_options(settings),
        compute_dtype=torch.bfloat16 if settings.compute_dtype == "bfloat16" else None,
        batch_first=True,
        generator=generator,
    )
    if settings.initialisation == "torch":
        start_as_torch_(core, generator)
    return core


def _with_head(
    settings: NthFarthestSettings, core: nn.Module, generator: torch.Generator | None
) -> SequenceClassifier:
    return SequenceClassifier(
        core, settings.task.classes, settings.head_layers, settings.head_units, generator=generator
    )


def matched_hidden_size(settings: NthFarthestSettings) -> int:
    """Return the smallest LSTM width with which the model has at least the RMC model's parameters."""
    with torch.device("meta"):
        wanted = count_parameters(_with_head(settings, _rmc_core(settings, None), None))

        def size(hidden: int) -> int:
            return count_parameters(
                _with_head(settings, LSTM(settings.task.input_size, hidden, batch_first=True), None)
            )

        return smallest_size(size, wanted)


def count_parameters(model: nn.Module) -> int:
    """Return how many numbers training changes."""
    return sum(parameter.numel() for parameter in model.parameters())


def save_model(path: Path, model: nn.Module, settings: NthFarthestSettings, contestant: Contestant) -> None:
    """Write weights as safetensors, with what it takes to build the model in the metadata, atomically."""
    metadata = {
        "task": "nth-farthest",
        "settings": json.dumps(dataclasses.asdict(settings)),
        "contestant": json.dumps(dataclasses.asdict(contestant)),
    }
    state = {name: value.contiguous() for name, value in model.state_dict().items()}
    write_atomically(path, lambda temporary: save_file(state, temporary, metadata))


def load_model(path: Path) -> tuple[SequenceClassifier, NthFarthestSettings, Contestant]:
    """Build the model of a file that `save_model` wrote.

    Raises:
        ValueError: the file is no such file.
    """
    try:
        with safe_open(path, framework="pt") as file:
            metadata: dict[str, Any] = file.metadata() or {}
            state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except Exception as error:  # safetensors raises its own error type for a broken file
        raise ValueError(f"{path} is no readable safetensors file: {error}") from None
    if metadata.get("task") != "nth-farthest":
        raise ValueError(f"{path} holds no Nth-farthest model: its metadata has {sorted(metadata)}")
    settings = settings_from(json.loads(metadata["settings"]))
    contestant = Contestant(**json.loads(metadata["contestant"]))
    model = build_model(settings, contestant)
    model.load_state_dict(state)
    return model.eval(), settings, contestant


def settings_from(values: dict[str, Any]) -> NthFarthestSettings:
    """Turn what a JSON file holds back into settings."""
    return NthFarthestSettings(**{**values, "models": tuple(values["models"])})
