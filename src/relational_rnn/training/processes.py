"""Trainings side by side, each in a process of its own, stopped together and never left behind."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import platform
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, Final, cast

from relational_rnn.config.checks import BadFile
from relational_rnn.config.paths import in_words

Record = dict[str, Any]
Train = Callable[[str, Callable[[Record], None], Callable[[], bool]], None]
"""(name of the training, where its records go, whether to save and stop): trains in this process."""


STOP_SIGNALS = tuple(
    signal.Signals[name] for name in ("SIGINT", "SIGTERM", "SIGHUP") if name in signal.Signals.__members__
)
"""What asks a program to end: Ctrl-C, a scheduler, a terminal that is closed. Windows lacks the last."""

GLANCE = 0.2
"""Seconds between two looks at whether a signal came."""


SHARED_IMPORTS: Final = ("relational_rnn.training.run", "relational_rnn.training.learners.numpy")
SHARED_IMPORTS_OF_TORCH: Final = ("torch", "torch._dynamo")
"""What trainings share the import of, the second where this process has torch; its optimisers want all of it.

Not the layers: they hold torch to one thread in what is forked after they were imported."""


INSTRUCTIONS: Final = ("avx2", "fma", "avx512f", "avx512_bf16", "amx_bf16", "neon", "asimd", "sve", "bf16")
"""What a machine line says of the processor, in the words of /proc/cpuinfo."""


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

    Each has a line of its own to this process, for nothing that they share survives a process that is killed
    while it holds it. The line's end tells at once that a process is gone, whichever side it is on.

    Args:
        names: of the trainings, in the order in which they start.
        train: can be pickled; called in the new process with a name, a function that takes records, and one
            that says whether to save and stop.
        workers: how many run at the same time.
        show: gets every record, in this process.
        may_start: whether a training has what it waits for; asked again and again.

    Raises:
        RunFailed: a training raised an error or died; the others were told to save and stop.
        BadFile: a training found a damaged file; the same.
        Interrupted: Ctrl-C, or a polite kill; all were told to save and stop.
    """
    waiting, running = list(names), dict[Connection, tuple[str, BaseProcess]]()
    ended: set[str] = set()
    failure: RunFailed | BadFile | None = None
    stopping = False
    with asked_to_stop() as asked, _closed_at_the_end(running):
        while waiting or running:
            if (failure or asked()) and not stopping:
                stopping = True
                waiting.clear()
                _tell_to_stop(running)
            for name in [*waiting]:
                if len(running) < workers and may_start(name):
                    waiting.remove(name)
                    line, process = _start(train, name)
                    running[line] = name, process
            if not running and waiting:
                failure = RunFailed(f"nothing to wait for, yet these cannot start: {', '.join(waiting)}")
            for line in cast(list[Connection], wait(list(running), GLANCE)):
                name, process = running[line]
                try:
                    record = line.recv()
                except (EOFError, OSError):  # the other end is gone
                    process.join()
                    if name not in ended:
                        told = f"the training {name} ended without a word (exit code {process.exitcode})"
                        failure = failure or RunFailed(told)
                    del running[line]
                    line.close()
                    continue
                if "error" in record:
                    failure = failure or _failure(name, record["error"])
                if "error" in record or "ended" in record:
                    ended.add(name)
                else:
                    show(name, record)
        if failure:
            raise failure
        if asked():
            raise Interrupted


def _start(train: Train, name: str) -> tuple[Connection, BaseProcess]:
    """Start a training; return the line to it, and its process."""
    line, other = multiprocessing.Pipe()
    if hasattr(signal, "pthread_sigmask"):  # not on Windows
        from multiprocessing import resource_tracker

        resource_tracker.ensure_running()  # now, for as it starts it lets signals through again
    try:
        with signals_held():
            process = _process(_child, train, name, other)
            process.start()
    except (EOFError, OSError) as error:  # no more processes, or the server was killed this instant
        raise RunFailed(f"the training {name} could not start: {error!r}") from error
    other.close()  # else the line would not end with the process
    return line, process


