import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from relational_rnn.reference import SGD, Adam, clip_gradients
from tolerances import assert_close

SHAPES = {"a": (3, 2), "b": (4,), "c.d": (2,)}


def draw(seed):
    rng = np.random.default_rng(seed)
    return {name: rng.standard_normal(shape) for name, shape in SHAPES.items()}


def run(optimizer, params, seeds):
    for seed in seeds:
        optimizer.step(params, draw(seed))
    return params


MAKERS = [
    lambda: SGD(0.1),
    lambda: SGD(0.1, momentum=0.9),
    lambda: Adam(0.01),
    lambda: Adam(0.02, beta1=0.5, beta2=0.9, epsilon=0.1),
]


@pytest.mark.torch
@pytest.mark.parametrize(
    ("make", "name", "options"),
    [
        (MAKERS[0], "SGD", {"lr": 0.1}),
        (MAKERS[1], "SGD", {"lr": 0.1, "momentum": 0.9}),
        (MAKERS[2], "Adam", {"lr": 0.01}),
        (MAKERS[3], "Adam", {"lr": 0.02, "betas": (0.5, 0.9), "eps": 0.1}),
    ],
)
def test_they_are_torchs(make, name, options):
    torch = pytest.importorskip("torch")
    params = draw(0)
    theirs = {name: torch.tensor(value, requires_grad=True) for name, value in params.items()}
    optimizer = getattr(torch.optim, name)(theirs.values(), **options)
    for seed in range(1, 8):
        for key, gradient in draw(seed).items():
            theirs[key].grad = torch.tensor(gradient)
        optimizer.step()
    run(make(), params, range(1, 8))
    for key, value in params.items():
        assert_close(value, theirs[key].detach(), what=key)


@pytest.mark.parametrize("make", MAKERS)
def test_a_restored_optimizer_goes_on(make):
    expected = run(make(), draw(0), range(1, 7))
    first = make()
    params = run(first, draw(0), range(1, 4))
    state = first.state_dict()
    run(first, draw(5), range(3))  # changes neither the state taken nor what it restores
    second = make()
    second.load_state_dict(state)
    run(second, params, range(4, 7))
    for name, value in params.items():
        np.testing.assert_array_equal(value, expected[name])


@pytest.mark.parametrize("make", MAKERS)
def test_the_dtype_stays_and_gradients_are_left_alone(make):
    params = {name: value.astype(np.float32) for name, value in draw(0).items()}
    grads = {name: value.astype(np.float32) for name, value in draw(1).items()}
    kept = {name: value.copy() for name, value in grads.items()}
    optimizer = make()
    optimizer.step(params, grads)
    optimizer.step(params, grads)
    arrays = [*params.values(), *(v for k, v in optimizer.state_dict().items() if k != "steps")]
    assert {array.dtype for array in arrays} == {np.dtype(np.float32)}
    for name, value in kept.items():
        np.testing.assert_array_equal(grads[name], value)


@given(seed=st.integers(0, 1000), scale=st.floats(1e-6, 1e6), max_norm=st.floats(1e-3, 1e3))
def test_clipping_keeps_the_direction_and_bounds_the_norm(seed, scale, max_norm):
    grads = {name: scale * value for name, value in draw(seed).items()}
    clipped, norm = clip_gradients(grads, max_norm)

    def joined(arrays):
        return np.concatenate([array.ravel() for array in arrays.values()])

    np.testing.assert_allclose(norm, np.linalg.norm(joined(grads)), rtol=1e-12)
    np.testing.assert_allclose(np.linalg.norm(joined(clipped)), min(norm, max_norm), rtol=1e-12)
    np.testing.assert_allclose(joined(clipped) / min(norm, max_norm), joined(grads) / norm, atol=1e-12)


def test_clipping_takes_zero_and_large_float32():
    clipped, norm = clip_gradients({"a": np.zeros(2)}, 1.0)
    assert norm == 0
    assert not clipped["a"].any()
    clipped, norm = clip_gradients({"a": np.full(4, 1e30, np.float32)}, 1.0)
    np.testing.assert_allclose(norm, 2e30, rtol=1e-6)
    np.testing.assert_allclose(clipped["a"], 0.5, rtol=1e-6)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: SGD(-1), ValueError, "learning_rate must be a finite number from 0"),
        (lambda: SGD("1"), TypeError, "learning_rate must be a number"),
        (lambda: SGD(0.1, momentum=2), ValueError, "momentum must be a finite number from 0 to 1, got 2"),
        (lambda: Adam(beta2=1), ValueError, "beta2 must be a finite number from 0 to 0.99.*got 1"),
        (lambda: Adam(epsilon=0), ValueError, "epsilon must be a finite number.*got 0"),
        (lambda: Adam().step(draw(0), {"a": np.ones((3, 2))}), ValueError, "names of params.* has b, c.d"),
        (
            lambda: SGD(1).step(draw(0), draw(0) | {"b": np.ones(1)}),
            ValueError,
            r"'b'\] must have shape \(4,\)",
        ),
        (lambda: Adam().load_state_dict({}), ValueError, "must hold 'steps', got nothing"),
        (lambda: SGD(1).load_state_dict({"mean.a": np.ones(1)}), ValueError, "velocity.<name>, got 'mean.a'"),
        (lambda: clip_gradients(draw(0), 0), ValueError, "max_norm must be above 0"),
    ],
)
def test_they_say_what_is_wrong(call, error, message):
    with pytest.raises(error, match=message):
        call()
