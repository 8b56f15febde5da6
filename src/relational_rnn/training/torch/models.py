"""The trainings of an Nth-farthest run, their models, and models on disk (safetensors)."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import nn

from relational_rnn.nn import SequenceClassifier
from relational_rnn.training.common.core_settings import LABELS
from relational_rnn.training.common.files import write_atomically
from relational_rnn.training.common.nth_farthest import STARTS, NthFarthestSettings, settings_from
from relational_rnn.training.torch import build
from relational_rnn.training.torch.build import CORE_FAULTS, NORMS


@dataclass(frozen=True)
class Contestant:
    """One training of a run: a model, how its task comes and how it starts."""

    name: str
    """Names its checkpoint and its records."""
    model: str
    """A name of `nn.cores.CORES`."""
    label: str
    """What people read."""
    grown: bool
    """On the growing task; else directly on the full task."""
    initialisation: str
    """What its core starts with: one of `STARTS`; the RMC's is a setting."""
    seed: int = 0
    """Of the training."""


def contestants(settings: NthFarthestSettings) -> list[Contestant]:
    """Return the trainings of a run: for each seed every model, the RMC first.

    An opponent trains on the RMC's examples (where no RMC is trained, its own pace lets the task grow) and,
    with `direct`, once directly on the full task; the LSTM starts in two ways, unless it has an
    initialisation of its own.
    """
    seeds = range(settings.seed, settings.seed + settings.seeds)
    return [
        dataclasses.replace(c, name=f"{c.name}-{seed}", label=f"{c.label}, seed {seed}", seed=seed)
        if settings.seeds > 1
        else dataclasses.replace(c, seed=seed)
        for seed in seeds
        for c in _of_one_seed(settings)
    ]


def _of_one_seed(settings: NthFarthestSettings) -> Iterator[Contestant]:
    on_its_way = "full task"
    if settings.grow:
        on_its_way = "growing task" if "rmc" in settings.models else "growing task at its own pace"
    for model in sorted(settings.models, key=list(LABELS).index):
        label = LABELS[model]
        if model == "rmc":
            yield Contestant("rmc", model, f"{label}, {on_its_way}", settings.grow, "authors")
            continue
        starts = settings.starts(model)
        usual = model != "lstm" and starts == STARTS[model][:1]
        told = {start: "" if usual else f", {start} start" for start in starts}
        if settings.grow and settings.direct:
            first = starts[0]
            yield Contestant(f"{model}-direct", model, f"{label}, full task{told[first]}", False, first)
        for start in starts:
            name = f"{model}-{start}" if model == "lstm" else model
            yield Contestant(name, model, f"{label}, {on_its_way}{told[start]}", settings.grow, start)


def build_model(settings: NthFarthestSettings, contestant: Contestant) -> SequenceClassifier:
    """Build a contestant's model; its initial values follow from its seed."""
    options: dict[str, Any] = {}
    if contestant.model in ("lstm", "gru"):
        # Weights from before a GRU had a choice say "authors", which was torch's.
        options["initialisation"] = "orthogonal" if contestant.initialisation == "orthogonal" else "torch"
    elif contestant.model != "rmc":
        options["start_as_torch"] = contestant.initialisation == "torch"
    else:
        if settings.compute_dtype == "bfloat16":
            options["compute_dtype"] = torch.bfloat16
        faults = {name: True for fault, name in CORE_FAULTS.items() if settings.has_fault(fault)}
        options["otherwise"] = faults | NORMS[settings.layer_norm_placement]
    return build.build_model(settings, contestant.model, contestant.seed, **options)


def save_model(path: Path, model: nn.Module, settings: NthFarthestSettings, contestant: Contestant) -> None:
    """Write weights as safetensors, with what it takes to build the model in the metadata, atomically."""
    metadata = {
        "task": "nth-farthest",
        "settings": json.dumps(dataclasses.asdict(settings)),
        "contestant": json.dumps(dataclasses.asdict(contestant)),
    }
    state = {
        name: value.clone(memory_format=torch.contiguous_format) for name, value in model.state_dict().items()
    }
    write_atomically(path, lambda temporary: save_file(state, temporary, metadata))


def load_model(
    path: Path, compute_dtype: str | None = None
) -> tuple[SequenceClassifier, NthFarthestSettings, Contestant]:
    """Build the model of a file that `save_model` wrote.

    Args:
        path: the file.
        compute_dtype: of an RMC's matrix products, one of `COMPUTE_DTYPES`; None for that of its training.

    Raises:
        ValueError: the file is no such file, or `compute_dtype` is unknown.
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
    if compute_dtype is not None:
        settings = dataclasses.replace(settings, compute_dtype=compute_dtype)
    contestant = Contestant(**json.loads(metadata["contestant"]))
    model = build_model(settings, contestant)
    model.load_state_dict(state)
    return model.eval(), settings, contestant
