"""The growing task: when it grows, what is replayed, which examples a step has."""

import dataclasses

import numpy as np
import pytest

from relational_rnn.tasks.nth_farthest import oracle
from relational_rnn.training.common.nth_farthest import (
    TEST,
    VALIDATION,
    Change,
    Growth,
    NthFarthestSettings,
    held_out_batch,
    training_batch,
)

SETTINGS = NthFarthestSettings(objects=5, dimensions=7, batch_size=6, first_objects=3, first_dimensions=2)


def grow_fully(settings):
    """Feed right answers only, and return the growth."""
    growth = Growth(settings)
    for step in range(2000):
        growth.observe(step, growth.at(step).objects, 1.0)
    return growth


def test_dimensions_double_then_objects_are_added():
    growth = grow_fully(SETTINGS)
    assert [change[1:] for change in growth.changes] == [(3, 2), (3, 4), (3, 7), (4, 7), (5, 7)]
    assert growth.finished
    steps = [change.step for change in growth.changes]
    assert steps == sorted(set(steps))


@pytest.mark.parametrize(
    ("grown", "stages"),
    [
        ("objects-dimensions", [(3, 2), (3, 4), (3, 7), (4, 7), (5, 7)]),
        ("objects", [(3, 7), (4, 7), (5, 7)]),
        ("dimensions", [(5, 2), (5, 4), (5, 7)]),
    ],
)
def test_parts_of_the_task_grow_alone(grown, stages):
    settings = dataclasses.replace(SETTINGS, grown=grown, batch_size=40)
    growth = grow_fully(settings)
    assert [change[1:] for change in growth.changes] == stages
    assert growth.finished
    batch = training_batch(settings, growth, 0)
    assert set(batch.labels.ravel()) == set(range(5)), "all labels are there from the start"
    np.testing.assert_array_equal(oracle(settings.task, batch.inputs), batch.targets)


def test_grows_only_above_the_threshold():
    growth = Growth(SETTINGS)
    for step in range(2000):
        growth.observe(step, 3, SETTINGS.growth_threshold)
    assert growth.changes == [Change(0, 3, 2)]


def test_batches_of_smaller_tasks_do_not_count():
    growth = Growth(SETTINGS)
    for step in range(2000):
        growth.observe(step, 2, 1.0)
    assert growth.changes == [Change(0, 3, 2)]


def test_a_replay_does_not_watch():
    found = grow_fully(SETTINGS).changes
    replayed = Growth(SETTINGS, found[:3])
    for step in range(2000):
        replayed.observe(step, replayed.at(step).objects, 1.0)
    assert replayed.changes == found[:3]


def test_replay_gives_the_same_examples():
    growth = grow_fully(SETTINGS)
    replay = Growth(SETTINGS, [tuple(change) for change in growth.changes])
    for step in (0, growth.changes[2].step - 1, growth.changes[2].step, growth.changes[-1].step + 5):
        one, other = training_batch(SETTINGS, growth, step), training_batch(SETTINGS, replay, step)
        np.testing.assert_array_equal(one.inputs, other.inputs)
        np.testing.assert_array_equal(one.targets, other.targets)


def test_state_survives_a_checkpoint():
    growth = Growth(SETTINGS)
    for step in range(100):
        growth.observe(step, growth.at(step).objects, 0.9)
    again = Growth(SETTINGS)
    again.restore(growth.state())
    for step in range(100, 300):
        for one in (growth, again):
            one.observe(step, one.at(step).objects, 0.9)
    assert again.changes == growth.changes
    assert len(growth.changes) > 1


def test_stage_decides_the_batch():
    growth = Growth(SETTINGS)
    for step in range(20):
        batch = training_batch(SETTINGS, growth, step)
        assert batch.inputs.shape == (6, 3, 7 + 3 * 5)
        assert not batch.inputs[:, :, 2:7].any()


def test_smaller_share_is_kept():
    settings = dataclasses.replace(SETTINGS, smaller_share=0.2)
    growth = Growth(settings)
    sizes = [training_batch(settings, growth, step).inputs.shape[1] for step in range(600)]
    assert set(sizes) == {2, 3}
    assert 0.06 < sizes.count(2) / len(sizes) < 0.15  # half of the 20 % happen to draw 3


