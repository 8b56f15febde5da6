"""No exercise passes a function that ignores one of its arguments: the checks vary each."""

import copy
import importlib
import inspect

import numpy as np
import pytest

from relational_rnn.course import EXERCISES, WrongAnswer
from relational_rnn.course.checking import guard, load

PARTS = {
    f"{number}-{part.function}": (exercise, part)
    for number, exercise in EXERCISES.items()
    for part in importlib.import_module(exercise.checks).PARTS
}


class Read(dict):
    """A dict that remembers which of its entries were read."""

    read: set = set()

    def __getitem__(self, name):
        self.read.add(name)
        return super().__getitem__(name)


def calls(part, function, change=lambda bound: None):
    """Try a part's checks on a function; return what it was called with and what was told, if anything."""
    signature, seen = inspect.signature(function), []

    def changed(*arguments, **named):
        bound = signature.bind(*arguments, **named)
        bound.apply_defaults()
        seen.append(copy.copy(bound.arguments))
        change(bound)
        return function(*bound.args, **bound.kwargs)

    changed.__signature__ = signature
    try:
        for check in part.checks:
            check(guard(part.function, changed))
    except WrongAnswer as wrong:
        return seen, str(wrong)
    return seen, ""


def replacements(name, values, default, read):
    """Yield what an argument may be replaced by: a name, and a function of its value."""
    first = values[0]
    if default is not inspect.Parameter.empty:
        yield "its default", lambda value: default
    if isinstance(first, np.ndarray):
        yield "zeros", np.zeros_like
        yield "ones", np.ones_like
        yield "its mean", lambda array: np.full_like(array, array.mean())
    elif isinstance(first, dict):
        for key in read & first.keys():
            yield f"zeros at {key}", lambda all, key=key: {**all, key: np.zeros_like(all[key])}
            yield f"ones at {key}", lambda all, key=key: {**all, key: np.ones_like(all[key])}
    elif isinstance(first, int | float | str | list | np.random.Generator):
        kept = copy.deepcopy(first)  # a generator that never goes on
        yield f"always {first}", lambda value: copy.deepcopy(kept)


@pytest.mark.parametrize("which", PARTS)
def test_an_answer_that_ignores_an_argument_is_told(which):
    exercise, part = PARTS[which]
    function = getattr(load(exercise.solution), part.function)
    Read.read = set()

    def watch(bound):
        bound.arguments |= {n: Read(v) for n, v in bound.arguments.items() if isinstance(v, dict)}

    seen, told = calls(part, function, watch)
    assert told == ""
    unseen = []
    for name, parameter in inspect.signature(function).parameters.items():
        values = [arguments[name] for arguments in seen if arguments[name] is not None]
        values = [
            copy.deepcopy(value) if isinstance(value, np.random.Generator) else value for value in values
        ]
        for what, replaced in replacements(name, values, parameter.default, set(Read.read)):

            def change(bound, name=name, replaced=replaced):
                if bound.arguments[name] is not None:
                    bound.arguments[name] = replaced(bound.arguments[name])

            if not calls(part, function, change)[1]:
                unseen.append(f"{name}: {what}")
    assert unseen == []
