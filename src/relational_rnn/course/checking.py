"""How a learner's file is loaded and checked, and how a mistake is told."""

from __future__ import annotations

import importlib
import inspect
import linecache
import re
import sys
import tokenize
import traceback
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, Final, NamedTuple

import numpy as np

from relational_rnn.config.paths import check_file
from relational_rnn.course.registry import ROOM, Exercise

Array = np.ndarray
Function = Callable[..., Any]
Wrong = Array | float | tuple[Array | float, ...]
TRANSPOSED = re.compile(r"\b(\w+)\.T\b|\b(\w+)\.transpose\(\)|\bnp\.transpose\((\w+)\)")
"""An array with its axes in reverse order, in a line of code."""

HINTS: Final = {
    r"Cannot interpret '\d+' as a data type": (
        "A shape is one argument, a tuple: np.zeros((3, 8)), with two pairs of brackets."
    ),
    r"'tuple' object cannot be interpreted as an integer": (
        "A tuple came where one whole number is wanted: np.eye(3, 8) takes its sizes one by one."
    ),
    r"mismatch in its core dimension": (
        "A @ B wants the last axis of A as long as the last but one of B. Is one of them to be transposed? A "
        "layer's weight is (outputs, inputs), so it is x @ W.T."
    ),
    r"must have same number of dimensions": (
        "One array has an axis fewer: x[:, None] puts one of length 1 behind the first."
    ),
    r"concatenate\(\) got multiple values for argument 'axis'|only integer scalar arrays": (
        "np.concatenate and np.stack take the arrays as one list: np.concatenate([a, b], axis=1)."
    ),
    r"truth value of an array": (
        "An `if` wants one True or False, and an array has many: np.where(condition, a, b) chooses for each "
        "number by itself."
    ),
    r"'tuple' object has no attribute|unsupported operand type.*'tuple'|only concatenate tuple|"
    r"inhomogeneous shape": (
        "A tuple came where one array is wanted, such as (result, cache), which the package's parts return; "
        "take [0]."
    ),
    r"does not result in an equal division": (
        "np.split cuts an axis into equal parts, and this one has another length. The last one is axis=-1."
    ),
}
"""What NumPy says of a mistake -> what to do about it."""


NEARLY = 1e-5
"""As `tolerance` of `compare`: what is off by less is a matter of rounding, or of a number that was added."""


class WrongAnswer(Exception):
    """What a learner's function did, what was expected, and where to look."""


class Part(NamedTuple):
    """A function that the learner writes, and its checks in the order in which they are tried.

    A check takes the function and raises `WrongAnswer`; the first line of its docstring says what it tries.
    """

    function: str
    checks: tuple[Callable[[Function], None], ...]


class Result(NamedTuple):
    """How one check came out."""

    function: str
    tried: str
    passed: bool
    message: str = ""
    """What is wrong; empty if passed."""
    untried: int = 0
    """Checks of the same function that wait for this one."""


def check(exercise: Exercise, path: Path) -> list[Result]:
    """Check a learner's file in this process; see `check_each`."""
    return list(check_each(exercise, path))


def check_each(
    exercise: Exercise, path: Path, trying: Callable[[str, str], None] = lambda function, tried: None
) -> Iterator[Result]:
    """Check a learner's file, and yield each result as it comes.

    Each function is checked with the solution's versions of the others around it, so that a mistake is told
    once, where it is. After the first check that fails the function's others are left out.

    Args:
        exercise: what the file should solve.
        path: the file.
        trying: gets the function and what is tried before each check.

    Yields:
        The results in order; a file that cannot be loaded has one, without a function.

    Raises:
        BadFile: it is no file.
        OSError: the file cannot be read.
    """
    parts: tuple[Part, ...] = importlib.import_module(exercise.checks).PARTS
    loading = f"load {path.name}"
    trying("", loading)
    try:
        answer = load(path)
    except WrongAnswer as wrong:
        yield Result("", loading, False, str(wrong))
        return
    solution = load(exercise.solution)
    theirs = {part.function: getattr(answer, part.function, None) for part in parts}
    for part in parts:
        for other in theirs:
            setattr(answer, other, getattr(solution, other))
        function = theirs[part.function]
        setattr(answer, part.function, function)  # it may call itself
        yield from _check_part(part, function, trying)


