"""The scripts of benchmarks/ as modules: they import each other by name."""

from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parent.parent.parent / "benchmarks"


@pytest.fixture
def scripts(monkeypatch, tmp_path):
    """Make `import run` find benchmarks/run.py; what is published goes to a temporary folder."""
    pytest.importorskip("torch")
    monkeypatch.syspath_prepend(BENCHMARKS)
    import pages

    page = tmp_path / "page.md"
    page.write_text("before\n<!-- numpy-core -->\n<!-- /numpy-core -->\nafter\n")
    monkeypatch.setattr(pages, "PAGE", page)
    monkeypatch.setattr(pages, "RECORDS", tmp_path / "records")
    return pages
