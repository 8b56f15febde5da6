"""The simulation of more threads runs, and takes wrong numbers for what they are."""

import importlib

import pytest

pytestmark = pytest.mark.torch


@pytest.fixture
def benchmark(scripts, monkeypatch):
    module = importlib.import_module("threads")
    monkeypatch.setattr(
        module, "CONFIGURATIONS", (module.Sizes(6, 3, 5, 4, 3, 2), module.Sizes(1, 2, 3, 4, 3, 2))
    )
    if isinstance(module.library.load(), str):
        pytest.skip(module.library.load())
    return module


def test_it_prints_a_table_of_every_number_of_threads(benchmark, capsys):
    benchmark.main(["--rounds", "2", "--threads", "2", "4"])
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(" | ")[:4] for line in lines[2:4]] == [
        [
            "| 6, 3, 5, 4, 3, 2",
            "2",
            "1.00",
            "3",
        ],  # forward, backward, sums; the inputs are too few
        ["| 6, 3, 5, 4, 3, 2", "4", "0.75", "3"],
    ]
    for line in lines[2:4]:
        efficiency = float(line.rstrip(" |").split(" | ")[-1])
        assert 0 < efficiency < 2
    assert not lines[4].startswith("|")


def test_a_number_below_1_is_refused(benchmark, capsys):
    with pytest.raises(SystemExit):
        benchmark.main(["--threads", "0"])
    assert "--threads and --rounds must be 1 or more" in capsys.readouterr().err
