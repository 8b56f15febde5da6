"""`relational-rnn course`: as a learner uses it, in an empty folder."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from relational_rnn.cli.main import main
from relational_rnn.course import EXERCISES, apart, registry

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


@pytest.mark.parametrize("words", [["course"], ["course", "measure"]], ids=" ".join)
def test_help_loads_no_library(words):
    code = (
        f"import sys\nfrom relational_rnn.cli.main import main\nassert main([*{words}, '--help']) == 0\n"
        "assert not {'numpy', 'torch'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "measure" in done.stdout


def test_help_shows_what_a_script_is(capsys):
    assert main(["course", "measure", "--help"]) == 0
    assert "[FILE] [--script PATH]" in " ".join(capsys.readouterr().out.split())


def test_start_fail_solve_pass(folder, capsys):
    assert main(["course", "start", "1"]) == 0
    assert capsys.readouterr().out.endswith("check    relational-rnn course check 1\n")
    mine = folder / FIRST.file_name
    assert mine.read_bytes() == FIRST.starter.read_bytes()

    assert main(["course", "check", "1"]) == 1
    told = capsys.readouterr().out
    assert "softmax\n  FAILED  " in told
    assert "\n          Not written yet. Take exp of x" in told
    assert "(3 more checks wait for this one)" in told
    assert "To do: softmax, scaled_dot_product_attention," in told
    assert told.endswith(f"\nThe lesson: {FIRST.page}\n")

    assert main(["course", "solution", "1"]) == 0
    mine.write_text(capsys.readouterr().out)
    assert main(["course", "check", "1"]) == 0
    told = capsys.readouterr().out
    assert "FAILED" not in told
    assert "checks pass.\ncompare  relational-rnn course solution 1\n" in told
    assert f"\nanswer   the questions at the end of {FIRST.page}\n" in told
    assert told.endswith("go on    relational-rnn course start 2\n")


def test_start_overwrites_nothing(folder, capsys):
    mine = folder / FIRST.file_name
    mine.write_text("mine\n")
    assert main(["course", "start", "1"]) == 2
    told = capsys.readouterr().err
    assert (
        f"error: {FIRST.file_name} is there already; move it away to start anew. The lesson: {FIRST.page}"
        in told
    )
    assert mine.read_text() == "mine\n"


def test_start_into_a_new_folder(folder, capsys):
    assert main(["course", "start", "1", "--into", "new/one"]) == 0
    assert f"check    relational-rnn course check 1 new/one/{FIRST.file_name}\n" in capsys.readouterr().out
    assert main(["course", "check", "1", f"new/one/{FIRST.file_name}"]) == 1


ENDLESS = f"not ended after 0.5 seconds; it was in softmax, line 2 of {FIRST.file_name}. Does its loop end?"
ENDS = {
    "\nwhile True: pass": f"0.5 seconds; it was in line 2 of {FIRST.file_name}. Does its loop end?",
    "import os\nos._exit(3)": "The file ends Python itself (exit code 3), as os._exit does; leave that out.",
    "import os\nos.kill(os.getpid(), 9)": "The system has ended Python here (SIGKILL). Did it need too much",
    "import sys\nsys.exit('enough')": "cannot be loaded: SystemExit in line 2, `sys.exit('enough')`: enough",
    "class Own(BaseException): ...\nraise Own('no')": "The file cannot be loaded: Own in line 2",
    "raise KeyboardInterrupt": "It stops with KeyboardInterrupt",
    "def softmax(x, axis=-1):\n    while True: pass": ENDLESS,
    "def softmax(x):\n    return sum(1 for _ in iter(int, 1))": ENDLESS,
    "def softmax(x, axis=-1):\n    raise GeneratorExit": "It stops with GeneratorExit in line 2",
    "import os\ndef softmax(x, axis=-1):\n    os._exit(0)": "The file ends Python itself (exit code 0)",
}


@pytest.mark.skipif(os.name == "nt", reason="signals")
@pytest.mark.parametrize("source", ENDS, ids=lambda source: source.partition("\n")[0])
def test_a_file_that_does_not_end_or_ends_too_soon(folder, capsys, source):
    (folder / FIRST.file_name).write_text(source)
    assert main(["course", "check", "1", "--seconds", "0.5"]) == 1
    told = capsys.readouterr()
    assert ENDS[source] in " ".join(told.out.split())
    assert told.err == ""


@pytest.mark.skipif(os.name == "nt", reason="signals")
def test_a_check_that_takes_long_says_where_it_is(folder, capsys, monkeypatch):
    monkeypatch.setattr(apart, "PATIENCE", 0.2)
    (folder / FIRST.file_name).write_text(
        FIRST.solution.read_text().replace(
            "    power =", "    import time\n    time.sleep(0.5)\n    power =", 1
        )
    )
    assert main(["course", "check", "1"]) == 0
    said = capsys.readouterr().err.splitlines()
    line = FIRST.solution.read_text().partition("    power =")[0].count("\n") + 2
    assert len(said) == 4  # one for each check of softmax
    assert {*said} == {
        f"still in softmax, line {line} of {FIRST.file_name} after 0.2 seconds; does its loop end?"
    }


@pytest.mark.skipif(os.name == "nt", reason="signals")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, -signal.SIGTERM)])
def test_a_check_can_be_stopped(folder, number, code):
    (folder / FIRST.file_name).write_text(
        "import os\nopen('pid', 'w').write(f'{os.getpid()} ')\nwhile True: pass"
    )
    command = [sys.executable, "-m", "relational_rnn", "course", "check", "1"]
    started = {
        "stdout": subprocess.DEVNULL,
        "stderr": subprocess.PIPE,
        "text": True,
        # Tests that run in the background would hand on that SIGINT is ignored.
        "preexec_fn": lambda: signal.signal(number, signal.SIG_DFL),
    }
    with subprocess.Popen(command, **started) as parent:
        wait_for(lambda: (folder / "pid").exists() and (folder / "pid").read_text().endswith(" "))
        parent.send_signal(number)
        stopped = f"stopped in line 3 of {FIRST.file_name}; does its loop end?\n"
        assert parent.communicate(timeout=30)[1] == (stopped if number == signal.SIGINT else "")
        assert parent.returncode == code
    wait_for(lambda: not is_alive(int((folder / "pid").read_text())))


def wait_for(there):
    for _ in range(600):
        if there():
            return
        time.sleep(0.05)
    raise AssertionError("it never came")


def is_alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.parametrize("command", ["start", "check", "measure", "solution"])
def test_an_exercise_that_is_not_there(command, capsys, folder):
    assert main(["course", command, "99"]) == 2
    assert "error: there is no exercise 99; exercises: 1" in capsys.readouterr().err


def test_start_where_no_folder_can_be(folder, capsys):
    (folder / "file").touch()
    assert main(["course", "start", "1", "--into", "file"]) == 2
    assert capsys.readouterr().err == "error: --into takes a folder, and file is a file\n"
    assert main(["course", "start", "1", "--into", "file/deeper"]) == 2
    assert "file: a file is where a folder is needed" in capsys.readouterr().err


def test_the_commands_that_are_printed_can_be_pasted(folder, capsys):
    assert main(["course", "start", "1", "--into", "my own"]) == 0
    assert capsys.readouterr().out.endswith(
        f"check    relational-rnn course check 1 'my own/{FIRST.file_name}'\n"
    )


def test_start_and_check_name_the_measurement(folder, capsys):
    for number, exercise in EXERCISES.items():
        assert main(["course", "start", str(number), "--into", "my own"]) == 0
        line = f"\nmeasure  relational-rnn course measure {number} 'my own/{exercise.file_name}'\n"
        assert (line in capsys.readouterr().out) == exercise.measured
    solved = folder / EXERCISES[2].file_name
    solved.write_text(EXERCISES[2].solution.read_text())
    assert main(["course", "check", "2"]) == 0
    assert f"\nmeasure  relational-rnn course measure 2 {solved.name}\n" in capsys.readouterr().out


def test_a_file_that_is_not_there(capsys, folder):
    assert main(["course", "check", "1", "nothing.py"]) == 2
    assert "error: there is no file nothing.py" in capsys.readouterr().err


def test_in_a_checkout_the_course_itself_is_checked(capsys, folder):
    """And it is said which file that is, and that it is the unchanged starter, a copy of which is one too."""
    unchanged = "This is the unchanged starter: nothing is written yet.\n\nsoftmax\n"
    assert main(["course", "check", "1"]) == 1
    assert capsys.readouterr().out.startswith(
        f"Exercise 1: {FIRST.title}\n{FIRST.starter}\n"
        f"That is the checkout's file: there is no {FIRST.file_name} in this folder.\n{unchanged}"
    )
    (folder / FIRST.file_name).write_text(FIRST.starter.read_text())
    assert main(["course", "check", "1"]) == 1
    assert capsys.readouterr().out.startswith(f"Exercise 1: {FIRST.title}\n{FIRST.file_name}\n{unchanged}")
    (folder / FIRST.file_name).write_text(FIRST.starter.read_text() + "\n")
    assert main(["course", "check", "1"]) == 1
    assert "unchanged" not in capsys.readouterr().out


@pytest.mark.parametrize("name", [FIRST.file_name, "mine.py"])
@pytest.mark.parametrize(("command", "number"), [("check", 3), ("measure", 4)])
def test_a_file_of_another_exercise_is_recognised(command, number, name, capsys, folder):
    (folder / name).write_text(FIRST.solution.read_text())
    assert main(["course", command, str(number), name]) == 2
    assert capsys.readouterr().err == (
        f"error: this is exercise 1's file: {name}; did you mean `relational-rnn course check 1 {name}`?\n"
    )
    assert main(["course", "check", "1", name]) == 0


def test_a_file_is_recognised_by_its_name_where_it_is_no_python_yet(capsys, folder):
    (folder / FIRST.file_name).write_text("def softmax(x\n")
    assert main(["course", "check", "3", FIRST.file_name]) == 2
    assert "this is exercise 1's file" in capsys.readouterr().err
    assert main(["course", "check", "1", FIRST.file_name]) == 1


@pytest.mark.parametrize("command", ["check", "measure"])
def test_a_file_without_its_number_is_recognised(command, capsys, folder):
    meant = f"did you mean `relational-rnn course {command} {{}}`?\n"
    for name, number in ((FIRST.file_name, 1), ("exercise_02_initial_memory.py", 2), ("mine.py", 4)):
        assert main(["course", command, name]) == 2  # there is no such file yet
        (folder / name).write_text(EXERCISES[number].solution.read_text())
        assert capsys.readouterr().err.endswith(
            meant.format(f"{'N' if name == 'mine.py' else number} {name}")
        )
        assert main(["course", command, name]) == 2
        assert capsys.readouterr().err.endswith(meant.format(f"{number} {name}"))


def test_a_notebook_is_no_python_file(capsys, folder):
    (folder / "mine.ipynb").write_text("{}")
    for words, number in ((["3", "mine.ipynb"], 3), (["mine.ipynb"], "N")):
        assert main(["course", "check", *words]) == 2
        assert capsys.readouterr().err == (
            "error: this is a notebook: mine.ipynb; course check takes a Python file. "
            f"`relational-rnn course start {number}` makes one; put your functions there\n"
        )


@pytest.mark.parametrize("number", [number for number, exercise in EXERCISES.items() if exercise.measured])
def test_a_file_of_another_measured_exercise_is_sent_to_its_measurement(number, capsys, folder):
    other = 4 if number == 2 else 2
    assert main(["course", "measure", str(other), str(EXERCISES[number].solution)]) == 2
    assert (
        f"`relational-rnn course measure {number} {EXERCISES[number].solution}`?" in capsys.readouterr().err
    )


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
