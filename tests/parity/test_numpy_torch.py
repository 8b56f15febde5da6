"""The NumPy and the torch core compute the same, whatever the options: values, traces and every gradient."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.core_pairs import drawn, make_memory, make_pair
from relational_rnn import reference
from relational_rnn.config import parameter_shapes
from relational_rnn.interop import get_gradients
from tolerances import assert_close

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch")
nn = pytest.importorskip("relational_rnn.nn")


def to_torch(array):
    return None if array is None else torch.tensor(array, requires_grad=array.dtype != bool)


def assert_same_trace(actual, expected):
    for name, value in expected._asdict().items():
        if value is None:
            assert getattr(actual, name) is None
        else:
            assert_close(getattr(actual, name).detach(), value, what=name)


def assert_same_gradients(theirs, ours, what=""):
    gradients = get_gradients(theirs)
    assert gradients.keys() == ours.grads.keys()
    for name, gradient in gradients.items():
        assert_close(gradient, ours.grads[name], what=f"gradient of {name}{what}")


@given(drawn(), st.booleans(), st.booleans())
def test_a_sequence(chosen, memory_given, with_resets):
    options, batch, time, seed = chosen
    rng = np.random.default_rng(seed)
    ours, theirs = make_pair(reference.RelationalMemory, nn.RelationalMemory, options, rng, batch_first=True)
    inputs = rng.standard_normal((batch, time, *ours.config.input_sizes.values()))
    memory = make_memory(ours, batch, rng) if memory_given else None
    resets = rng.random((batch, time)) < 0.3 if with_resets else None

    outputs, last, trace = ours.forward(inputs, memory, resets=resets, return_trace=True)
    d_outputs, d_last = rng.standard_normal(outputs.shape), rng.standard_normal(last.shape)
    d_inputs, d_memory = ours.backward(d_outputs, d_last)

    for traced in (False, True):  # the two ways take different attention kernels
        x, m, r = map(to_torch, (inputs, memory, resets))
        theirs.zero_grad()
        y, z, *reported = theirs(x, m, resets=r, return_trace=traced)
        torch.autograd.backward([y, z], [torch.from_numpy(d_outputs), torch.from_numpy(d_last)])
        what = f", return_trace={traced}"
        assert_close(y.detach(), outputs, what=f"outputs{what}")
        assert_close(z.detach(), last, what=f"last memory{what}")
        assert_close(x.grad, d_inputs, what=f"gradient of the inputs{what}")
        if m is not None:
            assert_close(m.grad, d_memory, what=f"gradient of the memory{what}")
        assert_same_gradients(theirs, ours, what)
        if traced:
            assert_same_trace(reported[0], trace)


@given(drawn(), st.booleans(), st.booleans())
def test_a_step(chosen, memory_given, input_given):
    options, batch, _, seed = chosen
    rng = np.random.default_rng(seed)
    ours, theirs = make_pair(reference.RelationalMemoryCell, nn.RelationalMemoryCell, options, rng)
    given_input = rng.standard_normal((batch, *ours.config.input_sizes.values())) if input_given else None
    # A step without input needs a memory.
    memory = make_memory(ours, batch, rng) if memory_given or not input_given else None

    output, after, trace = ours.forward(given_input, memory, return_trace=True)
    d_output, d_after = rng.standard_normal(output.shape), rng.standard_normal(after.shape)
    d_input, d_memory = ours.backward(d_output, d_after)

    x, m = to_torch(given_input), to_torch(memory)
    y, z, reported = theirs(x, m, return_trace=True)
    torch.autograd.backward([y, z], [torch.from_numpy(d_output), torch.from_numpy(d_after)])
    assert_close(y.detach(), output, what="output")
    assert_close(z.detach(), after, what="memory")
    assert_same_trace(reported, trace)
    assert_same_gradients(theirs, ours)
    if x is None:
        assert d_input is None
    else:
        assert_close(x.grad, d_input, what="gradient of the input")
    if m is not None:
        assert_close(m.grad, d_memory, what="gradient of the memory")
    fast, _ = theirs(x, m)
    assert_close(fast.detach(), output, what="output without a trace")


@given(drawn())
def test_names_shapes_and_sizes(chosen):
    for module in (reference, nn):
        for kind in (module.RelationalMemory, module.RelationalMemoryCell):
            core = kind(**chosen.options)
            named = core.params.items() if module is reference else core.named_parameters()
            assert {name: tuple(value.shape) for name, value in named} == parameter_shapes(core.config)
            assert core.initial_state(2).shape == (2, core.config.mem_slots, core.config.memory_width)
            assert core.output_size == core.config.output_size
