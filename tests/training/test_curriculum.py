"""The curriculum: when it advances, what is replayed, which examples a step has."""

import dataclasses

import numpy as np
import pytest

from relational_rnn.tasks import entry_of
from relational_rnn.tasks.nth_farthest import NthFarthest
from relational_rnn.tasks.pair_matching import PairMatching
from relational_rnn.training.config import RunConfig, with_values
from relational_rnn.training.config_parts import BudgetConfig, CurriculumConfig
from relational_rnn.training.curriculum import Change, Growth
from relational_rnn.training.data import Fresh, alone, splits_of

CONFIG = RunConfig(
    task=NthFarthest(objects=5, dimensions=7),
    curriculum=CurriculumConfig(grow=True, start=("objects=3", "labels=3", "dimensions=2")),
    budget=BudgetConfig(batch_size=6),
)
PAIRS = RunConfig(
    task=PairMatching(pairs=4, keys=8),
    curriculum=CurriculumConfig(grow=True, start=("pairs=2",)),
    budget=BudgetConfig(batch_size=6),
)
BOTH = pytest.mark.parametrize("config", [CONFIG, PAIRS], ids=["nth-farthest", "pair-matching"])
FIRST = {"objects": 3, "dimensions": 2}


def grow_fully(config):
    """Feed right answers only, and return the growth."""
    growth = Growth(config)
    for step in range(2000):
        growth.observe(step, 1.0)
    return growth


def sizes_of(growth):
    return [tuple(change.sizes.values()) for change in growth.changes]


def test_dimensions_double_then_objects_are_added():
    growth = grow_fully(CONFIG)
    assert sizes_of(growth) == [(3, 2), (3, 4), (3, 7), (4, 7), (5, 7)]
    assert growth.finished
    steps = [change.step for change in growth.changes]
    assert steps == sorted(set(steps))
    assert steps[0] == 0


@pytest.mark.parametrize(
    ("start", "stages"),
    [
        (("objects=3", "dimensions=2"), [(3, 2), (3, 4), (3, 7), (4, 7), (5, 7)]),
        (("objects=3",), [(3, 7), (4, 7), (5, 7)]),
        (("dimensions=2",), [(5, 2), (5, 4), (5, 7)]),
    ],
)
def test_parts_of_the_task_grow_alone(start, stages):
    config = with_values(CONFIG, {"start": start, "batch_size": 40})
    growth = grow_fully(config)
    assert [sizes[:2] for sizes in sizes_of(growth)] == stages
    assert growth.finished
    batch = Fresh(config, growth)(0)
    assert set(batch.labels.ravel()) == set(range(5)), "all labels are there from the start"
    np.testing.assert_array_equal(entry_of(config.task).oracle(config.task, batch.inputs), batch.targets)


def test_a_reasoning_task_grows_by_one():
    growth = grow_fully(PAIRS)
    assert [change.sizes for change in growth.changes] == [{"pairs": size} for size in (2, 3, 4)]
    batches = Fresh(PAIRS, growth)
    for step in (0, growth.changes[1].step, growth.changes[2].step):
        task = PairMatching(**{"keys": 8, **growth.at(step)})
        batch = batches(step)
        assert batch.inputs.shape == (6, task.steps, PAIRS.task.input_size)
        np.testing.assert_array_equal(entry_of(task).oracle(task, batch.inputs), batch.targets)


@BOTH
def test_grows_only_above_the_threshold(config):
    growth = Growth(config)
    for step in range(2000):
        growth.observe(step, config.curriculum.growth_threshold)
    assert len(growth.changes) == 1
    assert not growth.finished


def test_the_full_task_grows_no_further():
    growth = grow_fully(CONFIG)
    before = list(growth.changes)
    growth.observe(5000, 1.0)
    assert growth.changes == before


@BOTH
def test_batches_of_smaller_tasks_do_not_count(config):
    config = with_values(config, {"smaller_share": 0.5})
    growth = grow_fully(config)
    batches, last, seen = Fresh(config, growth), growth.changes[-1].step, []
    growth.observe = lambda step, accuracy: seen.append(step)
    for step in range(last, last + 60):
        before = len(seen)
        steps = batches(step).inputs.shape[1]
        batches.observe(step, 1.0)
        own = steps == dataclasses.replace(config.task, **growth.at(step)).steps
        assert len(seen) == before + own
    assert 0 < len(seen) < 60


def test_a_replay_does_not_watch():
    found = grow_fully(CONFIG).changes
    replayed = Growth(CONFIG, found[:3])
    for step in range(2000):
        replayed.observe(step, 1.0)
    assert replayed.changes == found[:3]


@BOTH
def test_replay_gives_the_same_examples(config):
    growth = grow_fully(config)
    replay = Growth(config, [Change(**change._asdict()) for change in growth.changes])
    one, other = Fresh(config, growth), Fresh(config, replay)
    for step in (0, growth.changes[1].step - 1, growth.changes[1].step, growth.changes[-1].step + 5):
        np.testing.assert_array_equal(one(step).inputs, other(step).inputs)
        np.testing.assert_array_equal(one(step).targets, other(step).targets)


@BOTH
def test_state_survives_a_checkpoint(config):
    growth, again = Growth(config), Growth(config)
    for step in range(90):
        growth.observe(step, 0.9)
    again.restore(growth.state())
    for step in range(90, 300):
        for one in (growth, again):
            one.observe(step, 0.9)
    assert again.changes == growth.changes
    assert len(growth.changes) > 1


def test_stage_decides_the_batch():
    batches = Fresh(CONFIG, Growth(CONFIG))
    for step in range(20):
        batch = batches(step)
        assert batches.sizes(step) == FIRST
        assert batch.inputs.shape == (6, 3, 7 + 3 * 5)
        assert not batch.inputs[:, :, 2:7].any()


def test_smaller_share_is_kept():
    config = with_values(CONFIG, {"smaller_share": 0.2})
    batches = Fresh(config, Growth(config))
    sizes = [batches(step).inputs.shape[1] for step in range(600)]
    assert set(sizes) == {2, 3}
    assert 0.06 < sizes.count(2) / len(sizes) < 0.15  # half of the 20 % happen to draw 3


def test_smaller_reasoning_tasks_are_mixed_in():
    config = with_values(PAIRS, {"smaller_share": 0.5})
    growth = grow_fully(config)
    batches, last = Fresh(config, growth), growth.changes[-1].step
    steps = {batches(step).inputs.shape[1] for step in range(last, last + 60)}
    assert steps == {PairMatching(pairs=size, keys=8).steps for size in (2, 3, 4)}, "the stages so far"


def test_steps_and_seeds_differ_and_repeat():
    batches = Fresh(CONFIG)
    first = batches(0).inputs
    np.testing.assert_array_equal(first, batches(0).inputs)
    assert first.shape == (6, 5, 22), "the full task"
    assert not np.array_equal(first, batches(1).inputs)
    assert not np.array_equal(first, Fresh(alone(CONFIG, 1))(0).inputs)


@BOTH
def test_held_out_examples_are_the_full_task_and_apart(config):
    config = with_values(config, {"validation_examples": 50, "test_examples": 50})
    splits, entry = splits_of(config), entry_of(config.task)
    assert splits.validation.inputs.shape == splits.test.inputs.shape
    assert splits.test.inputs.shape == (50, config.task.steps, config.task.input_size)
    assert not np.array_equal(splits.validation.inputs, splits.test.inputs)
    np.testing.assert_array_equal(entry.oracle(config.task, splits.test.inputs), splits.test.targets)
