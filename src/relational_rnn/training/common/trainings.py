"""The trainings of one run: those that are not finished, side by side, their records in the run's folder."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from relational_rnn.training.common.files import read_json
from relational_rnn.training.common.processes import Train, train_side_by_side
from relational_rnn.training.common.records import RunFolder

C = TypeVar("C")


def train_all(
    folder: RunFolder,
    everyone: Mapping[str, C],
    train: Train,
    *,
    workers: int,
    resume: bool,
    saved_step: Callable[[C], int],
    show: Callable[[C, dict[str, Any]], None],
    may_start: Callable[[C], bool] = lambda training: True,
) -> float | None:
    """Train what has no score yet.

    Args:
        folder: of the run.
        everyone: name -> training, in the order in which they start.
        train: as for `train_side_by_side`; it leaves a score in the folder.
        workers: how many run at the same time.
        resume: go on with a run that was stopped.
        saved_step: (training) -> the step of its checkpoint, 0 without one.
        show: gets every record as it comes.
        may_start: (training) -> whether it has what it waits for.

    Returns:
        Seconds of the whole run; None if it was interrupted in between.

    Raises:
        RunFailed, Interrupted: see `train_side_by_side`.
    """
    start = time.perf_counter()
    if resume:
        folder.forget_after({name: saved_step(training) for name, training in everyone.items()})

    def note(name: str, record: dict[str, Any]) -> None:
        folder.append({"model": name, **record})
        show(everyone[name], record)

    train_side_by_side(
        [name for name in everyone if not folder.score(name).exists()],
        train,
        workers=workers,
        show=note,
        may_start=lambda name: may_start(everyone[name]),
    )
    if not resume:
        return round(time.perf_counter() - start, 1)
    finished: float | None = read_json(folder.results)["wall_seconds"] if folder.results.exists() else None
    return finished
