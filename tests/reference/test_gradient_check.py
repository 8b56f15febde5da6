"""The checker itself: it is exact on known functions, sees past kinks, and finds what is wrong."""

import inspect

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers.numpy_cores import make_core, make_inputs, some_configurations
from relational_rnn.reference import (
    LSTM,
    Classifier,
    LSTMCell,
    MultiHeadAttention,
    RelationalMemory,
    RelationalMemoryCell,
    RelationalRNN,
    RelationalRNNCell,
)
from relational_rnn.reference.gradient_check import (
    check_gradient,
    check_gradients,
    check_split,
    numeric_gradient,
)

B, T, F = 2, 4, 5
X = np.random.default_rng(0).standard_normal((B, T, F))

# Name -> model, its inputs, and the names of what goes in.
MODELS = {
    "rmc": (lambda: RelationalMemory(F, 3, 2, 2), X, ("inputs", "memory")),
    "rmc cell": (lambda: RelationalMemoryCell(F, 3, 2, 2), X[:, 0], ("input", "memory")),
    "hybrid": (lambda: RelationalRNN(F, 3, 2, 3, 4), X, ("sequence", "h", "c", "memory")),
    "hybrid, attend": (
        lambda: RelationalRNN(F, 3, 2, 3, 4, slot_update="attend"),
        X,
        ("sequence", "h", "c", "memory"),
    ),
    "hybrid cell": (lambda: RelationalRNNCell(F, 3, 3, 4), X[:, 0], ("x", "h", "c", "memory")),
    "lstm": (lambda: LSTM(F, 3, 2), X, ("sequence", "h", "c")),
    "lstm cell": (lambda: LSTMCell(F, 3), X[:, 0], ("input", "h", "c")),
    "attention": (lambda: MultiHeadAttention(F, 1), (X, X[:, 1:], X[:, :3]), ("Q", "K", "V")),
    "classifier of rmc": (lambda: Classifier(RelationalMemory(F, 3, 2), 2, (4,)), X, ("sequence",)),
    "classifier of hybrid": (lambda: Classifier(RelationalRNN(F, 3, 2, 2, 4), 2, (4,)), X, ("sequence",)),
    "classifier of lstm": (lambda: Classifier(LSTM(F, 3), 2, (4,)), X, ("sequence",)),
}
every_model = pytest.mark.parametrize("name", MODELS)


def make(name):
    kind, inputs, names = MODELS[name]
    model, rng = kind(), np.random.default_rng(1)
    for value in model.params.values():
        value += 0.2 * rng.standard_normal(value.shape)
    return model, inputs, names


def test_numeric_gradients_of_known_functions():
    x, weights = np.random.default_rng(0).standard_normal((2, 3, 4))
    before = x.copy()
    np.testing.assert_allclose(
        numeric_gradient(lambda: float(np.sum(weights * np.exp(x))), x), weights * np.exp(x), atol=1e-10
    )
    np.testing.assert_allclose(
        numeric_gradient(lambda: float(np.sum(np.sin(10 * x))), x), 10 * np.cos(10 * x), atol=1e-9
    )
    np.testing.assert_array_equal(x, before)


@settings(max_examples=300, derandomize=True)
@given(
    exponent=st.floats(-10, -3),
    side=st.sampled_from([-1, 1]),
    jump=st.floats(0.01, 100),
    curve=st.floats(-1, 1),
)
def test_a_kink_nearby_does_not_matter(exponent, side, jump, curve):
    kink = side * 10**exponent
    x = np.array([0.0])

    def function():
        return float(jump * np.maximum(0, x[0] - kink) + np.sin(x[0] + curve))

    expected = np.cos(curve) + (jump if kink < 0 else 0)
    assert abs(numeric_gradient(function, x)[0] - expected) < 1e-8 * max(1, jump)


def test_kinks_on_both_sides_need_a_smaller_step():
    x = np.array([0.3])
    kinks = x[0] + np.array([-2e-5, -3e-6, 5e-6, 4e-5])

    def function():
        return float(np.abs(x[0] - kinks).sum() + x[0] ** 2)

    assert abs(numeric_gradient(function, x)[0] - 0.6) < 1e-8


def test_on_a_kink_no_gradient_between_the_sides_passes():
    x = np.array([0.0])
    for between in (0.0, 0.5, -0.999):
        assert not check_gradient(lambda: float(np.abs(x[0])), x, np.array([between]), "x").passed


def test_the_array_is_restored_whatever_happens():
    x = np.ones(3)

    def function():
        if x[1] != 1:
            raise OverflowError
        return float(x.sum())

    with pytest.raises(OverflowError):
        numeric_gradient(function, x)
    assert x.tolist() == [1, 1, 1]


@pytest.mark.parametrize("wrong_entry", [0, 7, 11])
@pytest.mark.parametrize("entries", [None, 0, 3])
def test_a_wrong_entry_is_found_also_when_few_are_looked_at(wrong_entry, entries):
    x = np.random.default_rng(0).standard_normal((3, 4))
    gradient = 3 * x**2

    def function():
        return float(np.sum(x**3))

    right = check_gradient(function, x, gradient, "x", entries=entries)
    assert right.passed
    assert right[:3] == ("x", (3, 4), 12 if entries is None else entries)
    assert right.largest == np.abs(gradient).max()
    assert right.allowed == 1e-7 * right.largest
    gradient.flat[wrong_entry] += 4 * right.allowed * (1 if entries is None else np.sqrt(12))
    wrong = check_gradient(function, x, gradient, "x", entries=entries)
    assert not wrong.passed
    assert wrong.difference > wrong.allowed
    for value in (np.nan, np.inf, -np.inf):
        gradient.flat[wrong_entry] = value
        with np.errstate(invalid="ignore"):
            assert not check_gradient(function, x, gradient, "x", entries=entries).passed


