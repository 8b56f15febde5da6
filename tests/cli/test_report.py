"""`relational-rnn report`: what it takes, where it writes, and what it says of runs that it cannot show."""

import json
import shutil

import pytest

from relational_rnn import experiments
from relational_rnn.cli import finished
from relational_rnn.cli.main import main

SMALL = {"preset": "tiny", "framework": "numpy", "seeds": 2, "steps": 2, "evaluate_every": 2}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    out = tmp_path_factory.mktemp("runs") / "babi"
    experiments.compare("babi-synthetic", ["rmc", "lstm"], **SMALL, out=out)
    return out


@pytest.fixture
def run(made, tmp_path):
    return shutil.copytree(made, tmp_path / "run")


def data_of(path):
    text = path.read_text()
    return json.loads(text.partition('id="data">')[2].partition("</script>")[0])["runs"][0]


def test_the_report_goes_into_the_runs_folder(run, capsys):
    assert main(["report", str(run)]) == 0
    assert capsys.readouterr().out == f"Written: {run / 'report.html'}\n"
    assert (run / "report.html").stat().st_size < 500_000
    data = data_of(run / "report.html")
    assert len(data["examples"]) == 60
    assert {example["kind"] for example in data["examples"]} >= {"1 supporting fact", "2 supporting facts"}
    example = data["examples"][0]
    assert example["question"].splitlines()[-1].endswith("?")
    for name, right in example["right"].items():
        assert right == (example["told"][name] == example["answer"])
    inside = data["inside"]
    assert list(inside["models"]) == ["rmc", "lstm"]
    lengths = {len(words) for words in inside["steps"]}
    assert len(lengths) == 1  # no padding is recorded
    assert {words[-1] for words in inside["steps"]} == {"?"}


def test_out_and_its_folder(run, tmp_path):
    out = tmp_path / "new" / "page.html"
    assert main(["report", str(run), "--out", str(out)]) == 0
    assert out.exists()
    assert not (run / "report.html").exists()


def test_weights_that_are_gone_are_said(run, capsys):
    (run / "checkpoints" / "lstm-0.safetensors").unlink()
    assert main(["report", str(run)]) == 0
    told = "What these do is left out: LSTM, whose weights (lstm-0.safetensors) are gone."
    assert capsys.readouterr().out == f"Written: {run / 'report.html'}\n{told}\n"
    assert told in (run / "report.html").read_text()
    assert list(data_of(run / "report.html")["examples"][0]["told"]) == ["rmc"]


def test_models_of_torch_are_left_out_where_it_is_absent(run, monkeypatch):
    def load(*arguments):
        raise ModuleNotFoundError("No module named 'torch'", name="torch")

    monkeypatch.setattr(finished, "load_training", load)
    assert main(["report", str(run)]) == 0
    page = (run / "report.html").read_text()
    assert "RMC, which needs torch, and that is not installed here" in page
    assert "<table" in page
    assert not data_of(run / "report.html")["examples"]


@pytest.mark.parametrize(
    "content",
    [
        {},
        {"models": "x"},
        {"models": {"a": 1}},
        {"models": [1e308]},
        {"models": [{"name": []}]},
        {"models": [{"name": "RMC", "norm": [1]}]},
        {"models": [{"name": "RMC", "norm": 1.0}, {"name": "LSTM"}]},
    ],
)
def test_a_damaged_memory_file(run, capsys, content):
    (run / "memory.json").write_text(json.dumps(content))
    assert main(["report", str(run)]) == 2
    assert "memory.json must hold models, a list with the name and the numbers" in capsys.readouterr().err


@pytest.mark.parametrize(
    "name",
    [
        *("config.json", "results.json", "metrics.jsonl", "checkpoints/rmc-0.safetensors"),
        *("memory.json", "mistakes.json", "slots.json", "attention.json", "plots/cost.png"),
        *("study.db", "trials/0000/trial.json"),
    ],
)
def test_a_file_of_the_run_is_no_place_for_its_page(run, capsys, name):
    (run / name).parent.mkdir(parents=True, exist_ok=True)
    (run / name).touch()
    before = (run / name).read_bytes()
    for command in ("report", "failures"):
        assert main([command, str(run), "--out", str(run / name)]) == 2
        assert f"{name} is part of the run in" in capsys.readouterr().err
    assert (run / name).read_bytes() == before


def test_a_run_that_is_named_twice_counts_once(run, capsys):
    assert main(["report", str(run), str(run)]) == 0
    assert capsys.readouterr().out == f"Written: {run / 'report.html'}\n"


@pytest.mark.torch
def test_a_transformer_shows_its_attention_and_a_gru_only_its_answers(tmp_path):
    out = tmp_path / "run"
    small = {**SMALL, "framework": "torch", "seeds": 1}
    experiments.compare("pair-matching", ["rmc", "gru", "transformer"], **small, out=out)
    assert main(["report", str(out)]) == 0
    data = data_of(out / "report.html")
    assert list(data["examples"][0]["told"]) == ["rmc", "gru", "transformer"]
    assert list(data["inside"]["models"]) == ["rmc", "transformer"]
    assert data["inside"]["steps"][0][-1].endswith("= ?")
    _, steps, _, _, rows, columns = data["inside"]["models"]["transformer"]["attention"]["shape"]
    assert (rows, columns) == (1, steps)
    assert "Nothing is recorded inside GRU" in (out / "report.html").read_text()


def refused(arguments, capsys):
    assert main(["report", *map(str, arguments)]) == 2
    return capsys.readouterr().err


def test_what_is_no_finished_run(run, tmp_path, capsys):
    assert "which run?" in refused([], capsys)
    assert "holds no run (no config.json)" in refused([tmp_path / "nowhere"], capsys)
    results = (run / "results.json").read_text()
    (run / "results.json").write_text(results[:100])
    assert "results.json" in refused([run], capsys)
    (run / "results.json").unlink()
    told = refused([run], capsys)
    assert "is not finished" in told
    assert f"train babi-synthetic --out {run} --resume" in told
    (run / "results.json").write_text(results)
    config = json.loads((run / "config.json").read_text())
    (run / "config.json").write_text(json.dumps(config | {"command": "ablate sorting"}))
    assert "holds a run of `ablate sorting`" in refused([run], capsys)
    (run / "config.json").write_text(json.dumps(config | {"config": {"task": {"walls": 3}}}))
    assert "walls" in refused([run], capsys)


def test_runs_of_two_tasks_are_refused_before_any_work(run, tmp_path, capsys):
    other = shutil.copytree(run, tmp_path / "other")
    for name, field, value in (("results.json", "task", "copy"), ("config.json", "command", "train copy")):
        content = json.loads((other / name).read_text())
        content[field] = value
        if name == "config.json":
            content["config"]["task"] = {}
        (other / name).write_text(json.dumps(content))
    told = refused([run, other, "--out", tmp_path / "both.html"], capsys)
    assert f"of one task, got babi-synthetic in {run} and copy in {other}" in told
    assert not (tmp_path / "both.html").exists()
