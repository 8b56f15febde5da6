"""Whole runs: every lever on every task, results of one form, and steps that decide, whatever the speed."""

import itertools
import time

import numpy as np
import pytest

from relational_rnn.analysis import long_words_table
from relational_rnn.config.checks import BadFile
from relational_rnn.recipes import RECIPES, find_recipe
from relational_rnn.training import run as runs
from relational_rnn.training.arrays_file import load_arrays
from relational_rnn.training.config import with_values
from relational_rnn.training.contestants import contestants
from relational_rnn.training.data import alone, splits_of
from relational_rnn.training.files import read_json, write_json
from relational_rnn.training.framework import framework_of
from relational_rnn.training.results import TrainingResult, from_json, to_json
from relational_rnn.training.run_folder import RunFolder
from relational_rnn.training.weights import load_weights

SMALL = {"validation_examples": 20, "test_examples": 20, "steps": 4, "evaluate_every": 2, "seeds": 1}
STARTS = {
    "nth-farthest": ("objects=2", "labels=2", "dimensions=2"),
    "sorting": ("items=2",),
    "pair-matching": ("pairs=2",),
    "object-tracking": ("moves=2",),
    "babi-synthetic": ("sentences=3",),
    "group-word": ("length=3",),
    "mqar": ("pairs=2",),
    "track-recall": ("objects=3",),
    "addition": ("length=1",),
    "control": ("length=1",),
    "program": ("nesting=1",),
    "algebra": ("length=1",),
    "copy": ("length=2",),
    "reverse": ("length=2",),
    "double": ("length=2",),
}
TIMES = ("seconds", "seconds_per_example", "peak_memory")


def config_of(task, framework="torch", **changes):
    base = find_recipe(task, "tiny")
    values = {"framework": framework, "models": ("rmc", "lstm"), "overrides": (), **SMALL}
    values |= {"grow": False, "direct": False, "start": ()}
    if framework == "numpy":
        values["optimiser"] = "adam"
    if base.data.train_examples is not None:
        values["train_examples"] = 40
    if task == "babi":
        values |= {"tasks": (1, 2), "synthetic": True}
    return with_values(base, {**values, **changes})


def train(config, path, slow=None, stopped=lambda: False):
    """Train a run in this process, one training after the other; return its folder and results.

    Args:
        config: of the run.
        path: of its folder.
        slow: seconds that each record takes to show.
        stopped: asked after each step.
    """
    folder = RunFolder(path)
    runs.check(config)

    def report(record):
        if slow:
            time.sleep(slow)

    with folder.writing("train", config, resume=folder.config.exists()):
        for contestant in contestants(config):
            if not folder.score(contestant.name).exists():
                runs.train_one(config, folder, contestant.name, report, stopped)
        return folder, to_json(runs.summarise(config, folder, None))


def assert_same_runs(one, other, config):
    """Compare the weights of all trainings, their scores and curves, to the last bit."""
    for contestant in contestants(config):
        values, _ = load_arrays(one.weights(contestant.name))
        same, _ = load_arrays(other.weights(contestant.name))
        assert values.keys() == same.keys()
        for name, value in values.items():
            np.testing.assert_array_equal(same[name], value, err_msg=f"{contestant.name}: {name}")
        scores, again = (
            {
                name: value
                for name, value in read_json(folder.score(contestant.name)).items()
                if name not in TIMES
            }
            for folder in (one, other)
        )
        assert scores == again
        curves = [
            [(r["step"], r["validation_accuracy"], r["loss"], r["learning_rate"]) for r in found]
            for found in (one.evaluations(contestant.name), other.evaluations(contestant.name))
        ]
        assert curves[0] == curves[1]


GROWING = {"grow": True, "direct": True, "growth_threshold": 0.001, "steps": 30, "train_examples": None}
SLOW = 0.01


