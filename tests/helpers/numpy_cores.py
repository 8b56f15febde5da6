"""Small cores with pairwise distinct axis sizes that together use every option, and a way to draw more."""

import numpy as np
import pytest
from hypothesis import strategies as st

from relational_rnn.config.core import INITIAL_MEMORIES
from relational_rnn.reference import RelationalMemory

# B 4, T 3, F 7, N 5, H 2, V 6, D 12; where they differ from the default, K is 1 and R is 8 (M 13).
BATCH, TIME = 4, 3
BASE = dict(input_size=7, mem_slots=5, head_size=6, num_heads=2)

CONFIGURATIONS = {
    "the paper's": {},
    "memory gates, three MLP layers": dict(gate_style="memory", attention_mlp_layers=3, input_bias=0.5),
    "no gates, own key size": dict(gate_style="none", key_size=1, attention_mlp_layers=1),
    "two blocks": dict(num_blocks=2, forget_bias=-0.5),
    "two blocks, matrix input": dict(num_blocks=2, treat_input_as_matrix=True, input_rows=8, key_size=1),
    "matrix input": dict(treat_input_as_matrix=True, input_rows=8, gate_style="memory"),
    "tile": dict(input_fusion="tile", initial_memory="trainable"),
    "tile, two blocks, matrix input": dict(
        input_fusion="tile", num_blocks=2, treat_input_as_matrix=True, input_rows=8, gate_style="memory"
    ),
    "trainable memory, weighted read": dict(initial_memory="trainable", read_head="weighted"),
    "random memory, attention read": dict(initial_memory="random", read_head="attention"),
    "the input asks, tile": dict(read_head="query", input_fusion="tile", initial_memory="trainable"),
    "mean read, no attention": dict(read_head="mean", use_attention=False),
    "no attention, no residual, two blocks": dict(use_attention=False, use_residual=False, num_blocks=2),
    "no MLP, two blocks": dict(use_mlp=False, num_blocks=2, gate_style="none"),
    "no residual": dict(use_residual=False, treat_input_as_matrix=True, input_rows=8),
    "no layer norm": dict(use_layer_norm=False, num_blocks=2),
    "nothing but attention": dict(
        use_layer_norm=False, use_mlp=False, use_residual=False, gate_style="none", input_fusion="tile"
    ),
    "nothing but the mean": dict(
        use_attention=False, use_layer_norm=False, use_mlp=False, use_residual=False, gate_style="none"
    ),
    "fewer features than slots": dict(head_size=1),
}
PLAIN = ("the paper's", "two blocks, matrix input", "tile", "random memory, attention read", "no layer norm")
some_configurations = pytest.mark.parametrize(
    "options",
    [
        pytest.param(options, id=name, marks=() if name in PLAIN else pytest.mark.slow)
        for name, options in CONFIGURATIONS.items()
    ],
)
"""All of them; those that are not plain are slow tests."""

drawn_options = st.fixed_dictionaries(
    dict(
        mem_slots=st.integers(1, 4),
        head_size=st.integers(1, 4),
        num_heads=st.integers(1, 3),
        num_blocks=st.integers(1, 3),
        key_size=st.sampled_from([None, 1, 5]),
        attention_mlp_layers=st.integers(1, 3),
        gate_style=st.sampled_from(["unit", "memory", "none"]),
        forget_bias=st.floats(-1, 2),
        input_bias=st.floats(-1, 2),
        treat_input_as_matrix=st.just(True),
        input_rows=st.integers(1, 3),
        initial_memory=st.sampled_from(INITIAL_MEMORIES),
        input_fusion=st.sampled_from(["append", "tile"]),
        read_head=st.sampled_from(["flatten", "mean", "weighted", "attention"]),
        use_attention=st.booleans(),
        use_mlp=st.booleans(),
        use_residual=st.booleans(),
        use_layer_norm=st.booleans(),
    )
)


def make_core(options, kind=RelationalMemory):
    """A core in which no bias, gain or read weight is trivial, and every ReLU is far from its kink."""
    core = kind(**{**BASE, **options})
    rng = np.random.default_rng(1)
    for name, value in core.params.items():
        value += 0.2 * rng.standard_normal(value.shape)
        if name.startswith("mlp.") and name.endswith("weight"):
            value *= 0.3
        if name.startswith("mlp.") and name.endswith("bias"):
            value += np.where(np.arange(len(value)) % 2, 2, -2)
    return core


def make_inputs(core, rng, batch=BATCH, time=TIME):
    """Inputs (B, T, F) or (B, T, R, F), and a memory (B, N, D) unlike the initial one."""
    config = core.config
    inputs = rng.standard_normal((batch, time, *config.input_sizes.values()))
    memory = core.initial_state(batch) + 0.5 * rng.standard_normal(core.initial_state(batch).shape)
    return inputs, memory
