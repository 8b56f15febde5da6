"""The loop: exactly resumable in both frameworks, it keeps its budget, keeps what it should, and says so."""

import itertools
import math
import warnings

import numpy as np
import pytest

from relational_rnn.recipes import find_recipe
from relational_rnn.training.config import with_values
from relational_rnn.training.contestants import contestants
from relational_rnn.training.curriculum import Growth
from relational_rnn.training.data import batches_of, splits_of
from relational_rnn.training.framework import framework_of
from relational_rnn.training.schedule import warmup_cosine
from relational_rnn.training.trainer import Training

TINY = with_values(find_recipe("nth-farthest", "tiny"), {"steps": 12, "direct": False})
SORTING = with_values(find_recipe("sorting", "tiny"), {"steps": 12, "seeds": 1})
NUMPY = with_values(TINY, {"framework": "numpy"})


def training(config, model="rmc"):
    """Return a training as a run has it."""
    contestant = next(c for c in contestants(config) if c.model == model)
    own, framework = config.of(model), framework_of(config.runtime.framework)
    growth = Growth(own) if contestant.grown else None
    optimisation = own.optimisation
    return Training(
        framework.learner(framework.build(own, contestant), own),
        batches_of(own, splits_of(own, with_training=True), growth),
        splits_of(own).validation,
        own.budget,
        peak=optimisation.learning_rate,
        schedule=lambda step, progress: warmup_cosine(
            step, progress, optimisation.warmup_steps, optimisation.final_share
        ),
        monitor="accuracy",
        notes={"seed": contestant.seed},
    )


def assert_same(one, other):
    assert one.keys() == other.keys()
    for name, value in one.items():
        np.testing.assert_array_equal(other[name], value, err_msg=name)


WAYS = {
    "nth-farthest": (TINY, "rmc", {}),
    "nth-farthest, LSTM": (TINY, "lstm", {}),
    "nth-farthest, SOAP and average": (TINY, "rmc", {"optimiser": "soap", "average_decay": 0.9}),
    "nth-farthest, best kept": (TINY, "rmc", {"keep": "best", "average_decay": 0.9}),
    "nth-farthest, NumPy": (NUMPY, "rmc", {}),
    "sorting, NumPy": (SORTING, "hybrid", {}),
    "sorting, torch": (SORTING, "rmc", {"framework": "torch", "keep": "last"}),
    "sorting, SOAP and growth": (
        SORTING,
        "lstm",
        {"framework": "torch", "optimiser": "soap", "average_decay": 0.9, "grow": True, "start": ("items=2",),
         "train_examples": None, "growth_threshold": 0.001},
    ),
}  # fmt: skip


@pytest.mark.parametrize("way", [
    pytest.param(way, marks=[pytest.mark.torch] * (
        with_values(config, changes).runtime.framework == "torch"
    )) for way, (config, _, changes) in WAYS.items()
])  # fmt: skip
def test_resumed_equals_uninterrupted(tmp_path, way):
    base, model, changes = WAYS[way]
    config = with_values(base, changes)
    if config.runtime.framework == "torch":
        pytest.importorskip("torch")
    file = tmp_path / "broken.checkpoint"
    straight = training(config, model)
    expected = straight.run()
    assert expected.finished
    before = straight.learner.state()
    for stop in (5, 6):
        calls, broken = itertools.count(1), training(config, model)
        result = broken.run(checkpoint=file, stopped=lambda stop=stop, calls=calls: next(calls) == stop)
        assert not result.finished
    resumed = training(config, model)
    result = resumed.run(checkpoint=file)
    assert (result.step, expected.step) == (12, 12)
    assert_same(resumed.learner.parameters(), straight.learner.parameters())
    if config.budget.keep == "last":
        assert_same(resumed.learner.state(), before)
    finished = training(config, model)
    for again in (resumed, finished):
        assert finished.run(checkpoint=file).finished
        assert_same(again.learner.parameters(), straight.learner.parameters())
        assert without_time(again.result.history) == without_time(expected.history)
        assert again.batches.state() == straight.batches.state()