@pytest.mark.parametrize(
    ("task", "framework"),
    [
        pytest.param("nth-farthest", "torch", marks=pytest.mark.torch),
        ("nth-farthest", "numpy"),
        ("sorting", "numpy"),
    ],
)
def test_steps_decide_and_not_the_clock(task, framework, tmp_path, monkeypatch):
    """The same command gives the same bits, opponent and curriculum included, when it takes longer."""
    if framework == "torch":
        pytest.importorskip("torch")
    threshold = {"growth_threshold": 0.67} if task == "nth-farthest" else {}
    config = config_of(task, framework, **{**GROWING, "start": STARTS[task], "keep": "last", **threshold})
    if threshold:  # let it grow soon, above the floor that a configuration asks for
        monkeypatch.setattr("relational_rnn.training.curriculum.Growth.SMOOTHING", 1.0)
    monkeypatch.setattr("relational_rnn.training.trainer.REPORT_SECONDS", 0.0)  # a record of every step
    fast, results = train(config, tmp_path / "fast")
    slow, again = train(config, tmp_path / "slow", slow=SLOW)
    assert_same_runs(fast, slow, config)
    found = {name: model["trainings"] for name, model in results["models"].items()}
    assert {name: len(trainings) for name, trainings in found.items()} == {"rmc": 1, "lstm": 2}
    assert len(found["rmc"][0]["changes"]) > 1, "it grew"
    assert found["lstm"][1]["changes"] == found["rmc"][0]["changes"], "the opponent followed"
    assert again["models"]["rmc"]["seconds"] >= 30 * SLOW
    assert {training["steps"] for training in itertools.chain(*found.values())} == {30}


@pytest.mark.torch
def test_a_resumed_run_is_the_uninterrupted_one(tmp_path):
    config = config_of(
        "nth-farthest",
        **{**GROWING, "start": STARTS["nth-farthest"], "growth_threshold": 0.67},
        optimiser="soap",
        average_decay=0.9,
    )
    whole, _ = train(config, tmp_path / "whole")
    calls, folder = itertools.count(1), RunFolder(tmp_path / "parts")
    first = contestants(config)[0].name
    with folder.writing("train", config, resume=False):
        runs.train_one(config, folder, first, lambda record: None, lambda: next(calls) == 4)
    assert load_arrays(folder.checkpoint(first))[1]["result"]["step"] == 4
    assert not folder.score(first).exists()
    parts, _ = train(config, tmp_path / "parts")
    for contestant in contestants(config):
        for name, value in load_arrays(whole.weights(contestant.name))[0].items():
            np.testing.assert_array_equal(load_arrays(parts.weights(contestant.name))[0][name], value)


LEVERS = {
    "SOAP": {"optimiser": "soap"},
    "an average of the weights": {"average_decay": 0.9},
    "growth": {"grow": True, "direct": True},
    "smaller tasks mixed in": {"grow": True, "smaller_share": 0.5},
    "overrides": {
        "overrides": ("lstm.learning_rate=1e-4", "lstm.steps=3", "lstm.initialisation=orthogonal+torch")
    },
    "the last parameters": {"keep": "last"},
    "the best parameters": {"keep": "best", "patience": 1},
    "seconds": {"seconds": 1000.0},
    "bfloat16": {"compute_dtype": "bfloat16"},
    "fresh examples": {"train_examples": None},
    "two seeds": {"seeds": 2},
}
NEEDS_TORCH = ("SOAP", "an average of the weights", "overrides", "bfloat16")


def pull(task, lever, framework, tmp_path):
    """Train a run with a lever, and check what every run's results have."""
    changes = LEVERS[lever]
    if task == "babi" and "train_examples" in changes:
        changes = {}
    if "grow" in changes:
        changes = {**changes, "start": STARTS[task], "train_examples": None}
    config = config_of(task, framework, **changes)
    _, results = train(config, tmp_path / "run")
    assert results.keys() == {
        *("task", "framework", "size", "harder_size", "harder", "seed", "seeds", "test_examples"),
        *("trivial_accuracy", "trivial", "wall_seconds", "models", "generalisation"),
    }
    assert (results["task"], results["framework"]) == (task, framework)
    assert list(results["models"]) == ["rmc", "lstm"]
    for name, model in results["models"].items():
        assert model["label"] == {"rmc": "RMC", "lstm": "LSTM"}[name]
        assert 0 <= model["test_accuracy"] <= 1
        assert model["name"] in model["selected"]
        for training in model["trainings"]:
            assert training["steps"] <= 4
            assert ("changes" in training) == ("grow" in changes and "-direct-" not in training["name"])
            assert ("harder_accuracy" in training) == (results["harder"] is not None)
    return results


