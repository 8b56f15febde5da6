"""A learner's file checked in a process of its own: it may run for ever, or end the process it is in."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import sys
import threading
import time
import warnings
from collections import deque
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection, wait
from pathlib import Path
from types import FrameType
from typing import Final

from relational_rnn.course.checking import Result, check_each, place
from relational_rnn.course.registry import Exercise
from relational_rnn.training.processes import STOP_SIGNALS, signals_held

PATIENCE: Final = 5.0
"""Seconds without a result after which it is told where the file is."""
ANSWER: Final = 1.0
"""Seconds in which the process says where it is; it cannot while NumPy works on one call."""


def check_apart(
    exercise: Exercise, path: Path, seconds: float, slow: Callable[[str], None] = lambda words: None
) -> Iterator[Result]:
    """Check a learner's file as `checking.check` does; yield each result as it comes.

    Args:
        exercise: what the file should solve.
        path: the file.
        seconds: most time of one check, and of loading the file.
        slow: gets words once for each check that takes longer than `PATIENCE`.

    Yields:
        The results; the last one has failed if the file runs too long or ends its process.

    Raises:
        KeyboardInterrupt: Ctrl-C; its words say where the file was.
    """
    # A fork has the learner's prints in order, and starts at once; not all systems can.
    can_fork = "fork" in multiprocessing.get_all_start_methods() and hasattr(signal, "SIGKILL")
    context = multiprocessing.get_context("fork" if can_fork else "spawn")
    line, other = context.Pipe()
    process = context.Process(target=_check, args=(exercise, path, line, other), daemon=True)  # type: ignore[attr-defined]
    with warnings.catch_warnings(), signals_held():  # Python swallows one that comes as it forks
        warnings.simplefilter("ignore", DeprecationWarning)  # of threads, which checks do not use
        process.start()
    other.close()  # else the line would not end with the process
    now = Result("", f"load {path.name}", False)
    waiting: deque[Result | None] = deque()  # came while the process was asked where it is
    patience = min(PATIENCE, seconds)
    try:
        while True:
            if not waiting and not line.poll(patience):
                where = _where(line, waiting)
                if not waiting and patience < seconds:
                    slow(f"still {where or _at(now)} after {patience:g} seconds; does its loop end?")
                if not waiting and not line.poll(seconds - patience):
                    place = f"; it was {found}" if (found := _where(line, waiting)) else ""
                    yield now._replace(
                        message=f"This has not ended after {seconds:g} seconds{place}. Does its loop end?"
                    )
                    return
            told = waiting.popleft() if waiting else line.recv()
            if told is None:
                process.join(1)  # it still shows what the file has printed
                return
            if isinstance(told, str):  # an answer that came late
                continue
            if told.passed or told.message:
                yield told
            else:
                now = told
    except KeyboardInterrupt:
        where = ""
        with contextlib.suppress(EOFError, OSError):
            where = _where(line, waiting)
        loop = "; does its loop end?" if where else ""
        raise KeyboardInterrupt(f"stopped {where or _at(now)}{loop}") from None
    except (EOFError, OSError):
        process.join()
        yield now._replace(message=_ended(process.exitcode))
    finally:
        process.kill()
        process.join()
        line.close()


def _at(now: Result) -> str:
    """Name what is tried."""
    return f"at: {now.tried} ({now.function})" if now.function else f"at: {now.tried}"


def _where(line: Connection, waiting: deque[Result | None]) -> str:
    """Ask the process which line of the file runs; nothing if it does not say. What else comes is kept."""
    line.send("where")
    until = time.monotonic() + ANSWER
    while line.poll(max(0.0, until - time.monotonic())):
        told = line.recv()
        if isinstance(told, str):
            return told
        waiting.append(told)
    return ""


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
    one_at_a_time = threading.Lock()

    def send(told: Result | str | None) -> None:
        with one_at_a_time:
            other.send(told)

    threading.Thread(target=_attend, args=(path, other, send), daemon=True).start()
    now = Result("", f"load {path.name}", False)

    def trying(function: str, tried: str) -> None:
        nonlocal now
        now = Result(function, tried, False)
        send(now)

    try:
        for result in check_each(exercise, path, trying):
            send(result)
    except BaseException as wrong:  # whatever a learner's object does where the check looks at it
        send(now._replace(message=f"It stops with {type(wrong).__name__}: {wrong}".rstrip(": ")))
    send(None)


def _attend(path: Path, other: Connection, send: Callable[[str], None]) -> None:
    """Say which line of the file runs whenever the parent asks, and end this process when it is gone."""
    parent = multiprocessing.parent_process()
    while parent is not None:
        ready = wait([parent.sentinel, other])
        try:
            if parent.sentinel in ready:
                raise EOFError
            other.recv()
            send(place(path, _walk(sys._current_frames()[threading.main_thread().ident or 0])))
        except (EOFError, OSError):
            os._exit(1)


def _walk(frame: FrameType | None) -> Iterator[tuple[str, str, int]]:
    """Yield file, function and line of a frame and of those that called it, the innermost first."""
    while frame is not None:
        yield frame.f_code.co_filename, frame.f_code.co_name, frame.f_lineno
        frame = frame.f_back
