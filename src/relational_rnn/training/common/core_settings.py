"""What the settings of all runs say of the models: one set of names, checked in one place."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from relational_rnn.config.checks import check_bool, check_choice, check_size
from relational_rnn.config.core import GATE_STYLES, HEAD_ACTIVATIONS, INITIAL_MEMORIES
from relational_rnn.training.common.processes import available_cores

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

FREE: Final = ("workers", "threads", "device")
"""Settings that change no result but for rounding: a run may go on with others. Not every run has all."""

CORE_OPTIONS: Final = (
    *("mem_slots", "num_heads", "num_blocks", "attention_mlp_layers", "gate_style", "initial_memory"),
    *("use_attention", "use_mlp", "use_residual", "use_layer_norm"),
)
"""Settings that are the core's arguments, but for `head_size`, which is free to match a size."""


@dataclass(frozen=True, kw_only=True)
class ModelSettings:
    """The models of a run, and how many trainings run at a time."""

    models: tuple[str, ...] = ("rmc",)
    """Which models to train."""
    seed: int = 0
    """The first seed. A seed decides initial values, examples and their order."""
    seeds: int = 1
    """How many seeds in a row; each is a training of every model."""

    mem_slots: int = 4
    """RMC and hybrid: memory slots."""
    head_size: int = 16
    """RMC and hybrid: features of a slot for each head."""
    num_heads: int = 4
    """RMC, hybrid and Transformer: attention heads."""
    num_blocks: int = 1
    """RMC: rounds of attention in a step."""
    attention_mlp_layers: int = 2
    """RMC: layers of the row-wise MLP."""
    gate_style: str = "unit"
    """RMC: "unit", "memory" or "none"."""
    use_attention: bool = True
    """RMC: attention between the rows; False replaces it by the mean of all rows."""
    use_mlp: bool = True
    """RMC: the row-wise MLP."""
    use_residual: bool = True
    """RMC: residual connections."""
    use_layer_norm: bool = True
    """RMC: layer norm."""
    initial_memory: str = "identity"
    """RMC: "identity", "random" or "trainable"."""
    initialisation: str = "authors"
    """RMC: "authors" or "torch", what its linear layers start with."""
    head_layers: int = 0
    """All models: hidden layers of the head on an output that is asked for."""
    head_units: int = 256
    """All models: features of each of them."""
    head_activation: str = "relu"
    """All models: "relu" or "gelu", after each of them."""
    match_parameters: bool = True
    """Opponents without a size of their own get the smallest with at least the RMC's parameters; off: as many
    features as the RMC's whole memory has."""
    hybrid_hidden_size: int | None = None
    """Hybrid: features of its LSTM; None follows match_parameters."""
    lstm_hidden_size: int | None = None
    """LSTM: features; None follows match_parameters."""
    gru_hidden_size: int | None = None
    """GRU: features; None follows match_parameters."""
    transformer_head_size: int | None = None
    """Transformer: features of a head; None follows match_parameters."""
    dnc_hidden_size: int | None = None
    """DNC: features of its controller; None follows match_parameters."""
    threads: int = 1
    """Processor threads of each training."""
    workers: int | None = None
    """Trainings that run at the same time; None takes as many as the processor's cores have threads for."""

    @property
    def at_once(self) -> int:
        """How many trainings run at the same time."""
        return self.workers or max(1, available_cores() // self.threads)

    def check_models(self) -> None:
        """Check these fields.

        Raises:
            TypeError: a size is no integer, a switch no bool.
            ValueError: a size out of range, an unknown choice.
        """
        for name in ("mem_slots", "head_size", "num_heads", "num_blocks", "attention_mlp_layers"):
            check_size(name, getattr(self, name))
        check_size("head_layers", self.head_layers, minimum=0)
        check_size("head_units", self.head_units)
        check_choice("head_activation", self.head_activation, HEAD_ACTIVATIONS)
        check_size("threads", self.threads)
        for name in ("workers", *SIZES.values()):
            if getattr(self, name) is not None:
                check_size(name, getattr(self, name))
        check_choice("gate_style", self.gate_style, GATE_STYLES)
        check_choice("initial_memory", self.initial_memory, INITIAL_MEMORIES)
        check_choice("initialisation", self.initialisation, INITIALISATIONS)
        for name in ("match_parameters", *(name for name in CORE_OPTIONS if name.startswith("use_"))):
            check_bool(name, getattr(self, name))


def core_options(settings: ModelSettings) -> dict[str, Any]:
    """Return the RMC's arguments, without input and head size."""
    return {name: getattr(settings, name) for name in CORE_OPTIONS}


def model_options(settings: ModelSettings, model: str) -> dict[str, Any]:
    """Return what a torch model takes beside its size, input size and generator.

    The DNC has its own memory: 16 words of 16, two read heads.
    """
    slots, heads = settings.mem_slots, settings.num_heads
    if model == "rmc":
        return core_options(settings)
    if model == "hybrid":
        return {"num_slots": slots, "slot_size": settings.head_size * heads, "num_heads": heads}
    return {"num_heads": heads} if model == "transformer" else {}


def check_sizes(settings: ModelSettings, matched_size: Callable[[Any, str], int]) -> None:
    """Check that no opponent has fewer parameters than the RMC beside it, unless they need not match.

    Args:
        settings: of a run.
        matched_size: (settings, opponent) -> the smallest size with at least the RMC's parameters.

    Raises:
        ValueError: one has; the message says what it takes.
    """
    if not settings.match_parameters or "rmc" not in settings.models:
        return
    for model in settings.models:
        chosen = getattr(settings, SIZES[model]) if model in SIZES else None
        if chosen is not None and chosen < (fair := matched_size(settings, model)):
            raise ValueError(
                f"{SIZES[model]} must be at least {fair}, for as many parameters as the RMC has, got "
                f"{chosen} (or match_parameters must be off)"
            )


def opponent_size(settings: ModelSettings, model: str, matched_size: Callable[[Any, str], int]) -> int:
    """Return the size of an opponent: the one that is set, else by parameters or by width.

    Args:
        settings: of a run.
        model: one of `SIZES`.
        matched_size: as for `check_sizes`.
    """
    chosen: int | None = getattr(settings, SIZES[model])
    if chosen is not None:
        return chosen
    if settings.match_parameters:
        return matched_size(settings, model)
    features = settings.mem_slots * settings.head_size
    return features if model == "transformer" else features * settings.num_heads
