"""Checks of what a caller passes, with messages that name what came and what is allowed.

They look at plain values and shapes only, so NumPy and torch code share them.
"""

from __future__ import annotations

import functools
import inspect
import math
import operator
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final, ParamSpec

from relational_rnn.config.axes import AXES

MOST: Final = 2**31 - 1
"""The largest size: larger ones fit neither into memory nor into the integers of the kernels."""

MOST_SEED: Final = 2**63 - 1
"""The largest seed that NumPy and torch both take."""


class BadFile(ValueError):
    """A file that cannot be used as it is.

    Args:
        path: of the file.
        wrong: what is wrong with it, after its name.
        remedy: what to do, if anything is known to help.

    Example:
        >>> str(BadFile("run/results.json", "is empty", "remove it"))
        'run/results.json is empty; remove it'
    """

    def __init__(self, path: Path | str, wrong: str, remedy: str = "") -> None:
        super().__init__(path, wrong, remedy)  # by which it can be pickled
        self.path, self.wrong, self.remedy = path, wrong, remedy

    def __str__(self) -> str:
        """Return the sentence."""
        return f"{self.path} {self.wrong}" + (f"; {self.remedy}" if self.remedy else "")


def check_size(name: str, value: Any, minimum: int = 1, maximum: int = MOST) -> int:
    """Return `value` as an int, or say why it is no size.

    Raises:
        TypeError: `value` is not an integer (booleans are not integers here).
        ValueError: `value` is below `minimum` or above `maximum`.

    Example:
        >>> check_size("num_heads", 4)
        4
    """
    if isinstance(value, bool):
        raise TypeError(f"{name} must be an integer of at least {minimum}, got {with_type(value)}")
    try:
        size = operator.index(value)
    except TypeError:
        raise TypeError(f"{name} must be an integer of at least {minimum}, got {with_type(value)}") from None
    if size < minimum:
        raise ValueError(f"{name} must be an integer of at least {minimum}, got {shortened(size)}")
    if size > maximum:
        raise ValueError(f"{name} must be an integer of at most {maximum}, got {shortened(size)}")
    return size


def check_seed(name: str, value: Any) -> int:
    """Return `value` as an int from 0 to `MOST_SEED`, or say why it is no seed.

    Raises:
        TypeError: `value` is not an integer.
        ValueError: `value` is out of range.

    Example:
        >>> check_seed("seed", 2**63)
        Traceback (most recent call last):
        ValueError: seed must be an integer of at most 9223372036854775807, got 9223372036854775808
    """
    return check_size(name, value, minimum=0, maximum=MOST_SEED)


def shortened(value: Any) -> str:
    """Return a value as an error message shows it: of a long one the beginning.

    Example:
        >>> shortened("x" * 1000) == "'" + "x" * 60 + "..."
        True
        >>> shortened(10**5000)
        'an integer of 16610 bits'
    """
    if isinstance(value, int) and value.bit_length() > 200:
        return f"an integer of {value.bit_length()} bits"
    try:
        told = repr(value)
    except (ValueError, RecursionError):  # a long integer inside, or lists in lists in lists
        told = type(value).__name__
    return told if len(told) <= 64 else f"{told[:61]}..."


def with_type(value: Any) -> str:
    """Return a value and its type, as an error message shows what is of the wrong one.

    Example:
        >>> with_type(1.5), with_type(None)
        ('1.5 (float)', 'None')
    """
    return "None" if value is None else f"{shortened(value)} ({type(value).__name__})"


def check_number(name: str, value: Any, minimum: float = -math.inf, maximum: float = math.inf) -> float:
    """Return `value` as a float, or say why it is no finite number between `minimum` and `maximum`.

    Raises:
        TypeError: `value` is not a real number.
        ValueError: `value` is not finite or out of range.
    """
    if isinstance(value, bool) or not hasattr(value, "__float__"):
        raise TypeError(f"{name} must be a number, got {with_type(value)}")
    try:
        number = float(value)
    except OverflowError:  # an integer beyond all floats
        number = math.inf
    if not math.isfinite(number) or not minimum <= number <= maximum:
        allowed = "" if minimum == -math.inf and maximum == math.inf else f" from {minimum} to {maximum}"
        raise ValueError(f"{name} must be a finite number{allowed}, got {shortened(value)}")
    return number


