"""The configuration of a core: what it refuses, and the sizes that follow from it."""

import dataclasses
import typing

import numpy as np
import pytest

from relational_rnn.config import CoreOptions, RelationalMemoryConfig, parameter_shapes

SIZES = dict(input_size=7, mem_slots=5, head_size=6, num_heads=2)


def make(**options):
    return RelationalMemoryConfig(**{**SIZES, **options})


def test_the_options_are_the_fields_beside_the_sizes():
    fields = typing.get_type_hints(RelationalMemoryConfig)
    assert list(fields)[: len(SIZES)] == list(SIZES)
    options = typing.get_type_hints(CoreOptions)
    assert list(fields.items())[len(SIZES) :] == list(options.items())
    assert CoreOptions.__optional_keys__ == set(options)


def test_sizes_that_follow():
    config = make()
    assert (config.memory_width, config.key_width, config.projection_width) == (12, 6, 36)
    assert (config.row_width, config.attended_rows, config.gate_width, config.output_size) == (12, 6, 12, 60)
    assert (config.input_axes, config.input_sizes) == (("F",), {"F": 7})
    config = make(key_size=3, treat_input_as_matrix=True, input_rows=4, gate_style="memory", read_head="mean")
    assert (config.memory_width, config.key_width, config.projection_width) == (12, 3, 24)
    assert (config.row_width, config.attended_rows, config.gate_width, config.output_size) == (12, 9, 1, 12)
    assert (config.input_axes, config.input_sizes) == (("R", "F"), {"R": 4, "F": 7})
    config = make(input_fusion="tile", treat_input_as_matrix=True, input_rows=4, gate_style="none")
    assert (config.row_width, config.attended_rows, config.gate_width) == (60, 5, 0)
    assert make(use_attention=False, key_size=3).projection_width == 12


def test_parameters_of_the_default_core():
    D, Q = 12, 36
    assert parameter_shapes(make()) == {
        "input_projection.weight": (D, 7),
        "input_projection.bias": (D,),
        "blocks.0.qkv.weight": (Q, D),
        "blocks.0.qkv.bias": (Q,),
        "blocks.0.qkv_norm.weight": (Q,),
        "blocks.0.qkv_norm.bias": (Q,),
        "blocks.0.attention_norm.weight": (D,),
        "blocks.0.attention_norm.bias": (D,),
        "blocks.0.mlp_norm.weight": (D,),
        "blocks.0.mlp_norm.bias": (D,),
        "mlp.0.weight": (D, D),
        "mlp.0.bias": (D,),
        "mlp.1.weight": (D, D),
        "mlp.1.bias": (D,),
        "gate_input.weight": (2 * D, D),
        "gate_input.bias": (2 * D,),
        "gate_memory.weight": (2 * D, D),
        "gate_memory.bias": (2 * D,),
    }


@pytest.mark.parametrize(
    ("options", "gone", "new"),
    [
        (dict(gate_style="none"), {"gate_input", "gate_memory"}, {}),
        (dict(use_mlp=False), {"mlp.0", "mlp.1", "blocks.0.mlp_norm"}, {}),
        (
            dict(use_layer_norm=False),
            {"blocks.0.qkv_norm", "blocks.0.attention_norm", "blocks.0.mlp_norm"},
            {},
        ),
        (dict(initial_memory="trainable"), set(), {"initial_memory": (5, 12)}),
        *((dict(initial_memory=kind), set(), {}) for kind in ("random", "normal", "zeros")),
        (dict(read_head="weighted"), set(), {"read_weights": (5,)}),
        (dict(read_head="attention"), set(), {"read_query": (12,)}),
        (
            dict(read_head="query"),
            set(),
            {"read_projection.weight": (12, 7), "read_projection.bias": (12,)},
        ),
        (dict(gate_style="memory"), set(), {"gate_input.weight": (2, 12), "gate_memory.weight": (2, 12)}),
        (
            dict(treat_input_as_matrix=True, input_rows=4),
            set(),
            {"gate_input.weight": (24, 48)},
        ),
        (dict(input_fusion="tile"), set(), {"blocks.0.qkv.weight": (36, 24)}),
        (dict(use_attention=False), set(), {"blocks.0.qkv.weight": (12, 12)}),
    ],
)
def test_what_an_option_changes(options, gone, new):
    default, shapes = parameter_shapes(make()), parameter_shapes(make(**options))
    assert {name.rpartition(".")[0] for name in default.keys() - shapes.keys()} == gone
    for name, shape in new.items():
        assert shapes[name] == shape
    assert shapes.keys() - default.keys() == new.keys() - default.keys()


def test_blocks_share_the_mlp():
    shapes = parameter_shapes(make(num_blocks=3, attention_mlp_layers=1))
    assert {name.split(".")[1] for name in shapes if name.startswith("blocks")} == {"0", "1", "2"}
    assert [name for name in shapes if name.startswith("mlp")] == ["mlp.0.weight", "mlp.0.bias"]


def test_values_are_made_plain():
    config = make(mem_slots=np.int64(5), key_size=np.int32(3), forget_bias=1, gate_style=None)
    assert type(config.mem_slots) is type(config.key_size) is int
    assert type(config.forget_bias) is float
    assert config.gate_style == "none"
    assert config == make(key_size=3, gate_style="none")
    with pytest.raises(dataclasses.FrozenInstanceError, match="mem_slots"):
        config.mem_slots = 3


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        (dict(mem_slots=0), ValueError, "mem_slots must be an integer of at least 1, got 0"),
        (dict(key_size=0), ValueError, "key_size must be an integer of at least 1, got 0"),
        (dict(num_heads=2.0), TypeError, "num_heads must be an integer"),
        (dict(attention_mlp_layers=0), ValueError, "attention_mlp_layers must be an integer of at least 1"),
        (
            dict(gate_style="both"),
            ValueError,
            "gate_style must be one of 'unit', 'memory', 'none', got 'both'",
        ),
        (
            dict(initial_memory=None),
            ValueError,
            "initial_memory must be one of 'identity', 'random', 'normal', 'zeros', 'trainable'",
        ),
        (dict(input_fusion="sum"), ValueError, "input_fusion must be one of 'append', 'tile', got 'sum'"),
        (
            dict(read_head="max"),
            ValueError,
            "read_head must be one of 'flatten', 'mean', 'weighted', 'attention'",
        ),
        (
            dict(read_head="query", treat_input_as_matrix=True),
            ValueError,
            "read_head='query' asks with one input row a step, got treat_input_as_matrix=True",
        ),
        (dict(forget_bias="high"), TypeError, "forget_bias must be a number, got 'high'"),
        (dict(input_bias=float("nan")), ValueError, "input_bias must be a finite number, got nan"),
        (dict(use_residual=None), TypeError, "use_residual must be True or False, got None"),
        (
            dict(treat_input_as_matrix="no"),
            TypeError,
            "treat_input_as_matrix must be True or False, got 'no'",
        ),
        (
            dict(input_rows=4),
            ValueError,
            "input_rows must be 1 unless treat_input_as_matrix=True, got input_rows=4",
        ),
    ],
)
def test_what_is_refused(options, error, message):
    with pytest.raises(error, match=message):
        make(**options)
