import numpy as np

from helpers.gradients import check_gradient
from relational_rnn.reference.linear import linear_backward, linear_forward


def test_linear_is_a_row_times_the_transposed_weight_plus_the_bias():
    x, weight = np.array([[[1.0, 2.0]], [[3.0, 4.0]]]), np.array([[1.0, 10.0], [0.0, 1.0], [2.0, 0.0]])
    y, _ = linear_forward(x, weight, np.array([0.0, 100.0, 0.0]))
    np.testing.assert_array_equal(y, [[[21.0, 102.0, 2.0]], [[43.0, 104.0, 6.0]]])
    np.testing.assert_array_equal(linear_forward(x, weight)[0], y - np.array([0.0, 100.0, 0.0]))


def test_linear_backward_is_the_derivative():
    rng = np.random.default_rng(0)
    x, weight, bias = rng.standard_normal((2, 5, 3)), rng.standard_normal((4, 3)), rng.standard_normal(4)
    g = rng.standard_normal((2, 5, 4))
    gradients = linear_backward(g, linear_forward(x, weight, bias)[1])
    for name, value, gradient in zip(("x", "weight", "bias"), (x, weight, bias), gradients, strict=True):
        check_gradient(lambda: float(np.vdot(g, linear_forward(x, weight, bias)[0])), value, gradient, name)
