"""Nth farthest: examples, oracle, curriculum, the authors' samples, what is refused."""

import itertools
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from relational_rnn.tasks.nth_farthest import (
    NthFarthest,
    oracle,
    records,
    relabel_authors,
    sample,
    trivial_accuracy,
    trivial_policy,
)

GOLDEN = Path(__file__).parents[1] / "golden" / "nth_farthest_8x16.npz"
SIZES = [
    (8, 16, 8, 16),
    (8, 16, 3, 2),
    (8, 16, 5, 16),
    (8, 16, 8, 4),
    (2, 1, 2, 1),
    (3, 2, 2, 1),
    (5, 33, 4, 32),
]
"""Objects and dimensions of the full task, then of the batch."""


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def answer_by_hand(objects: int, dimensions: int, rows: list[list[float]]) -> int:
    """One example at a time, in plain Python: remove the farthest vector until the one asked for is left."""
    code = {  # part of the row -> label or n
        part: [row[dimensions + p * objects : dimensions + (p + 1) * objects].index(1) for row in rows]
        for p, part in enumerate(("own", "reference", "n"))
    }
    vector = {label: row[:dimensions] for label, row in zip(code["own"], rows, strict=True)}
    reference, n = code["reference"][0], code["n"][0]
    remaining = dict(vector)
    for _ in range(n - (objects - len(rows))):
        others = [label for label in remaining if label != reference]
        del remaining[max(others, key=lambda label: math.dist(vector[label], vector[reference]))]
    others = [label for label in remaining if label != reference]
    return max(others, key=lambda label: math.dist(vector[label], vector[reference]), default=reference)


@pytest.mark.parametrize(("objects", "dimensions", "k", "d"), SIZES)
def test_answers_are_those_of_a_plain_loop(objects, dimensions, k, d):
    task = NthFarthest(objects=objects, dimensions=dimensions)
    batch = sample(task, 60, rng(1), objects=k, dimensions=d)
    by_hand = [answer_by_hand(objects, dimensions, rows) for rows in batch.inputs.tolist()]
    assert by_hand == batch.targets.tolist()


@pytest.mark.parametrize(("objects", "dimensions", "k", "d"), SIZES)
def test_oracle_is_always_right(objects, dimensions, k, d):
    task = NthFarthest(objects=objects, dimensions=dimensions)
    batch = sample(task, 20_000, rng(2), objects=k, dimensions=d)
    np.testing.assert_array_equal(oracle(task, batch.inputs), batch.targets)


@pytest.mark.parametrize("in_play", [3, 4, 6])
def test_labels_may_come_from_more_than_are_shown(in_play):
    task = NthFarthest(objects=6, dimensions=2)
    batch = sample(task, 2_000, rng(4), objects=3, labels=in_play)
    np.testing.assert_array_equal(oracle(task, batch.inputs), batch.targets)
    shown = {tuple(sorted(labels)) for labels in batch.labels.tolist()}
    assert shown == set(itertools.combinations(range(in_play), 3))
    assert set(batch.reference.tolist()) == set(batch.targets.tolist()) == set(range(in_play))


@pytest.mark.parametrize(("objects", "dimensions", "k", "d"), SIZES)
def test_batch_has_the_format_of_the_full_task(objects, dimensions, k, d):
    task = NthFarthest(objects=objects, dimensions=dimensions)
    batch = sample(task, 500, rng(3), objects=k, dimensions=d)
    assert batch.inputs.shape == (500, k, task.input_size)
    assert (batch.inputs.dtype, batch.targets.dtype) == (np.float32, np.int64)
    np.testing.assert_array_equal(np.sort(batch.labels, axis=1), np.tile(np.arange(k), (500, 1)))
    assert set(batch.n.tolist()) == set(range(objects - k, objects))
    assert set(batch.reference.tolist()) == set(batch.targets.tolist()) == set(range(k))
    assert -1 <= batch.vectors.min() < -0.9 < 0.9 < batch.vectors.max() < 1

    hot = np.eye(objects)
    expected = np.zeros((500, k, task.input_size))
    expected[:, :, :d] = batch.vectors
    expected[:, :, dimensions : dimensions + objects] = hot[batch.labels]
    expected[:, :, dimensions + objects : dimensions + 2 * objects] = hot[batch.reference][:, None]
    expected[:, :, dimensions + 2 * objects :] = hot[batch.n][:, None]
    np.testing.assert_array_equal(batch.inputs, expected)


