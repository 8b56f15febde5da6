"""What a relational memory core is: its configuration, the sizes that follow and its parameters' shapes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, NamedTuple, TypedDict

from relational_rnn.config.checks import check_bool, check_choice, check_number, check_size

GATE_STYLES: Final = ("unit", "memory", "none")
INITIAL_MEMORIES: Final = ("identity", "random", "normal", "zeros", "trainable")
DRAWN_MEMORIES: Final = ("random", "normal")
"""The initial memories that are drawn once and kept with the weights."""
HEAD_ACTIVATIONS: Final = ("relu", "gelu")
INPUT_FUSIONS: Final = ("append", "tile")
READ_HEADS: Final = ("flatten", "mean", "weighted", "attention", "query")
SLOT_UPDATES: Final = ("shared", "attend")
"""How the hidden state enters the hybrid's slots: docs/hybrid.md."""
PLAIN_ONLY: Final[tuple[str, ...]] = ()
"""Options that NumPy and eager torch alone have: where one is not at its default, no kernel runs the core."""


class CoreOptions(TypedDict, total=False):
    """What a core takes by keyword beside its sizes: the one list behind `**options` everywhere.

    Names and types are those of `RelationalMemoryConfig`, which has the defaults and says more of each.

    Example:
        >>> options: CoreOptions = {"gate_style": "memory", "forget_bias": 2.0}
        >>> RelationalMemoryConfig(input_size=5, mem_slots=4, head_size=8, **options).gate_width
        1
    """

    num_blocks: int  # rounds of attention and MLP in a step
    key_size: int | None  # K; None means head_size
    attention_mlp_layers: int  # linear layers of the row-wise MLP
    gate_style: str | None  # "unit", "memory", "none" or None
    forget_bias: float  # added to the forget gate before the sigmoid
    input_bias: float  # added to the input gate before the sigmoid
    treat_input_as_matrix: bool  # an input has R rows, which attention sees separately
    input_rows: int  # R
    initial_memory: str  # "identity", "random", "normal", "zeros" or "trainable"
    input_fusion: str  # "append" or "tile"
    read_head: str  # "flatten", "mean", "weighted", "attention" or "query"
    use_attention: bool  # False: the mean of the values instead
    use_mlp: bool  # False: no row-wise MLP
    use_residual: bool  # False: no residual connections
    use_layer_norm: bool  # False: no layer norms


