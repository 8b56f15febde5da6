"""Files that a kill at any moment leaves whole, and reading those that may be damaged all the same.

Whatever is wrong with a file that is read is a `BadFile`: its name, what is wrong and what helps.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import stat
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from relational_rnn.config.checks import BadFile, shortened
from relational_rnn.config.paths import check_file, kind_of
from relational_rnn.training.screen import say_error

MOST_BYTES: Final = 2**28
"""Of a JSON file. The largest that a run writes has some megabytes."""

MOST_LOG_BYTES: Final = 2**32
"""Of a file of JSON lines, two a second and model."""

DEEPEST: Final = 100
"""How far lists and objects in JSON may be nested; those of a run are less than ten."""


def check_folder(path: Path) -> None:
    """Check that files can be written into a folder, which may still have to be made.

    Raises:
        OSError: they cannot; the message names the folder that is in the way.
    """
    path = Path(os.path.realpath(path))
    there = next(folder for folder in (path, *path.parents) if folder.exists())
    if not there.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, f"{kind_of(there)} is where a folder is needed", str(there))
    if not os.access(there, os.W_OK | os.X_OK):
        raise PermissionError(errno.EACCES, "nothing can be written into this folder", str(there))


HALF_WRITTEN = ".*.tmp"
"""What files are called until they are whole; a kill may leave one."""

PATIENCE = 5.0
"""Seconds that `locked` waits: so long may a process need that has been told to save and stop."""


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep others from writing into a folder; the processes that this one starts `join` it.

    The system lets go of the lock when its last holder ends, however it ends. Where it has no such locks
    (Windows, some network file systems) nobody is kept out.

    Raises:
        ValueError: others hold it, and go on holding it for `PATIENCE` seconds.
        OSError: the folder cannot be opened.
    """
    end = time.monotonic() + PATIENCE
    with _opened(folder) as file:
        # Alone at first, to see that nobody is there, then as one of many: as such others cannot be alone.
        while not (_flock(file, alone=True) and _flock(file, alone=False)):
            if time.monotonic() > end:
                raise ValueError(
                    f"{folder} is in use: another process is writing into it; wait until it has ended, or "
                    "choose another folder"
                )
            time.sleep(0.05)
        yield


@contextmanager
def joined(folder: Path) -> Iterator[None]:
    """Hold a folder that the process which started this one has `locked`: it may end before this one does.

    Raises:
        ValueError: somebody else has locked it.
        OSError: the folder cannot be opened.
    """
    with _opened(folder) as file:
        if not _flock(file, alone=False):
            raise ValueError(f"{folder} is in use: another process is writing into it")
        yield


@contextmanager
def _opened(folder: Path) -> Iterator[int]:
    if os.name == "nt":  # which cannot open a folder
        yield -1
        return
    file = os.open(folder, os.O_RDONLY)
    try:
        yield file
    finally:
        os.close(file)


def _flock(file: int, alone: bool) -> bool:
    """Try to lock a file for oneself or together with others; return whether it can be written now."""
    try:
        import fcntl
    except ModuleNotFoundError:  # Windows
        return True
    try:
        fcntl.flock(file, (fcntl.LOCK_EX if alone else fcntl.LOCK_SH) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a file system without locks
        return True
    return True


def find_target(path: Path) -> Path:
    """Return the file that is written if `path` is: where symbolic links lead, there or not yet.

    Commands call it before their work, so that no work is lost on a path that cannot be written.

    Raises:
        BadFile: what stands there is no file, and a file in its place would end it.
        OSError: the folder cannot be written, or the links lead in a circle.
    """
    try:
        kind = kind_of(path)  # of the path itself: what /dev/stdout leads to has no path of its own
    except FileNotFoundError:
        kind = "a file"
    if kind != "a file":
        raise BadFile(path, f"is {kind}", "only a file can be written there")
    target = Path(os.path.realpath(path))
    check_folder(target.parent)
    return target


def write_atomically(path: Path, write: Callable[[Path], object]) -> None:
    """Let `write` fill a temporary file beside the one that `path` leads to, then move it into its place.

    A symbolic link stays a link. A file that is replaced leaves its mode to the new one, and its owner where
    that is allowed.

    Args:
        path: the file, in a folder that is there: one that was removed meanwhile does not come back in part.
        write: called with the temporary path.

    Raises:
        ValueError, OSError: see `find_target`; nothing has been written then.
    """
    target = find_target(path)
    if not target.parent.exists():
        raise FileNotFoundError(errno.ENOENT, "the folder is not there (any more)", str(target.parent))
    temporary = target.with_name(HALF_WRITTEN.replace("*", f"{target.name}.{os.getpid()}"))
    try:
        write(temporary)
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        if target.exists():
            _take_permissions(target.stat(), temporary)
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)