def _check_part(part: Part, function: Any, trying: Callable[[str, str], None]) -> Iterator[Result]:
    """Yield results up to the first that fails."""
    for number, one in enumerate(part.checks, start=1):
        tried = (inspect.getdoc(one) or one.__name__).splitlines()[0].rstrip(".")
        trying(part.function, tried)
        try:
            if not callable(function):
                what = "no function" if function is None else f"{_a(function)}, no function,"
                raise WrongAnswer(f"There is {what} called {part.function} in the file; keep the name.")
            one(guard(part.function, function))
        except WrongAnswer as wrong:
            yield Result(part.function, tried, False, str(wrong), len(part.checks) - number)
            return
        yield Result(part.function, tried, True)


def load(path: Path) -> ModuleType:
    """Run a file as a module and return it.

    It is compiled anew each time: Python's own cache takes two versions of the same second and size for one.

    Raises:
        WrongAnswer: it is no Python, or fails while it is loaded; the message names the line.
        BadFile: it is no file.
        OSError: it cannot be read.
    """
    module = ModuleType(f"learners_{path.stem}")  # a file may be called random.py
    module.__file__ = str(path)
    linecache.checkcache(str(path))
    check_file(path)
    try:
        with tokenize.open(path) as file:
            source = file.read()
        code = compile(source, str(path), "exec")
    except SyntaxError as wrong:
        line = f" in line {wrong.lineno}" if wrong.lineno else ""
        shown = f": {wrong.text.strip()}" if wrong.text else ""
        raise WrongAnswer(f"This is no Python yet{line} ({wrong.msg}){shown}") from wrong
    except ValueError as wrong:  # UnicodeDecodeError among them
        raise WrongAnswer(f"This is no Python file: {wrong}") from wrong
    sys.modules[module.__name__] = module  # dataclasses look there
    try:
        with np.errstate():  # what a file says to np.seterr is not for the checks
            exec(code, module.__dict__)
    except KeyboardInterrupt:
        raise
    except BaseException as wrong:
        raise WrongAnswer(f"The file cannot be loaded: {told(wrong, str(path))}") from wrong
    return module


def guard(name: str, function: Function) -> Function:
    """Return a learner's function as the checks call it: what fails, or changes its arguments, is told.

    Raises, when called:
        WrongAnswer: other arguments than it is called with, an error of its own, arguments changed in place,
            or nothing returned.
        FloatingPointError: a number overflows, or the like, in an `np.errstate` that says "raise" of it.
    """

    def call(*arguments: Any, **named: Any) -> Any:
        try:
            given = inspect.signature(function).bind(*arguments, **named).arguments
        except TypeError as wrong:
            raise WrongAnswer(
                f"It takes other arguments than in the starter: {name}{inspect.signature(function)} "
                f"({wrong})."
            ) from wrong
        arrays = dict(_arrays(given))
        before = {label: array.copy() for label, array in arrays.items()}
        strict: Any = {kind: how for kind, how in np.geterr().items() if how == "raise"}  # what a check wants
        try:
            with np.errstate(all="ignore"), np.errstate(**strict), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                result = function(*arguments, **named)
        except NotImplementedError as wrong:
            raise WrongAnswer(f"Not written yet. {wrong}".strip()) from wrong
        except KeyboardInterrupt:
            raise
        except BaseException as wrong:
            if strict and isinstance(wrong, FloatingPointError):
                raise
            shapes = ", ".join(f"{label} {x.shape}" for label, x in given.items() if label in before)
            called = f" It was called with {shapes}." if shapes else ""
            file = getattr(getattr(function, "__code__", None), "co_filename", "")
            words = _reversed_axes(wrong, file) or _hint(wrong, file)
            raise WrongAnswer(f"{words}It stops with {told(wrong, file)}.{called}") from wrong
        for label, array in arrays.items():
            if not np.array_equal(array, before[label], equal_nan=array.dtype.kind == "f"):
                raise WrongAnswer(
                    f"It changes its argument {label}, which belongs to the caller. Work on a new array: "
                    f"`x = x - y` makes one, `x -= y` and `x[...] = y` write into the old one."
                )
        if result is None:
            raise WrongAnswer("It returns nothing (None). Does it end with `return ...`?")
        return result

    return call


