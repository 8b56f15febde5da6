"""`ablate` from end to end at the smallest size."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from relational_rnn.cli.experiment import Experiment, resolve
from relational_rnn.cli.main import main
from relational_rnn.tasks.babi.source import Source
from relational_rnn.tasks.babi.task import Babi
from relational_rnn.training.config import with_values
from relational_rnn.training.weights import load_weights

pytest.importorskip("matplotlib")
SORTING = ["ablate", "sorting", "--preset", "tiny"]
NO_STORIES = Source(None, "synthetic stories: no network")


def read(path):
    return json.loads(path.read_text())


@pytest.mark.parametrize("command", ["ablate", "sweep"])
def test_it_finds_the_files_of_a_task_as_train_does(command, monkeypatch, capsys):
    monkeypatch.setattr("relational_rnn.tasks.babi.examples.find", lambda folder, variant: NO_STORIES)
    _, options = resolve(command, ["babi", "--preset", "tiny", "--over", "num_heads=1,2"], Experiment)
    assert options.run.task == Babi(tasks=(1, 2, 3, 7, 8, 17, 18), synthetic=True)
    assert capsys.readouterr().out == "synthetic stories: no network; tasks 1, 2, 3, 7, 8, 17, 18\n"


def test_a_numpy_task(tmp_path, capsys):
    out = tmp_path / "a [red]run"
    over = ["--over", "num_heads=1,2", "--over", "items=3"]
    assert main([*SORTING, *over, "--seeds", "2", "--seed", "4", "--out", str(out)]) == 0
    shown = capsys.readouterr().out
    assert "3 variants (num_heads, items), seeds 4 to 5, 6 runs" in shown
    assert "[6/6]" in shown
    for row in ("2 (base)", "3", "8 (base)", "trivial score"):
        assert row in shown
    results = read(out / "results.json")
    assert [variant["name"] for variant in results["variants"]] == [
        *("base", "num_heads=1", "items=3"),
    ]
    assert results["base"] == {"num_heads": 2, "items": 8}
    for variant in results["variants"]:
        scores = [run["models"]["rmc"] for run in variant["runs"]]
        assert [run["seed"] for run in variant["runs"]] == [4, 5]
        mean = sum(score["test_accuracy"] for score in scores) / 2
        assert variant["models"]["rmc"]["test_accuracy"] == pytest.approx(mean)
        for seed, score in zip((4, 5), scores):
            run = out / "runs" / variant["name"] / f"seed-{seed}"
            trained = load_weights(run / "checkpoints" / f"rmc-{seed}.safetensors")
            assert trained.config == with_values(trained.config, variant["values"])
            assert score["parameters"] == trained.framework.count_parameters(trained.model)
            points = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
            best = max(p["validation_accuracy"] for p in points if "validation_accuracy" in p)
            assert score["validation_accuracy"] == best
            assert (score["steps"], score["examples"]) == (20, 320)
    base, *_, smaller = results["variants"]
    assert smaller["trivial_accuracy"] != base["trivial_accuracy"]
    assert {file.stem for file in (out / "plots").iterdir()} == {"all_factors", "num_heads", "items"}
    report = (out / "report.html").read_text()
    assert report.count("data:image/png;base64,") == 3
    assert "ablate sorting --over num_heads=1,2 --over items=3 --config" in report

    assert main([*SORTING, *over, "--out", str(out)]) == 2
    assert "is not empty" in capsys.readouterr().err
    assert main(["ablate", "sorting", "--out", str(out), "--resume"]) == 0  # finished: drawn again only
    assert read(out / "results.json") == results
    assert main(["ablate", "sorting", "--over", "items=2", "--out", str(out), "--resume"]) == 2
    assert (
        "a run with other settings (command: 'ablate sorting --over num_heads=1,2" in capsys.readouterr().err
    )


@pytest.mark.usefixtures("undrawn")
def test_a_diverged_training_is_a_result(tmp_path, capsys):
    out = tmp_path / "run"
    options = ["--over", "learning_rate=1e45", "--seeds", "1", "--out", str(out)]
    assert main([*SORTING, *options]) == 0
    assert "diverged (training diverged: loss" in capsys.readouterr().out
    base, broken = read(out / "results.json")["variants"]
    assert [run["diverged"].keys() for one in (base, broken) for run in one["runs"]] == [set(), {"rmc"}]
    assert broken["models"] == {}
    assert main(["ablate", "sorting", "--out", str(out), "--resume"]) == 0  # it is not tried again
    assert "1e+45, 1 diverged" in capsys.readouterr().out


@pytest.mark.torch
def test_a_torch_task_with_two_models(tmp_path, capsys):
    pytest.importorskip("torch")
    out = tmp_path / "run"
    options = ["--models", "rmc,lstm", "--seeds", "1", "--steps", "4", "--out", str(out)]
    over = ["--over", "initialisation=torch"]
    assert main(["ablate", "nth-farthest", "--preset", "tiny", *over, *options]) == 0
    shown = capsys.readouterr().out
    for row in ("authors (base), RMC", "torch, LSTM"):
        assert row in shown
    results = read(out / "results.json")
    assert [v["name"] for v in results["variants"]] == ["base", "initialisation=torch"]
    assert results["title"] == "Nth farthest, 3 vectors of 4 dimensions, one factor at a time"
    for variant in results["variants"]:
        own = read(out / "runs" / variant["name"] / "seed-0" / "results.json")
        for model in ("rmc", "lstm"):
            assert variant["models"][model]["test_accuracy"] == own["models"][model]["test_accuracy"]
    assert {file.stem for file in (out / "plots").iterdir()} == {"all_factors", "initialisation"}


@pytest.mark.slow  # tests/faults stops ablations in every way
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
@pytest.mark.skipif(os.name == "nt", reason="signals")
def test_stopped_then_resumed(tmp_path, how):
    out = tmp_path / "run"
    options = ["--over", "mem_slots=1", "--seeds", "1", "--workers", "1", "--steps", "200"]
    command = [sys.executable, "-m", "relational_rnn", *SORTING, *options, "--out", str(out)]
    second = out / "runs" / "mem_slots=1" / "seed-0"
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
    ) as process:
        deadline = time.monotonic() + 120
        while not (second / "metrics.jsonl").exists():
            assert time.monotonic() < deadline
            time.sleep(0.02)
        os.killpg(process.pid, how)
        shown, _ = process.communicate(timeout=120)
    if how == signal.SIGINT:
        assert process.returncode == 130, shown
        assert "ablate sorting --out" in shown
        assert (second / "checkpoints" / "rmc-0.checkpoint").exists()
    assert "Traceback" not in shown
    assert not (out / "results.json").exists()
    first = (out / "runs" / "base" / "seed-0" / "results.json").stat()
    assert not (second / "results.json").exists()

    assert main(["ablate", "sorting", "--out", str(out), "--resume"]) == 0
    assert (out / "runs" / "base" / "seed-0" / "results.json").stat() == first
    assert [v["name"] for v in read(out / "results.json")["variants"]] == ["base", "mem_slots=1"]
    steps = [json.loads(line)["step"] for line in (second / "metrics.jsonl").read_text().splitlines()]
    assert steps == sorted(steps)
    assert steps[-1] == 200


@pytest.mark.parametrize("over", ["learning_rate=1e-3,2e-3", "all"])
def test_a_factor_cannot_be_a_models_own(over, tmp_path, capsys):
    own = "rmc.learning_rate=1e-3,rmc.initialisation=torch"
    argv = ["ablate", "nth-farthest", "--preset", "tiny", "--over", over, "--overrides", own]
    assert main([*argv, "--out", str(tmp_path / "run")]) == 2
    name = "learning_rate" if over != "all" else "initialisation"
    assert f"{name} cannot be varied: --overrides rmc.{name}=" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()
