"""Every preset trains its models for two steps, by itself, and is scored."""

import pytest

from relational_rnn.recipes import RECIPES, find_recipe
from relational_rnn.tasks import TASKS
from relational_rnn.training.config import with_values
from relational_rnn.training.contestants import contestants
from relational_rnn.training.curriculum import Growth
from relational_rnn.training.data import batches_of, splits_of
from relational_rnn.training.framework import framework_of
from relational_rnn.training.learners.numpy import NUMPY
from relational_rnn.training.models import models_of

PRESETS = [(task, preset) for task, presets in RECIPES.items() for preset in presets]
IN_TORCH_ALONE = [name for name, entry in TASKS.items() if entry.tokens]
PLAIN = {"optimiser": "adam", "average_decay": 0.0, "overrides": ()}
"""What NumPy has of the levers."""


def is_slow(task, preset):
    """Say whether a preset's models take many seconds; those of a text have much to be scored on."""
    return task == "language" and preset != "tiny"


def two_steps(framework, task, preset):
    """Train a preset's models for two steps and score them; of two tiny ones every model there is."""
    changes = {"framework": framework, "seeds": 1, "batch_size": 4}
    if framework == "numpy" or (task in ("sorting", "language") and preset == "tiny"):
        changes["models"] = models_of(framework)
    changes |= {"validation_examples": 4, "test_examples": 4} | (PLAIN if framework == "numpy" else {})
    base = find_recipe(task, preset)
    if base.data.train_examples is not None:
        changes["train_examples"] = 128
    if task == "language":
        changes |= {"streams": 128}
    if task == "babi":  # the files may not be there
        changes |= {"tasks": (1, 18), "synthetic": True}
    config = with_values(base, changes)
    trains = framework_of(framework)
    splits = splits_of(config, with_training=True)
    everyone = {c.model: c for c in contestants(config)}
    assert tuple(everyone) == config.model.models
    for model, contestant in everyone.items():
        own = config.of(model)
        learner = trains.learner(trains.build(own, contestant), own)
        batches = batches_of(own, splits, Growth(own) if contestant.grown else None)
        for step in range(2):
            metrics = learner.train_step(batches(step, []), own.optimisation.learning_rate)
            assert metrics["loss"] > 0
        for examples in (splits.validation, splits.test, splits.harder):
            if examples is not None:
                assert 0 <= learner.evaluate(examples)["accuracy"] <= 1


@pytest.mark.parametrize(
    ("task", "preset"), [pair for pair in PRESETS if pair[1] != "paper" and pair[0] not in IN_TORCH_ALONE]
)
def test_two_steps_in_numpy(task, preset):
    two_steps("numpy", task, preset)


@pytest.mark.torch
@pytest.mark.parametrize(
    ("task", "preset"),
    [pytest.param(*pair, marks=pytest.mark.slow if is_slow(*pair) else ()) for pair in PRESETS],
)
def test_two_steps_in_torch(task, preset):
    pytest.importorskip("torch")
    two_steps("torch", task, preset)


@pytest.mark.parametrize(("task", "preset"), PRESETS)
def test_presets_are_in_steps(task, preset):
    assert find_recipe(task, preset).budget.seconds is None


@pytest.mark.parametrize("task", [task for task in RECIPES if task not in ("babi", *IN_TORCH_ALONE)])
def test_models_of_comparable_size(task):
    models = models_of("numpy")
    config = with_values(
        find_recipe(task, "quick"),
        {"framework": "numpy", "optimiser": "adam", "models": models, "overrides": ()},
    )
    rmc, *others = (
        NUMPY.count_parameters(NUMPY.build(config, next(c for c in contestants(config) if c.model == model)))
        for model in models
    )
    for other in others:
        assert rmc <= other <= 1.05 * rmc