@dataclass(frozen=True, kw_only=True)
class RelationalMemoryConfig:
    """Sizes and options of a relational memory core (Santoro et al. 2018, section 3; Sonnet 1.36's names).

    Values are checked on construction.

    Raises:
        TypeError: a size is no integer, a switch no bool, a bias no number.
        ValueError: a size is below 1, an option is unknown, or options contradict each other.

    Example:
        >>> RelationalMemoryConfig(input_size=40, mem_slots=8, head_size=32, num_heads=8).memory_width
        256
    """

    input_size: int
    """F, features of an input (of an input row with `treat_input_as_matrix`)."""
    mem_slots: int
    """N, memory slots."""
    head_size: int
    """V, value size of an attention head."""
    num_heads: int = 1
    """H, attention heads; the memory width is `head_size * num_heads`."""
    num_blocks: int = 1
    """Rounds of attention and MLP in a step; the rounds share the MLP, not the projections."""
    key_size: int | None = None
    """K, key size of an attention head; None means `head_size`."""
    attention_mlp_layers: int = 2
    """Linear layers of the row-wise MLP, ReLU between them."""
    gate_style: str | None = "unit"
    """"unit": a gate for every element, "memory": one for every slot, "none" (which None becomes): none."""
    forget_bias: float = 1.0
    """Constant added to the forget gate before the sigmoid."""
    input_bias: float = 0.0
    """Constant added to the input gate before the sigmoid."""
    treat_input_as_matrix: bool = False
    """Inputs are `(B, T, R, F)`: R rows that attention sees separately."""
    input_rows: int = 1
    """R, rows of a matrix input."""
    initial_memory: str = "identity"
    """"identity" (the authors'), "random" (from N(0, 1/D), drawn once, kept), "normal" (the same from
    N(0, 1)), "zeros" (all slots alike, and they stay so) or "trainable" (starts at the identity)."""
    input_fusion: str = "append"
    """"append": inputs are extra rows (the paper's), "tile": inputs are concatenated to every slot."""
    read_head: str = "flatten"
    """How the memory becomes an output: "flatten" (the paper's), "mean", "weighted", "attention" (by a
    learned query) or "query" (by one that the step's input asks)."""
    use_attention: bool = True
    """False: every row takes the mean of all values instead."""
    use_mlp: bool = True
    """False: leave the row-wise MLP, its residual and its layer norm out."""
    use_residual: bool = True
    """False: leave both residual connections out."""
    use_layer_norm: bool = True
    """False: leave all layer norms out."""

    def __post_init__(self) -> None:
        """Check every field; sizes become plain ints."""
        sizes = ("input_size", "mem_slots", "head_size", "num_heads", "num_blocks", "input_rows")
        for name in (*sizes, "attention_mlp_layers"):
            object.__setattr__(self, name, check_size(name, getattr(self, name)))
        if self.key_size is not None:
            object.__setattr__(self, "key_size", check_size("key_size", self.key_size))
        for name in ("forget_bias", "input_bias"):
            object.__setattr__(self, name, check_number(name, getattr(self, name)))
        # The authors' constructor takes None for no gates.
        object.__setattr__(self, "gate_style", "none" if self.gate_style is None else self.gate_style)
        check_choice("gate_style", self.gate_style, GATE_STYLES)
        check_choice("initial_memory", self.initial_memory, INITIAL_MEMORIES)
        check_choice("input_fusion", self.input_fusion, INPUT_FUSIONS)
        check_choice("read_head", self.read_head, READ_HEADS)
        switches = ("use_attention", "use_mlp", "use_residual", "use_layer_norm")
        for name in ("treat_input_as_matrix", *switches):
            check_bool(name, getattr(self, name))
        if self.input_rows != 1 and not self.treat_input_as_matrix:
            raise ValueError(
                f"input_rows must be 1 unless treat_input_as_matrix=True, got input_rows={self.input_rows}"
            )
        if self.read_head == "query" and self.treat_input_as_matrix:
            raise ValueError(
                "read_head='query' asks with one input row a step, got treat_input_as_matrix=True"
            )

    @property
    def memory_width(self) -> int:
        """D, features of a slot."""
        return self.head_size * self.num_heads

    @property
    def key_width(self) -> int:
        """K, features of a key and a query of one head."""
        return self.head_size if self.key_size is None else self.key_size

    @property
    def projection_width(self) -> int:
        """Features of the joint projection: H (2K + V) for queries, keys, values; H V without attention."""
        per_head = self.head_size + (2 * self.key_width if self.use_attention else 0)
        return self.num_heads * per_head

    @property
    def row_width(self) -> int:
        """Features of a row that enters the projection: D, and R D more with tile fusion."""
        extra = self.input_rows if self.input_fusion == "tile" else 0
        return (1 + extra) * self.memory_width

    @property
    def attended_rows(self) -> int:
        """M, rows that attention sees in a step with input."""
        return self.mem_slots + (self.input_rows if self.input_fusion == "append" else 0)

    @property
    def gate_width(self) -> int:
        """G: D for unit gates, 1 for memory gates, 0 without gates."""
        widths: dict[str | None, int] = {"unit": self.memory_width, "memory": 1, "none": 0}
        return widths[self.gate_style]

    @property
    def output_size(self) -> int:
        """Features of an output: N D for the flatten head, else D."""
        return self.memory_width * (self.mem_slots if self.read_head == "flatten" else 1)

    @property
    def input_axes(self) -> tuple[str, ...]:
        """The axes of one step's input after the batch: F, or R and F."""
        return ("R", "F") if self.treat_input_as_matrix else ("F",)

    @property
    def input_sizes(self) -> dict[str, int]:
        """The sizes of `input_axes`."""
        sizes = {"R": self.input_rows, "F": self.input_size}
        return {axis: sizes[axis] for axis in self.input_axes}


