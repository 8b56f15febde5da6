"""The benchmark of writing prints a row for every length, and draws them."""

import importlib

import pytest

from relational_rnn.recipes import find_recipe
from relational_rnn.training.config import with_values

pytestmark = pytest.mark.torch


def test_a_transformer_keeps_more_from_length_to_length_and_others_do_not(
    scripts, tmp_path, capsys, monkeypatch
):
    module = importlib.import_module("generation")
    tiny = with_values(find_recipe("language", "tiny"), {"seeds": 1})
    monkeypatch.setattr(module, "WRITTEN", 1)
    monkeypatch.setattr(module, "find_recipe", lambda *names: tiny)
    module.main(["--rounds", "1", "--lengths", "3", "9", "--figure", str(tmp_path / "speed.png")])
    told, finding = capsys.readouterr().out.split("\n\n")
    head, _, *rows = told.splitlines()
    names = head.strip("| ").split(" | ")
    kept = {
        name.removesuffix(", keeps"): [
            int(row.strip("| ").split(" | ")[place].replace(",", "")) for row in rows
        ]
        for place, name in enumerate(names)
        if name.endswith(", keeps")
    }
    assert kept["RMC"][0] == kept["RMC"][1] == 16
    assert kept["LSTM"][0] == kept["LSTM"][1]
    assert kept["Transformer, all kept"][1] == 3 * kept["Transformer, all kept"][0]
    assert finding.startswith("After 9 tokens RMC writes ")
    assert (tmp_path / "speed.png").exists()


def test_a_wrong_length_is_told(scripts, capsys):
    with pytest.raises(SystemExit):
        importlib.import_module("generation").main(["--lengths", "0"])
    assert "--lengths must be at least 1, got 0" in capsys.readouterr().err
