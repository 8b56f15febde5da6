"""What every training command does around its work: stops politely, says how to go on, lists its files."""

from __future__ import annotations

import importlib
import shlex
import signal
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeVar

from rich.console import Console
from rich.measure import Measurement
from rich.table import Table as ScreenTable

from relational_rnn.analysis import Table
from relational_rnn.analysis.style import can_draw, check_drawing
from relational_rnn.config.checks import BadFile
from relational_rnn.config.paths import in_words
from relational_rnn.training.config import RunConfig
from relational_rnn.training.data import with_files
from relational_rnn.training.place import place
from relational_rnn.training.processes import Interrupted, RunFailed, stop_signals
from relational_rnn.training.run_folder import RunFolder
from relational_rnn.training.screen import lasting, say_error

R = TypeVar("R")

NO_FIGURES = "Without figures: matplotlib is not installed (pip install matplotlib)."


def require_libraries(config: RunConfig) -> None:
    """Check, before the training, that a run finds the libraries that it needs.

    Figures are left out where matplotlib is absent, see `train_and_show`.

    Raises:
        ImportError: a library is absent (`ModuleNotFoundError`), or it or matplotlib does not work here.
    """
    if config.runtime.framework == "torch":
        require("torch")
    if can_draw():
        check_drawing()


def require(library: str) -> None:
    """Import a library now: one that is there may still be broken.

    Raises:
        ImportError: see `require_libraries`.
    """
    try:
        importlib.import_module(library)
    except Exception as error:  # each has its own way to break
        if isinstance(error, ModuleNotFoundError) and error.name == library:
            raise
        raise ImportError(f"{library} cannot be imported here: {error}", name=library) from error


def find_files(config: RunConfig) -> RunConfig:
    """Find the examples of a task that comes in files, and print where they are.

    Raises:
        ValueError: see `with_files`.
    """
    found, told = with_files(config)
    if told:
        make_console(of_training=True).print(told)
    return found


def train_and_show(
    console: Console,
    folder: RunFolder,
    command: str,
    train: Callable[[], R],
    present: Callable[[R], list[Path]],
) -> int:
    """Train, then show the results; return the exit code.

    Args:
        console: where to.
        folder: of the run, made or checked.
        command: that trains, without its flags.
        train: returns the results.
        present: prints and draws it; returns the files that it wrote.
    """
    if not can_draw():
        console.print(NO_FIGURES)
    again = f"{_program()} {command} --out {shlex.quote(str(folder.path))} --resume"
    try:
        # A scheduler's polite kill stops like Ctrl-C, also in the background, where Ctrl-C is switched off.
        with stop_signals(signal.default_int_handler):
            results = train()
            shown = present(results)
    except (Interrupted, KeyboardInterrupt):
        console.print(f"Stopped; everything is saved. Go on with:\n  {again}")
        return 130
    except RunFailed as failed:
        say_error(f"error: {failed}\nWhat was saved can be resumed:\n  {again}")
        return 1
    except BadFile as wrong:  # which says itself what helps
        say_error(f"error: {wrong}")
        return 1
    except (OSError, MemoryError) as wrong:
        told = in_words(wrong) or "there is not enough memory"
        say_error(f"error: {told}\nWhat was saved can be resumed:\n  {again}")
        return 1
    except Exception:  # the run's own fault, not wrong use: with its trace, and what is saved stays
        say_error(f"{traceback.format_exc()}error: the run failed; what was saved can be resumed:\n  {again}")
        return 1
    written = [file for file in (folder.results, folder.metrics) if file.exists()] + shown
    console.print("Written: " + ", ".join(str(file) for file in written))
    return 0


def _program() -> str:
    """Return how this program was started, as a shell takes it."""
    own = place()
    if own is not None:
        where = "--standalone" if own.size == own.local_size else "..."  # how others are met, torchrun knew
        return f"torchrun {where} --nproc-per-node {own.local_size} -m relational_rnn"
    return shlex.quote(sys.argv[0]) if Path(sys.argv[0]).stem != "__main__" else "python -m relational_rnn"


def make_console(*, of_training: bool = False) -> Console:
    """Return a console that prints names as they are, whatever brackets they hold.

    Args:
        of_training: go on when the reader leaves, as after `| head`: the results are in the run's folder.
            Other commands have nothing to do but to print, so they end then.
    """
    file = lasting(sys.stdout) if of_training else None
    return Console(file=file, highlight=False, markup=False, soft_wrap=True)


def seeds_in_words(config: RunConfig) -> str:
    """Return the seeds of a run as people read them."""
    last = config.seed + config.seeds - 1
    return f"seed {config.seed}" if config.seeds == 1 else f"seeds {config.seed} to {last}"


SHORT: Final = {"parameters": "params", "seconds": "s"}
"""Heads of columns on a terminal that is too narrow for the whole words."""


def print_table(
    console: Console, table: Table, *, title: str, caption: str | None = None, mark: str = ""
) -> None:
    """Print a table; `mark` stands before the rows in bold."""
    screen = ScreenTable(
        title=title,
        title_justify="left",
        box=None,
        padding=(0, 2, 0, 0),
        pad_edge=False,
        header_style="bold",
    )
    first, *numbers = table.columns
    screen.add_column(first, overflow="fold")  # gives way at last, the numbers do not
    for name in numbers:
        screen.add_column(name, justify="right", no_wrap=True)
    for bold, (label, *cells) in table.rows:
        marked = f"{mark if bold else ' ' * len(mark)} {label}" if mark else label
        screen.add_row(marked, *cells, style="bold" if bold else "")
    screen.caption, screen.caption_justify = caption, "left"
    anywhere = console.options.update(max_width=sys.maxsize)
    if Measurement.get(console, anywhere, screen).maximum > console.width:
        screen.padding = (0, 1, 0, 0)
    if Measurement.get(console, anywhere, screen).maximum > console.width:
        for column in screen.columns:
            column.header = SHORT.get(str(column.header), column.header)
    if Measurement.get(console, anywhere, screen).maximum > console.width:
        for column in screen.columns[1:]:  # a mean stands above its range then
            column.no_wrap = False
            column.min_width = max(len(word) for cell in column.cells for word in [*str(cell).split(), ""])
    console.print(screen)