class Trace(NamedTuple):
    """What happened inside a core at every step; arrays or tensors, batch first, NaN where padded.

    A cell's has no T axis.

    Example:
        >>> from relational_rnn.reference import RelationalMemory
        >>> core = RelationalMemory(input_size=5, mem_slots=3, head_size=4)
        >>> _, _, trace = core.forward(np.zeros((2, 6, 5)), return_trace=True)
        >>> trace.attention.shape, trace.forget_gate.shape
        ((2, 6, 1, 1, 3, 4), (2, 6, 3, 4))
    """

    attention: Any
    """(B, T, blocks, H, N, M): how much each slot attends to each row."""
    input_gate: Any
    """(B, T, N, G) after the sigmoid, or None without gates."""
    forget_gate: Any
    """(B, T, N, G) after the sigmoid, or None without gates."""


def parameter_shapes(config: RelationalMemoryConfig) -> dict[str, tuple[int, ...]]:
    """Name and shape of every parameter, the same in the NumPy and the PyTorch core.

    Weights are (features out, features in), as in torch: y = x W^T + b.

    Example:
        >>> config = RelationalMemoryConfig(input_size=3, mem_slots=2, head_size=4)
        >>> parameter_shapes(config)["input_projection.weight"]
        (4, 3)
    """
    width, gates = config.memory_width, 2 * config.gate_width
    shapes: dict[str, tuple[int, ...]] = {}

    def linear(name: str, outputs: int, inputs: int) -> None:
        shapes[f"{name}.weight"], shapes[f"{name}.bias"] = (outputs, inputs), (outputs,)

    def norm(name: str, features: int) -> None:
        if config.use_layer_norm:
            shapes[f"{name}.weight"], shapes[f"{name}.bias"] = (features,), (features,)

    linear("input_projection", width, config.input_size)
    for block in range(config.num_blocks):
        linear(f"blocks.{block}.qkv", config.projection_width, config.row_width)
        norm(f"blocks.{block}.qkv_norm", config.projection_width)
        norm(f"blocks.{block}.attention_norm", width)
        if config.use_mlp:
            norm(f"blocks.{block}.mlp_norm", width)
    if config.use_mlp:
        for layer in range(config.attention_mlp_layers):
            linear(f"mlp.{layer}", width, width)
    if gates:
        linear("gate_input", gates, config.input_rows * width)
        linear("gate_memory", gates, width)
    if config.initial_memory == "trainable":
        shapes["initial_memory"] = (config.mem_slots, width)
    if config.read_head == "weighted":
        shapes["read_weights"] = (config.mem_slots,)
    if config.read_head == "attention":
        shapes["read_query"] = (width,)
    if config.read_head == "query":
        linear("read_projection", width, config.input_size)
    return shapes


def check_parameters(config: RelationalMemoryConfig, parameters: Mapping[str, Any]) -> None:
    """Say so when a parameter has another shape than the core's: it would be broadcast, or read past its end.

    Args:
        config: the core.
        parameters: arrays or tensors by name; some may be left out.

    Raises:
        ValueError: naming the parameter, its shape and the right one.

    Example:
        >>> config = RelationalMemoryConfig(input_size=3, mem_slots=2, head_size=4)
        >>> check_parameters(config, {"mlp.0.bias": memoryview(b"1")})
        Traceback (most recent call last):
        ValueError: mlp.0.bias must have shape (4,), got (1,)
    """
    shapes = _shapes(config)
    for name, x in parameters.items():
        if x.shape != shapes[name]:
            raise ValueError(f"{name} must have shape {shapes[name]}, got {tuple(x.shape)}")


_remembered = lru_cache(maxsize=64)(parameter_shapes)


def _shapes(config: RelationalMemoryConfig) -> dict[str, tuple[int, ...]]:
    return _remembered(config)


_shapes._dynamo_marked_constant = True  # type: ignore[attr-defined]  # torch.compile follows no caches
