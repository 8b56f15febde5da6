"""The command `relational-rnn`. Commands are imported only when they run, so that `--help` is quick.

Exit codes: 0 done, 1 the run failed, 2 wrong use, 130 interrupted.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Sequence
from typing import Final

import relational_rnn

COMMANDS: Final = {
    "train": ("relational_rnn.cli.train", "Train models on a task and compare them."),
    "ablate": ("relational_rnn.cli.ablate", "Change one part of a model at a time and compare."),
    "sweep": (
        "relational_rnn.cli.sweep",
        "Train every combination of some settings, or search for good ones.",
    ),
    "compare": (
        "relational_rnn.cli.compare",
        "Train the RMC, LSTM, GRU, Transformer and DNC on a task, with three seeds.",
    ),
    "evaluate": ("relational_rnn.cli.evaluate", "Score the models of a run on fresh or given examples."),
    "failures": ("relational_rnn.cli.failures", "Show the examples that models get wrong."),
    "check-gradients": (
        "relational_rnn.cli.check_gradients",
        "Check the gradients of the NumPy models.",
    ),
    "bench": ("relational_rnn.cli.bench", "Time the core on this machine and say what to expect."),
    "tasks": ("relational_rnn.cli.tasks", "List the tasks or show examples of one."),
}
"""Name -> module with `main(argv) -> exit code`, and one line of help."""
EXTRAS: Final = {"torch": "torch", "matplotlib": "plot", "optuna": "sweep", "pytorch_optimizer": "soap"}
"""Library -> the extra that brings it."""


def usage() -> str:
    """Return what `--help` prints."""
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
            "relational-rnn COMMAND --help    what a command takes",
            "relational-rnn --version         the version",
            "",
            "Start with: relational-rnn train nth-farthest --preset quick",
        ]
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code.

    Example:
        >>> main(["--version"])
        relational-rnn 0.1.0
        0
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    if not arguments or arguments[0] in ("-h", "--help"):
        print(usage())
        return 0 if arguments else 2
    if arguments[0] == "--version":
        print(f"relational-rnn {relational_rnn.__version__}")
        return 0
    if arguments[0] not in COMMANDS:
        print(
            f"error: there is no command {arguments[0]!r}; commands: {', '.join(COMMANDS)}", file=sys.stderr
        )
        return 2
    module = importlib.import_module(COMMANDS[arguments[0]][0])
    try:
        return int(module.main(arguments[1:]))
    except SystemExit as wanted:  # the argument parser's own: 0 after --help, 2 for wrong use
        return wanted.code if isinstance(wanted.code, int) else 2
    except BrokenPipeError:  # the reader, `head` perhaps, has seen enough; no complaint at the last flush
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (ValueError, TypeError, OSError) as wrong:
        print(f"error: {wrong}", file=sys.stderr)
        return 2
    except ModuleNotFoundError as missing:
        extra = EXTRAS.get((missing.name or "").split(".")[0])
        if extra is None:
            raise
        print(
            f"error: this command needs {missing.name}: pip install 'relational-rnn[{extra}]'",
            file=sys.stderr,
        )
        return 1
    except KeyboardInterrupt:
        return 130
