"""The benchmark of writing prints a row for every length, and draws them."""

import importlib

import pytest

pytestmark = pytest.mark.torch


def test_a_transformer_keeps_more_from_length_to_length_and_others_do_not(
    scripts, tmp_path, capsys, monkeypatch
):
    module = importlib.import_module("generation")
    monkeypatch.setattr(module, "WRITTEN", 1)
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
    assert kept["RMC"][0] == kept["RMC"][1] == 256
    assert kept["LSTM"][0] == kept["LSTM"][1]
    assert kept["Transformer, all kept"][1] * 4 == kept["Transformer, all kept"][0] * 10
    assert finding.startswith("After 9 tokens RMC writes ")
    assert (tmp_path / "speed.png").exists()


def test_a_wrong_length_is_told(scripts, capsys):
    with pytest.raises(SystemExit):
        importlib.import_module("generation").main(["--lengths", "0"])
    assert "--lengths must be at least 1, got 0" in capsys.readouterr().err
