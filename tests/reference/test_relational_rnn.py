import numpy as np
import pytest

from helpers.gradients import check_gradient
from relational_rnn.analysis.memory import effective_rank, slot_variance
from relational_rnn.config.core import SLOT_UPDATES
from relational_rnn.reference import LSTM, RelationalRNN, RelationalRNNCell
from tolerances import assert_close

B, T, F, HIDDEN, OUT, N, S, H = 2, 5, 4, 6, 7, 3, 8, 2
X = np.random.default_rng(0).standard_normal((B, T, F))


def make(kind=RelationalRNN, slot_size=S, **options):
    layer = kind(F, HIDDEN, num_slots=N, slot_size=slot_size, num_heads=H, seed=3, **options)
    rng = np.random.default_rng(1)
    for value in layer.params.values():
        value += 0.2 * rng.standard_normal(value.shape)
    return layer


def make_state(rng, size=S):
    shapes = ((B, HIDDEN), (B, HIDDEN), (B, N, size))
    return tuple(rng.standard_normal(shape) for shape in shapes)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def plain_step(p, x, h, c, memory, slot_update):
    """docs/hybrid.md, one sample and one slot at a time."""

    def linear(layer, v):
        return p[f"{layer}.weight"] @ v + p.get(f"{layer}.bias", 0)

    outputs, hs, cs, memories = [], [], [], []
    for b in range(len(x)):
        gates = p["lstm.weight_ih"] @ x[b] + p["lstm.weight_hh"] @ h[b]
        i, f, g, o = np.split(gates + p["lstm.bias_ih"] + p["lstm.bias_hh"], 4)
        new_c = sigmoid(f) * c[b] + sigmoid(i) * np.tanh(g)
        new_h = sigmoid(o) * np.tanh(new_c)
        u = linear("memory_input", new_h) if "memory_input.weight" in p else new_h
        update = linear("update", u)
        w = [m + update if slot_update == "shared" else m for m in memory[b]]
        seen = w if slot_update == "shared" else [*w, update]
        q, k, v = ([np.split(linear(f"W_{name}", row), H) for row in seen] for name in "qkv")
        slots = []
        for n, m in enumerate(memory[b]):
            heads = []
            for head in range(H):
                scores = np.array([q[n][head] @ k[j][head] for j in range(len(seen))]) / np.sqrt(len(m) / H)
                weights = np.exp(scores) / np.exp(scores).sum()
                heads.append(sum(weights[j] * v[j][head] for j in range(len(seen))))
            new = w[n] + linear("W_o", np.concatenate(heads))
            f = sigmoid(linear("gate_memory", m) + linear("gate_input", u))
            slots.append(f * m + (1 - f) * np.tanh(new))
        r = linear("readout", np.mean(slots, axis=0))
        outputs.append(np.tanh(linear("combine", np.concatenate([new_h, r]))))
        hs.append(new_h)
        cs.append(new_c)
        memories.append(slots)
    return tuple(map(np.array, (outputs, hs, cs, memories)))


@pytest.mark.parametrize("slot_size", [S, HIDDEN])
@pytest.mark.parametrize("slot_update", SLOT_UPDATES)
def test_the_cell_is_the_equations(slot_size, slot_update):
    cell = make(RelationalRNNCell, slot_size, slot_update=slot_update)
    assert ("memory_input.weight" in cell.params) == (slot_size != HIDDEN)
    state = make_state(np.random.default_rng(0), slot_size)
    plain = plain_step(cell.params, X[:, 0], *state, slot_update)
    for actual, expected in zip(cell.forward(X[:, 0], *state), plain):
        assert_close(actual, expected)


@pytest.mark.parametrize("output_size", [None, OUT])
def test_the_sequence_is_the_cell_step_by_step(output_size):
    rnn, cell = make(output_size=output_size), make(RelationalRNNCell)
    cell.params = {name: rnn.params[name] for name in cell.params}
    outputs, *last = rnn.forward(X, return_state=True)
    state = (None, None, None)
    for t in range(T):
        expected, *state = cell.forward(X[:, t], *state)
        if output_size:
            expected = expected @ rnn.params["output.weight"].T + rnn.params["output.bias"]
        assert_close(outputs[:, t], expected)
    for actual, expected in zip(last, state):
        assert_close(actual, expected)
    assert_close(rnn.forward(X, return_sequences=False), outputs[:, -1])
    assert_close(rnn.forward(X, state=rnn.initial_state(B)), outputs)


