"""A learner's file checked in a process of its own: it may run for ever, or end the process it is in."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import warnings
from collections.abc import Iterator
from multiprocessing.connection import Connection, wait
from pathlib import Path

from relational_rnn.course.checking import Result, check_each
from relational_rnn.course.registry import Exercise
from relational_rnn.training.processes import STOP_SIGNALS, signals_held


def check_apart(exercise: Exercise, path: Path, seconds: float) -> Iterator[Result]:
    """Check a learner's file as `checking.check` does; yield each result as it comes.

    Args:
        exercise: what the file should solve.
        path: the file.
        seconds: most time of one check, and of loading the file.

    Yields:
        The results; the last one has failed if the file runs too long or ends its process.
    """
    # A fork has the learner's prints in order, and starts at once; not all systems can.
    can_fork = "fork" in multiprocessing.get_all_start_methods() and hasattr(signal, "SIGKILL")
    context = multiprocessing.get_context("fork" if can_fork else "spawn")
    line, other = context.Pipe(duplex=False)
    process = context.Process(target=_check, args=(exercise, path, line, other), daemon=True)  # type: ignore[attr-defined]
    with warnings.catch_warnings(), signals_held():  # Python swallows one that comes as it forks
        warnings.simplefilter("ignore", DeprecationWarning)  # of threads, which checks do not use
        process.start()
    other.close()  # else the line would not end with the process
    now = Result("", f"load {path.name}", False)
    try:
        while line.poll(seconds):
            told = line.recv()
            if told is None:
                process.join(1)  # it still shows what the file has printed
                return
            if told.passed or told.message:
                yield told
            else:
                now = told
        yield now._replace(
            message=f"This has not ended after {seconds:g} seconds. Is there a loop without an end?"
        )
    except (EOFError, OSError):
        process.join()
        yield now._replace(message=_ended(process.exitcode))
    finally:
        process.kill()
        process.join()
        line.close()


def _ended(code: int | None) -> str:
    """Say how a process came to its end."""
    if code is not None and code < 0:
        return (
            f"The system has ended Python here ({signal.Signals(-code).name}). Did it need too much memory?"
        )
    return f"The file ends Python itself (exit code {code}), as os._exit does; leave that out."


def _check(exercise: Exercise, path: Path, line: Connection, other: Connection) -> None:
    """Check in this process; what is tried, each result, and at the end None go through `other`."""
    line.close()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's, which then ends this process
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    now = Result("", f"load {path.name}", False)

    def trying(function: str, tried: str) -> None:
        nonlocal now
        now = Result(function, tried, False)
        other.send(now)

    try:
        for result in check_each(exercise, path, trying):
            other.send(result)
    except BaseException as wrong:  # whatever a learner's object does where the check looks at it
        other.send(now._replace(message=f"It stops with {type(wrong).__name__}: {wrong}".rstrip(": ")))
    other.send(None)


def _end_with_parent() -> None:
    """End this process when the one that started it is gone."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)
