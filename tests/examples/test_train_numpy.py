"""examples/train_numpy.py as a learner runs it: a process of its own, in an empty directory."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.smoke
SCRIPT = Path(__file__).parents[2] / "examples" / "train_numpy.py"


def test_it_trains_scores_draws_and_goes_on(tmp_path):
    pytest.importorskip("matplotlib")
    command = [sys.executable, SCRIPT, "--steps", "3", "--figure"]
    for _ in range(2):  # the second time the training is finished already
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, "")
        assert re.search(r"^trained 3 steps in \d+ s, best after 3$", done.stdout, re.MULTILINE)
        assert len(re.findall(r"accuracy +[\d.]+%, majority [\d.]+%", done.stdout)) == 2
    assert {path.name for path in tmp_path.iterdir()} == {"sorting.safetensors", "memory_evolution.png"}
