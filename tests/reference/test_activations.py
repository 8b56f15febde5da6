import numpy as np
import pytest

from helpers.gradients import check_gradient
from relational_rnn.reference import activations
from tolerances import assert_close


@pytest.mark.parametrize("name", ["relu", "tanh", "sigmoid", "gelu"])
def test_backward_is_the_derivative(name):
    forward, backward = getattr(activations, f"{name}_forward"), getattr(activations, f"{name}_backward")
    rng = np.random.default_rng(0)
    x = rng.uniform(0.1, 3, (4, 5)) * rng.choice([-1, 1], (4, 5))  # away from the kink at 0
    g = rng.standard_normal(x.shape)
    check_gradient(lambda: float(np.vdot(g, forward(x)[0])), x, backward(g, forward(x)[1]), name)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_sigmoid_is_the_logistic_function_and_never_overflows(dtype):
    x = np.array([-1e30, -800.0, -5.0, 0.0, 2.0, 800.0, 1e30], dtype)
    y, _ = activations.sigmoid_forward(x)
    assert y.dtype == dtype
    expected = [0, 0, 1 / (1 + np.exp(5.0)), 0.5, 1 / (1 + np.exp(-2.0)), 1, 1]
    assert_close(y, expected, np.dtype(dtype).name)


def test_gelu_is_the_identity_far_above_0_and_nothing_far_below():
    x = np.array([-1e20, -40.0, -1.0, 0.0, 1.0, 40.0, 1e20], np.float32)
    y, _ = activations.gelu_forward(x)
    assert y.dtype == np.float32
    assert_close(y, [0, 0, -0.15865525, 0, 0.84134475, 40, 1e20], "float32")


@pytest.mark.parametrize("name", ["relu", "sigmoid", "gelu"])
def test_the_result_can_be_written_in_place(name):
    forward = getattr(activations, f"{name}_forward")
    x = np.random.default_rng(0).standard_normal((4, 5))
    expected, before = forward(x)[0], x.copy()
    np.testing.assert_array_equal(x, before)
    y, cache = forward(x, out=x)
    assert y is x
    assert (cache is x) == (name != "gelu")
    np.testing.assert_array_equal(x, expected)
