import os
from dataclasses import dataclass

import pytest

import relational_rnn
from relational_rnn.training.common.files import read_json
from relational_rnn.training.common.records import RunFolder


@dataclass(frozen=True, kw_only=True)
class Settings:
    seed: int = 3
    models: tuple[str, ...] = ("a", "b")
    workers: int = 1
    threads: int = 1


@dataclass(frozen=True, kw_only=True)
class LaterSettings(Settings):
    depth: int = 2


def test_a_new_folder_says_what_runs(tmp_path):
    folder = RunFolder(tmp_path / "run")
    folder.create("train x", Settings(), resume=False)
    config = read_json(folder.config)
    assert config["settings"] == {"seed": 3, "models": ["a", "b"], "workers": 1, "threads": 1}
    assert config["seed"] == 3
    assert config["version"] == relational_rnn.__version__
    assert config["command"] == "train x"


def test_nothing_is_overwritten(tmp_path):
    (tmp_path / "mine.txt").write_text("x")
    with pytest.raises(ValueError, match=r"is not empty; choose another folder with --out, or .* --resume"):
        RunFolder(tmp_path).create("train x", Settings(), resume=False)
    assert [file.name for file in tmp_path.iterdir()] == ["mine.txt"]


def test_resume_needs_the_same_run(tmp_path):
    folder = RunFolder(tmp_path)
    with pytest.raises(ValueError, match="nothing to resume"):
        folder.create("train x", Settings(), resume=True)
    folder.create("train x", Settings(), resume=False)
    # How many at a time, and on how many threads, changes no result.
    folder.create("train x", Settings(workers=2, threads=2), resume=True)
    with pytest.raises(ValueError, match=r"other settings \(seed: 3 there, 4 now\)"):
        folder.create("train x", Settings(seed=4), resume=True)
    with pytest.raises(ValueError, match=r"other settings \(command"):
        folder.create("train y", Settings(), resume=True)


def test_a_run_from_before_a_setting_has_its_default(tmp_path):
    folder = RunFolder(tmp_path)
    folder.create("train x", Settings(), resume=False)
    folder.create("train x", LaterSettings(), resume=True)
    with pytest.raises(ValueError, match=r"other settings \(depth: 2 there, 3 now\)"):
        folder.create("train x", LaterSettings(depth=3), resume=True)


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
    RunFolder(tmp_path / "link").create("train x", Settings(), resume=False)
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real" / "config.json").exists()
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ValueError, match=r"pipe is a pipe \(FIFO\); a run needs a folder"):
        RunFolder(tmp_path / "pipe").create("train x", Settings(), resume=False)


@pytest.mark.skipif(os.name == "nt", reason="pipes")
def test_resume_checks_what_the_end_of_the_run_writes(tmp_path, monkeypatch):
    folder = RunFolder(tmp_path / "run")
    folder.create("train x", Settings(), resume=False)
    folder.create("train x", Settings(), resume=True)
    folder.plots.write_text("x")
    with pytest.raises(NotADirectoryError, match="plots"):
        folder.create("train x", Settings(), resume=True)
    folder.plots.unlink()
    os.mkfifo(folder.report)
    with pytest.raises(ValueError, match=r"report\.html is a pipe"):
        folder.create("train x", Settings(), resume=True)
    folder.report.unlink()
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(PermissionError, match="nothing can be written into this folder"):
        folder.create("train x", Settings(), resume=True)
