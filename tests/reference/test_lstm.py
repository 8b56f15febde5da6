import numpy as np
import pytest

from helpers.gradients import check_gradient
from relational_rnn.reference import LSTM, LSTMCell
from tolerances import assert_close

B, T, F, HIDDEN, OUT = 2, 5, 4, 3, 6


def make(kind=LSTM, **options):
    layer = kind(F, HIDDEN, **options)
    rng = np.random.default_rng(1)
    for value in layer.params.values():
        value += 0.2 * rng.standard_normal(value.shape)
    return layer


def make_inputs(rng):
    return rng.standard_normal((B, T, F)), [rng.standard_normal((B, HIDDEN)) for _ in "hc"]


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def test_the_cell_is_the_equations():
    cell = make(LSTMCell)
    sequence, (h, c) = make_inputs(np.random.default_rng(0))
    x, p = sequence[:, 0], cell.params
    gates = x @ p["weight_ih"].T + p["bias_ih"] + h @ p["weight_hh"].T + p["bias_hh"]
    i, f, g, o = np.split(gates, 4, axis=1)
    expected_c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
    after_h, after_c = cell.forward(x, (h, c))
    assert_close(after_c, expected_c)
    assert_close(after_h, sigmoid(o) * np.tanh(expected_c))


@pytest.mark.parametrize("output_size", [None, OUT])
def test_the_sequence_is_the_cell_step_by_step(output_size):
    lstm, cell = make(output_size=output_size), LSTMCell(F, HIDDEN)
    cell.params = {name: lstm.params[name] for name in cell.params}
    sequence, start = make_inputs(np.random.default_rng(0))
    outputs, last = lstm.forward(sequence, return_state=True, state=start)
    state = tuple(start)
    for t in range(T):
        state = cell.forward(sequence[:, t], state)
        expected = state[0]
        if output_size:
            expected = expected @ lstm.params["output.weight"].T + lstm.params["output.bias"]
        assert_close(outputs[:, t], expected)
    assert_close(last, state)
    only_last = lstm.forward(sequence, return_sequences=False, state=start)
    assert_close(only_last, outputs[:, -1])
    zeros = np.zeros((B, HIDDEN))
    assert_close(lstm.forward(sequence), lstm.forward(sequence, state=(zeros, zeros)))


@pytest.mark.parametrize(("batch", "time"), [(1, 1), (1, T), (B, 1), (B, T)])
def test_what_was_passed_can_be_changed_before_backward(batch, time):
    sequence, start = make_inputs(np.random.default_rng(0))
    sequence, start = sequence[:batch, :time].copy(), [x[:batch] for x in start]
    lstm, cell = make(output_size=OUT), make(LSTMCell)

    def run_lstm():
        return lstm.forward(sequence, return_state=True, state=start)

    def run_cell():
        return cell.forward(x, start)

    x = sequence[:, 0].copy()
    for layer, forward in ((lstm, run_lstm), (cell, run_cell)):
        one, other = forward()
        ones = np.ones_like(one), tuple(map(np.ones_like, other)) if layer is lstm else np.ones_like(other)
        d_x, d_state = layer.backward(*ones)
        grads = layer.grads
        one, other = forward()
        before = [array.copy() for array in (sequence, x, *start)]
        for array in (sequence, x, *start, one, *(other if layer is lstm else [other])):
            array += 1
        d_x_after, d_state_after = layer.backward(*ones)
        assert_close(d_x_after, d_x)
        assert_close(d_state_after, d_state)
        for name, gradient in grads.items():
            assert_close(layer.grads[name], gradient, what=name)
        for array, value in zip((sequence, x, *start), before, strict=True):
            array[...] = value


@pytest.mark.parametrize("output_size", [None, OUT])
@pytest.mark.parametrize("return_sequences", [True, False])
def test_backward_is_the_derivative(output_size, return_sequences):
    lstm, rng = make(output_size=output_size), np.random.default_rng(0)
    sequence, start = make_inputs(rng)
    outputs, last = lstm.forward(sequence, return_sequences, True, start)
    d_outputs, d_last = rng.standard_normal(outputs.shape), [rng.standard_normal(x.shape) for x in last]

    def loss():
        outputs, last = lstm.forward(sequence, return_sequences, True, start)
        return float(np.vdot(d_outputs, outputs) + sum(map(np.vdot, d_last, last)))

    d_sequence, d_start = lstm.backward(d_outputs, d_last)
    grads = dict(lstm.grads)
    check_gradient(loss, sequence, d_sequence, "sequence")
    check_gradient(loss, start[0], d_start[0], "h")
    check_gradient(loss, start[1], d_start[1], "c")
    assert grads.keys() == lstm.params.keys()
    for name, value in lstm.params.items():
        check_gradient(loss, value, grads[name], name)


def test_backward_takes_either_gradient_and_overwrites():
    lstm, rng = make(output_size=OUT), np.random.default_rng(0)
    sequence, start = make_inputs(rng)
    outputs, last = lstm.forward(sequence, return_state=True, state=start)
    d_outputs, d_last = rng.standard_normal(outputs.shape), [rng.standard_normal(x.shape) for x in last]
    expected, _ = lstm.backward(d_outputs, d_last)
    both = dict(lstm.grads)
    from_outputs, _ = lstm.backward(d_outputs)
    first = dict(lstm.grads)
    from_state, _ = lstm.backward(None, d_last)
    assert_close(from_outputs + from_state, expected)
    for name in both:
        assert_close(first[name] + lstm.grads[name], both[name], what=name)


