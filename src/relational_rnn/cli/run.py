"""What every training command does around its work: stops politely, says how to go on, lists its files."""

from __future__ import annotations

import importlib.util
import shlex
import signal
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table as ScreenTable

from relational_rnn.analysis import Table
from relational_rnn.training.common.nth_farthest import NthFarthestSettings
from relational_rnn.training.common.processes import Interrupted, RunFailed
from relational_rnn.training.common.records import RunFolder
from relational_rnn.training.common.supervised_run import Framework


def require_libraries(settings: Any) -> None:
    """Check, before the training, that a training with these settings and its figures find what they need.

    Raises:
        ModuleNotFoundError: a library is absent.
    """
    libraries = ["matplotlib"]
    if getattr(settings, "framework", "torch") == "torch":
        libraries.insert(0, "torch")
    if isinstance(settings, NthFarthestSettings):
        optimisers = {settings.of(model).optimiser for model in settings.models}
        libraries += ["pytorch_optimizer"] if "soap" in optimisers else []
    for library in libraries:
        if importlib.util.find_spec(library) is None:
            raise ModuleNotFoundError(f"No module named {library!r}", name=library)


def train_and_show(
    console: Console,
    folder: RunFolder,
    command: str,
    train: Callable[[], dict[str, Any]],
    present: Callable[[dict[str, Any]], list[Path]],
) -> int:
    """Train, then show the results; return the exit code.

    Args:
        console: where to.
        folder: of the run, made or checked.
        command: that trains, without its flags.
        train: returns the content of results.json.
        present: prints and draws it; returns the files that it wrote.
    """
    again = f"{shlex.quote(sys.argv[0])} {command} --out {shlex.quote(str(folder.path))} --resume"
    # A scheduler's polite kill stops like Ctrl-C, also in the background, where Ctrl-C is switched off.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.default_int_handler)
    try:
        results = train()
        shown = present(results)
    except (Interrupted, KeyboardInterrupt):
        console.print(f"Stopped; everything is saved. Go on with:\n  {again}")
        return 130
    except RunFailed as failed:
        print(f"error: {failed}\nWhat was saved can be resumed:\n  {again}", file=sys.stderr)
        return 1
    except Exception:  # the run's own fault, not wrong use: with its trace, and what is saved stays
        traceback.print_exc()
        print(f"error: the run failed; what was saved can be resumed:\n  {again}", file=sys.stderr)
        return 1
    written = [file for file in (folder.results, folder.metrics) if file.exists()] + shown
    console.print("Written: " + ", ".join(str(file) for file in written))
    return 0


def make_console() -> Console:
    """Return a console that prints names as they are, whatever brackets they hold."""
    return Console(highlight=False, markup=False, soft_wrap=True)


def seeds_in_words(settings: Any) -> str:
    """Return the seeds of a run as people read them."""
    last = settings.seed + settings.seeds - 1
    return f"seed {settings.seed}" if settings.seeds == 1 else f"seeds {settings.seed} to {last}"


def print_table(
    console: Console, table: Table, *, title: str, caption: str | None = None, mark: str = ""
) -> None:
    """Print a table; `mark` stands before the rows in bold."""
    screen = ScreenTable(
        title=title, title_justify="left", box=None, padding=(0, 2, 0, 0), header_style="bold"
    )
    first, *numbers = table.columns
    screen.add_column(first, overflow="fold")  # gives way on a narrow terminal, the numbers do not
    for name in numbers:
        screen.add_column(name, justify="right", no_wrap=True)
    for bold, (label, *cells) in table.rows:
        marked = f"{mark if bold else ' ' * len(mark)} {label}" if mark else label
        screen.add_row(marked, *cells, style="bold" if bold else "")
    screen.caption, screen.caption_justify = caption, "left"
    console.print(screen)


def find_framework(name: str) -> Framework:
    """Return what trains the models of supervised tasks."""
    if name == "numpy":
        from relational_rnn.training.numpy.models import NUMPY

        return NUMPY
    from relational_rnn.training.torch.supervised import TORCH

    return TORCH