def test_sizes():
    task = NthFarthest()
    assert (task.objects, task.dimensions, task.input_size, task.classes, task.steps) == (8, 16, 40, 8, 8)
    assert NthFarthest(objects=3, dimensions=5).input_size == 14
    assert task.trivial_accuracy == trivial_accuracy(8) == 0.25
    assert (trivial_accuracy(2), trivial_accuracy(4)) == (1, 0.5)


def test_seed_decides():
    first, again, other = (sample(NthFarthest(), 50, rng(seed)) for seed in (7, 7, 8))
    for a, b in zip(first, again, strict=True):
        np.testing.assert_array_equal(a, b)
    for name, a, b in zip(first._fields, first, other, strict=True):
        assert (a != b).any(), name


def test_generator_moves_on():
    generator = rng()
    assert (sample(NthFarthest(), 5, generator).inputs != sample(NthFarthest(), 5, generator).inputs).any()


def test_question_and_answer_are_evenly_distributed():
    count, classes = 80_000, 8
    batch = sample(NthFarthest(), count, rng(4))
    four_deviations = 4 * math.sqrt(count / classes * (1 - 1 / classes))
    where = batch.labels.argmin(axis=1)  # the step at which label 0 is shown
    step = (batch.labels == batch.reference[:, None]).argmax(axis=1)
    for what in (batch.targets, batch.n, batch.reference, where, step):
        assert np.abs(np.bincount(what, minlength=classes) - count / classes).max() < four_deviations
    assert batch.vectors.mean() == pytest.approx(0, abs=0.001)
    assert batch.vectors.var() == pytest.approx(1 / 3, abs=0.001)


def test_labels_say_nothing_about_the_step_or_the_distance():
    """The question alone gives no answer: given n and m, every other label is equally likely."""
    batch = sample(NthFarthest(objects=4, dimensions=3), 40_000, rng(5))
    asked = (batch.n == 0) & (batch.reference == 2)
    share = np.bincount(batch.targets[asked], minlength=4) / asked.sum()
    assert share[2] == 0
    assert share[[0, 1, 3]] == pytest.approx(1 / 3, abs=4 * math.sqrt(2 / 9 / asked.sum()))


@pytest.mark.parametrize("k", range(2, 9))
def test_last_n_is_the_reference_at_every_size(k):
    batch = sample(NthFarthest(), 2_000, rng(k), objects=k)
    itself = batch.n == 7
    np.testing.assert_array_equal(batch.targets == batch.reference, itself)
    assert itself.mean() == pytest.approx(1 / k, abs=0.05)


def test_first_n_is_the_farthest_of_those_shown():
    batch = sample(NthFarthest(), 200, rng(), objects=5, dimensions=3)
    reference = batch.vectors[batch.labels == batch.reference[:, None]][:, None]
    distance = np.linalg.norm(batch.vectors - reference, axis=-1)
    farthest = np.take_along_axis(batch.labels, distance.argmax(-1)[:, None], 1)[:, 0]
    np.testing.assert_array_equal(batch.targets == farthest, batch.n == 3)


@pytest.mark.parametrize("k", [2, 3, 8])
def test_trivial_policy_scores_two_in_k(k):
    task, count = NthFarthest(), 40_000
    batch = sample(task, count, rng(6), objects=k)
    answers = trivial_policy(task, batch.inputs, rng(7))
    itself = batch.n == 7
    np.testing.assert_array_equal(answers == batch.reference, itself)
    share = trivial_accuracy(k)
    assert (answers == batch.targets).mean() == pytest.approx(
        share, abs=4 * math.sqrt(share * (1 - share) / count)
    )