def test_what_forward_returns():
    rnn = make(output_size=OUT)
    outputs, h, c, memory = rnn.forward(X, return_state=True)
    assert (outputs.shape, h.shape, c.shape, memory.shape) == ((B, T, OUT), *2 * ((B, HIDDEN),), (B, N, S))
    assert_close(rnn.forward(X), outputs)
    alone, trace = rnn.forward(X, return_trace=True)
    assert_close(alone, outputs)
    last, *state, again = rnn.forward(X, False, True, return_trace=True)
    assert_close(last, outputs[:, -1])
    assert_close(state[2], memory)
    for one, other in zip(trace, again):
        assert_close(one, other)
    with pytest.raises(TypeError, match="return_trace must be True or False, got 1"):
        rnn.forward(X, return_trace=1)


def test_the_trace_is_what_the_slots_did():
    rnn, outputs = make(), []
    for t in range(1, T + 1):
        *_, memory, trace = rnn.forward(X[:, :t], return_state=True, return_trace=True)
        outputs.append(memory)
    assert trace.attention.shape == (B, T, 1, H, N, N)
    assert_close(trace.attention.sum(-1), np.ones((B, T, 1, H, N)))
    assert trace.forget_gate.shape == trace.input_gate.shape == (B, T, N, S)
    # The input gate lets in tanh(new), which lies between -1 and 1.
    for t in range(1, T):
        entered = (outputs[t] - trace.forget_gate[:, t] * outputs[t - 1]) / trace.input_gate[:, t]
        assert np.abs(entered).max() < 1
    kept = [part.copy() for part in trace]
    rnn.backward(np.ones((B, T, HIDDEN)))
    rnn.forward(-X)
    for part, value in zip(trace, kept):
        np.testing.assert_array_equal(part, value)


def test_slots_that_attend_to_the_hidden_state_differ_for_longer():
    """Over 16 steps of noise the shared update makes untrained slots alike; attending keeps them apart."""
    x, ranks, variances = np.random.default_rng(0).standard_normal((16, 16, F)), {}, {}
    for slot_update in SLOT_UPDATES:
        rnn = RelationalRNN(F, 32, num_slots=4, slot_size=32, slot_update=slot_update)
        *_, memory, trace = rnn.forward(x, return_state=True, return_trace=True)
        assert trace.attention.shape[-1] == 4 + (slot_update == "attend")
        assert_close(trace.attention.sum(-1), np.ones(trace.attention.shape[:-1]))
        ranks[slot_update] = effective_rank(memory[:, None])[0]
        variances[slot_update] = slot_variance(memory[:, None])[0]
    assert variances["attend"] > 1.5 * variances["shared"]
    assert ranks["attend"] > ranks["shared"] + 0.3


@pytest.mark.parametrize("kind", [RelationalRNN, RelationalRNNCell])
@pytest.mark.parametrize("wrong", ["attention", None, 1])
def test_an_unknown_update(kind, wrong):
    with pytest.raises((TypeError, ValueError), match=f"slot_update must be .*got {wrong!r}"):
        make(kind, slot_update=wrong)


def test_its_hidden_state_is_the_lstms():
    rnn, lstm = make(), LSTM(F, HIDDEN)
    lstm.params = {name: rnn.params[f"lstm.{name}"] for name in lstm.params}
    _, h, c, _ = rnn.forward(X, return_state=True)
    _, expected = lstm.forward(X, return_state=True)
    assert_close(h, expected[0])
    assert_close(c, expected[1])


