"""The word after a command: which task it names, and the help before there is one.

Needs no argument parser, so it answers at once.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from relational_rnn.cli.commands import COMMANDS
from relational_rnn.config.checks import did_you_mean, shortened

if TYPE_CHECKING:
    from relational_rnn.tasks import TaskEntry
    from relational_rnn.tasks.game_registry import Game

HELP: Final = frozenset({"-h", "--help"})

TRAINING: Final = {
    "--preset NAME": "where all values come from that are not given (quick)",
    "--models NAME,NAME": "what is trained, or all",
    "--steps N": "training steps of each model",
    "--seeds N": "how many seeds, each a training of every model (from --seed on)",
    "--out DIR": "folder of the run, empty or new",
    "--resume": "go on with the run in the folder",
}
VARYING: Final = {"--over NAME=VALUE,...": "what varies; can be given several times"} | TRAINING
OPTIONS: Final[dict[str, dict[str, str]]] = {
    "train": TRAINING,
    "compare": TRAINING,
    "ablate": VARYING,
    "sweep": VARYING,
    "plan": {
        "--preset NAME": TRAINING["--preset NAME"],
        "--models NAME,NAME": "what is planned for, or all",
        "--processes N": "that share the batch",
        "--bandwidth GIGABITS": "a second between them",
        "--vocabulary N": "plan for so many tokens without a text",
        "--tokens N": "of an epoch",
        "--json": "one JSON object a line",
    },
    "tasks sample": {
        "--count N": "examples to show",
        "--seed N": "another seed shows other examples",
        "--json": "one JSON object a line instead of text",
    },
}
"""Command -> what all tasks have of its options, and what each means."""


def check_first(command: str, what: str, words: Sequence[str], known: Collection[str]) -> None:
    """Check that the first word after a command is a flag or one that is known.

    Args:
        command: as people type it.
        what: such words are, "command" or "model".
        words: after the command.
        known: of such words.

    Raises:
        ValueError: it is neither; the message has the nearest, and all.

    Example:
        >>> check_first("tasks", "command", ["lst"], ["list", "sample"])
        Traceback (most recent call last):
        ValueError: tasks has no command 'lst' (did you mean list?); commands: list, sample
    """
    for word in words[:1]:
        if not word.startswith("-") and word not in known:
            near = did_you_mean(word, known)
            raise ValueError(f"{command} has no {what} {shortened(word)}{near}; {what}s: {', '.join(known)}")


def split_task(command: str, argv: Sequence[str]) -> tuple[str, list[str]]:
    """Return the task of a command line, and its flags.

    Raises:
        ValueError: there is no task; the message lists the known ones.
        SystemExit: there is none because help is wanted, which is printed.
    """
    from relational_rnn.tasks import TASKS, task_name

    words = list(argv)
    given = words.pop(0) if words and not words[0].startswith("-") else None
    if given is None and HELP & set(words):
        print(usage_of(command))
        raise SystemExit(0)
    task = given if given is not None and ":" in given else task_name(given)  # gym:ID keeps its spelling
    if task in TASKS:
        return task, words
    from relational_rnn.tasks.game_registry import TRAINABLE, is_trainable

    games = TRAINABLE if command == "train" else {}
    if task is None:
        known = ", ".join((*TASKS, *games))
        raise ValueError(f"which task? relational-rnn {command} TASK, with TASK one of {known}")
    if task.endswith(".py"):
        raise ValueError(
            f"{command} takes a task by its name, got {shortened(given)}; a task of your own is trained from "
            "Python, as docs/extending.md shows"
        )
    if not is_trainable(task):
        near = did_you_mean(task, (*TASKS, *games))
        known = ", ".join((*TASKS, *games, *(["gym:ID", "popgym:NAME"] if games else [])))
        raise ValueError(f"there is no task {shortened(given)}{near}; known tasks: {known}")
    if not games:
        raise ValueError(f"{command} takes no games; their agents are trained by relational-rnn train {task}")
    return task, words


def usage_of(command: str) -> str:
    """Return the help of a command before its task is named: the tasks, and what all have of its options."""
    from relational_rnn.tasks import TASKS

    tasks = {"language": TASKS["language"]} if command == "plan" else TASKS
    about = COMMANDS[command.split()[0]][1]
    lines = [f"usage: relational-rnn {command} TASK [options]", "", about, "", "tasks:", *in_lines(tasks)]
    if command == "train":
        lines += ["", "games for agents:", *games_in_lines()]
    lines += ["", "options, among others:", *(f"  {flag:<22}  {it}" for flag, it in OPTIONS[command].items())]
    return "\n".join([*lines, "", f"relational-rnn {command} TASK --help    all options of a task"])


def in_lines(tasks: Mapping[str, TaskEntry] | Mapping[str, Game]) -> list[str]:
    """Return a line a task or game: its name and what it asks."""
    return [f"  {entry.name:<15}  {entry.description}" for entry in tasks.values()]


def games_in_lines() -> list[str]:
    """Return a line a game that agents can be trained on."""
    from relational_rnn.tasks.game_registry import TRAINABLE

    others = "An environment of Gymnasium (popgym:NAME: of POPGym), for agents alone."
    return [*in_lines(TRAINABLE), f"  {'gym:ID':<15}  {others}"]
