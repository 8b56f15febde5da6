"""`relational-rnn tasks list` and `relational-rnn tasks sample`: which tasks there are, and what they ask."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import tyro

from relational_rnn.cli.arguments import NUMBERS, check_first
from relational_rnn.training.screen import say_error


@dataclass(frozen=True, kw_only=True)
class TasksList:
    """List the tasks, with the score that a model gets without understanding them."""

    def run(self) -> int:
        """Print one paragraph a task; return the exit code."""
        from relational_rnn.tasks import TASKS

        for entry in TASKS.values():
            print(f"{entry.name}\n    {entry.description}\n    trivial score: {entry.trivial}")
        return 0


@dataclass(frozen=True, kw_only=True)
class TasksSample:
    """Show examples of a task, as text or as JSON."""

    task: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="TASK")]
    """Name of the task; `relational-rnn tasks list` knows them."""
    count: int = 1
    """Examples to show."""
    seed: int = 0
    """Seed of the examples; the same seed shows the same ones."""
    json: tyro.conf.FlagCreatePairsOff[bool] = False
    """Print one JSON object a line instead of text."""
    objects: Annotated[int | None, tyro.conf.arg(metavar="INT")] = None
    """Objects in a sequence, if not the task's own number."""
    dimensions: Annotated[int | None, tyro.conf.arg(metavar="INT")] = None
    """Dimensions of an object, if not the task's own number."""
    nesting: Annotated[int | None, tyro.conf.arg(metavar="INT")] = None
    """Operations of a program, if not the task's own number."""
    length: Annotated[int | None, tyro.conf.arg(metavar="INT")] = None
    """Digits of a literal or of a text to memorise, if not the task's own number."""
    tasks: Annotated[tuple[int, ...], tyro.conf.arg(metavar="INT")] = ()
    """bAbI: numbers of its tasks, if not all 20."""
    synthetic: tyro.conf.FlagCreatePairsOff[bool] = False
    """bAbI: stories of our own instead of its files, for tasks 1, 2, 3, 7, 8, 17 and 18."""

    def run(self) -> int:
        """Print the examples; return the exit code."""
        from relational_rnn.tasks import find_task

        sizes = {name: getattr(self, name) for name in ("objects", "dimensions", "nesting", "length")}
        sizes |= {"tasks": self.tasks or None, "synthetic": self.synthetic or None}
        try:
            entry = find_task(self.task)
            task = entry.factory(**{name: size for name, size in sizes.items() if size is not None})
            examples = entry.records(task, self.count, self.seed)
        except ValueError as wrong:
            say_error(f"error: {wrong}")
            return 2
        for number, record in enumerate(examples, start=1):
            if self.json:
                print(json.dumps(record), flush=True)
            else:
                heading = f"Example {number} of {self.count}"
                print(f"{heading}\n{'-' * len(heading)}\n{entry.as_text(record)}\n", flush=True)
        return 0


def main(argv: Sequence[str]) -> int:
    """Run `tasks list` or `tasks sample`; return the exit code."""
    commands: dict[str, Any] = {"list": TasksList, "sample": TasksSample}
    check_first("tasks", "command", argv, commands)
    command: TasksList | TasksSample = tyro.extras.subcommand_cli_from_dict(
        commands, prog="relational-rnn tasks", args=list(argv), registry=NUMBERS
    )
    return command.run()
