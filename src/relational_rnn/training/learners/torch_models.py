"""The torch models of a run: built, sized, and their weights as arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor, nn

from relational_rnn.nn import LanguageModel, SequenceClassifier
from relational_rnn.nn.initialise import start_as_torch_
from relational_rnn.nn.variant import VariantRelationalMemory
from relational_rnn.reference.arrays import Array
from relational_rnn.tasks import entry_of
from relational_rnn.tasks.language import cut_offs, read
from relational_rnn.training.arrays_file import check_arrays
from relational_rnn.training.config import RunConfig
from relational_rnn.training.contestants import Contestant
from relational_rnn.training.matching import smallest_size
from relational_rnn.training.models import LEADER, features_of, matches_state, size_of

CORE_FAULTS: Final = {"tied-mlp": "tied_mlp", "final-relu": "final_relu", "joint-norm": "joint_norm"}
"""Faults of the public ports -> the argument of `nn.variant.VariantRelationalMemory`."""

NORMS: Final[dict[str, dict[str, Any]]] = {
    "authors": {},
    "post": {"qkv_norm": False},
    "pre": {"qkv_norm": False, "block_norms": "pre"},
    "qkv": {"block_norms": "none"},
}
"""Where the layer norms are -> the arguments of `nn.variant.VariantRelationalMemory`."""


def build_model(config: RunConfig, contestant: Contestant) -> nn.Module:
    """Build a model in float32; its initial values follow from its seed."""
    name, generator = contestant.model, torch.Generator().manual_seed(contestant.seed)
    size = size_of(config, config.specs[name], lambda opponent: matched_size(config, opponent))
    return _build(config, name, size, contestant.initialisation, generator)


def matched_size(config: RunConfig, name: str) -> int:
    """Return the smallest size with which an opponent has at least the RMC's parameters, or its state."""
    by_state = matches_state(config, name)

    def count(model: str, size: int) -> int:
        built = _build(config, model, size, None, None)
        return count_to_match(built, features_of(config), model, by_state=by_state)

    with torch.device("meta"):
        wanted = count(LEADER, config.model.head_size)
        return smallest_size(lambda size: count(name, size), wanted)


def count_parameters(model: nn.Module) -> int:
    """Return how many numbers training changes."""
    return sum(parameter.numel() for parameter in model.parameters())


def count_to_match(model: nn.Module, features: int, name: str, *, by_state: bool) -> int:
    """Return how many numbers the core of a model keeps after a step, or how many training changes.

    Raises:
        ValueError: the core hands out no state.
    """
    if not by_state:
        return count_parameters(model)
    state = state_size(model, features, 1)
    if state is None:
        raise ValueError(f"match='state' needs a core that hands out its state; {name} does not")
    return state


def state_size(model: Any, features: int, steps: int) -> int | None:
    """Return how many numbers the core keeps from step to step, after `steps`; None if it hands out none.

    Example:
        >>> from relational_rnn.nn import LSTM
        >>> state_size(nn.ModuleDict({"core": LSTM(3, 5, batch_first=True)}), 3, 7)
        10
    """
    parameter = next(model.parameters())
    with torch.no_grad():
        _, state = model.core(parameter.new_zeros(1, steps, features))
    parts = [state] if isinstance(state, Tensor) else state
    if not isinstance(parts, Sequence) or not all(isinstance(part, Tensor) for part in parts):
        return None
    return sum(part.numel() for part in parts if part.is_floating_point())


def _build(
    config: RunConfig,
    name: str,
    size: int,
    initialisation: str | None,
    generator: torch.Generator | None,
) -> nn.Module:
    spec, model, features = config.specs[name], config.model, features_of(config)
    kind = spec.core("torch")
    if callable(spec.torch):
        core: nn.Module = kind(features, size)
    else:
        options = {spec.size: size, **spec.options(model), "batch_first": True, "generator": generator}
        chosen = config.overrides_of(name)
        options |= {argument: chosen[argument] for argument in spec.choices if argument in chosen}
        otherwise: dict[str, Any] = {}
        if name == LEADER:
            faults = {argument: True for fault, argument in CORE_FAULTS.items() if model.has_fault(fault)}
            otherwise = faults | NORMS[model.layer_norm_placement]
            if model.compute_dtype == "bfloat16":
                options["compute_dtype"] = torch.bfloat16
        if spec.takes_initialisation and initialisation is not None:
            options["initialisation"] = initialisation
        core = (
            VariantRelationalMemory(features, **options, **otherwise)
            if otherwise
            else kind(features, **options)
        )
        if initialisation == "torch" and not spec.takes_initialisation:
            start_as_torch_(core, generator)
    if entry_of(config.task).tokens:
        return LanguageModel(
            core,
            config.task.classes,
            model.embedding_size,
            tied=model.tied_embeddings,
            cut_offs=cut_offs(read(config.task).vocabulary.counts) if model.adaptive_softmax else (),
            input_dropout=model.input_dropout,
            output_dropout=model.output_dropout,
            head_layers=model.head_layers,
            head_units=model.head_units,
            head_activation=model.head_activation,
            generator=generator,
        )
    return SequenceClassifier(
        core,
        config.task.classes,
        model.head_layers,
        model.head_units,
        head_activation=model.head_activation,
        generator=generator,
    )


@torch.no_grad()
def load_arrays(model: nn.Module, values: Mapping[str, Array]) -> None:
    """Give a model these weights.

    Raises:
        ValueError: see `check_arrays`.
    """
    tensors = model.state_dict()
    check_arrays(values, copies(tensors))
    write(tensors, values)


def copies(tensors: Mapping[str, Tensor]) -> dict[str, Array]:
    """Return copies of tensors by name."""
    return {name: value.detach().cpu().numpy().copy() for name, value in tensors.items()}


def write(tensors: Mapping[str, Tensor], values: Mapping[str, Array]) -> None:
    """Write values into the tensors of their names."""
    for name, value in tensors.items():
        value.copy_(torch.from_numpy(np.array(values[name])))
