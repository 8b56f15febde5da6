"""The command that writes the playground; needs no torch."""

import re

import numpy as np
import pytest

from relational_rnn.analysis.playground import scene as scene_module
from relational_rnn.cli.main import main
from relational_rnn.experiments import compare

RUN = {"preset": "tiny", "framework": "numpy", "steps": 2, "validation_examples": 10, "test_examples": 10}


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A run that can be shown, of two seeds, and one of another task."""
    folder = tmp_path_factory.mktemp("runs")
    points = {"objects": 4, "dimensions": 2, "seeds": 2}
    compare("nth-farthest", ["rmc", "lstm"], **points, **RUN).save(folder / "mine")
    compare("sorting", ["rmc", "lstm"], seeds=1, **RUN).save(folder / "sorting")
    return folder


@pytest.fixture(autouse=True)
def few_examples(monkeypatch):
    monkeypatch.setattr(scene_module.scene_at, "__kwdefaults__", {"examples": 200})


def test_ones_own_run_is_shown(runs, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["playground", str(runs / "mine")]) == 0
    told = capsys.readouterr().out
    assert told.startswith("Written: playground.html, with mine, rmc-")
    assert "trivial score 50.00%" in told
    assert '"objects":4' in (tmp_path / "playground.html").read_text()
    assert main(["playground", str(runs / "mine"), "--seed", "1", "--out", "new/page.html"]) == 0
    assert "with mine, rmc-1: accuracy" in capsys.readouterr().out
    assert (tmp_path / "new" / "page.html").exists()


def test_the_shipped_model_is_shown_without_arguments(tmp_path, capsys):
    assert main(["playground", "--out", str(tmp_path / "page.html")]) == 0
    told = capsys.readouterr().out
    assert "with pretrained:nth-farthest-plane: accuracy" in told
    assert "with pretrained:group-word-swaps: accuracy" in told


def test_open_shows_it(runs, tmp_path, monkeypatch):
    opened = []
    monkeypatch.setattr("webbrowser.open", opened.append)
    assert main(["playground", str(runs / "mine"), "--open", "--out", str(tmp_path / "page.html")]) == 0
    assert opened == [(tmp_path / "page.html").as_uri()]


def test_what_cannot_be_shown_says_what_can(runs, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    np.savez(tmp_path / "y.npz", x=np.ones(1))
    mine, lstm = str(runs / "mine"), str(runs / "mine" / "checkpoints" / "lstm-0.safetensors")
    for arguments, told in (
        (
            [str(runs / "sorting")],
            "a run of nth-farthest in the plane or of group-word, .* is of sorting; train one with: rel",
        ),
        (["pretrained:nth-farthest-8x16"], "needs dimensions=2, .* has dimensions=16; train one with: rel"),
        ([lstm], "shows an RMC, .* is of the model 'lstm'; train one with: rel"),
        (
            ["--seed", "1"],
            "pretrained:nth-farthest-plane is one training: a seed chooses among those of a run's",
        ),
        (["nowhere"], "there is no run and no file of weights nowhere"),
        (["pretrained:x"], "no pretrained weights are called 'x'"),
        (["y.npz"], "is no readable safetensors file"),
        ([mine, "--seed", "7"], "has rmc with the seeds 0, 1; got 7"),
        ([mine, "--out", "."], "is a folder; only a file can be written there"),
    ):
        assert main(["playground", *arguments]) == 2
        assert re.search(told, capsys.readouterr().err), arguments
    assert not (tmp_path / "playground.html").exists()
