"""The authors' variables' names for every one of their configurations, and what is refused."""

import itertools

import numpy as np
import pytest

from relational_rnn import reference
from relational_rnn.config import RelationalMemoryConfig, parameter_shapes
from relational_rnn.interop import get_gradients, get_parameters
from relational_rnn.interop.sonnet import export_gradients, export_variables, load_variables, variable_names

SIZES = dict(input_size=3, mem_slots=2, head_size=4, num_heads=2)
AUTHORS = [
    dict(zip(("gate_style", "num_blocks", "attention_mlp_layers", "input_rows", "key_size"), values))
    for values in itertools.product(("unit", "memory", "none"), (1, 2, 3), (1, 2, 3), (1, 5), (None, 6))
]


def make_numpy(kind, seed=0, **options):
    return getattr(reference, kind)(**SIZES, **options, seed=seed)


def make_torch(kind, seed=0, **options):
    torch = pytest.importorskip("torch")
    from relational_rnn import nn

    generator = torch.Generator().manual_seed(seed)
    return getattr(nn, kind)(**SIZES, **options, dtype=torch.float64, generator=generator)


make = pytest.mark.parametrize(
    "make",
    [pytest.param(make_numpy, id="numpy"), pytest.param(make_torch, id="torch", marks=pytest.mark.torch)],
)
kind = pytest.mark.parametrize("kind", ["RelationalMemory", "RelationalMemoryCell"])


def expected_shapes(config, scope):
    """The authors' names and shapes, in the order in which Sonnet numbers its modules."""
    D, Q, G = config.memory_width, config.projection_width, config.gate_width
    linears = [(config.input_size, D)] + [(D, Q)] * config.num_blocks
    if G:
        linears += [(config.input_rows * D, 2 * G), (D, 2 * G)]
    norms = [Q, D, D] * config.num_blocks
    shapes = {}

    def name(kind, number):
        return f"{scope}/{kind}_{number}" if number else f"{scope}/{kind}"

    for number, shape in enumerate(linears):
        shapes[f"{name('linear', number)}/w"], shapes[f"{name('linear', number)}/b"] = shape, shape[1:]
    for number, features in enumerate(norms):
        for part in ("gamma", "beta"):
            shapes[f"{name('layer_norm', number)}/{part}"] = (features,)
    for layer in range(config.attention_mlp_layers):
        shapes[f"{scope}/mlp/linear_{layer}/w"], shapes[f"{scope}/mlp/linear_{layer}/b"] = (D, D), (D,)
    return shapes


@pytest.mark.parametrize("scope", ["relational_memory", "core/rmc_1"])
def test_names_and_shapes_of_every_configuration(scope):
    for options in AUTHORS:
        config = RelationalMemoryConfig(**SIZES, **options, treat_input_as_matrix=options["input_rows"] > 1)
        names, shapes = variable_names(config, scope), parameter_shapes(config)
        assert names.keys() == shapes.keys()
        found = {names[ours]: shape[::-1] for ours, shape in shapes.items()}
        assert found == expected_shapes(config, scope)


def run(core, options):
    rows = (options["input_rows"],) if options.get("input_rows", 1) > 1 else ()
    x = np.random.default_rng(0).standard_normal((2, *rows, 3))
    sequence = not type(core).__name__.endswith("Cell")
    if hasattr(core, "params"):
        outputs, _ = core.forward(x[:, None] if sequence else x)
        core.backward(np.ones_like(outputs))
        return outputs.reshape(2, -1)
    import torch

    x = torch.from_numpy(x)
    outputs, _ = core(x[None] if sequence else x)
    outputs.sum().backward()
    return outputs.detach().numpy().reshape(2, -1)


