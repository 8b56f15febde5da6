"""`relational-rnn tasks list` and `relational-rnn tasks sample`: which tasks there are, and what they ask."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Generic

import tyro

from relational_rnn.cli.arguments import NUMBERS, check_first, read
from relational_rnn.cli.train import T, split_task, spread_lists
from relational_rnn.tasks import TASKS
from relational_rnn.training.screen import say_error


@dataclass(frozen=True, kw_only=True)
class TasksList:
    """List the tasks, with the score that a model gets without understanding them."""


@dataclass(frozen=True, kw_only=True)
class TasksSample(Generic[T]):
    """Show examples of a task, as text or as JSON."""

    task: Annotated[T, tyro.conf.arg(name="")]
    """What is asked; without this line --help would look for one in the source of `typing.Generic`."""
    count: int = 1
    """Examples to show."""
    seed: int = 0
    """Seed of the examples; the same seed shows the same ones."""
    json: tyro.conf.FlagCreatePairsOff[bool] = False
    """Print one JSON object a line instead of text."""


def main(argv: Sequence[str]) -> int:
    """Run `tasks list` or `tasks sample`; return the exit code."""
    commands: dict[str, Any] = {"list": TasksList, "sample": TasksSample[Any]}
    check_first("tasks", "command", argv, commands)
    if argv[:1] == ["sample"]:
        return sample(argv[1:])
    tyro.extras.subcommand_cli_from_dict(
        commands, prog="relational-rnn tasks", args=list(argv), registry=NUMBERS
    )
    for entry in TASKS.values():
        print(f"{entry.name}\n    {entry.description}\n    trivial score: {entry.trivial}")
    return 0


def sample(argv: Sequence[str]) -> int:
    """Print examples of a task, whose settings are flags; return the exit code."""
    name, flags = split_task("tasks sample", argv)
    entry = TASKS[name]
    standard = entry.factory()
    options = read(
        TasksSample[type(standard)],  # type: ignore[misc]  # of a task by name its type is not known here
        spread_lists(flags, ()),
        TasksSample(task=standard),
        f"relational-rnn tasks sample {name}",
    )
    task, told = entry.resolve(options.task) or (options.task, "")
    if told:
        say_error(told)
    for number, record in enumerate(entry.records(task, options.count, options.seed), start=1):
        if options.json:
            print(json.dumps(record), flush=True)
        else:
            heading = f"Example {number} of {options.count}"
            print(f"{heading}\n{'-' * len(heading)}\n{entry.as_text(record)}\n", flush=True)
    return 0
