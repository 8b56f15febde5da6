"""Everything that a run depends on, as one value: small frozen parts, each with its checks.

A field is a flag of the commands by its own name (`config.budget.steps` is `--steps`), so no two parts have a
field of the same name. `with_values` changes fields by these names.
"""

from __future__ import annotations

import dataclasses
import difflib
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

from relational_rnn.config.checks import (
    MOST,
    check_bool,
    check_choice,
    check_number,
    check_seed,
    check_size,
    did_you_mean,
    shortened,
)
from relational_rnn.config.core import (
    GATE_STYLES,
    HEAD_ACTIVATIONS,
    INITIAL_MEMORIES,
    INPUT_FUSIONS,
    READ_HEADS,
    SLOT_UPDATES,
)
from relational_rnn.tasks import entry_of
from relational_rnn.training.models import LEADER, MODELS, ModelSpec, check_models

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Task = TypeVar("Task")
D = TypeVar("D", bound="DataclassInstance")

FRAMEWORKS: Final = ("numpy", "torch")
DEVICES: Final = ("cpu", "cuda")
OPTIMISERS: Final = ("adam", "soap")
COMPUTE_DTYPES: Final = ("float32", "bfloat16")
KEEPS: Final = ("best", "last")

PORT_FAULTS: Final = ("none", "tied-mlp", "final-relu", "joint-norm", "double-softmax", "all")
"""What the public PyTorch ports do otherwise than the authors' code: see `nn.variant`; and the loss of their
script takes the softmax of a softmax."""

LAYER_NORM_PLACEMENTS: Final = ("authors", "post", "pre", "qkv")
"""Where the core's layer norms can be."""

OVERRIDES: Final[dict[str, type]] = {
    "learning_rate": float,
    "optimiser": str,
    "warmup_steps": int,
    "clip_norm": float,
    "steps": int,
    "steps_factor": float,
    "size": int,
    "initialisation": str,
}
"""What a model can have otherwise than the run."""

FREE: Final = ("workers", "threads", "device")
"""Fields that change no result but for rounding: a run may go on with others."""

MOST_OF: Final = {
    "mem_slots": 4_096,
    "head_size": 16_384,
    "num_heads": 16_384,
    "head_units": 16_384,
    "num_blocks": 1_000,
    "attention_mlp_layers": 100,
    "head_layers": 100,
    "batch_size": 1_000_000,
    "seeds": 10_000,
    "threads": 1_024,
    "workers": 1_024,
}
"""The largest values of some fields; head_size * num_heads has that of head_size. Other sizes have that of
`check_size`. They are far beyond any that was ever trained: who asks for more has mistyped it."""

CORE_OPTIONS: Final = (
    *("mem_slots", "num_heads", "num_blocks", "attention_mlp_layers", "gate_style", "initial_memory"),
    *("use_attention", "use_mlp", "use_residual", "use_layer_norm"),
    *("input_fusion", "read_head", "key_size", "forget_bias", "input_bias"),
)
"""Fields that are the core's arguments, but for `head_size`, which is free to match a size."""


def check_words(name: str, value: Any) -> None:
    """Check that a field is a tuple of texts.

    Raises:
        TypeError: it is something else.
    """
    if not isinstance(value, tuple) or not all(isinstance(word, str) for word in value):
        raise TypeError(f"{name} must hold texts such as {EXAMPLES[name]!r}, got {shortened(value)}")


EXAMPLES: Final = {"models": "lstm", "overrides": "lstm.learning_rate=1e-3", "start": "items=2"}


