"""The benchmark of the NumPy core runs, times nothing that differs, and its page equals its records."""

import importlib.util
import json
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
RECORDS = sorted((ROOT / "docs" / "results" / "benchmarks").glob("numpy_core*.json"))
torch = pytest.importorskip("torch")
pytestmark = pytest.mark.torch


@pytest.fixture
def benchmark(monkeypatch):
    spec = importlib.util.spec_from_file_location("numpy_core", ROOT / "benchmarks" / "numpy_core.py")
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        monkeypatch.setenv(variable, "1")  # the benchmark sets them; this puts back what was there
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "CONFIGURATIONS", (module.Sizes(2, 3, 5, 4, 3, 2),))
    threads = torch.get_num_threads()
    yield module
    torch.set_num_threads(threads)


def test_it_prints_and_keeps_a_table(benchmark, monkeypatch, tmp_path, capsys):
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- a-record -->\n<!-- /a-record -->\nafter\n")
    monkeypatch.setattr(benchmark, "PAGE", page)
    benchmark.main(["--rounds", "1", "--json", str(tmp_path / "a_record.json")])
    record = json.loads((tmp_path / "a_record.json").read_text())
    (row,) = record["rows"]
    assert row["sizes"] == [2, 3, 5, 4, 3, 2]
    assert set(row["milliseconds"]) == {"NumPy core", "torch core, eager"}
    printed = capsys.readouterr().out
    assert "| 2, 3, 5, 4, 3, 2 |" in printed
    assert page.read_text() == f"before\n<!-- a-record -->\n{printed}<!-- /a-record -->\nafter\n"


def test_it_times_nothing_when_the_cores_differ(benchmark, monkeypatch):
    monkeypatch.setattr(benchmark, "set_parameters", lambda core, parameters: None)
    with pytest.raises(SystemExit, match=r"differs by .* nothing is timed"):
        benchmark.main(["--rounds", "1"])


def test_the_port_is_loaded_with_one_line_replaced(benchmark, tmp_path):
    file = tmp_path / "port.py"
    file.write_text("def scale(q):\n    q *= (2 ** -0.5)\n    return q\n")
    q = torch.ones(1)
    assert benchmark.load_port(file).scale(q) != q
    assert q == 1
    file.write_text("def scale(q):\n    return q\n")
    with pytest.raises(SystemExit, match="has no line that scales q"):
        benchmark.load_port(file)


def test_the_page_equals_its_records(benchmark):
    page = benchmark.PAGE.read_text()
    assert RECORDS
    for path in RECORDS:
        assert f"<!-- {benchmark.place(path)} -->" in page
        filled = benchmark.fill(page, benchmark.place(path), json.loads(path.read_text()))
        assert filled == page, f"run benchmarks/numpy_core.py with --json {path.name} again"


@pytest.mark.parametrize("path", RECORDS, ids=lambda path: path.stem)
def test_the_published_times_are_at_most_the_ports(path):
    rows = json.loads(path.read_text())["rows"]
    assert len(rows) == 5
    for row in rows:
        assert row["milliseconds"]["NumPy core"] <= row["milliseconds"]["PyTorch port"]
