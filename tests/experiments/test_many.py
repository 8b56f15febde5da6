"""Runs of an experiment: trained one after the other, taken up again, and what their scores come to."""

import pytest

from relational_rnn.config.checks import BadFile
from relational_rnn.experiments import many
from relational_rnn.experiments.factors import variant
from relational_rnn.experiments.many import jobs_of, read_scores, summarise_variant, train_job
from relational_rnn.recipes import find_recipe
from relational_rnn.training.config import with_values
from relational_rnn.training.files import read_json, write_json
from relational_rnn.training.processes import RunFailed
from relational_rnn.training.results import RunResult, to_json, training_from
from relational_rnn.training.run import model_results
from relational_rnn.training.run_folder import RunFolder
from relational_rnn.training.variants import objective

CONFIG = with_values(find_recipe("sorting", "tiny"), {"models": ("rmc", "lstm"), "seed": 3, "seeds": 2})

SIZE = {"objects": 3, "dimensions": 8}
CHANGES = [
    {"step": 0, "sizes": {"objects": 3, "dimensions": 2}},
    {"step": 2, "sizes": {"objects": 3, "dimensions": 4}},
]
LAST = {
    "validation_accuracy": 0.7,
    "test_sequence_accuracy": 0.6,
    "seconds_per_example": 3 / 48,
    "peak_memory": None,
    "best_step": 3,
    "examples_to_converge": 32,
}
"""What the score of a training, kept at its last step, has besides what is asked here."""

GROWN = {"best_step": 2, "validation_accuracy": 0.8, "changes": CHANGES}
"""What the score of a growing training, kept at its best, has besides."""


NAMES = ("rmc-4", "lstm-4")


class FakeTraining:
    """Trains in 3 steps in place of `training.run`, or stops or diverges on the way."""

    stop_in, diverge_in = "", ()

    def train_one(self, config, folder, name, report, stopped):
        for step, accuracy in ((1, 0.4), (2, 0.8), (3, 0.7)):
            record = {"step": step, "seconds": step, "examples": 16 * step, "validation_accuracy": accuracy}
            folder.append({"model": name, **record})
            report(record)
            if name == self.stop_in and step == 2:
                return
        score = {"test_accuracy": 0.6, "parameters": 7, "seconds": 3.0, "steps": 3, "examples": 48}
        if name in self.diverge_in:
            score["diverged"] = "the loss is nan"
        write_json(folder.score(name), LAST | score | (GROWN if name.startswith("rmc") else {}))
        folder.weights(name).write_bytes(b"")

    def summarise(self, config, folder, wall_seconds):
        models = {}
        for name in NAMES:
            training = training_from({"name": name, "label": name, **read_json(folder.score(name))})
            models[name.partition("-")[0]] = model_results(name, [training], 1)
        results = RunResult(
            task="sorting",
            framework="numpy",
            size=SIZE,
            harder_size=None,
            harder=None,
            seed=4,
            seeds=1,
            test_examples=9,
            trivial_accuracy=0.5,
            trivial={"test": {"chance": 0.1, "majority": 0.5, "shortcut": None}},
            wall_seconds=None,
            models=models,
            generalisation=(),
        )
        write_json(folder.results, to_json(results))


@pytest.fixture
def fake(monkeypatch):
    training = FakeTraining()
    for name in ("train_one", "summarise"):
        monkeypatch.setattr(many, name, getattr(training, name))
    return training


@pytest.fixture
def job(tmp_path):
    return jobs_of(variant(CONFIG, {"mem_slots": 3}), tmp_path)[1]


def never():
    return False


def test_jobs(tmp_path):
    first, second = jobs_of(variant(CONFIG, {"mem_slots": 3}), tmp_path)
    assert (first.label, second.label) == ("mem_slots=3, seed 3", "mem_slots=3, seed 4")
    assert (second.config.seed, second.config.seeds, second.config.model.mem_slots) == (4, 1, 3)
    assert second.path == tmp_path / "seed-4"


