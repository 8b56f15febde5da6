"""What all commands share in reading their arguments: errors in words, beside those of the parser."""

from __future__ import annotations

import types
import typing
from collections.abc import Collection, Sequence
from typing import Any, Final

from tyro.constructors import ConstructorRegistry, PrimitiveConstructorSpec, PrimitiveTypeInfo

from relational_rnn.config.checks import did_you_mean, shortened

WORDS: Final[dict[type, str]] = {int: "a whole number", float: "a number"}

NUMBERS: Final = ConstructorRegistry()
"""Numbers, and numbers that may also be a word such as None, with an error that says what is allowed."""


@NUMBERS.primitive_rule
def _number(about: PrimitiveTypeInfo) -> PrimitiveConstructorSpec[Any] | None:
    """Return how a number is read; None for what is none."""
    union = typing.get_origin(about.type) in (typing.Union, types.UnionType)
    kinds = typing.get_args(about.type) if union else (about.type,)
    others: dict[str, Any] = {}
    for kind in kinds:
        if kind is types.NoneType:
            others["None"] = None
        elif typing.get_origin(kind) is typing.Literal:
            others |= {str(word): word for word in typing.get_args(kind)}
    numbers = [kind for kind in kinds if kind in WORDS]
    if len(numbers) != 1 or any(
        kind not in (*numbers, types.NoneType) and typing.get_origin(kind) is not typing.Literal
        for kind in kinds
    ):
        return None
    (number,) = numbers
    allowed = " or ".join([WORDS[number], *others])

    def read(words: list[str]) -> Any:
        if words[0] in others:
            return others[words[0]]
        try:
            return number(words[0])
        except ValueError:
            raise ValueError(f"it takes {allowed}, got {shortened(words[0])}") from None

    return PrimitiveConstructorSpec(
        nargs=1,
        metavar="|".join([number.__name__.upper(), *others]),
        instance_from_str=read,
        is_instance=lambda value: (
            value in others.values() or (isinstance(value, (int, number)) and not isinstance(value, bool))
        ),
        str_from_instance=lambda value: [str(value)],
    )


def check_first(command: str, what: str, words: Sequence[str], known: Collection[str]) -> None:
    """Check that the first word after a command is a flag or one that is known.

    Args:
        command: as people type it.
        what: such words are, "command" or "model".
        words: after the command.
        known: of such words.

    Raises:
        ValueError: it is neither; the message has the nearest, and all.

    Example:
        >>> check_first("tasks", "command", ["lst"], ["list", "sample"])
        Traceback (most recent call last):
        ValueError: tasks has no command 'lst' (did you mean list?); commands: list, sample
    """
    for word in words[:1]:
        if not word.startswith("-") and word not in known:
            near = did_you_mean(word, known)
            raise ValueError(f"{command} has no {what} {shortened(word)}{near}; {what}s: {', '.join(known)}")
