"""Drawn configurations with pairwise distinct axis sizes, and the same core in NumPy and in torch."""

from typing import Any, NamedTuple

from hypothesis import strategies as st

from relational_rnn.config.core import GATE_STYLES, INITIAL_MEMORIES, INPUT_FUSIONS, READ_HEADS
from relational_rnn.interop import get_parameters, set_parameters


class Drawn(NamedTuple):
    """What hypothesis chose."""

    options: dict[str, Any]
    """Constructor arguments."""
    batch: int
    time: int
    seed: int


@st.composite
def drawn(draw):
    """Any options with small sizes; B, T, F, N, R, M, H, K, V and D are all different (D = V if H = 1)."""
    used: set[int] = set()

    def size(follows=lambda size: size):
        # follows: the size of another axis that this one settles
        free = [size for size in range(1, 30) if size not in used and follows(size) not in used]
        chosen = draw(st.sampled_from(free[:4]))
        used.update((chosen, follows(chosen)))
        return chosen

    time = size()  # first, so that it is small: see make_pair
    heads = size()
    head_size = size(lambda size: size * heads)
    matrix = draw(st.booleans())
    slots = size() if matrix else size(lambda size: size + 1)
    rows = size(lambda size: size + slots) if matrix else 1
    options = dict(
        num_heads=heads,
        head_size=head_size,
        mem_slots=slots,
        treat_input_as_matrix=matrix,
        input_rows=rows,
        key_size=size() if draw(st.booleans()) else None,
        input_size=size(),
        num_blocks=draw(st.integers(1, 3)),
        attention_mlp_layers=draw(st.integers(1, 3)),
        gate_style=draw(st.sampled_from(GATE_STYLES)),
        forget_bias=draw(st.floats(-1, 2)),
        input_bias=draw(st.floats(-1, 2)),
        initial_memory=draw(st.sampled_from(INITIAL_MEMORIES)),
        input_fusion=draw(st.sampled_from(INPUT_FUSIONS)),
        read_head=draw(st.sampled_from([head for head in READ_HEADS if head != "query" or not matrix])),
        use_attention=draw(st.booleans()),
        use_mlp=draw(st.booleans()),
        use_residual=draw(st.booleans()),
        use_layer_norm=draw(st.booleans()),
    )
    return Drawn(options, size(), time, draw(st.integers(0, 2**16)))


def make_pair(numpy_kind, torch_kind, options, rng, **torch_options):
    """The same core in NumPy and in torch (float64); every bias, gain and read weight counts."""
    import torch

    ours = numpy_kind(**options, seed=rng)
    for value in ours.params.values():
        value += 0.3 * rng.standard_normal(value.shape)
        if not ours.config.use_layer_norm and value.ndim == 2:
            value *= 0.4  # else the memory grows, or is chaotic, until rounding decides
    theirs = torch_kind(**options, dtype=torch.float64, **torch_options)
    set_parameters(theirs, get_parameters(ours))
    return ours, theirs


def make_memory(core, batch, rng):
    """A memory (B, N, D) unlike the initial one."""
    start = core.initial_state(batch)
    return start + 0.5 * rng.standard_normal(start.shape)
