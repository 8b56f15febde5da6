"""Every preset runs two steps of every training and is scored."""

import dataclasses

import pytest

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch")

from relational_rnn.recipes import RECIPES, find_recipe  # noqa: E402
from relational_rnn.training.common.nth_farthest import Growth  # noqa: E402
from relational_rnn.training.torch.loop import Budget, Training  # noqa: E402
from relational_rnn.training.torch.models import build_model, contestants  # noqa: E402


@pytest.mark.parametrize(("task", "preset"), [(t, p) for t, presets in RECIPES.items() for p in presets])
def test_two_steps(task, preset, tmp_path):
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
