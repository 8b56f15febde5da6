"""What holds for every task; a new entry of the registry is tested by existing."""

import dataclasses
import itertools
import json
from dataclasses import replace

import numpy as np
import pytest

from relational_rnn.tasks import REASONING_TASKS, TASKS, entry_of
from relational_rnn.tasks.registry import draw
from relational_rnn.tasks.splits import Counts, score_to_beat, trivial_scores

ENTRIES = pytest.mark.parametrize("entry", TASKS.values(), ids=TASKS)
AS_IS = ("nth-farthest", "babi", "language")  # no model reads more objects; stories and texts are as they are
LARGER = pytest.mark.parametrize(
    "entry", [entry for name, entry in TASKS.items() if name not in AS_IS], ids=lambda entry: entry.name
)
GROWING = pytest.mark.parametrize(
    "entry", [entry for entry in TASKS.values() if entry.stages], ids=lambda entry: entry.name
)
COUNTS = Counts(train=30, validation=20, test=25)
REASONING = pytest.mark.parametrize("entry", [TASKS[name] for name in REASONING_TASKS], ids=REASONING_TASKS)


def make(entry):
    """The task at its standard sizes; bAbI's stories are made up where their files may be missing."""
    return entry.factory(tasks=(1, 2), synthetic=True) if entry.name == "babi" else entry.factory()


def start_of(entry, task):
    """Sizes to grow from."""
    if entry.name == "nth-farthest":
        return {"objects": 3, "labels": 3, "dimensions": 2}
    size, tasks = next(iter(entry.larger(entry.at_full_size(task)).items()))
    return {size: max(1, getattr(tasks[0], size) - 2)}


@ENTRIES
def test_entry_says_what_people_need(entry):
    assert TASKS[entry.name] is entry
    assert entry.description
    assert entry.trivial
    assert "\n" not in entry.description + entry.trivial