def compare(
    what: str,
    got: Any,
    expected: Array | float,
    mistakes: Mapping[str, Wrong] | None = None,
    tolerance: float = 1e-9,
) -> None:
    """Hold a result against the right one, and against those that typical mistakes lead to.

    Args:
        what: name of the result in the message.
        got: the learner's.
        expected: the right one; the dtype counts too.
        mistakes: what to say -> the result that this mistake gives; a tuple of them if it has several.
        tolerance: largest difference, times the largest number expected where that is above 1.

    Raises:
        WrongAnswer: it is another.

    Example:
        >>> compare("the sum", 3.0, 3.0)
        >>> compare("the sum", 2.0, 3.0, {"That is the mean, not the sum.": 2.0})
        Traceback (most recent call last):
        relational_rnn.course.checking.WrongAnswer: That is the mean, not the sum.
    """
    right = np.asarray(expected)
    if not isinstance(got, np.ndarray | np.generic) and (right.ndim or not isinstance(got, int | float)):
        kind = _a(got) + (f" of {len(got)}" if isinstance(got, tuple | list) else "")
        kind += "; take [0]" if isinstance(got, tuple) and isinstance(next(iter(got), 0), np.ndarray) else ""
        wanted = "a NumPy array" if right.ndim else "a number"
        raise WrongAnswer(f"{what} must be {wanted}, got {kind}.")
    array = np.asarray(got)
    if array.dtype.kind not in "fiub":
        raise WrongAnswer(f"{what} must hold numbers, got an array of dtype {array.dtype}.")
    if not _close(array, right, tolerance):
        near = max(tolerance, 1e-6)
        for message, forms in (mistakes or {}).items():
            for wrong in map(np.asarray, forms if isinstance(forms, tuple) else (forms,)):
                # A mistake that these arguments do not show has the right result; it explains no near miss.
                if _close(array, wrong, near) and not _close(wrong, right, near):
                    raise WrongAnswer(message)
        raise WrongAnswer(f"{what} {_difference(array, right, tolerance, _are_several(what))}")
    if not right.ndim and right.dtype.kind == "i" and array.dtype.kind == "f":
        raise WrongAnswer(
            f"{what} must be a whole number, got the float {got}: / makes a float of two whole numbers, // "
            f"does not."
        )
    if right.ndim and (array.dtype.kind != right.dtype.kind or right.dtype == np.float32 != array.dtype):
        raise WrongAnswer(f"{what} must be of dtype {right.dtype}, got {array.dtype}.")


def expect_shape(what: str, got: Any, shape: tuple[int, ...]) -> None:
    """Check the shape of a result whose numbers are drawn at random.

    Raises:
        WrongAnswer: it is no array, or has another shape.
    """
    if not isinstance(got, np.ndarray):
        raise WrongAnswer(f"{what} must be a NumPy array, got {_a(got)}.")
    if got.shape != shape:
        raise WrongAnswer(f"{what} must have shape {shape}, got {got.shape}.")


