"""What a person sees while a run trains: a live table on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import time
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Final

from rich.console import Console
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table

from relational_rnn.tasks.score import ACCURACY, Score

LINE_SECONDS = 10.0


class Display:
    """Shows the records of a run as they come; use it as a context manager.

    Args:
        console: where to.
        labels: of the run's trainings by name, in the order of the rows.
        numbers: heading -> the key of records that it shows, and how.
        counted: what trainings see: a key of the records.
        stages: whether the task grows.
    """

    def __init__(
        self,
        console: Console,
        labels: dict[str, str],
        numbers: Mapping[str, tuple[str, str]],
        *,
        counted: str = "examples",
        stages: bool = False,
    ) -> None:
        self._console = console
        self._labels = labels
        self._numbers = numbers
        self._counted = counted
        self._columns = (*(("stage",) if stages else ()), *numbers, f"{counted}/s", "time left")
        self._latest: dict[str, dict[str, Any]] = {name: {} for name in self._labels}
        self._last_line: dict[str, float] = {}
        self._live = (
            Live(self._table(), console=console, refresh_per_second=4) if console.is_terminal else None
        )

    def __enter__(self) -> Display:
        if self._live:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live:
            self._live.update(self._table())
            self._live.stop()

    def show(self, name: str, record: dict[str, Any]) -> None:
        """Take note of a training's record and show it."""
        latest = self._latest[name]
        elapsed = record["seconds"] - latest.get("seconds", 0.0)
        if elapsed > 0 and "seconds" in latest:
            speed = (record[self._counted] - latest[self._counted]) / elapsed
            latest["speed"] = 0.8 * latest.get("speed", speed) + 0.2 * speed
        latest.update(record)
        if self._live:
            self._live.update(self._table())
        elif time.monotonic() - self._last_line.get(name, -LINE_SECONDS) >= LINE_SECONDS:
            self._last_line[name] = time.monotonic()
            cells = zip(self._columns, self._cells(name), strict=True)
            told = ", ".join(f"{column} {cell}" for column, cell in cells if cell != "-")
            self._console.print(f"{self._labels[name]}: {told}")

    def _table(self) -> Table:
        table = Table(box=None, pad_edge=False, header_style="bold")
        table.add_column("training")  # gives way on a narrow terminal, the numbers do not
        table.add_column("", width=8)
        for column in self._columns:
            table.add_column(column, justify="right", no_wrap=True)
        for name, label in self._labels.items():
            done = self._latest[name].get("progress", 0.0)
            table.add_row(label, ProgressBar(total=1.0, completed=done, width=8), *self._cells(name))
        return table

    def _cells(self, name: str) -> list[str]:
        record = self._latest[name]
        progress, seconds = record.get("progress", 0.0), record.get("seconds", 0.0)
        left = seconds * (1 - progress) / progress if progress else None
        stage = "x".join(map(str, record["sizes"].values())) if "sizes" in record else "-"
        return [
            *([stage] if "stage" in self._columns else []),
            *(_number(record.get(key), form) for key, form in self._numbers.values()),
            _number(record.get("speed"), "{:,.0f}"),
            "diverged"
            if "diverged" in record
            else "done"
            if progress >= 1
            else _number(left, "{:.0f} s")
            if record
            else "waits",
        ]


def numbers_of(score: Score) -> dict[str, tuple[str, str]]:
    """Return what is shown of a training whose task has such a score.

    Example:
        >>> list(numbers_of(ACCURACY))
        ['loss', 'batch', 'validation']
    """
    loss, held_out = ("loss", "{:.3f}"), (f"validation_{score.key}", score.form)
    if score is ACCURACY:
        return {"loss": loss, "batch": ("accuracy", "{:.0%}"), "validation": held_out}
    return {"loss": loss, f"validation {score.name}": held_out}


NUMBERS_OF_AGENTS: Final = {
    "return": ("mean_return", "{:.2f}"),
    "on held-out levels": ("curve_return", "{:.2f}"),
}
"""What is shown of an agent that learns."""


def _number(value: float | None, form: str) -> str:
    return "-" if value is None else form.format(value)
