"""What is read from a memory that was made by hand, and its figure."""

import json

import numpy as np
import pytest

from relational_rnn.analysis import (
    draw_slot_contents,
    slot_contents,
    slot_contents_figure,
    slot_record,
)
from relational_rnn.analysis.decoding import (
    decodability,
    from_vacant,
    own_slots,
    readings,
    slots_by_label,
    slots_by_step,
)
from relational_rnn.tasks.nth_farthest import NthFarthest, sample
from relational_rnn.tasks.nth_farthest_variants import with_reference_at
from relational_rnn.training.recordings import RecordedMemories

TASK = NthFarthest(objects=4, dimensions=3)
SLOTS = np.array([2, 0, 3, 1])
"""Label -> the slot of the memory made by hand."""


def rng(seed=0):
    return np.random.default_rng(seed)


def record(step, count=2000, forget=True):
    """A memory that keeps vectors in their label's slot, and when the reference comes distances instead."""
    batch = with_reference_at(sample(TASK, count, rng(step)), step)
    mix = rng(9).normal(size=(TASK.dimensions, 5))
    memories = np.zeros((count, TASK.steps, TASK.objects, 6), dtype=np.float32)
    for row in range(count):
        memory = np.zeros((TASK.objects, 6))
        for now in range(TASK.steps):
            slot, vector = SLOTS[batch.labels[row, now]], batch.vectors[row, now]
            reference = batch.vectors[row, step]
            if now <= step:
                memory[slot, :5] = vector @ mix
            if now == step and forget:
                for earlier in range(step):
                    slot = SLOTS[batch.labels[row, earlier]]
                    memory[slot] = 0
                    memory[slot, 5] = np.linalg.norm(batch.vectors[row, earlier] - reference)
            if now > step:
                memory[slot, 5] = np.linalg.norm(vector - reference)
            memories[row, now] = memory
    return RecordedMemories(memories, batch.vectors, batch.labels, step)


def test_linear_maps_are_read_and_noise_is_not():
    x = rng().normal(size=(4000, 7))
    assert decodability(x, x @ rng(1).normal(size=(7, 2)) + 3) > 0.999
    assert abs(decodability(x, rng(2).normal(size=(4000, 2)))) < 0.02
    halfway = x[:, :1] + rng(3).normal(size=(4000, 1))
    assert decodability(x, halfway) == pytest.approx(0.5, abs=0.05)
    assert decodability(np.zeros((100, 3)), rng(4).normal(size=(100, 1))) == pytest.approx(0, abs=0.1)


def test_scored_on_samples_that_the_map_has_not_seen():
    x = rng().normal(size=(100, 60))
    assert decodability(x, rng(1).normal(size=(100, 1))) < -0.2, "50 samples fit 60 features"


def test_slots_hold_labels():
    by_label = slots_by_label(record(3))
    assert (by_label.argmax(0) == SLOTS).all()
    assert (by_label.max(0) > 0.999).all()
    away = by_label.copy()
    away[SLOTS, range(4)] = 0
    assert abs(away).max() < 0.05


def test_a_label_without_a_home_is_found_in_the_vacant_one():
    recorded = record(3)
    np.testing.assert_allclose(from_vacant(recorded, slots_by_label(recorded)), 0, atol=0.05)
    memories = np.zeros((len(recorded.labels), 4, 3, 3))
    for memory, labels, vectors in zip(memories, recorded.labels, recorded.vectors):
        for now in range(4):
            memory[now] = memory[max(now - 1, 0)]
            if labels[now] < 3:  # in the slot of its number
                memory[now, labels[now]] = vectors[now]
            else:  # wherever there is room
                memory[now, [slot for slot in range(3) if slot not in labels[:now]]] = vectors[now]
    crowded = RecordedMemories(memories, recorded.vectors, recorded.labels, 3)
    by_label = slots_by_label(crowded)
    assert by_label[:, 3].max() < 0.4
    assert list(by_label.argmax(0)[:3]) == [0, 1, 2]
    found = from_vacant(crowded, by_label)
    assert found[3] > 0.999
    assert abs(found[:3]).max() < 0.05
    assert own_slots(by_label) == {0: 0, 1: 1, 2: 2}


