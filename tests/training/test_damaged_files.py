"""Files that are damaged, strange or of something else: told in one sentence, with what helps."""

import json
import os
import pickle
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from relational_rnn.cli.main import main
from relational_rnn.cli.train import from_file
from relational_rnn.config.checks import BadFile
from relational_rnn.course.checking import load
from relational_rnn.interop.port import load_port
from relational_rnn.recipes import find_recipe
from relational_rnn.tasks import entry_of
from relational_rnn.tasks.babi.stories import read_file
from relational_rnn.training import files
from relational_rnn.training.arrays_file import load_arrays, save_arrays
from relational_rnn.training.config import with_values
from relational_rnn.training.examples_file import read_examples
from relational_rnn.training.files import read_json, read_lines, rewrite_lines
from relational_rnn.training.processes import train_side_by_side
from relational_rnn.training.run_folder import RunFolder, config_from

pytestmark = pytest.mark.usefixtures("undrawn")

CONFIG = with_values(find_recipe("sorting", "tiny"), {"framework": "numpy", "models": ("lstm",), "steps": 4})
ARRAYS = {
    "b": np.arange(3.0),
    "a": np.ones((2, 3), np.float32),
    "c": np.array(3),
    "d": np.zeros((0, 4), np.uint8),
}
NOTES = {"z": 1, "a": {"b": [1]}, "m": "text"}


def train(folder, *flags):
    """Train the smallest run and return the exit code."""
    argv = [
        "train",
        "sorting",
        "--framework",
        "numpy",
        "--preset",
        "tiny",
        "--models",
        "lstm",
        "--seeds",
        "1",
    ]
    return main([*argv, "--steps", "4", "--evaluate-every", "2", "--out", str(folder), *flags])


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """The folder of a finished run."""
    folder = tmp_path_factory.mktemp("run") / "run"
    assert train(folder) == 0
    return folder


@pytest.fixture
def there(finished, tmp_path):
    """A copy of it."""
    return RunFolder(shutil.copytree(finished, tmp_path / "there"))


def test_an_error_survives_a_pickle():
    error = BadFile("x.json", "is empty", "remove it")
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), str(again)) == (BadFile, "x.json is empty; remove it")


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"", "is no JSON file"),
        (b"{", "is no JSON file"),
        (b"\xff\xfe\x00", "is no JSON file"),
        (b"[" * 100_000, "nested more than 100 deep"),
        (b"[" * 200 + b"]" * 200, "nested more than 100 deep"),
        (b"1" * 5_000, "is no JSON file"),
    ],
)
def test_json_that_is_none(tmp_path, data, told):
    path = tmp_path / "x.json"
    path.write_bytes(data)
    with pytest.raises(BadFile, match=f"x.json .*{told}.*; remove it"):
        read_json(path, "remove it")


def test_a_file_that_is_far_too_large(tmp_path, monkeypatch):
    path = tmp_path / "x.json"
    with path.open("wb") as file:
        file.truncate(2**40)  # of which the disk holds nothing
    with pytest.raises(BadFile, match="has more than 268,435,456 bytes"):
        read_json(path)


@pytest.mark.skipif(not os.path.exists("/dev/fd"), reason="a system without /dev/fd")
def test_what_is_open_already_may_be_a_pipe(monkeypatch):
    end, other = os.pipe()
    with os.fdopen(end, "rb"), os.fdopen(other, "wb", buffering=0) as writer:
        writer.write(b"[" + b" " * 1_000)
        monkeypatch.setattr(files, "MOST_BYTES", 1_000)
        with pytest.raises(BadFile, match="has more than 1,000 bytes"):  # it has no size, and no end
            read_json(Path(f"/dev/fd/{end}"))


READERS = {
    "json": read_json,
    "lines": lambda path: list(read_lines(path)),
    "arrays": load_arrays,
    "examples": lambda path: read_examples(path, 1),
    "stories": lambda path: read_file(path, 1),
    "exercise": load,
    "port": load_port,
}


