"""Object tracking: what is shown, walls, trivial scores, what is refused."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from relational_rnn.tasks.object_tracking import DIRECTIONS, ObjectTracking, oracle, records, sample, shortcut


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_standard_sizes():
    task = ObjectTracking()
    assert (task.objects, task.rows, task.columns, task.moves) == (3, 5, 5, 12)
    assert (task.steps, task.input_size, task.classes) == (16, 21, 25)
    assert task.harder() == ObjectTracking(objects=5, moves=24)
    assert ObjectTracking(objects=2, labels=2, moves=0).harder() == ObjectTracking(
        objects=2, labels=2, moves=1
    )


@given(
    objects=st.integers(1, 4),
    more=st.integers(0, 3),
    rows=st.integers(1, 4),
    columns=st.integers(2, 4),
    moves=st.integers(0, 15),
    batch_size=st.integers(1, 4),
)
def test_format_and_answers_are_those_of_a_plain_loop(objects, more, rows, columns, moves, batch_size):
    labels = objects + more
    task = ObjectTracking(objects=objects, labels=labels, rows=rows, columns=columns, moves=moves)
    batch = sample(task, batch_size, rng(moves))
    steps = objects + moves + 1
    assert batch.inputs.shape == (batch_size, steps, labels + rows + columns + 5)
    assert batch.mask.tolist() == [[False] * (steps - 1) + [True]] * batch_size
    for shown, targets in zip(batch.inputs.tolist(), batch.targets, strict=True):
        at = {}
        for step, features in enumerate(shown):
            label = features[:labels].index(1)
            row = features[labels : labels + rows]
            column = features[labels + rows : labels + rows + columns]
            direction, flag = features[-5:-1], features[-1]
            assert sum(features[:labels]) == 1
            parts = (sum(row), sum(column), sum(direction), flag)
            if step < objects:
                assert parts == (1, 1, 0, 0)
                assert label not in at
                at[label] = [row.index(1), column.index(1)]
            elif step < steps - 1:
                assert parts == (0, 0, 1, 0)
                cell, move = at[label], DIRECTIONS[direction.index(1)]
                if move == "up" and cell[0] > 0:
                    cell[0] -= 1
                elif move == "down" and cell[0] < rows - 1:
                    cell[0] += 1
                elif move == "left" and cell[1] > 0:
                    cell[1] -= 1
                elif move == "right" and cell[1] < columns - 1:
                    cell[1] += 1
            else:
                assert parts == (0, 0, 0, 1)
                answer = at[label][0] * columns + at[label][1]
        assert targets.tolist() == [0] * (steps - 1) + [answer]
    np.testing.assert_array_equal(oracle(task, batch.inputs), batch.targets)


@pytest.mark.parametrize(
    "task", [ObjectTracking(), ObjectTracking().harder(), ObjectTracking(rows=1, columns=3)]
)
def test_every_cell_is_the_answer_equally_often(task):
    count = 40_000
    answers = sample(task, count, rng(2)).targets[:, -1]
    share = np.bincount(answers, minlength=task.classes) / count
    np.testing.assert_allclose(share, task.majority, atol=5 * math.sqrt(task.majority / count))
    guesses = rng(3).integers(task.classes, size=count)
    assert (guesses == answers).mean() == pytest.approx(task.chance, abs=0.01)


def test_objects_and_moves_are_uniform():
    count = 40_000
    mean = sample(ObjectTracking(), count, rng(4)).inputs.mean(0)  # (16, 21) shares
    np.testing.assert_allclose(mean[:, :6], 1 / 6, atol=5 * math.sqrt(1 / 6 / count))
    np.testing.assert_allclose(mean[:3, 6:16], 1 / 5, atol=5 * math.sqrt(1 / 5 / count))
    np.testing.assert_allclose(mean[3:15, 16:20], 1 / 4, atol=5 * math.sqrt(1 / 4 / count))


def test_shortcut_tells_where_the_object_was_placed():
    still = ObjectTracking(moves=0)
    batch = sample(still, 200, rng(5))
    np.testing.assert_array_equal(shortcut(still, batch.inputs), batch.targets)
    assert shortcut(TASK, spoiled((0, 0, 0), 1)).tolist() == [[0, 0, 0, 0]] * 3


def test_record():
    for record in records(ObjectTracking(), 5, 0):
        assert len(record["objects"]) == 3
        assert len(record["moves"]) == 12
        assert record["query"] in [label for label, _, _ in record["objects"]]


TASK = ObjectTracking(objects=2, labels=3, rows=1, columns=2, moves=1)


def spoiled(where: tuple, value: object) -> np.ndarray:
    """Three examples, object 0 in column 0 and 1 in column 1, 0 moves right, with something overwritten."""
    one = np.zeros((4, 11), dtype=np.float32)
    for step, hot in enumerate([(0, 3, 4), (1, 3, 5), (0, 7), (0, 10)]):
        one[step, list(hot)] = 1
    inputs = np.stack([one] * 3)
    inputs[where] = value
    return inputs


def test_the_example_that_is_spoiled_is_right():
    assert oracle(TASK, spoiled((0, 0, 0), 1)).tolist() == [[0, 0, 0, 1]] * 3


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: ObjectTracking(objects=0), ValueError, "objects must be an integer of at least 1, got 0"),
        (lambda: ObjectTracking(moves=-1), ValueError, "moves must be an integer of at least 0, got -1"),
        (lambda: ObjectTracking(objects=7), ValueError, "objects must be at most 6, the number of labels"),
        (lambda: ObjectTracking(rows=1, columns=1), ValueError, "at least 2, got a grid of 1 cell"),
        (lambda: sample(ObjectTracking(), 0, rng()), ValueError, "batch_size must be .* at least 1, got 0"),
        (lambda: sample(ObjectTracking(), 2, None), TypeError, "generator must be a numpy.random.Generator"),
        (lambda: oracle(TASK, np.zeros((3, 5, 11))), ValueError, r"T = 4.*; got \(3, 5, 11\)"),
        (lambda: oracle(TASK, spoiled((1, 0), 0)), ValueError, r"inputs\[1, 0\] must be one-hot"),
        (lambda: oracle(TASK, spoiled((1, 2, 4), 1)), ValueError, r"inputs\[1, 2\] must be one-hot"),
        (
            lambda: oracle(TASK, spoiled((2, 1, slice(0, 2)), [1, 0])),
            ValueError,
            r"inputs\[2, 1\] places the object of an earlier step",
        ),
        (
            lambda: oracle(TASK, spoiled((2, 2, slice(0, 3)), [0, 0, 1])),
            ValueError,
            r"inputs\[2, 2\] names an object that was not placed \(so in 1 of 3",
        ),
        (
            lambda: oracle(TASK, spoiled((0, 3, slice(0, 3)), [0, 0, 1])),
            ValueError,
            r"inputs\[0, 3\] names an object that was not placed",
        ),
    ],
)
def test_wrong_use(call, error, message):
    with pytest.raises(error, match=message):
        call()
