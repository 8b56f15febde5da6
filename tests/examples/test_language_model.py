"""examples/language_model.py learns a text, and refuses what it cannot read."""

import re
import runpy
from pathlib import Path

import pytest

from relational_rnn.tasks.language.made import PEOPLE

pytest.importorskip("torch")
pytestmark = pytest.mark.torch

SCRIPT = Path(__file__).parents[2] / "examples" / "language_model.py"


def told(monkeypatch, capsys, *arguments):
    monkeypatch.setattr("sys.argv", [str(SCRIPT), *map(str, arguments)])
    runpy.run_path(str(SCRIPT), run_name="__main__")
    lines = re.findall(r"^step +(\d+) +\d+ s +([\d.]+) nats  (.*)$", capsys.readouterr().out, re.M)
    return [int(step) for step, *_ in lines], [float(nats) for _, nats, _ in lines], lines[-1][2]


def test_a_text_of_ones_own(monkeypatch, capsys, tmp_path):
    (tmp_path / "book.txt").write_text("ein Ärger / " * 600, encoding="utf-8")
    steps, nats, written = told(monkeypatch, capsys, tmp_path / "book.txt", "--steps", 13)
    assert steps == [2, 4, 6, 8, 10, 12, 13]
    assert nats[-1] < nats[0] - 0.3
    assert set(written) <= set("ein Ärger / ")


@pytest.mark.slow
def test_it_learns_to_write_sentences(monkeypatch, capsys):
    steps, nats, written = told(monkeypatch, capsys)
    assert steps[-1] == 300
    assert nats[-1] < 0.2
    assert set(PEOPLE) & set(written.split())


@pytest.mark.parametrize(
    ("arguments", "text", "wrong"),
    [
        ([], None, "cannot be read: .*No such file"),
        ([], b"\xff" * 9_000, "cannot be read: .*codec can't decode"),
        ([], b"short", "a text must have at least 4,096 characters, got 5"),
        (["--steps", "0"], b"a", "--steps must be at least 1"),
    ],
)
def test_wrong_use(monkeypatch, capsys, tmp_path, arguments, text, wrong):
    if text is not None:
        (tmp_path / "text").write_bytes(text)
    with pytest.raises(SystemExit) as left:
        told(monkeypatch, capsys, tmp_path / "text", *arguments)
    assert left.value.code == 2
    assert re.search(wrong, capsys.readouterr().err)