def test_authors_samples():
    golden = np.load(GOLDEN)
    task = NthFarthest(objects=int(golden["num_objects"]), dimensions=int(golden["num_features"]))
    ours = relabel_authors(task, golden["inputs"])
    np.testing.assert_array_equal(oracle(task, ours), golden["labels"])
    theirs = golden["inputs"][:, 0, -8:].argmax(-1)
    np.testing.assert_array_equal(ours[:, 0, -8:].argmax(-1), 7 - theirs)
    np.testing.assert_array_equal(relabel_authors(task, ours), golden["inputs"])
    # Without the relabelling only chance agrees, so the two ways of counting are told apart.
    assert (oracle(task, golden["inputs"]) == golden["labels"]).mean() < 0.3


def rows(vectors: list[list[float]], labels: list[int], reference: int, n: int) -> np.ndarray:
    """One example with N as many as the vectors, as inputs (1, N, F)."""
    hot = np.eye(len(labels))
    return np.array(
        [[[*v, *hot[label], *hot[reference], *hot[n]] for v, label in zip(vectors, labels, strict=True)]]
    )


def test_an_example_worked_out():
    task = NthFarthest(objects=4, dimensions=1)
    # From label 0 at 0.0: label 3 at 0.9, label 1 at 0.5, label 2 at 0.1.
    inputs = [rows([[-0.5], [0.0], [0.9], [0.1]], [1, 0, 3, 2], 0, n) for n in range(4)]
    assert [oracle(task, one).item() for one in inputs] == [3, 1, 2, 0]


def test_ties():
    task = NthFarthest(objects=3, dimensions=1)
    equal_distance = [rows([[0.5], [-0.5], [0.0]], [1, 0, 2], 2, n) for n in range(3)]
    assert [oracle(task, one).item() for one in equal_distance] == [1, 0, 2]
    same_vector = [rows([[0.5], [0.5], [0.0]], [1, 0, 2], 1, n) for n in range(3)]
    assert [oracle(task, one).item() for one in same_vector] == [2, 0, 1]


@given(
    st.integers(2, 9).flatmap(lambda n: st.tuples(st.just(n), st.integers(2, n))),
    st.integers(1, 40).flatmap(lambda d: st.tuples(st.just(d), st.integers(1, d))),
    st.integers(1, 5),
    st.integers(0, 2**32),
)
def test_any_size(objects, dimensions, batch_size, seed):
    task = NthFarthest(objects=objects[0], dimensions=dimensions[0])
    batch = sample(task, batch_size, rng(seed), objects=objects[1], dimensions=dimensions[1])
    np.testing.assert_array_equal(oracle(task, batch.inputs), batch.targets)
    by_hand = [answer_by_hand(objects[0], dimensions[0], one) for one in batch.inputs.tolist()]
    assert by_hand == batch.targets.tolist()
    # Neither the order of presentation nor a common shift of the vectors changes the answer.
    order = rng(seed).permutation(objects[1])
    moved = batch.inputs[:, order].astype(np.float64)
    moved[:, :, : dimensions[0]] += 2
    np.testing.assert_array_equal(oracle(task, moved), batch.targets)


def test_records_are_the_samples():
    task = NthFarthest(objects=4, dimensions=3)
    taken = list(records(task, 5, seed=9))
    assert taken[:3] == list(records(task, 3, seed=9))
    assert taken != list(records(task, 5, seed=10))
    generator = rng(9)
    for record in taken:
        batch = sample(task, 1, generator)
        assert record["vectors"] == batch.vectors[0].tolist()
        question = rows(record["vectors"], record["labels"], record["reference"], record["n"])
        assert oracle(task, question).item() == record["answer"]


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: NthFarthest(objects=1), ValueError, "objects must be an integer of at least 2, got 1"),
        (lambda: NthFarthest(objects=2.0), TypeError, "objects must be an integer"),
        (lambda: NthFarthest(dimensions=0), ValueError, "dimensions must be an integer of at least 1, got 0"),
        (lambda: trivial_accuracy(1), ValueError, "objects must be an integer of at least 2, got 1"),
        (lambda: sample(NthFarthest(), 0, rng()), ValueError, "batch_size must be .* at least 1, got 0"),
        (
            lambda: sample(NthFarthest(), 2, 0),
            TypeError,
            r"generator must be .*default_rng\(0\); got 0 \(int\)",
        ),
        (
            lambda: sample(NthFarthest(), 2, rng(), objects=1),
            ValueError,
            "objects must be .* at least 2, got 1",
        ),
        (
            lambda: sample(NthFarthest(), 2, rng(), objects=9),
            ValueError,
            "objects must be from 2 to 8, .* got 9",
        ),
        (
            lambda: sample(NthFarthest(), 2, rng(), dimensions=17),
            ValueError,
            "dimensions must be from 1 to 16, .* got 17",
        ),
        (
            lambda: sample(NthFarthest(), 2, rng(), objects=4, labels=3),
            ValueError,
            "labels must be an integer of at least 4, got 3",
        ),
        (lambda: records(NthFarthest(), 0, 0), ValueError, "count must be .* at least 1, got 0"),
        (lambda: records(NthFarthest(), 1, -1), ValueError, "seed must be .* at least 0, got -1"),
    ],
)
def test_wrong_arguments(call, error, message):
    with pytest.raises(error, match=message):
        call()


