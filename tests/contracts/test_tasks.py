"""What holds for every task; a new entry of the registry is tested by existing."""

import itertools
import json
from dataclasses import replace

import numpy as np
import pytest

from relational_rnn.tasks import REASONING_TASKS, TASKS

ENTRIES = pytest.mark.parametrize("entry", TASKS.values(), ids=TASKS)
GROWING = [name for name in TASKS if name != "nth-farthest"]  # whose input's width follows from its size
LARGER = pytest.mark.parametrize("entry", [TASKS[name] for name in GROWING], ids=GROWING)
REASONING = pytest.mark.parametrize("entry", [TASKS[name] for name in REASONING_TASKS], ids=REASONING_TASKS)


@ENTRIES
def test_entry_says_what_people_need(entry):
    assert TASKS[entry.name] is entry
    assert entry.description
    assert entry.trivial
    assert "\n" not in entry.description + entry.trivial


@ENTRIES
def test_same_seed_same_data(entry):
    task = entry.factory()
    first, again, other = (entry.sample(task, 20, np.random.default_rng(seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.inputs, again.inputs)
    np.testing.assert_array_equal(first.targets, again.targets)
    assert (first.inputs != other.inputs).any()


@ENTRIES
def test_oracle_scores_100_percent(entry):
    task = entry.factory()
    batch = entry.sample(task, 300, np.random.default_rng(3))
    np.testing.assert_array_equal(entry.oracle(task, batch.inputs), batch.targets)


@ENTRIES
def test_targets_are_classes(entry):
    task = entry.factory()
    batch = entry.sample(task, 300, np.random.default_rng(4))
    assert batch.inputs.shape[-1] == task.input_size
    assert batch.targets.min() >= 0
    assert batch.targets.max() < task.classes


@ENTRIES
def test_records_survive_json(entry):
    task = entry.factory()
    taken = list(entry.records(task, 3, 5))
    assert [json.loads(json.dumps(record)) for record in taken] == taken
    assert list(itertools.islice(entry.records(task, 100, 5), 3)) == taken
    assert {record["task"] for record in taken} == {entry.name}


@ENTRIES
def test_a_record_of_a_batch_has_the_answer_that_its_targets_say(entry):
    task = entry.factory()
    batch = entry.sample(task, 20, np.random.default_rng(10))
    told = np.where(batch.targets == batch.targets.max(), 1, batch.targets.max())  # all of them others
    told = np.where(getattr(batch, "mask", True), told, 0)
    for example in (0, 19):
        right, wrong = (
            entry.as_record(task, answered, example) for answered in (batch, batch._replace(targets=told))
        )
        assert right.keys() == next(entry.records(task, 1, 0)).keys()
        assert wrong["answer"] != right["answer"]
        assert wrong | {"answer": right["answer"]} == right
        entry.as_text(wrong)


@ENTRIES
def test_text_says_the_answer(entry):
    for record in entry.records(entry.factory(), 20, 6):
        text = entry.as_text(record)
        assert text.splitlines()[-1].startswith("Answer: ")
        assert str(record["answer"]) in text.splitlines()[-1]
        assert max(map(len, text.splitlines())) <= 100


@ENTRIES
def test_unknown_size_lists_the_known_ones(entry):
    with pytest.raises(ValueError, match=f"{entry.name} has no size colour, taste; its sizes are [a-z]+"):
        entry.factory(colour=1, taste=2)


@REASONING
def test_reasoning_batches_have_one_form(entry):
    task = entry.factory()
    batch = entry.sample(task, 30, np.random.default_rng(7))
    assert batch[:4] == (batch.inputs, batch.targets, batch.mask, batch.lengths)
    assert batch.inputs.shape == (30, task.steps, task.input_size)
    assert batch.targets.shape == batch.mask.shape == (30, task.steps)
    assert [part.dtype for part in batch[:4]] == [np.float32, np.int64, bool, np.int64]
    assert not batch.targets[~batch.mask].any()
    last = np.where(batch.mask, np.arange(task.steps), -1).max(1)
    np.testing.assert_array_equal(last, batch.lengths - 1)


@REASONING
def test_harder_is_longer_in_the_same_format(entry):
    task = entry.factory()
    harder = task.harder()
    assert harder.steps > task.steps
    assert (harder.input_size, harder.classes) == (task.input_size, task.classes)
    batch = entry.sample(harder, 300, np.random.default_rng(8))
    np.testing.assert_array_equal(entry.oracle(harder, batch.inputs), batch.targets)


@LARGER
def test_larger_tasks_grow_one_size_in_the_same_format(entry):
    task = entry.factory()
    larger = task.larger()
    assert larger
    for axis, tasks in larger.items():
        assert tasks[0] == task
        sizes = [getattr(one, axis) for one in tasks]
        assert sizes == sorted(set(sizes))
        assert sizes[-1] > sizes[0]
        for one in tasks:
            assert replace(one, **{axis: sizes[0]}) == task
            assert (one.input_size, one.classes) == (task.input_size, task.classes)
            batch = entry.sample(one, 20, np.random.default_rng(11))
            np.testing.assert_array_equal(entry.oracle(one, batch.inputs), batch.targets)


@REASONING
def test_trivial_scores_are_fractions_and_said(entry):
    task = entry.factory()
    assert 0 < task.chance <= task.majority < 1
    assert f"chance {100 * task.chance:.3g} %, majority {100 * task.majority:.3g} %" in entry.trivial
    if entry.shortcut is not None:
        batch = entry.sample(task, 20_000, np.random.default_rng(9))
        score = (entry.shortcut(task, batch.inputs) == batch.targets)[batch.mask].mean()
        assert float(entry.trivial.split(", ")[-1].split()[0]) == pytest.approx(100 * score, abs=2)
