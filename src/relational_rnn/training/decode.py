"""Plain values, as JSON has them, back into the classes that they were written from, by their type hints."""

from __future__ import annotations

import collections.abc
import dataclasses
import functools
import math
import types
import typing
from typing import Any, TypeVar

from relational_rnn.config.checks import shortened

K = TypeVar("K")

WORDS = {int: "a whole number", float: "a finite number", str: "a text", bool: "true or false"}


def decode(kind: type[K], value: Any, name: str) -> K:
    """Return a value of a dataclass or a named tuple from the fields that a JSON object has.

    A field that is absent has its default.

    Args:
        kind: the class. Its fields may be numbers, texts, truth values, lists, mappings, such classes, or any
            of these or None, or one of several plain ones or a mapping; what is `Any` is taken as it is.
        value: the JSON object.
        name: what messages call it.

    Raises:
        ValueError: it is no object, a field is missing, unknown or of another type, or one that the class
            itself refuses; the message names the field.

    Example:
        >>> from relational_rnn.training.curriculum import Change
        >>> decode(Change, {"step": 3, "sizes": {"items": 2}}, "change")
        Change(step=3, sizes={'items': 2})
        >>> decode(Change, {"step": "3", "sizes": {}}, "change")
        Traceback (most recent call last):
        ValueError: change.step must be a whole number, got '3'
    """
    found: K = _decode(kind, value, name)
    return found


def _decode(kind: Any, value: Any, name: str) -> Any:
    if kind is Any or isinstance(kind, TypeVar):
        return value
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):
        if value is None and types.NoneType in arguments:
            return None
        kinds = [one for one in arguments if one is not types.NoneType]
        kind = next((one for one in kinds if len(kinds) == 1 or _is_of(one, value)), None)
        if kind is None:
            raise ValueError(f"{name} must be {' or '.join(map(_word, kinds))}, got {shortened(value)}")
        return _decode(kind, value, name)
    if origin in (list, tuple):
        parts = [_decode(arguments[0], one, f"{name}[{at}]") for at, one in enumerate(_list(value, name))]
        return origin(parts)
    if origin in (dict, collections.abc.Mapping):
        return {key: _decode(arguments[1], one, f"{name}.{key}") for key, one in _object(value, name).items()}
    return _plain(kind, value, name) if kind in WORDS else _fields(kind, value, name)


def _is_of(kind: Any, value: Any) -> bool:
    """Tell which of several types a value is of, as far as JSON tells them apart."""
    return isinstance(value, collections.abc.Mapping) if typing.get_origin(kind) else type(value) is kind


def _word(kind: Any) -> str:
    return "an object of named values" if typing.get_origin(kind) else WORDS[kind]


def _fields(kind: Any, value: Any, name: str) -> Any:
    given, hints, needed = _object(value, name), *_about(kind)
    unknown, missing = [n for n in given if n not in hints], [n for n in needed if n not in given]
    if unknown:
        raise ValueError(f"{name} has no {shortened(unknown[0])}; it has {', '.join(hints)}")
    if missing:
        raise ValueError(f"{name} lacks {', '.join(missing)}")
    parts = {key: _decode(hints[key], one, f"{name}.{key}") for key, one in given.items()}
    try:
        return kind(**parts)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name}: {error}") from None


@functools.cache
def _about(kind: Any) -> tuple[dict[str, Any], list[str]]:
    """Return a class's fields with their types, and which have no default."""
    hints = typing.get_type_hints(kind)
    if not dataclasses.is_dataclass(kind):
        return {one: hints[one] for one in kind._fields}, [
            n for n in kind._fields if n not in kind._field_defaults
        ]
    fields = dataclasses.fields(kind)
    absent = dataclasses.MISSING
    needed = [one.name for one in fields if one.default is absent and one.default_factory is absent]
    return {one.name: hints[one.name] for one in fields}, needed


def _list(value: Any, name: str) -> list[Any]:
    if not isinstance(value, list | tuple):
        raise ValueError(f"{name} must be a list, got {shortened(value)}")
    return list(value)


def _object(value: Any, name: str) -> dict[str, Any]:
    if not isinstance(value, collections.abc.Mapping) or not all(isinstance(key, str) for key in value):
        raise ValueError(f"{name} must be an object of named values, got {shortened(value)}")
    return dict(value)


def _plain(kind: type, value: Any, name: str) -> Any:
    """Return a number, a text or a truth value."""
    good = isinstance(value, kind) and (kind is bool or not isinstance(value, bool))
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        good = abs(value) < 2**1000  # as floats go
    if not good or (isinstance(value, float) and not math.isfinite(value)):
        raise ValueError(f"{name} must be {WORDS[kind]}, got {shortened(value)}")
    return value
