"""What all commands share in reading their arguments: errors in words, beside those of the parser."""

from __future__ import annotations

import contextlib
import inspect
import io
import types
import typing
from collections.abc import Sequence
from typing import Any, Final

import tyro
from tyro.constructors import ConstructorRegistry, PrimitiveConstructorSpec, PrimitiveTypeInfo

from relational_rnn.config.checks import shortened
from relational_rnn.training.screen import say_error

MODEL, MODELS_FLAG = "--model", "--models"
BOTH = ("rmc", "lstm")
"""What `--model both` means."""

LISTS = (MODELS_FLAG, "--overrides", "--start", "--supporting-facts", "--tasks")
"""Flags that take several values."""

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


def read(kind: Any, argv: Sequence[str], default: Any, prog: str, more: str = "") -> Any:
    """Read the flags of a command whose options are a task's or a configuration's, part by part.

    Args:
        kind: of what is returned, a dataclass for a task's type.
        argv: the flags.
        default: what flags replace values of.
        prog: the command as people type it.
        more: paragraphs behind the description that --help shows.

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
                description=f"{inspect.getdoc(type(default))}{more}",
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


def spread_lists(argv: Sequence[str], models: Sequence[str]) -> list[str]:
    """Write `--models rmc,lstm`, `--models=all` and `--supporting-facts 1,2` as the parser takes lists.

    `--model` is `--models`, and `both` are the RMC and the LSTM.

    Example:
        >>> spread_lists(["--models", "rmc,lstm", "--seed", "1"], ["rmc", "lstm"])
        ['--models', 'rmc', 'lstm', '--seed', '1']
        >>> spread_lists(["--model", "both"], ["rmc", "hybrid", "lstm"])
        ['--models', 'rmc', 'lstm']
        >>> spread_lists(["--models", "rmc,", "lstm"], ["rmc", "hybrid", "lstm"])
        ['--models', 'rmc', 'lstm']
    """
    several = {"all": models, "both": BOTH}
    result: list[str] = []
    flag = ""
    for word in argv:
        name, equals, value = word.partition("=")
        if name == MODEL:
            name, word = MODELS_FLAG, word.replace(MODEL, MODELS_FLAG, 1)
        if equals and name in LISTS:
            result.append(name)
            word, flag = value, name
        if flag in LISTS:
            chosen = several.get(word) if flag == MODELS_FLAG else None
            result += [one for one in word.split(",") if one] if chosen is None else chosen
        else:
            result.append(word)
        flag = word
    return result
