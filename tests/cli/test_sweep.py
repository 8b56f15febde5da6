"""`sweep` from end to end at the smallest size: products, searches, workers that share, die or lose."""

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import time

import pytest

from relational_rnn.cli.main import main

pytest.importorskip("matplotlib")
TINY = ["sorting", "--preset", "tiny"]
SWEEP = ["sweep", *TINY]


def read(path):
    return json.loads(path.read_text())


def start(*arguments):
    """Start a worker of its own."""
    command = [sys.executable, "-m", "relational_rnn", *SWEEP, *map(str, arguments)]
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    return subprocess.Popen(command, start_new_session=True, **streams)


def wait_for(found):
    """Wait until a function returns something, and return it."""
    deadline = time.monotonic() + 120
    while not (result := found()):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return result


def trials_in(out):
    return list(out.glob("trials/*/trial.json"))


def test_a_product(tmp_path, capsys):
    out = tmp_path / "run"
    over = ["--over", "learning_rate=1e-3,1e-2", "--over", "mem_slots=1,2"]
    assert main([*SWEEP, *over, "--out", str(out)]) == 0
    shown = capsys.readouterr().out
    assert "4 combinations of learning_rate, mem_slots, seed 0, 4 runs" in shown
    results = read(out / "results.json")
    assert results["base"] is None
    assert [variant["values"] for variant in results["variants"]] == [
        {"learning_rate": rate, "mem_slots": slots} for rate in (0.001, 0.01) for slots in (1, 2)
    ]
    best = max(results["variants"], key=lambda variant: variant["models"]["rmc"]["validation_accuracy"])
    first_row = shown.split("validation %")[1].splitlines()[1].split()
    assert first_row[:2] == [str(value) for value in best["values"].values()]
    assert {file.stem for file in (out / "plots").iterdir()} == {"learning_rate", "mem_slots"}
    assert main(["sweep", "sorting", "--out", str(out), "--resume"]) == 0
    assert read(out / "results.json") == results


def test_a_product_of_two_models(tmp_path, capsys):
    out = tmp_path / "run"
    options = ["--models", "rmc,lstm", "--over", "lstm.learning_rate=1e-3,1e-1"]
    assert main([*SWEEP, *options, "--out", str(out)]) == 0
    shown = capsys.readouterr().out
    lines = [line.split() for line in shown.split("validation %")[1].splitlines()]
    assert [line[:2] for line in lines[1:4]].count(["LSTM", "0.1"]) == 1
    assert [line[0] for line in lines[1:4]] == ["RMC", "LSTM", "LSTM"]
    scores = [one["models"]["lstm"]["test_accuracy"] for one in read(out / "results.json")["variants"]]
    assert {line[1]: line[-1] for line in lines[2:4]} == {
        rate: f"{100 * score:.1f}" for rate, score in zip(("0.001", "0.1"), scores)
    }
    report = (out / "report.html").read_text()
    assert report.count(">LSTM</th>") == 2
    assert "Bold: the best mean of each model." in report
    for told in (shown, report):
        assert "A dash in place of a value: the setting is another model" in told
        assert "The search" not in told


def test_a_search_of_two_models_says_whose_score_counts(tmp_path, capsys):
    pytest.importorskip("optuna")
    out = tmp_path / "run"
    options = ["--models", "rmc,lstm", "--trials", "2", "--workers", "1", "--steps", "2", "--out", str(out)]
    assert main([*SWEEP, *options, "--over", "lstm.learning_rate=1e-3:1e-1"]) == 2
    told = "goes by the score of the first of --models, rmc, which lstm.learning_rate does not change"
    assert told in capsys.readouterr().err
    assert not out.exists()
    assert main([*SWEEP, *options, "--over", "learning_rate=1e-3:1e-1"]) == 0
    told = "The search goes by the validation accuracy of RMC, the first of --models"
    assert capsys.readouterr().out.count(told) == 2  # before it begins, and below the tables
    assert told in (out / "report.html").read_text()
    assert read(out / "results.json")["searched_by"] == "rmc"


