"""One step: the same mathematics as the sequence, and the step without input."""

import inspect

import numpy as np
import pytest
from hypothesis import given

from helpers.gradients import check_gradient
from helpers.numpy_cores import CONFIGURATIONS, TIME, drawn_options, make_core, make_inputs
from helpers.plain_core import plain_read, plain_step
from relational_rnn.reference import RelationalMemory, RelationalMemoryCell
from tolerances import assert_close

every_configuration = pytest.mark.parametrize("options", CONFIGURATIONS.values(), ids=CONFIGURATIONS.keys())


def make_cell(options):
    return make_core(options, RelationalMemoryCell)


@every_configuration
def test_steps_in_a_row_are_the_sequence(options):
    core, cell = make_core(options), make_cell(options)
    inputs, memory = make_inputs(core, np.random.default_rng(0))
    outputs, last, trace = core.forward(inputs, memory, return_trace=True)
    rng = np.random.default_rng(1)
    d_outputs, d_last = rng.standard_normal(outputs.shape), rng.standard_normal(last.shape)
    d_inputs, d_memory0 = core.backward(d_outputs, d_last)

    memories = [memory]
    for t in range(TIME):
        output, after, step = cell.forward(inputs[:, t], memories[-1], return_trace=True)
        memories.append(after)
        assert_close(output, outputs[:, t], what="output")
        for part, whole in zip(step, trace, strict=True):
            assert (part is None) == (whole is None)
            if part is not None:
                assert_close(part, whole[:, t], what="trace")
    assert_close(memories[-1], last, what="last memory")

    total, d_memory = {name: np.zeros_like(value) for name, value in cell.params.items()}, d_last
    for t in reversed(range(TIME)):
        cell.forward(inputs[:, t], memories[t])
        d_input, d_memory = cell.backward(d_outputs[:, t], d_memory)
        assert_close(d_input, d_inputs[:, t], what="d_input")
        for name in total:
            total[name] += cell.grads[name]
    assert_close(d_memory, d_memory0, what="d_memory")
    for name, gradient in core.grads.items():
        assert_close(total[name], gradient, what=name)


def check_without_input(options):
    cell = make_cell(options)
    _, memory = make_inputs(cell, np.random.default_rng(0), batch=3)
    output, after, trace = cell.forward(None, memory, return_trace=True)
    for sample in range(3):
        expected, attention, input_gate, _ = plain_step(cell, memory[sample], None)
        assert_close(after[sample], expected, what="memory")
        assert_close(output[sample], plain_read(cell, expected), what="output")
        assert_close(trace.attention[sample], attention, what="attention")
        if input_gate is not None:
            assert_close(trace.input_gate[sample], input_gate, what="input gate")
    rng = np.random.default_rng(1)
    d_output, d_after = rng.standard_normal(output.shape), rng.standard_normal(after.shape)

    def loss():
        output, after = cell.forward(None, memory)
        return float(np.vdot(d_output, output) + np.vdot(d_after, after))

    d_input, d_memory = cell.backward(d_output, d_after)
    assert d_input is None
    grads = cell.grads
    check_gradient(loss, memory, d_memory, "memory", entries=4)
    for name, value in cell.params.items():
        check_gradient(loss, value, grads[name], name, entries=4)
        if name.startswith(("input_projection", "gate_input")):
            assert not grads[name].any(), name


@every_configuration
def test_a_step_without_input(options):
    check_without_input(options)


@given(drawn_options)
def test_a_step_without_input_whatever_the_options(options):
    check_without_input(options)


@every_configuration
@pytest.mark.parametrize("with_input", [False, True])
def test_what_was_passed_can_be_changed_before_backward(options, with_input):
    cell = make_cell(options)
    inputs, memory = make_inputs(cell, np.random.default_rng(0), time=1)
    x = inputs[:, 0].copy() if with_input else None
    output, after = cell.forward(x, memory)
    expected = cell.backward(np.ones_like(output), np.ones_like(after))
    grads = cell.grads
    output, after, trace = cell.forward(x, memory, return_trace=True)
    for array in (x, memory, output, after, *trace):
        if array is not None:
            array += 1
    for actual, reference in zip(
        cell.backward(np.ones_like(output), np.ones_like(after)), expected, strict=True
    ):
        if reference is not None:
            assert_close(actual, reference)
    for name, gradient in grads.items():
        assert_close(cell.grads[name], gradient, what=name)


def test_the_arguments_are_those_of_the_sequence():
    assert inspect.signature(RelationalMemoryCell) == inspect.signature(RelationalMemory)


def test_a_step_from_the_trainable_initial_memory_trains_it():
    cell = make_cell(dict(initial_memory="trainable"))
    inputs, _ = make_inputs(cell, np.random.default_rng(0), time=1)
    output, _ = cell.forward(inputs[:, 0])
    cell.backward(np.ones_like(output))
    gradient = cell.grads["initial_memory"]
    check_gradient(
        lambda: float(cell.forward(inputs[:, 0])[0].sum()),
        cell.params["initial_memory"],
        gradient,
        "initial memory",
    )


def test_the_dtype_stays():
    cell = RelationalMemoryCell(7, 5, 6, dtype=np.float32)
    output, memory = cell.forward(np.ones((4, 7)))
    d_input, d_memory = cell.backward(np.ones(output.shape))
    assert {array.dtype for array in (output, memory, d_input, d_memory)} == {np.dtype(np.float32)}


def test_what_is_wrong_is_said():
    cell = RelationalMemoryCell(7, 5, 6)
    with pytest.raises(RuntimeError, match=r"RelationalMemoryCell\.backward needs a forward before it"):
        cell.backward(np.ones((4, 30)))
    with pytest.raises(ValueError, match=r"a step without input needs a memory of shape \(B, N, D\)"):
        cell.forward(None)
    with pytest.raises(ValueError, match=r"input must have 2 axes \(B, F\).*got shape \(4, 3, 7\)"):
        cell.forward(np.ones((4, 3, 7)))
    with pytest.raises(ValueError, match=r"input must have shape \(B, F\).*F = 7.*where F = 6"):
        cell.forward(np.ones((4, 6)))
    with pytest.raises(ValueError, match=r"memory must have shape .*B = 4.*where B = 3"):
        cell.forward(np.ones((4, 7)), cell.initial_state(3))
    with pytest.raises(ValueError, match=r"memory must not be empty.*where B = 0"):
        cell.forward(None, np.ones((0, 5, 6)))
    with pytest.raises(TypeError, match=r"input must hold floats.*, got int64"):
        cell.forward(np.ones((4, 7), np.int64))
    with pytest.raises(TypeError, match=r"memory must hold floats.*, got bool"):
        cell.forward(None, np.ones((4, 5, 6), bool))
    with pytest.raises(TypeError, match="return_trace must be True or False, got None"):
        cell.forward(np.ones((4, 7)), return_trace=None)
    with pytest.raises(
        TypeError, match=r"Cell got unknown arguments: slots .*mem_slots.*; allowed are input_size"
    ):
        RelationalMemoryCell(7, 5, 6, slots=3)
    cell.forward(np.ones((4, 7)))
    with pytest.raises(ValueError, match=r"d_output must have shape \(B, O\).*O = 30.*got \(4, 6\)"):
        cell.backward(np.ones((4, 6)))
    with pytest.raises(ValueError, match=r"d_memory must have shape \(B, N, D\)"):
        cell.backward(None, np.ones((3, 5, 6)))
    with pytest.raises(ValueError, match="or both; got neither"):
        cell.backward(None)
