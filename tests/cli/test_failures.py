"""`failures` on weights as a run leaves them; the models are untrained, so they err."""

import dataclasses
import json
import os

import numpy as np
import pytest

from relational_rnn.cli.main import main
from relational_rnn.recipes import find_recipe
from relational_rnn.tasks import TASKS, find_task
from relational_rnn.tasks.babi.task import Babi
from relational_rnn.tasks.splits import FRESH
from relational_rnn.training.config import RunConfig, with_values
from relational_rnn.training.contestants import contestants
from relational_rnn.training.framework import framework_of
from relational_rnn.training.weights import save_weights

SORTING = with_values(find_recipe("sorting", "tiny"), {"seeds": 1})
SMALL = {"models": ("rmc", "lstm"), "mem_slots": 2, "head_size": 3, "num_heads": 2, "framework": "numpy"}


def make_run(folder, config=SORTING):
    """Write the weights of a run whose trainings have not taken a step."""
    framework = framework_of(config.runtime.framework)
    (folder / "checkpoints").mkdir(parents=True)
    for one in contestants(config):
        path = folder / "checkpoints" / f"{one.name}.safetensors"
        save_weights(path, framework, build(config, one), config, one)
    return str(folder)


def build(config, contestant):
    return framework_of(config.runtime.framework).build(config.of(contestant.model), contestant)


def test_what_is_printed_and_written(tmp_path, capsys):
    config = with_values(SORTING, {"models": ("rmc", "lstm"), "seeds": 2})
    run = make_run(tmp_path / "run", config)
    assert main(["failures", run, "--examples", "40", "--seed", "3", "--show", "2"]) == 0
    shown = capsys.readouterr().out
    assert "sorting: items 8, values 10; 40 fresh examples, seed 3" in shown
    assert f"Written: {tmp_path / 'run' / 'failures.json'}" in shown
    found = json.loads((tmp_path / "run" / "failures.json").read_text())
    assert [model["model"] for model in found["models"]] == ["RMC", "LSTM"]
    assert shown.count("Example ") == 4
    for model in found["models"]:
        wrong = model["always_wrong"] + model["sometimes_wrong"]
        assert f"{model['model']} is wrong in {len(wrong)} examples, 2 of them here" in shown
    batch = find_task("sorting").sample(config.task, 40, np.random.default_rng([3, FRESH]))
    everyone = {one.name: one for one in contestants(config)}
    for model in found["models"]:
        for seed, training in enumerate(model["trainings"]):
            untrained = build(config, everyone[training["name"]])
            told = framework_of("numpy").predict(untrained, batch.inputs, True)
            right = ((told == batch.targets) | ~batch.mask).all(1)
            assert training["accuracy"] == pytest.approx(right.mean())
            for failure in found["failures"]:
                answer = failure["answers"][model["model"]][seed]
                assert answer == told[failure["example"], 8:].tolist()
    first = found["failures"][0]
    assert find_task("sorting").as_text(first["record"]) in shown
    told = first["answers"]["LSTM"]
    assert f"  LSTM: {told[0]} (1 of 2); {told[1]} (1 of 2)" in shown