@pytest.mark.skipif(os.name == "nt", reason="it has no pipes in folders")
@pytest.mark.parametrize("reader", READERS)
def test_no_reader_waits_for_a_pipe(tmp_path, reader):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to("pipe")
    for name, kind in {"pipe": "a pipe (FIFO)", "link": "a pipe (FIFO)", "folder": "a folder"}.items():
        with pytest.raises(BadFile) as refused:
            READERS[reader](tmp_path / name)
        assert str(refused.value) == f"{tmp_path / name} is {kind}; only a file can be read"


def test_lines(tmp_path, capsys):
    path = tmp_path / "lines.jsonl"
    path.write_text('{"step": 1}\n{"step": 2}\n{"step": 3')
    rewrite_lines(path, lambda records: [record for record in records if record["step"] != 1])
    assert path.read_text() == '{"step": 2}\n'
    assert (
        capsys.readouterr().err
        == f"{path}: the last line was cut short when it was written, and is left out\n"
    )
    rewrite_lines(path, list)
    assert capsys.readouterr().err == ""
    path.write_text('{"step": 1}\n{"st\n{"step": 3}\n')
    with pytest.raises(BadFile, match=r"lines\.jsonl is damaged in line 2: .*; remove that line"):
        list(read_lines(path, "remove that line"))
    path.write_text('{"step": 1}\n[]\n')
    with pytest.raises(BadFile, match=r"must hold a JSON object in line 2, got \[\]"):
        list(read_lines(path))


def test_the_same_arrays_and_notes_are_the_same_bytes(tmp_path):
    one, other = tmp_path / "one", tmp_path / "other"
    save_arrays(one, ARRAYS, NOTES)
    save_arrays(other, dict(reversed(ARRAYS.items())), NOTES)
    assert one.read_bytes() == other.read_bytes()
    arrays, notes = load_arrays(one)
    assert notes == NOTES
    for name, value in load_file(one).items():
        np.testing.assert_array_equal(value, ARRAYS[name], strict=True)
        np.testing.assert_array_equal(arrays[name], ARRAYS[name], strict=True)
        assert arrays[name].flags.writeable


def test_a_file_of_somebody_else_has_no_notes(tmp_path):
    save_file(ARRAYS, tmp_path / "x", {"z": "1"})
    arrays, notes = load_arrays(tmp_path / "x")
    assert (arrays.keys(), notes) == (ARRAYS.keys(), {})


def header(**arrays):
    """Return a file with this header and 8 bytes of numbers."""
    text = json.dumps(arrays).encode()
    return len(text).to_bytes(8, "little") + text + bytes(8)


F64 = {"dtype": "F64", "shape": [1], "data_offsets": [0, 8]}


@pytest.mark.parametrize(
    "data",
    [
        b"",
        (2**62).to_bytes(8, "little"),
        header(x={**F64, "shape": [5 * 2**40], "data_offsets": [0, 40 * 2**40]}),
        header(x={**F64, "shape": [2**62, 0], "data_offsets": [0, 0]}),
        header(x={**F64, "shape": [-1]}),
        header(x={**F64, "shape": [True]}),
        header(x={**F64, "shape": [1] * 65}),
        header(x={**F64, "dtype": "F80"}),
        header(x={**F64, "dtype": "F8_E4M3", "shape": [8]}),
        header(x={**F64, "dtype": []}),
        header(x=F64, y=F64),
        header(),
        header(x=3),
        header(x=F64, __metadata__={"notes": 1}),
        header(x=F64, __metadata__={"notes": "["}),
        header(x=F64, __metadata__={"notes": "[1]"}),
        header(x=F64, __metadata__={"notes": "[" * 9_999}),
    ],
)
def test_arrays_that_are_none(tmp_path, data):
    path = tmp_path / "x.safetensors"
    path.write_bytes(data)
    with pytest.raises(BadFile, match=r"x\.safetensors is no readable safetensors file: .*[a-z]"):
        load_arrays(path)


