"""What the settings of all runs say of the models: one set of names, checked in one place."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from relational_rnn.spec.checks import check_bool, check_choice
from relational_rnn.spec.core import GATE_STYLES, INITIAL_MEMORIES

LABELS: Final = {
    "rmc": "RMC",
    "hybrid": "hybrid",
    "lstm": "LSTM",
    "gru": "GRU",
    "transformer": "Transformer",
    "dnc": "DNC",
}
"""The models by name, and what people read; the first sets the number of parameters for the others."""

SIZES: Final = {
    "hybrid": "hybrid_hidden_size",
    "lstm": "lstm_hidden_size",
    "gru": "gru_hidden_size",
    "transformer": "transformer_head_size",
    "dnc": "dnc_hidden_size",
}
"""The setting that widens an opponent, and so is free to match the RMC's parameters."""

INITIALISATIONS: Final = ("authors", "torch")
"""What the RMC's linear layers can start with."""

CORE_OPTIONS: Final = (
    *("mem_slots", "num_heads", "num_blocks", "attention_mlp_layers", "gate_style", "initial_memory"),
    *("use_attention", "use_mlp", "use_residual", "use_layer_norm"),
)
"""Settings that are the core's arguments, but for `head_size`, which is free to match a size."""


def check_core_choices(settings: Any) -> None:
    """Check the settings of the RMC that are no sizes.

    Raises:
        TypeError: a switch that is no bool.
        ValueError: an unknown choice.
    """
    check_choice("gate_style", settings.gate_style, GATE_STYLES)
    check_choice("initial_memory", settings.initial_memory, INITIAL_MEMORIES)
    check_choice("initialisation", settings.initialisation, INITIALISATIONS)
    for name in CORE_OPTIONS:
        if name.startswith("use_"):
            check_bool(name, getattr(settings, name))


def core_options(settings: Any) -> dict[str, Any]:
    """Return the RMC's arguments, without input and head size."""
    return {name: getattr(settings, name) for name in CORE_OPTIONS}


def model_options(settings: Any, model: str) -> dict[str, Any]:
    """Return what a torch model takes beside its size, input size and generator.

    The DNC has its own memory: 16 words of 16, two read heads.
    """
    slots, heads = settings.mem_slots, settings.num_heads
    if model == "rmc":
        return core_options(settings)
    if model == "hybrid":
        return {"num_slots": slots, "slot_size": settings.head_size * heads, "num_heads": heads}
    return {"num_heads": heads} if model == "transformer" else {}


def check_sizes(settings: Any, matched_size: Callable[[Any, str], int]) -> None:
    """Check that no opponent has fewer parameters than the RMC beside it.

    Args:
        settings: of a run.
        matched_size: (settings, opponent) -> the smallest size with at least the RMC's parameters.

    Raises:
        ValueError: one has; the message says what it takes.
    """
    for model in settings.models:
        chosen = getattr(settings, SIZES[model]) if model in SIZES else None
        if chosen is not None and "rmc" in settings.models:
            fair = matched_size(settings, model)
            if chosen < fair:
                raise ValueError(
                    f"{SIZES[model]} must be at least {fair}, for as many parameters as the RMC has, "
                    f"got {chosen}"
                )
