"""Trainings side by side, each in a process of its own, stopped together and never left behind."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.context import SpawnProcess
from queue import Empty
from typing import Any

Record = dict[str, Any]
Train = Callable[[str, Callable[[Record], None], Callable[[], bool]], None]
"""(name of the training, where its records go, whether to save and stop): trains in this process."""


STOP_SIGNALS = tuple(
    signal.Signals[name] for name in ("SIGINT", "SIGTERM", "SIGHUP") if name in signal.Signals.__members__
)
"""What asks a program to end: Ctrl-C, a scheduler, a terminal that is closed. Windows lacks the last."""


class RunFailed(RuntimeError):
    """A training failed; the message holds its traceback."""


class Interrupted(RuntimeError):
    """The run was stopped and can be resumed."""


def train_side_by_side(
    names: Sequence[str],
    train: Train,
    *,
    workers: int,
    show: Callable[[str, Record], None],
    may_start: Callable[[str], bool] = lambda name: True,
) -> None:
    """Run trainings in fresh processes, several at a time.

    Args:
        names: of the trainings, in the order in which they start.
        train: can be pickled; called in the new process with a name, a function that takes records, and one
            that says whether to save and stop.
        workers: how many run at the same time.
        show: gets every record, in this process.
        may_start: whether a training has what it waits for; asked again and again.

    Raises:
        RunFailed: a training raised an error or died; the others were told to save and stop.
        Interrupted: Ctrl-C; all were told to save and stop.
    """
    context = multiprocessing.get_context("spawn")
    events: Any = context.Queue()
    stop = context.Event()
    waiting, running = list(names), dict[str, SpawnProcess]()
    failure: str | None = None
    interrupted = False
    try:
        while (waiting and not stop.is_set()) or running:
            try:
                for name in [name for name in waiting if may_start(name)]:
                    if len(running) < workers and not stop.is_set():
                        waiting.remove(name)
                        process = context.Process(
                            target=_child, args=(train, name, events, stop), daemon=True
                        )
                        running[name] = _start(process)
                try:
                    name, record = events.get(timeout=0.2)
                except Empty:
                    for name in [n for n, p in running.items() if not p.is_alive() and events.empty()]:
                        code = running.pop(name).exitcode
                        failure = failure or f"the training {name} ended without a word (exit code {code})"
                        stop.set()
                    continue
                if "error" in record:
                    failure = failure or f"the training {name} failed:\n{record['error']}"
                    stop.set()
                if "error" in record or "ended" in record:
                    running.pop(name).join()
                else:
                    show(name, record)
            except KeyboardInterrupt:
                interrupted = True
                stop.set()
    finally:
        stop.set()  # whatever happened here, nobody trains on
    if failure:
        raise RunFailed(failure)
    if interrupted:
        raise Interrupted


def available_cores() -> int:
    """Return the cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def peak_memory() -> int:
    """Return the most bytes that were ever resident in this process; 0 where the system does not say."""
    try:
        import resource
    except ModuleNotFoundError:  # Windows
        return 0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak


@contextmanager
def stop_signals(handler: Any) -> Iterator[None]:
    """Let `handler` have the `STOP_SIGNALS` inside this; the caller's handlers come back afterwards.

    Only the main thread may set handlers, and only it gets the signals: in another one nothing changes.
    """
    previous = {}
    if threading.current_thread() is threading.main_thread():
        for number in STOP_SIGNALS:
            before = signal.getsignal(number)
            ignored = number.name == "SIGHUP" and before == signal.SIG_IGN  # which is what nohup wants
            if before is not None and not ignored:  # one that C code set could not be put back
                previous[number] = signal.signal(number, handler)
    try:
        yield
    finally:
        for number, before in previous.items():
            signal.signal(number, before)


@contextmanager
def asked_to_stop() -> Iterator[Callable[[], bool]]:
    """Let signals that ask this process to end be noted inside this; the function says whether one came."""
    asked = threading.Event()
    with stop_signals(lambda *_: asked.set()):
        yield asked.is_set


def _start(process: SpawnProcess) -> SpawnProcess:
    """Start a process that leaves Ctrl-C and polite kills to this one, from its first instant on."""
    # They reach the whole group. What is ignored here is ignored by the new process too.
    with stop_signals(signal.SIG_IGN):
        process.start()
    return process


def _child(train: Train, name: str, events: Any, stop: Any) -> None:
    """Train in this process and say how it ended; a parent that is gone counts as a stop."""
    for number in STOP_SIGNALS:  # again: where a thread started this process, nothing is ignored yet
        signal.signal(number, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    try:
        train(
            name,
            lambda record: events.put((name, record)),
            lambda: bool(stop.is_set()) or (parent is not None and not parent.is_alive()),
        )
        events.put((name, {"ended": True}))
    except Exception:
        events.put((name, {"error": traceback.format_exc()}))
