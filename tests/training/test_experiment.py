"""Runs of an experiment: trained one after the other, taken up again, and what their scores come to."""

import dataclasses
import json
from dataclasses import dataclass

import pytest

from relational_rnn.recipes import find_recipe
from relational_rnn.training.common.experiment import (
    SupervisedTrainer,
    jobs_of,
    objective,
    read_scores,
    summarise_variant,
    train_job,
)
from relational_rnn.training.common.factors import variant
from relational_rnn.training.common.files import write_json
from relational_rnn.training.common.records import RunFolder
from relational_rnn.training.numpy.models import NUMPY

SETTINGS = dataclasses.replace(find_recipe("sorting", "tiny"), models=("rmc", "lstm"), seed=3, seeds=2)

SIZE = {"objects": 3, "dimensions": 8}
GROWN = {"best_step": 2, "changes": [[0, 3, 2], [2, 3, 4]]}
"""What the score of a growing training, kept at its best, has besides."""


@dataclass
class FakeTrainer:
    """Trains in 3 steps, or stops or diverges on the way."""

    task: str = "sorting"
    stop_in: str = ""
    diverge_in: str = ""

    def trainings(self, settings):
        return list(settings.models)

    def saved_step(self, settings, folder, name):
        return 3 if folder.score(name).exists() else 2

    def train(self, settings, folder, name, report, stopped):
        for step, accuracy in ((1, 0.4), (2, 0.8), (3, 0.7)):
            record = {"step": step, "seconds": step, "examples": 16 * step, "validation_accuracy": accuracy}
            report(record)
            if name == self.stop_in and step == 2:
                return
            if name == self.diverge_in:
                raise FloatingPointError("the loss is nan")
        score = {"test_accuracy": 0.6, "parameters": 7, "seconds": 3.0, "steps": 3, "examples": 48}
        write_json(folder.score(name), score | (GROWN if name == "rmc" else {}))

    def summarise(self, settings, folder):
        trainings = {name: json.loads(folder.score(name).read_text()) for name in settings.models}
        models = {n: {"trainings": [{"name": n, "label": n, **t}]} for n, t in trainings.items()}
        write_json(folder.results, {"trivial_accuracy": 0.5, "size": SIZE, "models": models})


@pytest.fixture
def job(tmp_path):
    return jobs_of(variant(SETTINGS, {"mem_slots": 3}), tmp_path)[1]


def never():
    return False


def test_jobs(tmp_path):
    first, second = jobs_of(variant(SETTINGS, {"mem_slots": 3}), tmp_path)
    assert (first.label, second.label) == ("mem_slots=3, seed 3", "mem_slots=3, seed 4")
    assert (second.settings.seed, second.settings.seeds, second.settings.mem_slots) == (4, 1, 3)
    assert second.path == tmp_path / "seed-4"


def test_scores(job):
    told = []
    scores = train_job(FakeTrainer(), job, told.append, never)
    assert [(record["training"], record["step"]) for record in told] == [
        (name, step) for name in ("rmc", "lstm") for step in (1, 2, 3)
    ]
    assert scores == read_scores(job)
    assert (scores["seed"], scores["trivial_accuracy"]) == (4, 0.5)
    rmc, lstm = scores["models"]["rmc"], scores["models"]["lstm"]
    assert (rmc["task_reached"], rmc["task_share"], "task_reached" in lstm) == ([3, 4], 0.5, False)
    # 0.75 is half of the way from 0.5 to 1; the RMC kept its best parameters, the other its last.
    assert [rmc[f"{what}_to_leave"] for what in ("steps", "examples", "seconds")] == [2, 32, 2]
    assert (rmc["validation_accuracy"], lstm["validation_accuracy"]) == (0.8, 0.7)
    assert (rmc["test_accuracy"], rmc["parameters"], rmc["examples"]) == (0.6, 7, 48)
    assert train_job(FakeTrainer(), job, told.append, never) == scores  # finished: nothing is trained
    assert len(told) == 6


def test_a_stopped_run_goes_on(job):
    told = []
    assert train_job(FakeTrainer(stop_in="lstm"), job, told.append, never) is None
    folder = RunFolder(job.path)
    assert not folder.results.exists()
    folder.append(
        {"model": "lstm", "step": 3, "seconds": 3, "examples": 48}
    )  # after the checkpoint of step 2
    told.clear()
    assert train_job(FakeTrainer(), job, told.append, never)["models"].keys() == {"rmc", "lstm"}
    assert {record["training"] for record in told} == {"lstm"}
    assert [r["step"] for r in folder.records("rmc")] == [1, 2, 3]
    assert [r["step"] for r in folder.records("lstm")] == [1, 2, 1, 2, 3]  # this one begins at the beginning


def test_a_run_that_diverges(job):
    scores = train_job(FakeTrainer(diverge_in="lstm"), job, lambda record: None, never)
    assert scores == {"seed": 4, "diverged": "the loss is nan"}
    assert train_job(FakeTrainer(), job, lambda record: None, never) == scores


def test_a_variants_numbers():
    def run(test, left):
        score = {"test_accuracy": test, "validation_accuracy": test / 2, "parameters": 7, "seconds": 2.0}
        score |= {"steps": 3, "examples": 48, "steps_to_leave": left, "examples_to_leave": left and 16 * left}
        score |= {"seconds_to_leave": left and left / 2}
        return {"seed": 0, "trivial_accuracy": 0.5, "models": {"rmc": score}}

    runs = [run(0.6, 2), run(0.8, None), {"seed": 2, "diverged": "nan"}]
    found = summarise_variant({"steps": 3}, runs, "steps=3")
    assert (found["name"], found["values"], found["trivial_accuracy"]) == ("steps=3", {"steps": 3}, 0.5)
    assert (found["diverged"], found["runs"]) == (1, runs)
    rmc = found["models"]["rmc"]
    assert rmc["test_accuracy"] == pytest.approx(0.7)
    assert (rmc["label"], rmc["left"]) == ("RMC", 1)
    assert [rmc[f"{what}_to_leave"] for what in ("steps", "examples", "seconds")] == [2, 32, 1]
    assert objective(runs, "rmc") == pytest.approx((0.3 + 0.4 + 0) / 3)
    runs[0]["models"]["rmc"]["task_share"] = 0.5
    assert objective(runs, "rmc") == pytest.approx((0.15 + 0.4 + 0) / 3)
    lost = summarise_variant({}, runs[2:], "base")
    assert (lost["trivial_accuracy"], lost["models"], lost["diverged"]) == (None, {}, 1)


def test_an_opponent_smaller_than_the_rmc_is_refused():
    trainer = SupervisedTrainer("sorting", NUMPY)
    trainer.check(SETTINGS)
    with pytest.raises(ValueError, match="lstm_hidden_size must be at least"):
        trainer.check(dataclasses.replace(SETTINGS, lstm_hidden_size=2))
