"""What holds for every task; a new entry of the registry is tested by existing."""

import itertools
import json

import numpy as np
import pytest

from relational_rnn.tasks import TASKS

ENTRIES = pytest.mark.parametrize("entry", TASKS.values(), ids=TASKS)


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
def test_text_says_the_answer(entry):
    for record in entry.records(entry.factory(), 20, 6):
        text = entry.as_text(record)
        assert str(record["answer"]) in text.splitlines()[-1]
        assert max(map(len, text.splitlines())) <= 100
