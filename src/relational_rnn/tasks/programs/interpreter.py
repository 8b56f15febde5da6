"""What a program means: an interpreter of its text, one pair of parentheses at a time.

FIRST+A   FIRST-A   FIRST*A      arithmetic
FIRSTifA<BelseC                  FIRST if A < B, else C; so with >
x=FIRSTfor[k]x+=A                x begins as FIRST and A is added k times
"""

from __future__ import annotations

import re
from collections.abc import Callable

_NUMBER = r"(-?\d+)"

_STATEMENTS: tuple[tuple[re.Pattern[str], Callable[..., int]], ...] = (
    (re.compile(rf"{_NUMBER}\+{_NUMBER}"), lambda x, a: int(x) + int(a)),
    (re.compile(rf"{_NUMBER}-{_NUMBER}"), lambda x, a: int(x) - int(a)),
    (re.compile(rf"{_NUMBER}\*{_NUMBER}"), lambda x, a: int(x) * int(a)),
    (
        re.compile(rf"{_NUMBER}if{_NUMBER}<{_NUMBER}else{_NUMBER}"),
        lambda x, a, b, c: int(x if int(a) < int(b) else c),
    ),
    (
        re.compile(rf"{_NUMBER}if{_NUMBER}>{_NUMBER}else{_NUMBER}"),
        lambda x, a, b, c: int(x if int(a) > int(b) else c),
    ),
    (re.compile(rf"x={_NUMBER}for\[(\d)\]x\+={_NUMBER}"), lambda x, k, a: int(x) + int(k) * int(a)),
)
"""Statements without parentheses, and their values."""

_INNERMOST = re.compile(r"\(([^()]*)\)")


def evaluate(text: str) -> int:
    """Return the value of a program, before any modulus.

    Raises:
        ValueError: the text is no program; the message names the part that is none.

    Example:
        >>> evaluate("x=(36if66<68else26)for[5]x+=85")
        461
        >>> evaluate("(3+4)+")
        Traceback (most recent call last):
        ValueError: '7+' is no statement
    """
    while inner := _INNERMOST.search(text):
        text = f"{text[: inner.start()]}{_value(inner[1])}{text[inner.end() :]}"
    return _value(text)


def literal_length(text: str) -> int:
    """Return how many digits each literal of a program has.

    Raises:
        ValueError: the literals are not of one length.

    Example:
        >>> literal_length("x=(36if66<68else26)for[5]x+=85")
        2
    """
    lengths = sorted({len(literal) for literal in re.findall(r"(?<!\[)\d+", text)})
    if len(lengths) != 1:
        raise ValueError(f"{text!r} has literals of {' and '.join(map(str, lengths)) or 'no'} digits")
    return lengths[0]


def _value(statement: str) -> int:
    """Return the value of a statement without parentheses."""
    for form, value in _STATEMENTS:
        if match := form.fullmatch(statement):
            return value(*match.groups())
    raise ValueError(f"{statement!r} is no statement")
