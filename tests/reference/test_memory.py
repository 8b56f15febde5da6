"""The core over a sequence: what it computes, its gradients, and properties that any recurrent layer has."""

import inspect
import re

import numpy as np
import pytest
from hypothesis import given

from helpers.gradients import check_gradient
from helpers.numpy_cores import (
    BATCH,
    CONFIGURATIONS,
    TIME,
    drawn_options,
    make_core,
    make_inputs,
    some_configurations,
)
from helpers.plain_core import plain_read, plain_step
from relational_rnn.config import RelationalMemoryConfig, parameter_shapes
from relational_rnn.config.core import CoreOptions
from relational_rnn.reference import RelationalMemory, RelationalMemoryCell
from tolerances import assert_close

every_configuration = pytest.mark.parametrize("options", CONFIGURATIONS.values(), ids=CONFIGURATIONS.keys())


def run(core, inputs, memory=None, **keywords):
    """A pass there and back with fixed gradients; everything that came out, by name."""
    outputs, last = core.forward(inputs, memory, **keywords)
    rng = np.random.default_rng(7)
    d_outputs, d_last = rng.standard_normal(outputs.shape), rng.standard_normal(last.shape)
    d_inputs, d_memory = core.backward(d_outputs, d_last)
    results = dict(outputs=outputs, last=last, d_inputs=d_inputs, d_memory=d_memory)
    return results | {f"d {name}": gradient for name, gradient in core.grads.items()}


def assert_same(actual, expected):
    assert actual.keys() == expected.keys()
    for name in actual:
        assert_close(actual[name], expected[name], what=name)


def check_against_plain(core, inputs, memory):
    outputs, last, trace = core.forward(inputs, memory, return_trace=True)
    rows = inputs if core.config.treat_input_as_matrix else inputs[:, :, None]
    for sample in range(len(inputs)):
        m = memory[sample]
        for t in range(inputs.shape[1]):
            m, attention, input_gate, forget_gate = plain_step(core, m, rows[sample, t])
            assert_close(outputs[sample, t], plain_read(core, m, rows[sample, t, 0]), what="output")
            assert_close(trace.attention[sample, t], attention, what="attention")
            if core.config.gate_style == "none":
                assert trace.input_gate is None
                assert trace.forget_gate is None
            else:
                assert_close(trace.input_gate[sample, t], input_gate, what="input gate")
                assert_close(trace.forget_gate[sample, t], forget_gate, what="forget gate")
        assert_close(last[sample], m, what="last memory")


@every_configuration
def test_it_computes_what_the_page_says(options):
    core = make_core(options)
    check_against_plain(core, *make_inputs(core, np.random.default_rng(0), batch=2, time=2))


@given(drawn_options)
def test_it_computes_what_the_page_says_whatever_the_options(options):
    core = make_core(options)
    check_against_plain(core, *make_inputs(core, np.random.default_rng(0), batch=2, time=2))


def check_all_gradients(core, memory_given, entries, resets=None):
    rng = np.random.default_rng(0)
    inputs, memory = make_inputs(core, rng)
    given = memory if memory_given else None
    outputs, last = core.forward(inputs, given, resets=resets)
    d_outputs, d_last = rng.standard_normal(outputs.shape), rng.standard_normal(last.shape)

    def loss():
        outputs, last = core.forward(inputs, given, resets=resets)
        return float(np.vdot(d_outputs, outputs) + np.vdot(d_last, last))

    d_inputs, d_memory = core.backward(d_outputs, d_last)
    grads = dict(core.grads)
    assert {name: gradient.shape for name, gradient in grads.items()} == parameter_shapes(core.config)
    check_gradient(loss, inputs, d_inputs, "inputs", entries)
    if memory_given:
        check_gradient(loss, memory, d_memory, "memory", entries)
    for name, value in core.params.items():
        check_gradient(loss, value, grads[name], name, entries)


@some_configurations
def test_backward_is_the_derivative(options):
    check_all_gradients(make_core(options), memory_given=True, entries=3)


