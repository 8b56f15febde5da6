"""Batches, curricula, scores and records of programs and memorisation."""

from dataclasses import replace

import numpy as np
import pytest

from relational_rnn.tasks import TASKS, programs
from relational_rnn.tasks.programs import (
    Addition,
    Algebra,
    Control,
    Copy,
    Double,
    FullProgram,
    Reverse,
    as_strings,
    evaluate,
    level_is_learned,
    majority_answers,
    majority_scores,
    oracle,
    records,
    sample,
    score,
)

KINDS = (Addition, Algebra, Control, FullProgram, Copy, Reverse, Double)
EVERY = pytest.mark.parametrize("kind", KINDS, ids=[kind.name for kind in KINDS])


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@EVERY
@pytest.mark.parametrize("curriculum", programs.CURRICULA)
def test_form_of_a_batch(kind, curriculum):
    task = kind(length=3, curriculum=curriculum)
    batch = sample(task, 50, rng())
    assert batch.inputs.shape == (50, task.steps, 28)
    assert [part.dtype for part in batch[:4]] == [np.float32, np.int64, bool, np.int64]
    assert batch.texts.shape == (50, task.text_steps)
    assert batch.answers.shape == (50, task.answer_steps)
    for row, (text, answer) in enumerate(
        zip(as_strings(batch.texts), as_strings(batch.answers), strict=True)
    ):
        read, told = len(text), len(answer)
        assert [programs.CHARACTERS[1 + n] for n in batch.inputs[row, :read].argmax(1)] == list(text)
        assert batch.inputs[row].sum(1).tolist() == [1] * read + [0] * (task.steps - read)
        assert [programs.CHARACTERS[n] for n in batch.targets[row, read : read + told]] == list(answer)
        assert batch.mask[row].nonzero()[0].tolist() == list(range(read, read + told))
        assert not batch.targets[row][~batch.mask[row]].any()
        assert batch.lengths[row] == read + told
    np.testing.assert_array_equal(oracle(task, batch.inputs), batch.targets)


@EVERY
def test_the_longest_text_and_answer_fit_exactly(kind):
    task = kind(length=2)
    batch = sample(task, 3_000, rng(1))
    assert (batch.texts != 0).sum(1).max() == task.text_steps
    assert (batch.answers != 0).sum(1).max() == task.answer_steps


@EVERY
def test_harder_is_longer_in_the_same_format(kind):
    task = kind(curriculum="combined", level=2)
    harder = task.harder()
    assert harder.text_steps > task.text_steps
    assert (harder.input_size, harder.classes) == (task.input_size, task.classes)
    batch = sample(harder, 20, rng())
    np.testing.assert_array_equal(oracle(harder, batch.inputs), batch.targets)


def test_harder_stops_at_what_fits_into_64_bits():
    assert Algebra(nesting=1, length=8).harder() == Algebra(nesting=2, length=8)


def sizes_of(task, count=4_000):
    """Return the pairs of nesting and length that are drawn, and how often."""
    drawn = [
        (sum(text.count(sign) for sign in "+-*"), programs.interpreter.literal_length(text))
        for text in as_strings(task.draw(count, rng(2)).texts)
    ]
    return {pair: drawn.count(pair) / count for pair in sorted(set(drawn))}


@pytest.mark.parametrize(
    ("curriculum", "level", "sizes"),
    [
        ("baseline", None, [(2, 3)]),
        ("naive", None, [(2, 3)]),
        ("naive", 1, [(1, 1)]),
        ("naive", 2, [(1, 2)]),
        ("naive", 3, [(1, 3)]),
        ("naive", 4, [(2, 3)]),
        ("combined", 2, [(1, 1), (1, 2)]),
        ("combined", 4, [(1, 1), (1, 2), (1, 3), (2, 1), (2, 2), (2, 3)]),
        ("combined", None, [(1, 1), (1, 2), (1, 3), (2, 1), (2, 2), (2, 3)]),
        ("mix", None, [(1, 1), (1, 2), (1, 3), (2, 1), (2, 2), (2, 3)]),
    ],
)
def test_curricula(curriculum, level, sizes):
    shares = sizes_of(Algebra(nesting=2, length=3, curriculum=curriculum, level=level))
    assert list(shares) == sizes
    np.testing.assert_allclose(list(shares.values()), 1 / len(sizes), atol=0.04)