@pytest.mark.torch
@pytest.mark.parametrize("lever", LEVERS)
@pytest.mark.parametrize(
    "task",
    ["nth-farthest", "babi", *(pytest.param(name, marks=pytest.mark.slow) for name in ("sorting", "copy"))],
)
def test_every_lever_on_every_kind_of_task(task, lever, tmp_path):
    pytest.importorskip("torch")
    if task == "babi" and "grow" in LEVERS[lever]:
        pytest.skip("stories come as they are")
    results = pull(task, lever, "torch", tmp_path)
    lstm = results["models"]["lstm"]["trainings"]
    if lever == "overrides":
        assert [training["name"] for training in lstm] == ["lstm-orthogonal-0", "lstm-torch-0"]
        assert {training["steps"] for training in lstm} == {3}
        assert results["models"]["rmc"]["steps"] == 4
    if lever == "two seeds":
        assert [training["name"] for training in lstm] == ["lstm-0", "lstm-1"]
        mean = sum(training["test_accuracy"] for training in lstm) / 2
        assert results["models"]["lstm"]["test_accuracy"] == mean


@pytest.mark.parametrize("lever", [lever for lever in LEVERS if lever not in NEEDS_TORCH])
@pytest.mark.parametrize("task", ["nth-farthest", "sorting"])
def test_levers_in_numpy(task, lever, tmp_path):
    pull(task, lever, "numpy", tmp_path)


OTHERS = [
    task
    for task in RECIPES
    if task not in ("nth-farthest", "sorting", "control", "program", "algebra", "language")
]


@pytest.mark.parametrize("task", OTHERS)  # of the programs the quickest to draw stands for all
def test_every_task_trains_in_numpy(task, tmp_path):
    pull(task, "growth" if task in STARTS else "the last parameters", "numpy", tmp_path)


def test_results_of_nth_farthest_have_longer_sequences_too(tmp_path):
    results = pull("nth-farthest", "the last parameters", "numpy", tmp_path)
    assert all("longer" in training for training in results["models"]["rmc"]["trainings"])
    assert (results["harder"], results["harder_size"], results["generalisation"]) == (None, None, [])


def test_results_of_group_words_have_longer_words_too(tmp_path):
    results = pull("group-word", "the last parameters", "numpy", tmp_path)
    for training in results["models"]["rmc"]["trainings"]:
        assert training["long_words"]["length"] == [16, 32, 64, 128, 256]
        assert len(training["long_words"]["last"]) == len(training["long_words"]["whole"]) == 5
    table = long_words_table(from_json(results))
    assert table.columns[1] == "last, length 16 %"
    assert [len(cells) for _, cells in table.rows] == [11, 11]


def test_an_opponent_smaller_than_the_rmc_is_refused_before_anything_is_written(tmp_path):
    config = config_of("sorting", "numpy", overrides=("lstm.size=2",))
    with pytest.raises(ValueError, match=r"lstm\.size must be at least"):
        runs.check(config)
    assert list(tmp_path.iterdir()) == []


def trained(name, validation, test):
    plain = dict.fromkeys(("parameters", "steps", "examples", "best_step", "examples_to_converge"), 7)
    times = dict.fromkeys(("seconds", "seconds_per_example", "test_sequence_accuracy"), 0.5)
    scores = {"validation_accuracy": validation, "test_accuracy": test, "peak_memory": None}
    return TrainingResult(name=name, label=name, **scores, **plain, **times)


