"""What `ablate` and `sweep` share of their flags; `cli.many` does what they say."""

from __future__ import annotations

import dataclasses
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro

from relational_rnn.cli.choice import split_task
from relational_rnn.cli.train import Options, T, parse
from relational_rnn.config.checks import BadFile


@dataclass(frozen=True, kw_only=True)
class Experiment(Options[T]):
    """Options of a command that trains many variants of a run."""

    over: Annotated[tyro.conf.UseAppendAction[tuple[str, ...]], tyro.conf.arg(metavar="FACTOR=VALUES")] = ()
    """A factor and its values, as in num_heads=1,2,4; can be given several times."""


def resolve(command: str, argv: Sequence[str], options: Any, **defaults: Any) -> tuple[str, Any]:
    """Return the task and the options of a command line.

    A resumed run keeps its own factors unless flags name others, which the run folder then tells.

    Args:
        command: "ablate" or "sweep".
        argv: after the command.
        options: kind of the options, an `Experiment`.
        defaults: values that replace the preset's.

    Raises:
        ValueError: no task, unknown names, values out of range.
    """
    task, words = split_task(command, argv)
    if "--resume" in words and not any(word.split("=")[0] == "--over" for word in words):
        words = _recorded_flags(command, task, words) + words
    found = parse(task, words, command=command, options=options, defaults=defaults)
    if found.resume and found.out is None:
        raise ValueError("which run? --resume needs the run's folder, --out DIR")
    if not found.over:
        raise ValueError(f"what varies? relational-rnn {command} {task} --over FACTOR=VALUE,VALUE,...")

    from relational_rnn.cli.run import find_files

    return task, dataclasses.replace(found, run=find_files(found.run))


def _recorded_flags(command: str, task: str, words: Sequence[str]) -> list[str]:
    """Return the flags that the run to go on with was started with, beside its settings."""
    from relational_rnn.training.run_folder import CONFIG_REMEDY, RunFolder

    for word, following in zip(words, [*words[1:], ""]):
        name, equals, value = word.partition("=")
        config = Path(value if equals else following) / "config.json"
        if name == "--out" and config.exists():
            folder = RunFolder(config.parent)
            recorded = folder.require()
            folder.check_command(f"{command} {task}", recorded)
            try:
                return shlex.split(recorded["command"])[2:]
            except ValueError as error:
                raise BadFile(config, f"holds no command: {error}", CONFIG_REMEDY) from None
    return []
