import numpy as np

from helpers.gradients import check_gradient
from relational_rnn.reference.softmax import softmax_backward, softmax_forward
from tolerances import assert_close


def test_rows_sum_to_one_and_large_scores_do_not_overflow():
    x = np.array([[1000.0, 1000.0, -1000.0], [0.0, np.log(2), np.log(3)]])
    assert_close(softmax_forward(x)[0], [[0.5, 0.5, 0], [1 / 6, 2 / 6, 3 / 6]])


def test_a_masked_entry_takes_no_part():
    x, mask = np.array([[1.0, 2.0, 3.0]]), np.array([[True, False, True]])
    y, _ = softmax_forward(x, mask)
    assert y[0, 1] == 0
    assert_close(y[:, [0, 2]], softmax_forward(x[:, [0, 2]])[0])


def test_a_row_that_may_attend_to_nothing_is_zero():
    y, cache = softmax_forward(np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([[False, False], [True, True]]))
    assert y[0].tolist() == [0, 0]
    assert y[1].sum() == 1
    assert softmax_backward(np.ones((2, 2)), cache)[0].tolist() == [0, 0]


def test_softmax_backward_is_the_derivative():
    rng = np.random.default_rng(0)
    x, g = rng.standard_normal((2, 3, 5)), rng.standard_normal((2, 3, 5))
    for mask in (None, rng.random((3, 5)) < 0.6):
        gradient = softmax_backward(g, softmax_forward(x, mask)[1])
        check_gradient(
            lambda mask=mask: float(np.vdot(g, softmax_forward(x, mask)[0])), x, gradient, f"mask {mask}"
        )
