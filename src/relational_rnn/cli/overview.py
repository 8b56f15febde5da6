"""What a person sees while many runs train: those that are running, and a line for each that has ended."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.table import Table

from relational_rnn.cli.progress import Display, numbers_of
from relational_rnn.tasks.score import ACCURACY, Score


class Overview(Display):
    """Shows the records of many runs, a row for each that is running.

    Args:
        console: where to.
        total: runs, of this command or of all workers on its study.
        done: of them when it begins.
        of: what the task is scored by.
        stages: whether the task grows.
    """

    def __init__(
        self, console: Console, *, total: int, done: int, of: Score = ACCURACY, stages: bool = False
    ) -> None:
        self.total, self.done = total, done
        super().__init__(console, {}, numbers_of(of), stages=stages)

    def show(self, name: str, record: dict[str, Any]) -> None:
        """Take note of a record of a process, or of the end of its run.

        Args:
            name: of the process.
            record: `label` names the run if the process does not; `training`, which only the end of a run
                lacks, the training in it, if there are several.
        """
        label = record.get("label", name)
        if "training" not in record:
            self.done += 1
            self._forget(name)
            self._console.print(f"[{self.done}/{self.total}] {label}: {_ending(record)}")
            return
        label += f": {record['training']}" if record["training"] else ""
        if self._labels.get(name) != label:
            self._labels[name], self._latest[name] = label, {}
        super().show(name, {key: value for key, value in record.items() if key not in ("label", "training")})

    def _forget(self, name: str) -> None:
        self._labels.pop(name, None)
        if self._live:
            self._live.update(self._table())

    def _table(self) -> Table:
        table = super()._table()
        table.title, table.title_justify = f"{self.done} of {self.total} runs have ended", "left"
        return table


def _score(score: dict[str, Any]) -> str:
    """Return the test score of a training: its perplexity if it has one."""
    known = "test_perplexity" in score
    return f"perplexity {score['test_perplexity']:,.2f}" if known else f"{score['test_accuracy']:.1%}"


def _ending(run: dict[str, Any]) -> str:
    """Return in words what `experiment.read_scores` found."""
    several = len(run["models"]) + len(run["diverged"]) > 1
    told = {name: f"diverged ({reason})" for name, reason in run["diverged"].items()}
    told |= {
        name: f"test {_score(score)} after {score['seconds']:.0f} s" for name, score in run["models"].items()
    }
    return ", ".join(f"{name} {what}" if several else what for name, what in told.items())
