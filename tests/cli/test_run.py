"""What surrounds a training: libraries, signals, threads, and readers that leave before it ends."""

import json
import os
import signal
import subprocess
import sys
import threading

import pytest

from relational_rnn.analysis import style
from relational_rnn.cli.main import main
from relational_rnn.cli.run import make_console, require, train_and_show
from relational_rnn.training.processes import STOP_SIGNALS, Interrupted, RunFailed, stop_signals
from relational_rnn.training.run_folder import RunFolder

TINY = ["--preset", "tiny", "--models", "lstm", "--seeds", "1", "--steps", "3"]
SORTING = ["sorting", "--framework", "numpy", *TINY]
RATES = ["--over", "learning_rate=1e-3:1e-2", "--trials", "1"]


@pytest.fixture
def handlers():
    """The handlers of a program around the command."""
    found = {number: lambda *arguments: None for number in STOP_SIGNALS}
    before = {number: signal.signal(number, handler) for number, handler in found.items()}
    yield found
    for number, handler in before.items():
        signal.signal(number, handler)


def of_signals():
    return {number: signal.getsignal(number) for number in STOP_SIGNALS}


def in_a_thread(call):
    """Call a function in a thread that is not the main one; return its value."""
    found = []
    thread = threading.Thread(target=lambda: found.append(call()))
    thread.start()
    thread.join()
    return found[0]


def test_a_training_in_poor_surroundings_whose_reader_leaves(tmp_path):
    pytest.importorskip("matplotlib")
    poor = {"MPLBACKEND": "module://nowhere.backend", "PYTHONIOENCODING": "ascii"}
    poor |= {"TERM": "dumb", "COLUMNS": "20", "PATH": os.environ["PATH"]}  # and no HOME
    command = [sys.executable, "-m", "relational_rnn", "train", *SORTING, "--out", str(tmp_path / "run")]
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "stdin": subprocess.DEVNULL}
    with subprocess.Popen(command, env=poor, **streams) as process:
        assert process.stdout.readline().startswith(b"sorting, items 8")
        process.stdout.close()
        complaints = process.stderr.read()
    assert (process.returncode, complaints) == (0, b"")
    assert (tmp_path / "run" / "results.json").exists()
    assert (tmp_path / "run" / "report.html").exists()


@pytest.mark.parametrize(
    "command",
    [
        ["ablate", *SORTING, "--over", "learning_rate=1e-3"],
        ["sweep", *SORTING, *RATES],
        pytest.param(
            ["train", "nth-farthest", *TINY[:2], "--models", "gru", "--no-direct", "--steps", "1"],
            marks=pytest.mark.torch,
        ),
    ],
    ids=lambda command: command[0],
)
@pytest.mark.skipif(os.name == "nt", reason="pipes and signals")
def test_others_that_nobody_reads(command, tmp_path, monkeypatch, unread, handlers):
    pytest.importorskip("matplotlib")
    if "nth-farthest" in command:
        pytest.importorskip("torch")
    if command[0] == "sweep":
        pytest.importorskip("optuna")
    monkeypatch.setattr(sys, "stdout", unread)
    monkeypatch.setattr(sys, "stderr", unread)
    assert main([*command, "--out", str(tmp_path)]) == 0
    assert "models" in json.loads((tmp_path / "results.json").read_text())
    assert (tmp_path / "report.html").exists()
    assert of_signals() == handlers


@pytest.mark.usefixtures("undrawn")
@pytest.mark.skipif(os.name == "nt", reason="signals")
def test_another_thread(tmp_path, capsys, handlers):
    assert in_a_thread(lambda: main(["train", *SORTING, "--out", str(tmp_path)])) == 0
    assert f"Written: {tmp_path / 'results.json'}" in capsys.readouterr().out
    assert of_signals() == handlers


@pytest.mark.skipif(os.name == "nt", reason="signals")
@pytest.mark.parametrize(
    ("number", "code", "told"),
    [*((number, 130, "Stopped; everything is saved") for number in STOP_SIGNALS), (0, 0, "Written: ")],
)
def test_signals_belong_to_a_training_as_long_as_it_runs(tmp_path, capsys, handlers, number, code, told):
    def train():
        os.kill(os.getpid(), number)
        return {}

    shown = train_and_show(make_console(), RunFolder(tmp_path), "train x", train, lambda results: [])
    assert shown == code
    assert told in capsys.readouterr().out
    assert of_signals() == handlers


@pytest.mark.skipif(os.name == "nt", reason="signals")
def test_what_nohup_ignores_stays_ignored(handlers):
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with stop_signals(signal.default_int_handler):
        assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
        assert signal.getsignal(signal.SIGTERM) == signal.default_int_handler


@pytest.mark.parametrize(
    ("error", "code"), [(RunFailed("x"), 1), (Interrupted(), 130), (ZeroDivisionError("x"), 1)]
)
@pytest.mark.parametrize("where", ["here", "in a thread"])
def test_ends_that_nobody_reads(tmp_path, monkeypatch, unread, error, code, where):
    def train():
        raise error

    monkeypatch.setattr(sys, "stdout", unread)
    monkeypatch.setattr(sys, "stderr", unread)

    def run():
        console = make_console(of_training=True)
        return train_and_show(console, RunFolder(tmp_path), "train x", train, lambda results: [])

    assert (run() if where == "here" else in_a_thread(run)) == code


def test_figures_that_cannot_be_drawn_are_told_before_the_training(tmp_path, monkeypatch, capsys):
    pytest.importorskip("matplotlib")

    def broken(*arguments):
        raise RuntimeError("no fonts")

    monkeypatch.setattr(style, "new_figure", broken)
    for command in (["train", *SORTING], ["ablate", *SORTING, "--over", "learning_rate=1e-3"]):
        assert main([*command, "--out", str(tmp_path / "run")]) == 1
        told = "error: figures need matplotlib, which does not work here: no fonts\n"
        assert capsys.readouterr() == ("", told)
    assert list(tmp_path.iterdir()) == []


def test_a_library_that_is_absent_or_broken(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "broken_library.py").write_text("raise OSError('libfoo.so.1')")
    (tmp_path / "half_a_library.py").write_text("import the_other_half")
    with pytest.raises(ModuleNotFoundError, match="No module named 'no_library'"):
        require("no_library")
    for name, reason in (("broken_library", "libfoo"), ("half_a_library", "the_other_half")):
        with pytest.raises(ImportError, match=rf"{name} cannot be imported here: .*{reason}") as error:
            require(name)
        assert error.value.name == name
