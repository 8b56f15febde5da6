import numpy as np
import pytest

from helpers.gradients import check_gradient
from relational_rnn.reference import cross_entropy_loss, mse_loss
from tolerances import assert_close

B, T, C = 3, 4, 5
RNG = np.random.default_rng(0)
SCORES, TARGETS = RNG.standard_normal((B, T, C)), RNG.integers(C, size=(B, T))
MASK = np.array([[True, False, True, True], [False] * 4, [True, True, False, False]])


@pytest.mark.parametrize("mask", [None, MASK])
def test_cross_entropys_gradient_is_the_derivative(mask):
    scores = SCORES.copy()
    _, d_scores = cross_entropy_loss(scores, TARGETS, mask)
    check_gradient(lambda: cross_entropy_loss(scores, TARGETS, mask)[0], scores, d_scores, "scores")


@pytest.mark.parametrize("mask", [None, MASK])
def test_mses_gradient_is_the_derivative(mask):
    predictions, targets = SCORES.copy(), np.random.default_rng(1).standard_normal(SCORES.shape)
    _, d_predictions = mse_loss(predictions, targets, mask)
    check_gradient(lambda: mse_loss(predictions, targets, mask)[0], predictions, d_predictions, "predictions")


def test_a_mask_leaves_only_what_counts():
    targets = np.where(MASK, TARGETS, -1)
    loss, d_scores = cross_entropy_loss(SCORES, targets, MASK)
    expected, d_expected = cross_entropy_loss(SCORES[MASK], TARGETS[MASK])
    assert_close(loss, expected)
    assert_close(d_scores[MASK], d_expected)
    assert not d_scores[~MASK].any()
    unknown = np.where(MASK[..., None], 2.0, np.nan) * np.ones(C)
    loss, d_predictions = mse_loss(SCORES, unknown, MASK)
    assert_close(loss, np.mean((SCORES[MASK] - 2) ** 2))
    assert not d_predictions[~MASK].any()


def test_large_scores_do_not_overflow():
    loss, d_scores = cross_entropy_loss(np.array([[1e4, -1e4]]), np.array([1]))
    assert loss == 2e4
    assert d_scores.tolist() == [[1.0, -1.0]]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_dtype_stays(dtype):
    assert cross_entropy_loss(SCORES.astype(dtype), TARGETS, MASK)[1].dtype == dtype
    assert mse_loss(SCORES.astype(dtype), SCORES.astype(dtype))[1].dtype == dtype


@pytest.mark.torch
@pytest.mark.parametrize("mask", [None, MASK])
def test_they_are_torchs(mask):
    torch = pytest.importorskip("torch")
    rows = np.ones((B, T), bool) if mask is None else mask
    targets = torch.tensor(np.where(rows, TARGETS, -100))
    scores = torch.tensor(SCORES, requires_grad=True)
    expected = torch.nn.functional.cross_entropy(scores.flatten(0, 1), targets.flatten())
    expected.backward()
    loss, d_scores = cross_entropy_loss(SCORES, TARGETS, mask)
    assert_close(loss, expected.detach())
    assert_close(d_scores, scores.grad)

    wanted = np.random.default_rng(1).standard_normal(SCORES.shape)
    scores.grad = None
    expected = torch.nn.functional.mse_loss(scores[torch.tensor(rows)], torch.tensor(wanted[rows]))
    expected.backward()
    loss, d_predictions = mse_loss(SCORES, wanted, mask)
    assert_close(loss, expected.detach())
    assert_close(d_predictions, scores.grad)


@pytest.mark.parametrize(
    ("function", "arguments", "error", "message"),
    [
        (cross_entropy_loss, (SCORES > 0, TARGETS), TypeError, "scores must hold floats, got bool"),
        (cross_entropy_loss, (SCORES, TARGETS + 0.0), TypeError, "targets must hold integers, got float64"),
        (
            cross_entropy_loss,
            (SCORES, TARGETS[:, 0]),
            ValueError,
            r"one axis .* more, got \(3, 4, 5\) for .*\(3,\)",
        ),
        (cross_entropy_loss, (SCORES, TARGETS * 0 + 5), ValueError, "targets must be from 0 to 4.*got 5"),
        (cross_entropy_loss, (SCORES, TARGETS * 0 - 1), ValueError, "targets must be from 0 to 4.*got -1"),
        (cross_entropy_loss, (SCORES, TARGETS, MASK + 0), TypeError, "mask must hold booleans, got int64"),
        (
            cross_entropy_loss,
            (SCORES, TARGETS, MASK[0]),
            ValueError,
            r"mask must have shape \(3, 4\).*\(4,\)",
        ),
        (cross_entropy_loss, (SCORES, TARGETS, MASK & False), ValueError, "of 12 answers none counts"),
        (mse_loss, (SCORES, TARGETS), TypeError, "targets must hold floats, got int64"),
        (mse_loss, (SCORES, SCORES[0]), ValueError, r"same shape, got \(3, 4, 5\) and \(4, 5\)"),
        (mse_loss, (SCORES, SCORES, MASK[0]), ValueError, r"mask must have shape \(3, 4\)"),
    ],
)
def test_they_say_what_is_wrong(function, arguments, error, message):
    with pytest.raises(error, match=message):
        function(*arguments)
