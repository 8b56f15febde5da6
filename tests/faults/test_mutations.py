"""Damaged files of every kind, drawn from seeds: each is read, or refused in one sentence, and nothing else.

`RELATIONAL_RNN_MUTATIONS=20000 .venv/bin/python -m pytest tests/faults` draws more than the usual ones.
"""

import io
import os
import random
import shutil

import numpy as np
import pytest

from helpers.mutations import (
    mutate_array,
    mutate_arrays,
    mutate_bytes,
    mutate_json,
    mutate_lines,
)
from relational_rnn.cli.train import from_file
from relational_rnn.config.checks import BadFile
from relational_rnn.recipes import find_recipe
from relational_rnn.tasks import entry_of
from relational_rnn.tasks.babi.stories import read_file
from relational_rnn.training.config import with_values
from relational_rnn.training.contestants import contestants
from relational_rnn.training.evaluate import evaluate
from relational_rnn.training.results import read_results
from relational_rnn.training.run import command_of, go_back, read_score, run, summarise, train_one
from relational_rnn.training.run_folder import RunFolder, config_from
from relational_rnn.training.weights import find_trained, load_weights

COUNT = int(os.environ.get("RELATIONAL_RNN_MUTATIONS", "500"))
SHARES = {
    "config": 10,
    "results": 10,
    "score": 10,
    "metrics": 10,
    "weights": 16,
    "examples": 12,
    "stories": 8,
    "checkpoint": 12,
    "torch checkpoint": 8,
    "torch weights": 2,
    "soap checkpoint": 2,
}
"""Of a hundred mutations."""

SMALL = {
    "models": ("rmc", "lstm"),
    "items": 3,
    "values": 3,
    "head_size": 2,
    "num_heads": 2,
    "mem_slots": 2,
    "steps": 3,
    "batch_size": 4,
    "evaluate_every": 1,
    "validation_examples": 6,
    "test_examples": 6,
    "grow": True,
    "start": ("items=2",),
    "growth_threshold": 0.9,
    "train_examples": None,
}
NUMPY = with_values(find_recipe("sorting", "tiny"), {**SMALL, "framework": "numpy"})
TORCH = with_values(NUMPY, {"framework": "torch", "average_decay": 0.9, "models": ("rmc",)})
CONFIGS = {
    "torch checkpoint": TORCH,
    "torch weights": TORCH,
    "soap checkpoint": with_values(TORCH, {"optimiser": "soap"}),
}
STORIES = "".join(
    f"{1 + 2 * at} Nora ran to the harbour.\n{2 + 2 * at} Where is Nora?\tharbour\t{1 + 2 * at}\n"
    for at in range(5)
)


def begin(config, path):
    """Train a run to its end, and its first training in a folder of its own for one step."""
    whole, begun = RunFolder(path / "whole"), RunFolder(path / "begun")
    with whole.writing(command_of(config), config, resume=False):
        run(config, whole, in_process=True)
    with begun.writing(command_of(config), config, resume=False):
        train_one(config, begun, "rmc-0", lambda record: None, lambda: True)
    inputs = np.random.default_rng(0).random((2, 6, config.task.input_size))
    np.savez(path / "examples.npz", inputs=inputs, targets=np.zeros((2, 6), int), mask=np.ones((2, 6), bool))
    (path / "stories.txt").write_text(STORIES)
    return path


@pytest.fixture(scope="session")
def folders(tmp_path_factory):
    """Return a function from a kind of file to a folder with a run whose files are valid."""
    made = {}

    def folder(kind):
        config = CONFIGS.get(kind, NUMPY)
        key = repr(config)
        if key not in made:
            made[key] = begin(config, tmp_path_factory.mktemp("run"))
        return made[key]

    return folder


FILES = {
    "config": "whole/config.json",
    "results": "whole/results.json",
    "score": "whole/checkpoints/lstm-0.json",
    "metrics": "whole/metrics.jsonl",
    "weights": "whole/checkpoints/rmc-0.safetensors",
    "torch weights": "whole/checkpoints/rmc-0.safetensors",
    "checkpoint": "begun/checkpoints/rmc-0.checkpoint",
    "torch checkpoint": "begun/checkpoints/rmc-0.checkpoint",
    "soap checkpoint": "begun/checkpoints/rmc-0.checkpoint",
    "examples": "examples.npz",
    "stories": "stories.txt",
}


