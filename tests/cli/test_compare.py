"""`compare` is `train` with other defaults."""

import json

import pytest

from relational_rnn.cli.compare import DEFAULTS
from relational_rnn.cli.main import main
from relational_rnn.cli.train import parse
from relational_rnn.recipes import RECIPES
from relational_rnn.training.models import MODELS

pytestmark = pytest.mark.torch
pytest.importorskip("torch")


@pytest.mark.parametrize("task", RECIPES)
def test_defaults_and_flags(task):
    config = parse(task, [], command="compare", defaults=DEFAULTS).run
    assert config.model.models == ("rmc", "lstm", "gru", "transformer", "dnc")
    assert (config.seeds, config.runtime.framework) == (3, "torch")
    config = parse(task, ["--models", "all", "--seeds", "1"], defaults=DEFAULTS).run
    assert config.model.models == tuple(MODELS)
    assert config.seeds == 1


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize("task", ["nth-farthest", pytest.param("double", marks=pytest.mark.slow)])
def test_a_comparison(task, tmp_path, capsys):
    out = tmp_path / "run"
    flags = ["--preset", "tiny", "--models", "rmc,gru", "--seeds", "2", "--steps", "4"]
    assert main(["compare", task, *flags, "--out", str(out)]) == 0
    assert "GRU" in capsys.readouterr().out
    results = json.loads((out / "results.json").read_text())
    assert list(results["models"]) == ["rmc", "gru"]
    assert main(["compare", task, "--out", str(out), "--resume"]) == 0  # finished: drawn again only


def test_wrong_use(capsys):
    assert main(["compare"]) == 2
    assert "which task? relational-rnn compare TASK" in capsys.readouterr().err
    assert main(["compare", "sorting", "--framework", "numpy"]) == 2
    assert (
        "framework='numpy' has the models rmc, hybrid, lstm; got 'gru', which framework='torch' has"
        in capsys.readouterr().err
    )