def test_backward_is_the_derivative_in_every_entry():
    core = make_core(dict(input_size=2, mem_slots=3, head_size=2, input_fusion="append"))
    check_all_gradients(core, memory_given=True, entries=None)


@given(drawn_options)
def test_backward_is_the_derivative_whatever_the_options(options):
    check_all_gradients(make_core(options), memory_given=True, entries=0)


@pytest.mark.parametrize("fusion", ["append", "tile"])
def test_a_trainable_initial_memory_learns_from_starts_and_resets(fusion):
    core = make_core(dict(initial_memory="trainable", input_fusion=fusion))
    resets = np.random.default_rng(0).random((BATCH, TIME)) < 0.4
    assert resets.any()
    check_all_gradients(core, memory_given=False, entries=3)
    check_all_gradients(core, memory_given=False, entries=3, resets=resets)
    check_all_gradients(core, memory_given=True, entries=3, resets=resets)
    inputs, memory = make_inputs(core, np.random.default_rng(0))
    core.forward(inputs, memory)
    core.backward(np.ones((BATCH, TIME, core.output_size)))
    assert not core.grads["initial_memory"].any()


@every_configuration
def test_a_sequence_in_two_parts_is_the_whole_sequence(options):
    core = make_core(options)
    inputs, memory = make_inputs(core, np.random.default_rng(0))
    whole = run(core, inputs, memory)
    d_outputs = np.random.default_rng(7).standard_normal(whole["outputs"].shape)
    d_last = np.random.default_rng(7)
    d_last.standard_normal(whole["outputs"].shape)
    d_last = d_last.standard_normal(whole["last"].shape)

    first, middle = core.forward(inputs[:, :2], memory)
    second, last = core.forward(inputs[:, 2:], middle)
    d_second, d_middle = core.backward(d_outputs[:, 2:], d_last)
    later = core.grads
    core.forward(inputs[:, :2], memory)
    d_first, d_memory = core.backward(d_outputs[:, :2], d_middle)
    parts = dict(
        outputs=np.concatenate([first, second], axis=1),
        last=last,
        d_inputs=np.concatenate([d_first, d_second], axis=1),
        d_memory=d_memory,
    )
    assert_same(parts | {f"d {name}": core.grads[name] + later[name] for name in later}, whole)


@every_configuration
def test_a_reset_is_a_fresh_start(options):
    core = make_core(options)
    inputs, memory = make_inputs(core, np.random.default_rng(0))
    resets = np.zeros((BATCH, TIME), bool)
    resets[1, 1] = True
    resets[2, 0] = True
    outputs, last = core.forward(inputs, memory, resets=resets)
    d_inputs, d_memory = core.backward(np.ones_like(outputs))

    rows = [0, 3]  # never reset
    expected, expected_last = core.forward(inputs[rows], memory[rows])
    d_expected, d_expected_memory = core.backward(np.ones_like(expected))
    assert_close(outputs[rows], expected)
    assert_close(last[rows], expected_last)
    assert_close(d_inputs[rows], d_expected)
    assert_close(d_memory[rows], d_expected_memory)

    for row, step in ((1, 1), (2, 0)):
        expected, expected_last = core.forward(inputs[row : row + 1, step:])
        d_expected, _ = core.backward(np.ones_like(expected))
        assert_close(outputs[row : row + 1, step:], expected)
        assert_close(last[row : row + 1], expected_last)
        assert_close(d_inputs[row : row + 1, step:], d_expected)
    assert not d_memory[2].any()
    expected, _ = core.forward(inputs[1:2, :1], memory[1:2])
    core_before = core.backward(np.ones_like(expected))
    assert_close(d_inputs[1:2, :1], core_before[0])
    assert_close(d_memory[1:2], core_before[1])


@every_configuration
def test_samples_do_not_see_each_other(options):
    core = make_core(options)
    inputs, memory = make_inputs(core, np.random.default_rng(0))
    outputs, last = core.forward(inputs, memory)
    d_inputs, d_memory = core.backward(np.ones_like(outputs), np.ones_like(last))
    alone, alone_last = core.forward(inputs[2:3], memory[2:3])
    d_alone, d_alone_memory = core.backward(np.ones_like(alone), np.ones_like(alone_last))
    assert_close(outputs[2:3], alone)
    assert_close(last[2:3], alone_last)
    assert_close(d_inputs[2:3], d_alone)
    assert_close(d_memory[2:3], d_alone_memory)