def without_time(records):
    return [{name: value for name, value in r.items() if name != "seconds"} for r in records]


def test_growth_is_taken_up_where_it_was(tmp_path):
    """The stages of a resumed training are those that it had found, and their moving average goes on."""
    config = with_values(
        SORTING,
        {"grow": True, "start": ("items=2",), "train_examples": None, "growth_threshold": 0.001},
    )
    one = training(config)
    calls = itertools.count(1)
    one.run(checkpoint=tmp_path / "x", stopped=lambda: next(calls) == 6)
    assert len(one.batches.growth.changes) > 2
    again = training(config)
    again.restore(tmp_path / "x")
    assert again.batches.growth.state() == one.batches.growth.state()
    assert again.record()["sizes"] == one.record()["sizes"]


@pytest.mark.parametrize("keep", ["best", "last"])
def test_which_parameters_are_kept(keep):
    one = training(with_values(SORTING, {"keep": keep, "evaluate_every": 4}))
    rates = iter([0.01] * 4 + [30.0] * 8)  # ruined after the first evaluation
    one.schedule, one.peak = lambda step, progress: next(rates), 1.0
    seen = []
    one.run(report=lambda record: seen.append(one.learner.parameters()) if "validation_loss" in record else 0)
    assert len(seen) == 3
    scores = [record["validation_accuracy"] for record in one.result.history]
    which = scores.index(max(scores)) if keep == "best" else -1
    assert_same(one.learner.parameters(), seen[which])


