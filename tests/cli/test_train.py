"""The main job from end to end at the smallest size, through the command."""

import dataclasses
import json
import os
import re
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from relational_rnn.cli.arguments import spread_lists
from relational_rnn.cli.choice import split_task
from relational_rnn.cli.main import main
from relational_rnn.cli.train import parse
from relational_rnn.recipes import RECIPES, find_recipe
from relational_rnn.training.arrays_file import load_arrays
from relational_rnn.training.config import parts_of, with_values

TRAIN = ["train", "nth-farthest", "--preset", "tiny"]


def test_preset_then_config_then_flags(tmp_path):
    assert parse("nth-farthest", []).run == find_recipe("nth-farthest", "quick")
    file = tmp_path / "mine.json"
    file.write_text(json.dumps({"steps": 7, "seed": 5, "models": ["lstm"]}))
    config = parse("nth-farthest", ["--preset", "tiny", "--config", str(file), "--seed", "6"]).run
    assert config == with_values(
        find_recipe("nth-farthest", "tiny"), {"steps": 7, "seed": 6, "models": ("lstm",)}
    )
    run = tmp_path / "config.json"
    run.write_text(json.dumps({"command": "train nth-farthest", "config": {"budget": {"steps": 8}}}))
    assert parse("nth-farthest", ["--config", str(run)]).run.budget.steps == 8


def test_resume_takes_the_settings_of_the_run(tmp_path):
    (tmp_path / "config.json").write_text(
        json.dumps({"command": "train nth-farthest", "config": {"budget": {"steps": 9}}})
    )
    assert parse("nth-farthest", ["--out", str(tmp_path), "--resume"]).run.budget.steps == 9
    more = ["--out", str(tmp_path), "--resume", "--steps", "3"]
    assert parse("nth-farthest", more).run.budget.steps == 3


@pytest.mark.parametrize("task", RECIPES)
def test_every_field_is_a_flag_with_its_text(task, capsys):
    with pytest.raises(SystemExit):
        parse(task, ["--help"])
    shown = capsys.readouterr().out
    for _, part in parts_of(find_recipe(task, "quick")):
        for field in dataclasses.fields(part):
            if not dataclasses.is_dataclass(getattr(part, field.name)):
                (text,) = re.findall(rf"--{field.name.replace('_', '-')}[, ].*\n", shown)
                assert text
    assert not re.findall(r"--\w+\.", shown)
    assert "a field of" not in shown


def test_a_task_with_underscores_and_both_models():
    task, words = split_task("train", ["pair_matching", "--model", "both"])
    assert task == "pair-matching"
    for flags in (words, ["--model=both"], ["--models", "both"], ["--models=rmc,lstm"]):
        assert parse(task, flags).run.model.models == ("rmc", "lstm")
    assert parse(task, ["--model", "lstm"]).run.model.models == ("lstm",)


def test_parts_of_the_core_are_flags():
    flags = "--read-head attention --input-fusion tile --key-size 3 --forget-bias 0.5 --input-bias -1"
    model = parse("sorting", [*flags.split(), "--initial-memory", "normal"]).run.model
    options = model.core_options()
    expected = dict(read_head="attention", input_fusion="tile", key_size=3, forget_bias=0.5, input_bias=-1.0)
    assert options.items() >= (expected | {"initial_memory": "normal"}).items()


def test_flags_that_others_have(capsys):
    for flag, message in (
        ("--lr", "it is --learning-rate"),
        ("--slot_size=64", "--head-size times --num-heads"),
    ):
        with pytest.raises(SystemExit):
            parse("sorting", [flag, "1"])
        told = capsys.readouterr().err
        assert f"error: there is no {flag[:4]}" in told
        assert message in told


def test_a_flag_is_of_all_models_whatever_the_preset_has(capsys):
    tuned = parse("copy", []).run
    assert tuned.of("lstm").optimisation.learning_rate == 1e-2
    run = parse("copy", ["--learning-rate", "2e-3"]).run
    assert {run.of(model).optimisation.learning_rate for model in run.model.models} == {2e-3}
    assert run.of("lstm").optimisation.optimiser == "soap", "what is not named stays"
    assert "left out of the preset: dnc.learning_rate=1e-2, lstm" in capsys.readouterr().err
    run = parse("copy", ["--learning-rate", "2e-3", "--overrides", "lstm.learning_rate=5e-3"]).run
    assert [run.of(model).optimisation.learning_rate for model in ("rmc", "lstm")] == [2e-3, 5e-3]
    ours = parse("nth-farthest", ["--initialisation", "torch"]).run
    assert ours.starts_of("lstm") == ("orthogonal", "torch")
    assert with_values(tuned, {"learning_rate": 2e-3}).of("rmc").optimisation.learning_rate == 2e-3
    assert capsys.readouterr().err == ""


