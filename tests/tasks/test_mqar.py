"""Multi-query associative recall: Zoology's own labels and gaps, trivial scores, what is refused."""

import numpy as np
import pytest

from relational_rnn.tasks.batch import one_hot
from relational_rnn.tasks.mqar import Mqar, oracle, records, sample, shortcut

# Made by `multiquery_ar` of https://github.com/HazyResearch/zoology (Apache License 2.0), d88d6f5, with
# vocab_size=26, input_seq_len=24, num_kv_pairs=4, random_non_queries=False: inputs and labels of seed 0.
INPUTS = [
    [7, 18, 12, 17, 5, 15, 11, 23, 7, 0, 0, 0, 12, 0, 5, 0, 0, 0, 0, 0, 0, 0, 11, 0],
    [6, 24, 3, 21, 4, 14, 5, 18, 6, 0, 4, 0, 3, 0, 5, 0, 0, 0, 0, 0, 0, 0, 0, 0],
    [7, 18, 2, 13, 11, 25, 3, 15, 7, 0, 11, 0, 2, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0],
]
LABELS = [
    {8: 18, 12: 17, 14: 15, 22: 23},
    {8: 24, 10: 14, 12: 21, 14: 18},
    {8: 18, 10: 25, 12: 13, 16: 15},
]
# Of 20,000 examples of the same sizes: how often each of the 8 places has the first key, and the fourth.
GAPS = {
    0: [0.362, 0.182, 0.123, 0.094, 0.075, 0.061, 0.053, 0.050],
    3: [0.108, 0.159, 0.157, 0.142, 0.132, 0.113, 0.100, 0.090],
}
LIKE_THEIRS = Mqar(pairs=4, vocabulary=26, spread=2)


def test_labels_are_those_of_the_benchmark():
    answers = oracle(LIKE_THEIRS, one_hot(np.array(INPUTS), 26))
    for row, labels in zip(answers, LABELS, strict=True):
        wanted = np.zeros(24, dtype=np.int64)
        wanted[list(labels)] = np.array(list(labels.values())) - 26 // 2
        np.testing.assert_array_equal(row, wanted)


def test_gaps_are_distributed_as_in_the_benchmark():
    tokens = sample(LIKE_THEIRS, 20_000, np.random.default_rng(0)).inputs.argmax(-1)
    for pair, shares in GAPS.items():
        found = (tokens[:, 8::2] == tokens[:, 2 * pair, None]).mean(0)
        np.testing.assert_allclose(found, shares, atol=0.015)


@pytest.mark.parametrize("sizes", [(1, 6, 1), (4, 132, 2), (64, 132, 1), (3, 9, 4)])
def test_format_and_answers_are_those_of_a_plain_loop(sizes):
    task = Mqar(**dict(zip(("pairs", "vocabulary", "spread"), sizes)))
    batch = sample(task, 20, np.random.default_rng(1))
    half = task.vocabulary // 2
    for tokens, targets, mask in zip(batch.inputs.argmax(-1), batch.targets, batch.mask, strict=True):
        told = {tokens[2 * pair]: tokens[2 * pair + 1] - half for pair in range(task.pairs)}
        assert len(told) == len(set(told.values())) == task.pairs
        assert min(told) >= 1
        assert max(told) < half
        for step in range(2 * task.pairs, task.steps):
            assert mask[step] == (tokens[step] > 0)
            assert targets[step] == (told[tokens[step]] if mask[step] else 0)
        assert sorted(tokens[mask]) == sorted(told)


def test_sizes_grow_as_far_as_the_keys_go():
    assert [task.pairs for task in Mqar().larger()["pairs"]] == [4, 8, 16, 32, 64]
    assert Mqar(pairs=60).harder().pairs == 65
    with pytest.raises(ValueError, match="no harder task: 65 pairs already use all 65 keys"):
        Mqar(pairs=65).harder()


def test_trivial_scores_by_sampling():
    batch = sample(Mqar(vocabulary=20), 4_000, np.random.default_rng(2))
    counts = np.bincount(batch.targets[batch.mask], minlength=10)
    np.testing.assert_allclose(counts / counts.sum(), Mqar(vocabulary=20).majority, atol=0.01)
    told = shortcut(Mqar(vocabulary=20), batch.inputs)
    assert 0.25 < (told == batch.targets)[batch.mask].mean() < 0.4  # more than one of four, far from all


def test_record():
    record = next(records(Mqar(), 1, 0))
    values = dict(record["pairs"])
    assert [values[key] for key in record["queries"] if key] == record["answer"]
    assert len(record["queries"]) == 8


def spoiled(step: int, token: int) -> np.ndarray:
    tokens = np.array(INPUTS)
    tokens[1, step] = token
    return one_hot(tokens, 26)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: Mqar(pairs=0), ValueError, "pairs must be an integer of at least 1, got 0"),
        (lambda: Mqar(vocabulary=5), ValueError, "vocabulary must be .* at least 6, got 5"),
        (lambda: Mqar(pairs=9, vocabulary=18), ValueError, "pairs must be at most 8, the keys in a vocab"),
        (lambda: Mqar(spread=1.5), TypeError, "spread must be an integer"),
        (lambda: oracle(LIKE_THEIRS, np.zeros((1, 24, 26))), ValueError, r"inputs\[0, 0\] must be a one-hot"),
        (
            lambda: oracle(LIKE_THEIRS, spoiled(0, 20)),
            ValueError,
            r"inputs\[1, 0\] must be a key \(1 to 12\)",
        ),
        (lambda: oracle(LIKE_THEIRS, spoiled(9, 20)), ValueError, r"inputs\[1, 9\].* then no value"),
        (
            lambda: oracle(LIKE_THEIRS, spoiled(16, 6)),
            ValueError,
            r"inputs\[1, 0\] must be a key that stands at one place",
        ),
        (lambda: oracle(LIKE_THEIRS, spoiled(16, 9)), ValueError, r"inputs\[1, 16\] must be one of the seq"),
    ],
)
def test_what_is_refused(call, error, message):
    with pytest.raises(error, match=message):
        call()
