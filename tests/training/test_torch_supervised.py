"""The torch side of the supervised tasks: its steps, its scores, and that it goes on exactly."""

import dataclasses

import numpy as np
import pytest

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch")

from relational_rnn.interop.classifier import numpy_classifier  # noqa: E402
from relational_rnn.recipes import find_recipe  # noqa: E402
from relational_rnn.reference import evaluate  # noqa: E402
from relational_rnn.training.common.core_settings import LABELS, check_sizes  # noqa: E402
from relational_rnn.training.common.fit import Training  # noqa: E402
from relational_rnn.training.common.supervised import Contestant, task_data  # noqa: E402
from relational_rnn.training.torch.supervised import TORCH  # noqa: E402

SETTINGS = dataclasses.replace(
    find_recipe("addition", "tiny"), models=tuple(LABELS), head_layers=1, validation_examples=300
)
DATA = task_data("addition", SETTINGS, seed=3)
every_model = pytest.mark.parametrize("name", LABELS)


def make_training(name, steps=12):
    model = TORCH.build(SETTINGS, name, 3)
    learner = TORCH.learner(model, SETTINGS)
    more = dict(peak=0.01, schedule=lambda step: 1 / (1 + step), notes={"seed": 3}, monitor="accuracy")
    sizes = dict(steps=steps, batch_size=SETTINGS.batch_size, evaluate_every=4, patience=None)
    return model, learner, Training(learner, DATA.batches, DATA.held_out.validation, **more, **sizes)


@every_model
def test_a_stopped_training_ends_in_the_same_numbers(name, tmp_path):
    model, _, whole = make_training(name)
    expected = whole.run()
    other, _, first = make_training(name)
    count = iter(range(100))
    assert not first.run(checkpoint=tmp_path / "x", stopped=lambda: next(count) == 6).finished
    again, _, second = make_training(name)
    result = second.run(checkpoint=tmp_path / "x")
    assert result.finished
    assert [r["validation_loss"] for r in result.history] == [r["validation_loss"] for r in expected.history]
    for value, same in zip(model.parameters(), again.parameters(), strict=True):
        assert torch.equal(value, same)
    assert any(not torch.equal(a, b) for a, b in zip(model.parameters(), other.parameters(), strict=True))


@pytest.mark.parametrize("name", ["rmc", "hybrid", "lstm"])
def test_scores_are_those_of_numpy(name):
    model, learner, _ = make_training(name)
    test = DATA.held_out.test
    ours, theirs = learner.evaluate(test), evaluate(numpy_classifier(model), test)
    assert ours.keys() == theirs.keys()
    for metric, value in theirs.items():
        assert ours[metric] == pytest.approx(value, rel=1e-5), metric
    right = (TORCH.predict(model, test.inputs) == test.targets)[test.mask]
    assert right.mean() == pytest.approx(ours["accuracy"])


@every_model
def test_steps_lower_the_loss_and_models_survive_the_disk(name, tmp_path):
    model, learner, _ = make_training(name)
    batch = DATA.batches(0, [])
    losses = [learner.train_step(batch, 0.01)["loss"] for _ in range(25)]
    assert losses[-1] < 0.9 * losses[0]
    path = tmp_path / "model.safetensors"
    TORCH.save(path, model, "addition", SETTINGS, Contestant(name, 3))
    loaded, task, settings, contestant = TORCH.load(path)
    assert (task, settings, contestant) == ("addition", SETTINGS, Contestant(name, 3))
    for value, same in zip(model.parameters(), loaded.parameters(), strict=True):
        assert torch.equal(value, same)


@pytest.mark.parametrize("name", list(LABELS)[1:])
def test_opponents_have_the_smallest_size_with_as_many_parameters(name):
    settings = find_recipe("addition", "quick")
    settings = dataclasses.replace(settings, models=("rmc", name))
    rmc, other = (TORCH.count_parameters(TORCH.build(settings, model, 0)) for model in ("rmc", name))
    assert rmc <= other <= 1.1 * rmc


def test_opponents_need_not_match():
    settings = dataclasses.replace(SETTINGS, mem_slots=3, match_parameters=False)
    rmc, *others = (TORCH.build(settings, model, 0).core for model in LABELS if model != "dnc")
    assert {core.output_size for core in others} == {rmc.output_size}
    small = dataclasses.replace(SETTINGS, lstm_hidden_size=2)
    with pytest.raises(ValueError, match=r"at least \d+, for as .* got 2 \(or match_parameters"):
        check_sizes(small, TORCH.matched_size)
    check_sizes(dataclasses.replace(small, match_parameters=False), TORCH.matched_size)


def test_what_is_not_finite_stops_the_training_and_leaves_the_parameters():
    _, learner, _ = make_training("lstm")
    before = learner.parameters()
    batch = DATA.batches(0, [])
    bad = batch._replace(inputs=np.full_like(batch.inputs, np.nan))
    with pytest.raises(FloatingPointError, match="training diverged: loss nan"):
        learner.train_step(bad, 0.01)
    for name, value in learner.parameters().items():
        assert np.array_equal(value, before[name])


def test_another_models_file(tmp_path):
    path = tmp_path / "model.safetensors"
    from relational_rnn.training.common.arrays_file import save_arrays

    save_arrays(path, {"x": np.zeros(1)}, {"task": "sorting"})
    with pytest.raises(ValueError, match="holds no torch model of a supervised task: its notes are task"):
        TORCH.load(path)


def test_threads_are_given_for_a_while():
    before = torch.get_num_threads()
    with TORCH.limit_threads(before + 2):
        assert torch.get_num_threads() == before + 2
    assert torch.get_num_threads() == before