@pytest.mark.parametrize("slot_size", [S, HIDDEN])
@pytest.mark.parametrize(("output_size", "return_sequences"), [(None, True), (OUT, True), (OUT, False)])
@pytest.mark.parametrize("own_start", [True, pytest.param(False, marks=pytest.mark.slow)])
def test_backward_is_the_derivative(slot_size, output_size, return_sequences, own_start):
    rnn, rng, x = make(slot_size=slot_size, output_size=output_size), np.random.default_rng(2), X.copy()
    start = make_state(rng, slot_size) if own_start else None
    outputs, *_ = rnn.forward(x, return_sequences, True, start)
    d_outputs, d_last = rng.standard_normal(outputs.shape), make_state(rng, slot_size)

    def loss():
        outputs, *last = rnn.forward(x, return_sequences, True, start)
        return float(np.vdot(d_outputs, outputs) + sum(map(np.vdot, d_last, last)))

    d_x, d_start = rnn.backward(d_outputs, d_last)
    grads = dict(rnn.grads)
    check_gradient(loss, x, d_x, "sequence", entries=3)
    if own_start:
        assert not grads["initial_memory"].any()
        for name, value, gradient in zip(("h", "c", "memory"), start, d_start):
            check_gradient(loss, value, gradient, name, entries=3)
    assert grads.keys() == rnn.params.keys()
    for name, value in rnn.params.items():
        check_gradient(loss, value, grads[name], name, entries=3)


def test_every_parameter_is_reached():
    rnn = RelationalRNN(F, HIDDEN, OUT, N, S, H)
    outputs = rnn.forward(X)
    rnn.backward(np.random.default_rng(0).standard_normal(outputs.shape))
    # A constant added to all keys changes no softmax.
    assert {name for name, g in rnn.grads.items() if np.abs(g).max() < 1e-12} == {"W_k.bias"}


def test_the_cells_backward_is_the_derivative():
    cell, rng, x = make(RelationalRNNCell), np.random.default_rng(0), X[:, 0].copy()
    start = make_state(rng)
    d_after = (rng.standard_normal((B, HIDDEN)), *make_state(rng))

    def loss():
        return float(sum(map(np.vdot, d_after, cell.forward(x, *start))))

    loss()
    gradients, grads = cell.backward(*d_after), cell.grads
    for name, value, gradient in zip(("x", "h", "c", "memory"), (x, *start), gradients):
        check_gradient(loss, value, gradient, name)
    for name, value in cell.params.items():
        check_gradient(loss, value, grads[name], name, entries=3)


@pytest.mark.parametrize("cut", range(1, T))
def test_a_split_sequence_has_the_gradients_of_the_whole(cut):
    rng = np.random.default_rng(0)
    d_outputs, d_last = rng.standard_normal((B, T, OUT)), make_state(rng)
    whole, first, second = (make(output_size=OUT) for _ in range(3))
    outputs, *last = whole.forward(X, return_state=True)
    d_x, _ = whole.backward(d_outputs, d_last)

    outputs1, *middle = first.forward(X[:, :cut], return_state=True)
    outputs2, *last2 = second.forward(X[:, cut:], return_state=True, state=middle)
    d_x2, d_middle = second.backward(d_outputs[:, cut:], d_last)
    d_x1, _ = first.backward(d_outputs[:, :cut], d_middle)
    assert_close(np.concatenate([outputs1, outputs2], axis=1), outputs)
    assert_close(np.concatenate([d_x1, d_x2], axis=1), d_x)
    for name, gradient in whole.grads.items():
        assert_close(first.grads[name] + second.grads[name], gradient, what=name)
    for actual, expected in zip(last2, last):
        assert_close(actual, expected)


def test_backward_takes_either_gradient_and_overwrites():
    rnn, rng = make(output_size=OUT), np.random.default_rng(0)
    outputs = rnn.forward(X)
    d_outputs, d_last = rng.standard_normal(outputs.shape), make_state(rng)
    expected, _ = rnn.backward(d_outputs, d_last)
    both = rnn.grads
    from_outputs, _ = rnn.backward(d_outputs)
    first = rnn.grads
    from_state, _ = rnn.backward(None, d_last)
    assert_close(from_outputs + from_state, expected)
    for name in both:
        assert_close(first[name] + rnn.grads[name], both[name], what=name)