def test_validation_chooses_the_regime_that_counts():
    """And the training that stands for it; on the test the other regime and the other seed are better."""
    told = (("a-0", 0.5, 0.9), ("b-0", 0.6, 0.8), ("a-1", 0.5, 0.9), ("b-1", 0.8, 0.6))
    trainings = [trained(*one) for one in told]
    found = runs.model_results("LSTM", trainings, seeds=2)
    assert (found.label, found.name, found.selected) == ("LSTM", "b-1", ("b-0", "b-1"))
    assert found.test_accuracy == pytest.approx(0.7)
    assert found.trainings == tuple(trainings)
    with pytest.raises(ValueError, match="a-0 lacks its validation_accuracy"):
        runs.model_results("LSTM", [trained("a-0", None, 0.9)], seeds=1)


@pytest.mark.parametrize(
    ("framework", "changes"),
    [
        ("numpy", {"keep": "best", "patience": 1, "steps": 40}),
        ("numpy", {"keep": "last"}),
        pytest.param("torch", {"keep": "last", "average_decay": 0.9}, marks=pytest.mark.torch),
        pytest.param("torch", {"keep": "best", "average_decay": 0.9}, marks=pytest.mark.torch),
    ],
)
def test_the_validation_accuracy_is_that_of_the_weights_that_are_scored(framework, changes, tmp_path):
    if framework == "torch":
        pytest.importorskip("torch")
    config = config_of(
        "sorting", framework, models=("lstm",), learning_rate=0.1, validation_examples=100, **changes
    )
    folder, results = train(config, tmp_path / "run")
    (score,) = results["models"]["lstm"]["trainings"]
    loaded = load_weights(folder.weights("lstm-0"))
    validation = splits_of(alone(loaded.config, 0)).validation
    predicted = loaded.predict(validation.inputs, every_step=True)
    right = (predicted == validation.targets)[validation.mask]
    assert score["validation_accuracy"] == pytest.approx(right.mean())
    assert len({point["validation_accuracy"] for point in folder.evaluations("lstm-0")}) > 1


def test_a_score_from_before_validation_accuracies_is_made_again(tmp_path):
    config = config_of("sorting", "numpy", models=("lstm",))
    folder, results = train(config, tmp_path / "run")
    path = folder.score("lstm-0")
    old = read_json(path)
    del old["validation_accuracy"]
    write_json(path, old)
    with pytest.raises(
        BadFile, match="it lacks validation_accuracy; remove it: with --resume lstm-0 is scored"
    ):
        train(config, tmp_path / "run")
    path.unlink()
    assert train(config, tmp_path / "run")[1] == results


def test_the_numbers_that_models_keep_between_steps():
    """RMC: slots x width; LSTM: h and c; hybrid: h, c and its memory. A Transformer's grow with the steps."""
    config = config_of("sorting", "numpy", models=("rmc", "hybrid", "lstm"))
    for contestant in contestants(config):
        model = framework_of("numpy").build(config, contestant)
        sizes = [framework_of("numpy").state_size(model, config.task.input_size, steps) for steps in (3, 6)]
        core = model.core
        hidden = getattr(core, "hidden_size", 0)
        memory = 2 * 4 * 2 if contestant.model != "lstm" else 0
        assert sizes == [2 * hidden + memory] * 2


@pytest.mark.torch
def test_the_numbers_that_torch_models_keep_between_steps():
    pytest.importorskip("torch")
    config = config_of("sorting", "torch", models=("rmc", "lstm", "gru", "transformer"))
    framework = framework_of("torch")
    for contestant in contestants(config):
        model = framework.build(config, contestant)
        three, six = (framework.state_size(model, config.task.input_size, steps) for steps in (3, 6))
        assert six == (2 * three if contestant.model == "transformer" else three)
        wanted = {"rmc": 2 * 4 * 2, "lstm": 2 * getattr(model.core, "hidden_size", 0)}
        assert three == wanted.get(contestant.model, three)