def _process(target: Callable[..., None], *arguments: object) -> BaseProcess:
    """Return a process that has not started and will have nothing of this one's but the arguments.

    Where the system can, it is forked from a server that has imported what takes long, once for all. The
    server has no threads and called nothing, so nothing can be lost in the fork.
    """
    if "forkserver" not in multiprocessing.get_all_start_methods():  # Windows
        return multiprocessing.get_context("spawn").Process(target=target, args=arguments, daemon=True)
    from multiprocessing import forkserver

    context = multiprocessing.get_context("forkserver")
    of_torch = SHARED_IMPORTS_OF_TORCH if "torch" in sys.modules else ()
    context.set_forkserver_preload([*SHARED_IMPORTS, *of_torch])
    with _files_here_not_imported():
        forkserver.ensure_running()
    return context.Process(target=target, args=arguments, daemon=True)


@contextmanager
def _files_here_not_imported() -> Iterator[None]:
    """Let a Python that starts inside this not take a random.py in the working folder for the library's."""
    before = os.environ.get("PYTHONSAFEPATH")
    os.environ["PYTHONSAFEPATH"] = "1"
    try:
        yield
    finally:
        del os.environ["PYTHONSAFEPATH"]
        if before is not None:
            os.environ["PYTHONSAFEPATH"] = before


def _tell_to_stop(running: Mapping[Connection, object]) -> None:
    for line in running:
        with contextlib.suppress(OSError):  # it is gone
            line.send(None)


@contextmanager
def _closed_at_the_end(running: Mapping[Connection, object]) -> Iterator[None]:
    """Whatever happens inside this, nobody trains on after it."""
    try:
        yield
    finally:
        for line in running:
            line.close()


@contextmanager
def signals_held() -> Iterator[None]:
    """Hold back the `STOP_SIGNALS` inside this: they come after it, and none is lost.

    They reach the whole group, and are this process's to answer. A process that is started here holds them
    back too, from its first instant on.
    """
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _child(train: Train, name: str, line: Connection) -> None:
    """Train in this process and say how it ended; a parent that is gone counts as a stop."""
    for number in STOP_SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)

    def send(record: Record) -> None:
        with contextlib.suppress(OSError):  # nobody listens any more
            line.send(record)

    def stopped() -> bool:
        try:
            return line.poll()  # there is something to read, if only the line's end
        except OSError:
            return True

    try:
        train(name, send, stopped)
        send({"ended": True})
    except (BadFile, OSError) as error:  # which say in a sentence what is wrong
        send({"error": error if isinstance(error, BadFile) else in_words(error)})
    except Exception:
        send({"error": f"\n{traceback.format_exc()}"})


def _failure(name: str, error: BadFile | str) -> RunFailed | BadFile:
    return error if isinstance(error, BadFile) else RunFailed(f"the training {name} failed: {error}")


def available_cores() -> int:
    """Return the cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def processor() -> tuple[str, list[str]]:
    """Return the processor's name and which of `INSTRUCTIONS` it has, as far as the system tells."""
    lines = lines_of(Path("/proc/cpuinfo"))
    found = {name.strip(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    name = found.get("model name") or platform.processor() or platform.machine() or "unknown processor"
    flags = found.get("flags", found.get("Features", "")).split()
    return name, [instruction for instruction in INSTRUCTIONS if instruction in flags]


def lines_of(path: Path) -> list[str]:
    """Return the lines of a file of the system; none where it has no such file, or keeps it to itself."""
    try:
        return path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []


def peak_memory() -> int:
    """Return the most bytes that were ever resident in this process; 0 where the system does not say."""
    try:
        import resource
    except ModuleNotFoundError:  # Windows
        return 0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak


def physical_memory() -> int:
    """Return the bytes of memory of this machine; 0 where the system does not say."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):  # Windows, or a system without these names
        return 0


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
