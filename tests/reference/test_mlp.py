import numpy as np
import pytest

from helpers.gradients import check_gradient
from relational_rnn.reference.mlp import mlp_backward, mlp_forward


def test_relu_stands_between_the_layers_and_not_after_the_last():
    weights, biases = [np.array([[1.0]]), np.array([[-1.0]])], [np.zeros(1), np.zeros(1)]
    assert mlp_forward(np.array([[-3.0], [3.0]]), weights, biases)[0].tolist() == [[0.0], [-3.0]]
    assert mlp_forward(np.array([[-3.0]]), weights[:1], biases[:1])[0].tolist() == [[-3.0]]


@pytest.mark.parametrize("activation", ["relu", "gelu"])
@pytest.mark.parametrize("layers", [1, 2, 3])
def test_mlp_backward_is_the_derivative(layers, activation):
    rng = np.random.default_rng(0)
    x, g = rng.standard_normal((2, 5, 4)), rng.standard_normal((2, 5, 4))
    weights = [0.3 * rng.standard_normal((4, 4)) for _ in range(layers)]
    biases = [np.array([3.0, -3.0, 2.5, -2.5]) for _ in range(layers)]  # away from the kinks
    d_x, d_layers = mlp_backward(g, mlp_forward(x, weights, biases, activation)[1])

    def loss():
        return float(np.vdot(g, mlp_forward(x, weights, biases, activation)[0]))

    check_gradient(loss, x, d_x, "x")
    assert len(d_layers) == layers
    for layer, (d_weight, d_bias) in enumerate(d_layers):
        check_gradient(loss, weights[layer], d_weight, f"weight {layer}")
        check_gradient(loss, biases[layer], d_bias, f"bias {layer}")
