import dataclasses
import json
import os

import pytest

import relational_rnn
from relational_rnn.recipes import RECIPES, find_recipe
from relational_rnn.tasks import entry_of
from relational_rnn.training.config import with_values
from relational_rnn.training.files import read_json
from relational_rnn.training.run_folder import RunFolder, config_from, flat, leaves_of

CONFIG = find_recipe("sorting", "tiny")


def test_a_new_folder_says_what_runs(tmp_path):
    folder = RunFolder(tmp_path / "run")
    folder.create("train x", with_values(CONFIG, {"seed": 3}), resume=False)
    record = read_json(folder.config)
    assert record["config"]["task"] == {"items": 8, "values": 10}
    assert record["config"]["budget"]["steps"] == CONFIG.budget.steps
    assert record["config"]["seed"] == record["seed"] == 3
    assert record["version"] == relational_rnn.__version__
    assert record["command"] == "train x"


@pytest.mark.parametrize("task", RECIPES)
def test_a_recorded_configuration_comes_back(tmp_path, task):
    folder, config = RunFolder(tmp_path), find_recipe(task, "tiny")
    folder.create("train x", config, resume=False)
    recorded = folder.require()["config"]
    assert config_from(entry_of(config.task), recorded) == config
    assert flat(recorded) == leaves_of(config)
    assert {"seed", "steps", "learning_rate", "start", "models"} <= leaves_of(config).keys()


def test_a_recorded_configuration_with_what_is_none():
    recorded = json.loads(json.dumps(dataclasses.asdict(CONFIG)))
    entry = entry_of(CONFIG.task)
    with pytest.raises(ValueError, match="sorting has no size colour; its sizes are items, values"):
        config_from(entry, {**recorded, "task": {"colour": 1}})
    with pytest.raises(TypeError, match="unexpected keyword argument 'colour'"):
        config_from(entry, {**recorded, "budget": {"colour": 1}})
    with pytest.raises(ValueError, match="steps must be an integer of at least 1, got 0"):
        config_from(entry, {**recorded, "budget": {"steps": 0}})


def test_nothing_is_overwritten(tmp_path):
    (tmp_path / "mine.txt").write_text("x")
    with pytest.raises(ValueError, match=r"is not empty; choose another folder with --out, or .* --resume"):
        RunFolder(tmp_path).create("train x", CONFIG, resume=False)
    assert [file.name for file in tmp_path.iterdir()] == ["mine.txt"]


def test_resume_needs_the_same_run(tmp_path):
    folder = RunFolder(tmp_path)
    with pytest.raises(ValueError, match="nothing to resume"):
        folder.create("train x", CONFIG, resume=True)
    folder.create("train x", CONFIG, resume=False)
    # How many at a time, and on how many threads, changes no result.
    folder.create("train x", with_values(CONFIG, {"workers": 2, "threads": 2}), resume=True)
    with pytest.raises(ValueError, match=r"other settings \(seed: 0 there, 4 now\)"):
        folder.create("train x", with_values(CONFIG, {"seed": 4}), resume=True)
    with pytest.raises(ValueError, match=r"other settings \(command"):
        folder.create("train y", CONFIG, resume=True)


def test_records_after_the_checkpoint_are_forgotten(tmp_path):
    folder = RunFolder(tmp_path)
    for step in (1, 2, 3):
        for model in ("a", "b"):
            folder.append({"model": model, "step": step})
    folder.forget_after({"a": 2})
    assert folder.records() == [{"model": "a", "step": 1}, {"model": "a", "step": 2}]
    assert folder.records("b") == []


def test_no_run_here(tmp_path):
    with pytest.raises(ValueError, match=r"holds no run \(no config\.json\)"):
        RunFolder(tmp_path).require()


@pytest.mark.skipif(os.name == "nt", reason="links and pipes")
def test_a_folder_behind_a_link_and_a_pipe(tmp_path):
    (tmp_path / "link").symlink_to("real")
    RunFolder(tmp_path / "link").create("train x", CONFIG, resume=False)
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real" / "config.json").exists()
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ValueError, match=r"pipe is a pipe \(FIFO\); a run needs a folder"):
        RunFolder(tmp_path / "pipe").create("train x", CONFIG, resume=False)


@pytest.mark.skipif(os.name == "nt", reason="pipes")
def test_resume_checks_what_the_end_of_the_run_writes(tmp_path, monkeypatch):
    folder = RunFolder(tmp_path / "run")
    folder.create("train x", CONFIG, resume=False)
    folder.create("train x", CONFIG, resume=True)
    folder.plots.write_text("x")
    with pytest.raises(NotADirectoryError, match="plots"):
        folder.create("train x", CONFIG, resume=True)
    folder.plots.unlink()
    os.mkfifo(folder.report)
    with pytest.raises(ValueError, match=r"report\.html is a pipe"):
        folder.create("train x", CONFIG, resume=True)
    folder.report.unlink()
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(PermissionError, match="nothing can be written into this folder"):
        folder.create("train x", CONFIG, resume=True)
