"""`relational-rnn tasks list` and `relational-rnn tasks sample`: which tasks there are, and what they ask."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from relational_rnn.cli.choice import HELP, check_first
from relational_rnn.config.checks import shortened
from relational_rnn.tasks import TASKS, task_name

USAGE: Final = """usage: relational-rnn tasks [list]
       relational-rnn tasks sample TASK [options]

commands:
  list    The tasks, with the score that a model gets without understanding them.
  sample  Examples of a task, as text or as JSON."""


def main(argv: Sequence[str]) -> int:
    """Run `tasks list`, which `tasks` alone is too, or `tasks sample`; return the exit code.

    Raises:
        ValueError: neither is wanted, or `list` with something else.
    """
    words = list(argv) or ["list"]
    if task_name(words[0]) in TASKS:
        raise ValueError(f"list, or sample? for examples: relational-rnn tasks sample {task_name(words[0])}")
    check_first("tasks", "command", words, ("list", "sample"))
    if words[:1] == ["sample"]:
        from relational_rnn.cli.sample import main as sample

        return sample(words[1:])
    if HELP & set(words):
        print(USAGE)
        return 0
    if words[:1] != ["list"]:
        raise ValueError("list, or sample? relational-rnn tasks list, relational-rnn tasks sample TASK")
    if words[1:]:
        raise ValueError(f"tasks list takes nothing else, got {shortened(words[1])}")

    for entry in TASKS.values():
        print(f"{entry.name}\n    {entry.description}\n    trivial score: {entry.trivial}")
    return 0
