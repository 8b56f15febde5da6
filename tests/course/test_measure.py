"""The measurements of the pages run, with a learner's functions."""

import importlib.util

import pytest

from relational_rnn.course import EXERCISES
from relational_rnn.course.checking import load
from relational_rnn.course.registry import material


@pytest.mark.parametrize("number", [2, 4, 6, 8, 9])
def test_a_measurement_prints_its_table(number, tmp_path, monkeypatch, capsys):
    exercise = EXERCISES[number]
    script = load(material() / "measure" / f"measure_{exercise.key}.py")
    script.STEPS, script.SEEDS, script.EXAMPLES = 4, 1, 100
    script.LENGTHS, script.ROUNDS, script.WINDOW, script.READ = (2, 4, 8), 1, 2, 40
    path = tmp_path / exercise.file_name
    path.write_text(exercise.solution.read_text() + "\n\nprint('mine')\n")
    monkeypatch.setattr("sys.argv", ["measure", str(path)])
    monkeypatch.chdir(tmp_path)
    script.main()
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "mine"
    tables = [
        [line.count("|") for line in block.splitlines() if line.startswith("|")]
        for block in "\n".join(lines).split("\n\n")
    ]
    assert max(map(len, tables)) > 2
    assert all(len(set(columns)) <= 1 for columns in tables)
    drawn = number == 6 and importlib.util.find_spec("matplotlib") is not None
    assert (tmp_path / "plateau.png").exists() == drawn == ("The curves: plateau.png" in lines)
