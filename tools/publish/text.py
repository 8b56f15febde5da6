"""How numbers and tables are written on a page, and how many seeds have to stand behind them.

A number in a sentence is a mean over at least `FEWEST_SEEDS` seeds. A table has such means too, or says in
its head that it has one seed.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Final

from relational_rnn.analysis import Table
from relational_rnn.analysis.style import mean_and_range
from tools.publish.records import Record, command

FEWEST_SEEDS: Final = 3

ONE_SEED: Final = "one seed"
"""Stands in the head of a table whose numbers are of one."""


def percent(value: float) -> str:
    """Write a share as a person reads it.

    Example:
        >>> percent(0.973)
        '97.3 %'
    """
    return f"{value:.1%}".replace("%", " %")


def whole_percent(value: float) -> str:
    """Write a share of whole percents as a person reads it."""
    return f"{value:.0%}".replace("%", " %")


def check_seeds(record: str, sentence: str, seeds: Collection[int]) -> None:
    """Refuse a sentence whose number is of too few seeds.

    Raises:
        ValueError: it is of fewer than `FEWEST_SEEDS`.
    """
    known = sorted(set(seeds))
    if len(known) < FEWEST_SEEDS:
        raise ValueError(
            f"a number in a sentence is of at least {FEWEST_SEEDS} seeds; {record} has "
            f"{', '.join(map(str, known)) or 'none'} for {sentence!r}"
        )


def in_sentence(record: str, sentence: str, scores: Mapping[int, float]) -> str:
    """Return a sentence with the mean of a score over its seeds, the lowest and the highest.

    Args:
        record: where the scores come from.
        sentence: with {} where the number goes, in percent.
        scores: seed -> share.

    Raises:
        ValueError: there are fewer than `FEWEST_SEEDS`.

    Example:
        >>> in_sentence("short", "RMC {}", {0: 0.93, 1: 0.92, 2: 0.94})
        'RMC 93.0 (92.0–94.0) %'
    """
    check_seeds(record, sentence, scores.keys())
    return sentence.format(f"{mean_and_range(list(scores.values()))} %")


def head(column: str, seeds: int) -> str:
    """Return the head of a table's first column, which says so if the numbers are of one seed.

    Args:
        column: what stands in it.
        seeds: how many each number is the mean of.

    Raises:
        ValueError: they are too few for a mean and more than one.

    Example:
        >>> head("model", 1), head("model", 3)
        ('model, one seed', 'model')
    """
    if 1 < seeds < FEWEST_SEEDS:
        raise ValueError(f"a mean in a table is of at least {FEWEST_SEEDS} seeds, got {seeds}")
    return column if seeds > 1 else f"{column}, {ONE_SEED}"


def markdown(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table as the pages have it."""
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def as_markdown(table: Table, first: str) -> str:
    """Return a table of `analysis` as the pages have it, with the head of its first column."""
    rows = [[f"**{cell}**" if bold and cell else cell for cell in cells] for bold, cells in table.rows]
    return markdown([first, *table.columns[1:]], rows)


def commands(records: Sequence[Record]) -> str:
    """Return the commands that make records again, as a block."""
    lines = "\n".join(map(command, records))
    return f"```sh\n{lines}\n```"