def readers(kind, config, path):
    """Yield what reads a kind of file, from a folder that `begin` made."""
    whole, begun = RunFolder(path / "whole"), RunFolder(path / "begun")
    everyone = {contestant.name: contestant for contestant in contestants(config)}

    def resume():
        with whole.writing(command_of(config), config, resume=True):
            pass

    if kind == "config":
        yield resume
        yield lambda: from_file(config, whole.config)
        yield lambda: config_from(entry_of(config.task), whole.require()["config"])
    elif kind == "results":
        yield lambda: read_results(whole.results)
        yield lambda: find_trained(whole.path, "rmc", 0)
    elif kind == "score":
        yield lambda: read_score(config, whole, everyone["lstm-0"])
        yield lambda: summarise(config, whole, None)
    elif kind == "metrics":
        yield lambda: whole.evaluations("rmc-0")
        yield lambda: go_back(whole, everyone)
    elif kind.endswith("weights"):
        inputs = np.zeros((1, 3, config.task.input_size), np.float32)
        yield lambda: load_weights(path / FILES[kind]).predict(inputs, True)
    elif kind.endswith("checkpoint"):
        yield lambda: train_one(config, begun, "rmc-0", lambda record: None, lambda: True)
    elif kind == "examples":
        weights = whole.weights("rmc-0")
        yield lambda: evaluate(weights, examples=1, seed=0, path=path / FILES[kind])
    elif kind == "stories":
        yield lambda: read_file(path / FILES[kind], 1)


def mutate_npz(data, draw):
    """Return a .npz file of which one array is changed."""
    with np.load(io.BytesIO(data)) as file:
        arrays = dict(file)
    name = draw.choice(sorted(arrays))
    arrays[name] = draw.choice(
        (
            mutate_array(arrays[name], draw),
            np.full_like(arrays[name], draw.choice((1e300, -1, 99))),
            np.array([None, "x"], dtype=object),
            np.zeros_like(arrays[name]),
            np.array(["x"]),
            np.zeros(3, "M8[s]"),
            np.zeros(2, [("a", "f4")]),
            arrays[name].astype(complex),
        )
    )
    stream = io.BytesIO()
    draw.choice((np.savez, np.savez_compressed))(stream, **arrays)
    return stream.getvalue()


def damage(kind, file, draw):
    """Change a file in place: its bytes, or what it holds as a valid file of its format."""
    data = file.read_bytes()
    if draw.random() < 0.4 or kind == "stories":
        file.write_bytes(mutate_bytes(data, draw))
    elif file.suffix in (".safetensors", ".checkpoint"):
        mutate_arrays(file, draw)
    elif kind == "examples":
        file.write_bytes(mutate_npz(data, draw))
    else:
        file.write_bytes((mutate_lines if kind == "metrics" else mutate_json)(data, draw))


def torch_too(kind):
    """Return a kind as a parameter, marked if it needs torch."""
    return pytest.param(kind, marks=pytest.mark.torch if kind in CONFIGS else ())


@pytest.mark.parametrize("kind", [torch_too(kind) for kind in SHARES])
def test_a_damaged_file_is_read_or_refused(folders, tmp_path, kind, monkeypatch):
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)  # which takes most of the time
    valid, config = folders(kind), CONFIGS.get(kind, NUMPY)
    refused = 0
    for number in range(max(1, COUNT * SHARES[kind] // 100)):
        draw = random.Random(f"{kind} {number}")
        there = tmp_path / "there"
        shutil.rmtree(there, ignore_errors=True)
        shutil.copytree(valid, there)
        with np.errstate(all="ignore"):
            damage(kind, there / FILES[kind], draw)
        damaged = (there / FILES[kind]).read_bytes()
        for which, read in enumerate(readers(kind, config, there)):
            (there / FILES[kind]).write_bytes(damaged)
            try:
                with np.errstate(all="ignore" if kind in ("checkpoint", "weights") else None):
                    read()
            except (BadFile, ValueError):
                refused += 1
            except FloatingPointError:  # numbers that are finite and still lead nowhere
                assert kind.endswith("checkpoint")
            except Exception as error:
                if isinstance(error, ModuleNotFoundError) and error.name == "torch":
                    continue  # the file says that torch trained it, and torch is absent here
                raise AssertionError(f"{kind}, mutation {number}, reader {which}") from error
    assert refused


def test_a_valid_file_is_read(folders, tmp_path):
    for kind in SHARES:
        if kind not in CONFIGS:
            there = tmp_path / kind
            shutil.copytree(folders(kind), there)
            for read in readers(kind, NUMPY, there):
                read()


@pytest.mark.torch
@pytest.mark.parametrize("kind", CONFIGS)
def test_a_valid_file_of_torch_is_read(folders, tmp_path, kind):
    there = tmp_path / "there"
    shutil.copytree(folders(kind), there)
    for read in readers(kind, CONFIGS[kind], there):
        read()
