import numpy as np
import pytest

from relational_rnn.reference import parameter_gradients
from relational_rnn.reference.parameter_gradients import ParameterGradients
from tolerances import assert_close


@pytest.mark.parametrize("rows_at_once", [1, 7, 10**6])
def test_however_many_rows_are_multiplied_at_once_the_sum_is_the_same(monkeypatch, rows_at_once):
    monkeypatch.setattr(parameter_gradients, "ROWS_AT_ONCE", rows_at_once)
    rng = np.random.default_rng(0)
    params = {"a.weight": np.zeros((3, 2)), "a.bias": np.zeros(3)}
    params |= {"idle.weight": np.zeros((2, 2)), "b.weight": np.zeros((3, 2))}
    gradients = ParameterGradients(params)
    uses = [(rng.standard_normal((4, 3)), rng.standard_normal((4, 2))) for _ in range(5)]
    for d_y, x in uses:
        gradients.add("a", d_y, x)
        gradients.add("b", d_y.reshape(2, 2, 3), x.reshape(2, 2, 2))
    gradients.add_direct("idle.weight", np.full((2, 2), 2.0))
    total = gradients.total()
    assert_close(total["a.weight"], sum(d_y.T @ x for d_y, x in uses))
    assert_close(total["b.weight"], total["a.weight"])
    assert_close(total["a.bias"], sum(d_y.sum(axis=0) for d_y, _ in uses))
    assert_close(total["idle.weight"], np.full((2, 2), 2.0))