def test_slots_start_apart_and_stay_apart():
    rnn = RelationalRNN(F, HIDDEN, num_slots=4, slot_size=S)
    x = np.random.default_rng(0).standard_normal((B, 30, F))

    def smallest_gap(memory):
        return min(
            np.linalg.norm(memory[:, i] - memory[:, j], axis=-1).min() for i in range(4) for j in range(i)
        )

    assert smallest_gap(rnn.initial_state(B)[2]) > 0.5
    for length in (1, 30):
        *_, memory = rnn.forward(x[:, :length], return_state=True)
        assert smallest_gap(memory) > 0.1
    h, c, memory = rnn.initial_state(B)
    *_, memory = rnn.forward(x, return_state=True, state=(h, c, np.zeros_like(memory)))
    assert smallest_gap(memory) == 0  # why the start must differ: equal slots are equal for ever


def test_the_memory_stays_bounded():
    rnn = make()
    for value in rnn.params.values():
        value *= 3
    start = np.clip(rnn.initial_state(B)[2], -1, 1)
    x = 3 * np.random.default_rng(0).standard_normal((B, 300, F))
    *_, memory = rnn.forward(x, return_state=True, state=(*rnn.initial_state(B)[:2], start))
    assert 0.9 < np.abs(memory).max() <= 1


def test_initial_values():
    hidden, size = 40, 30
    rnn = RelationalRNN(20, hidden, 10, num_slots=4, slot_size=size, seed=3)
    p = rnn.params
    for block in np.split(p["lstm.weight_hh"], 4):
        np.testing.assert_allclose(block @ block.T, np.eye(hidden), atol=1e-13)
    np.testing.assert_array_equal(p["lstm.bias_ih"], np.repeat([0.0, 1.0, 0.0, 0.0], hidden))
    np.testing.assert_array_equal(p["gate_input.bias"], np.ones(size))
    biases = [name for name in p if "bias" in name and name not in ("lstm.bias_ih", "gate_input.bias")]
    assert len(biases) == 10
    assert not any(p[name].any() for name in biases)
    weights = {name: np.split(p[name], 4 if "lstm" in name else 1) for name in p}
    for name, blocks in weights.items():
        if name.endswith(("weight", "weight_ih")):
            for block in blocks:
                bound = np.sqrt(6 / sum(block.shape))
                assert 0.97 * bound < np.abs(block).max() <= bound, name
    lengths = np.linalg.norm(p["initial_memory"], axis=1)
    assert p["initial_memory"].shape == (4, size)
    assert ((lengths > 0.6) & (lengths < 1.4)).all()
    cell = RelationalRNNCell(20, hidden, 4, size, seed=3)
    for name, value in cell.params.items():
        np.testing.assert_array_equal(value, p[name], err_msg=name)
    assert not np.array_equal(
        RelationalRNNCell(20, hidden, 4, size, seed=4).params["W_q.weight"], p["W_q.weight"]
    )


@pytest.mark.parametrize("slot_size", [S, HIDDEN])
@pytest.mark.parametrize(("batch", "time"), [(1, 1), (1, T), (B, 1), (B, T)])
def test_what_was_passed_and_returned_can_be_changed_before_backward(slot_size, batch, time):
    rnn, cell = make(slot_size=slot_size), make(RelationalRNNCell, slot_size)
    x = X[:batch, :time].copy()
    start = tuple(part[:batch].copy() for part in make_state(np.random.default_rng(0), slot_size))
    kept = [part.copy() for part in (x, *start)]

    def run_rnn():
        return (
            rnn.forward(x, return_state=True, state=start),
            rnn.backward,
            lambda result: (result[0], *result[1]),
        )

    def run_cell():
        return cell.forward(x0, *start), cell.backward, tuple

    for layer, run in ((rnn, run_rnn), (cell, run_cell)):
        x0 = x[:, 0]
        returned, backward, flat = run()
        ones = [np.ones_like(part) for part in returned]
        arguments = (ones[0], ones[1:]) if layer is rnn else ones
        expected, grads = flat(backward(*arguments)), layer.grads
        returned, backward, flat = run()
        for array in (x, *start, *returned):
            array += 1
        for actual, wanted in zip(flat(backward(*arguments)), expected):
            assert_close(actual, wanted)
        for name, gradient in grads.items():
            assert_close(layer.grads[name], gradient, what=name)
        for array, value in zip((x, *start), kept):
            array[...] = value


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_dtype_stays(dtype):
    rnn = RelationalRNN(F, HIDDEN, OUT, N, S, H, dtype=dtype)
    outputs, *last = rnn.forward(X, return_state=True)
    d_x, d_start = rnn.backward(np.ones(outputs.shape))
    arrays = [outputs, *last, d_x, *d_start, *rnn.params.values(), *rnn.grads.values()]
    assert {array.dtype for array in arrays} == {np.dtype(dtype)}


