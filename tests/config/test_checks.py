"""The shared checks: what passes, and what the messages say."""

import numpy as np
import pytest

from relational_rnn.config import AXES, checks


def test_what_passes():
    for value in (3, np.int64(3), np.uint8(3)):
        assert type(checks.check_size("size", value)) is int
        assert checks.check_size("size", value) == 3
    assert checks.check_size("count", 0, minimum=0) == 0
    assert checks.check_number("bias", np.float32(0.5)) == 0.5
    assert checks.check_number("share", 1, 0, 1) == 1.0
    assert checks.check_bool("flag", False) is False
    assert checks.check_choice("kind", "b", ("a", "b")) == "b"
    checks.check_shape("input", (2, 7, 40), ("B", "T", "F"), F=40)


@pytest.mark.parametrize(
    ("check", "error", "message"),
    [
        (lambda: checks.check_size("n", 0), ValueError, "^n must be an integer of at least 1, got 0$"),
        (lambda: checks.check_size("n", 1, minimum=2), ValueError, "an integer of at least 2, got 1$"),
        (lambda: checks.check_size("n", 2.0), TypeError, r"at least 1, got 2.0 \(float\)$"),
        (lambda: checks.check_size("n", None), TypeError, r"at least 1, got None$"),
        (lambda: checks.check_size("n", True), TypeError, r"at least 1, got True \(bool\)$"),
        (lambda: checks.check_number("x", "1"), TypeError, r"^x must be a number, got '1' \(str\)$"),
        (lambda: checks.check_number("x", False), TypeError, r"^x must be a number, got False \(bool\)$"),
        (lambda: checks.check_number("x", float("nan")), ValueError, "^x must be a finite number, got nan$"),
        (
            lambda: checks.check_number("x", 2, 0, 1),
            ValueError,
            "^x must be a finite number from 0 to 1, got 2$",
        ),
        (
            lambda: checks.check_number("x", -1, 0),
            ValueError,
            "^x must be a finite number from 0 to inf, got -1$",
        ),
        (lambda: checks.check_bool("x", 1), TypeError, r"^x must be True or False, got 1 \(int\)$"),
        (
            lambda: checks.check_choice("x", "c", ("a", "b")),
            ValueError,
            "^x must be one of 'a', 'b', got 'c'$",
        ),
        (
            lambda: checks.check_choice("x", None, ("a", "b")),
            ValueError,
            "^x must be one of 'a', 'b', got None$",
        ),
    ],
)
def test_messages(check, error, message):
    with pytest.raises(error, match=message):
        check()


def test_shapes():
    axes = ("B", "T", "F")
    with pytest.raises(ValueError) as caught:
        checks.check_shape("input", (2, 7), axes, F=40)
    assert str(caught.value) == (
        "input must have 3 axes (B, T, F) with B = batch, T = time steps, F = 40; got shape (2, 7)"
    )
    with pytest.raises(
        ValueError, match=r"^input must have shape \(B, T, F\) with .*; got \(2, 7, 41\), where F = 41$"
    ):
        checks.check_shape("input", (2, 7, 41), axes, F=40)
    with pytest.raises(ValueError, match=r"^input must not be empty: .*; got \(2, 0, 40\), where T = 0$"):
        checks.check_shape("input", (2, 0, 40), axes, F=40)


def test_one_step_given_as_a_sequence():
    axes = ("B", "T", "R", "F")
    checks.check_sequence("inputs", (2, 7, 4, 3), axes, "Cell", F=3)
    with pytest.raises(ValueError, match=r"got shape \(2, 4, 3\); for one step, \(B, R, F\), there is Cell$"):
        checks.check_sequence("inputs", (2, 4, 3), axes, "Cell", F=3)
    for shape in ((2, 7, 4, 5), (3,)):
        with pytest.raises(ValueError, match=r"^inputs must (?!.*Cell)"):
            checks.check_sequence("inputs", shape, axes, "Cell", F=3)


def test_unknown_arguments():
    class One:
        def __init__(self, size, rows=1, *rest, layers=2, **options):
            checks.check_unknown(type(self), options, ["bias", "residual"])

    class Two(One):
        def __init__(self, size, *, dtype=None, **options):
            super().__init__(size, **options)

    One(3, bias=1, residual=2)
    Two(3, layers=4, bias=1)
    with pytest.raises(TypeError) as caught:
        One(3, y=0, biases=0)
    assert str(caught.value) == (
        "One got unknown arguments: y, biases (did you mean bias?); "
        "allowed are size, rows, layers, bias, residual"
    )
    with pytest.raises(TypeError) as caught:
        Two(3, layer=4)
    assert str(caught.value) == (
        "Two got unknown arguments: layer (did you mean layers?); "
        "allowed are size, dtype, rows, layers, bias, residual"
    )


def test_the_legend_has_one_letter_for_each_axis():
    assert all(len(letter) == 1 for letter in AXES.keys() - {"blocks"})  # whose B is the batch's
    assert len(set(AXES.values())) == len(AXES)