def test_examples_that_are_none(tmp_path):
    path = tmp_path / "x.npz"
    inputs = np.zeros((2, 3, 4))
    for arrays, told in (
        ({"inputs": inputs + 1e300}, r"must fit into float32, got 1e\+300"),
        ({"inputs": inputs * np.nan}, "must be finite"),
        ({"inputs": inputs.astype(int)}, "must be floating point"),
        ({"inputs": inputs[:, :, :3]}, "F = 3"),
        ({"inputs": inputs[:0]}, "must not be empty"),
        ({"inputs": np.array([None])}, "holds Python objects"),
        ({"targets": inputs}, "must hold an array `inputs`, it has targets"),
    ):
        np.savez(path, **arrays)
        with pytest.raises(BadFile, match=rf"x\.npz .*{told}"):
            read_examples(path, 4)
    np.savez_compressed(path, inputs=inputs)
    assert read_examples(path, 4)[0].dtype == np.float32


def test_stories_that_are_far_too_many(tmp_path):
    with (tmp_path / "qa1_train.txt").open("wb") as file:
        file.truncate(2**40)
    with pytest.raises(BadFile, match="has 1,099,511,627,776 bytes"):
        read_file(tmp_path / "qa1_train.txt", 1)


def test_malformed_stories_are_told_before_the_folder_is_made(tmp_path, capsys):
    for split in ("train", "test"):
        (tmp_path / f"qa1_x_{split}.txt").write_text("1 Nora ran home.\n3 Where?\thome\t1\n")
    argv = ["train", "babi", "--framework", "numpy", "--preset", "tiny", "--models", "lstm", "--tasks", "1"]
    assert main([*argv, "--data-dir", str(tmp_path), "--out", str(tmp_path / "run")]) == 2
    assert "is no file of stories: line 2: has number 3 instead of 2" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ([1], r"must hold a JSON object, got \[1\]"),
        ({"budget": {"learning_rate": 1.0}}, "learning_rate belongs to optimisation, it stands in budget"),
        ({"task": {"seed": 1}}, "seed belongs to no part, it stands in task"),
        ({"colour": {"steps": 1}}, "steps belongs to budget, it stands in colour"),
        ({"budget": {"steps": "many"}}, "steps must be an integer"),
        ({"steps": None}, "steps must be an integer of at least 1, got None$"),
        ({"steps": {}}, "steps must be an integer"),
        ({"colour": {}}, "no setting 'colour'"),
        ({"steps": float("nan")}, "steps must be an integer"),
        ({"stepz": 1}, "no setting 'stepz'; did you mean 'steps'"),
        ({"config": {"seed": 10**30}}, "seed must be an integer of at most"),
    ],
)
def test_settings_that_are_none(tmp_path, values, told):
    path = tmp_path / "mine.json"
    path.write_text(json.dumps(values))
    with pytest.raises(BadFile, match=rf"mine\.json .*{told}"):
        from_file(CONFIG, path)


def test_a_setting_that_is_not_recorded_has_its_default(there):
    recorded = json.loads(there.config.read_text())
    del (
        recorded["config"]["budget"]["patience"],
        recorded["config"]["task"]["values"],
        recorded["config"]["curriculum"],
    )
    found = config_from(entry_of(CONFIG.task), recorded["config"])
    assert (found.budget.patience, found.task.values, found.curriculum.grow) == (None, 10, False)
    assert found.budget.steps == 4


def test_a_resumed_run_has_the_presets_value_for_what_is_not_recorded(there, capsys):
    recorded = json.loads(there.config.read_text())
    preset = find_recipe("sorting", "quick").budget.patience
    del recorded["config"]["budget"]["patience"]
    there.config.write_text(json.dumps(recorded))
    there.results.unlink()
    code = main(["train", "sorting", "--out", str(there.path), "--resume"])
    assert (code, preset) == (0, None), capsys.readouterr().err


