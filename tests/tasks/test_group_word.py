"""Group words: the benchmark's own products, what is shown, trivial scores, what is refused."""

import itertools

import numpy as np
import pytest

from relational_rnn.tasks import TASKS, generate_reasoning_data
from relational_rnn.tasks.group_word import (
    GroupWord,
    as_text,
    long_scores,
    oracle,
    products,
    records,
    sample,
    shortcut,
)

# Rows of the data files of https://github.com/jopetty/word-problem (MIT License, Copyright (c) 2023 Jackson
# Petty): data/S3=5.csv and data/S5=5.csv of commit 85dfc6f (the last product), data/A5=6.csv of 37626ea.
RECORDED = {
    "S3": [("2 0 3 3 3", "2"), ("3 1 1 4 1", "1"), ("3 0 1 2 5", "5"), ("5 5 4 2 3", "5")],
    "S5": [
        ("94 100 48 90 97", "95"),
        ("75 99 1 89 76", "72"),
        ("61 84 36 34 20", "87"),
        ("32 75 16 112 107", "108"),
    ],
    "A5": [
        ("39 52 25 20 44 17", "39 51 11 55 39 14"),
        ("54 34 26 11 17 20", "54 7 24 35 57 43"),
        ("16 18 21 1 22 11", "16 34 59 58 43 45"),
        ("19 53 21 48 25 0", "19 57 41 31 17 17"),
    ],
}


def numbers(text: str) -> list[int]:
    return [int(word) for word in text.split()]


@pytest.mark.parametrize("group", RECORDED)
def test_products_are_those_of_the_benchmark(group):
    words = np.array([numbers(word) for word, _ in RECORDED[group]])
    for found, (_, wanted) in zip(products(group, words).tolist(), RECORDED[group], strict=True):
        assert found[-len(numbers(wanted)) :] == numbers(wanted)


@pytest.mark.parametrize("group", RECORDED)
def test_a_product_is_associative_and_has_an_identity(group):
    generator = np.random.default_rng(0)
    a, b, c = generator.integers(GroupWord(group=group).classes, size=(3, 200))

    def times(first, second):
        return products(group, np.stack([first, second], axis=1))[:, 1]

    np.testing.assert_array_equal(times(times(a, b), c), times(a, times(b, c)))
    np.testing.assert_array_equal(times(a, 0 * a), a)
    np.testing.assert_array_equal(times(0 * a, a), a)


@pytest.mark.parametrize(
    ("sizes", "features", "classes"),
    [
        ({}, 6, 6),
        ({"elements": "swaps"}, 3, 6),
        ({"elements": "neighbours"}, 2, 6),
        ({"group": "A5"}, 60, 60),
        ({"group": "S5"}, 120, 120),
        ({"group": "S5", "elements": "swaps"}, 10, 120),
        ({"group": "S5", "elements": "neighbours"}, 4, 120),
    ],
)
def test_sizes_and_what_is_shown(sizes, features, classes):
    task = GroupWord(**sizes)
    assert (task.input_size, task.classes, task.steps) == (features, classes, 16)
    words = [oracle(task, sample(task, 200, np.random.default_rng(seed)).inputs)[:, 0] for seed in range(5)]
    assert set(np.concatenate(words).tolist()) == set(task.shown.tolist())  # a first product is its element
    if task.elements != "all":  # each is its own inverse
        twice = products(task.group, np.stack([task.shown, task.shown], axis=1))
        assert not twice[:, 1].any()


def test_the_last_product_alone():
    every, last = (GroupWord(answers=answers, length=5) for answers in ("every", "last"))
    batches = [sample(task, 50, np.random.default_rng(1)) for task in (every, last)]
    np.testing.assert_array_equal(batches[0].inputs, batches[1].inputs)
    np.testing.assert_array_equal(batches[0].targets[:, -1], batches[1].targets[:, -1])
    assert batches[0].mask.all()
    assert batches[1].mask.sum(0).tolist() == [0, 0, 0, 0, 50]
    np.testing.assert_array_equal(oracle(last, batches[1].inputs), batches[1].targets)
    record = next(records(last, 1, 0))
    assert record["answer"] == products("S3", np.array([record["elements"]]))[0, -1]
    assert as_text(record).endswith(f"Answer: {record['answer']}")