def test_a_search(tmp_path, capsys):
    pytest.importorskip("optuna")
    out = tmp_path / "run"
    over = [
        "--over",
        "learning_rate=1e-3:1e-1:log",
        "--over",
        "slot_size=4:16:4",
        "--over",
        "use_mlp=true,false",
    ]
    assert main([*SWEEP, *over, "--trials", "3", "--workers", "2", "--out", str(out)]) == 0
    shown = capsys.readouterr().out
    assert "3 trials over learning_rate, slot_size, use_mlp, seed 0" in shown
    assert "[3/3]" in shown
    results = read(out / "results.json")
    assert results["factors"]["slot_size"] == {"low": 4, "high": 16, "log": False, "step": 4}
    assert len(results["variants"]) == 3
    for variant in results["variants"]:
        assert variant["values"]["slot_size"] in (4, 8, 12, 16)
        assert 1e-3 <= variant["values"]["learning_rate"] <= 1e-1
    assert len(trials_in(out)) == 3
    assert {file.stem for file in (out / "plots").iterdir()} == {"learning_rate", "slot_size", "use_mlp"}
    assert main(["sweep", "sorting", "--out", str(out), "--resume"]) == 0
    assert read(out / "results.json") == results
    (out / "study.db").unlink()
    assert main(["sweep", "sorting", "--out", str(out), "--resume"]) == 2
    assert "study.db is missing: was the study elsewhere? Then give its --storage" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.torch
def test_a_search_in_torch(tmp_path, capsys):
    pytest.importorskip("torch")
    pytest.importorskip("optuna")
    options = ["--over", "batch_size=8:16", "--trials", "1", "--steps", "3", "--seconds", "0.3"]
    out = tmp_path / "run"
    assert main(["sweep", "nth-farthest", "--preset", "tiny", *options, "--out", str(out)]) == 0
    assert len(read(out / "results.json")["variants"]) == 1


@pytest.mark.slow  # tests/experiments/test_study.py lets commands share one without their trainings
def test_two_workers_on_one_study(tmp_path):
    pytest.importorskip("optuna")
    shared = ["--over", "mem_slots=1,2", "--over", "num_heads=1,2", "--storage", tmp_path / "study.db"]
    outs = [tmp_path / "one", tmp_path / "two"]
    workers = [start(*shared, "--workers", "1", "--steps", "60", "--out", out) for out in outs]
    for worker in workers:
        shown, _ = worker.communicate(timeout=200)
        assert worker.returncode == 0, shown
    first, second = (read(out / "results.json") for out in outs)
    assert first["variants"] == second["variants"]  # both show what both have found
    values = [tuple(variant["values"].values()) for variant in first["variants"]]
    assert sorted(values) == [(slots, heads) for slots in (1, 2) for heads in (1, 2)]
    assert sum(len(list(out.glob("trials/*/seed-0/results.json"))) for out in outs) == 4  # none twice


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="signals")
def test_a_worker_that_dies(tmp_path):
    pytest.importorskip("optuna")
    storage, dead, alive = (tmp_path / name for name in ("study.db", "dead", "alive"))
    shared = ["--over", "learning_rate=1e-3:1e-2", "--trials", "2", "--steps", "150", "--workers", "1"]
    shared += ["--storage", str(storage), "--grace", "4"]
    with start(*shared, "--out", dead) as worker:
        (metrics,) = wait_for(lambda: list(dead.glob("trials/*/seed-0/metrics.jsonl")))
        os.killpg(worker.pid, signal.SIGKILL)
        worker.communicate(timeout=60)
    lost = read(metrics.parent.parent / "trial.json")
    assert not (metrics.parent / "results.json").exists()

    assert main([*SWEEP, *shared, "--out", str(alive)]) == 0
    results = read(alive / "results.json")
    assert len(results["variants"]) == 2
    assert lost["values"] in [variant["values"] for variant in results["variants"]]
    assert len(trials_in(alive)) == 2

    assert main(["sweep", "sorting", "--storage", str(storage), "--out", str(dead), "--resume"]) == 0
    assert read(dead / "results.json")["variants"] == results["variants"]


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="an open file cannot be removed there")
def test_a_lost_storage_loses_no_finished_trial(tmp_path):
    pytest.importorskip("optuna")
    storage, out = tmp_path / "study.db", tmp_path / "run"
    shared = ["--over", "learning_rate=1e-3:1e-2", "--trials", "3", "--steps", "150", "--workers", "1"]
    with start(*shared, "--storage", storage, "--grace", "8", "--out", out) as worker:
        wait_for(lambda: len(list(out.glob("trials/*/seed-0/metrics.jsonl"))) == 2)
        storage.unlink()
        shown, _ = worker.communicate(timeout=120)
    assert worker.returncode == 1, shown
    assert "Traceback" not in shown
    assert f"error: the storage {storage} " in shown
    assert "none of them is lost" in shown
    finished = [path.parent.parent for path in out.glob("trials/*/seed-0/results.json")]
    assert finished
    saved = {trial: (trial / "seed-0" / "results.json").stat() for trial in finished}

    other = tmp_path / "other.db"
    assert main(["sweep", "sorting", "--storage", str(other), "--out", str(out), "--resume"]) == 0
    found = [variant["values"] for variant in read(out / "results.json")["variants"]]
    assert len(found) == 3
    for trial, stat in saved.items():
        assert (trial / "seed-0" / "results.json").stat() == stat
        assert read(trial / "trial.json")["values"] in found