def check_bool(name: str, value: Any) -> bool:
    """Return `value` if it is True or False.

    Raises:
        TypeError: it is something else.
    """
    if not isinstance(value, bool):
        raise TypeError(f"{name} must be True or False, got {with_type(value)}")
    return value


OTHER_NAMES: Final = {
    "num_slots": "num_slots is mem_slots here",
    "slot_size": "a slot has head_size * num_heads features here",
    "hidden_size": "a memory has mem_slots slots of head_size * num_heads features instead",
    "num_classes": "num_classes is classes here",
}
"""What others call an argument of a core -> what it is here."""
HYBRID_NAMES: Final = {
    "mem_slots": "mem_slots is num_slots here",
    "head_size": "all heads of a slot together have slot_size features here",
}
"""What the core calls an argument of the hybrid -> what it is there."""
OTHER_VALUES: Final = {"lstm": 'the gates of an LSTM, one for every element, are "unit"'}
"""What others call a choice, in lower case -> what it is here."""


def check_choice(name: str, value: Any, allowed: Collection[str]) -> str:
    """Return `value` if it is one of `allowed`.

    Raises:
        ValueError: it is not; the message lists what is.
    """
    if not isinstance(value, str) or value not in allowed:
        known = OTHER_VALUES.get(str(value).lower()) if name == "gate_style" else None
        told = f" ({known})" if known else did_you_mean(value, allowed)
        raise ValueError(f"{name} must be one of {', '.join(map(repr, allowed))}, got {value!r}{told}")
    return value


P = ParamSpec("P")


def check_preset(preset: str, of: str, presets: Collection[str]) -> str:
    """Return the name of a preset.

    Args:
        preset: the name.
        of: the task or game.
        presets: that it has.

    Raises:
        ValueError: there is none of that name; the message has the nearest, and all.

    Example:
        >>> check_preset("quik", "sorting", ["quick", "tiny"])
        Traceback (most recent call last):
        ValueError: there is no preset 'quik' for sorting (did you mean quick?); known presets: quick, tiny
    """
    if preset not in presets:
        near = did_you_mean(preset, presets)
        raise ValueError(f"there is no preset {preset!r} for {of}{near}; known presets: {', '.join(presets)}")
    return preset


def tells_names(constructor: Callable[P, None]) -> Callable[P, None]:
    """Let a core's constructor say what is meant by an argument that it does not have.

    That is one with another name elsewhere, or a misspelling of one that is required, of which Python would
    only say that it is missing.

    Raises:
        TypeError: from the constructor, for such a name: those of `OTHER_NAMES`, `HYBRID_NAMES` and typos.

    Example:
        >>> class Core:
        ...     @tells_names
        ...     def __init__(self, mem_slots, **options): ...
        >>> Core(num_slots=3)
        Traceback (most recent call last):
        TypeError: Core has no argument num_slots: num_slots is mem_slots here
        >>> Core(mem_slot=3)
        Traceback (most recent call last):
        TypeError: Core has no argument mem_slot (did you mean mem_slots?)
    """
    parameters = inspect.signature(constructor).parameters
    required = [
        p.name for p in parameters.values() if p.default is p.empty and p.kind is p.POSITIONAL_OR_KEYWORD
    ]
    elsewhere = {name: told for name, told in (OTHER_NAMES | HYBRID_NAMES).items() if name not in parameters}

    @functools.wraps(constructor)
    def checked(*args: P.args, **kwargs: P.kwargs) -> None:
        if other := [name for name in kwargs if name in elsewhere]:
            told = ", ".join(elsewhere[name] for name in other)
            raise TypeError(f"{type(args[0]).__name__} has no argument {', '.join(other)}: {told}")
        missing = [name for name in required[len(args) :] if name not in kwargs]
        for name in kwargs.keys() - parameters.keys():
            for meant in get_close_matches(name, missing, n=1, cutoff=0.8):  # no option is as near to a size
                raise TypeError(f"{type(args[0]).__name__} has no argument {name} (did you mean {meant}?)")
        if missing:  # Python would name the class that has the constructor
            raise TypeError(f"{type(args[0]).__name__} needs {' and '.join(missing)}")
        constructor(*args, **kwargs)

    return checked