@pytest.mark.parametrize("answers", ["every", "last"])
@pytest.mark.parametrize(
    ("elements", "shown"), [("all", range(6)), ("swaps", (1, 2, 5)), ("neighbours", (1, 2))]
)
def test_majority_by_counting_every_word(elements, shown, answers):
    task = GroupWord(elements=elements, answers=answers, length=4)
    every = products("S3", np.array(list(itertools.product(shown, repeat=4))))
    best = [np.bincount(column).max() / len(every) for column in every.T]
    assert task.majority == pytest.approx(np.mean(best if answers == "every" else best[-1]), rel=1e-12)


def test_the_parity_alone_leaves_half_of_the_group():
    """What is even is one of three elements of S3, one of 60 of S5; A5 has no odd element."""
    for group, share in (("S3", 1 / 3), ("S5", 1 / 60), ("A5", 1 / 60)):
        task = GroupWord(group=group, answers="last")
        batch = sample(task, 4_000, np.random.default_rng(2))
        score = (shortcut(task, batch.inputs) == batch.targets)[batch.mask].mean()
        assert score == pytest.approx(share, abs=0.02)
    data = generate_reasoning_data("group-word", train=1, validation=1, test=1_000, harder=10)
    assert data.metadata["shortcut"] == pytest.approx(1 / 16 + 15 / 16 / 3, abs=0.015)
    assert data.metadata["harder"] == "length 32 instead of 16"


def test_scores_of_longer_words():
    """A model that forgets the first element after step 16 has the whole sequence right up to there alone."""
    task = GroupWord(length=16)
    batch = sample(task, 30, np.random.default_rng(3))

    def predict(inputs):
        words = inputs.argmax(-1)
        right = products("S3", words)
        right[:, 16:] = products("S3", words[:, 1:])[:, 15:]
        return right

    found = long_scores(task, batch, 0, predict)["long_words"]
    assert found["length"] == [16, 32, 64, 128, 256]
    assert found["last"][0] == found["whole"][0] == 1
    assert max(found["whole"][1:]) < 0.5
    assert max(found["last"][1:]) < 0.6
    alone = GroupWord(answers="last", length=2)
    scores = long_scores(
        alone, sample(alone, 30, np.random.default_rng(3)), 0, lambda x: products("S3", x.argmax(-1))
    )
    assert scores == {"long_words": {"length": [2, 4, 8, 16, 32], "last": [1] * 5}}


def test_the_longest_words_that_there_can_be():
    assert [task.length for task in GroupWord(length=4_000).larger()["length"]] == [4_000, 8_000]


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: GroupWord(group="S4"), ValueError, "group must be .*S3.*A5.*S5.*got 'S4'"),
        (lambda: GroupWord(elements="some"), ValueError, "elements must be .*'neighbours'.*got 'some'"),
        (lambda: GroupWord(answers="first"), ValueError, "answers must be .*got 'first'"),
        (lambda: GroupWord(group="A5", elements="swaps"), ValueError, "A5 has no swaps.*got 'swaps'"),
        (lambda: GroupWord(length=0), ValueError, "length must be an integer of at least 1, got 0"),
        (lambda: oracle(GroupWord(), np.zeros((2, 16, 6))), ValueError, r"inputs\[0, 0\] must be one-hot"),
        (lambda: oracle(GroupWord(), np.zeros((2, 16, 7))), ValueError, r"F = 6; got \(2, 16, 7\)"),
    ],
)
def test_what_is_refused(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_the_trivial_scores_of_the_list_are_the_tasks_own():
    task = GroupWord()
    told = f"chance {100 * task.chance:.3g} %, majority {100 * task.majority:.3g} % at the standard sizes"
    assert TASKS["group-word"].trivial.startswith(told)
