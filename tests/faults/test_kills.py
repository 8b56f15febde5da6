"""A run that is killed at any moment, in any of its processes, comes to the same numbers when it is resumed.

`RELATIONAL_RNN_KILLS` says how many times, `make test-faults` says 200.
"""

import functools
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from relational_rnn.training.arrays_file import load_arrays
from relational_rnn.training.files import read_json
from relational_rnn.training.run_folder import RunFolder

pytestmark = pytest.mark.skipif(not Path("/proc").is_dir(), reason="finds processes in /proc")

KILLS = int(os.environ.get("RELATIONAL_RNN_KILLS", "4"))
PATIENCE = 60.0
"""Seconds in which everything here has ended long ago."""
TIMES = ("seconds", "wall_seconds", "peak_memory")
VICTIMS = {
    "the parent": signal.SIGKILL,
    "a child": signal.SIGKILL,
    "the server": signal.SIGKILL,
    "the group": signal.SIGKILL,
    "the group, asked": signal.SIGTERM,
    "the parent, asked": signal.SIGINT,
}


def start(command, folder, how):
    words = [sys.executable, str(Path(__file__).with_name("killed_run.py")), command, str(folder), how]
    return subprocess.Popen(words, stderr=subprocess.PIPE, text=True, start_new_session=True)


def end(run):
    """Return the exit code and what was said; a run that does not end fails the test."""
    _, said = run.communicate(timeout=PATIENCE)
    return run.returncode, said


def children(pid):
    """Return the processes that a process has started."""
    try:
        return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:  # it has ended meanwhile
        return []


def server(pid):
    """Return the process, in a list, from which the trainings of a run are forked."""
    return [
        one for one in children(pid) if b"forkserver" in (Path("/proc") / str(one) / "cmdline").read_bytes()
    ]


def what_is_there(folder):
    """Return everything in a folder that has to be the same, whatever happened on the way."""

    def timeless(value):
        if isinstance(value, dict):
            return {name: timeless(one) for name, one in value.items() if not name.startswith(TIMES)}
        return [timeless(one) for one in value] if isinstance(value, list) else value

    found = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if path.name in ("results.json", "config.json"):
            found[name] = json.dumps(timeless(read_json(path)))
        elif path.suffix == ".safetensors":
            found |= {f"{name}/{key}": value for key, value in load_arrays(path)[0].items()}
        elif path.name == "metrics.jsonl":
            points = [r for r in RunFolder(path.parent).records() if "validation_accuracy" in r]
            found[name] = sorted(json.dumps(timeless(point), sort_keys=True) for point in points)
    return found


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Return by command what a run that nobody kills leaves, and the seconds that it takes."""

    @functools.cache
    def run(command):
        folder, begin = tmp_path_factory.mktemp("whole") / "run", time.perf_counter()
        assert end(start(command, folder, "new")) == (0, "")
        return what_is_there(folder), time.perf_counter() - begin

    return run


def wait_for(when, run, folder, seconds):
    """Wait for a moment: a share of the time that the whole run takes, or so many lines of its records."""
    begin = time.perf_counter()
    while run.poll() is None and time.perf_counter() - begin < PATIENCE:
        if isinstance(when, float) and time.perf_counter() - begin > when * seconds:
            return
        if (
            isinstance(when, int)
            and sum(len(one.read_bytes().splitlines()) for one in records(folder)) >= when
        ):
            return
        time.sleep(0.001)


def records(folder):
    return list(folder.rglob("metrics.jsonl"))


@pytest.mark.parametrize("number", range(KILLS // 2))
def test_a_run_that_is_killed_twice_goes_on(whole, tmp_path, number):
    draw, folder, command = random.Random(number), tmp_path / "run", ("train", "ablate")[number % 2]
    expected, seconds = whole(command)
    for _ in range(2):  # the second kill meets a run that was resumed
        victim = draw.choice(list(VICTIMS))
        when = draw.random() if draw.random() < 0.5 else draw.randrange(1, 80)
        run = start(command, folder, "resume" if (folder / "config.json").exists() else "new")
        wait_for(when, run, folder, seconds)
        code, said = kill(run, victim, draw)
        assert code in (0, 1, 130, -9, -15, -2), (victim, when, said)
        assert "Traceback" not in said or code in (-9, -2, -15) or "KeyboardInterrupt" in said, said
    run = start(command, folder, "resume" if (folder / "config.json").exists() else "new")
    assert end(run) == (0, ""), (victim, when)
    found = what_is_there(folder)
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        np.testing.assert_array_equal(found[name], value, err_msg=f"{name} after {victim} at {when}")


def kill(run, victim, draw):
    """Kill a part of a run; return its exit code and what it said, within `PATIENCE`."""
    number = VICTIMS[victim]
    mine = [child for one in server(run.pid) for child in children(one)]
    try:
        if victim == "a child" and mine:
            os.kill(draw.choice(mine), number)
        elif victim == "the server":
            for one in server(run.pid):
                os.kill(one, number)
        elif victim.startswith("the group"):
            os.killpg(run.pid, number)
        else:
            os.kill(run.pid, number)
    except ProcessLookupError:  # it has ended
        pass
    code, said = end(run)
    if victim == "a child" and mine and code == 1:
        assert "ended without a word (exit code -9)" in said
    return code, said
