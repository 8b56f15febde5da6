"""examples/few_examples.py as a learner runs it: a process of its own, and its table."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("torch")
pytestmark = pytest.mark.torch
ROW = r"^\| (.+?) \| [\d.]+ \(.+\) \| [\d.]+ \(.+\) \|$"
SCRIPT = Path(__file__).parents[2] / "examples" / "few_examples.py"


def test_it_trains_every_row_and_prints_the_table_of_the_page():
    command = [sys.executable, SCRIPT, "--seeds", "2", "--steps", "11"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    rows = re.findall(ROW, done.stdout, re.MULTILINE)
    page = (SCRIPT.parents[1] / "docs" / "your_data.md").read_text("utf-8")
    assert rows == re.findall(ROW, page, re.MULTILINE)
    assert re.search(r"^Guessing the most frequent class: 35\.0 %\.$", done.stdout, re.MULTILINE)
    refused = subprocess.run([*command[:2], "--seeds", "0"], capture_output=True, text=True, check=False)
    assert refused.returncode == 2
    assert "--seeds and --steps must be 1 or more, got 0 and 300" in refused.stderr