@pytest.mark.parametrize("fusion", ["append", "tile"])
@pytest.mark.parametrize("gate_style", ["unit", "memory", "none"])
def test_slots_have_no_order(gate_style, fusion):
    core = make_core(dict(gate_style=gate_style, input_fusion=fusion, num_blocks=2))
    inputs, memory = make_inputs(core, np.random.default_rng(0))
    order = np.random.default_rng(1).permutation(core.config.mem_slots)
    _, last = core.forward(inputs, memory)
    _, permuted = core.forward(inputs, memory[:, order])
    assert_close(permuted, last[:, order])
    assert np.abs(permuted - last).max() > 1e-3


@every_configuration
def test_attention_weights_sum_to_one(options):
    core = make_core(options)
    inputs, memory = make_inputs(core, np.random.default_rng(0))
    *_, trace = core.forward(inputs, memory, return_trace=True)
    config = core.config
    shape = (BATCH, TIME, config.num_blocks, config.num_heads, config.mem_slots, config.attended_rows)
    assert trace.attention.shape == shape
    assert_close(trace.attention.sum(axis=-1), np.ones(shape[:-1]))
    if config.gate_style != "none":
        assert trace.input_gate.shape == (BATCH, TIME, config.mem_slots, config.gate_width)
        assert trace.forget_gate.shape == trace.input_gate.shape


@every_configuration
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_dtype_stays(options, dtype):
    core = make(**options, dtype=dtype)
    inputs, memory = make_inputs(core, np.random.default_rng(0))
    resets = np.zeros((BATCH, TIME), bool)
    resets[1, 1] = True
    other = np.float64 if dtype == "float32" else np.float32
    outputs, last, trace = core.forward(
        inputs.astype(other), memory.astype(other), resets=resets, return_trace=True
    )
    d_inputs, d_memory = core.backward(np.ones(outputs.shape, other), np.ones(last.shape, other))
    arrays = [outputs, last, *trace, d_inputs, d_memory, core.initial_state(1)]
    arrays += [*core.params.values(), *core.grads.values(), *core.buffers.values()]
    # Inside too: nothing that was kept for the backward pass is wider.
    kept = [step.blocks[0].rows for step in core._cache.unroll.steps]
    assert {array.dtype for array in arrays + kept if array is not None} == {np.dtype(dtype)}


def test_single_precision_agrees_with_double():
    single, double = (make_core({"num_blocks": 2}) for _ in range(2))
    single = RelationalMemory(
        input_size=7, mem_slots=5, head_size=6, num_heads=2, num_blocks=2, dtype="float32"
    )
    single.params = {name: value.astype(np.float32) for name, value in double.params.items()}
    inputs, memory = make_inputs(double, np.random.default_rng(0))
    expected = run(double, inputs, memory)
    for name, value in run(single, inputs, memory).items():
        assert_close(value, expected[name], "float32", name)


def test_backward_takes_either_gradient_and_overwrites():
    core = make_core({})
    inputs, memory = make_inputs(core, np.random.default_rng(0))
    both = run(core, inputs, memory)
    rng = np.random.default_rng(7)
    d_outputs, d_last = rng.standard_normal(both["outputs"].shape), rng.standard_normal(both["last"].shape)
    from_outputs, _ = core.backward(d_outputs)
    first = core.grads
    from_last, _ = core.backward(None, d_last)
    assert_close(from_outputs + from_last, both["d_inputs"])
    for name in first:
        assert_close(first[name] + core.grads[name], both[f"d {name}"], what=name)


