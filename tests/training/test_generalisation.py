"""Scores on larger sizes: of an untrained NumPy model, and put together by hand."""

import numpy as np
import pytest

from relational_rnn.reference import evaluate
from relational_rnn.tasks import find_task
from relational_rnn.tasks.object_tracking import ObjectTracking
from relational_rnn.tasks.programs import Copy
from relational_rnn.tasks.splits import LARGER
from relational_rnn.training.config import RunConfig
from relational_rnn.training.config_parts import DataConfig, ModelConfig, RuntimeConfig
from relational_rnn.training.contestants import contestants
from relational_rnn.training.data import alone
from relational_rnn.training.generalisation import larger_scores, summarise
from relational_rnn.training.learners.numpy import NUMPY


def config_of(task):
    return RunConfig(
        task=task,
        model=ModelConfig(models=("lstm",), overrides=("lstm.size=3",)),
        data=DataConfig(test_examples=40),
        runtime=RuntimeConfig(framework="numpy"),
    )


@pytest.mark.parametrize("task", [ObjectTracking(moves=2), Copy(length=2, curriculum="mix")])
def test_a_model_is_scored_on_every_larger_size(task):
    config, name = alone(config_of(task), 5), task.name
    model = NUMPY.build(config, contestants(config)[0])
    scores = larger_scores(config, NUMPY.learner(model, config))
    for axis, accuracies in scores.items():
        for size, accuracy in zip((getattr(one, axis) for one in task.larger()[axis]), accuracies):
            sizes = {"moves": task.moves, "objects": task.objects} if name != "copy" else {}
            own = find_task(name).factory(**{**sizes, axis: size})
            batch = find_task(name).sample(own, 40, np.random.default_rng([5, LARGER]))
            assert evaluate(model, batch)["accuracy"] == accuracy
    assert scores.keys() == task.larger().keys()


def test_scores_of_all_trainings_are_put_together():
    task = ObjectTracking(objects=2, labels=3, moves=2, rows=2, columns=4)
    scores = {
        "rmc": {
            "rmc-0": {"moves": [0.9, 0.8, 0.7, 0.6], "objects": [0.5, 0.4]},
            "rmc-1": {"moves": [0.7, 0.6, 0.5, 0.2], "objects": [0.3, 0.4]},
        },
        "lstm": {"lstm-0": {"moves": [0.5] * 4, "objects": [0.1] * 2}},
    }
    moves, objects = summarise(config_of(task), scores)
    assert (moves["axis"], moves["sizes"], moves["trained"], moves["examples"]) == (
        "moves",
        [2, 3, 4, 5],
        2,
        40,
    )
    assert (objects["axis"], objects["sizes"], objects["trained"]) == ("objects", [2, 3], 2)
    assert moves["models"]["rmc"]["accuracy"] == pytest.approx([0.8, 0.7, 0.6, 0.4])
    assert moves["models"]["rmc"]["trainings"]["rmc-1"] == [0.7, 0.6, 0.5, 0.2]
    assert objects["models"]["lstm"]["accuracy"] == [0.1, 0.1]
    entry, first = (
        find_task("object-tracking"),
        find_task("object-tracking").sample(task, 40, np.random.default_rng([0, LARGER])),
    )
    followed = (entry.shortcut(task, first.inputs) == first.targets)[first.mask].mean()
    assert moves["trivial"][0] == objects["trivial"][0] == pytest.approx(followed)
    assert min(moves["trivial"]) >= task.chance


def test_without_a_shortcut_the_trivial_score_is_the_majoritys():
    (length,) = summarise(config_of(Copy(length=1)), {"lstm": {"lstm-0": {"length": [0.2] * 4}}})
    assert length["trivial"] == [Copy(length=size).majority for size in (1, 2, 3, 4)]