def test_a_folder_of_another_task_or_command(there, capsys):
    assert main(["train", "copy", "--out", str(there.path), "--resume"]) == 2
    assert f"{there.path} holds a run of `sorting`, not `copy`" in capsys.readouterr().err
    assert main(["ablate", "sorting", "--over", "steps=1,2", "--out", str(there.path), "--resume"]) == 2
    assert "holds a run of `train sorting`, not `ablate sorting`" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "data", "told"),
    [
        pytest.param(
            "checkpoints/lstm-0.json",
            "{}",
            "remove it: with --resume lstm-0 is scored again, from its checkpoint",
            marks=pytest.mark.slow,
        ),
        ("checkpoints/lstm-0.json", '{"steps": -1}', "remove it: with --resume lstm-0 is scored again"),
        ("checkpoints/lstm-0.safetensors", "x", "remove it: --resume writes a run's weights again"),
        ("results.json", "{}", "remove it: --resume writes it again"),
        ("metrics.jsonl", "x\n", "is damaged in line 1: .*; remove that line"),
        ("config.json", "[]", "take its values from another copy"),
    ],
)
def test_a_damaged_file_of_a_finished_run(there, capsys, name, data, told):
    """The sentence says what helps; where it is to remove the file, that helps."""
    (there.path / name).write_text(data)
    assert train(there.path, "--resume") in (1, 2)
    error = capsys.readouterr().err
    assert error.count("\n") == 1, error
    assert error.startswith(f"error: {there.path / name} ")
    assert re.search(told, error)
    if told.startswith("remove it"):
        (there.path / name).unlink()
        assert train(there.path, "--resume") == 0
        assert (there.path / name).exists()


@pytest.mark.parametrize("kept", [True, False])
def test_points_of_a_curve_that_are_gone(there, capsys, kept):
    """They are those of the checkpoint; without it the training has to start anew."""
    points = there.evaluations("lstm-0")
    there.metrics.write_text("")
    if kept:
        assert train(there.path, "--resume") == 0
        assert there.evaluations("lstm-0") == points
        return
    there.checkpoint("lstm-0").unlink()
    assert train(there.path, "--resume") == 1
    told = f"remove {there.score('lstm-0')} and lstm-0.checkpoint beside it: with --resume lstm-0 then"
    assert f"{told} starts anew" in capsys.readouterr().err
    there.score("lstm-0").unlink()
    assert train(there.path, "--resume") == 0


def test_a_damaged_checkpoint(there, capsys):
    for path in (there.score("lstm-0"), there.weights("lstm-0"), there.results):
        path.unlink()
    checkpoint = there.checkpoints / "lstm-0.checkpoint"
    checkpoint.write_bytes(checkpoint.read_bytes()[:1000])
    assert train(there.path, "--resume") == 1
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "lstm-0.checkpoint is no readable safetensors file" in error
    assert error.endswith("remove it: its training then starts anew\n")
    checkpoint.unlink()
    assert train(there.path, "--resume") == 0


def test_a_finished_training_needs_no_checkpoint(there):
    before = there.metrics.read_bytes()
    (there.checkpoints / "lstm-0.checkpoint").unlink()
    assert train(there.path, "--resume") == 0
    assert there.metrics.read_bytes() == before


def fail(name, report, stopped):
    """Fail as a training does."""
    raise (
        BadFile("there/x.json", "is empty", "remove it")
        if name == "file"
        else OSError(28, "No space left", "x")
    )


def test_what_a_process_found_is_told_in_its_sentence():
    with pytest.raises(BadFile, match=r"^there/x\.json is empty; remove it$"):
        train_side_by_side(["file"], fail, workers=1, show=lambda name, record: None)
    with pytest.raises(RuntimeError, match=r"^the training disk failed: x: no space left$"):
        train_side_by_side(["disk"], fail, workers=1, show=lambda name, record: None)