def test_the_outputs_can_be_changed_before_backward():
    core = make_core({"read_head": "mean"})
    inputs, memory = make_inputs(core, np.random.default_rng(0))
    expected = run(core, inputs, memory)
    outputs, last = core.forward(inputs, memory)
    outputs += 1
    last += 1
    rng = np.random.default_rng(7)
    d_inputs, _ = core.backward(rng.standard_normal(outputs.shape), rng.standard_normal(last.shape))
    assert_close(d_inputs, expected["d_inputs"])


@every_configuration
@pytest.mark.parametrize(("batch", "time"), [(1, 1), (1, TIME), (BATCH, 1), (BATCH, TIME)])
def test_what_was_passed_can_be_changed_before_backward(options, batch, time):
    core, rng = make_core(options), np.random.default_rng(0)
    inputs, memory = make_inputs(core, rng, batch, time)
    resets = rng.random((batch, time)) < 0.3
    expected = run(core, inputs, memory, resets=resets)
    outputs, last, trace = core.forward(inputs, memory, resets=resets, return_trace=True)
    rng = np.random.default_rng(7)
    d_outputs, d_last = rng.standard_normal(outputs.shape), rng.standard_normal(last.shape)
    resets[...] = ~resets
    for array in (inputs, memory, outputs, last, *trace):
        if array is not None:
            array += 1
    before = d_outputs.copy(), d_last.copy()
    d_inputs, d_memory = core.backward(d_outputs, d_last)
    assert_close(d_inputs, expected["d_inputs"])
    assert_close(d_memory, expected["d_memory"])
    for name, gradient in core.grads.items():
        assert_close(gradient, expected[f"d {name}"], what=name)
    for now, then in zip((d_outputs, d_last), before, strict=True):
        np.testing.assert_array_equal(now, then)


def test_the_arguments_are_the_configuration():
    arguments = inspect.signature(RelationalMemory).parameters
    assert list(arguments) == [
        "input_size",
        "mem_slots",
        "head_size",
        "num_heads",
        "dtype",
        "seed",
        "options",
    ]
    assert arguments["options"].annotation == "Unpack[CoreOptions]"
    fields = inspect.signature(RelationalMemoryConfig).parameters
    assert [arguments[name].default for name in list(fields)[:4]] == [p.default for p in fields.values()][:4]
    explained = re.findall(r"^ {8}\**(\w+):", RelationalMemory.__doc__.split("Attributes:")[0], re.MULTILINE)
    assert explained == [*list(fields)[:4], "options", "dtype", "seed"]
    assert RelationalMemory(2, 3, 4, gate_style=None).config.gate_style == "none"


def test_names_from_elsewhere():
    message = "num_slots is mem_slots here, a slot has head_size \\* num_heads features here"
    for kind in (RelationalMemory, RelationalMemoryCell):
        with pytest.raises(
            TypeError, match=f"{kind.__name__} has no argument num_slots, slot_size: {message}"
        ):
            kind(input_size=5, num_slots=4, slot_size=8)
        with pytest.raises(TypeError, match=rf"{kind.__name__} .*mem_slot \(did you mean mem_slots\?\)"):
            kind(5, mem_slot=4, head_size=8)
        for option in CoreOptions.__annotations__:
            with pytest.raises(TypeError, match=f"^{kind.__name__} needs head_size$"):
                kind(5, 4, **{option: 1})
        with pytest.raises(ValueError, match=r'gate_style must be .*got .LSTM. .*are "unit"'):
            kind(5, 3, 4, gate_style="LSTM")


def test_one_step_names_the_cell():
    core = RelationalMemory(input_size=5, mem_slots=3, head_size=4)
    with pytest.raises(
        ValueError, match=r"got shape \(7, 5\); for one step, .* there is RelationalMemoryCell"
    ):
        core.forward(np.zeros((7, 5)), np.zeros((7, 3, 4)))


