"""examples/agents_in_processes.py: two workers play with the weights that are learned here."""

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "examples" / "agents_in_processes.py"
pytestmark = [
    pytest.mark.torch,
    pytest.mark.slow,
    pytest.mark.skipif(importlib.util.find_spec("torchrl") is None, reason="TorchRL is absent"),
]


def test_two_workers_play_with_the_weights_of_this_process():
    command = [sys.executable, str(SCRIPT), "--workers", "2", "--frames", "6000"]
    told = subprocess.run(command, check=True, capture_output=True, text=True, timeout=300).stdout
    lines = re.findall(r"batch (\d): 2048 frames of 2 workers, cues named [\d.]+, ratio off by (\S+)", told)
    assert [number for number, _ in lines] == ["0", "1", "2"]
    assert max(float(off) for _, off in lines) < 1e-4, "else a worker plays with older weights"