def test_the_cells_backward_is_the_derivative():
    cell, rng = make(LSTMCell), np.random.default_rng(0)
    sequence, start = make_inputs(rng)
    x, d_h, d_c = sequence[:, 0], rng.standard_normal((B, HIDDEN)), rng.standard_normal((B, HIDDEN))

    def loss():
        h, c = cell.forward(x, start)
        return float(np.vdot(d_h, h) + np.vdot(d_c, c))

    loss()
    d_x, d_start = cell.backward(d_h, d_c)
    grads = dict(cell.grads)
    check_gradient(loss, x, d_x, "input")
    check_gradient(loss, start[0], d_start[0], "h")
    check_gradient(loss, start[1], d_start[1], "c")
    for name, value in cell.params.items():
        check_gradient(loss, value, grads[name], name)


def test_initial_values():
    lstm = LSTM(50, 40, 30, seed=3)
    for block in np.split(lstm.params["weight_hh"], 4):
        np.testing.assert_allclose(block @ block.T, np.eye(40), atol=1e-13)
    bound = np.sqrt(6 / 90)
    for block in np.split(lstm.params["weight_ih"], 4):
        assert 0.98 * bound < np.abs(block).max() <= bound
    np.testing.assert_array_equal(lstm.params["bias_ih"], np.repeat([0.0, 1.0, 0.0, 0.0], 40))
    assert not lstm.params["bias_hh"].any()
    assert not lstm.params["output.bias"].any()
    assert np.abs(lstm.params["output.weight"]).max() <= np.sqrt(6 / 70)
    np.testing.assert_array_equal(lstm.params["weight_hh"], LSTMCell(50, 40, seed=3).params["weight_hh"])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_dtype_stays(dtype):
    lstm = LSTM(F, HIDDEN, OUT, dtype=dtype)
    sequence, start = make_inputs(np.random.default_rng(0))
    outputs, last = lstm.forward(sequence, return_state=True, state=start)
    d_sequence, d_start = lstm.backward(np.ones(outputs.shape))
    arrays = [outputs, *last, d_sequence, *d_start, *lstm.params.values(), *lstm.grads.values()]
    assert {array.dtype for array in arrays} == {np.dtype(dtype)}


def test_the_outputs_can_be_changed_before_backward():
    lstm = make()
    sequence, _ = make_inputs(np.random.default_rng(0))
    outputs, last = lstm.forward(sequence, return_state=True)
    d_sequence, _ = lstm.backward(np.ones_like(outputs))
    expected = dict(lstm.grads)
    outputs += 1
    for part in last:
        part += 1
    again, _ = lstm.backward(np.ones_like(outputs))
    assert_close(again, d_sequence)
    assert_close(lstm.grads["weight_hh"], expected["weight_hh"])


def test_the_constructors_say_what_is_wrong():
    with pytest.raises(ValueError, match="hidden_size must be an integer of at least 1, got 0"):
        LSTM(F, 0)
    with pytest.raises(TypeError, match=r"input_size must be an integer of at least 1, got 4\.0"):
        LSTMCell(4.0, HIDDEN)
    with pytest.raises(ValueError, match="output_size must be an integer of at least 1, got 0"):
        LSTM(F, HIDDEN, 0)
    with pytest.raises(TypeError, match="dtype must be float32 or float64"):
        LSTM(F, HIDDEN, dtype=int)


X = np.ones((B, T, F))
STATE = np.ones((B, HIDDEN))


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((X.astype(int),), TypeError, "sequence must hold floats.*, got int64"),
        ((X[0],), ValueError, r"sequence must have 3 axes \(B, T, F\).*got shape \(5, 4\)"),
        ((X[..., :3],), ValueError, "sequence must have shape .*F = 4.*where F = 3"),
        ((X[:, :0],), ValueError, "sequence must not be empty.*where T = 0"),
        ((X, 1), TypeError, "return_sequences must be True or False, got 1"),
        ((X, True, 1), TypeError, "return_state must be True or False, got 1"),
        ((X, True, True, STATE), ValueError, r"state must be a pair \(h, c\).*got ndarray"),
        ((X, True, True, (STATE,)), ValueError, r"state must be a pair \(h, c\).*got tuple"),
        ((X, True, True, (STATE, STATE[:1])), ValueError, "state's c must have shape .*where B = 1"),
        ((X, True, True, (STATE > 0, STATE)), TypeError, "state's h must hold floats.*, got bool"),
    ],
)
def test_forward_says_what_is_wrong(arguments, error, message):
    with pytest.raises(error, match=message):
        LSTM(F, HIDDEN).forward(*arguments)


def test_backward_says_what_is_wrong():
    lstm, cell = LSTM(F, HIDDEN, OUT), LSTMCell(F, HIDDEN)
    with pytest.raises(RuntimeError, match=r"LSTM\.backward needs a forward before it"):
        lstm.backward(np.ones((B, T, OUT)))
    with pytest.raises(RuntimeError, match=r"LSTMCell\.backward needs a forward before it"):
        cell.backward(STATE)
    lstm.forward(X)
    with pytest.raises(ValueError, match=r"d_outputs must have shape \(B, T, O\).*got \(2, 5, 3\)"):
        lstm.backward(np.ones((B, T, HIDDEN)))
    with pytest.raises(ValueError, match="of the outputs, of the state, or both; got neither"):
        lstm.backward(None)
    lstm.forward(X, return_sequences=False)
    with pytest.raises(ValueError, match=r"d_outputs must have 2 axes \(B, O\)"):
        lstm.backward(np.ones((B, T, OUT)))
    cell.forward(X[:, 0])
    with pytest.raises(ValueError, match="d_state's h must have shape"):
        cell.backward(STATE[:1])
    with pytest.raises(ValueError, match="of h, of c, or both; got neither"):
        cell.backward(None)
    with pytest.raises(ValueError, match=r"input must have 2 axes \(B, F\)"):
        cell.forward(X)
