"""The parts of a run's configuration, each with its checks: `config.RunConfig` has them all."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Final

from relational_rnn.config.checks import check_bool, check_choice, check_number, check_size
from relational_rnn.config.core import (
    GATE_STYLES,
    HEAD_ACTIVATIONS,
    SLOT_UPDATES,
    RelationalMemoryConfig,
)
from relational_rnn.training.config_limits import (
    COMPUTE_DTYPES,
    DEVICES,
    FRAMEWORKS,
    KEEPS,
    LAYER_NORM_PLACEMENTS,
    MATCHES,
    MOST_OF,
    OPTIMISERS,
    PORT_FAULTS,
    check_words,
)
from relational_rnn.training.models import MODELS

OF_TOKENS: Final = (
    *("embedding_size", "tied_embeddings", "adaptive_softmax"),
    *("input_dropout", "output_dropout"),
)
"""Fields of `ModelConfig` that only the models of a text have; elsewhere they keep their defaults."""


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
    "weighted" (by learned weights), "attention" (by a learned query) or "query" (by one that the step's input
    asks)."""
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
    """RMC, and in language all models with their softmax: dtype of the matrix products, "float32" or
    "bfloat16" (mixed precision); everything else is float32."""
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
    embedding_size: int = 64
    """language: features of a token's embedding, which the core reads."""
    tied_embeddings: bool = False
    """language: the weights of the softmax are the embeddings, behind a linear layer to their size."""
    adaptive_softmax: bool = False
    """language: rarer tokens stand in clusters with fewer features (Grave et al. 2017); exact, and faster for
    large vocabularies."""
    input_dropout: float = 0.0
    """language: share of the embeddings' features that training drops, the same at all steps of a window."""
    output_dropout: float = 0.0
    """language: the same of the core's outputs; the memory itself is never dropped."""
    match: str = "parameters"
    """What opponents without a size of their own have in common with the RMC: "parameters" (they get the
    smallest size with at least as many), "state" (the same of the numbers kept between steps; a Transformer
    keeps all steps, and its parameters are matched) or "nothing" (they are as wide as its whole memory)."""
    overrides: tuple[str, ...] = ()
    """What a model has otherwise than the run, each as MODEL.SETTING=VALUE (lstm.learning_rate=1e-3):
    learning_rate, optimiser, warmup_steps, clip_norm, steps, steps_factor (so many times the run's steps),
    size (the features of an opponent: the size of a head for the Transformer, else the hidden size), and
    initialisation, which is "torch" or "orthogonal" for lstm and gru, "authors" or "torch" for the others
    ("xavier" or "torch" for hybrid); orthogonal+torch trains an opponent once with each. The transformer also
    has positions: "sinusoidal", "learned", "rotary" or "none". Those of models that
    the run does not have are left aside."""

    def __post_init__(self) -> None:
        """Check every field."""
        for name in ("mem_slots", "head_size", "num_heads", "num_blocks", "attention_mlp_layers"):
            check_size(name, getattr(self, name), maximum=MOST_OF[name])
        check_size("head_size * num_heads", self.head_size * self.num_heads, maximum=MOST_OF["head_size"])
        check_size("head_layers", self.head_layers, minimum=0, maximum=MOST_OF["head_layers"])
        check_size("head_units", self.head_units, maximum=MOST_OF["head_units"])
        check_choice("head_activation", self.head_activation, HEAD_ACTIVATIONS)
        check_size("embedding_size", self.embedding_size, maximum=MOST_OF["head_size"])
        if self.tied_embeddings and self.adaptive_softmax:
            raise ValueError("tied_embeddings need the full softmax: adaptive_softmax must be off")
        for name in ("input_dropout", "output_dropout"):
            if not 0 <= check_number(name, getattr(self, name)) < 1:
                raise ValueError(f"{name} must be from 0 to below 1, got {getattr(self, name)}")
        check_choice("match", self.match, MATCHES)
        check_choice("gate_style", self.gate_style, GATE_STYLES)  # the core takes None for "none" too
        check_choice("slot_update", self.slot_update, SLOT_UPDATES)
        if self.key_size is not None:
            check_size("key_size", self.key_size, maximum=MOST_OF["head_size"])
        RelationalMemoryConfig(input_size=1, head_size=self.head_size, **self.core_options())  # checks them
        check_choice("initialisation", self.initialisation, MODELS["rmc"].initialisations)
        check_choice("compute_dtype", self.compute_dtype, COMPUTE_DTYPES)
        for name in ("tied_embeddings", "adaptive_softmax"):
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
        """Return the RMC's arguments, without input and head size: the fields that have a core's names."""
        names = [field.name for field in fields(RelationalMemoryConfig) if field.name != "head_size"]
        return {name: getattr(self, name) for name in names if hasattr(self, name)}

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
    al. 2024; torch)."""
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
            raise ValueError(
                'a curriculum (grow) needs a start, as in --start items=2 (Python: start=["items=2"])'
            )

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
    accumulate: int = 1
    """Pieces of a batch that are run one after the other, so that a step needs less memory; their gradients
    add up to that of the whole (torch)."""
    workers: int | None = None
    """Trainings that run at the same time; None takes as many as the processor's cores have threads for."""

    def __post_init__(self) -> None:
        """Check every field."""
        check_choice("framework", self.framework, FRAMEWORKS)
        check_choice("device", self.device, DEVICES)
        check_size("threads", self.threads, maximum=MOST_OF["threads"])
        check_size("accumulate", self.accumulate, maximum=MOST_OF["batch_size"])
        if self.workers is not None:
            check_size("workers", self.workers, maximum=MOST_OF["workers"])

    @property
    def at_once(self) -> int:
        """How many trainings run at the same time."""
        from relational_rnn.training.processes import available_cores

        alone = 1 if self.device == "cuda" else max(1, available_cores() // self.threads)
        return self.workers or alone
