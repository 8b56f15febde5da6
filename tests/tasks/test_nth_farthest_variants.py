"""Nth farthest with more steps, or in another order: no answer changes."""

import numpy as np
import pytest

from relational_rnn.tasks.nth_farthest import NthFarthest, oracle, sample
from relational_rnn.tasks.nth_farthest_variants import lengthen, with_reference_at

TASK = NthFarthest(objects=5, dimensions=3)
LABELS = slice(3, 8)


def rng(seed=0):
    return np.random.default_rng(seed)


def without_more(inputs):
    """Each object's first showing, in order: what a reader who ignores the rest would keep."""
    rows = []
    for row in inputs:
        steps, seen = [], set()
        for step in row:
            label = tuple(step[LABELS])
            if any(label) and label not in seen:
                seen.add(label)
                steps.append(step)
        rows.append(steps)
    return np.array(rows)


@pytest.mark.parametrize(("distractors", "repeats"), [(0, 0), (3, 0), (0, 3), (2, 4)])
@pytest.mark.parametrize("objects", [5, 3])
def test_the_answers_stay(distractors, repeats, objects):
    batch = sample(TASK, 300, rng(), objects=objects)
    inputs = lengthen(TASK, batch, rng(1), distractors=distractors, repeats=repeats)
    assert (inputs.shape, inputs.dtype) == ((300, objects + distractors + repeats, 18), np.float32)
    np.testing.assert_array_equal(oracle(TASK, without_more(inputs)), batch.targets)


def test_a_distractor_is_a_vector_without_a_label():
    batch = sample(TASK, 500, rng(), dimensions=2)
    inputs = lengthen(TASK, batch, rng(1), distractors=3)
    strange = ~inputs[:, :, LABELS].any(-1)
    assert (strange.sum(1) == 3).all()
    vectors = inputs[strange][:, :3]
    assert -1 <= vectors[:, :2].min() < -0.9 < 0.9 < vectors[:, :2].max() < 1
    assert not vectors[:, 2].any(), "dimensions that the batch leaves out stay out"
    assert (inputs[:, :, 8:] == inputs[:, :1, 8:]).all(), "the question is told at every step"
    assert 0.3 < strange[:, 0].mean() < 0.45, "3 of 8 steps, at any place"


def test_a_repeat_is_an_object_again():
    batch = sample(TASK, 500, rng())
    inputs = lengthen(TASK, batch, rng(1), repeats=2)
    for row, objects in zip(inputs, batch.inputs):
        known = {step.tobytes() for step in objects}
        assert {step.tobytes() for step in row} == known
    labels = inputs[:, :, LABELS].argmax(-1)
    counts = np.array([np.bincount(row, minlength=5) for row in labels])
    assert counts.max() == 3, "an object may be drawn twice"
    assert (counts.sum(1) == 7).all()


def test_same_seed_same_steps():
    batch = sample(TASK, 9, rng())
    one, same, other = (lengthen(TASK, batch, rng(seed), distractors=1, repeats=1) for seed in (3, 3, 4))
    np.testing.assert_array_equal(one, same)
    assert not np.array_equal(one, other)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"distractors": -1}, ValueError, "distractors must be an integer of at least 0, got -1"),
        ({"repeats": 1.5}, TypeError, "repeats must be an integer of at least 0, got 1.5"),
    ],
)
def test_wrong_arguments(options, error, message):
    with pytest.raises(error, match=message):
        lengthen(TASK, sample(TASK, 2, rng()), rng(), **options)
    with pytest.raises(TypeError, match=r"generator must be a numpy\.random\.Generator"):
        lengthen(TASK, sample(TASK, 2, rng()), 0)


@pytest.mark.parametrize("step", [0, 2, 4])
def test_the_reference_can_be_put_anywhere(step):
    batch = sample(TASK, 300, rng(), dimensions=2)
    moved = with_reference_at(batch, step)
    np.testing.assert_array_equal(moved.labels[:, step], batch.reference)
    np.testing.assert_array_equal(oracle(TASK, moved.inputs), batch.targets)
    np.testing.assert_array_equal(moved.vectors, moved.inputs[:, :, :2])
    for before, after in zip(batch.inputs, moved.inputs):
        assert sorted(map(bytes, before)) == sorted(map(bytes, after)), "the same objects"


def test_a_step_that_is_not_there():
    with pytest.raises(ValueError, match="step must be at most 4, of 5 steps; got 5"):
        with_reference_at(sample(TASK, 2, rng()), 5)