@dataclass(frozen=True, kw_only=True)
class ModelConfig:
    """The models of a run.

    Raises:
        TypeError: a size is no integer, a switch no bool.
        ValueError: a size out of range, an unknown choice.
    """

    models: tuple[str, ...] = ("rmc", "lstm")
    """Which models to train."""
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
    """RMC: "identity", "random", "normal", "zeros" (all slots alike, and they stay so) or "trainable"."""
    input_fusion: str = "append"
    """RMC: how an input enters: "append" (as one more row, the paper's) or "tile" (projected and put beside
    every slot)."""
    read_head: str = "flatten"
    """RMC: how the memory becomes an output: "flatten" (all slots side by side, the paper's), "mean",
    "weighted" (by learned weights) or "attention" (by a learned query)."""
    key_size: int | None = None
    """RMC: features of a head's queries and keys; None means head_size."""
    forget_bias: float = 1.0
    """RMC: constant added to the forget gate before the sigmoid."""
    input_bias: float = 0.0
    """RMC: constant added to the input gate before the sigmoid."""
    slot_update: str = "shared"
    """hybrid: how the hidden state enters the slots: "shared" (the same update for all) or "attend" (as a row
    that they attend to)."""
    initialisation: str = "authors"
    """RMC: "authors" or "torch", what its linear layers start with."""
    compute_dtype: str = "float32"
    """RMC: dtype of its matrix products, "float32" or "bfloat16"; everything else is float32."""
    port_fault: str = "none"
    """RMC: a fault of the public PyTorch ports to train with: "none", "tied-mlp", "final-relu", "joint-norm",
    "double-softmax" or "all"."""
    layer_norm_placement: str = "authors"
    """RMC: where its layer norms are: "authors" (on queries, keys and values together, and after each
    residual sum), "post" (after each sum alone), "pre" (on what goes into attention and into the MLP) or
    "qkv" (on queries, keys and values alone)."""
    head_layers: int = 0
    """All models: hidden layers of the head on an output that is asked for."""
    head_units: int = 256
    """All models: features of each of them."""
    head_activation: str = "relu"
    """All models: "relu" or "gelu", after each of them."""
    match_parameters: bool = True
    """Opponents without a size of their own get the smallest with at least the RMC's parameters; off: as many
    features as the RMC's whole memory has."""
    overrides: tuple[str, ...] = ()
    """What a model has otherwise than the run, each as MODEL.SETTING=VALUE (lstm.learning_rate=1e-3):
    learning_rate, optimiser, warmup_steps, clip_norm, steps, steps_factor (so many times the run's steps),
    size (the features of an opponent: the size of a head for the Transformer, else the hidden size), and
    initialisation, which is "torch" or "orthogonal" for lstm and gru, "authors" or "torch" for the others
    ("xavier" or "torch" for hybrid); orthogonal+torch trains an opponent once with each. Those of models that
    the run does not have are left aside."""

    def __post_init__(self) -> None:
        """Check every field."""
        for name in ("mem_slots", "head_size", "num_heads", "num_blocks", "attention_mlp_layers"):
            check_size(name, getattr(self, name), maximum=MOST_OF[name])
        check_size("head_size * num_heads", self.head_size * self.num_heads, maximum=MOST_OF["head_size"])
        check_size("head_layers", self.head_layers, minimum=0, maximum=MOST_OF["head_layers"])
        check_size("head_units", self.head_units, maximum=MOST_OF["head_units"])
        check_choice("head_activation", self.head_activation, HEAD_ACTIVATIONS)
        check_choice("gate_style", self.gate_style, GATE_STYLES)
        check_choice("initial_memory", self.initial_memory, INITIAL_MEMORIES)
        check_choice("input_fusion", self.input_fusion, INPUT_FUSIONS)
        check_choice("read_head", self.read_head, READ_HEADS)
        check_choice("slot_update", self.slot_update, SLOT_UPDATES)
        if self.key_size is not None:
            check_size("key_size", self.key_size, maximum=MOST_OF["head_size"])
        for name in ("forget_bias", "input_bias"):
            check_number(name, getattr(self, name))
        check_choice("initialisation", self.initialisation, MODELS["rmc"].initialisations)
        check_choice("compute_dtype", self.compute_dtype, COMPUTE_DTYPES)
        for name in ("match_parameters", *(name for name in CORE_OPTIONS if name.startswith("use_"))):
            check_bool(name, getattr(self, name))
        fault = check_choice("port_fault", self.port_fault, PORT_FAULTS)
        if fault != "none" and self.compute_dtype != "float32":
            raise ValueError(f"port_fault needs compute_dtype 'float32', got {self.compute_dtype!r}")
        placement = check_choice("layer_norm_placement", self.layer_norm_placement, LAYER_NORM_PLACEMENTS)
        if placement != "authors" and (self.compute_dtype != "float32" or not self.use_layer_norm):
            raise ValueError(
                f"layer_norm_placement {placement!r} needs compute_dtype 'float32' and use_layer_norm, "
                f"got {self.compute_dtype!r} and {self.use_layer_norm}"
            )
        if (fault, placement) != ("none", "authors") and self.input_fusion != "append":
            raise ValueError(
                f"port_fault and layer_norm_placement need input_fusion 'append', got {self.input_fusion!r}"
            )
        check_words("models", self.models)
        check_words("overrides", self.overrides)

    def core_options(self) -> dict[str, Any]:
        """Return the RMC's arguments, without input and head size."""
        return {name: getattr(self, name) for name in CORE_OPTIONS}

    def has_fault(self, fault: str) -> bool:
        """Return whether the RMC is trained with one of `PORT_FAULTS`."""
        return self.port_fault in (fault, "all")


