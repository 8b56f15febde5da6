"""Every preset runs two steps of every training and is scored."""

import dataclasses

import pytest

from relational_rnn.recipes import RECIPES, find_recipe
from relational_rnn.reference import Adam
from relational_rnn.training.common.nth_farthest import Growth, NthFarthestSettings
from relational_rnn.training.common.reasoning import contestants, reasoning_data
from relational_rnn.training.numpy import fit
from relational_rnn.training.numpy.models import build_model

PRESETS = [(task, preset) for task, presets in RECIPES.items() for preset in presets]
OF_NTH_FARTHEST = [(t, p) for t, p in PRESETS if isinstance(find_recipe(t, p), NthFarthestSettings)]
OF_REASONING = [pair for pair in PRESETS if pair not in OF_NTH_FARTHEST]


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


@pytest.mark.parametrize(("task", "preset"), OF_REASONING)
def test_two_steps_in_numpy(task, preset):
    settings = dataclasses.replace(
        find_recipe(task, preset), train_examples=128, validation_examples=20, test_examples=10
    )
    data = reasoning_data(task, settings, settings.seed)
    for contestant in contestants(settings)[: len(settings.models)]:
        model = build_model(settings, contestant.model, contestant.seed)
        result = fit(
            model,
            data.train,
            data.validation,
            steps=2,
            optimizer=Adam(settings.learning_rate),
            batch_size=settings.batch_size,
            max_norm=settings.clip_norm,
            progress=False,
        )
        assert result.step == 2
        assert 0 <= result.best["validation_accuracy"] <= 1


@pytest.mark.parametrize("task", dict(OF_REASONING))
def test_models_of_comparable_size(task):
    settings = find_recipe(task, "quick")
    rmc, *others = (
        sum(value.size for value in build_model(settings, model, 0).params.values())
        for model in settings.models
    )
    for other in others:
        assert rmc <= other <= 1.05 * rmc
