"""The benchmark of R2Gen's memory prints its table, and nothing when the memories differ."""

import importlib

import pytest

pytestmark = pytest.mark.torch

SHORT = ["--rounds", "1", "--tokens", "2", "4"]
THEIRS = """
import torch
from relational_rnn.interop.r2gen import R2GenMemory, load_r2gen

class RelationalMemory(R2GenMemory):
    def __init__(self, num_slots, d_model, num_heads=1):
        super().__init__(d_model, num_slots, num_heads)

    def load_state_dict(self, theirs):
        super().load_state_dict(load_r2gen(theirs, self.num_heads, self.num_slots).state_dict())

    def init_memory(self, batch_size):
        return self.initial_state(batch_size)

    def forward(self, inputs, memory):
        return super().forward(inputs, memory)[0] + WRONG
"""


@pytest.fixture
def benchmark(scripts, monkeypatch):
    module = importlib.import_module("r2gen")
    monkeypatch.setattr(module, "SIZES", {"d_model": 8, "num_slots": 3, "num_heads": 2})
    return module


def folder(tmp_path, monkeypatch, wrong):
    """A folder like R2Gen's, whose class is off by `wrong`."""
    import sys

    (tmp_path / "modules").mkdir()
    (tmp_path / "modules" / "encoder_decoder.py").write_text(THEIRS.replace("WRONG", wrong))
    monkeypatch.setattr(sys, "path", list(sys.path))
    for name in ("modules", "modules.encoder_decoder"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    return [*SHORT, "--r2gen", str(tmp_path)]


def test_it_prints_a_row_for_every_length(benchmark, capsys):
    benchmark.main(SHORT)
    head, _, *rows = capsys.readouterr().out.split("\n\n")[0].splitlines()
    assert "ours, run again, ms | ours, carried, ms" in head
    assert [row.split(" | ")[0] for row in rows] == ["| 2", "| 4"]


def test_theirs_stands_beside(benchmark, tmp_path, monkeypatch, capsys):
    benchmark.main(folder(tmp_path, monkeypatch, "0"))
    assert "| R2Gen's code, ms |" in capsys.readouterr().out


def test_it_reports_nothing_when_they_differ(benchmark, tmp_path, monkeypatch, capsys):
    with pytest.raises(SystemExit, match=r"the memories differ by 1.0e-06 after 2 tokens"):
        benchmark.main(folder(tmp_path, monkeypatch, "1e-6"))
    assert not capsys.readouterr().out


def test_a_folder_without_it_is_told(benchmark, tmp_path, capsys):
    with pytest.raises(SystemExit):
        benchmark.main(["--r2gen", str(tmp_path)])
    assert "must be a folder with modules/encoder_decoder.py" in capsys.readouterr().err
