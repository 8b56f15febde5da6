"""Every gradient against torch's, by the function that `check-gradients --torch` uses."""

import numpy as np
import pytest

from helpers.numpy_cores import CONFIGURATIONS, make_core, make_inputs
from relational_rnn.reference import (
    LSTM,
    LSTMCell,
    MultiHeadAttention,
    RelationalMemoryCell,
    RelationalRNN,
)
from relational_rnn.reference.gradient_problem import analytic_gradients

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch")
autograd = pytest.importorskip("relational_rnn.interop.autograd")

X = np.random.default_rng(0).standard_normal((2, 3, 4))


def assert_all_agree(model, inputs, state=None):
    checks = autograd.check_against_torch(model, inputs, state)
    assert {check.name for check in checks} > set(model.params)
    for check in checks:
        assert check.passed, check


@pytest.mark.parametrize("options", CONFIGURATIONS.values(), ids=CONFIGURATIONS.keys())
def test_the_memory_core(options):
    core, cell = make_core(options), make_core(options, RelationalMemoryCell)
    inputs, memory = make_inputs(core, np.random.default_rng(0))
    assert_all_agree(core, inputs)
    assert_all_agree(core, inputs, memory)
    assert_all_agree(cell, inputs[:, 0])


@pytest.mark.parametrize(
    ("model", "inputs"),
    [
        (LSTM(4, 3), X),
        (LSTM(4, 3, 5), X),
        (LSTMCell(4, 3), X[:, 0]),
        (MultiHeadAttention(4, 2), X),
        (MultiHeadAttention(4, 2), (X, X[:, :2], X[:, 1:])),
    ],
)
def test_lstm_and_attention(model, inputs):
    assert_all_agree(model, inputs)


@pytest.mark.parametrize("name", ["W_k", "b_o", "V"])
def test_a_wrong_gradient_is_named(monkeypatch, name):
    def wrong(model, problem):
        gradients = analytic_gradients(model, problem)
        return gradients | {name: gradients[name] * (1 + 1e-8) + 1e-9}

    monkeypatch.setattr(autograd, "analytic_gradients", wrong)
    checks = autograd.check_against_torch(MultiHeadAttention(4, 2), X)
    assert [check.name for check in checks if not check.passed] == [name]


def test_what_torch_does_not_have_is_said():
    with pytest.raises(TypeError, match=r"model must be one of RelationalMemory, .*; got RelationalRNN"):
        autograd.check_against_torch(RelationalRNN(4, 3, slot_size=4), X)
    with pytest.raises(TypeError, match="gradients are checked in float64"):
        autograd.check_against_torch(LSTM(4, 3, dtype="float32"), X)