def unpack(what: Sequence[str], got: Any) -> tuple[Any, ...]:
    """Return the results of a function that returns several.

    Args:
        what: their names.
        got: the learner's.

    Raises:
        WrongAnswer: it is no tuple of so many.
    """
    if not isinstance(got, tuple | list) or len(got) != len(what):
        kind = f"{len(got)} values" if isinstance(got, tuple | list) else f"one {type(got).__name__}"
        raise WrongAnswer(f"It must return {len(what)} values, ({', '.join(what)}), got {kind}.")
    return tuple(got)


def _close(got: Array, expected: Array, tolerance: float) -> bool:
    if got.shape != expected.shape:
        return False
    finite = np.abs(expected[np.isfinite(expected)])
    allowed = tolerance * max(1.0, float(finite.max(initial=0)))
    return bool(np.allclose(got, expected, rtol=0, atol=allowed, equal_nan=True))


def called(wrong: BaseException, function: str) -> dict[str, Any]:
    """Return what a function was called with in which a learner's answer stopped; nothing if it was another.

    Args:
        wrong: what `guard` has raised.
        function: its name.

    Example:
        >>> called(WrongAnswer("Not written yet."), "step")
        {}
    """
    cause = wrong.__cause__
    frames = [frame for frame, _ in traceback.walk_tb(cause.__traceback__ if cause else None)]
    return next((dict(frame.f_locals) for frame in frames if frame.f_code.co_name == function), {})


def _a(value: Any) -> str:
    """Name a value's type, with its article.

    Example:
        >>> _a(3), _a(None)
        ('an int', 'a NoneType')
    """
    kind = type(value).__name__
    return f"{'an' if kind[0].lower() in 'aeiou' else 'a'} {kind}"


def _are_several(what: str) -> bool:
    """Say whether a result's name is a plural: its last word before of, after, for or in.

    Example:
        >>> [_are_several(what) for what in ("The factors of step 0", "The core's numbers", "The bias")]
        [True, True, False]
    """
    last = re.split(r" (?:of|after|for|in) ", what)[0].split()[-1]
    return last.endswith("s") and not last.endswith(("ss", "bias"))


def _difference(got: Array, expected: Array, tolerance: float, several: bool) -> str:
    """Say how two arrays differ, from the coarsest to the finest; `several` is for a name in the plural."""
    if got.shape != expected.shape:
        return f"must have shape {expected.shape}, got {got.shape}."
    for name, found in (("NaN", np.isnan(got)), ("infinity", np.isinf(got))):
        if (at := found & np.isfinite(expected)).any():
            return f"{'hold' if several else 'holds'} {name}{_place(at)}, expected {expected[at][0]:.6g}."
    off = ~np.isclose(got, expected, rtol=0, atol=tolerance, equal_nan=True)
    off = off if off.any() else got != expected
    share = f" ({off.sum()} of {off.size} entries are off)" if off.ndim else ""
    first, right = _apart(got[off][0], expected[off][0])
    near = ""
    if expected.dtype.kind == "f" and _close(got, expected, NEARLY):
        near = " That is nearly right. Is a small number added, such as 1e-8? Is something float32?"
    return f"{'are' if several else 'is'} {first}{_place(off)}, expected {right}{share}.{near}"


def _apart(got: Any, expected: Any) -> tuple[str, str]:
    """Write two numbers that differ with as many digits as show it."""
    for digits in (6, 9, 12):
        texts = f"{got:.{digits}g}", f"{expected:.{digits}g}"
        if texts[0] != texts[1]:
            return texts
    return f"{got:.17g}", f"{expected:.17g}"


def _place(found: Array) -> str:
    """Say where an array of booleans is first true."""
    if not found.ndim:
        return ""
    return f" at [{', '.join(str(axis[0]) for axis in np.nonzero(found))}]"


def _arrays(arguments: Mapping[str, Any]) -> Iterator[tuple[str, Array]]:
    """Yield the arrays among arguments, and those in their dicts, lists and tuples, with their names."""
    for name, value in arguments.items():
        if isinstance(value, np.ndarray):
            yield name, value
        elif isinstance(value, Mapping):
            yield from _arrays({f"{name}[{key!r}]": inner for key, inner in value.items()})
        elif isinstance(value, tuple | list):
            yield from _arrays({f"{name}[{at}]": inner for at, inner in enumerate(value)})