@pytest.mark.slow  # tests/experiments/test_study.py stops one without its processes
def test_a_stopped_search_goes_on_where_it_was(tmp_path):
    pytest.importorskip("optuna")
    out = tmp_path / "run"
    options = ["--over", "learning_rate=1e-3:1e-2", "--trials", "2", "--steps", "150", "--workers", "1"]
    with start(*options, "--out", out) as worker:
        (metrics,) = wait_for(lambda: list(out.glob("trials/*/seed-0/metrics.jsonl")))
        os.killpg(worker.pid, signal.SIGINT)
        shown, _ = worker.communicate(timeout=120)
    assert worker.returncode == 130, shown
    assert "sweep sorting --out" in shown
    assert main(["sweep", "sorting", "--out", str(out), "--resume"]) == 0
    assert len(read(out / "results.json")["variants"]) == 2
    assert len(trials_in(out)) == 2  # the first one was taken up again
    steps = [json.loads(line)["step"] for line in metrics.read_text().splitlines()]
    assert steps == sorted(steps)


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="signals")
def test_a_search_that_is_killed_again_and_again(tmp_path):
    """It comes to what a search comes to that is left alone."""
    pytest.importorskip("optuna")
    options = ["--over", "learning_rate=1e-3:1e-2", "--trials", "4", "--steps", "150", "--workers", "1"]
    whole, out, moments = tmp_path / "whole", tmp_path / "run", random.Random(0)
    assert main([*SWEEP, *options, "--out", str(whole)]) == 0
    kills = 0
    while not (out / "results.json").exists():
        with start(*options, "--out", out, *(["--resume"] if kills else [])) as worker:
            wait_for((out / "study.db").exists)
            if kills < 6:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    worker.wait(moments.uniform(0, 4))
                kills += 1
                if worker.poll() is None:
                    os.killpg(worker.pid, signal.SIGKILL)
            shown, _ = worker.communicate(timeout=200)
            assert worker.returncode in (0, -signal.SIGKILL), shown
    left_alone, found = (read(path / "results.json")["variants"] for path in (whole, out))
    assert [variant["values"] for variant in found] == [variant["values"] for variant in left_alone]
    for variant, other in zip(found, left_alone):
        assert variant["models"]["rmc"]["test_accuracy"] == other["models"]["rmc"]["test_accuracy"]
    assert len(trials_in(out)) == 4


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize("how", ["grid", "search"])
def test_all_diverge(tmp_path, how):
    pytest.importorskip("optuna")
    options = {"grid": ["--storage", str(tmp_path / "study.db")], "search": ["--trials", "2"]}[how]
    over = ["--over", "learning_rate=1e30,1e31", "--clip-norm", "1e30", "--steps", "20"]
    assert main([*SWEEP, *over, *options, "--workers", "1", "--out", str(tmp_path / "run")]) == 0
    variants = read(tmp_path / "run" / "results.json")["variants"]
    assert [run["diverged"].keys() for variant in variants for run in variant["runs"]] == [{"rmc"}, {"rmc"}]


def test_without_optuna(tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)  # makes `import optuna` fail
    assert main([*SWEEP, "--over", "steps=1:4", "--trials", "2", "--out", str(tmp_path / "run")]) == 1
    told = "error: this command needs optuna: pip install optuna\n"
    assert capsys.readouterr().err == told
    assert list(tmp_path.iterdir()) == []


def test_wrong_storage(tmp_path, capsys, monkeypatch):
    pytest.importorskip("optuna")
    monkeypatch.chdir(tmp_path)
    over = ["--over", "mem_slots=1"]
    for storage, message in [
        ("nowhere/study.db", "nowhere"),
        (".", ". is a folder"),
        (" ", "give the path of a file"),
        ("sqlite://", "workers share a file"),
        ("nosql://me:secret@host/x", "nosql"),
    ]:
        assert main([*SWEEP, *over, "--storage", storage]) == 2
        told = capsys.readouterr().err
        assert message in told
        assert "cannot be used as the storage of a study" in told
        assert "secret" not in told
    assert main([*SWEEP, *over, "--storage", "study.db", "--grace", "3"]) == 2
    assert "grace must be at least 4 seconds, got 3" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
    storage = ["--storage", str(tmp_path / "study.db")]
    assert main([*SWEEP, *over, "--steps", "2", *storage, "--out", str(tmp_path / "one")]) == 0
    assert main([*SWEEP, *over, "--steps", "3", *storage, "--out", str(tmp_path / "two")]) == 2
    assert "with another plan (steps: 2 there, 3 now); name another with --study" in capsys.readouterr().err
    assert not (tmp_path / "two").exists()