def test_steps_and_seeds_differ_and_repeat():
    growth = Growth.none(SETTINGS)
    first = training_batch(SETTINGS, growth, 0).inputs
    np.testing.assert_array_equal(first, training_batch(SETTINGS, growth, 0).inputs)
    assert not np.array_equal(first, training_batch(SETTINGS, growth, 1).inputs)
    other = dataclasses.replace(SETTINGS, seed=1)
    assert not np.array_equal(first, training_batch(other, Growth.none(other), 0).inputs)


def test_held_out_examples_are_the_full_task_and_apart():
    validation, test = (held_out_batch(SETTINGS, 50, split) for split in (VALIDATION, TEST))
    assert validation.inputs.shape == (50, 5, 22)
    assert not np.array_equal(validation.inputs, test.inputs)
    np.testing.assert_array_equal(oracle(SETTINGS.task, test.inputs), test.targets)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"models": ()}, "models must name each model once, from rmc, hybrid, lstm"),
        ({"models": ("rmc", "rmc")}, "models must name each model once"),
        (
            {"models": ("cnn",)},
            "models must be one of 'rmc', 'hybrid', .*got 'cnn'",
        ),
        ({"steps": 0}, "steps must be an integer of at least 1, got 0"),
        ({"seed": -1}, "seed must be an integer of at least 0, got -1"),
        ({"learning_rate": 0.0}, r"learning_rate must be above 0, got 0\.0"),
        ({"seconds": float("nan")}, "seconds must be a finite number"),
        ({"smaller_share": 1.5}, r"smaller_share must be a finite number from 0\.0 to 1\.0, got 1\.5"),
        ({"first_objects": 6}, r"first_objects must be at most objects = 5 \(or grow must be off\), got 6"),
        (
            {"first_dimensions": 8},
            r"first_dimensions must be at most dimensions = 7 \(or grow must be off\), got 8",
        ),
        ({"growth_threshold": 0.6}, r"growth_threshold must lie above the trivial score 2/3 = 0\.667"),
        ({"first_objects": 2, "growth_threshold": 0.6}, r"2/3 = 0\.667 at 3 objects"),
        ({"objects": 1}, "objects must be an integer of at least 2, got 1"),
        ({"workers": 0}, "workers must be an integer of at least 1, got 0"),
        (
            {"grown": "labels"},
            "grown must be one of 'all', 'objects-dimensions', 'objects', 'dimensions', got",
        ),
        ({"head_activation": "silu"}, "head_activation must be one of 'relu', 'gelu', got 'silu'"),
        ({"port_fault": "slow"}, "port_fault must be one of 'none', 'tied-mlp', .*got 'slow'"),
        (
            {"port_fault": "final-relu", "compute_dtype": "bfloat16"},
            "port_fault needs compute_dtype 'float32', got 'bfloat16'",
        ),
        (
            {"layer_norm_placement": "middle"},
            "layer_norm_placement must be one of 'authors', 'post', 'pre', 'qkv', got 'middle'",
        ),
        (
            {"layer_norm_placement": "pre", "compute_dtype": "bfloat16"},
            "layer_norm_placement 'pre' needs compute_dtype 'float32' .*, got 'bfloat16' and True",
        ),
        (
            {"layer_norm_placement": "qkv", "use_layer_norm": False},
            "layer_norm_placement 'qkv' needs .* and use_layer_norm, got 'float32' and False",
        ),
        ({"threads": 0}, "threads must be an integer of at least 1, got 0"),
    ],
)
def test_bad_settings(changes, message):
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(SETTINGS, **changes)


def test_trainings_share_the_cores(monkeypatch):
    monkeypatch.setattr("relational_rnn.training.common.core_settings.available_cores", lambda: 5)
    at_once = [dataclasses.replace(SETTINGS, threads=threads).at_once for threads in (1, 2, 3, 8)]
    assert at_once == [5, 2, 1, 1]
    assert dataclasses.replace(SETTINGS, threads=4, workers=3).at_once == 3
    assert dataclasses.replace(SETTINGS, device="cuda").at_once == 1
    assert dataclasses.replace(SETTINGS, device="cuda", workers=3).at_once == 3


def test_a_task_smaller_than_the_first_stage_needs_no_growth():
    assert not dataclasses.replace(SETTINGS, objects=2, grow=False).grow
