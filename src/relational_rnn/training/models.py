"""The models that runs train, in one registry: what each is called, sized by and started with."""

from __future__ import annotations

import importlib
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

from relational_rnn.config import RelationalMemoryConfig, parameter_shapes
from relational_rnn.config.checks import check_choice
from relational_rnn.tasks import entry_of

if TYPE_CHECKING:
    from relational_rnn.training.config import RunConfig
    from relational_rnn.training.config_parts import ModelConfig


@dataclass(frozen=True, kw_only=True)
class ModelSpec:
    """One model."""

    name: str
    """What people type."""
    label: str
    """What people read."""
    size: str
    """The argument that widens it, and so is free to match a number of parameters."""
    torch: str | Callable[..., Any]
    """The core's class, as module:name, or a function (input_size, size) -> torch core."""
    numpy: str | None = None
    """The NumPy core's class; None if there is none."""
    initialisations: tuple[str, ...] = ("authors", "torch")
    """What it can start with, its usual one first; "torch" are torch's own initial values."""
    carries: bool = True
    """Whether its state is of one size, so that it can go on from one window of a text to the next."""
    takes_initialisation: bool = False
    """Whether the core's class has an argument for it; else "torch" is drawn over what it started with."""
    options: Callable[[ModelConfig], dict[str, Any]] = lambda config: {}
    """(config) -> further arguments of the core."""
    choices: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Arguments of the torch core that overrides can set, and their values, the usual one first."""

    def core(self, framework: str) -> Callable[..., Any]:
        """Return what builds the core.

        Args:
            framework: "torch" or "numpy".

        Raises:
            ValueError: the framework does not have it.
        """
        named = self.torch if framework == "torch" else self.numpy
        if named is None:
            raise ValueError(f"framework={framework!r} has no {self.name}")
        if callable(named):
            return named
        module, _, name = named.partition(":")
        found: Callable[..., Any] = getattr(importlib.import_module(module), name)
        return found


def _hybrid(config: ModelConfig) -> dict[str, Any]:
    width = config.head_size * config.num_heads
    return {
        "num_slots": config.mem_slots,
        "slot_size": width,
        "num_heads": config.num_heads,
        "slot_update": config.slot_update,
    }


MODELS: Final[dict[str, ModelSpec]] = {
    spec.name: spec
    for spec in (
        ModelSpec(
            name="rmc",
            label="RMC",
            size="head_size",
            torch="relational_rnn.nn:RelationalMemory",
            numpy="relational_rnn.reference:RelationalMemory",
            options=lambda config: config.core_options(),
        ),
        ModelSpec(
            name="hybrid",
            label="hybrid",
            size="hidden_size",
            torch="relational_rnn.nn:RelationalRNN",
            numpy="relational_rnn.reference:RelationalRNN",
            initialisations=("xavier", "torch"),
            options=_hybrid,
        ),
        ModelSpec(
            name="lstm",
            label="LSTM",
            size="hidden_size",
            torch="relational_rnn.nn:LSTM",
            numpy="relational_rnn.reference:LSTM",
            initialisations=("orthogonal", "torch"),
            takes_initialisation=True,
        ),
        ModelSpec(
            name="gru",
            label="GRU",
            size="hidden_size",
            torch="relational_rnn.nn:GRU",
            initialisations=("torch", "orthogonal"),
            takes_initialisation=True,
        ),
        ModelSpec(
            name="transformer",
            label="Transformer",
            size="head_size",
            torch="relational_rnn.nn:CausalTransformer",
            options=lambda config: {"num_heads": config.num_heads},
            choices={"positions": ("sinusoidal", "learned", "rotary", "none")},
            carries=False,  # it holds all steps so far, with their positions: its context is the window
        ),
        ModelSpec(name="dnc", label="DNC", size="hidden_size", torch="relational_rnn.nn:DNC"),
        ModelSpec(
            name="deltanet",
            label="DeltaNet",
            size="hidden_size",
            torch="relational_rnn.nn:GatedDeltaNet",
            options=lambda config: {"num_heads": config.num_heads},
        ),
        ModelSpec(
            name="deltanet-negative",
            label="DeltaNet [-1,1]",
            size="hidden_size",
            torch="relational_rnn.nn:GatedDeltaNet",
            options=lambda config: {"num_heads": config.num_heads, "negative_eigenvalues": True},
        ),
        ModelSpec(
            name="slstm",
            label="sLSTM",
            size="head_size",
            torch="relational_rnn.nn:SLSTM",
            initialisations=("orthogonal", "torch"),
            options=lambda config: {"num_heads": config.num_heads},
        ),
    )
}
"""By name; the first sets the number of parameters for the others. The DNC has its own memory: 16 words of
16, two read heads."""

LEADER: Final = next(iter(MODELS))
"""The model whose size, and where there is one whose curriculum, the others follow."""

COMPARED: Final = ("rmc", "lstm", "gru", "transformer", "dnc")
"""What `compare` trains if nothing is said; in NumPy what there is of them."""

LABELS: Final = {name: spec.label for name, spec in MODELS.items()}
"""What people read, by name."""


def models_of(framework: str) -> tuple[str, ...]:
    """Return the names of the models that a framework has.

    Example:
        >>> models_of("numpy")
        ('rmc', 'hybrid', 'lstm')
    """
    return tuple(name for name, spec in MODELS.items() if framework == "torch" or spec.numpy is not None)


@contextmanager
def added_models(specs: Iterable[ModelSpec]) -> Iterator[None]:
    """Let runs have further models for a while.

    Raises:
        ValueError: one has the name of a model that is there.

    Example:
        >>> with added_models([ModelSpec(name="mine", label="mine", size="size", torch="mymodule:Core")]):
        ...     find_model("mine").label
        'mine'
    """
    added = {spec.name: spec for spec in specs}
    taken = sorted(added.keys() & MODELS.keys())
    if taken:
        raise ValueError(f"a model of one's own needs a name of its own, got {', '.join(taken)}")
    MODELS.update(added)
    try:
        yield
    finally:
        for name in added:
            del MODELS[name]


Factory = Callable[[int, int], Any]
"""(features of an input, size) -> a torch core: batch first, `core(inputs, state) -> (outputs, state)`, and
`output_size`; the more `size`, the more parameters."""


def specs_of(models: object) -> tuple[ModelSpec, ...]:
    """Return the models of one's own among some.

    Args:
        models: names of the package's models; or name -> None for one of them, or a `Factory` of one's own.

    Raises:
        TypeError: something else than a function stands for a model.
        ValueError: a name that flags and files cannot have.
    """
    if not isinstance(models, Mapping):
        return ()
    own = {name: factory for name, factory in models.items() if factory is not None}
    for name, factory in own.items():
        if not callable(factory):
            raise TypeError(
                f"a model must be None or a function (input_size, size) -> core, got {name}={factory!r}"
            )
        if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_-]*", name) or name in ("all", "both"):
            raise ValueError(f"a model's name must be a word of letters, digits, _ and -, got {name!r}")
    return tuple(ModelSpec(name=name, label=name, size="size", torch=one) for name, one in own.items())


def find_model(name: str) -> ModelSpec:
    """Return a model of the registry.

    Raises:
        ValueError: there is none of this name.
    """
    return MODELS[check_choice("model", name, MODELS)]


def features_of(config: RunConfig) -> int:
    """Return what a core reads at each step: the task's features, or those of a token's embedding.

    Example:
        >>> from relational_rnn.tasks.sorting import Sorting
        >>> from relational_rnn.training.config import RunConfig
        >>> features_of(RunConfig(task=Sorting())) == Sorting().input_size
        True
    """
    tokens = entry_of(config.task).tokens
    return config.model.embedding_size if tokens else int(config.task.input_size)


def size_of(config: RunConfig, spec: ModelSpec, matched: Callable[[str], int]) -> int:
    """Return the size of a model: the RMC's, the one that is set, else what matches the RMC, or its width.

    Args:
        config: of the run.
        spec: of the model.
        matched: (name) -> the smallest size with what is to match, see `matches_state`.
    """
    model = config.model
    if spec.name == LEADER:
        return model.head_size
    chosen = config.overrides_of(spec.name).get("size")
    if chosen is not None:
        return int(chosen)
    if model.match != "nothing":
        return matched(spec.name)
    features = model.mem_slots * model.head_size
    return features if spec.size == "head_size" else features * model.num_heads


def matches_state(config: RunConfig, name: str) -> bool:
    """Return whether a model matches the RMC in the numbers kept between steps, not in parameters.

    A state that grows with the sequence, as a Transformer's, has no size that could match.

    Example:
        >>> from relational_rnn.recipes import find_recipe
        >>> from relational_rnn.training.config import with_values
        >>> config = with_values(find_recipe("mqar", "quick"), {"match": "state"})
        >>> [matches_state(config, name) for name in ("lstm", "transformer")]
        [True, False]
    """
    return config.model.match == "state" and config.specs[name].carries


def check_sizes(config: RunConfig, matched: Callable[[str], int]) -> None:
    """Check that no opponent has less than the RMC beside it of what is to match.

    Args:
        config: of a run.
        matched: as for `size_of`.

    Raises:
        ValueError: one has; the message says what it takes.
    """
    if config.model.match == "nothing" or LEADER not in config.model.models:
        return
    for name in config.model.models:
        chosen: int | None = config.overrides_of(name).get("size")
        if chosen is not None and name != LEADER and chosen < (fair := matched(name)):
            common = (
                "as large a state as the RMC keeps"
                if matches_state(config, name)
                else ("as many parameters as the RMC has")
            )
            raise ValueError(
                f"{name}.size must be at least {fair}, for {common}, got {chosen} "
                "(or match must be 'nothing')"
            )


COPIES: Final = 20
"""Bytes that training keeps at least for a parameter: in float32 it, its gradient, Adam's two moments and the
copy of the best."""


def check_model_memory(config: RunConfig) -> None:
    """Check that the RMC of a run, whose size the opponents match, fits into the memory of this machine.

    Raises:
        ValueError: it does not; the message says how much it takes.
    """
    from relational_rnn.training.processes import physical_memory

    model, memory = config.model, physical_memory()
    if LEADER not in model.models and model.match == "nothing":
        return
    core = RelationalMemoryConfig(
        input_size=features_of(config), head_size=model.head_size, **model.core_options()
    )
    widths = [core.output_size, *[model.head_units] * model.head_layers, config.task.classes]
    parameters = sum(math.prod(shape) for shape in parameter_shapes(core).values())
    parameters += sum((inputs + 1) * outputs for inputs, outputs in pairwise(widths))
    if entry_of(config.task).tokens:
        parameters += model.embedding_size * config.task.classes
    if memory and COPIES * parameters > memory:
        sizes = ", ".join(
            f"{name}={getattr(model, name)}" for name in ("mem_slots", "head_size", "num_heads")
        )
        needed, there = (f"{size / 2**30:,.0f}" for size in (COPIES * parameters, memory))
        raise ValueError(
            f"an RMC with {sizes} has {parameters:,} parameters; its training takes at least {needed} GiB of "
            f"memory, and this machine has {there}"
        )


def check_models(framework: str, names: tuple[str, ...], known: Mapping[str, ModelSpec] = MODELS) -> None:
    """Check the models of a run.

    Raises:
        ValueError: none, one twice, an unknown one, or one that the framework does not have.
    """
    if not names or len(set(names)) != len(names):
        raise ValueError(f"models must name each model once, from {', '.join(known)}; got {names!r}")
    for name in names:
        check_choice("models", name, known)
        if framework == "numpy" and known[name].numpy is None:
            there = ", ".join(models_of(framework))
            raise ValueError(
                f"framework={framework!r} has the models {there}; got {name!r}, which framework='torch' has"
            )