@every_model
def test_every_array_of_every_model(name):
    model, inputs, names = make(name)
    before = {name: value.copy() for name, value in model.params.items()}
    checks = check_gradients(model, inputs)
    assert sorted(check.name for check in checks) == sorted([*names, *model.params])
    for check in checks:
        assert check.passed, check
        assert check.entries == np.prod(check.shape)
    for name, value in model.params.items():
        np.testing.assert_array_equal(value, before[name])


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=pytest.mark.slow if name.startswith(("classifier", "hybrid")) else ())
        for name in MODELS
    ],
)
def test_whichever_gradient_is_wrong_it_is_named(name):
    model, inputs, names = make(name)
    backward = model.backward
    for victim in (*names, *model.params):

        def wrong_backward(*gradients, victim=victim):
            returned = backward(*gradients)
            flat = returned if isinstance(returned, tuple) else (returned,)
            flat = [part for group in flat for part in (group if isinstance(group, tuple) else (group,))]
            array = dict(zip(names, flat, strict=True)).get(victim)
            array = model.grads[victim] if array is None else array
            # In place, so in what is returned too; a direction through all entries sees its share.
            array.flat[0] += 3e-7 * max(1.0, np.abs(array).max()) * np.sqrt(array.size)
            return returned

        model.backward = wrong_backward
        wrong = [check.name for check in check_gradients(model, inputs, entries=0) if not check.passed]
        assert wrong == [victim]


@some_configurations
def test_a_classifier_of_every_core(options):
    core = make_core(options)
    inputs, _ = make_inputs(core, np.random.default_rng(0), batch=2)
    for check in check_gradients(Classifier(core, 3, (4,)), inputs, entries=0):
        assert check.passed, check


def test_the_given_state_is_used():
    model, state = LSTM(F, 3), (np.full((B, 3), 0.1), np.full((B, 3), 50.0))
    sizes = {check.name: check.largest for check in check_gradients(model, X, state, entries=1)}
    assert sizes["weight_ih"] != next(
        check.largest for check in check_gradients(model, X, entries=1) if check.name == "weight_ih"
    )
    core = RelationalMemory(F, 3, 2)
    assert all(check.passed for check in check_gradients(core, X, core.initial_state(B), entries=1))


SEQUENCE_MODELS = {
    "lstm": lambda: LSTM(F, 3, 2),
    "lstm, no output layer": lambda: LSTM(F, 3),
    "hybrid": lambda: RelationalRNN(F, 3, 2, 3, 4),
    "rmc": lambda: RelationalMemory(F, 3, 2, 2),
    "rmc, trainable memory": lambda: RelationalMemory(F, 3, 2, initial_memory="trainable"),
}


@pytest.mark.parametrize("at", range(1, T))
@pytest.mark.parametrize("name", SEQUENCE_MODELS)
def test_a_sequence_in_two_parts_has_the_gradients_of_the_whole(name, at):
    model = SEQUENCE_MODELS[name]()
    checks = check_split(model, X, at)
    assert {check.name for check in checks} > set(model.params)
    for check in checks:
        assert check.passed, check
        assert check.largest > 0 or check.name == "W_k.bias", check


@pytest.mark.parametrize("kind", [LSTM, RelationalRNN])
def test_a_state_cut_off_from_the_gradient_is_found(kind):
    class Detached(kind):
        def backward(self, d_outputs, d_state=None):
            return super().backward(d_outputs)

    checks = check_split(Detached(F, 4), X, 2)
    assert not all(check.passed for check in checks)


def test_what_is_wrong_is_said():
    x = np.ones(3)
    with pytest.raises(TypeError, match="array must be float64, got float32"):
        numeric_gradient(lambda: 0.0, x.astype(np.float32))
    with pytest.raises(ValueError, match=r"the gradient of x must have shape \(3,\), got \(1, 3\)"):
        check_gradient(lambda: 0.0, x, x[None], "x")
    with pytest.raises(ValueError, match="entries must be an integer of at least 0, got -1"):
        check_gradient(lambda: 0.0, x, x, "x", entries=-1)
    with pytest.raises(TypeError, match=r"checked in float64, got a LSTM of float32.*dtype='float64'"):
        check_gradients(LSTM(F, 3, dtype="float32"), X)
    with pytest.raises(TypeError, match=r"model must be one of RelationalMemory, .*Classifier; got list"):
        check_gradients([], X)
    with pytest.raises(ValueError, match="state must be None: a Classifier takes none"):
        check_gradients(Classifier(LSTM(F, 3), 2), X, X)
    with pytest.raises(ValueError, match=r"sequence must have shape .*F = 5"):
        check_gradients(LSTM(F, 3), X[..., :2])
    with pytest.raises(TypeError, match="an LSTM, which take a sequence and a state; got LSTMCell"):
        check_split(LSTMCell(F, 3), X[:, 0], 1)
    for at in (0, T):
        with pytest.raises(ValueError, match="at must be "):
            check_split(LSTM(F, 3), X, at)


def test_every_model_of_the_room_is_here():
    import relational_rnn.reference as room

    public = {value for value in vars(room).values() if inspect.isclass(value) and hasattr(value, "backward")}
    assert {type(kind()) for kind, _, _ in MODELS.values()} == public