def told(wrong: BaseException, file: str) -> str:
    """Name an error, and the last line of a file on the way to it."""
    lines = [frame for frame in traceback.extract_tb(wrong.__traceback__) if frame.filename == file]
    place = f" in line {lines[-1].lineno}, `{lines[-1].line}`" if lines else ""
    return f"{type(wrong).__name__}{place}: {wrong}".rstrip(".: ")


def place(path: Path, calls: Iterable[tuple[str, str, int]]) -> str:
    """Say which line of a file runs.

    Args:
        path: the file.
        calls: file, function and line of each call, the innermost first.

    Returns:
        Words that follow "it is"; nothing if no call is the file's.

    Example:
        >>> place(Path("mine.py"), [("numpy.py", "sum", 9), ("mine.py", "softmax", 4)])
        'in softmax, line 4 of mine.py'
    """
    mine = [(function, line) for file, function, line in calls if file == str(path)]
    if not mine:
        return ""
    named = [function for function, _ in mine if not function.startswith("<")]  # no <module>, no <lambda>
    return f"in {f'{named[0]}, ' if named else ''}line {mine[0][1]} of {path}"


def _hint(wrong: BaseException, file: str) -> str:
    """Say what to do about an error that NumPy reports in its own words, if a line of a file caused it."""
    files = [frame.filename for frame in traceback.extract_tb(wrong.__traceback__)]
    if file not in files:
        return ""
    inner = files[len(files) - files[::-1].index(file) :]
    own = "'tuple' object has no attribute" not in str(wrong)  # the package's parts stop at a tuple as well
    if own and any(
        Path(name).is_relative_to(ROOM.parent) for name in inner
    ):  # another's line is at fault, if any
        return ""
    said = str(wrong)
    if shapes := re.search(r"operands could not be broadcast .*?\(([\d,]+)\) \(([\d,]+)\)", said):
        return _missing_axis(*(tuple(map(int, filter(None, text.split(",")))) for text in shapes.groups()))
    return next((f"{hint} " for pattern, hint in HINTS.items() if re.search(pattern, said)), "")


def _missing_axis(first: tuple[int, ...], second: tuple[int, ...]) -> str:
    """Say where one of two shapes needs an axis of length 1 for the two to fit; nothing if none helps."""
    short, long = sorted((first, second), key=len)
    for at in range(1, len(short) + 1):
        longer = (*short[:at], 1, *short[at:])
        if len(longer) == len(long) and all(1 in (a, b) or a == b for a, b in zip(longer, long)):
            index = ", ".join([":"] * at + ["None"])
            return (
                f"Shapes are lined up from their last axis: {short} does not fit {long}, {longer} does. "
                f"x[{index}] puts an axis of length 1 there, so does keepdims=True in a sum, mean or max. "
            )
    return ""


def _reversed_axes(wrong: BaseException, file: str) -> str:
    """Say what `x.T` does to an x of more than two axes, if the line of a file that fails has one."""
    steps = list(traceback.walk_tb(wrong.__traceback__))
    places = [(frame, line) for frame, line in steps if frame.f_code.co_filename == file]
    if not places or not isinstance(wrong, ValueError):
        return ""
    frame, line = places[-1]
    for found in TRANSPOSED.finditer(linecache.getline(file, line)):
        name = next(filter(None, found.groups()))
        x = frame.f_locals.get(name)
        if isinstance(x, np.ndarray) and x.ndim > 2:
            return (
                f"{found[0]} reverses all {x.ndim} axes of {name}: {x.shape} becomes {x.T.shape}. "
                f"{name}.swapaxes(-1, -2) swaps the last two, whatever stands before them. "
            )
    return ""
