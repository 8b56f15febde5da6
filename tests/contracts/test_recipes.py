"""Every preset runs two steps of every training and is scored."""

import dataclasses

import pytest

from relational_rnn.recipes import RECIPES, find_recipe
from relational_rnn.tasks.babi.task import Babi
from relational_rnn.training.common.nth_farthest import Growth, NthFarthestSettings
from relational_rnn.training.common.supervised import FRAMEWORKS, contestants, task_data
from relational_rnn.training.numpy.models import NUMPY, build_model

PRESETS = [(task, preset) for task, presets in RECIPES.items() for preset in presets]
OF_NTH_FARTHEST = [(t, p) for t, p in PRESETS if isinstance(find_recipe(t, p), NthFarthestSettings)]
SUPERVISED = [pair for pair in PRESETS if pair not in OF_NTH_FARTHEST]


@pytest.mark.torch
@pytest.mark.parametrize(("task", "preset"), OF_NTH_FARTHEST)
def test_two_steps(task, preset, tmp_path):
    pytest.importorskip("torch")
    from relational_rnn.training.torch.loop import Budget, Training
    from relational_rnn.training.torch.models import build_model, contestants

    settings = dataclasses.replace(find_recipe(task, preset), validation_examples=50)
    for contestant in contestants(settings):
        training = Training(
            build_model(settings, contestant),
            settings,
            Growth(settings) if contestant.grown else Growth.none(settings),
            Budget(2, 1000.0),
            tmp_path / f"{contestant.name}.pt",
        )
        records = []
        assert training.run(records.append)
        assert training.step == 2
        assert 0 <= records[-1]["validation_accuracy"] <= 1


def two_steps(framework, task, preset):
    """Train every model of a framework for two steps and score it."""
    settings = find_recipe(task, preset)
    known = FRAMEWORKS[framework.name]
    settings = dataclasses.replace(
        settings,
        framework=framework.name,
        models=known,
        train_examples=settings.train_examples and 128,
        batch_size=16,
        validation_examples=20,
        test_examples=10,
    )
    if task == "babi":  # the files may not be there
        settings = dataclasses.replace(settings, task=Babi(tasks=(1, 18), synthetic=True))
    data = task_data(task, settings, settings.seed)
    for contestant in contestants(settings)[: len(known)]:
        learner = framework.learner(framework.build(settings, contestant.model, contestant.seed), settings)
        for step in range(2):
            metrics = learner.train_step(data.batches(step, []), settings.learning_rate)
            assert metrics["loss"] > 0
        for examples in data.held_out[:3]:
            assert 0 <= learner.evaluate(examples)["accuracy"] <= 1


@pytest.mark.parametrize(("task", "preset"), SUPERVISED)
def test_two_steps_in_numpy(task, preset):
    two_steps(NUMPY, task, preset)


@pytest.mark.torch
@pytest.mark.parametrize(("task", "preset"), SUPERVISED)
def test_two_steps_in_torch(task, preset):
    pytest.importorskip("torch")
    from relational_rnn.training.torch.supervised import TORCH

    two_steps(TORCH, task, preset)


@pytest.mark.parametrize("task", [task for task in dict(SUPERVISED) if task != "babi"])
def test_models_of_comparable_size(task):
    settings = find_recipe(task, "quick")
    rmc, *others = (
        sum(value.size for value in build_model(settings, model, 0).params.values())
        for model in settings.models
    )
    for other in others:
        assert rmc <= other <= 1.05 * rmc
