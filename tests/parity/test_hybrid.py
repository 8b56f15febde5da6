"""The hybrid relational RNN in NumPy and in torch: outputs, last state and every gradient."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from relational_rnn import reference
from relational_rnn.config.core import SLOT_UPDATES
from relational_rnn.interop import get_gradients, get_parameters, set_parameters
from tolerances import assert_close

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch")
nn = pytest.importorskip("relational_rnn.nn")


@st.composite
def drawn(draw):
    """Small sizes, all different but for a slot size that may be the hidden size."""
    free = draw(st.permutations(range(2, 9)))
    batch, time, inputs, hidden, outputs, slots, head = free
    heads = draw(st.sampled_from([1, 2, 3]))
    if draw(st.booleans()):
        hidden = heads * head
    sizes = dict(
        input_size=inputs,
        hidden_size=hidden,
        num_slots=slots,
        slot_size=heads * head,
        num_heads=heads,
        slot_update=draw(st.sampled_from(SLOT_UPDATES)),
    )
    return sizes, outputs, batch, time, draw(st.integers(0, 2**16))


def make_pair(kind, sizes, rng, **torch_options):
    """The same model in NumPy and in torch (float64); every bias counts."""
    ours = getattr(reference, kind)(**sizes, seed=rng)
    for value in ours.params.values():
        value += 0.2 * rng.standard_normal(value.shape)
    theirs = getattr(nn, kind)(**sizes, dtype=torch.float64, **torch_options)
    set_parameters(theirs, get_parameters(ours))
    return ours, theirs


def draw_like(arrays, rng):
    return tuple(rng.standard_normal(array.shape) for array in arrays)


def assert_same_gradients(theirs, ours):
    gradients = get_gradients(theirs)
    assert gradients.keys() == ours.grads.keys()
    for name, gradient in gradients.items():
        assert_close(gradient, ours.grads[name], what=f"gradient of {name}")


@given(drawn(), st.booleans(), st.booleans(), st.booleans())
def test_a_sequence(chosen, with_output_layer, return_sequences, state_given):
    sizes, output_size, batch, time, seed = chosen
    rng = np.random.default_rng(seed)
    sizes |= dict(output_size=output_size if with_output_layer else None)
    ours, theirs = make_pair("RelationalRNN", sizes, rng)
    inputs = rng.standard_normal((batch, time, sizes["input_size"]))
    state = draw_like(ours.initial_state(batch), rng) if state_given else None

    outputs, *last, seen = ours.forward(inputs, return_sequences, True, state, return_trace=True)
    d_outputs, d_last = rng.standard_normal(outputs.shape), draw_like(last, rng)
    d_inputs, d_state = ours.backward(d_outputs, d_last)

    x = torch.tensor(inputs, requires_grad=True)
    start = None if state is None else tuple(torch.tensor(part, requires_grad=True) for part in state)
    y, *after, trace = theirs(
        x, start, return_sequences=return_sequences, return_state=True, return_trace=True
    )
    for name, part, expected in zip(trace._fields, trace, seen, strict=True):
        assert_close(part.detach(), expected, what=name)
    torch.autograd.backward([y, *after], [torch.from_numpy(g) for g in (d_outputs, *d_last)])
    assert_close(y.detach(), outputs, what="outputs")
    assert_close(x.grad, d_inputs, what="gradient of the inputs")
    for part, expected in zip(after, last, strict=True):
        assert_close(part.detach(), expected, what="last state")
    for part, expected in zip(start or (), d_state if start else (), strict=True):
        assert_close(part.grad, expected, what="gradient of the state")
    assert_same_gradients(theirs, ours)


@given(drawn(), st.booleans())
def test_a_step(chosen, state_given):
    sizes, _, batch, _, seed = chosen
    rng = np.random.default_rng(seed)
    ours, theirs = make_pair("RelationalRNNCell", sizes, rng)
    inputs = rng.standard_normal((batch, sizes["input_size"]))
    state = draw_like(ours.initial_state(batch), rng) if state_given else None

    output, *last = ours.forward(inputs, *(state or ()))
    d_output, d_last = rng.standard_normal(output.shape), draw_like(last, rng)
    d_input, *_ = ours.backward(d_output, *d_last)

    x = torch.tensor(inputs, requires_grad=True)
    y, *after = theirs(x, *map(torch.tensor, state or ()))
    torch.autograd.backward([y, *after], [torch.from_numpy(g) for g in (d_output, *d_last)])
    assert_close(y.detach(), output, what="output")
    assert_close(x.grad, d_input, what="gradient of the input")
    for part, expected in zip(after, last, strict=True):
        assert_close(part.detach(), expected, what="state")
    assert_same_gradients(theirs, ours)


@pytest.mark.parametrize("slot_size", [6, 8])
@pytest.mark.parametrize("output_size", [None, 7])
def test_both_start_alike(slot_size, output_size):
    """The two draw from the same distributions: the same spread, parameter by parameter."""
    sizes = dict(
        input_size=50, hidden_size=60, num_slots=70, slot_size=10 * slot_size, output_size=output_size
    )
    ours = reference.RelationalRNN(**sizes)
    theirs = nn.RelationalRNN(**sizes, generator=torch.Generator().manual_seed(0))
    found = get_parameters(theirs)
    assert found.keys() == ours.params.keys()
    for name, value in ours.params.items():
        assert found[name].shape == value.shape
        assert found[name].std() == pytest.approx(value.std(), rel=0.15), name
        assert found[name].mean() == pytest.approx(value.mean(), abs=4 * value.std() / value.size**0.5 + 1e-6)
