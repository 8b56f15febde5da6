"""The benchmark of the NumPy core runs, times nothing that differs, and its page equals its records."""

import importlib
import json
import os
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
RECORDS = sorted((ROOT / "docs" / "results" / "benchmarks").glob("numpy_core*.json"))
pytestmark = pytest.mark.torch


@pytest.fixture
def benchmark(scripts, monkeypatch):
    module = importlib.import_module("numpy_core")
    monkeypatch.setattr(module, "CONFIGURATIONS", (module.Sizes(2, 3, 5, 4, 3, 2),))
    return module


def test_it_prints_and_keeps_a_table(benchmark, scripts, tmp_path, capsys):
    benchmark.main(["--rounds", "1", "--json", str(tmp_path / "numpy_core.json")])
    record = json.loads((tmp_path / "numpy_core.json").read_text())
    (row,) = record["rows"]
    assert row["sizes"] == [2, 3, 5, 4, 3, 2]
    assert set(row["milliseconds"]) == {"NumPy core", "torch core, eager"}
    printed = capsys.readouterr().out
    assert "| 2, 3, 5, 4, 3, 2 |" in printed
    assert scripts.PAGE.read_text() == f"before\n<!-- numpy-core -->\n{printed}<!-- /numpy-core -->\nafter\n"


def test_it_times_nothing_when_the_cores_differ(benchmark, monkeypatch):
    from relational_rnn.interop import agreement

    monkeypatch.setattr(agreement, "set_parameters", lambda core, parameters: None)
    with pytest.raises(SystemExit, match=r"differs by .* nothing is timed"):
        benchmark.main(["--rounds", "1"])


@pytest.mark.skipif(os.name == "nt", reason="pipes")
def test_a_target_that_is_no_file_is_told_before_anything_is_timed(benchmark, tmp_path, monkeypatch):
    monkeypatch.setattr(benchmark, "check", None)  # is not reached
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ValueError, match=r"pipe is a pipe \(FIFO\)"):
        benchmark.main(["--json", str(tmp_path / "pipe")])


def test_the_page_equals_its_records(benchmark, scripts):
    page = (ROOT / "docs" / "performance.md").read_text()
    assert RECORDS
    for path in RECORDS:
        assert f"<!-- {benchmark.place(path)} -->" in page
        table = benchmark.table(json.loads(path.read_text()))
        filled = scripts.fill(page, benchmark.place(path), table)
        assert filled == page, f"run benchmarks/numpy_core.py with --json {path.name} again"


@pytest.mark.parametrize("path", RECORDS, ids=lambda path: path.stem)
def test_the_published_times_are_at_most_the_ports(path):
    rows = json.loads(path.read_text())["rows"]
    assert len(rows) == 5
    for row in rows:
        assert row["milliseconds"]["NumPy core"] <= row["milliseconds"]["PyTorch port"]
