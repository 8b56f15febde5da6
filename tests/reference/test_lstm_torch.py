"""The LSTM against torch's, outputs and gradients."""

import numpy as np
import pytest

from relational_rnn.reference import LSTM, LSTMCell
from tolerances import assert_close

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch")

B, T, F, HIDDEN, OUT = 2, 7, 4, 3, 6


@pytest.fixture
def pair():
    """Ours with an output layer, and torch's LSTM and Linear with the same weights."""
    ours = LSTM(F, HIDDEN, OUT, seed=5)
    rng = np.random.default_rng(1)
    for value in ours.params.values():
        value += 0.3 * rng.standard_normal(value.shape)
    theirs = torch.nn.LSTM(F, HIDDEN, batch_first=True, dtype=torch.float64)
    head = torch.nn.Linear(HIDDEN, OUT, dtype=torch.float64)
    with torch.no_grad():
        for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
            getattr(theirs, f"{name}_l0").copy_(torch.tensor(ours.params[name]))
        for name in ("weight", "bias"):
            getattr(head, name).copy_(torch.tensor(ours.params[f"output.{name}"]))
    return ours, theirs, head


@pytest.mark.parametrize("return_sequences", [True, False])
def test_it_is_torchs_lstm(pair, return_sequences):
    ours, theirs, head = pair
    rng = np.random.default_rng(0)
    sequence, h0, c0 = rng.standard_normal((B, T, F)), *rng.standard_normal((2, B, HIDDEN))
    x, h, c = (torch.tensor(value, requires_grad=True) for value in (sequence, h0, c0))
    hiddens, (h_last, c_last) = theirs(x, (h[None], c[None]))
    expected = head(hiddens) if return_sequences else head(hiddens[:, -1])
    d_outputs, d_h, d_c = rng.standard_normal(expected.shape), *rng.standard_normal((2, B, HIDDEN))

    outputs, state = ours.forward(sequence, return_sequences, True, (h0, c0))
    d_sequence, d_state = ours.backward(d_outputs, (d_h, d_c))
    loss = (expected * torch.tensor(d_outputs)).sum()
    (loss + (h_last[0] * torch.tensor(d_h)).sum() + (c_last[0] * torch.tensor(d_c)).sum()).backward()

    assert_close(outputs, expected.detach(), what="outputs")
    assert_close(state[0], h_last[0].detach(), what="h")
    assert_close(state[1], c_last[0].detach(), what="c")
    assert_close(d_sequence, x.grad, what="d_sequence")
    assert_close(d_state[0], h.grad, what="d_h")
    assert_close(d_state[1], c.grad, what="d_c")
    for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
        assert_close(ours.grads[name], getattr(theirs, f"{name}_l0").grad, what=name)
    for name in ("weight", "bias"):
        assert_close(ours.grads[f"output.{name}"], getattr(head, name).grad, what=name)


def test_the_cell_is_torchs_cell(pair):
    ours, theirs = LSTMCell(F, HIDDEN), torch.nn.LSTMCell(F, HIDDEN, dtype=torch.float64)
    ours.params = {name: pair[0].params[name] for name in ours.params}
    with torch.no_grad():
        for name, value in ours.params.items():
            getattr(theirs, name).copy_(torch.tensor(value))
    x = np.random.default_rng(0).standard_normal((B, F))
    for actual, expected in zip(ours.forward(x), theirs(torch.tensor(x)), strict=True):
        assert_close(actual, expected.detach())
