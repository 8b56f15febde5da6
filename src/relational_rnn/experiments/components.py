"""What `ablate --over all` varies: each part of the core, one at a time."""

from __future__ import annotations

from relational_rnn.experiments.factors import SLOT_SIZE, value_of
from relational_rnn.training.config import RunConfig
from relational_rnn.training.variants import Value

HEADS = (1, 2, 4, 8)
SLOTS = (1, 2, 4, 8, 16)
BLOCKS = (1, 2, 3)


def components(config: RunConfig) -> dict[str, tuple[Value, ...]]:
    """Return the core's parts as factors, with values that go with the base's slot size.

    Args:
        config: of the base.

    Example:
        >>> from relational_rnn.recipes import find_recipe
        >>> components(find_recipe("sorting", "quick"))["slot_size"]
        (32, 64, 128)
    """
    width, heads = config.model.head_size * config.model.num_heads, config.model.num_heads
    factors: dict[str, tuple[Value, ...]] = {
        "num_heads": tuple(number for number in HEADS if width % number == 0),
        "mem_slots": SLOTS,
        SLOT_SIZE: tuple(size for size in (width // 2, width, 2 * width) if size and size % heads == 0),
        "num_blocks": BLOCKS,
        "use_residual": (True, False),
        "use_layer_norm": (True, False),
        "gate_style": ("unit", "memory", "none"),
        "use_mlp": (True, False),
        "use_attention": (True, False),
        "initial_memory": ("identity", "random"),
        "initialisation": ("authors", "torch"),
    }
    if config.runtime.framework == "numpy":
        del factors["initialisation"]  # the NumPy core starts as the authors' does
    return {name: values for name, values in factors.items() if set(values) - {value_of(config, name)}}
