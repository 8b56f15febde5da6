"""Scores on larger sizes: of an untrained NumPy model, and put together by hand."""

import numpy as np
import pytest

from relational_rnn.reference import evaluate
from relational_rnn.tasks import find_task
from relational_rnn.tasks.object_tracking import ObjectTracking
from relational_rnn.tasks.programs import Copy
from relational_rnn.training.common.generalisation import larger_scores, summarise
from relational_rnn.training.common.supervised import LARGER, SupervisedSettings
from relational_rnn.training.numpy.models import NUMPY

OPTIONS = {"models": ("lstm",), "lstm_hidden_size": 3, "test_examples": 40, "train_examples": None}


@pytest.mark.parametrize(
    ("name", "task"),
    [("object-tracking", ObjectTracking(moves=2)), ("copy", Copy(length=2, curriculum="mix"))],
)
def test_a_model_is_scored_on_every_larger_size(name, task):
    settings = SupervisedSettings(task=task, **OPTIONS)
    model = NUMPY.build(settings, "lstm", 0)
    scores = larger_scores(name, settings, NUMPY.learner(model, settings), seed=5)
    for axis, accuracies in scores.items():
        for size, accuracy in zip((getattr(one, axis) for one in task.larger()[axis]), accuracies):
            sizes = {"moves": task.moves, "objects": task.objects} if name != "copy" else {}
            own = find_task(name).factory(**{**sizes, axis: size})
            batch = find_task(name).sample(own, 40, np.random.default_rng([5, LARGER]))
            assert evaluate(model, batch)["accuracy"] == accuracy
    assert scores.keys() == task.larger().keys()


def test_scores_of_all_trainings_are_put_together():
    task = ObjectTracking(objects=2, labels=3, moves=2, rows=2, columns=4)
    settings = SupervisedSettings(task=task, **OPTIONS)
    scores = {
        "rmc": {
            "rmc-0": {"moves": [0.9, 0.8, 0.7, 0.6], "objects": [0.5, 0.4]},
            "rmc-1": {"moves": [0.7, 0.6, 0.5, 0.2], "objects": [0.3, 0.4]},
        },
        "lstm": {"lstm-0": {"moves": [0.5] * 4, "objects": [0.1] * 2}},
    }
    moves, objects = summarise("object-tracking", settings, scores)
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
    settings = SupervisedSettings(task=Copy(length=1), **OPTIONS)
    (length,) = summarise("copy", settings, {"lstm": {"lstm-0": {"length": [0.2] * 4}}})
    assert length["trivial"] == [Copy(length=size).majority for size in (1, 2, 3, 4)]
