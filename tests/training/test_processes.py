"""Trainings side by side: one that dies is seen at once, and no signal is lost."""

import importlib
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest

from helpers.trainings import LONG, train
from relational_rnn.training.processes import (
    SHARED_IMPORTS,
    STOP_SIGNALS,
    Interrupted,
    RunFailed,
    train_side_by_side,
)


def run(names, workers=2, **options):
    """Train; return the records by training."""
    found = {name: [] for name in names}
    options.setdefault("show", lambda name, record: found[name].append(record))
    try:
        train_side_by_side(names, train, workers=workers, **options)
    finally:
        assert not any(record.get("late") for records in found.values() for record in records)
    return found


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("exits", r"the training exits ended without a word \(exit code 3\)"),
        ("is killed", r"the training is killed ended without a word \(exit code -9\)"),
        ("fails", r"(?s)the training fails failed:.*ValueError: this one fails"),
    ],
)
@pytest.mark.skipif(os.name == "nt", reason="signals")
def test_a_training_that_dies_stops_the_others_that_report_all_the_time(name, told):
    with pytest.raises(RunFailed, match=told):
        run(["goes on", name])


def test_a_training_waits_for_what_it_needs():
    order = []
    names = ["second", "first"]
    run(
        names,
        show=lambda name, record: order.append(name),
        may_start=lambda name: name == "first" or order.count("first") == 2,
    )
    assert order == ["first", "first", "second", "second"]
    with pytest.raises(RunFailed, match="nothing to wait for, yet these cannot start: second"):
        run(["second", "first"], may_start=lambda name: name == "first")


@pytest.mark.skipif(os.name == "nt", reason="signals")
@pytest.mark.parametrize("number", STOP_SIGNALS)
@pytest.mark.parametrize("when", ["as a process starts", "later"])
def test_no_signal_is_lost(monkeypatch, number, when):
    if signal.getsignal(number) == signal.SIG_IGN:
        pytest.skip("this signal is ignored here, as nohup wants it")
    start = BaseProcess.start

    def interrupted(process):
        start(process)
        os.kill(os.getpid(), number)  # comes while the new process is being started

    if when == "later":
        timer = threading.Timer(0.1, os.kill, (os.getpid(), number))
        timer.start()
    else:
        monkeypatch.setattr(BaseProcess, "start", interrupted)
    before = [signal.getsignal(one) for one in STOP_SIGNALS]
    with pytest.raises(Interrupted):
        run(["goes on"])
    assert [signal.getsignal(one) for one in STOP_SIGNALS] == before
    assert not signal.pthread_sigmask(signal.SIG_BLOCK, []) & set(STOP_SIGNALS)


def test_nobody_trains_on_after_an_error_here():
    def show(name, record):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run(["goes on", "fails"], show=show)
    end = time.monotonic() + LONG / 2
    while multiprocessing.active_children() and time.monotonic() < end:
        time.sleep(0.05)
    assert not multiprocessing.active_children()


@pytest.mark.parametrize("name", SHARED_IMPORTS)
def test_what_trainings_share_the_import_of_is_there(name):
    importlib.import_module(name)  # the server would say nothing of one that is not


def test_files_in_the_working_folder_are_not_taken_for_the_librarys(tmp_path):
    (tmp_path / "random.py").write_text("raise AssertionError('that of the working folder')\n")
    script = Path(__file__).parents[1] / "faults" / "killed_run.py"
    command = [sys.executable, str(script), "train", str(tmp_path / "run"), "new"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
