"""Half-widths of accuracies."""

import pytest

from relational_rnn.analysis import binomial_half_width


@pytest.mark.parametrize(
    ("accuracy", "count", "expected"),
    [
        # (upper - lower) / 2 of Wilson's interval: 8 of 10 is 0.4902..0.9433, 0 of 20 is 0..0.1611
        (0.8, 10, 0.22657),
        (0.0, 20, 0.08056),
        (0.5, 10_000, 0.0097981),
    ],
)
def test_known_values(accuracy: float, count: int, expected: float) -> None:
    assert binomial_half_width(accuracy, count) == pytest.approx(expected, rel=1e-3)


def test_mirrored_accuracies_are_equally_uncertain_and_examples_help() -> None:
    assert binomial_half_width(0.1, 500) == pytest.approx(binomial_half_width(0.9, 500))
    assert binomial_half_width(0.9, 2000) < 0.51 * binomial_half_width(0.9, 500)


def test_bad_input() -> None:
    with pytest.raises(ValueError, match=r"accuracy must be a finite number from 0 to 1, got 95"):
        binomial_half_width(95, 100)
    with pytest.raises(ValueError, match=r"count must be an integer of at least 1, got 0"):
        binomial_half_width(0.9, 0)
    with pytest.raises(TypeError, match=r"count must be an integer"):
        binomial_half_width(0.9, 100.0)  # type: ignore[arg-type]
