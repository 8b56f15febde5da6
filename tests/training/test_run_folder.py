import dataclasses
import json
import os
import shutil

import pytest

import relational_rnn
from relational_rnn.config.checks import BadFile
from relational_rnn.recipes import RECIPES, find_recipe
from relational_rnn.tasks import entry_of
from relational_rnn.training import files
from relational_rnn.training.config import with_values
from relational_rnn.training.files import joined, read_json, write_json
from relational_rnn.training.processes import processor
from relational_rnn.training.run_folder import RunFolder, config_from, flat, leaves_of

CONFIG = find_recipe("sorting", "tiny")


def make(folder, command, config, resume):
    with folder.writing(command, config, resume):
        pass


def test_a_new_folder_says_what_runs(tmp_path):
    folder = RunFolder(tmp_path / "run")
    make(folder, "train x", with_values(CONFIG, {"seed": 3}), resume=False)
    record = read_json(folder.config)
    assert record["config"]["task"] == {"items": 8, "values": 10}
    assert record["config"]["budget"]["steps"] == CONFIG.budget.steps
    assert record["config"]["seed"] == record["seed"] == 3
    assert record["version"] == relational_rnn.__version__
    assert record["command"] == "train x"
    assert record["processor"].startswith(processor()[0])


@pytest.mark.parametrize("task", RECIPES)
def test_a_recorded_configuration_comes_back(tmp_path, task):
    folder, config = RunFolder(tmp_path), find_recipe(task, "tiny")
    make(folder, "train x", config, resume=False)
    recorded = folder.require()["config"]
    assert config_from(entry_of(config.task), recorded) == config
    assert flat(recorded) == leaves_of(config)
    assert {"seed", "steps", "learning_rate", "start", "models"} <= leaves_of(config).keys()


def test_a_recorded_configuration_with_what_is_none():
    recorded = json.loads(json.dumps(dataclasses.asdict(CONFIG)))
    entry = entry_of(CONFIG.task)
    with pytest.raises(ValueError, match="sorting has no size colour; its sizes are items, values"):
        config_from(entry, {**recorded, "task": {"colour": 1}})
    with pytest.raises(ValueError, match=r"config\.budget has no 'colour'; it has steps, seconds, "):
        config_from(entry, {**recorded, "budget": {"colour": 1}})
    with pytest.raises(ValueError, match="steps must be an integer of at least 1, got 0"):
        config_from(entry, {**recorded, "budget": {"steps": 0}})


def test_nothing_is_overwritten(tmp_path):
    (tmp_path / "mine.txt").write_text("x")
    with pytest.raises(ValueError, match=r"is not empty; choose another folder with --out, or .* --resume"):
        make(RunFolder(tmp_path), "train x", CONFIG, resume=False)
    assert [file.name for file in tmp_path.iterdir()] == ["mine.txt"]


def test_resume_needs_the_same_run(tmp_path):
    folder = RunFolder(tmp_path)
    with pytest.raises(ValueError, match="nothing to resume"):
        make(folder, "train x", CONFIG, resume=True)
    make(folder, "train x", CONFIG, resume=False)
    # How many at a time, and on how many threads, changes no result.
    make(folder, "train x", with_values(CONFIG, {"workers": 2, "threads": 2}), resume=True)
    with pytest.raises(ValueError, match=r"other settings \(seed: 0 there, 4 now\)"):
        make(folder, "train x", with_values(CONFIG, {"seed": 4}), resume=True)
    # What was not a field when the run began has its default there.
    recorded = json.loads(folder.config.read_text())
    assert recorded["config"]["model"].pop("read_head") == "flatten"
    folder.config.write_text(json.dumps(recorded))
    make(folder, "train x", CONFIG, resume=True)
    with pytest.raises(ValueError, match=r"\(read_head: 'flatten' there, 'mean' now\)"):
        make(folder, "train x", with_values(CONFIG, {"read_head": "mean"}), resume=True)
    with pytest.raises(ValueError, match="holds a run of `x`, not `y`"):
        make(folder, "train y", CONFIG, resume=True)


