"""Who gets which examples wrong: models that are an oracle with mistakes put in."""

import json

import numpy as np
import pytest

from relational_rnn.experiments.failures import Answering, find_failures
from relational_rnn.tasks import entry_of, find_task
from relational_rnn.tasks.nth_farthest import NthFarthest
from relational_rnn.tasks.programs import Copy
from relational_rnn.tasks.sorting import Sorting
from relational_rnn.tasks.splits import FRESH
from relational_rnn.training.config import RunConfig
from relational_rnn.training.contestants import Contestant
from relational_rnn.training.weights import Trained


class Oracle(Trained):
    """A trained model that errs in one place of some examples."""

    def predict(self, inputs, every_step):
        told = entry_of(self.task).oracle(self.task, inputs).copy()
        assert every_step == (told.ndim > 1)
        for example in self.model:
            at = (example, told[example].argmax()) if every_step else example
            told[at] = 1 if told[at] != 1 else 2
        return told + 5 * (told == 0) if every_step else told  # what is told beside the answer is no matter


TASK = Copy(length=3)


def trained(wrong, *, task=TASK, model="rmc", seed=0, run="runs/a", label=None):
    """Return a model that errs in the examples `wrong`."""
    label = label or f"{model.upper()}, seed {seed}"
    contestant = Contestant(f"{model}-{seed}", model, label, False, "authors", seed)
    return Answering(run, Oracle(wrong, RunConfig(task=task), contestant))


def test_examples_are_counted_by_model_over_its_seeds():
    found = find_failures(
        [
            trained([1, 2, 3], model="lstm", seed=0),
            trained([1, 4], seed=1),
            trained([1, 4, 5], seed=0),
            trained([1, 3, 6], model="lstm", seed=1),
        ],
        examples=10,
        seed=3,
    )
    rmc, lstm = found["models"]
    assert (rmc["model"], lstm["model"]) == ("RMC", "LSTM")
    assert [one["name"] for one in rmc["trainings"]] == ["rmc-0", "rmc-1"]
    assert [one["accuracy"] for one in rmc["trainings"]] == [0.7, 0.8]
    assert (rmc["accuracy"], lstm["accuracy"]) == (0.75, 0.7)
    assert (rmc["always_wrong"], lstm["always_wrong"]) == ([1, 4], [1, 3])
    assert (rmc["sometimes_wrong"], lstm["sometimes_wrong"]) == ([5], [2, 6])
    assert (rmc["alone_right"], lstm["alone_right"]) == ([3], [4])
    assert [failure["example"] for failure in found["failures"]] == [1, 2, 3, 4, 5, 6]
    assert json.loads(json.dumps(found)) == found


def test_what_most_trainings_get_wrong_comes_first():
    wrong = ([1, 2], [2], [7])
    found = find_failures([trained(w, seed=s) for s, w in enumerate(wrong)], examples=8, seed=0)
    assert found["models"][0]["sometimes_wrong"] == [2, 1, 7]
    assert found["models"][0]["alone_right"] == []  # there is nobody else


def test_one_wrong_digit_makes_an_answer_wrong_and_is_told():
    batch = find_task("copy").sample(TASK, 5, np.random.default_rng([7, FRESH]))
    found = find_failures([trained([2])], examples=5, seed=7)
    (failure,) = found["failures"]
    assert failure["record"] == find_task("copy").as_record(TASK, batch, 2)
    right, (told,) = failure["record"]["answer"], failure["answers"]["RMC"]
    assert len(told) == len(right) == 3
    assert sum(a != b for a, b in zip(told, right)) == 1


def test_an_answer_at_the_end_alone():
    found = find_failures([trained([1], task=NthFarthest(objects=4, dimensions=2))], examples=6, seed=0)
    assert found["models"][0]["accuracy"] == pytest.approx(5 / 6)
    (failure,) = found["failures"]
    assert failure["answers"]["RMC"][0] in (1, 2)
    assert failure["record"]["answer"] != failure["answers"]["RMC"][0]


def test_models_of_one_name_are_told_apart_by_their_runs():
    everyone = [
        trained([], label="LSTM, curriculum", model="lstm"),
        trained([0], run="runs/b"),
        trained([1]),
        trained([], label="LSTM, no curriculum", model="lstm"),
    ]
    names = [model["model"] for model in find_failures(everyone, examples=3, seed=0)["models"]]
    assert names == ["RMC of runs/b", "RMC of runs/a", "LSTM, curriculum", "LSTM, no curriculum"]


def test_what_cannot_be_compared():
    with pytest.raises(ValueError, match="at least one trained model, got none"):
        find_failures([], examples=3, seed=0)
    with pytest.raises(ValueError, match="examples must be an integer of at least 1, got 0"):
        find_failures([trained([])], examples=0, seed=0)
    for other in (
        trained([], task=Copy(length=4), run="b"),
        trained([], task=Sorting(items=3), run="b"),
    ):
        with pytest.raises(ValueError, match=r"one size, got copy \(length 3, .*\) in runs/a and .* in b"):
            find_failures([trained([]), other], examples=3, seed=0)
