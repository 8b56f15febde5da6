"""Tables on the screen."""

import io

from rich.console import Console

from relational_rnn.analysis import Table
from relational_rnn.cli.run import print_table


def test_a_narrow_terminal_cuts_nothing():
    console = Console(file=io.StringIO(), width=50)
    columns = ("transformer.learning_rate", "task reached", "validation %", "test %")
    print_table(console, Table(columns, [(True, ["0.016", "3x16", "98.5", "98.3"])]), title="A table")
    title, *lines = console.file.getvalue().splitlines()
    assert title.strip() == "A table"
    words = [line.split() for line in lines]
    assert "".join(row[0] for row in words if row)[: len(columns[0])] == columns[0]
    assert words[-1] == ["0.016", "3x16", "98.5", "98.3"]


def test_names_of_models_stay_whole_in_the_usual_width():
    columns = ("model", "test %", "harder %", "parameters", "seconds", "examples", "to 90 %")
    row = ["Transformer", "100.0 (100.0-100.0)", "13.2 (11.6-14.8)", "76,063", "3,175", "384,000", "153,333"]
    console = Console(file=io.StringIO(), width=80)
    print_table(console, Table(columns, [(True, row)]), title="A table")
    shown = console.file.getvalue().splitlines()[1:]
    assert [line.split()[0] for line in shown] == ["model", "Transformer"]
    assert "params" in shown[0]


def test_a_mean_stands_above_its_range_before_a_name_breaks():
    columns = ("model", "test ppl", "harder ppl", "bits/byte", "parameters", "seconds", "examples")
    row = [
        "uniform",
        "22.75 (18.90-26.61)",
        "23.39 (18.76-28.01)",
        "4.49 (4.24-4.73)",
        "3,327",
        "0",
        "160,000",
    ]
    console = Console(file=io.StringIO(), width=80)
    print_table(console, Table(columns, [(True, row)]), title="A table")
    words = [line.split() for line in console.file.getvalue().splitlines()[1:]]
    assert {"uniform", "3,327", "160,000"} <= set(words[-2])
    assert {"(18.90-26.61)", "(18.76-28.01)"} <= {*words[-1], *words[-2]}
