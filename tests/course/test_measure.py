"""The measurements of the pages run, with a learner's functions."""

import importlib.util
import subprocess
import sys

import pytest

from relational_rnn.cli.main import main
from relational_rnn.course import EXERCISES
from relational_rnn.course.checking import load

MEASURED = [2, 4, 6, 8, 9]
SMALL = """
STEPS, SEEDS, EXAMPLES = 4, 1, 100
LENGTHS, ROUNDS, WINDOW, READ = (2, 4, 8), 1, 2, 40
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def small(number, folder):
    """Write a copy of a measurement that takes no time."""
    source = EXERCISES[number].measurement.read_text()
    assert source.count("\ndef main(mine):") == 1
    (folder / "small.py").write_text(source.replace("\ndef main(mine):", f"{SMALL}\n\ndef main(mine):"))


@pytest.mark.parametrize("number", MEASURED)
def test_a_measurement_prints_its_table(number, folder, capsys):
    exercise = EXERCISES[number]
    small(number, folder)
    (folder / exercise.file_name).write_text(exercise.solution.read_text() + "\n\nprint('mine')\n")
    assert main(["course", "measure", str(number), exercise.file_name, "--script", "small.py"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[:4] == [
        f"Measurement of exercise {number}: small.py",
        f"with the functions of {exercise.file_name}",
        "",
        "mine",
    ]
    tables = [
        [line.count("|") for line in block.splitlines() if line.startswith("|")]
        for block in "\n".join(lines).split("\n\n")
    ]
    assert max(map(len, tables)) > 2
    assert all(len(set(columns)) <= 1 for columns in tables)
    drawn = number == 6 and importlib.util.find_spec("matplotlib") is not None
    assert (folder / "plateau.png").exists() == drawn == ("The curves: plateau.png" in lines)


def test_the_page_s_table_has_the_measurement_s_head(folder, capsys):
    small(2, folder)
    assert main(["course", "measure", "2", "--script", "small.py"]) == 0
    (head,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("| initial memory")]
    assert head in EXERCISES[2].page.read_text().splitlines()
    assert head.count("spread") == 3  # in every column of spreads


def test_without_a_file_the_solution_is_measured(folder, capsys):
    small(4, folder)
    assert main(["course", "measure", "4", "--script", "small.py"]) == 0
    assert f"with the functions of {EXERCISES[4].solution}\n" in capsys.readouterr().out


def test_the_course_s_own_script_is_measured_and_named(folder, capsys):
    """Up to the first function that is not written."""
    assert main(["course", "start", "2"]) == 0
    assert main(["course", "measure", "2", EXERCISES[2].file_name]) == 1
    told = capsys.readouterr()
    assert f"Measurement of exercise 2: {EXERCISES[2].measurement}\n" in told.out
    assert told.err == (
        f"error: {EXERCISES[2].file_name}: zeros_memory is not written yet\n"
        f"try:   relational-rnn course check 2 {EXERCISES[2].file_name}\n"
    )


@pytest.mark.parametrize("number", sorted(EXERCISES))
def test_only_some_exercises_have_a_measurement(number, folder, capsys):
    assert EXERCISES[number].measured == EXERCISES[number].measurement.is_file() == (number in MEASURED)
    if number not in MEASURED:
        assert main(["course", "measure", str(number)]) == 2
        assert capsys.readouterr().err == (
            f"error: exercise {number} has no measurement; exercises with one: 2, 4, 6, 8, 9\n"
        )


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("def run(:", "error: mine.py: This is no Python yet in line 1"),
        ("x = 1", "error: mine.py: there is no function called small_core in the file"),
        (
            "def small_core(inputs, seed):\n    return 1 / (seed - seed)",
            "error: mine.py: it stops with ZeroDivisionError in line 2, `return 1 / (seed - seed)`",
        ),
        (
            "def small_core(inputs, seed):\n    return None",
            "error: mine.py: the measurement stops with TypeError: core must be",
        ),
    ],
)
def test_what_is_wrong_with_a_file_is_told(source, message, folder, capsys):
    small(4, folder)
    (folder / "mine.py").write_text(source)
    assert main(["course", "measure", "4", "mine.py", "--script", "small.py"]) == 1
    told = capsys.readouterr().err
    assert message in told
    assert told.endswith("\ntry:   relational-rnn course check 4 mine.py\n")


def test_a_measurement_that_is_stopped_says_where_it_was(folder, capsys):
    small(4, folder)
    (folder / "mine.py").write_text("def small_core(inputs, seed):\n    raise KeyboardInterrupt")
    assert main(["course", "measure", "4", "mine.py", "--script", "small.py"]) == 130
    assert capsys.readouterr().err == "stopped in small_core, line 2 of mine.py\n"


def test_a_file_that_is_not_there(folder, capsys):
    for words in (["gone.py"], ["--script", "gone.py"]):
        assert main(["course", "measure", "4", *words]) == 2
        assert capsys.readouterr().err == "error: there is no file gone.py\n"


@pytest.mark.smoke
def test_the_script_itself_runs_in_any_folder(folder):
    small(4, folder)
    solution = EXERCISES[4].solution
    for words, told in (
        ([], "seed | test"),
        ([solution], f"functions of {solution}"),
        (["--help"], "usage:"),
    ):
        command = [sys.executable, "small.py", *words]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, "")
        assert told in done.stdout


@pytest.mark.parametrize("number", MEASURED)
def test_a_script_says_on_top_how_it_is_run(number):
    script = load(EXERCISES[number].measurement)
    assert f"relational-rnn course measure {number} [YOUR_FILE]" in script.__doc__