@EVERY
def test_the_last_level_is_the_largest(kind):
    task = kind(curriculum="naive", length=3)
    assert (
        replace(task, level=task.levels).draw(5, rng()).texts.tolist() == task.draw(5, rng()).texts.tolist()
    )
    with pytest.raises(ValueError, match="level must be at most"):
        replace(task, level=task.levels + 1)


def test_curricula_of_memorisation():
    lengths = (Reverse(length=4, curriculum="combined", level=2).draw(500, rng()).texts != 0).sum(1)
    assert set(lengths) == {1, 2}
    assert set((Reverse(length=4, curriculum="naive", level=3).draw(50, rng()).texts != 0).sum(1)) == {3}


def test_a_level_is_learned():
    assert not level_is_learned([1.0] * 9)
    assert level_is_learned([1.0] * 10)
    assert not level_is_learned([1.1**n for n in range(10)])
    assert not level_is_learned([], tries=1)
    falling_at_first = [9.0, 3.0, 1.0, 1.2, 1.5, 1.8, 2.2]
    assert not level_is_learned(falling_at_first, tries=5)  # only the last five count
    assert level_is_learned(falling_at_first, tries=7)


def test_operations_comparisons_rounds_and_digits_are_uniform():
    texts = as_strings(FullProgram(nesting=1, length=1).draw(20_000, rng(3)).texts)
    shares = {sign: np.mean([sign in text for text in texts]) for sign in ("x=", "-", "*", "if", "<", "7]")}
    wanted = {"x=": 1 / 5, "-": 1 / 5, "*": 1 / 5, "if": 1 / 5, "<": 1 / 10, "7]": 1 / 45}
    np.testing.assert_allclose(list(shares.values()), list(wanted.values()), atol=0.012)
    digits = Copy(length=3).draw(20_000, rng(4)).texts - 1
    for place, least in ((0, 1), (1, 0), (2, 0)):
        share = np.bincount(digits[:, place], minlength=10) / 20_000
        np.testing.assert_allclose(share[least:], 1 / (10 - least), atol=0.012)
        assert not share[:least].any()


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("3-5", -2),
        ("(3-5)-4", -6),
        ("(3-5)*4", -8),
        ("x=(3-5)for[9]x+=1", 7),
        ("1if2>2else3", 3),
        ("1if2<2else3", 3),
        ("(9if1<2else3)if4>5else(6+7)", 13),
        ("2-(3-9)", 8),
        ("((1+2)*3)-(4*(5-6))", 13),
    ],
)
def test_interpreter(text, value):
    assert evaluate(text) == value


@pytest.mark.parametrize(
    "text", ["", "12", "(3+4)", "3+", "3+4+5", "3/4", "x=3for[12]x+=4", "1if2else3", "(3+4", "3 + 4"]
)
def test_what_is_no_program(text):
    with pytest.raises(ValueError, match="is no statement"):
        evaluate(text)


@pytest.mark.parametrize("name", [kind.name for kind in KINDS])
def test_the_majority_that_the_registry_tells(name):
    said = float(TASKS[name].trivial.split("each place ")[1].split()[0])
    scores = majority_scores(TASKS[name].factory())
    assert said == pytest.approx(100 * scores.characters, abs=0.7)
    assert scores.solved < 0.001


def test_scores():
    batch = sample(Double(length=3, curriculum="mix"), 200, rng())
    assert score(batch, batch.targets) == (1, 1)
    assert score(batch, np.where(batch.mask, batch.targets, 7)) == (1, 1)  # what follows does not count
    told = batch.targets.copy()
    last = batch.lengths[0] - 1
    told[0, last] = 0
    digits = batch.mask.sum()
    assert score(batch, told) == ((digits - 1) / digits, 199 / 200)
    np.testing.assert_array_equal(score(batch, np.zeros_like(told)), (0, 0))


def test_majority_is_the_best_that_does_not_read():
    batch = sample(Addition(nesting=1, length=1, curriculum="mix"), 5_000, rng())
    told = majority_answers(batch, batch)
    answers = np.array([answer.ljust(2, ".") for answer in as_strings(batch.answers)])
    best = [max(np.mean([a[place] == digit for a in answers]) for digit in "0123456789") for place in (0, 1)]
    counted = [np.mean([a[place] != "." for a in answers]) for place in (0, 1)]
    assert score(batch, told).characters == pytest.approx(sum(best) / sum(counted))


