"""`tasks list` and `tasks sample`."""

import json
import subprocess
import sys

import pytest

from relational_rnn.cli.main import main
from relational_rnn.tasks import TASKS


def run(*arguments: str) -> int:
    return main(["tasks", *arguments])


def test_list_names_every_task_and_its_trivial_score(capsys):
    assert run("list") == 0
    out = capsys.readouterr().out
    for entry in TASKS.values():
        assert entry.name in out
        assert entry.trivial in out


def test_tasks_alone_lists_them_and_a_name_is_led_to_its_examples(capsys):
    assert run("list") == 0
    listed = capsys.readouterr().out
    assert run() == 0
    assert capsys.readouterr().out == listed
    assert run("pair_matching") == 2
    assert "for examples: relational-rnn tasks sample pair-matching" in capsys.readouterr().err


def test_json_is_one_object_a_line(capsys):
    assert run("sample", "nth-farthest", "--count", "3", "--seed", "4", "--json") == 0
    out = capsys.readouterr().out
    taken = [json.loads(line) for line in out.splitlines()]
    assert len(taken) == 3
    assert set(taken[0]) == {"task", "vectors", "labels", "n", "n_counts_from", "reference", "answer"}
    assert taken == list(TASKS["nth-farthest"].records(TASKS["nth-farthest"].factory(), 3, 4))
    assert run("sample", "nth-farthest", "--count", "3", "--seed", "4", "--json") == 0
    assert capsys.readouterr().out == out


def test_text_shows_the_same_examples(capsys):
    assert run("sample", "nth-farthest", "--count", "2", "--seed", "4") == 0
    out = capsys.readouterr().out
    assert out.count("Which of the 8 vectors") == 2
    assert "Example 2 of 2" in out
    for record in TASKS["nth-farthest"].records(TASKS["nth-farthest"].factory(), 2, 4):
        assert TASKS["nth-farthest"].as_text(record) in out


@pytest.mark.parametrize("name", TASKS)
def test_every_task_as_text_and_as_json(capsys, name):
    stories = ["--synthetic", "--tasks", "1", "18"] if name == "babi" else []
    task = TASKS[name].factory(**({"synthetic": True, "tasks": (1, 18)} if stories else {}))
    assert run("sample", name, "--count", "2", "--json", *stories) == 0
    taken = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert taken == list(TASKS[name].records(task, 2, 0))
    assert [record["task"] for record in taken] == [name] * 2
    assert run("sample", name, "--count", "2", *stories) == 0
    out = capsys.readouterr().out
    for record in taken:
        assert TASKS[name].as_text(record) in out


def test_sizes(capsys):
    assert run("sample", "nth-farthest", "--objects", "3", "--dimensions", "2", "--json") == 0
    record = json.loads(capsys.readouterr().out)
    assert sorted(record["labels"]) == [0, 1, 2]
    assert [len(vector) for vector in record["vectors"]] == [2, 2, 2]
    assert run("sample", "mqar", "--pairs", "2", "--vocabulary=12", "--spread", "1", "--json") == 0
    record = json.loads(capsys.readouterr().out)
    assert len(record["pairs"]) == len(record["queries"]) == 2
    assert max(key for key, _ in record["pairs"]) <= 5


def test_a_text_of_ones_own(capsys, tmp_path):
    text = "the cat sat on the mat and the dog lay by the door of the house\n" * 200
    (tmp_path / "text.txt").write_text(text)
    assert run("sample", "language", "--data", str(tmp_path / "text.txt"), "--window", "5", "--json") == 0
    record = json.loads(capsys.readouterr().out)
    assert "the" in " ".join(map(str, record.values()))


def test_help_has_the_tasks_own_settings(capsys):
    assert run("sample", "mqar", "--help") == 0
    out = capsys.readouterr().out
    assert "--vocabulary" in out
    assert "--count" in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["nth-nearest"],
            "there is no task 'nth-nearest' (did you mean nth-farthest?); known tasks: nth-farthest",
        ),
        (["nth-farthest", "--count", "0"], "count must be an integer of at least 1, got 0"),
        (["nth-farthest", "--seed", "-1"], "seed must be an integer of at least 0, got -1"),
        (["mini-pacman"], "tasks sample takes no games"),
        (["mqar", "--pairs", "66"], "pairs must be at most 65, the keys in a vocabulary of 132; got 66"),
        (["nth-farthest", "--objects", "1"], "objects must be an integer of at least 2, got 1"),
    ],
)
def test_wrong_use(capsys, arguments, message):
    assert run("sample", *arguments) == 2
    captured = capsys.readouterr()
    assert captured.err.startswith(f"error: {message}")
    assert captured.out == ""


def test_reader_may_stop_early():
    code = (
        "import sys; from relational_rnn.cli.main import main; "
        "sys.exit(main(['tasks', 'sample', 'nth-farthest', '--count', '1000000', '--json']))"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert json.loads(process.stdout.readline())["task"] == "nth-farthest"
        process.stdout.close()
        assert process.wait(timeout=30) == 0
        assert process.stderr.read() == ""