def test_a_preset_or_a_model_where_a_flag_belongs(capsys):
    for word, flag in (("tiny", "--preset tiny"), ("lstm", "--models lstm")):
        with pytest.raises(SystemExit):
            parse("sorting", [word, "--steps", "3"])
        assert f": {flag}\n" in capsys.readouterr().err


def test_all_models_of_numpy_are_named(capsys):
    parse("sorting", ["--models", "all"])
    assert capsys.readouterr().err.startswith(
        "all that NumPy has: rmc, hybrid, lstm; --framework torch has rmc"
    )
    parse("sorting", ["--models", "all", "--framework", "torch"])
    assert capsys.readouterr().err == ""


def test_lists_of_models():
    assert spread_lists(["--models=all"], ["rmc", "lstm"]) == ["--models", "rmc", "lstm"]
    spread = ["--supporting-facts", "1", "2", "--seed", "1"]
    assert spread_lists(["--supporting-facts", "1,2", "--seed", "1"], ["rmc"]) == spread
    assert spread_lists(["--supporting-facts=1,2", "--seed", "1"], ["rmc"]) == spread
    assert parse("nth-farthest", ["--models", "lstm,rmc"]).run.model.models == ("lstm", "rmc")
    assert parse("nth-farthest", ["--models", "lstm,", "rmc"]).run.model.models == ("lstm", "rmc")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train"], "which task"),
        (
            ["train", "chess"],
            "there is no task 'chess'; known tasks: nth-farthest, sorting, pair-matching, object-tracking",
        ),
        (["train", "mine.py"], "a task of your own is trained from Python, as docs/extending.md shows"),
        (["train", "pair_match"], "there is no task 'pair_match' (did you mean pair-matching?); known"),
        (
            [*TRAIN[:2], "--preset", "quik"],
            "no preset 'quik' for nth-farthest (did you mean quick?); known presets: quick, paper8x16",
        ),
        ([*TRAIN[:2], "--preset", "slow"], "no preset 'slow'"),
        ([*TRAIN, "--models", "rmc,cnn"], "models must be one of 'rmc', 'hybrid', 'lstm', 'gru', "),
        ([*TRAIN, "--gate-style", "no"], "gate_style must be one of 'unit', 'memory', 'none', got 'no'"),
        (
            [*TRAIN, "--compute-dtype", "int8"],
            "compute_dtype must be one of 'float32', 'bfloat16', got 'int8'",
        ),
        ([*TRAIN, "--resume"], "--resume needs the run's folder, --out DIR"),
        ([*TRAIN, "--steps", "0"], "steps must be an integer of at least 1, got 0"),
        ([*TRAIN, "--config", "nowhere.json"], "nowhere.json"),
        (["fly"], "there is no command 'fly'; commands: train, "),
    ],
)
def test_wrong_use(arguments, message, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 2
    assert message in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.torch
def test_nothing_to_resume(capsys, tmp_path):
    pytest.importorskip("torch")
    assert main([*TRAIN, "--out", str(tmp_path / "nowhere"), "--resume"]) == 2
    assert "nothing to resume" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_unknown_flag(capsys):
    assert main([*TRAIN, "--slots", "3"]) == 2
    assert "--slots" in capsys.readouterr().err


def test_unknown_setting_in_a_config_file(tmp_path, capsys):
    config = tmp_path / "mine.json"
    config.write_text('{"step": 7}')
    assert main([*TRAIN, "--config", str(config)]) == 2
    assert (
        "mine.json holds no settings of nth-farthest: there is no setting 'step'" in capsys.readouterr().err
    )


@pytest.mark.parametrize("values", ['{"steps": "7"}', '{"steps": 7.5}', '{"grow": "yes"}', '{"models": 3}'])
def test_wrong_values_in_a_config_file(tmp_path, capsys, values):
    config = tmp_path / "mine.json"
    config.write_text(values)
    assert main([*TRAIN, "--config", str(config)]) == 2
    assert "mine.json holds no settings of nth-farthest: " in capsys.readouterr().err


@pytest.mark.torch
def test_an_unfair_lstm_is_refused(tmp_path, capsys):
    pytest.importorskip("torch")
    assert main([*TRAIN, "--overrides", "lstm.size=2", "--out", str(tmp_path / "x")]) == 2
    assert "lstm.size must be at least" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.torch
def test_out_is_a_file(tmp_path, capsys):
    pytest.importorskip("torch")
    (tmp_path / "x").write_text("")
    assert main([*TRAIN, "--out", str(tmp_path / "x")]) == 2
    assert "is a file; a run needs a folder" in capsys.readouterr().err


def test_help_and_version(capsys):
    assert main(["--help"]) == 0
    assert "train nth-farthest" in capsys.readouterr().out
    assert main([]) == 2
    assert main(["--version"]) == 0
    assert main(["train", "nth-farthest", "--help"]) == 0
    told = capsys.readouterr().out
    assert "--growth-threshold" in told
    assert f"Presets: {', '.join(RECIPES['nth-farthest'])}." in " ".join(told.split())
    assert "Models: rmc, hybrid, lstm, gru" in told
    for words in (["help"], ["help", "train"], ["help", "train", "nth-farthest"]):
        assert main(words) == 0
        helped = capsys.readouterr().out
        assert main([*words[1:], "--help"]) == 0
        assert capsys.readouterr().out == helped


@pytest.mark.torch
@pytest.mark.slow
def test_several_models_and_seeds(tmp_path, capsys):
    pytest.importorskip("torch")
    out = tmp_path / "run"
    more = ["--models", "dnc,rmc", "--seeds", "2", "--steps", "3", "--seed", "3"]
    assert main([*TRAIN, *more, "--out", str(out)]) == 0
    assert "seeds 3 to 4" in capsys.readouterr().out
    models = json.loads((out / "results.json").read_text())["models"]
    assert [t["name"] for t in models["dnc"]["trainings"]] == [
        "dnc-direct-3",
        "dnc-3",
        "dnc-direct-4",
        "dnc-4",
    ]
    for model, count in (("rmc", 1), ("dnc", 2)):
        regimes = [models[model]["trainings"][regime::count] for regime in range(count)]
        best = max(regimes, key=lambda regime: sum(t["validation_accuracy"] for t in regime))
        assert models[model]["selected"] == [t["name"] for t in best]
    first, second = models["rmc"]["trainings"]
    assert first["test_accuracy"] != second["test_accuracy"]
    assert models["rmc"]["selected"] == ["rmc-3", "rmc-4"]
    for model in models.values():
        own = [t for t in model["trainings"] if t["name"] in model["selected"]]
        for name in ("seconds_per_example", "peak_memory", "examples_to_converge", "test_accuracy"):
            assert model[name] == pytest.approx(sum(t[name] for t in own) / 2)
    assert (out / "plots" / "attention.png").exists()


@pytest.mark.torch
def test_the_main_job(tmp_path, capsys):
    pytest.importorskip("torch")
    out = tmp_path / "a [red]run"  # a space, and brackets that mean nothing
    assert main([*TRAIN, "--steps", "6", "--out", str(out)]) == 0
    shown = capsys.readouterr().out
    assert "Trivial score: 66.7%." in shown
    results = json.loads((out / "results.json").read_text())
    assert results["size"] == {"objects": 3, "dimensions": 4}
    assert results["trivial_accuracy"] == pytest.approx(2 / 3)
    assert results["test_examples"] == 200
    rmc, lstm = results["models"]["rmc"], results["models"]["lstm"]
    assert (rmc["steps"], rmc["examples"]) == (6, 96)
    assert lstm["parameters"] >= rmc["parameters"]
    assert len(lstm["trainings"]) == 3
    best = max(lstm["trainings"], key=lambda training: training["validation_accuracy"])
    assert (lstm["name"], lstm["test_accuracy"]) == (best["name"], best["test_accuracy"])
    for training in lstm["trainings"]:
        assert training["steps"] == rmc["steps"]
        if training["name"] != "lstm-direct-0":
            assert training["changes"] == rmc["trainings"][0]["changes"]
    figures = {
        *("training_curves", "loss_curves", "accuracy_test", "sample_efficiency", "cost", "attention"),
        *("gates", "mistakes", "slot_contents", "memory_evolution", "slot_usage", "slot_changes"),
    }
    assert {file.stem for file in (out / "plots").iterdir() if file.stat().st_size > 10_000} == figures
    assert "What a model costs." in shown
    memories = json.loads((out / "memory.json").read_text())["models"]
    assert [model["name"] for model in memories] == ["RMC", "LSTM"]
    for score in (*rmc["trainings"], *lstm["trainings"]):
        for kind in ("distractors", "repeats"):
            assert score["longer"][kind][0] == score["test_accuracy"]
            assert len(set(score["longer"][kind])) > 1
    report = (out / "report.html").read_text()
    assert "8 distractors %" in report
    assert "Look inside" in report
    wrong = json.loads((out / "mistakes.json").read_text())
    for name in ("rmc", "lstm"):
        assert wrong[name]["accuracy"] == pytest.approx(results["models"][name]["test_accuracy"])
    slots = json.loads((out / "slots.json").read_text())
    assert np.array(slots["by_label"]).shape == (2, 3)
    assert slots["reference_step"] == 1
    shares = json.loads((out / "attention.json").read_text())
    assert list(shares) == ["input", "itself"]
    assert all(list(phases) == ["before", "reference", "after"] for phases in shares.values())
    assert {step: list(kinds) for step, kinds in slots["readings"].items()} == {
        "0": ["vector", "distance"],
        "1": ["vector"],
        "2": ["vector", "distance"],
    }
    assert "://" not in report
    assert len([json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]) >= 8
    assert {file.suffix for file in (out / "checkpoints").iterdir()} == {
        ".checkpoint",
        ".json",
        ".safetensors",
    }

    assert main([*TRAIN, "--out", str(out)]) == 2
    assert "is not empty" in capsys.readouterr().err

    assert results["wall_seconds"] > 0
    assert main(["train", "nth-farthest", "--out", str(out), "--resume"]) == 0  # finished: drawn again only
    assert json.loads((out / "results.json").read_text()) == results
    assert str(out) in capsys.readouterr().out

    assert main(["evaluate", str(out), "--examples", "300", "--json"]) == 0
    scores = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    names = {"rmc-0", "lstm-direct-0", "lstm-orthogonal-0", "lstm-torch-0"}
    assert {score["name"] for score in scores} == names
    assert all(score["examples"] == 300 for score in scores)

    again = tmp_path / "again"
    config = str(out / "config.json")
    assert main(["train", "nth-farthest", "--config", config, "--models", "rmc", "--out", str(again)]) == 0
    repeated = json.loads((again / "results.json").read_text())["models"]["rmc"]
    assert repeated["test_accuracy"] == rmc["test_accuracy"]


@pytest.mark.torch
def test_devices(tmp_path, capsys):
    torch = pytest.importorskip("torch")
    assert main([*TRAIN, "--device", "tpu", "--out", str(tmp_path / "no")]) == 2
    assert "device must be one of 'cpu', 'cuda', got 'tpu'" in capsys.readouterr().err
    out = tmp_path / "run"
    done = main([*TRAIN, "--device", "cuda", "--models", "rmc", "--out", str(out)])
    if torch.cuda.is_available():
        assert done == 0
        assert json.loads((out / "results.json").read_text())["models"]["rmc"]["steps"] == 20
        return
    assert done == 2
    assert "device 'cuda' needs an NVIDIA GPU" in capsys.readouterr().err
    assert not out.exists()
    assert main(["ablate", *TRAIN[1:], "--device", "cuda", "--over", "num_heads=1", "--out", str(out)]) == 2
    assert not out.exists()


@pytest.mark.torch
@pytest.mark.slow
@pytest.mark.parametrize("signal_sent", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.skipif(os.name == "nt", reason="signals")
def test_interrupted_then_resumed(tmp_path, signal_sent):
    pytest.importorskip("torch")
    out, whole = tmp_path / "run", tmp_path / "whole"
    options = ["--models", "rmc", "--steps", "160", "--evaluate-every", "20"]
    command = [sys.executable, "-m", "relational_rnn", *TRAIN, *options, "--out", str(out)]
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as process:
        deadline = time.monotonic() + 120
        while not (out / "metrics.jsonl").exists():
            assert time.monotonic() < deadline
            time.sleep(0.1)
        os.killpg(process.pid, signal_sent)  # to the whole group, as a terminal and `timeout` do
        shown, _ = process.communicate(timeout=120)
    assert process.returncode == 130, shown
    assert "--resume" in shown
    assert "Traceback" not in shown
    assert (out / "checkpoints" / "rmc-0.checkpoint").exists()
    assert not (out / "results.json").exists()

    assert main(["train", "nth-farthest", "--out", str(out), "--resume"]) == 0
    steps = [json.loads(line)["step"] for line in (out / "metrics.jsonl").read_text().splitlines()]
    assert steps == sorted(steps)
    assert main([*TRAIN, *options, "--out", str(whole)]) == 0
    resumed, expected = (load_arrays(run / "checkpoints" / "rmc-0.safetensors")[0] for run in (out, whole))
    for name, values in expected.items():
        assert np.array_equal(resumed[name], values)


def test_bad_overrides(tmp_path, capsys):
    out = tmp_path / "run"
    argv = [*TRAIN, "--overrides", "lstm.learning_rate=1e-3,lstm.colour=red"]
    assert main([*argv, "--out", str(out)]) == 2
    assert (
        "the setting of 'lstm.colour=red' in overrides must be one of 'learning_rate'"
        in capsys.readouterr().err
    )
    for words in (["--overrides", "gru.steps=2"], ["--overrides=gru.steps=2"]):
        assert main([*TRAIN, *words, "--out", str(out)]) == 2
        assert "'gru.steps=2' in overrides changes no model of this run" in capsys.readouterr().err
    assert not out.exists()
