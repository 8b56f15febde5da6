"""`train` on the tasks that ask at every step from end to end at the smallest size, most without torch."""

import json
import os
import re
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from relational_rnn.cli.main import main
from relational_rnn.cli.train import parse
from relational_rnn.recipes import find_recipe
from relational_rnn.reference import evaluate
from relational_rnn.tasks import REASONING_TASKS
from relational_rnn.tasks.sorting import Sorting
from relational_rnn.training.config import with_values
from relational_rnn.training.data import alone, splits_of
from relational_rnn.training.run import examples_to_reach
from relational_rnn.training.weights import load_weights

IN_NUMPY = [task for task in REASONING_TASKS if find_recipe(task, "tiny").runtime.framework == "numpy"]
TINY_STORIES = find_recipe("babi-synthetic", "tiny")
TRAIN = ["train", "sorting", "--framework", "numpy", "--preset", "tiny"]
GROW = [*TRAIN, "--grow", "--train-examples", "None", "--start"]


def test_preset_then_config_then_flags(tmp_path):
    quick = find_recipe("sorting", "quick")
    assert parse("sorting", ["--models", "all"]).run == quick
    file = tmp_path / "mine.json"
    file.write_text(json.dumps({"steps": 7, "task": {"items": 3}, "models": ["lstm"]}))
    config = parse("sorting", ["--config", str(file), "--values", "4", "--seeds", "1"]).run
    values = {"steps": 7, "models": ("lstm",), "seeds": 1, "items": 3, "values": 4}
    assert config == with_values(quick, values)
    config = parse("babi-synthetic", ["--supporting-facts", "1,2"]).run
    assert config.task.supporting_facts == (1, 2)
    start = ["--framework", "torch", "--train-examples", "None", "--grow", "--start", "objects=1,sentences=4"]
    assert parse("babi-synthetic", start).run.curriculum.starts() == {"objects": 1, "sentences": 4}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([*TRAIN, "--framework", "jax"], "framework must be one of 'numpy', 'torch', got 'jax'"),
        ([*TRAIN, "--models", "rmc,gru"], "framework='numpy' has the models rmc, hybrid, lstm; got 'gru'"),
        ([*TRAIN, "--items", "0"], "items must be an integer of at least 1, got 0"),
        ([*TRAIN, "--seeds", "0"], "seeds must be an integer of at least 1, got 0"),
        ([*TRAIN, "--batch-size", "201"], "batch_size must be at most train_examples = 200, got 201"),
        ([*TRAIN, "--patience", "0"], "patience must be an integer of at least 1, got 0"),
        ([*TRAIN, "--learning-rate", "0"], "learning_rate must be above 0, got 0"),
        ([*TRAIN, "--gate-style", "no"], "gate_style must be one of 'unit', 'memory', 'none', got 'no'"),
        ([*TRAIN, "--overrides", "lstm.size=2"], "lstm.size must be at least"),
        ([*TRAIN, "--optimiser", "soap"], "optimiser='soap' needs framework='torch'; NumPy has 'adam' alone"),
        ([*TRAIN, "--grow"], "a curriculum (grow) needs a start, as in --start items=2"),
        ([*TRAIN, "--grow", "--start", "items=2"], "train_examples must be None"),
        ([*GROW, "values=2"], "sorting can grow in items, got 'values'"),
        ([*GROW, "item=2"], "sorting can grow in items, got 'item'"),
        ([*GROW, "items=9"], "start must be at most items = 8 (or grow must be off), got items=9"),
        (["train", "babi", "--grow", "--start", "tasks=1"], "babi comes as it is and cannot grow"),
        (["train", "pair-matching", "--pairs", "13"], "pairs must be at most 12"),
        (["train", "chess"], "there is no task 'chess'"),
    ],
)
def test_wrong_use(arguments, message, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 2
    assert message in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_wrong_sizes_in_a_config_file(tmp_path, capsys):
    config = tmp_path / "mine.json"
    config.write_text('{"task": {"item": 3}}')
    assert main([*TRAIN, "--config", str(config)]) == 2
    assert "mine.json holds no settings of sorting: there is no setting 'item'" in capsys.readouterr().err
    config.write_text('{"task": {"items": -1}}')
    assert main([*TRAIN, "--config", str(config)]) == 2
    assert (
        "mine.json holds no settings of sorting: items must be an integer of at least 1"
        in capsys.readouterr().err
    )


def test_a_run(tmp_path, capsys):
    out = tmp_path / "a [red]run"
    assert main([*TRAIN, "--models", "all", "--items", "3", "--out", str(out)]) == 0
    shown = capsys.readouterr().out
    assert "items 3, values 10; seeds 0 to 1" in shown
    for word in ("RMC", "hybrid", "LSTM", "chance", "majority", "harder: items 4 instead of 3"):
        assert word in shown
    results = json.loads((out / "results.json").read_text())
    assert results["size"] == {"items": 3, "values": 10}
    assert results["harder_size"] == {"items": 4, "values": 10}
    task = Sorting(items=3)
    assert results["trivial"]["test"] == {"chance": 0.1, "majority": task.majority, "shortcut": None}
    assert results["trivial"]["harder"]["majority"] == task.harder().majority
    assert results["trivial_accuracy"] == task.majority
    assert results["wall_seconds"] > 0
    assert list(results["models"]) == ["rmc", "hybrid", "lstm"]
    config = parse("sorting", [*TRAIN[4:], "--items", "3"]).run
    data = splits_of(alone(config, 1))
    for model in results["models"].values():
        assert model["parameters"] >= results["models"]["rmc"]["parameters"]
        assert [training["steps"] for training in model["trainings"]] == [20, 20]
        for name in ("test_accuracy", "harder_accuracy", "seconds", "examples_to_converge"):
            assert model[name] == pytest.approx(np.mean([t[name] for t in model["trainings"]]))
        second = model["trainings"][1]
        loaded = load_weights(out / "checkpoints" / f"{second['name']}.safetensors").model
        assert evaluate(loaded, data.test)["accuracy"] == second["test_accuracy"]
        assert evaluate(loaded, data.harder)["sequence_accuracy"] == second["harder_sequence_accuracy"]
    records = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    points = [r["step"] for r in records if r["model"] == "hybrid-1" and "validation_accuracy" in r]
    assert points == [5, 10, 15, 20]
    (larger,) = results["generalisation"]
    assert (larger["axis"], larger["sizes"], larger["trained"]) == ("items", [3, 4, 5, 6], 3)
    for model, found in larger["models"].items():
        assert list(found["trainings"]) == [f"{model}-0", f"{model}-1"]
        assert found["accuracy"] == pytest.approx(np.mean(list(found["trainings"].values()), axis=0))
    assert "generalisation" not in results["models"]["rmc"]["trainings"][0]
    names = (
        *("training_curves", "sample_efficiency", "accuracy_test", "accuracy_harder", "generalisation"),
        *("cost", "memory_evolution", "slot_usage", "slot_changes", "loss_curves", "attention", "gates"),
    )
    assert {file.name for file in (out / "plots").iterdir()} == {f"{name}.png" for name in names}
    report = (out / "report.html").read_text()
    for word in ("effective rank", "items 6 %", "ms per example"):
        assert word in report
    assert "://" not in report

    assert main([*TRAIN, "--out", str(out)]) == 2
    assert "is not empty" in capsys.readouterr().err
    assert main(["train", "sorting", "--out", str(out), "--resume"]) == 0  # finished: drawn again only
    assert json.loads((out / "results.json").read_text()) == results
    capsys.readouterr()

    assert main(["evaluate", str(out), "--examples", "64", "--json"]) == 0
    scores = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {score["name"] for score in scores} == {
        f"{m}-{s}" for m in ("rmc", "hybrid", "lstm") for s in (0, 1)
    }
    assert all(0 <= score["harder_accuracy"] <= 1 for score in scores)

    again, config = tmp_path / "again", str(out / "config.json")
    assert main(["train", "sorting", "--config", config, "--models", "lstm", "--out", str(again)]) == 0
    repeated = json.loads((again / "results.json").read_text())["models"]["lstm"]
    for name in ("test_accuracy", "harder_accuracy", "examples_to_converge"):
        assert repeated[name] == results["models"]["lstm"][name]


@pytest.mark.usefixtures("undrawn")
def test_a_task_that_grows_in_numpy(tmp_path, capsys):
    out = tmp_path / "run"
    flags = ["items=2", "--items", "3", "--models", "rmc,lstm", "--seeds", "1", "--steps", "40"]
    flags += ["--growth-threshold", "0.01", "--direct"]
    assert main([*GROW, *flags, "--out", str(out)]) == 0
    shown = capsys.readouterr().out
    for label in ("RMC, curriculum", "LSTM, no curriculum", "LSTM, curriculum"):
        assert label in shown
    models = json.loads((out / "results.json").read_text())["models"]
    (rmc,), (direct, grown) = (models[name]["trainings"] for name in ("rmc", "lstm"))
    assert [direct["name"], grown["name"]] == ["lstm-direct-0", "lstm-0"]
    assert [change["sizes"] for change in rmc["changes"]] == [{"items": 2}, {"items": 3}]
    assert grown["changes"] == rmc["changes"]
    assert "changes" not in direct


@pytest.mark.usefixtures("undrawn")
@pytest.mark.torch
@pytest.mark.parametrize(
    ("task", "flags"),
    [
        ("sorting", ["--framework", "torch", "--average-decay", "0.9", "--keep", "last"]),
        pytest.param(
            "copy",
            ["--compute-dtype", "bfloat16", "--overrides", "lstm.learning_rate=1e-3", "lstm.size=40"],
            marks=pytest.mark.slow,
        ),
        ("reverse", ["--grow", "--start", "length=2", "--curriculum", "baseline"]),
        ("group-word", ["--group", "S5", "--elements", "neighbours", "--answers", "last", "--length", "4"]),
        pytest.param(
            "babi-synthetic",
            ["--framework", "torch", "--seconds", "100", "--match", "nothing"],
            marks=pytest.mark.slow,
        ),
        pytest.param(
            "babi",
            ["--synthetic", "--tasks", "1", "--average-decay", "0.9", "--overrides", "lstm.steps=3"],
            marks=pytest.mark.slow,
        ),
    ],
)
def test_every_lever_is_there_for_every_task(task, flags, tmp_path):
    pytest.importorskip("torch")
    out = tmp_path / "run"
    options = ["--models", "rmc,lstm", "--seeds", "1", "--steps", "4", "--batch-size", "8", *flags]
    assert main(["train", task, "--preset", "tiny", *options, "--out", str(out)]) == 0
    models = json.loads((out / "results.json").read_text())["models"]
    assert models["rmc"]["steps"] == 4
    assert models["lstm"]["steps"] == (3 if "lstm.steps=3" in flags else 4)
    if "lstm.size=40" in flags:
        assert load_weights(out / "checkpoints" / "lstm-0.safetensors").model.core.hidden_size == 40


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize("task", IN_NUMPY)
def test_every_task(task, tmp_path, capsys):
    out = tmp_path / "run"
    options = ["--models", "rmc,lstm", "--seeds", "1", "--steps", "3", "--patience", "1"]
    assert main(["train", task, "--preset", "tiny", *options, "--out", str(out)]) == 0
    shown = capsys.readouterr().out
    assert "seed 0, into" in shown
    results = json.loads((out / "results.json").read_text())
    assert f"Trivial score: {results['trivial_accuracy']:.1%}." in shown, "the shortcut's, where it is best"
    assert results["task"] == task
    shortcut = results["trivial"]["test"]["shortcut"]
    assert (shortcut is None) == (task == "sorting")
    assert ("test_by_kind" in results["models"]["rmc"]) == (task == "babi-synthetic")


@pytest.mark.usefixtures("undrawn")
def test_scores_by_kind(tmp_path, capsys):
    out = tmp_path / "run"
    assert main(["train", "babi-synthetic", "--preset", "tiny", "--models", "lstm", "--out", str(out)]) == 0
    assert "3 supporting facts %" in capsys.readouterr().out
    results = json.loads((out / "results.json").read_text())
    lstm, test = results["models"]["lstm"], splits_of(alone(TINY_STORIES, 0)).test
    needed = (test.facts > 0).sum(1)
    trained = load_weights(out / "checkpoints" / "lstm-0.safetensors")
    right = (trained.predict(test.inputs, every_step=True) == test.targets)[test.mask]
    for facts, kind in ((1, "1 supporting fact"), (2, "2 supporting facts"), (3, "3 supporting facts")):
        scores = [training["test_by_kind"][kind] for training in lstm["trainings"]]
        assert scores[0] == pytest.approx(right[needed == facts].mean())
        assert lstm["test_by_kind"][kind] == pytest.approx(np.mean(scores))
    shortcut = results["trivial"]["shortcut_by_kind"]
    shares = [np.mean(needed == facts) for facts in (1, 2, 3)]
    assert np.dot(list(shortcut.values()), shares) == pytest.approx(results["trivial"]["test"]["shortcut"])


@pytest.mark.usefixtures("undrawn")
def test_errors_on_babi(tmp_path, capsys):
    out = tmp_path / "run"
    options = ["--synthetic", "--tasks", "1,2,3,7,8,17,18", "--models", "lstm", "--framework", "numpy"]
    assert main(["train", "babi", "--preset", "tiny", "--seeds", "1", *options, "--out", str(out)]) == 0
    shown = capsys.readouterr().out
    results = json.loads((out / "results.json").read_text())
    lstm, majority = results["models"]["lstm"], results["trivial"]["majority_by_kind"]
    assert list(lstm["test_by_kind"]) == list(majority) == [f"task {n}" for n in (1, 2, 3, 7, 8, 17, 18)]
    assert np.mean(list(majority.values())) == pytest.approx(results["trivial"]["test"]["majority"])
    errors = 1 - np.array(list(lstm["test_by_kind"].values()))
    assert lstm["mean_error"] == pytest.approx(errors.mean())
    assert lstm["failed_tasks"] == (errors > 0.05).sum()
    told = 100 * (1 - results["trivial"]["test"]["majority"])
    assert re.search(rf"mean error +{100 * errors.mean():.1f} +{told:.1f} *\n", shown)
    assert re.search(r"failed \(error above 5 %\) +\d +7 *\n", shown)


@pytest.mark.usefixtures("undrawn")
def test_given_examples(tmp_path, capsys):
    out = tmp_path / "run"
    assert main([*TRAIN, "--models", "lstm", "--seeds", "1", "--out", str(out)]) == 0
    batch = splits_of(alone(find_recipe("sorting", "tiny"), 7)).test
    weights = str(out / "checkpoints" / "lstm-0.safetensors")
    capsys.readouterr()

    def score(*flags, **arrays):
        np.savez(tmp_path / "x.npz", **arrays)
        code = main(["evaluate", weights, "--input", str(tmp_path / "x.npz"), *flags])
        told = capsys.readouterr()
        return code, told.out + told.err

    code, told = score("--json", inputs=batch.inputs, targets=batch.targets, mask=batch.mask)
    assert code == 0
    found = json.loads(told)
    right = (np.array(found["predictions"]) == batch.targets)[batch.mask]
    assert found["accuracy"] == pytest.approx(right.mean())
    code, told = score(inputs=batch.inputs[:2])
    assert "accuracy unknown" in told
    assert "; ".join(" ".join(map(str, row)) for row in found["predictions"][:2]) in told
    for arrays, message in [
        ({"targets": batch.targets[:, :3]}, "targets must have shape"),
        ({"targets": batch.targets, "mask": batch.mask[:3]}, "mask must have shape"),
        ({"targets": batch.targets, "mask": batch.mask.astype(int)}, "mask must hold booleans"),
        ({"targets": batch.targets + 50}, "targets must be from 0 to"),
    ]:
        code, told = score(inputs=batch.inputs, **arrays)
        assert code == 2
        assert message in told


@pytest.mark.slow  # tests/faults stops such runs in every way
@pytest.mark.parametrize("signal_sent", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.skipif(os.name == "nt", reason="signals")
def test_interrupted_then_resumed(tmp_path, signal_sent):
    out, whole = tmp_path / "run", tmp_path / "whole"
    options = ["--models", "rmc,lstm", "--seeds", "1", "--steps", "600", "--evaluate-every", "100"]
    command = [sys.executable, "-m", "relational_rnn", *TRAIN, *options]
    with subprocess.Popen(
        [*command, "--out", str(out)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as process:
        deadline = time.monotonic() + 120
        while not (out / "metrics.jsonl").exists():
            assert time.monotonic() < deadline
            time.sleep(0.02)
        os.killpg(process.pid, signal_sent)  # to the whole group, as a terminal and `timeout` do
        shown, _ = process.communicate(timeout=120)
    assert process.returncode == 130, shown
    assert "--resume" in shown
    assert "Traceback" not in shown
    assert not (out / "results.json").exists()

    assert main(["train", "sorting", "--out", str(out), "--resume"]) == 0
    assert main([*TRAIN, *options, "--out", str(whole)]) == 0
    resumed, uninterrupted = (json.loads((run / "results.json").read_text()) for run in (out, whole))
    assert resumed["wall_seconds"] is None
    for model in ("rmc", "lstm"):
        for name in ("test_accuracy", "harder_accuracy", "examples_to_converge"):
            assert resumed["models"][model][name] == uninterrupted["models"][model][name]
    records = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    for model in ("rmc-0", "lstm-0"):
        points = [r["step"] for r in records if r["model"] == model and "validation_accuracy" in r]
        assert points == list(range(100, 601, 100))


def test_a_training_that_diverges_is_a_result_beside_the_others(tmp_path, capsys):
    pytest.importorskip("matplotlib")
    out, rate = tmp_path / "run", ["--overrides", "lstm.learning_rate=1e45"]
    assert main([*TRAIN, "--models", "rmc,lstm", *rate, "--out", str(out)]) == 0
    told = capsys.readouterr()
    assert "diverged)" in told.out  # in the table, whose first column is folded
    reason = (
        "training diverged: loss nan, norm of the gradients nan, at step 1; try a peak learning rate below"
    )
    assert f"LSTM, seed 1 diverged and is scored as it was kept before: {reason} 1e+45." in told.out
    assert told.err == ""  # no warnings of NumPy's
    models = json.loads((out / "results.json").read_text())["models"]
    assert [reason in training["diverged"] for training in models["lstm"]["trainings"]] == [True, True]
    assert all("diverged" not in training for training in models["rmc"]["trainings"])
    report = (out / "report.html").read_text()
    assert "LSTM (2 of 2 diverged)" in report
    assert "LSTM, seed 1 diverged" in report
    records = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    assert {record["model"] for record in records if "diverged" in record} == {"lstm-0", "lstm-1"}


def test_examples_to_reach():
    history = [
        {"examples": 10 * i, "validation_accuracy": a} for i, a in enumerate([0.1, 0.5, 0.4, 1.0, 0.9])
    ]
    assert examples_to_reach(history, 0.5) == 10
    assert examples_to_reach(history, 0.9) == 30