@dataclass(frozen=True, kw_only=True)
class OptimiserConfig:
    """How parameters change.

    Raises:
        TypeError: a number is none.
        ValueError: a number out of range, an unknown optimiser.
    """

    optimiser: str = "adam"
    """Optimiser of all models: "adam", or "soap": Adam in the eigenbasis of Shampoo's preconditioner (Vyas et
    al. 2024; torch, and needs pytorch_optimizer)."""
    learning_rate: float = 2e-3
    """Peak of the learning rate."""
    warmup_steps: int = 100
    """Steps of linear warm-up."""
    final_share: float = 0.02
    """The last learning rate as a share of the peak; a half cosine leads there."""
    clip_norm: float = 1.0
    """Largest norm of the gradient of all parameters together."""
    average_decay: float = 0.0
    """Decay of the moving average of the weights, which is then what is scored and kept; 0 for the weights
    themselves (torch)."""

    def __post_init__(self) -> None:
        """Check every field."""
        check_choice("optimiser", self.optimiser, OPTIMISERS)
        check_size("warmup_steps", self.warmup_steps, minimum=0)
        for name in ("learning_rate", "clip_norm"):
            if check_number(name, getattr(self, name)) <= 0:
                raise ValueError(f"{name} must be above 0, got {getattr(self, name)}")
        check_number("final_share", self.final_share, 0.0, 1.0)
        if not 0 <= check_number("average_decay", self.average_decay) < 1:
            raise ValueError(f"average_decay must be from 0 to below 1, got {self.average_decay}")


@dataclass(frozen=True, kw_only=True)
class CurriculumConfig:
    """Whether the examples grow to their full size, and how.

    Raises:
        TypeError: a share is no number, a switch no bool.
        ValueError: a share out of range, a start that cannot be read.
    """

    grow: bool = False
    """Train with a curriculum, from small sizes up to the full ones. Opponents of an RMC see its examples."""
    start: tuple[str, ...] = ()
    """The sizes that grow and where each starts, as SIZE=NUMBER; all others are full from the first step."""
    growth_threshold: float = 0.75
    """Moving average of the training accuracy at which the next stage begins."""
    smaller_share: float = 0.0
    """Share of the batches that are of a smaller size than the stage's."""
    direct: bool = False
    """Train each opponent of an RMC a second time, without the curriculum."""

    def __post_init__(self) -> None:
        """Check every field."""
        check_words("start", self.start)
        for name in ("grow", "direct"):
            check_bool(name, getattr(self, name))
        for name in ("growth_threshold", "smaller_share"):
            check_number(name, getattr(self, name), 0.0, 1.0)
        if self.grow and not self.starts():
            raise ValueError("a curriculum (grow) needs a start, as in --start items=2")

    def starts(self) -> dict[str, int]:
        """Return where the sizes start.

        Raises:
            ValueError: one is no SIZE=NUMBER, or comes twice.

        Example:
            >>> CurriculumConfig(start=("objects=3", "dimensions=2")).starts()
            {'objects': 3, 'dimensions': 2}
        """
        found: dict[str, int] = {}
        for word in self.start:
            name, _, value = word.partition("=")
            if not (value.isascii() and value.isdigit() and len(value) < 10) or name in found:
                raise ValueError(f"start must be SIZE=NUMBER, each once, as in items=2; got {self.start!r}")
            found[name] = int(value)
        return found


