"""What stands at a path, asked before it is opened: a pipe that nobody writes into would be waited for.

And what the system says of a path, in words.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Final

from relational_rnn.config.checks import BadFile

KINDS: Final = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a pipe (FIFO)",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}
"""What may stand at a path and is no file."""

OPEN: Final = ("/dev/stdin", "/dev/fd/")
"""Begins the paths of what is open already, as a shell's `<(...)` is: these may be pipes."""


def kind_of(path: Path) -> str:
    """Return in words what stands at a path, links followed.

    Raises:
        OSError: nothing is there, or it cannot be looked at.

    Example:
        >>> kind_of(Path("."))
        'a folder'
    """
    return KINDS.get(stat.S_IFMT(path.stat().st_mode), "a file")


def check_file(path: Path) -> Path:
    """Return the path of a file that is about to be read.

    Raises:
        BadFile: it is no file, and no link to one.
        OSError: nothing is there, or it cannot be looked at.

    Example:
        >>> check_file(Path("."))
        Traceback (most recent call last):
        relational_rnn.config.checks.BadFile: . is a folder; only a file can be read
    """
    kind = kind_of(path)
    if kind != "a file" and not str(path).startswith(OPEN):
        raise BadFile(path, f"is {kind}", "only a file can be read")
    return path


def in_words(error: BaseException) -> str:
    """Return an error as people read it: one of the system as the path and what is wrong there.

    Example:
        >>> in_words(FileNotFoundError(2, "No such file or directory", "run/config.json"))
        'run/config.json: no such file or directory'
    """
    if not isinstance(error, OSError) or not error.strerror:
        return str(error)
    reason = error.strerror[:1].lower() + error.strerror[1:]
    places = [
        os.fsdecode(name) for name in (error.filename, error.filename2) if isinstance(name, str | bytes)
    ]
    return f"{' and '.join(places)}: {reason}" if places else reason