def test_scores(job, fake):
    told = []
    scores = train_job(job, told.append, never)
    assert [(record["training"], record["step"]) for record in told] == [
        (name, step) for name in NAMES for step in (1, 2, 3)
    ]
    assert scores == read_scores(job)
    assert (scores["seed"], scores["trivial_accuracy"]) == (4, 0.5)
    rmc, lstm = scores["models"]["rmc"], scores["models"]["lstm"]
    assert (rmc["task_reached"], rmc["task_share"]) == ({"objects": 3, "dimensions": 4}, 0.5)
    assert (lstm["task_reached"], lstm["task_share"]) == ({}, 1.0)
    # 0.75 is half of the way from 0.5 to 1; the RMC kept its best parameters, the other its last.
    assert [rmc[f"{what}_to_leave"] for what in ("steps", "examples", "seconds")] == [2, 32, 2]
    assert (rmc["validation_accuracy"], lstm["validation_accuracy"]) == (0.8, 0.7)
    assert (rmc["test_accuracy"], rmc["parameters"], rmc["examples"]) == (0.6, 7, 48)
    assert train_job(job, told.append, never) == scores  # finished: nothing is trained
    assert len(told) == 6


def test_runs_from_before_validation_accuracies_are_refused(job, fake):
    train_job(job, lambda record: None, never)
    results = read_json(job.path / "results.json")
    del results["models"]["lstm"]["trainings"][0]["validation_accuracy"]
    write_json(job.path / "results.json", results)
    with pytest.raises(BadFile, match=r"lstm-4 lacks its validation_accuracy; remove .*seed-4: it is then"):
        read_scores(job)


def test_a_removed_experiment_does_not_come_back_in_part(tmp_path, fake):
    job = jobs_of(variant(CONFIG, {"mem_slots": 3}), tmp_path / "removed" / "variants" / "mem_slots=3")[0]
    with pytest.raises(RunFailed, match="removed was removed while its runs were trained"):
        train_job(job, lambda record: None, never)
    assert not (tmp_path / "removed").exists()


def test_a_stopped_run_goes_on(job, fake):
    told = []
    fake.stop_in = "lstm-4"
    assert train_job(job, told.append, never) is None
    folder = RunFolder(job.path)
    assert not folder.results.exists()
    told.clear()
    fake.stop_in = ""
    assert train_job(job, told.append, never)["models"].keys() == {"rmc", "lstm"}
    assert {record["training"] for record in told} == {"lstm-4"}
    assert [r["step"] for r in folder.records("rmc-4")] == [1, 2, 3]
    assert [r["step"] for r in folder.records("lstm-4")] == [1, 2, 3]  # without a checkpoint anew


def test_a_training_that_diverges_leaves_the_other_models_their_scores(job, fake):
    fake.diverge_in = ("lstm-4",)
    scores = train_job(job, lambda record: None, never)
    assert (scores["models"].keys(), scores["diverged"]) == ({"rmc"}, {"lstm": "the loss is nan"})
    fake.diverge_in = ()
    assert train_job(job, lambda record: None, never) == scores


def test_a_variants_numbers():
    def run(test, left):
        score = {"test_accuracy": test, "validation_accuracy": test / 2, "parameters": 7, "seconds": 2.0}
        score |= {"steps": 3, "examples": 48, "steps_to_leave": left, "examples_to_leave": left and 16 * left}
        score |= {"seconds_to_leave": left and left / 2, "task_reached": {}, "task_share": 1.0}
        return {"seed": 0, "trivial_accuracy": 0.5, "models": {"rmc": score}, "diverged": {}}

    lost = {"seed": 2, "trivial_accuracy": 0.5, "models": {}, "diverged": {"rmc": "nan"}}
    runs = [run(0.6, 2), run(0.8, None), lost]
    found = summarise_variant({"steps": 3}, runs, "steps=3")
    assert (found["name"], found["values"], found["trivial_accuracy"]) == ("steps=3", {"steps": 3}, 0.5)
    assert found["runs"] == runs
    rmc = found["models"]["rmc"]
    assert rmc["test_accuracy"] == pytest.approx(0.7)
    assert (rmc["label"], rmc["left"]) == ("RMC", 1)
    assert [rmc[f"{what}_to_leave"] for what in ("steps", "examples", "seconds")] == [2, 32, 1]
    assert objective(runs, "rmc") == pytest.approx((0.3 + 0.4 + 0) / 3)
    runs[0]["models"]["rmc"]["task_share"] = 0.5
    assert objective(runs, "rmc") == pytest.approx((0.15 + 0.4 + 0) / 3)
    assert summarise_variant({}, runs[2:], "base")["models"] == {}