def make(**options):
    return RelationalMemory(**{**dict(input_size=7, mem_slots=5, head_size=6), **options})


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        (
            dict(heads=2),
            TypeError,
            r"RelationalMemory got unknown arguments: heads \(did you mean num_heads\?\); allowed are input",
        ),
        (dict(dtype=np.int64), TypeError, "dtype must be float32 or float64, got .*int64"),
        (dict(dtype="float16"), TypeError, "dtype must be float32 or float64, got 'float16'"),
        (dict(dtype="nonsense"), TypeError, "dtype must be float32 or float64, got 'nonsense'"),
        (dict(dtype=None), TypeError, "dtype must be float32 or float64, got None"),
        (dict(seed=0.5), TypeError, "seed must be an integer"),
        (dict(seed=-1), ValueError, "seed must be an integer of at least 0, got -1"),
        (dict(num_heads=0), ValueError, "num_heads must be an integer of at least 1, got 0"),
        (
            dict(gate_style="lstm"),
            ValueError,
            "gate_style must be one of 'unit', 'memory', 'none', got 'lstm'",
        ),
    ],
)
def test_the_constructor_says_what_is_wrong(options, error, message):
    with pytest.raises(error, match=message):
        make(**options)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (dict(inputs=np.ones((4, 3, 7), int)), TypeError, "inputs must hold floats.*float64.*, got int64"),
        (dict(inputs=np.ones((4, 3, 7), bool)), TypeError, "inputs must hold floats.*, got bool"),
        (
            dict(inputs=np.ones((4, 7))),
            ValueError,
            r"inputs must have 3 axes \(B, T, F\).*got shape \(4, 7\)",
        ),
        (
            dict(inputs=np.ones((4, 3, 8))),
            ValueError,
            r"inputs must have shape \(B, T, F\).*F = 7.*where F = 8",
        ),
        (dict(inputs=np.ones((0, 3, 7))), ValueError, "inputs must not be empty.*where B = 0"),
        (dict(inputs=np.ones((4, 0, 7))), ValueError, "inputs must not be empty.*where T = 0"),
        (dict(memory=np.ones((4, 5, 7))), ValueError, r"memory must have shape \(B, N, D\).*D = 6"),
        (dict(memory=np.ones((1, 5, 6))), ValueError, "memory must have shape.*B = 4.*where B = 1"),
        (dict(memory=np.ones((5, 6))), ValueError, r"memory must have 3 axes.*got shape \(5, 6\)"),
        (dict(memory=np.ones((4, 5, 6), int)), TypeError, "memory must hold floats.*, got int64"),
        (dict(resets=np.ones((4, 3))), TypeError, "resets must hold booleans, got float64"),
        (dict(resets=np.ones((4, 2), bool)), ValueError, r"resets must have shape \(B, T\).*where T = 2"),
        (dict(return_trace=1), TypeError, "return_trace must be True or False, got 1"),
    ],
)
def test_forward_says_what_is_wrong(arguments, error, message):
    with pytest.raises(error, match=message):
        make().forward(**{"inputs": np.ones((4, 3, 7)), **arguments})


def test_a_matrix_input_has_its_own_axes():
    core = make(treat_input_as_matrix=True, input_rows=2)
    with pytest.raises(ValueError, match=r"inputs must have 4 axes \(B, T, R, F\).*R = 2, F = 7"):
        core.forward(np.ones((4, 3, 7)))


def test_backward_says_what_is_wrong():
    core = make()
    with pytest.raises(RuntimeError, match=r"RelationalMemory\.backward needs a forward before it"):
        core.backward(np.ones((4, 3, 30)))
    core.forward(np.ones((4, 3, 7)))
    with pytest.raises(ValueError, match="gradient of the outputs, of the memory, or both; got neither"):
        core.backward(None)
    with pytest.raises(ValueError, match=r"d_outputs must have shape \(B, T, O\).*O = 30.*got \(4, 3, 6\)"):
        core.backward(np.ones((4, 3, 6)))
    with pytest.raises(ValueError, match=r"d_memory must have 3 axes \(B, N, D\)"):
        core.backward(None, np.ones((4, 30)))
    with pytest.raises(TypeError, match=r"d_outputs must hold floats.*, got int64"):
        core.backward(np.ones((4, 3, 30), int))


def test_initial_state_says_what_is_wrong():
    with pytest.raises(ValueError, match="batch_size must be an integer of at least 1, got 0"):
        make().initial_state(0)