def test_records_are_the_same_however_many_are_wanted():
    task = FullProgram(length=2, curriculum="mix")
    many = list(records(task, 600, 3))
    assert len(many) == 600
    assert list(records(task, 257, 3)) == many[:257]
    assert list(records(task, 5, 4)) != many[:5]
    assert {*many[0]} == {"task", "text", "answer", "modulus"}
    assert {record["modulus"] for record in many} == {100, 1000}
    assert all("." not in record["text"] + record["answer"] for record in many)


def spoiled(text: str) -> np.ndarray:
    """Inputs of one text for `Addition(length=2)`."""
    inputs = np.zeros((1, 13, 28))
    inputs[0, np.arange(len(text)), [programs.CHARACTERS.index(c) - 1 for c in text]] = 1
    return inputs


TASK = Addition(length=2)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: Addition(nesting=0), ValueError, "nesting must be an integer of at least 1, got 0"),
        (lambda: Addition(length=2.0), TypeError, "length must be an integer of at least 1, got 2.0"),
        (
            lambda: Algebra(length=9),
            ValueError,
            "length must be at most 8, so that products fit into 64 bits; got 9",
        ),
        (lambda: Copy(length=0), ValueError, "length must be an integer of at least 1, got 0"),
        (
            lambda: Control(curriculum="hard"),
            ValueError,
            "curriculum must be one of 'baseline', 'naive', 'mix', 'comb",
        ),
        (
            lambda: Control(curriculum="mix", level=1),
            ValueError,
            "mix has no levels, only naive and combined have; got 1",
        ),
        (
            lambda: Control(curriculum="naive", level=7),
            ValueError,
            "level must be at most 6, the last one; got 7",
        ),
        (
            lambda: Copy(curriculum="naive", level=6),
            ValueError,
            "level must be at most 5, the last one; got 6",
        ),
        (
            lambda: Copy(curriculum="naive", level=0),
            ValueError,
            "level must be an integer of at least 1, got 0",
        ),
        (lambda: sample(TASK, 0, rng()), ValueError, "batch_size must be .* at least 1, got 0"),
        (lambda: sample(TASK, 2, 1), TypeError, "generator must be a numpy.random.Generator"),
        (lambda: records(TASK, 0, 1), ValueError, "count must be an integer of at least 1, got 0"),
        (lambda: records(TASK, 1, -1), ValueError, "seed must be an integer of at least 0, got -1"),
        (lambda: majority_scores(TASK, examples=0), ValueError, "examples must be"),
        (
            lambda: score(sample(TASK, 2, rng()), np.zeros((2, 3))),
            ValueError,
            r"shape \(2, 13\) as the targets, got \(2, 3\)",
        ),
        (lambda: oracle(TASK, np.zeros((1, 12, 28))), ValueError, "T = 13"),
        (
            lambda: oracle(TASK, np.full((1, 13, 28), 0.5)),
            ValueError,
            r"inputs\[0, 0\] must be a one-hot character or zeros",
        ),
        (
            lambda: oracle(TASK, np.roll(spoiled("1+2"), 1, axis=1)),
            ValueError,
            r"inputs\[0, 0\] is all zeros before a char",
        ),
        (
            lambda: oracle(TASK, spoiled("(10+20)+3+45")),
            ValueError,
            r"inputs\[0, 10\] must be zeros, as texts have at most 10",
        ),
        (
            lambda: oracle(TASK, spoiled("1+2+")),
            ValueError,
            r"inputs\[0\] is no text of addition: '1\+2\+' is no statement",
        ),
        (
            lambda: oracle(TASK, spoiled("123+456")),
            ValueError,
            "digits of a literal must be at most 2, as the task says; got 3",
        ),
        (lambda: oracle(TASK, spoiled("1+23")), ValueError, r"'1\+23' has literals of 1 and 2 digits"),
        (lambda: oracle(TASK, spoiled("x=x")), ValueError, "'x=x' has literals of no digits"),
        (lambda: Copy().answer("1x"), ValueError, "'1x' is not all digits"),
    ],
)
def test_wrong_use(call, error, message):
    with pytest.raises(error, match=message):
        call()