def check_shape(name: str, shape: Sequence[int], axes: Sequence[str], **sizes: int) -> None:
    """Say so when `shape` is not `axes`, where the axes named in `sizes` have that size and none is empty.

    Args:
        name: what the array is called in the message.
        shape: the shape that came.
        axes: one letter of `config.axes.AXES` for each axis, for example `("B", "T", "F")`.
        sizes: the size an axis must have; axes without one may have any size but 0.

    Raises:
        ValueError: wrong number of axes, wrong size, or an empty axis.

    Example:
        >>> check_shape("input", (2, 7, 40), ("B", "T", "F"), F=40)
    """
    # Words only where something is wrong: a size in a text is a fixed size for torch.export.
    if len(shape) != len(axes):
        wanted = _in_words(axes, sizes)
        raise ValueError(f"{name} must have {len(axes)} axes {wanted}; got shape {tuple(shape)}")
    for axis, size in zip(axes, shape, strict=True):
        if axis in sizes and size != sizes[axis]:
            wanted = _in_words(axes, sizes)
            raise ValueError(f"{name} must have shape {wanted}; got {tuple(shape)}, where {axis} = {size}")
        if size == 0:
            wanted = _in_words(axes, sizes)
            raise ValueError(
                f"{name} must not be empty: shape {wanted}; got {tuple(shape)}, where {axis} = 0"
            )


def check_sequence(name: str, shape: Sequence[int], axes: Sequence[str], cell: str, **sizes: int) -> None:
    """Check a sequence as `check_shape` does; of one step of a batch, say which class takes it.

    Raises:
        ValueError: as `check_shape`.

    Example:
        >>> check_sequence("x", (7, 5), ("B", "T", "F"), "Cell")  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        ValueError: x must have 3 axes (B, T, F) with ...; for one step, (B, F), there is Cell
    """
    try:
        check_shape(name, shape, axes, **sizes)
    except ValueError as error:
        if len(shape) != len(axes) - 1:
            raise
        step = ", ".join(axis for axis in axes if axis != "T")
        raise ValueError(f"{error}; for one step, ({step}), there is {cell}") from None


def _in_words(axes: Sequence[str], sizes: Mapping[str, int]) -> str:
    where = [f"{axis} = {sizes[axis]}" if axis in sizes else f"{axis} = {AXES[axis]}" for axis in axes]
    return f"({', '.join(axes)}) with {', '.join(where)}"


def check_unknown(kind: type, options: Iterable[str], known: Iterable[str]) -> None:
    """Say so when a constructor's `**options` hold a name that is none: `Unpack` tells only type checkers.

    Args:
        kind: the class that is made.
        options: the names that came.
        known: the names that may come; the message adds what the constructors of `kind` name themselves.

    Raises:
        TypeError: listing the unknown names, the nearest known one of each, and all that are allowed.

    Example:
        >>> check_unknown(type("Core", (), {}), {"slots": 3}, ["mem_slots", "seed"])
        Traceback (most recent call last):
        TypeError: Core got unknown arguments: slots (did you mean mem_slots?); allowed are mem_slots, seed
    """
    known = dict.fromkeys(known)  # a set that keeps the order
    unknown = [name for name in options if name not in known]
    if not unknown:
        return
    constructors = [vars(base).get("__init__") for base in kind.__mro__]
    parameters = [
        parameter
        for constructor in constructors
        if inspect.isfunction(constructor)
        for parameter in list(inspect.signature(constructor).parameters.values())[1:]  # the first is `self`
    ]
    named = [p.name for p in parameters if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
    allowed = list(dict.fromkeys([*named, *known]))
    found = [f"{name}{did_you_mean(name, allowed)}" for name in unknown]
    raise TypeError(
        f"{kind.__name__} got unknown arguments: {', '.join(found)}; allowed are {', '.join(allowed)}"
    )


def did_you_mean(name: object, allowed: Collection[str]) -> str:
    """Return a question after the nearest of the names that are allowed, nothing if none is near.

    Example:
        >>> did_you_mean("sortin", ["copy", "sorting"]), did_you_mean("x", ["copy", "sorting"])
        (' (did you mean sorting?)', '')
    """
    near = get_close_matches(str(name)[:100], allowed, n=1)
    return "".join(f" (did you mean {one}?)" for one in near)
