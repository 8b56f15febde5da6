"""Pair matching: what is shown, trivial scores, what is refused."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from relational_rnn.tasks.pair_matching import PairMatching, oracle, records, sample, shortcut


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_standard_sizes():
    task = PairMatching()
    assert (task.pairs, task.keys, task.values, task.steps, task.input_size) == (6, 12, 10, 7, 23)
    assert task.harder() == PairMatching(pairs=10)
    assert PairMatching(pairs=1, keys=2).harder() == PairMatching(pairs=2, keys=2)


@given(
    pairs=st.integers(1, 9), more=st.integers(0, 4), values=st.integers(2, 9), batch_size=st.integers(1, 5)
)
def test_format_and_answers_are_those_of_a_plain_loop(pairs, more, values, batch_size):
    keys = pairs + more
    task = PairMatching(pairs=pairs, keys=keys, values=values)
    batch = sample(task, batch_size, rng(pairs + 10 * values))
    assert batch.inputs.shape == (batch_size, pairs + 1, keys + values + 1)
    assert batch.mask.tolist() == [[False] * pairs + [True]] * batch_size
    assert batch.lengths.tolist() == [pairs + 1] * batch_size
    for rows, targets in zip(batch.inputs.tolist(), batch.targets, strict=True):
        value_of = {}
        for row in rows[:-1]:
            assert (sum(row[:keys]), sum(row[keys:-1]), row[-1]) == (1, 1, 0)
            value_of[row[:keys].index(1)] = row[keys:-1].index(1)
        assert len(value_of) == pairs
        assert rows[-1][keys:] == [0] * values + [1]
        assert targets.tolist() == [0] * pairs + [value_of[rows[-1][:keys].index(1)]]
    np.testing.assert_array_equal(oracle(task, batch.inputs), batch.targets)


def test_keys_values_and_questions_are_uniform():
    count, task = 40_000, PairMatching()
    batch = sample(task, count, rng(2))
    keys = batch.inputs[:, :, :12].mean(0)  # (7, 12) shares
    np.testing.assert_allclose(keys, 1 / 12, atol=5 * math.sqrt(1 / 12 / count))
    values = batch.inputs[:, :6, 12:22].mean(0)
    np.testing.assert_allclose(values, 0.1, atol=5 * math.sqrt(0.1 / count))
    asked = (batch.inputs[:, :6, :12] == batch.inputs[:, 6:, :12]).all(-1).mean(0)
    np.testing.assert_allclose(asked, 1 / 6, atol=5 * math.sqrt(1 / 6 / count))


@pytest.mark.parametrize("task", [PairMatching(), PairMatching().harder(), PairMatching(pairs=2, values=3)])
def test_trivial_scores_by_sampling(task):
    count = 40_000
    batch = sample(task, count, rng(3))
    answers = batch.targets[:, -1]
    assert task.chance == pytest.approx(
        (rng(4).integers(task.values, size=count) == answers).mean(), abs=0.01
    )
    assert task.majority == pytest.approx(np.bincount(answers).max() / count, abs=0.01)


def test_shortcut_tells_the_value_shown_most_often():
    batch = sample(PairMatching(), 200, rng(5))
    for rows, told in zip(batch.inputs.tolist(), shortcut(PairMatching(), batch.inputs), strict=True):
        values = [row[12:22].index(1) for row in rows[:6]]
        assert values.count(told[-1]) == max(map(values.count, values))
        assert not told[:-1].any()


def test_record():
    for record in records(PairMatching(), 5, 0):
        assert dict(record["pairs"])[record["query"]] == record["answer"]
        assert len(record["pairs"]) == 6


TASK = PairMatching(pairs=2, keys=3, values=2)


def spoiled(where: tuple, value: object) -> np.ndarray:
    """Three examples of keys 0 and 1, values 1 and 0, asking for key 1, with something overwritten."""
    one = [[1, 0, 0, 0, 1, 0], [0, 1, 0, 1, 0, 0], [0, 1, 0, 0, 0, 1]]
    inputs = np.array([one] * 3, dtype=np.float32)
    inputs[where] = value
    return inputs


def test_the_example_that_is_spoiled_is_right():
    assert oracle(TASK, spoiled((0, 0, 0), 1)).tolist() == [[0, 0, 0]] * 3


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: PairMatching(pairs=0), ValueError, "pairs must be an integer of at least 1, got 0"),
        (lambda: PairMatching(values=1), ValueError, "values must be an integer of at least 2, got 1"),
        (lambda: PairMatching(pairs=13), ValueError, "pairs must be at most 12, the number of keys.*got 13"),
        (lambda: PairMatching(pairs=3, keys=3).harder(), ValueError, "3 pairs already use all 3 keys"),
        (lambda: sample(PairMatching(), 0, rng()), ValueError, "batch_size must be .* at least 1, got 0"),
        (lambda: sample(PairMatching(), 2, None), TypeError, "generator must be a numpy.random.Generator"),
        (lambda: oracle(TASK, [0.0]), TypeError, "must be a NumPy array .* got a list"),
        (lambda: oracle(TASK, np.zeros((3, 4, 6))), ValueError, r"T = 3.*; got \(3, 4, 6\)"),
        (lambda: oracle(TASK, spoiled((1, 0), 0)), ValueError, r"inputs\[1, 0\] must be a one-hot key"),
        (lambda: oracle(TASK, spoiled((1, 2, 3), 1)), ValueError, r"inputs\[1, 2\] must be a one-hot key"),
        (
            lambda: oracle(TASK, spoiled((2, 1, slice(0, 2)), [1, 0])),
            ValueError,
            r"inputs\[2, 1\] has the key of an earlier step",
        ),
        (
            lambda: oracle(TASK, spoiled((2, 2, slice(0, 3)), [0, 0, 1])),
            ValueError,
            r"inputs\[2, 2\] asks for a key that was not shown \(so in 1 of 3",
        ),
    ],
)
def test_wrong_use(call, error, message):
    with pytest.raises(error, match=message):
        call()