@make
@kind
@pytest.mark.parametrize(
    "options",
    [
        dict(gate_style="unit", num_blocks=2),
        dict(gate_style="memory", attention_mlp_layers=3, key_size=1),
        dict(gate_style="none", num_blocks=3, attention_mlp_layers=1),
        dict(treat_input_as_matrix=True, input_rows=5),
    ],
)
def test_round_trip_and_gradients(make, kind, options):
    source, target = make(kind, **options), make(kind, seed=1, **options)
    expected = run(source, options)
    assert not np.allclose(run(target, options), expected)
    variables = export_variables(source, "a/b")
    load_variables(target, variables, scope="a/b")
    np.testing.assert_array_equal(run(target, options), expected)
    names, gradients = variable_names(source.config, "a/b"), get_gradients(source)
    exported = export_gradients(source, "a/b")
    assert exported.keys() == variables.keys()
    for ours, theirs in names.items():
        np.testing.assert_array_equal(exported[theirs], gradients[ours].T)
        assert exported[theirs].flags.c_contiguous
    for value in variables.values():
        value += 1  # copies
    np.testing.assert_array_equal(run(source, options), expected)


@make
@kind
def test_nothing_is_loaded_on_an_error(make, kind):
    core = make(kind)
    good = {name: value + 1 for name, value in export_variables(core).items()}
    before = get_parameters(core)
    last = list(good)[-1]
    missing = {name: value for name, value in good.items() if name != last}
    projection = "relational_memory/linear/w"
    for variables, message in (
        (missing, rf"variables do not match the core: missing \['{last}'\], unknown \[\]"),
        (
            good | {"relational_memory/linear_9/w": 1},
            r"missing \[\], unknown \['relational_memory/linear_9/w'\]",
        ),
        (good | {projection: good[projection].T}, rf"{projection} must have shape \(3, 8\), got \(8, 3\)"),
        (good | {last: np.zeros(3)}, rf"{last} must have shape \(8,\), got \(3,\)"),
        (export_variables(core, "other"), r"missing \['relational_memory/.*unknown \['other/"),
    ):
        with pytest.raises(ValueError, match=message):
            load_variables(core, variables)
        for name, value in get_parameters(core).items():
            np.testing.assert_array_equal(value, before[name])


@make
@pytest.mark.parametrize(
    ("options", "message"),
    [
        (dict(initial_memory="random"), "only initial_memory='identity', this core has 'random'"),
        (dict(initial_memory="trainable"), "only initial_memory='identity', this core has 'trainable'"),
        (dict(input_fusion="tile"), "only input_fusion='append', this core has 'tile'"),
        (dict(read_head="mean"), "only read_head='flatten', this core has 'mean'"),
        (dict(use_attention=False), "only use_attention=True, this core has False"),
        (dict(use_mlp=False), "only use_mlp=True, this core has False"),
        (dict(use_residual=False), "only use_residual=True, this core has False"),
        (dict(use_layer_norm=False), "only use_layer_norm=True, this core has False"),
    ],
)
def test_own_options_are_refused(make, options, message):
    core = make("RelationalMemory", **options)
    run(core, options)
    for refuse in (lambda: variable_names(core.config), lambda: load_variables(core, {})):
        with pytest.raises(ValueError, match=message):
            refuse()
    for export in (export_variables, export_gradients):
        with pytest.raises(ValueError, match=message):
            export(core)


def check_refused(core, name):
    for refuse in (lambda: load_variables(core, {}), export_variables, export_gradients):
        with pytest.raises(
            TypeError, match=f"^core must be a RelationalMemory or a RelationalMemoryCell, got {name}$"
        ):
            refuse() if refuse.__name__ == "<lambda>" else refuse(core)


def test_what_is_no_relational_memory_is_refused():
    check_refused(reference.LSTM(3, 4), r"relational_rnn\.reference\.lstm\.LSTM")
    check_refused({}, r"builtins\.dict")
    check_refused(None, r"builtins\.NoneType")


@pytest.mark.torch
def test_torch_modules_that_are_no_relational_memory_are_refused():
    torch = pytest.importorskip("torch")
    from relational_rnn import nn

    check_refused(nn.LSTM(3, 4), r"relational_rnn\.nn\.lstm\.LSTM")
    check_refused(torch.nn.LSTM(3, 4), r"torch\.nn\.modules\.rnn\.LSTM")


@make
@kind
def test_gradients_before_backward(make, kind):
    core = make(kind)
    if hasattr(core, "grads"):
        core.grads.clear()
    with pytest.raises(
        RuntimeError, match=r"no gradients yet for input_projection.weight.*: run backward first"
    ):
        export_gradients(core)