def _take_permissions(old: os.stat_result, new: Path) -> None:
    if hasattr(os, "chown"):
        with contextlib.suppress(OSError):  # only root may give files away
            os.chown(new, old.st_uid, old.st_gid)
    with contextlib.suppress(OSError):  # some file systems have no modes
        new.chmod(stat.S_IMODE(old.st_mode))


def write_text(path: Path, text: str) -> None:
    """Write text as UTF-8, whatever the locale, atomically."""
    write_atomically(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))


def write_json(path: Path, value: Any) -> None:
    """Write a value as indented JSON, atomically."""
    write_text(path, json.dumps(value, indent=2) + "\n")


def read_bytes(path: Path, most: int) -> bytes:
    """Read a file, unless it is larger than any of its kind.

    Raises:
        BadFile: it is, or is no file.
        OSError: it cannot be read.
    """
    with check_file(path).open("rb") as file:
        about = os.fstat(file.fileno())
        size = about.st_size
        if size <= most:
            data = file.read() if stat.S_ISREG(about.st_mode) else file.read(most + 1)
            size = len(data)
    if size > most:
        raise BadFile(path, f"has more than {most:,} bytes, which no such file has")
    return data


def parse_json(text: str | bytes) -> Any:
    """Return the value of a JSON text.

    Raises:
        ValueError: it is none, or nested deeper than `DEEPEST`.

    Example:
        >>> parse_json("[" * 10_000)
        Traceback (most recent call last):
        ValueError: lists and objects are nested more than 100 deep
    """
    too_deep = f"lists and objects are nested more than {DEEPEST} deep"
    try:
        value = json.loads(text)
    except RecursionError:
        raise ValueError(too_deep) from None
    level = [value]
    for _ in range(DEEPEST):
        level = [
            inner
            for outer in level
            if isinstance(outer, dict | list)
            for inner in (outer.values() if isinstance(outer, dict) else outer)
        ]
        if not level:
            return value
    raise ValueError(too_deep)


def read_json(path: Path, remedy: str = "") -> Any:
    """Read a JSON file.

    Args:
        path: of the file.
        remedy: what to do if it is damaged.

    Raises:
        BadFile: it is no JSON.
        OSError: it cannot be read.
    """
    data = read_bytes(path, MOST_BYTES)
    try:
        return parse_json(data)
    except ValueError as error:
        raise BadFile(path, f"is no JSON file: {error}", remedy) from None


def read_object(path: Path, remedy: str = "") -> dict[str, Any]:
    """Read a JSON file that holds an object.

    Raises:
        BadFile: it holds none.
        OSError: it cannot be read.
    """
    value = read_json(path, remedy)
    if not isinstance(value, dict):
        raise BadFile(path, f"must hold a JSON object, got {shortened(value)}", remedy)
    return value


def read_lines(path: Path, remedy: str = "") -> Iterator[dict[str, Any]]:
    """Read JSON lines; a last line without its end, which a kill cut short, is left out.

    Args:
        path: of the file; none is there before the first line is written.
        remedy: what to do if a line is damaged.

    Raises:
        BadFile: a line is no JSON object.
        OSError: it cannot be read.
    """
    if not path.exists():
        return
    for number, line in enumerate(read_bytes(path, MOST_LOG_BYTES).split(b"\n")[:-1], start=1):
        try:
            value = parse_json(line)
        except ValueError as error:
            raise BadFile(path, f"is damaged in line {number}: {error}", remedy) from None
        if not isinstance(value, dict):
            raise BadFile(path, f"must hold a JSON object in line {number}, got {shortened(value)}", remedy)
        yield value


def rewrite_lines(
    path: Path, change: Callable[[list[dict[str, Any]]], Iterable[dict[str, Any]]], remedy: str = ""
) -> None:
    """Change a file's JSON lines; one that a kill cut short is told of and goes.

    Raises:
        BadFile: see `read_lines`; the file stays as it is.
        ValueError, OSError: see `find_target`.
    """
    text = "".join(json.dumps(record) + "\n" for record in change(list(read_lines(path, remedy))))
    if _is_torn(path):
        say_error(f"{path}: the last line was cut short when it was written, and is left out")
    write_text(path, text)


def _is_torn(path: Path) -> bool:
    """Say whether a file's last line has no end."""
    if not path.exists() or path.stat().st_size == 0:
        return False
    with path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read() != b"\n"
