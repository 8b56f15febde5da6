"""The command `relational-rnn`. Commands are imported only when they run, so that `--help` is quick.

Exit codes: 0 done, 1 the run failed, 2 wrong use, 130 interrupted.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import os
import sys
from collections.abc import Iterator, Sequence
from typing import Final

import relational_rnn
from relational_rnn.cli.choice import HELP, OPTIONS, games_in_lines, in_lines, usage_of
from relational_rnn.cli.commands import COMMANDS
from relational_rnn.config.checks import did_you_mean
from relational_rnn.config.paths import in_words
from relational_rnn.training.screen import say_error, silence

TOGETHER: Final = ("train", "compare")
"""Commands that several processes of torchrun can share."""
LIBRARIES: Final = ("torch", "matplotlib", "optuna", "tokenizers", "gymnasium", "popgym")
"""What only some commands need; each is installed by its own name."""


def usage() -> str:
    """Return what `--help` prints."""
    from relational_rnn.tasks import TASKS

    lines = [f"  {name:<15}  {line}" for name, (_, line) in COMMANDS.items()]
    return "\n".join(
        [
            "usage: relational-rnn COMMAND [options]",
            "",
            "The relational recurrent network: train it, compare it, look inside.",
            "",
            "commands:",
            *lines,
            "",
            "tasks:",
            *in_lines(TASKS),
            "",
            "games for agents (train, play):",
            *games_in_lines(),
            "",
            "relational-rnn COMMAND --help    what a command takes",
            "relational-rnn --version         the version",
            "",
            "Start with: relational-rnn train nth-farthest --preset quick    (torch)",
            "        or: relational-rnn train sorting                        (NumPy alone)",
        ]
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code.

    Example:
        >>> main(["--version"])
        relational-rnn 0.1.0
        0
    """
    if argv is None:
        _fill_standard_streams()
    arguments = list(sys.argv[1:] if argv is None else argv)
    with _any_character():
        try:
            code = _run(arguments)
        except BrokenPipeError:  # the reader, `head` perhaps, has seen enough
            code = 0
        return _flush() or code


def _flush() -> int:
    """Write what stdout still holds; at the end of Python nobody could catch its errors."""
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except (OSError, ValueError) as wrong:
        silence(sys.stdout)
        if not isinstance(wrong, BrokenPipeError):
            say_error(f"error: {in_words(wrong)}")
            return 1
    return 0


def _run(arguments: list[str]) -> int:
    """Run a command; print its errors and return its exit code."""
    try:
        if not arguments or arguments[0] in HELP:
            print(usage())
            return 0 if arguments else 2
        if arguments[0] == "help":  # as git has it
            return _run([*arguments[1:], "--help"])
        if arguments[-1] in HELP and (command := " ".join(arguments[:-1])) in OPTIONS:
            print(usage_of(command))
            return 0
        if arguments[0] == "--version":
            print(f"relational-rnn {relational_rnn.__version__}")
            return 0
        if arguments[0] not in COMMANDS:
            near = did_you_mean(arguments[0], (*COMMANDS, "help", "--help", "--version"))
            if (task := _task(arguments[0])) is not None:
                near = f" ({task} is a task: relational-rnn train {task})"
            raise ValueError(f"there is no command {arguments[0]!r}{near}; commands: {', '.join(COMMANDS)}")
        _check_not_empty(arguments[1:])
        if _is_started_too_often(arguments[0]):
            return 0  # the first says what is wrong; torchrun would end it before that if this one failed
        module = importlib.import_module(COMMANDS[arguments[0]][0])
        return int(module.main(arguments[1:]))
    except SystemExit as wanted:  # the argument parser's own: 0 after --help, 2 for wrong use
        if isinstance(wanted.__context__, BrokenPipeError):  # or rich's, whose consoles end so
            raise wanted.__context__ from None
        return wanted.code if isinstance(wanted.code, int) else 2
    except BrokenPipeError:
        raise
    except (ValueError, TypeError, OSError) as wrong:
        say_error(f"error: {in_words(wrong)}")
        return 2
    except (MemoryError, OverflowError) as wrong:
        say_error(f"error: this asks for more memory than can be had: {wrong or 'choose smaller sizes'}")
        return 2
    except ImportError as missing:
        if (missing.name or "").split(".")[0] not in LIBRARIES:
            raise
        told = str(missing)
        if isinstance(missing, ModuleNotFoundError):
            told = f"this command needs {missing.name}: pip install {missing.name}"
        say_error(f"error: {told}")
        return 1
    except KeyboardInterrupt:
        return 130


def _task(word: str) -> str | None:
    """Return the name of the task that a word is, None if it is none."""
    from relational_rnn.tasks import TASKS, task_name

    return name if (name := task_name(word)) in TASKS else None


def _is_started_too_often(command: str) -> bool:
    """Say whether this is one more process of a command that runs in one alone.

    Raises:
        ValueError: it is the first of several.
    """
    from relational_rnn.training.place import place

    own = place()
    if own is None or command in TOGETHER:
        return False
    if own.rank == 0:
        raise ValueError(
            f"{command} runs in one process; torchrun's several are for {' and '.join(TOGETHER)}"
        )
    return True


def _check_not_empty(words: Sequence[str]) -> None:
    """Check that no argument is empty: as the name of a file it would mean the folder that one is in.

    Raises:
        ValueError: one is; the message names its flag.

    Example:
        >>> _check_not_empty(["train", "sorting", "--out", ""])
        Traceback (most recent call last):
        ValueError: --out needs a value, got an empty one
    """
    for before, word in zip(["", *words], words):
        flag, equals, value = word.partition("=")
        if word and not (flag.startswith("--") and equals and not value):
            continue
        named = flag or before
        if named.startswith("--"):
            raise ValueError(f"{named} needs a value, got an empty one")
        raise ValueError("an argument is empty")


def _fill_standard_streams() -> None:
    """Lead a closed standard stream nowhere: else the next file would get its number, and what is printed."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # the lowest number that is free


@contextlib.contextmanager
def _any_character() -> Iterator[None]:
    """Let stdout show "?" for what its encoding lacks, while a command runs, instead of failing."""
    stream = sys.stdout
    if not isinstance(stream, io.TextIOWrapper):
        yield
        return
    errors = stream.errors
    stream.reconfigure(errors="replace")
    try:
        yield
    finally:
        with contextlib.suppress(OSError, ValueError):  # it flushes, and the reader may be gone
            stream.reconfigure(errors=errors)