@ENTRIES
def test_same_seed_same_data(entry):
    task = make(entry)
    first, again, other = (entry.sample(task, 20, np.random.default_rng(seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.inputs, again.inputs)
    np.testing.assert_array_equal(first.targets, again.targets)
    assert (first.inputs != other.inputs).any()


@ENTRIES
def test_oracle_scores_100_percent(entry):
    task = make(entry)
    batch = entry.sample(task, 300, np.random.default_rng(3))
    np.testing.assert_array_equal(entry.oracle(task, batch.inputs), batch.targets)


@ENTRIES
def test_targets_are_classes(entry):
    task = make(entry)
    batch = entry.sample(task, 300, np.random.default_rng(4))
    if entry.tokens:
        assert batch.inputs.max() < task.input_size
    else:
        assert batch.inputs.shape[-1] == task.input_size
    assert batch.targets.min() >= 0
    assert batch.targets.max() < task.classes


@ENTRIES
def test_records_survive_json(entry):
    task = make(entry)
    taken = list(entry.records(task, 3, 5))
    assert [json.loads(json.dumps(record)) for record in taken] == taken
    assert list(itertools.islice(entry.records(task, 100, 5), 3)) == taken
    assert {record["task"] for record in taken} == {entry.name}


@ENTRIES
def test_a_record_of_a_batch_has_the_answer_that_its_targets_say(entry):
    task = make(entry)
    batch = entry.sample(task, 20, np.random.default_rng(10))
    top = batch.targets.max()
    told = np.where(batch.targets == top, min(1, top - 1), top)  # all of them others
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
    for record in entry.records(make(entry), 20, 6):
        text = entry.as_text(record)
        assert text.splitlines()[-1].startswith("Answer: ")
        told = record["answer"] if entry.name == "babi" else [record["answer"]]
        assert all(str(answer) in text.splitlines()[-1] for answer in told)
        assert max(map(len, text.splitlines())) <= 100


@ENTRIES
def test_unknown_size_lists_the_known_ones(entry):
    with pytest.raises(ValueError, match=f"{entry.name} has no size colour, taste; its sizes are [a-z]+"):
        entry.factory(colour=1, taste=2)


@REASONING
def test_reasoning_batches_have_one_form(entry):
    task = make(entry)
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
    task = make(entry)
    harder = task.harder()
    assert harder.steps > task.steps
    assert (harder.input_size, harder.classes) == (task.input_size, task.classes)
    batch = entry.sample(harder, 300, np.random.default_rng(8))
    np.testing.assert_array_equal(entry.oracle(harder, batch.inputs), batch.targets)


@LARGER
def test_larger_tasks_grow_one_size_in_the_same_format(entry):
    task = make(entry)
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
    task = make(entry)
    assert 0 < task.chance <= task.majority < 1
    assert f"chance {100 * task.chance:.3g} %, majority {100 * task.majority:.3g} %" in entry.trivial
    if entry.shortcut is not None:
        batch = entry.sample(task, 20_000, np.random.default_rng(9))
        score = (entry.shortcut(task, batch.inputs) == batch.targets)[batch.mask].mean()
        assert float(entry.trivial.split(", ")[-1].split()[0]) == pytest.approx(100 * score, abs=2)


@ENTRIES
def test_a_task_object_leads_to_its_entry(entry):
    task = make(entry)
    assert entry_of(task) is entry
    assert entry_of(entry.at_full_size(task)) is entry
    assert 0 < score_to_beat(trivial_scores(entry.at_full_size(task))) < 1


@ENTRIES
def test_the_splits_of_a_seed(entry):
    task = entry.at_full_size(make(entry))
    found, again, other = (entry.make_splits(entry, task, COUNTS, seed) for seed in (3, 3, 4))
    parts = [part for part in (found.validation, found.test, found.harder, found.train) if part is not None]
    for part in parts:
        assert len(part.inputs) == len(part.targets)
    if entry.from_files:
        assert len(found.test.inputs) > 0
    else:
        assert [len(part.inputs) for part in parts[:2]] == [COUNTS.validation, COUNTS.test]
        for one, same in zip(parts[:2], (again.validation, again.test)):
            np.testing.assert_array_equal(one.inputs, same.inputs)
        assert (
            found.test.inputs.shape != other.test.inputs.shape
            or (found.test.inputs != other.test.inputs).any()
        )
        fresh = entry.make_splits(entry, task, COUNTS._replace(train=None), 3)
        assert fresh.train is None
        np.testing.assert_array_equal(fresh.test.inputs, found.test.inputs)
    assert (found.harder is None) == (found.changes is None) == (found.harder_sizes is None)
    splits = {"test"} | ({"harder"} if found.harder is not None else set())
    assert found.trivial.keys() == splits | set(entry.score.kept)
    for scores in (found.trivial[split] for split in splits):
        assert scores.keys() == {"chance", "majority", "shortcut"}
        assert 0 < scores["chance"] < 1
        assert 0 < scores["majority"] < 1
    if entry.kinds is not None:
        assert len(entry.kinds(found.test)) == len(found.test.inputs)


@GROWING
def test_stages_lead_from_the_start_to_the_full_task(entry):
    task = entry.at_full_size(make(entry))
    start = start_of(entry, task)
    stages = entry.stages(task, start)
    sizes = [size for size in start if size != "labels"]
    assert stages[0] == {size: start[size] for size in sizes}
    assert stages[-1] == {size: getattr(task, size) for size in sizes}
    assert len(stages) > 1
    for one, after in itertools.pairwise(stages):
        assert all(one[size] <= after[size] for size in sizes)
        assert one != after


@GROWING
@pytest.mark.parametrize("share", [0.0, 0.5])
def test_every_stage_is_of_the_full_tasks_format(entry, share):
    task = entry.at_full_size(make(entry))
    stages = entry.stages(task, start_of(entry, task))
    for number in range(len(stages)):
        several = [
            draw(entry, task, 6, np.random.default_rng([7, number]), stages[: number + 1], share)
            for _ in range(2)
        ]
        (batch, own), (same, _) = several
        np.testing.assert_array_equal(batch.inputs, same.inputs)
        assert batch.inputs.shape[0] == 6
        assert batch.inputs.shape[2] == task.input_size
        assert batch.targets.max() < task.classes
        assert own or share
        small = dataclasses.replace(task, **stages[number])
        if own and "objects" not in stages[number]:
            np.testing.assert_array_equal(entry.oracle(small, batch.inputs), batch.targets)


@GROWING
def test_what_cannot_grow_is_refused(entry):
    task = entry.at_full_size(make(entry))
    with pytest.raises(ValueError, match="colours"):
        entry.stages(task, {"colours": 2})


def test_stories_cannot_grow():
    assert TASKS["babi"].stages is None
    assert TASKS["babi"].larger(make(TASKS["babi"])) == {}
