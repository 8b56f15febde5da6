"""Splits of the reasoning tasks."""

import json

import numpy as np
import pytest

from relational_rnn.tasks import REASONING_TASKS, find_task, generate_reasoning_data

SMALL = {"train": 40, "validation": 20, "test": 30, "harder": 10}
EACH = pytest.mark.parametrize("name", REASONING_TASKS)


def test_all_is_each_of_them():
    data = generate_reasoning_data(**SMALL, seed=3)
    assert list(data) == list(REASONING_TASKS)
    for name, one in data.items():
        alone = generate_reasoning_data(name, **SMALL, seed=3)
        assert one.metadata == alone.metadata
        for split in SMALL:
            for a, b in zip(getattr(one, split), getattr(alone, split), strict=True):
                np.testing.assert_array_equal(a, b)


def test_a_name_with_underscores_is_the_same_task():
    one, other = (generate_reasoning_data(name, **SMALL) for name in ("pair_matching", "pair-matching"))
    assert one.metadata == other.metadata
    np.testing.assert_array_equal(one.train.inputs, other.train.inputs)
    assert find_task("nth_farthest") is find_task("nth-farthest")
    with pytest.raises(ValueError, match=r"no reasoning task 'pair_match' \(did you mean pair-matching\?\)"):
        generate_reasoning_data("pair_match")
    with pytest.raises(
        ValueError, match=r"there is no task 'sorted' \(did you mean sorting\?\); known tasks"
    ):
        find_task("sorted")


@EACH
def test_splits(name):
    data = generate_reasoning_data(name, **SMALL)
    entry = find_task(name)
    for split, count in SMALL.items():
        batch = getattr(data, split)
        task = data.harder_task if split == "harder" else data.task
        assert batch.inputs.shape == (count, task.steps, data.metadata["input_size"])
        assert batch.targets.shape == batch.mask.shape == (count, task.steps)
        assert batch.targets.max() < data.metadata["classes"]
        np.testing.assert_array_equal(entry.oracle(task, batch.inputs), batch.targets)
    assert data.harder.inputs.shape[1] > data.test.inputs.shape[1]
    assert data.task == entry.factory()
    assert data.harder_task == entry.factory().harder()


@EACH
def test_metadata(name):
    data = generate_reasoning_data(name, **SMALL, seed=2)
    known = json.loads(json.dumps(data.metadata))
    assert (known["task"], known["seed"], known["examples"]) == (name, 2, SMALL)
    assert (known["chance"], known["majority"]) == (data.task.chance, data.task.majority)
    assert (known["harder_chance"], known["harder_majority"]) == (
        data.harder_task.chance,
        data.harder_task.majority,
    )
    assert " instead of " in known["harder"]
    changed = [size for size, value in known["sizes"].items() if known["harder_sizes"][size] != value]
    assert changed
    assert all(size in known["harder"] for size in changed)


@EACH
def test_splits_and_seeds_have_streams_of_their_own(name):
    same = {"train": 50, "validation": 50, "test": 50, "harder": 50, "harder_sizes": {}}
    first, other = (generate_reasoning_data(name, **same, seed=seed) for seed in (0, 1))
    batches = [getattr(data, split).inputs for data in (first, other) for split in SMALL]
    for number, batch in enumerate(batches):
        for earlier in batches[:number]:
            assert not np.array_equal(batch, earlier)


@EACH
def test_a_split_does_not_depend_on_the_size_of_another(name):
    one = generate_reasoning_data(name, **SMALL)
    two = generate_reasoning_data(name, **(SMALL | {"train": 7, "validation": 3}))
    np.testing.assert_array_equal(one.test.inputs, two.test.inputs)
    np.testing.assert_array_equal(one.harder.inputs, two.harder.inputs)


@pytest.mark.parametrize(
    ("name", "least"), [("pair-matching", 0.1), ("object-tracking", 0.04), ("babi-synthetic", 0.125)]
)
def test_shortcut_is_better_than_majority_and_far_from_right(name, least):
    data = generate_reasoning_data(name, train=1, validation=1, test=2000, harder=2000)
    for score in (data.metadata["shortcut"], data.metadata["harder_shortcut"]):
        assert least + 0.05 < score < 0.6
    batch = data.test
    told = find_task(name).shortcut(data.task, batch.inputs)
    right = [a == b for a, b, m in zip(told.flat, batch.targets.flat, batch.mask.flat, strict=True) if m]
    assert data.metadata["shortcut"] == pytest.approx(np.mean(right))


def test_sorting_has_no_shortcut():
    data = generate_reasoning_data("sorting", **SMALL)
    assert (data.metadata["shortcut"], data.metadata["harder_shortcut"]) == (None, None)


def test_sizes():
    data = generate_reasoning_data("sorting", **SMALL, sizes={"items": 3, "values": 4})
    assert (data.train.inputs.shape[1:], data.harder.inputs.shape[1:]) == ((6, 5), (8, 5))
    data = generate_reasoning_data("sorting", **SMALL, sizes={"values": 4}, harder_sizes={"items": 20})
    assert (data.train.inputs.shape[1:], data.harder.inputs.shape[1:]) == ((16, 5), (40, 5))
    assert data.metadata["harder"] == "items 20 instead of 8"
    assert generate_reasoning_data("sorting", **SMALL, harder_sizes={}).metadata["harder"] == "the same sizes"


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (
            {"task": "nth-farthest"},
            ValueError,
            "no reasoning task 'nth-farthest'; known: sorting, pair-matching, object-tracking, babi",
        ),
        (
            {"task": "sorting", "sizes": {"objects": 3}},
            ValueError,
            "sorting has no size objects; its .* items",
        ),
        ({"sizes": {"items": 3}}, ValueError, "sizes belong to a single task, one of sorting, .*; got 'all'"),
        ({"harder_sizes": {"items": 3}}, ValueError, "sizes belong to a single task"),
        (
            {"task": "sorting", "harder_sizes": {"values": 11}},
            ValueError,
            "harder_sizes must keep the input_size, 11, .*; got 12",
        ),
        (
            {
                "task": "object-tracking",
                "sizes": {"rows": 2, "columns": 4},
                "harder_sizes": {"rows": 3, "columns": 3},
            },
            ValueError,
            "harder_sizes must keep the classes, 8, .*; got 9",
        ),
        ({"train": 0}, ValueError, "train must be an integer of at least 1, got 0"),
        ({"harder": 2.5}, TypeError, "harder must be an integer"),
        ({"seed": -1}, ValueError, "seed must be an integer of at least 0, got -1"),
    ],
)
def test_wrong_use(arguments, error, message):
    with pytest.raises(error, match=message):
        generate_reasoning_data(**(SMALL | arguments))
