import numpy as np
import pytest

from helpers.gradients import check_gradient
from relational_rnn.reference import LSTM, Classifier, LSTMCell, RelationalMemory, RelationalRNN
from tolerances import assert_close

B, T, F, C = 2, 3, 4, 5
X = np.random.default_rng(0).standard_normal((B, T, F))

CORES = {
    "lstm": lambda: LSTM(F, 3),
    "hybrid": lambda: RelationalRNN(F, 3, num_slots=2, slot_size=4),
    "rmc": lambda: RelationalMemory(F, mem_slots=2, head_size=3, num_heads=2),
}


def make(core, hidden_sizes=()):
    model = Classifier(CORES[core](), C, hidden_sizes)
    rng = np.random.default_rng(1)
    for value in model.params.values():
        value += 0.2 * rng.standard_normal(value.shape)
    return model


@pytest.mark.parametrize("core", CORES)
@pytest.mark.parametrize("hidden_sizes", [(), pytest.param((6,), marks=pytest.mark.slow), (6, 7)])
@pytest.mark.parametrize("return_sequences", [True, False])
def test_backward_is_the_derivative(core, hidden_sizes, return_sequences):
    model, rng, x = make(core, hidden_sizes), np.random.default_rng(0), X.copy()
    scores = model.forward(x, return_sequences)
    assert scores.shape == ((B, T, C) if return_sequences else (B, C))
    d_scores = rng.standard_normal(scores.shape)
    d_x, grads = model.backward(d_scores), model.grads
    assert grads.keys() == model.params.keys()

    def loss():
        return float(np.vdot(d_scores, model.forward(x, return_sequences)))

    check_gradient(loss, x, d_x, "sequence", entries=3)
    for name, value in model.params.items():
        check_gradient(loss, value, grads[name], name, entries=2)


@pytest.mark.parametrize("core", CORES)
def test_it_is_the_head_on_the_cores_outputs(core):
    model = make(core, (6,))
    result = model.core.forward(X)
    outputs, p = result[0] if isinstance(result, tuple) else result, model.params
    inner = np.maximum(outputs @ p["head.0.weight"].T + p["head.0.bias"], 0)
    expected = inner @ p["head.1.weight"].T + p["head.1.bias"]
    assert_close(model.forward(X), expected)
    assert_close(model.forward(X, return_sequences=False), expected[:, -1])
    assert {name for name in p if name.startswith("core.")} == {f"core.{name}" for name in model.core.params}


def test_a_sequence_step_by_step():
    model, memory, found = make("rmc", (6,)), None, []
    for step in range(T):
        output, memory = model.core.forward(X[:, step : step + 1], memory)
        found.append(model.score(output))
    np.testing.assert_allclose(np.concatenate(found, axis=1), model.forward(X), atol=1e-12)
    with pytest.raises(
        ValueError, match=rf"outputs must have {output.shape[-1]} features, got shape \({B}, 1\)"
    ):
        model.score(np.ones((B, 1)))


def test_initial_values_and_dtype():
    model = Classifier(LSTM(F, 30, dtype="float32"), 10, (20,), seed=3)
    for layer, sizes in enumerate([50, 30]):
        weight = model.params[f"head.{layer}.weight"]
        assert 0.95 * np.sqrt(6 / sizes) < np.abs(weight).max() <= np.float32(np.sqrt(6 / sizes))
        assert not model.params[f"head.{layer}.bias"].any()
    d_x = model.backward(np.ones_like(model.forward(X)))
    assert {array.dtype for array in (d_x, *model.params.values(), *model.grads.values())} == {
        np.dtype(np.float32)
    }


def test_it_says_what_is_wrong():
    with pytest.raises(
        TypeError, match="core must be an LSTM, a RelationalRNN or a RelationalMemory, got LSTMCell"
    ):
        Classifier(LSTMCell(F, 3), C)
    with pytest.raises(ValueError, match="classes must be an integer of at least 1, got 0"):
        Classifier(LSTM(F, 3), 0)
    with pytest.raises(TypeError, match=r"hidden_sizes must be a sequence such as \(16,\), got 16"):
        Classifier(LSTM(F, 3), C, hidden_sizes=16)
    with pytest.raises(ValueError, match="hidden_sizes must be an integer of at least 1, got 0"):
        Classifier(LSTM(F, 3), C, (4, 0))
    model = make("rmc")
    with pytest.raises(RuntimeError, match=r"Classifier\.backward needs a forward before it"):
        model.backward(np.ones((B, C)))
    model.forward(X, return_sequences=False)
    with pytest.raises(ValueError, match=r"d_scores must have 2 axes \(B, C\)"):
        model.backward(np.ones((B, T, C)))
    with pytest.raises(TypeError, match="return_sequences must be True or False, got 0"):
        model.forward(X, 0)