TASK = NthFarthest(objects=4, dimensions=3)
"""Features 0..2 vector, 3..6 own label, 7..10 reference, 11..14 n."""


def spoiled(where: tuple, value: object, objects: int = 4) -> np.ndarray:
    """Six examples with something overwritten."""
    inputs = sample(TASK, 6, rng(11), objects=objects).inputs
    inputs[where] = value
    return inputs


@pytest.mark.parametrize(
    ("inputs", "error", "message"),
    [
        (np.zeros((6, 4, 15), int), TypeError, "floating-point numbers, got of dtype int64"),
        ([[1.0]], TypeError, "must be a NumPy array .* got a list"),
        (np.zeros((4, 15)), ValueError, r"3 axes \(B, T, F\).*; got shape \(4, 15\)"),
        (np.zeros((6, 4, 14)), ValueError, r"F = 15; got \(6, 4, 14\)"),
        (np.zeros((0, 4, 15)), ValueError, "must not be empty"),
        (np.zeros((6, 5, 15)), ValueError, "must have 2 to 4 steps, got 5"),
        (np.zeros((6, 1, 15)), ValueError, "must have 2 to 4 steps, got 1"),
        (
            spoiled((3, 2, 0), np.nan),
            ValueError,
            r"inputs\[3, 2\] has a vector that is not finite \(so in 1 of 6",
        ),
        (spoiled((3, 2, slice(3, 7)), 0), ValueError, r"inputs\[3, 2\] has no one-hot own label .* 3\.\.6"),
        (spoiled((3, 2, slice(3, 7)), 1), ValueError, r"inputs\[3, 2\] has no one-hot own label"),
        (
            spoiled((3, 2, slice(7, 11)), 0.25),
            ValueError,
            r"inputs\[3, 2\] has no one-hot reference .* 7\.\.10",
        ),
        (spoiled((3, 2, slice(11, 15)), np.nan), ValueError, r"inputs\[3, 2\] has no one-hot n .* 11\.\.14"),
        (
            spoiled((slice(None), slice(None), slice(3, 7)), [1, 0, 0, 0]),
            ValueError,
            r"inputs\[0, 1\] has the label of an earlier step \(so in 6 of 6 examples\)",
        ),
        (
            spoiled((4, slice(None), slice(7, 11)), np.eye(4)),
            ValueError,
            r"inputs\[4, 1\] has another reference than the first step",
        ),
        (
            spoiled((4, slice(None), slice(11, 15)), np.eye(4)),
            ValueError,
            r"inputs\[4, 1\] has another n than the first step",
        ),
        (
            spoiled((5, slice(None), slice(7, 11)), [0, 0, 0, 1], objects=3),
            ValueError,
            r"inputs\[5, 0\] names a reference that is none of the labels shown",
        ),
        (
            spoiled((5, slice(None), slice(11, 15)), [1, 0, 0, 0], objects=3),
            ValueError,
            r"inputs\[5, 0\] has an n below 1, where 3 of 4 objects are shown",
        ),
    ],
)
def test_wrong_inputs(inputs, error, message):
    with pytest.raises(error, match=message):
        oracle(TASK, inputs)
    with pytest.raises(error, match=message):
        trivial_policy(TASK, inputs, rng())


def test_relabelling_checks_the_shape():
    with pytest.raises(ValueError, match=r"F = 15; got \(6, 4, 14\)"):
        relabel_authors(TASK, np.zeros((6, 4, 14)))
