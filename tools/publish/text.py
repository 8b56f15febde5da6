"""How numbers and tables are written on a page."""

from __future__ import annotations

from collections.abc import Sequence

from relational_rnn.analysis import Table
from tools.publish.records import Record, command


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


def markdown(columns: Sequence[str], rows: Sequence[Sequence[str]], rule: str = "---") -> str:
    """Return a table as the pages have it.

    Args:
        columns: their heads.
        rows: their cells.
        rule: what stands under a head, with its spaces.
    """
    lines = [" | ".join(cells).join(("| ", " |")) for cells in (columns, *rows)]
    return "\n".join([lines[0], f"|{'|'.join([rule] * len(columns))}|", *lines[1:]])


def as_markdown(table: Table) -> str:
    """Return a table of `analysis` as the pages have it."""
    rows = [[f"**{cell}**" if bold and cell else cell for cell in cells] for bold, cells in table.rows]
    return markdown(table.columns, rows, rule=" --- ")


def commands(records: Sequence[Record]) -> str:
    """Return the commands that make records again, as a block."""
    lines = "\n".join(map(command, records))
    return f"```sh\n{lines}\n```"