def test_records_end_where_the_checkpoints_do(tmp_path):
    folder = RunFolder(tmp_path)
    for step in (1, 2, 3):
        for model in ("a", "b", "c"):
            folder.append({"model": model, "step": step})
    common = {"examples": 16, "seconds": 1.0}
    points = [{"step": step, **common, "validation_accuracy": 0.1 * step} for step in (1, 2)]
    folder.append({"model": "a", **points[0]})  # a crash took the second one
    folder.append({"model": "a", "step": 3, **common, "validation_accuracy": 0.7})
    for _ in range(2):
        folder.go_back({"a": (2, points), "c": None})
        assert folder.evaluations("a") == [{"model": "a", **point} for point in points]
        assert [record["step"] for record in folder.records("a")] == [1, 1, 2, 2]
        assert (folder.records("b"), len(folder.records("c"))) == ([], 3)
    with pytest.raises(ValueError, match=r"metrics\.jsonl is missing, or has no evaluation of .* c; remove"):
        folder.evaluations("c")


def test_a_folder_has_one_writer_at_a_time(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "PATIENCE", 0.1)
    folder = RunFolder(tmp_path / "run")
    with folder.writing("train x", CONFIG, resume=False):
        with (
            pytest.raises(ValueError, match="run is in use: another process is writing into it"),
            RunFolder(tmp_path / "run").writing("train x", CONFIG, resume=True),
        ):
            raise AssertionError
        with joined(folder.path), joined(folder.path):  # its trainings
            pass
    with joined(folder.path), pytest.raises(ValueError, match="in use"):  # one whose parent was killed
        make(folder, "train x", CONFIG, resume=True)
    make(folder, "train x", CONFIG, resume=True)


def test_what_a_kill_left_half_written_is_swept_up(tmp_path):
    left = tmp_path / ".config.json.123.tmp"
    left.write_text("{")
    make(RunFolder(tmp_path), "train x", CONFIG, resume=False)
    assert not left.exists()
    left = tmp_path / "checkpoints" / ".rmc-0.checkpoint.123.tmp"
    left.write_text("x")
    make(RunFolder(tmp_path), "train x", CONFIG, resume=True)
    assert not left.exists()


def test_a_folder_that_was_removed_does_not_come_back_in_part(tmp_path):
    folder = RunFolder(tmp_path / "run")
    with folder.writing("train x", CONFIG, resume=False):
        shutil.rmtree(folder.path)
        with pytest.raises(FileNotFoundError, match=r"metrics\.jsonl"):
            folder.append({"model": "a", "step": 1})
        with pytest.raises(FileNotFoundError, match="run"):
            write_json(folder.score("a"), {})
    assert not folder.path.exists()


def test_no_run_here(tmp_path):
    with pytest.raises(ValueError, match=r"holds no run \(no config\.json\)"):
        RunFolder(tmp_path).require()


@pytest.mark.skipif(os.name == "nt", reason="links and pipes")
def test_a_folder_behind_a_link_and_a_pipe(tmp_path):
    (tmp_path / "link").symlink_to("real")
    make(RunFolder(tmp_path / "link"), "train x", CONFIG, resume=False)
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real" / "config.json").exists()
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ValueError, match=r"pipe is a pipe \(FIFO\); a run needs a folder"):
        make(RunFolder(tmp_path / "pipe"), "train x", CONFIG, resume=False)


@pytest.mark.skipif(os.name == "nt", reason="pipes")
def test_resume_checks_what_the_end_of_the_run_writes(tmp_path, monkeypatch):
    folder = RunFolder(tmp_path / "run")
    make(folder, "train x", CONFIG, resume=False)
    make(folder, "train x", CONFIG, resume=True)
    folder.plots.rmdir()
    folder.plots.write_text("x")
    with pytest.raises(NotADirectoryError, match="plots"):
        make(folder, "train x", CONFIG, resume=True)
    folder.plots.unlink()
    for name in ("report.html", "memory.json", "slots.json"):
        os.mkfifo(folder.path / name)
        with pytest.raises(BadFile, match=f"{name} is a pipe"):
            make(folder, "train x", CONFIG, resume=True)
        (folder.path / name).unlink()
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(PermissionError, match="nothing can be written into this folder"):
        make(folder, "train x", CONFIG, resume=True)