@dataclass(frozen=True, kw_only=True)
class BudgetConfig:
    """When a training is over, and which of its parameters are kept.

    Raises:
        TypeError: a size is no integer.
        ValueError: a number out of range, an unknown choice.
    """

    steps: int = 2_000
    """Training steps of each model."""
    seconds: float | None = None
    """Most wall time of each training; the learning rate comes down in time for it. Then results depend on
    the machine's speed, and no second run repeats them."""
    batch_size: int = 64
    """Examples in a step."""
    evaluate_every: int = 100
    """Steps between two points of the curves."""
    patience: int | None = None
    """End a training after so many points without a new best; None for never."""
    keep: str = "best"
    """Which parameters are scored: the "best" on the validation examples, or the "last"."""

    def __post_init__(self) -> None:
        """Check every field."""
        for name in ("steps", "evaluate_every"):
            check_size(name, getattr(self, name))
        check_size("batch_size", self.batch_size, maximum=MOST_OF["batch_size"])
        if self.patience is not None:
            check_size("patience", self.patience)
        if self.seconds is not None and check_number("seconds", self.seconds) <= 0:
            raise ValueError(f"seconds must be above 0, got {self.seconds}")
        check_choice("keep", self.keep, KEEPS)


@dataclass(frozen=True, kw_only=True)
class DataConfig:
    """How many examples there are of each kind; a task that comes in files has its own.

    Raises:
        TypeError: a size is no integer.
        ValueError: a size below 1.
    """

    train_examples: int | None = None
    """Examples to learn from; None for fresh ones at every step."""
    validation_examples: int = 1_000
    """Examples behind the curves."""
    test_examples: int = 5_000
    """Examples for the final scores, and as many of the harder sizes."""

    def __post_init__(self) -> None:
        """Check every field."""
        for name in ("validation_examples", "test_examples"):
            check_size(name, getattr(self, name))
        if self.train_examples is not None:
            check_size("train_examples", self.train_examples)


