import numpy as np
import pytest

from helpers.gradients import check_gradient
from relational_rnn.reference.gates import gates_backward, gates_forward
from tolerances import assert_close


def test_the_first_half_admits_the_new_and_the_second_keeps_the_old():
    new, memory = np.full((1, 1, 2), 0.7), np.full((1, 1, 2), 5.0)
    only_new, _ = gates_forward(np.array([[[50.0, 50.0, -50.0, -50.0]]]), new, memory, 0.0, 0.0)
    only_old, _ = gates_forward(np.array([[[-50.0, 50.0]]]), new, memory, 0.0, 0.0)
    biased, _ = gates_forward(np.zeros((1, 1, 2)), new, memory, -50.0, 50.0)
    assert_close(only_new, np.tanh(new))
    assert_close(only_old, memory)
    assert_close(biased, memory)


@pytest.mark.parametrize("gate_width", [1, 5], ids=["memory", "unit"])
def test_gates_backward_is_the_derivative(gate_width):
    rng = np.random.default_rng(0)
    new, memory, g = (rng.standard_normal((2, 3, 5)) for _ in range(3))
    logits = rng.standard_normal((2, 3, 2 * gate_width))
    gradients = gates_backward(g, gates_forward(logits, new, memory, 0.5, 1.0)[1])
    for value, gradient in zip((logits, new, memory), gradients, strict=True):
        check_gradient(
            lambda: float(np.vdot(g, gates_forward(logits, new, memory, 0.5, 1.0)[0])),
            value,
            gradient,
            "gates",
        )
