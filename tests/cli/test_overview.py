"""What is shown while many runs train."""

import io

from rich.console import Console

from relational_rnn.cli.overview import Overview

RECORD = {"step": 10, "seconds": 1.0, "examples": 160, "progress": 0.5, "loss": 2.5}
ENDED = {"seed": 0, "diverged": {}, "models": {"rmc": {"test_accuracy": 0.75, "seconds": 12.3}}}


def show(*records, terminal):
    console = Console(file=io.StringIO(), force_terminal=terminal, width=100, highlight=False, markup=False)
    with Overview(console, total=5, done=1, stages=False) as overview:
        for name, record in records:
            overview.show(name, record)
        rows = list(overview._table().columns[0].cells)
    return console.file.getvalue(), rows


def test_running_runs_have_a_row_and_ended_ones_a_line():
    shown, rows = show(
        ("base, seed 0", {"training": "", **RECORD}),
        ("base, seed 1", {"training": "lstm-1", **RECORD}),
        ("base, seed 0", ENDED),
        ("worker 1", {"label": "trial 3, seed 0", "training": "", **RECORD}),
        (
            "worker 1",
            {"label": "trial 3, seed 0", "seed": 0, "models": {}, "diverged": {"rmc": "the loss is nan"}},
        ),
        ("worker 1", {"label": "trial 4, seed 0", "training": "", **RECORD}),
        terminal=True,
    )
    assert "[2/5] base, seed 0: test 75.0% after 12 s" in shown
    assert "[3/5] trial 3, seed 0: diverged (the loss is nan)" in shown
    assert "3 of 5 runs have ended" in shown
    assert rows == ["base, seed 1: lstm-1", "trial 4, seed 0"]


def test_without_a_terminal_there_are_lines():
    shown, _ = show(
        ("worker 0", {"label": "trial 0, seed 0", "training": "", **RECORD}),
        ("worker 0", {"label": "trial 0, seed 0", **ENDED}),
        terminal=False,
    )
    assert shown.splitlines() == [
        "trial 0, seed 0: loss 2.500, time left 1 s",
        "[2/5] trial 0, seed 0: test 75.0% after 12 s",
    ]