@dataclass(frozen=True, kw_only=True)
class RuntimeConfig:
    """What trains, and where.

    Raises:
        TypeError: a size is no integer.
        ValueError: a size below 1, an unknown choice.
    """

    framework: str = "torch"
    """What trains: "numpy" or "torch"."""
    device: str = "cpu"
    """Where all models train: "cpu", or "cuda" for an NVIDIA GPU (torch), which trains one after the other
    unless `workers` says more."""
    threads: int = 1
    """Processor threads of each training."""
    workers: int | None = None
    """Trainings that run at the same time; None takes as many as the processor's cores have threads for."""

    def __post_init__(self) -> None:
        """Check every field."""
        check_choice("framework", self.framework, FRAMEWORKS)
        check_choice("device", self.device, DEVICES)
        check_size("threads", self.threads, maximum=MOST_OF["threads"])
        if self.workers is not None:
            check_size("workers", self.workers, maximum=MOST_OF["workers"])

    @property
    def at_once(self) -> int:
        """How many trainings run at the same time."""
        from relational_rnn.training.processes import available_cores

        alone = 1 if self.device == "cuda" else max(1, available_cores() // self.threads)
        return self.workers or alone


@dataclass(frozen=True, kw_only=True)
class RunConfig(Generic[Task]):
    """Everything that a run depends on.

    Raises:
        TypeError: a number is no integer.
        ValueError: values that are wrong or do not go together.

    Example:
        >>> from relational_rnn.tasks.sorting import Sorting
        >>> config = RunConfig(task=Sorting(items=5), budget=BudgetConfig(steps=300))
        >>> config.of("lstm").budget.steps
        300
    """

    task: Task
    """What is learned."""
    model: ModelConfig = field(default_factory=ModelConfig)
    """The models of a run."""
    optimisation: OptimiserConfig = field(default_factory=OptimiserConfig)
    """How parameters change."""
    curriculum: CurriculumConfig = field(default_factory=CurriculumConfig)
    """Whether the examples grow to their full size, and how."""
    budget: BudgetConfig = field(default_factory=BudgetConfig)
    """When a training is over, and which of its parameters are kept."""
    data: DataConfig = field(default_factory=DataConfig)
    """How many examples there are of each kind; a task that comes in files has its own."""
    runtime: RuntimeConfig = field(default_factory=RuntimeConfig)
    """What trains, and where."""
    seed: int = 0
    """The first seed. A seed decides initial values, examples and their order."""
    seeds: int = 1
    """How many seeds in a row; each is a training of every model."""

    def __post_init__(self) -> None:
        """Check what the parts alone cannot."""
        check_seed("seed", self.seed)
        check_size("seeds", self.seeds, maximum=MOST_OF["seeds"])
        check_seed("seed + seeds", self.seed + self.seeds)
        entry, model, runtime = entry_of(self.task), self.model, self.runtime
        check_models(runtime.framework, model.models, self.specs)
        for word in model.overrides:
            check_choice(f"the model of {word!r} in overrides", word.partition(".")[0], self.specs)
        curriculum, size = self.curriculum, self.budget.batch_size
        if curriculum.grow:
            if entry.stages is None:
                raise ValueError(f"{entry.name} comes as it is and cannot grow; grow must be off")
            self._check_growth(entry.stages(self.task, self._starts()))
        train = self.data.train_examples
        if curriculum.grow and train is not None:
            raise ValueError(
                f"a curriculum (grow) draws fresh examples: train_examples must be None, got {train}"
            )
        if train is not None and size > train:
            raise ValueError(f"batch_size must be at most train_examples = {train}, got {size}")
        if runtime.framework == "numpy":
            plain = {"optimiser": "adam", "average_decay": 0.0, "compute_dtype": "float32", "device": "cpu"}
            plain |= {"initialisation": "authors", "port_fault": "none", "layer_norm_placement": "authors"}
            for name, value in plain.items():
                if value_of(self, name) != value:
                    raise ValueError(
                        f"{name}={value_of(self, name)!r} needs framework='torch'; NumPy has {value!r} alone"
                    )
        for name in model.models:
            self.of(name)

    def _starts(self) -> dict[str, int]:
        starts = self.curriculum.starts()
        for name, value in starts.items():
            full = getattr(self.task, name, None)
            if isinstance(full, int) and value > full:
                raise ValueError(
                    f"start must be at most {name} = {full} (or grow must be off), got {name}={value}"
                )
        return starts

    def _check_growth(self, stages: list[dict[str, int]]) -> None:
        """Check that no stage is left by a model that has learned nothing."""
        first: Any = dataclasses.replace(self.task, **_fields(self.task, stages[0]))  # type: ignore[type-var]
        trivial = getattr(first, "growth_floor", None)
        if trivial is not None and self.curriculum.growth_threshold <= trivial:
            raise ValueError(
                f"growth_threshold must lie above the trivial score {trivial:.3f} of the first stage, "
                f"got {self.curriculum.growth_threshold}"
            )

    @property
    def specs(self) -> Mapping[str, ModelSpec]:
        """The models that can be named."""
        return MODELS

    def overrides_of(self, model: str) -> dict[str, Any]:
        """Return what a model has otherwise than the run, by name.

        Raises:
            ValueError: one is no setting that a model can have, is not of its type, or comes twice.

        Example:
            >>> from relational_rnn.tasks.sorting import Sorting
            >>> config = RunConfig(task=Sorting(), model=ModelConfig(overrides=("lstm.learning_rate=1e-3",)))
            >>> config.overrides_of("lstm")
            {'learning_rate': 0.001}
        """
        values: dict[str, Any] = {}
        for word in self.model.overrides:
            owner, _, rest = word.partition(".")
            name, _, value = rest.partition("=")
            if owner != model:
                continue
            check_choice(f"the setting of {word!r} in overrides", name, tuple(OVERRIDES))
            if name in values:
                raise ValueError(f"overrides name {model}.{name} twice: {self.model.overrides!r}")
            try:
                values[name] = OVERRIDES[name](value)
            except ValueError:
                kind = "an integer" if OVERRIDES[name] is int else "a number"
                raise ValueError(f"{word!r} in overrides must give {kind}") from None
            if name == "initialisation":
                for one in value.split("+"):
                    known = self.specs[model].initialisations
                    check_choice(f"{model}.initialisation in overrides", one, known)
            if name == "size" and model == LEADER:
                raise ValueError(f"{model} has no size of its own in overrides; its features are head_size")
            if name == "size":
                check_size(f"{model}.size", values[name], maximum=MOST_OF["head_size"])
        return values

    def of(self, model: str) -> RunConfig[Task]:
        """Return the run of one model alone, its overrides in their places.

        Raises:
            ValueError: see `overrides_of`; or a value is out of range.
        """
        values = self.overrides_of(model)
        kept = {name: values.pop(name) for name in ("size", "initialisation") if name in values}
        if model == LEADER and "initialisation" in kept:
            values["initialisation"] = kept.pop("initialisation")
        if "steps_factor" in values:
            factor = check_number(f"{model}.steps_factor", values.pop("steps_factor"), maximum=MOST)
            if factor <= 0:
                raise ValueError(f"{model}.steps_factor must be above 0, got {factor}")
            values.setdefault("steps", max(1, math.ceil(factor * self.budget.steps)))
        words = tuple(f"{model}.{name}={value}" for name, value in kept.items())
        try:
            fault = self.model.port_fault if model == LEADER else "none"
            alone = dataclasses.replace(self.model, models=(model,), overrides=words, port_fault=fault)
            if len(self.model.models) == 1 and not values and alone == self.model:
                return self
            return with_values(dataclasses.replace(self, model=alone), values)
        except ValueError as error:
            raise ValueError(f"overrides of {model}: {error}") from None

    def starts_of(self, model: str) -> tuple[str, ...]:
        """Return what an opponent's core starts with, a training for each.

        Example:
            >>> from relational_rnn.tasks.sorting import Sorting
            >>> RunConfig(task=Sorting()).starts_of("lstm")
            ('orthogonal',)
        """
        chosen = self.overrides_of(model).get("initialisation")
        if self.runtime.framework == "numpy":  # which has but one
            chosen = None
        return tuple(chosen.split("+")) if chosen else self.specs[model].initialisations[:1]


def check_overridden(config: RunConfig[Any]) -> None:
    """Check that overrides which somebody names are of models of the run; a preset's may be of others.

    Raises:
        ValueError: one is of another model, and would change nothing.
    """
    models = config.model.models
    for word in config.model.overrides:
        name = word.partition(".")[0]
        if name not in models:
            near = did_you_mean(name, models)
            raise ValueError(f"{word!r} in overrides changes no model of this run, {', '.join(models)}{near}")


PARTS: Final[dict[str, Callable[..., Any]]] = {
    one.name: one.default_factory
    for one in dataclasses.fields(RunConfig)
    if one.default_factory is not dataclasses.MISSING
}
"""The parts of a `RunConfig` but for its task: name -> class."""


def _fields(task: Any, sizes: Mapping[str, int]) -> dict[str, int]:
    known = {one.name for one in dataclasses.fields(task)}
    return {name: value for name, value in sizes.items() if name in known}


def parts_of(config: RunConfig[Any]) -> Iterator[tuple[str, Any]]:
    """Yield the parts that hold fields, the config itself last: their attribute ("" for itself), and they."""
    for one in dataclasses.fields(config):
        part = getattr(config, one.name)
        if dataclasses.is_dataclass(part):
            yield one.name, part
    yield "", config


def home_of(config: RunConfig[Any], name: str) -> tuple[str, Any]:
    """Return the part that has a field, as `parts_of` yields it.

    Raises:
        ValueError: none has.
    """
    for attribute, part in parts_of(config):
        plain = (one.name for one in dataclasses.fields(part))
        if name in plain and not dataclasses.is_dataclass(getattr(part, name)):
            return attribute, part
    every = [one.name for _, part in parts_of(config) for one in dataclasses.fields(part)]
    near = difflib.get_close_matches(name, every, 1)
    raise ValueError(f"there is no setting {name!r}" + (f"; did you mean {near[0]!r}?" if near else ""))


def value_of(config: RunConfig[Any], name: str) -> Any:
    """Return the value of a field, wherever it is.

    Example:
        >>> from relational_rnn.tasks.sorting import Sorting
        >>> value_of(RunConfig(task=Sorting()), "items"), value_of(RunConfig(task=Sorting()), "steps")
        (8, 2000)
    """
    return getattr(home_of(config, name)[1], name)


def with_values(config: RunConfig[Task], values: Mapping[str, Any]) -> RunConfig[Task]:
    """Return a config in which some fields have other values, wherever they are.

    Raises:
        TypeError, ValueError: no such field, or a value out of range.

    Example:
        >>> from relational_rnn.tasks.sorting import Sorting
        >>> with_values(RunConfig(task=Sorting()), {"items": 3, "steps": 10}).task.items
        3
    """
    changed: dict[str, dict[str, Any]] = {}
    for name, value in values.items():
        plain = value.item() if hasattr(value, "item") else value  # a NumPy number as JSON can hold it
        changed.setdefault(home_of(config, name)[0], {})[name] = plain
    own = changed.pop("", {})
    parts = {name: dataclasses.replace(getattr(config, name), **some) for name, some in changed.items()}
    return dataclasses.replace(config, **parts, **own)