def test_slots_that_hold_steps_are_told_from_those_that_hold_labels():
    recorded = record(3)
    assert slots_by_step(recorded).max() < 0.4
    ordered = np.zeros_like(recorded.memories)
    for step in range(4):
        ordered[:, step:, step, :3] = recorded.vectors[:, None, step]
    by_step = slots_by_step(RecordedMemories(ordered, recorded.vectors, recorded.labels, 3))
    assert by_step.shape == (4, 3)
    np.testing.assert_allclose(by_step, np.eye(4)[:, :3], atol=0.05)


def test_vectors_give_way_to_distances():
    contents = slot_contents(record(3), record(2, count=4000))
    assert contents.reference_step == 2
    assert list(contents.readings) == [1, 2, 3]
    earlier, reference, later = contents.readings.values()
    np.testing.assert_allclose(np.clip(earlier["vector"], 0, 1), [0, 1, 0, 0], atol=0.3)
    np.testing.assert_allclose(np.clip(earlier["distance"], 0, 1), [0, 0, 1, 1], atol=0.3)
    np.testing.assert_allclose(np.clip(reference["vector"], 0, 1), [0, 0, 1, 1], atol=0.05)
    assert "distance" not in reference
    np.testing.assert_allclose(np.clip(later["vector"], 0, 1), [0, 0, 0, 0], atol=0.3)
    np.testing.assert_allclose(np.clip(later["distance"], 0, 1), [0, 0, 0, 1], atol=0.3)
    kept = readings(record(2, forget=False), 1, dict(enumerate(SLOTS)))
    np.testing.assert_allclose(np.clip(kept["vector"], 0, 1), [0, 1, 1, 1], atol=0.05)


def test_figure_and_record(tmp_path):
    contents = slot_contents(record(3, 400), record(2, 400))
    figure = draw_slot_contents(contents, title="Slots")
    panel = figure.axes[-1]
    named = [line.get_label() for line in panel.lines if not line.get_label().startswith("_")]
    assert named == [
        "vector of the object of step 2",
        "distance of the object of step 2",
        "vector of the reference",
        "vector of the object of step 4",
        "distance of the object of step 4",
    ]
    drawn = dict(zip(named, (line for line in panel.lines if not line.get_label().startswith("_"))))
    assert list(drawn["vector of the reference"].get_xdata()) == [1, 2, 3, 4]
    assert min(drawn["vector of the object of step 4"].get_ydata()) >= 0
    path = slot_contents_figure(contents, title="Slots", path=tmp_path / "slots.png")
    assert path.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    plain = json.loads(json.dumps(slot_record(contents)))
    np.testing.assert_allclose(plain["by_label"], contents.by_label, atol=1e-4)
    np.testing.assert_allclose(plain["from_vacant"], contents.from_vacant, atol=1e-4)
    assert plain["readings"]["2"]["vector"][2] == pytest.approx(contents.readings[2]["vector"][2], abs=1e-4)


def test_wrong_input():
    with pytest.raises(ValueError, match="decoding needs at least 4 samples, got 3"):
        decodability(np.zeros((3, 2)), np.zeros((3, 1)))
    with pytest.raises(ValueError, match=r"targets must have shape \(B, K\)"):
        decodability(np.zeros((8, 2)), np.zeros((7, 1)))
    with pytest.raises(ValueError, match="it must not be at step 0"):
        slots_by_label(record(0, 40))
    with pytest.raises(ValueError, match="reference_step must be from 0 to 3, got 4"):
        RecordedMemories(np.zeros((9, 4, 2, 3)), np.zeros((9, 4, 3)), np.zeros((9, 4), int), 4)