def test_json_and_another_file(tmp_path, capsys):
    run = make_run(tmp_path / "run")
    out = tmp_path / "elsewhere" / "found.json"
    assert main(["failures", run, "--examples", "9", "--json", "--out", str(out)]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    found = json.loads(out.read_text())
    assert lines == found["models"] + found["failures"]
    assert not (tmp_path / "run" / "failures.json").exists()


def test_several_runs_and_single_files(tmp_path, capsys):
    one, other = make_run(tmp_path / "a"), make_run(tmp_path / "b", with_values(SORTING, {"seed": 5}))
    weights = str(tmp_path / "a" / "checkpoints" / "rmc-0.safetensors")
    assert main(["failures", one, weights, other, "--examples", "9"]) == 0
    found = json.loads((tmp_path / "a" / "failures.json").read_text())
    names = [model["model"] for model in found["models"]]
    assert names == [f"{label} of {run}" for label in ("RMC", "hybrid", "LSTM") for run in (one, other)]
    assert {len(model["trainings"]) for model in found["models"]} == {1}  # the file is in the first run
    capsys.readouterr()
    assert main(["failures", weights, "--examples", "9", "--show", "0"]) == 0
    shown = capsys.readouterr().out
    assert "Example" not in shown
    assert "Written: " + str(tmp_path / "a" / "checkpoints" / "failures.json") in shown


@pytest.mark.parametrize("name", [name for name, entry in TASKS.items() if not entry.tokens])
def test_every_task(name, tmp_path, capsys):
    task = Babi(tasks=(1, 2), synthetic=True) if name == "babi" else find_task(name).factory()
    config = with_values(RunConfig(task=task), SMALL)
    run = make_run(tmp_path, config)
    assert main(["failures", run, "--examples", "20", "--show", "1"]) == 0
    shown = capsys.readouterr().out
    found = json.loads((tmp_path / "failures.json").read_text())
    assert found["size"] == json.loads(json.dumps(dataclasses.asdict(find_task(name).at_full_size(task))))
    assert "\nAnswer: " in shown
    assert "\n  RMC: " in shown


def test_wrong_use(tmp_path, capsys):
    one, other = make_run(tmp_path / "a"), tmp_path / "b"
    make_run(other, with_values(SORTING, {"items": 3}))
    for arguments, message in [
        ([], "which run? relational-rnn failures RUN"),
        ([str(tmp_path)], "holds no trained weights"),
        ([one, str(other)], f"got sorting (items 8, values 10) in {one} and sorting (items 3, values 10) in"),
        ([one, "--examples", "0"], "examples must be an integer of at least 1, got 0"),
        ([one, "--show", "-1"], "show must be an integer of at least 0, got -1"),
        ([one, "--seed", "-1"], "seed must be an integer of at least 0, got -1"),
    ]:
        assert main(["failures", *arguments]) == 2
        assert message in capsys.readouterr().err
    assert not list(tmp_path.rglob("failures.json"))


@pytest.mark.torch
def test_torch_beside_numpy(tmp_path):
    pytest.importorskip("torch")
    opponents = {"framework": "torch", "models": ("gru", "transformer")}
    torch_run = make_run(tmp_path / "t", with_values(SORTING, opponents))
    numpy_run = make_run(tmp_path / "n", with_values(SORTING, {"models": ("lstm",)}))
    assert main(["failures", torch_run, numpy_run, "--examples", "9", "--show", "0"]) == 0
    found = json.loads((tmp_path / "t" / "failures.json").read_text())
    assert [model["model"] for model in found["models"]] == ["LSTM", "GRU", "Transformer"]


@pytest.mark.torch
def test_nth_farthest(tmp_path, capsys):
    pytest.importorskip("torch")
    config = find_recipe("nth-farthest", "tiny")
    everyone = contestants(config)
    make_run(tmp_path, config)
    assert main(["failures", str(tmp_path), "--examples", "30", "--show", "1"]) == 0
    shown = capsys.readouterr().out
    assert "Which of the 3 vectors is" in shown
    assert "\n  RMC, curriculum: vector " in shown
    found = json.loads((tmp_path / "failures.json").read_text())
    assert len(found["models"]) == len(everyone)
    batch = find_task("nth-farthest").sample(config.task, 30, np.random.default_rng([1, FRESH]))
    told = framework_of("torch").predict(build(config, everyone[0]), batch.inputs, False)
    assert found["models"][0]["accuracy"] == pytest.approx((told == batch.targets).mean())


@pytest.mark.skipif(os.name == "nt", reason="links and pipes")
def test_where_it_is_written(tmp_path, capsys, monkeypatch):
    run, pipe, link = make_run(tmp_path / "run"), tmp_path / "pipe", tmp_path / "link"
    link.symlink_to("real.json")
    assert main(["failures", run, "--examples", "9", "--out", str(link)]) == 0
    assert link.is_symlink()
    assert json.loads((tmp_path / "real.json").read_text())["examples"] == 9
    os.mkfifo(pipe)
    monkeypatch.setattr("relational_rnn.experiments.failures.find_failures", None)  # is not reached
    capsys.readouterr()
    assert main(["failures", run, "--out", str(pipe)]) == 2
    assert capsys.readouterr().err == f"error: {pipe} is a pipe (FIFO); only a file can be written there\n"
    assert pipe.is_fifo()