def test_the_constructors_say_what_is_wrong():
    with pytest.raises(ValueError, match="num_slots must be an integer of at least 1, got 0"):
        RelationalRNN(F, HIDDEN, num_slots=0)
    with pytest.raises(ValueError, match="num_heads must divide slot_size, got num_heads=3 and slot_size=8"):
        RelationalRNNCell(F, HIDDEN, slot_size=8, num_heads=3)
    with pytest.raises(TypeError, match=r"slot_size must be an integer of at least 1, got 4\.0"):
        RelationalRNNCell(F, HIDDEN, slot_size=4.0)
    with pytest.raises(ValueError, match="output_size must be an integer of at least 1, got 0"):
        RelationalRNN(F, HIDDEN, 0)
    with pytest.raises(TypeError, match="dtype must be float32 or float64"):
        RelationalRNN(F, HIDDEN, dtype=int)


ROW, MEMORY = np.ones((B, HIDDEN)), np.ones((B, N, S))


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((X.astype(int),), TypeError, "sequence must hold floats.*, got int64"),
        ((X[0],), ValueError, r"sequence must have 3 axes \(B, T, F\).*got shape \(5, 4\)"),
        ((X[..., :3],), ValueError, "sequence must have shape .*F = 4.*where F = 3"),
        ((X, 1), TypeError, "return_sequences must be True or False, got 1"),
        ((X, True, 1), TypeError, "return_state must be True or False, got 1"),
        ((X, True, False, None, 1), TypeError, "takes from 2 to 5 positional arguments"),
        ((X, True, True, (ROW, ROW)), ValueError, r"state must be three arrays \(h, c, memory\).*got tuple"),
        ((X, True, True, (ROW, ROW[:1], MEMORY)), ValueError, "state's c must have shape .*where B = 1"),
        ((X, True, True, (ROW, ROW, MEMORY[:, :2])), ValueError, "state's memory must have shape .*N = 2"),
    ],
)
def test_forward_says_what_is_wrong(arguments, error, message):
    with pytest.raises(error, match=message):
        make().forward(*arguments)


def test_backward_and_the_cell_say_what_is_wrong():
    rnn, cell = make(output_size=OUT), make(RelationalRNNCell)
    with pytest.raises(RuntimeError, match=r"RelationalRNN\.backward needs a forward before it"):
        rnn.backward(np.ones((B, T, OUT)))
    with pytest.raises(RuntimeError, match=r"RelationalRNNCell\.backward needs a forward before it"):
        cell.backward(ROW)
    rnn.forward(X)
    with pytest.raises(ValueError, match=r"d_outputs must have shape \(B, T, O\).*got \(2, 5, 6\)"):
        rnn.backward(np.ones((B, T, HIDDEN)))
    with pytest.raises(ValueError, match="of the outputs, of the state, or both; got neither"):
        rnn.backward(None)
    with pytest.raises(ValueError, match=r"x must have 2 axes \(B, F\)"):
        cell.forward(X)
    with pytest.raises(ValueError, match=r"memory must have shape .*N = 2"):
        cell.forward(X[:, 0], ROW, ROW, MEMORY[:, :2])
    cell.forward(X[:, 0])
    with pytest.raises(ValueError, match=r"d_memory must have shape .*N = 2"):
        cell.backward(ROW, None, None, MEMORY[:, :2])
    with pytest.raises(ValueError, match="got neither"):
        cell.backward(None)
