"""One way to build the models that are compared: same head, matched sizes, values that follow from a seed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import torch
from torch import nn

from relational_rnn.nn import SequenceClassifier
from relational_rnn.nn.cores import build_core
from relational_rnn.nn.initialise import start_as_torch_
from relational_rnn.nn.variant import VariantRelationalMemory
from relational_rnn.training.common.core_settings import SIZES, model_options, opponent_size
from relational_rnn.training.common.matching import smallest_size

CORE_FAULTS: Final = {"tied-mlp": "tied_mlp", "final-relu": "final_relu", "joint-norm": "joint_norm"}
"""Faults of the public ports -> the argument of `nn.variant.VariantRelationalMemory`."""

NORMS: Final[dict[str, dict[str, Any]]] = {
    "authors": {},
    "post": {"qkv_norm": False},
    "pre": {"qkv_norm": False, "block_norms": "pre"},
    "qkv": {"block_norms": "none"},
}
"""Where the layer norms are -> the arguments of `nn.variant.VariantRelationalMemory`."""


def build_model(settings: Any, model: str, seed: int, **options: Any) -> SequenceClassifier:
    """Build a model in float32; its initial values follow from the seed.

    Args:
        settings: of the run, of any task.
        model: a name of `nn.cores.CORES`.
        seed: of the training.
        **options: of the model's core, over those that the settings name; `start_as_torch`, whether its
            layers start as torch's do (an RMC's also where the settings say so); `otherwise`, what an RMC
            does otherwise: arguments of `nn.variant.VariantRelationalMemory`.
    """
    if model == "rmc" and settings.initialisation == "torch":
        options["start_as_torch"] = True
    size = settings.head_size
    if model in SIZES:
        size = opponent_size(settings, model, matched_size)
    return _build(settings, model, size, torch.Generator().manual_seed(seed), **options)


def matched_size(settings: Any, model: str) -> int:
    """Return the smallest size with which an opponent has at least the RMC model's parameters."""
    with torch.device("meta"):
        wanted = count_parameters(_build(settings, "rmc", settings.head_size, None))
        return smallest_size(lambda size: count_parameters(_build(settings, model, size, None)), wanted)


def count_parameters(model: nn.Module) -> int:
    """Return how many numbers training changes."""
    return sum(parameter.numel() for parameter in model.parameters())


def _build(
    settings: Any,
    model: str,
    size: int,
    generator: torch.Generator | None,
    *,
    otherwise: Mapping[str, Any] | None = None,
    start_as_torch: bool = False,
    **options: Any,
) -> SequenceClassifier:
    options = model_options(settings, model) | options | {"batch_first": True, "generator": generator}
    features = settings.task.input_size
    if otherwise:
        core: nn.Module = VariantRelationalMemory(features, head_size=size, **options, **otherwise)
    else:
        core = build_core(model, features, size, **options)
    if start_as_torch:
        start_as_torch_(core, generator)
    return SequenceClassifier(
        core,
        settings.task.classes,
        settings.head_layers,
        settings.head_units,
        head_activation=settings.head_activation,
        generator=generator,
    )
