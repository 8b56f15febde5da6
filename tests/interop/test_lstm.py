"""The NumPy LSTM and torch's with the same weights, both ways."""

import numpy as np
import pytest

from relational_rnn import reference
from relational_rnn.interop import get_parameters
from relational_rnn.interop.lstm import export_torch_lstm, load_torch_lstm
from tolerances import assert_close

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch")
nn = pytest.importorskip("relational_rnn.nn")

F, HIDDEN, B, T = 5, 6, 4, 7


def make_torch(kind="torch"):
    torch.manual_seed(0)
    return (torch.nn.LSTM if kind == "torch" else nn.LSTM)(F, HIDDEN, batch_first=True, dtype=torch.float64)


def assert_equal_with_gradients(ours, theirs):
    rng = np.random.default_rng(0)
    x, h, c, d_h, d_c = rng.standard_normal((B, T, F)), *rng.standard_normal((4, B, HIDDEN))
    outputs, last = ours.forward(x, return_state=True, state=(h, c))
    d_outputs = rng.standard_normal(outputs.shape)
    d_x, d_state = ours.backward(d_outputs, (d_h, d_c))

    inputs = torch.tensor(x, requires_grad=True)
    state = tuple(torch.tensor(s[None], requires_grad=True) for s in (h, c))
    expected, (h_last, c_last) = theirs(inputs, state)
    given = [torch.from_numpy(d) for d in (d_outputs, d_h[None], d_c[None])]
    torch.autograd.backward([expected, h_last, c_last], given)
    assert_close(outputs, expected.detach(), what="outputs")
    assert_close(last[0], h_last[0].detach(), what="h")
    assert_close(last[1], c_last[0].detach(), what="c")
    assert_close(d_x, inputs.grad, what="gradient of the inputs")
    for name, actual, reference_state in zip("hc", d_state, state, strict=True):
        assert_close(actual, reference_state.grad[0], what=f"gradient of {name}")
    for name, parameter in getattr(theirs, "lstm", theirs).named_parameters():
        assert_close(ours.grads[name.removesuffix("_l0")], parameter.grad, what=f"gradient of {name}")


@pytest.mark.parametrize("kind", ["torch", "ours"])
def test_from_torch(kind):
    theirs = make_torch(kind)
    ours = reference.LSTM(F, HIDDEN, seed=3)
    load_torch_lstm(ours, theirs)
    assert_equal_with_gradients(ours, theirs)
    with torch.no_grad():  # a copy
        for parameter in theirs.parameters():
            parameter.zero_()
    assert all(value.any() for value in ours.params.values())


@pytest.mark.parametrize("kind", ["torch", "ours"])
def test_to_torch(kind):
    ours = reference.LSTM(F, HIDDEN, seed=3)
    for value in ours.params.values():
        value += np.random.default_rng(1).standard_normal(value.shape)
    theirs = make_torch(kind)
    exported = export_torch_lstm(ours)
    getattr(theirs, "lstm", theirs).load_state_dict(exported)
    assert_equal_with_gradients(ours, theirs)
    for value in exported.values():
        value.zero_()
    assert all(value.any() for value in ours.params.values())


def test_the_cell_and_the_output_layer():
    theirs = make_torch()
    cell = reference.LSTMCell(F, HIDDEN)
    load_torch_lstm(cell, theirs)
    x = np.random.default_rng(0).standard_normal((B, F))
    assert_close(cell.forward(x)[0], theirs(torch.from_numpy(x)[:, None])[0][:, 0].detach())
    ours = reference.LSTM(F, HIDDEN, output_size=3)
    head = ours.params["output.weight"].copy()
    load_torch_lstm(ours, theirs)
    np.testing.assert_array_equal(ours.params["output.weight"], head)
    assert list(export_torch_lstm(ours)) == list(theirs.state_dict())


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (
            lambda: torch.nn.GRU(F, HIDDEN),
            TypeError,
            "must be torch.nn.LSTM or relational_rnn.nn.LSTM, got GRU",
        ),
        (lambda: torch.nn.LSTM(F, HIDDEN, 2), ValueError, "module must have num_layers=1, got 2"),
        (lambda: nn.LSTM(F, HIDDEN, 2), ValueError, "module must have num_layers=1, got 2"),
        (lambda: torch.nn.LSTM(F, HIDDEN, bidirectional=True), ValueError, "bidirectional=False, got True"),
        (lambda: torch.nn.LSTM(F, HIDDEN, bias=False), ValueError, "bias=True, got False"),
        (lambda: torch.nn.LSTM(F, HIDDEN, proj_size=2), ValueError, "proj_size=0, got 2"),
        (
            lambda: torch.nn.LSTM(F + 1, HIDDEN),
            ValueError,
            r"weight_ih must have shape \(24, 5\), got \(24, 6\)",
        ),
        (lambda: torch.nn.LSTM(F, HIDDEN + 1), ValueError, r"must have shape \(24, 5\), got \(28, 5\)"),
    ],
)
def test_errors(make, error, message):
    ours = reference.LSTM(F, HIDDEN)
    before = get_parameters(ours)
    with pytest.raises(error, match=message):
        load_torch_lstm(ours, make())
    for name, value in before.items():
        np.testing.assert_array_equal(ours.params[name], value)
