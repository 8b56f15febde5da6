"""What the settings of all runs say of the RMC beyond its sizes: one set of names, checked in one place."""

from __future__ import annotations

from typing import Any, Final

from relational_rnn.spec.checks import check_bool, check_choice
from relational_rnn.spec.core import GATE_STYLES, INITIAL_MEMORIES

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
