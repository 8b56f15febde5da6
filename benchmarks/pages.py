"""The gate before the benchmarks, and what becomes of their records: JSON files and tables in the docs."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from relational_rnn.training.files import write_text

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "performance.md"
RECORDS = ROOT / "docs" / "results" / "benchmarks"
FIGURES = ROOT / "docs" / "results" / "figures"
PARITY = ("tests/parity", "tests/kernels", "tests/golden")
"""The tests that have to pass before anything is timed."""


def check_parity() -> None:
    """Run the parity tests; leave with a message if one of them fails."""
    command = [sys.executable, "-m", "pytest", "-m", "not slow", *PARITY]
    if subprocess.run(command, cwd=ROOT, check=False).returncode:
        sys.exit("the parity tests do not pass: nothing is timed")


def save(name: str, record: dict[str, Any]) -> Path:
    """Write a record as JSON, one row a line; return its file."""
    rows = ",\n".join(f"  {json.dumps(row)}" for row in record["rows"])
    head = json.dumps({key: value for key, value in record.items() if key != "rows"}, indent=1)
    path = RECORDS / f"{name}.json"
    RECORDS.mkdir(exist_ok=True)
    write_text(path, f'{head[:-2]},\n "rows": [\n{rows}\n ]\n}}\n')
    return path


def fill(page: str, place: str, table: str) -> str:
    """Return the page with the table between `<!-- place -->` and `<!-- /place -->`."""
    around = re.compile(rf"(<!-- {place} -->\n).*?(<!-- /{place} -->)", re.DOTALL)
    return around.sub(lambda match: f"{match[1]}{table}\n{match[2]}", page)


def markdown(header: list[str], rows: list[list[str]]) -> str:
    """Return a table in Markdown; all columns but the first are numbers."""
    lines = [header, ["---", *["---:"] * (len(header) - 1)], *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)
