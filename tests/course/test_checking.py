"""What a learner reads whatever the exercise: of a file that does not load, of a function that fails."""

import numpy as np
import pytest

from relational_rnn.course import EXERCISES, WrongAnswer, check, compare
from relational_rnn.course.checking import expect_shape, guard, load, unpack


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("def softmax(x:\n", "This is no Python yet in line 1"),
        ("x = 1\n  y = 2\n", "This is no Python yet in line 2 (unexpected indent): y = 2"),
        ("import a_library_nobody_has\n", "in line 1, `import a_library_nobody_has`"),
        ("x = [1]\nx[3]\n", "The file cannot be loaded: IndexError in line 2, `x[3]`"),
        ("raise SystemExit(3)\n", "The file cannot be loaded: SystemExit in line 1"),
        ("x = '\0'\n", "This is no Python"),
        (b"# -*- coding: utf-8 -*-\nx = '\xff'\n", "This is no Python"),
    ],
)
def test_a_file_that_does_not_load(source, message, tmp_path):
    path = tmp_path / "mine.py"
    path.write_bytes(source if isinstance(source, bytes) else source.encode())
    (result,) = check(EXERCISES[1], path)
    assert not result.passed
    assert message in result.message


def test_a_function_that_is_gone_or_is_none(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text("softmax = 3\n")
    first, second, *_ = check(EXERCISES[1], path)
    assert first.message == "There is an int, no function, called softmax in the file; keep the name."
    assert second.message == (
        "There is no function called scaled_dot_product_attention in the file; keep the name."
    )


def test_a_file_may_have_the_name_of_a_library(tmp_path):
    path = tmp_path / "random.py"
    path.write_text("import random\nvalue = random.Random(0).random()\n")
    assert load(path).value == load(path).value


def test_dataclasses_and_changes_within_a_second_load(tmp_path):
    path = tmp_path / "mine.py"
    for value in (1, 2):
        path.write_text(
            "from __future__ import annotations\nimport dataclasses\n"
            f"@dataclasses.dataclass\nclass Mine:\n    value: int = {value}\n"
        )
        assert load(path).Mine().value == value
    assert [file.name for file in tmp_path.iterdir()] == ["mine.py"]


def _writes_to_a_dict(x, named):
    named["b"][0] = 5
    return x


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda x: x, "It takes other arguments than in the starter: f(x)"),
        (lambda x, named: None, "It returns nothing (None)"),
        (lambda x, named: x / 0 if (1 / 0) else x, "It stops with ZeroDivisionError in line"),
        (lambda x, named: exit(), "It stops with"),
        (_writes_to_a_dict, "It changes its argument named['b']"),
    ],
)
def test_a_function_that_fails(function, message):
    with pytest.raises(WrongAnswer) as told:
        guard("f", function)(np.ones(3), {"b": np.zeros(2)})
    assert message in str(told.value)


def test_a_function_may_divide_by_zero_without_a_warning():
    assert np.isinf(guard("f", lambda x: x / 0)(np.ones(1))).all()


@pytest.mark.parametrize(
    ("got", "message"),
    [
        ((1.0, 2.0), "x must be a NumPy array, got a tuple of 2"),
        (3.0, "x must be a NumPy array, got a float"),
        (np.array(["a", "b"]), "x must hold numbers, got an array of dtype <U1"),
        (np.ones(3), "x must have shape (2,), got (3,)"),
        (np.array([1.0, np.nan]), "x holds NaN at [1], expected 2"),
        (np.array([np.inf, 2.0]), "x holds infinity at [0], expected 1"),
        (np.array([1.0, 2.5]), "x is 2.5 at [1], expected 2 (1 of 2 entries are off)"),
        (
            np.array([1.0, 2 + 1e-8]),
            "x is 2.00000001 at [1], expected 2 (1 of 2 entries are off). That is nearly",
        ),
        (np.array([1.0, 2 + 3e-9]), "x is 2.000000003 at [1], expected 2 (1"),
        (np.array([1, 2]), "x must be of dtype float64, got int64"),
        (np.array([2.0, 1.0]), "They are swapped."),
    ],
)
def test_a_result_that_is_wrong(got, message):
    with pytest.raises(WrongAnswer) as told:
        compare("x", got, np.array([1.0, 2.0]), {"They are swapped.": np.array([2.0, 1.0])})
    assert message in str(told.value)