@pytest.mark.parametrize("keep", ["best", "last"])
@pytest.mark.parametrize("where", ["at first", "in between", "in the last step"])
def test_a_training_that_diverges_ends_with_what_was_kept(tmp_path, keep, where):
    """The parameters are those of the last evaluation, the best one, or of the start; a restored one too."""
    config = with_values(SORTING, {"keep": keep, "evaluate_every": 4})
    begin, one, seen, records = {"at first": 0, "in between": 6, "in the last step": 11}[where], None, [], []
    for file in (tmp_path / "x", tmp_path / "x"):
        before, one = one, training(config)
        start = one.learner.parameters()
        one.schedule = lambda step, progress: 1e30 if step >= begin else 1.0

        def note(record, one=one):
            records.append(record)
            if "validation_loss" in record:
                seen.append(one.learner.parameters())

        with (
            np.errstate(all="ignore"),
            warnings.catch_warnings(action="ignore"),
            pytest.raises(
                FloatingPointError, match=r"training diverged: .* at step \d+; try .* below 0\.001"
            ),
        ):
            one.run(checkpoint=file, report=note)
        assert one.result.finished
        if before is None:
            kept = one.learner.parameters()
        assert_same(one.learner.parameters(), kept)
    assert one.result == before.result
    scores = [record["validation_accuracy"] for record in one.result.history]
    assert len(scores) == len(seen) == max(1, begin // 4)
    assert_same(kept, start if begin == 0 else seen[scores.index(max(scores)) if keep == "best" else -1])
    assert (records[-1]["step"], records[-1]["diverged"]) == (one.result.step, one.result.diverged)
    assert (one.result.step == 12) == (where == "in the last step")


def test_patience_ends_a_training_that_gets_no_better():
    result = training(
        with_values(SORTING, {"patience": 2, "evaluate_every": 1, "learning_rate": 1e-12})
    ).run()
    assert (result.stopped_early, result.finished) == (True, True)
    assert result.step < 12


def test_records_tell_where_it_is():
    records = []
    training(NUMPY).run(report=records.append)
    last = records[-1]
    assert (last["step"], last["examples"], last["progress"]) == (12, 12 * TINY.budget.batch_size, 1.0)
    assert 0 <= last["validation_accuracy"] <= 1
    assert {"loss", "accuracy", "sizes", "seconds", "learning_rate"} <= records[0].keys()
    assert records[0]["sizes"] == {"objects": 3, "dimensions": 2}
    records.clear()
    training(SORTING).run(report=records.append)
    assert all("sizes" not in record for record in records)


def test_curves_have_their_points_however_often_it_was_stopped(tmp_path):
    config = with_values(NUMPY, {"evaluate_every": 5})
    calls, records = itertools.count(1), []
    training(config).run(checkpoint=tmp_path / "x", report=records.append, stopped=lambda: next(calls) == 6)
    training(config).run(checkpoint=tmp_path / "x", report=records.append)
    assert [r["step"] for r in records if "validation_accuracy" in r] == [5, 10, 12]


def test_seconds_that_are_asked_for_end_it_too():
    one = training(with_values(NUMPY, {"steps": 10**9, "seconds": 0.2}))
    result = one.run()
    assert result.finished
    assert result.seconds >= 0.2
    assert result.step < 10**9
    assert result.history[-1]["step"] == result.step, "the last step is followed by a point"
    assert one.progress >= 1


def test_without_seconds_the_steps_alone_are_the_progress():
    one = training(NUMPY)
    one.result.step, one.result.seconds = 6, 1e9
    assert one.progress == 0.5
    both = training(with_values(NUMPY, {"seconds": 100.0}))
    for step, seconds, progress in ((6, 25.0, 0.5), (6, 75.0, 0.75)):
        both.result.step, both.result.seconds = step, seconds
        assert both.progress == progress


def test_the_learning_rate_follows_the_schedule():
    config = with_values(NUMPY, {"warmup_steps": 4, "steps": 400})
    one, peak = training(config), config.optimisation.learning_rate
    one.advance()
    assert one.learning_rate == pytest.approx(peak / 4)
    one.result.step = 200
    one.advance()
    assert one.learning_rate == pytest.approx(peak * (1 + config.optimisation.final_share) / 2)
    one.result.step = 400
    one.advance()
    assert one.learning_rate == pytest.approx(peak * config.optimisation.final_share)


@pytest.mark.torch
@pytest.mark.parametrize("config", [TINY, NUMPY], ids=["torch", "numpy"])
def test_a_loss_that_is_not_finite_stops_it(config):
    pytest.importorskip("torch")
    one = training(config)
    broken = {name: np.full_like(value, math.nan) for name, value in one.learner.parameters().items()}
    one.learner.load_parameters(broken)
    with (
        np.errstate(all="ignore"),
        pytest.raises(FloatingPointError, match=r"loss nan.*, at step 0; try a peak learning rate below"),
    ):
        one.run()


def test_a_checkpoint_of_another_training_is_refused(tmp_path):
    training(SORTING).run(checkpoint=tmp_path / "x")
    for changes, told in (
        ({"steps": 13}, "steps: 12 there, 13 now"),
        ({"keep": "last"}, "keep: best there, last now"),
        ({"learning_rate": 0.5}, "learning_rate: 0.001 there, 0.5 now"),
        ({"seed": 1}, "seed: 0 there, 1 now"),
    ):
        with pytest.raises(ValueError, match=f"is the checkpoint of another training .*{told}"):
            training(with_values(SORTING, changes)).run(checkpoint=tmp_path / "x")
    with pytest.raises(ValueError, match="is damaged, or of another model: names differ: "):
        training(SORTING, "lstm").run(checkpoint=tmp_path / "x")


@pytest.mark.torch
def test_it_learns():
    """Two objects: the answer is the reference or the other one, learned within seconds."""
    pytest.importorskip("torch")
    changes = {"objects": 2, "start": ("objects=2", "labels=2", "dimensions=2"), "steps": 300}
    sizes = {"batch_size": 64, "learning_rate": 5e-3, "mem_slots": 2, "head_size": 8, "evaluate_every": 100}
    one = training(with_values(TINY, {**changes, **sizes}))
    before = one.learner.evaluate(one.validation)["accuracy"]
    one.run()
    assert before < 0.8
    assert one.learner.evaluate(one.validation)["accuracy"] > 0.95
