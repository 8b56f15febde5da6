import numpy as np
import pytest

from helpers.gradients import check_gradient
from relational_rnn.reference.read_head import read_head_backward, read_head_forward
from tolerances import assert_close


def test_read_heads():
    memory = np.array([[[1.0, 2.0], [3.0, 8.0]]])
    assert read_head_forward(memory, "flatten", {})[0].tolist() == [[1, 2, 3, 8]]
    assert read_head_forward(memory, "mean", {})[0].tolist() == [[2, 5]]
    weighted, _ = read_head_forward(memory, "weighted", {"read_weights": np.log([1.0, 3.0])})
    assert_close(weighted, [[2.5, 6.5]])
    # The scores are 2 c / sqrt(2) and 8 c / sqrt(2); c makes them differ by log 3.
    query = np.array([0.0, np.log(3.0) * np.sqrt(2) / 6])
    assert_close(read_head_forward(memory, "attention", {"read_query": query})[0], [[2.5, 6.5]])
    # The same query, asked by the input 2 and by the bias; the output has it besides.
    asks = {"read_projection.weight": query[:, None] / 4, "read_projection.bias": query / 2}
    asked, _ = read_head_forward(memory, "query", asks, np.array([[2.0]]))
    assert_close(asked, [[2.5, 6.5 + query[1]]])


@pytest.mark.parametrize("kind", ["flatten", "mean", "weighted", "attention", "query", "query without input"])
def test_read_head_backward_is_the_derivative(kind):
    rng = np.random.default_rng(0)
    memory = rng.standard_normal((2, 4, 3, 5))
    params = {"weighted": {"read_weights": rng.standard_normal(3)}}.get(kind, {})
    params |= {"attention": {"read_query": rng.standard_normal(5)}}.get(kind, {})
    inputs = None
    if kind.startswith("query"):
        params = {"read_projection.bias": rng.standard_normal(5)}
        weight = rng.standard_normal((5, 6))
        if kind == "query":
            inputs, params["read_projection.weight"] = rng.standard_normal((2, 4, 6)), weight
    needed = {"read_projection.weight": np.zeros((5, 6))} | params if kind.startswith("query") else params
    head = kind.split()[0]
    output, cache = read_head_forward(memory, head, needed, inputs)
    g = rng.standard_normal(output.shape)
    d_memory, d_params, d_inputs = read_head_backward(g, cache)

    def loss():
        return float(np.vdot(g, read_head_forward(memory, head, needed, inputs)[0]))

    check_gradient(loss, memory, d_memory, "memory")
    if inputs is None:
        assert d_inputs is None
    else:
        check_gradient(loss, inputs, d_inputs, "inputs")
    assert d_params.keys() == params.keys()
    for name, value in params.items():
        check_gradient(loss, value, d_params[name], name)
