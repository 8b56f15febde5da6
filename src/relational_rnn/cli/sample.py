"""`relational-rnn tasks sample TASK`: what a task asks, with every setting that it has."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Generic, TypeVar

import tyro

from relational_rnn.cli.arguments import read, spread_lists
from relational_rnn.cli.choice import split_task
from relational_rnn.tasks import TASKS
from relational_rnn.training.screen import say_error

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Sample(Generic[T]):
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
    """Print examples of a task, whose settings are flags; return the exit code."""
    name, flags = split_task("tasks sample", argv)
    entry = TASKS[name]
    standard = entry.factory()
    options = read(
        Sample[type(standard)],  # type: ignore[misc]  # of a task by name its type is not known here
        spread_lists(flags, ()),
        Sample(task=standard),
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
