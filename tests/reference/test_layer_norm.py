import numpy as np

from helpers.gradients import check_gradient
from relational_rnn.reference.layer_norm import layer_norm_backward, layer_norm_forward
from tolerances import assert_close


def test_every_row_is_normalised_by_itself_with_the_biased_variance():
    x = np.array([[1.0, 2.0, 6.0], [1e3, 1e3, 1e3]])
    y, _ = layer_norm_forward(x, np.array([1.0, 2.0, 3.0]), np.array([0.0, 0.0, 5.0]))
    deviation = np.sqrt(14 / 3 + 1e-5)
    assert_close(y, [[-2 / deviation, -2 / deviation, 9 / deviation + 5], [0, 0, 5]])


def test_layer_norm_backward_is_the_derivative():
    rng = np.random.default_rng(0)
    x, gain, bias = rng.standard_normal((2, 3, 5)), rng.standard_normal(5), rng.standard_normal(5)
    g = rng.standard_normal((2, 3, 5))
    gradients = layer_norm_backward(g, layer_norm_forward(x, gain, bias)[1])
    for name, value, gradient in zip(("x", "gain", "bias"), (x, gain, bias), gradients, strict=True):
        check_gradient(lambda: float(np.vdot(g, layer_norm_forward(x, gain, bias)[0])), value, gradient, name)
