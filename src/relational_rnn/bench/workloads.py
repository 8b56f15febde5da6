"""What is timed: sizes of sequences and cores, and the operations that they cost at least."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from relational_rnn.config import RelationalMemoryConfig, parameter_shapes
from relational_rnn.training.matching import smallest_size


class Sizes(NamedTuple):
    """A batch of sequences and a core with one block, unit gates and an MLP of two layers.

    Example:
        >>> str(Sizes(256, 8, 40, 8, 32, 8))
        '256, 8, 40, 8, 32, 8'
    """

    batch: int
    time: int
    input_size: int
    mem_slots: int
    head_size: int
    num_heads: int

    def __str__(self) -> str:
        """Return the numbers alone."""
        return ", ".join(map(str, self))

    @property
    def options(self) -> dict[str, Any]:
        """The arguments that every implementation of the core takes."""
        return {name: value for name, value in self._asdict().items() if name not in ("batch", "time")}

    @property
    def config(self) -> RelationalMemoryConfig:
        """The core."""
        return RelationalMemoryConfig(**self.options)


SIZES_TITLE: Final = "B, T, input, slots, head size, heads"

CONFIGURATIONS: Final = (
    Sizes(256, 4, 16, 4, 16, 4),
    Sizes(256, 8, 40, 8, 16, 4),
    Sizes(256, 8, 40, 8, 32, 8),
    Sizes(32, 50, 64, 4, 32, 4),
    Sizes(1, 100, 64, 4, 32, 4),
)
"""What the published tables hold."""

LONG: Final = Sizes(32, 512, 64, 4, 32, 4)
"""A long sequence, for what a training step needs in memory."""


def floating_point_operations(sizes: Sizes) -> int:
    """Count the operations of forward + backward in products with weights.

    A product of a row with a weight (a, b) costs 2 a b operations. With D the memory width, L the layers of
    the MLP, F the input's features and unit gates, a step of one slot costs

        2 D² (3 + L + 2)

    for queries, keys and values, the MLP and two gates, and one step's input, which asks nothing that anybody
    reads and so needs no MLP,

        2 F D + 2 D² (3 + 2)

    for its projection, its queries (the layer norm runs over them too), keys and values, and its share of the
    gates. Backward costs each product twice more: for the gradients of what went in and of the weight.
    Attention itself and everything else is left out: it is what an implementation adds to this limit.

    Example:
        >>> floating_point_operations(Sizes(1, 1, input_size=5, mem_slots=1, head_size=1, num_heads=1))
        102
    """
    config = sizes.config
    square, layers = 2 * config.memory_width**2, config.attention_mlp_layers
    slot = square * (3 + layers + 2)
    of_input = 2 * config.input_size * config.memory_width + square * (3 + 2)
    return 3 * sizes.batch * sizes.time * (config.mem_slots * slot + of_input)


def parameters(sizes: Sizes) -> int:
    """Count the core's parameters."""
    shapes = parameter_shapes(sizes.config).values()
    return sum(shape[0] * (shape[1] if len(shape) == 2 else 1) for shape in shapes)


def matched_lstm(sizes: Sizes) -> int:
    """Return the smallest hidden size with which `torch.nn.LSTM` has at least the core's parameters.

    Example:
        >>> matched_lstm(Sizes(256, 8, 40, 8, 32, 8))
        369
    """
    features = sizes.input_size
    return smallest_size(lambda hidden: 4 * hidden * (features + hidden + 2), parameters(sizes))