def test_large_counts_that_differ_in_the_last_digit():
    with pytest.raises(WrongAnswer, match=r"^x is 12345679, expected 12345678\.$"):
        compare("x", 12345679, 12345678)


def test_a_check_may_want_to_hear_of_an_overflow(tmp_path):
    grow = guard("f", lambda x: np.exp(x))
    assert np.isinf(grow(np.array([1000.0]))).all()
    with np.errstate(over="raise"):
        with pytest.raises(FloatingPointError):
            grow(np.array([1000.0]))
        assert np.isinf(guard("f", lambda x: x / 0)(np.ones(1))).all()
    before, path = np.geterr(), tmp_path / "mine.py"
    path.write_text("import numpy as np\nnp.seterr(all='raise')\n")
    load(path)
    assert np.geterr() == before


def test_a_mistake_that_the_arguments_do_not_show_explains_nothing():
    with pytest.raises(WrongAnswer, match=r"x is 2\.00000001, expected 2\. That is nearly right"):
        compare("x", 2.00000001, 2.0, {"That is the sum.": 2.0})


def test_numbers_need_no_array():
    for number in (2, 2.0, np.float32(2), np.array(2.0)):
        compare("x", number, 2.0)
    with pytest.raises(WrongAnswer, match="x must be a number, got a list of 1"):
        compare("x", [2.0], 2.0)
    with pytest.raises(WrongAnswer, match="x is 3, expected 2"):
        compare("x", 3.0, 2.0)


def test_a_count_is_a_whole_number():
    for number in (6, np.int64(6), np.array(6)):
        compare("x", number, 6)
    with pytest.raises(WrongAnswer, match=r"^x must be a whole number, got the float 6\.0: / makes a float"):
        compare("x", 12 / 2, 6)
    with pytest.raises(WrongAnswer, match=r"^x is 5, expected 6"):
        compare("x", 5.0, 6)


@pytest.mark.parametrize(
    ("name", "verb"),
    [
        ("The gaps", "are"),
        ("The factors of steps 0 to 6", "are"),
        ("The LSTM's numbers after 4 steps", "are"),
        ("The number of steps", "is"),
        ("The number for 'unit' and width 12", "is"),
        ("d_bias", "is"),
        ("loss", "is"),
    ],
)
def test_a_name_in_the_plural_has_its_verb(name, verb):
    with pytest.raises(WrongAnswer, match=rf"^{name} {verb} 2, expected 3\.$"):
        compare(name, 2, 3)
    with pytest.raises(WrongAnswer, match=rf"^{name} {'hold' if verb == 'are' else 'holds'} NaN, expected 3"):
        compare(name, np.nan, 3)


def test_a_tuple_in_place_of_an_array_is_named():
    with pytest.raises(WrongAnswer, match=r"^x must be a NumPy array, got a tuple of 2; take \[0\]\.$"):
        compare("x", (np.ones(2), None), np.ones(2))


def test_shapes_are_compared():
    with pytest.raises(WrongAnswer, match="x must be a NumPy array, got a list"):
        expect_shape("x", [1.0], (1,))
    with pytest.raises(WrongAnswer, match=r"x must have shape \(2,\), got \(1,\)"):
        expect_shape("x", np.ones(1), (2,))


def test_results_are_counted():
    assert unpack(("a", "b"), [1, 2]) == (1, 2)
    with pytest.raises(WrongAnswer, match=r"must return 2 values, \(a, b\), got 3 values"):
        unpack(("a", "b"), (1, 2, 3))
    with pytest.raises(WrongAnswer, match="got one ndarray"):
        unpack(("a", "b"), np.ones(2))


def test_numpy_s_words_get_a_hint_where_the_line_is_the_learner_s(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(
        "import numpy as np\nfrom relational_rnn.reference.softmax import softmax_backward\n"
        "def mine(x):\n    return x / x.sum(axis=-1)\n"
        "def ours(x):\n    return softmax_backward(x, x[..., 0])\n"
        "def neither(x):\n    return x + np.ones(7)\n"
    )
    file, x = load(path), np.ones((2, 3, 4))
    with pytest.raises(WrongAnswer) as told:
        guard("mine", file.mine)(x)
    assert str(told.value).startswith(
        "Shapes are lined up from their last axis: (2, 3) does not fit (2, 3, 4), (2, 3, 1) does. x[:, "
    )
    for name in ("ours", "neither"):  # what the package was given is another question; no axis helps
        with pytest.raises(WrongAnswer, match=r"^It stops with ValueError in line"):
            guard(name, getattr(file, name))(x)
