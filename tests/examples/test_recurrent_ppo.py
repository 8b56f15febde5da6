"""examples/recurrent_ppo.py prints a line a core, and every core learns."""

import re
import runpy
from pathlib import Path

import pytest

pytest.importorskip("torch")
pytest.importorskip("gymnasium")
pytestmark = pytest.mark.torch

SCRIPT = Path(__file__).parents[2] / "examples" / "recurrent_ppo.py"


def test_it_prints_a_line_a_core(monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", [str(SCRIPT), "--frames", "1000", "--seeds", "2", "--delay", "0"])
    runpy.run_path(str(SCRIPT), run_name="__main__")
    told = re.findall(
        r"^(\w+): [\d.]+% of the cues, [\d.]+% to [\d.]+% over 2 seeds$", capsys.readouterr().out, re.M
    )
    assert told == ["RMC", "LSTM", "GRU"]


@pytest.mark.slow
@pytest.mark.parametrize("core", ["RMC", "LSTM", "GRU"])
def test_every_core_learns_to_remember(core):
    script = runpy.run_path(str(SCRIPT))
    assert script["score"](core, script["CueRecall"](), 60_000, 0) > 0.95  # chance is a quarter
