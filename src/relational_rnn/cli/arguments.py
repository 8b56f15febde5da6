"""What all commands share in reading their arguments: errors in words, beside those of the parser."""

from __future__ import annotations

import contextlib
import inspect
import io
import types
import typing
from collections.abc import Collection, Sequence
from typing import Any, Final

import tyro
from tyro.constructors import ConstructorRegistry, PrimitiveConstructorSpec, PrimitiveTypeInfo

from relational_rnn.config.checks import did_you_mean, shortened
from relational_rnn.training.screen import say_error

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


def read(kind: Any, argv: Sequence[str], default: Any, prog: str) -> Any:
    """Read the flags of a command whose options are a task's or a configuration's, part by part.

    Args:
        kind: of what is returned, a dataclass for a task's type.
        argv: the flags.
        default: what flags replace values of.
        prog: the command as people type it.

    Raises:
        ValueError: a value that the task or the configuration refuses, in its words.
        SystemExit: as argument parsers do.
    """
    told = io.StringIO()
    try:
        with contextlib.redirect_stderr(told):
            return tyro.cli(
                kind,
                prog=prog,
                description=inspect.getdoc(type(default)),
                args=list(argv),
                default=default,
                config=(tyro.conf.OmitArgPrefixes,),
                registry=NUMBERS,
            )
    except SystemExit as ended:
        refused = _refused(ended)
        if refused is not None:
            raise ValueError(str(refused)) from None
        if told.getvalue():
            say_error(told.getvalue().rstrip())
        raise


def _refused(ended: SystemExit) -> BaseException | None:
    """Return the error of a configuration's own check that the parser ended with, None if it was another.

    The parser names the part of the configuration in it, which no flag has.
    """
    error = ended.__context__
    while error is not None:
        trace = error.__traceback__
        while trace is not None and trace.tb_next is not None:
            trace = trace.tb_next
        module = trace.tb_frame.f_globals.get("__name__", "") if trace is not None else ""
        own = module.startswith("relational_rnn.") and module != __name__
        if isinstance(error, ValueError) and own:
            return error
        error = error.__context__
    return None


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
