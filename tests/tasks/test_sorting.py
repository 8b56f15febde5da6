"""Sorting: what is shown, when it is asked, trivial scores, what is refused."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from relational_rnn.tasks.sorting import Sorting, oracle, records, sample


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_standard_sizes():
    task = Sorting()
    assert (task.items, task.values, task.steps, task.input_size, task.classes) == (8, 10, 16, 11, 10)
    assert task.harder() == Sorting(items=12)
    assert Sorting(items=1).harder() == Sorting(items=2)


@given(items=st.integers(1, 12), values=st.integers(2, 12), batch_size=st.integers(1, 5))
def test_format_and_answers_are_those_of_a_plain_loop(items, values, batch_size):
    task = Sorting(items=items, values=values)
    batch = sample(task, batch_size, rng(items * 100 + values))
    assert batch.inputs.shape == (batch_size, 2 * items, values + 1)
    assert (batch.inputs.dtype, batch.targets.dtype, batch.mask.dtype) == (np.float32, np.int64, bool)
    assert batch.lengths.tolist() == [2 * items] * batch_size
    for rows, targets, mask in zip(batch.inputs.tolist(), batch.targets, batch.mask, strict=True):
        seen = []
        for row in rows[:items]:
            assert sorted(row) == [0] * values + [1]
            seen.append(row.index(1))
        assert rows[items:] == [[0] * values + [1]] * items
        assert mask.tolist() == [False] * items + [True] * items
        assert targets.tolist() == [0] * items + sorted(seen)
    np.testing.assert_array_equal(oracle(task, batch.inputs), batch.targets)


def test_every_answer_is_known_from_the_steps_before_it():
    """What is asked at a step does not change when later steps are changed: all items come first."""
    batch = sample(Sorting(), 50, rng(1))
    assert (batch.mask.argmax(1) == 8).all()
    assert (batch.inputs[:, 8:] == batch.inputs[0, 8]).all()


def test_items_are_uniform():
    count = 10_000
    items = sample(Sorting(), count, rng(2)).inputs[:, :8, :10].mean(0)  # (8, 10) shares
    np.testing.assert_allclose(items, 0.1, atol=5 * math.sqrt(0.09 / count))


@pytest.mark.parametrize(("items", "values"), [(1, 2), (3, 2), (4, 3), (2, 5), (5, 4)])
def test_majority_by_counting_every_sequence(items, values):
    every = np.array([sorted(one) for one in itertools.product(range(values), repeat=items)])
    best = [np.bincount(column).max() for column in every.T]
    assert Sorting(items=items, values=values).majority == pytest.approx(sum(best) / every.size, rel=1e-12)


@pytest.mark.parametrize("task", [Sorting(), Sorting().harder()])
def test_majority_and_chance_by_sampling(task):
    batch = sample(task, 20_000, rng(3))
    targets = batch.targets[:, task.items :]
    best = np.mean([np.bincount(column, minlength=10).max() for column in targets.T]) / len(targets)
    assert task.majority == pytest.approx(best, abs=0.01)
    assert task.chance == pytest.approx((rng(4).integers(10, size=targets.shape) == targets).mean(), abs=0.01)
    assert task.majority > task.chance


def test_record():
    task = Sorting(items=5, values=7)
    for record in records(task, 5, 0):
        assert record["answer"] == sorted(record["items"])
        assert len(record["items"]) == 5


def spoiled(where: tuple, value: object) -> np.ndarray:
    """Three examples with something overwritten."""
    inputs = sample(Sorting(items=2, values=3), 3, rng(5)).inputs
    inputs[where] = value
    return inputs


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: Sorting(items=0), ValueError, "items must be an integer of at least 1, got 0"),
        (lambda: Sorting(values=1), ValueError, "values must be an integer of at least 2, got 1"),
        (lambda: Sorting(items=2.5), TypeError, "items must be an integer"),
        (lambda: sample(Sorting(), 0, rng()), ValueError, "batch_size must be .* at least 1, got 0"),
        (lambda: sample(Sorting(), 2, 0), TypeError, "generator must be a numpy.random.Generator"),
        (lambda: records(Sorting(), 0, 0), ValueError, "count must be .* at least 1, got 0"),
    ],
)
def test_wrong_arguments(call, error, message):
    with pytest.raises(error, match=message):
        call()


@pytest.mark.parametrize(
    ("inputs", "error", "message"),
    [
        (np.zeros((3, 4, 4), int), TypeError, "floating-point numbers, got of dtype int64"),
        (np.zeros((3, 5, 4)), ValueError, r"T = 4.*; got \(3, 5, 4\)"),
        (np.zeros((3, 4, 5)), ValueError, r"F = 4; got \(3, 4, 5\)"),
        (spoiled((1, 0), 0), ValueError, r"inputs\[1, 0\] must be a one-hot item .* in 1 of 3"),
        (spoiled((1, 1), 1), ValueError, r"inputs\[1, 1\] must be a one-hot item"),
        (spoiled((2, 3, 0), 1), ValueError, r"inputs\[2, 3\] must .* no item with flag 1 after"),
        (spoiled((2, 3, 3), np.nan), ValueError, r"inputs\[2, 3\]"),
    ],
)
def test_wrong_inputs(inputs, error, message):
    with pytest.raises(error, match=message):
        oracle(Sorting(items=2, values=3), inputs)
