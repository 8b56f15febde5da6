"""`relational-rnn course`: as a learner uses it, in an empty folder."""

import shutil
import subprocess
import sys

import pytest

from relational_rnn.cli.main import main
from relational_rnn.course import EXERCISES, registry

FIRST = EXERCISES[1]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("command", [["course"], ["course", "list"]], ids=" ".join)
def test_list_names_every_exercise(command, capsys):
    assert main(command) == 0
    out = capsys.readouterr().out
    for exercise in EXERCISES.values():
        assert f"{exercise.number:2}  {exercise.title}" in out


def test_start_fail_solve_pass(folder, capsys):
    assert main(["course", "start", "1"]) == 0
    assert capsys.readouterr().out.endswith("check  relational-rnn course check 1\n")
    mine = folder / FIRST.file_name
    assert mine.read_bytes() == FIRST.starter.read_bytes()

    assert main(["course", "check", "1"]) == 1
    told = capsys.readouterr().out
    assert "softmax\n  FAILED  " in told
    assert "\n          Not written yet. Take exp of x" in told
    assert "(2 more checks wait for this one)" in told
    assert "To do: softmax, scaled_dot_product_attention," in told

    assert main(["course", "solution", "1"]) == 0
    mine.write_text(capsys.readouterr().out)
    assert main(["course", "check", "1"]) == 0
    told = capsys.readouterr().out
    assert "FAILED" not in told
    assert "checks pass.\ncompare  relational-rnn course solution 1\n" in told
    assert told.endswith("go on    relational-rnn course start 2\n")


def test_start_overwrites_nothing(folder, capsys):
    mine = folder / FIRST.file_name
    mine.write_text("mine\n")
    assert main(["course", "start", "1"]) == 2
    assert f"error: {FIRST.file_name} is there already" in capsys.readouterr().err
    assert mine.read_text() == "mine\n"


def test_start_into_a_new_folder(folder, capsys):
    assert main(["course", "start", "1", "--into", "new/one"]) == 0
    assert f"check  relational-rnn course check 1 new/one/{FIRST.file_name}\n" in capsys.readouterr().out
    assert main(["course", "check", "1", f"new/one/{FIRST.file_name}"]) == 1


@pytest.mark.parametrize("command", ["start", "check", "solution"])
def test_an_exercise_that_is_not_there(command, capsys, folder):
    assert main(["course", command, "99"]) == 2
    assert "error: there is no exercise 99; exercises: 1" in capsys.readouterr().err


def test_a_file_that_is_not_there(capsys, folder):
    assert main(["course", "check", "1", "nothing.py"]) == 2
    assert "error: there is no file nothing.py" in capsys.readouterr().err


def test_in_a_checkout_the_course_itself_is_checked(capsys, folder):
    assert main(["course", "check", "1"]) == 1
    assert str(FIRST.starter) in capsys.readouterr().out


def test_an_installed_wheel_brings_the_course(capsys, folder, monkeypatch):
    """There `course/` lies within the package, and nobody edits it in place."""
    room = folder / "relational_rnn" / "course"
    shutil.copytree(registry.material(), room / "material")
    monkeypatch.setattr(registry, "ROOM", room)
    assert FIRST.starter.is_relative_to(room)
    assert main(["course", "check", "1"]) == 2
    assert f"error: there is no {FIRST.file_name} in this folder" in capsys.readouterr().err
    assert main(["course", "start", "1"]) == 0
    assert main(["course", "check", "1"]) == 1


@pytest.mark.smoke
def test_the_file_itself_runs_the_check(folder):
    for path, code in ((FIRST.starter, 1), (FIRST.solution, 0)):
        done = subprocess.run([sys.executable, path], capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (code, "")
        assert str(path) in done.stdout
