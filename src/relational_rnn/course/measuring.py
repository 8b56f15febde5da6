"""The measurements of the pages, run with a learner's functions."""

from __future__ import annotations

import traceback
from pathlib import Path
from types import ModuleType

from relational_rnn.course.checking import WrongAnswer, load, place, told
from relational_rnn.course.registry import Exercise


def measure(exercise: Exercise, path: Path, script: Path) -> None:
    """Run a measurement in this process; it prints its tables.

    Args:
        exercise: what is measured.
        path: the file whose functions it uses; an error there, or of what they return, is told in words.
        script: the measurement: its `main` takes the loaded file.

    Raises:
        KeyboardInterrupt: Ctrl-C; its words say where the file was.
        WrongAnswer: the file or the script cannot be loaded, or a function fails; the message names it.
        BadFile: one of them is no file.
        OSError: one of them cannot be read.
    """
    mine, measurement = _load(path), _load(script)
    try:
        measurement.main(mine)
    except BrokenPipeError:  # the reader has seen enough
        raise
    except KeyboardInterrupt as stop:
        calls = [
            (frame.filename, frame.name, frame.lineno or 0)
            for frame in traceback.extract_tb(stop.__traceback__)
        ]
        raise KeyboardInterrupt(f"stopped {where}" if (where := place(path, calls[::-1])) else "") from None
    except Exception as wrong:
        if path == exercise.solution:
            raise
        frames = [frame for frame in traceback.extract_tb(wrong.__traceback__) if frame.filename == str(path)]
        if frames and isinstance(wrong, NotImplementedError):
            raise WrongAnswer(f"{path}: {frames[-1].name} is not written yet") from wrong
        if isinstance(wrong, AttributeError) and wrong.obj is mine:
            raise WrongAnswer(f"{path}: there is no function called {wrong.name} in the file") from wrong
        where = "it" if frames else "the measurement"
        raise WrongAnswer(f"{path}: {where} stops with {told(wrong, str(path))}") from wrong


def _load(path: Path) -> ModuleType:
    try:
        return load(path)
    except WrongAnswer as wrong:
        raise WrongAnswer(f"{path}: {wrong}") from wrong
