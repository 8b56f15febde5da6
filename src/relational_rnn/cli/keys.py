"""Keys as they are pressed in a terminal."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from typing import Final

KEYS: Final = {
    "\x1b[A": "up",
    "\x1b[B": "down",
    "\x1b[C": "right",
    "\x1b[D": "left",
    "\x1bOA": "up",
    "\x1bOB": "down",
    "\x1bOC": "right",
    "\x1bOD": "left",
    "w": "up",
    "s": "down",
    "d": "right",
    "a": "left",
    " ": "stay",
    "q": "quit",
}
"""What a terminal sends -> what it means."""
HELP: Final = "arrows or w a s d: move"


def words_of(sent: str) -> list[str]:
    r"""Return what the keys in some characters mean; those without a meaning are left out.

    Example:
        >>> words_of("d\x1b[Ax q")
        ['right', 'up', 'stay', 'quit']
    """
    words, at = [], 0
    while at < len(sent):
        length = 3 if sent[at] == "\x1b" and sent[at + 1 : at + 2] in ("[", "O") else 1
        words.append(KEYS.get(sent[at : at + length], ""))
        at += length
    return [word for word in words if word]


@contextlib.contextmanager
def pressed() -> Iterator[Iterator[str]]:
    """Give what keys mean, one after the other, as they are pressed; ends when stdin does.

    Raises:
        ValueError: stdin is no terminal, or one of Windows.
    """
    if sys.stdin is None or not sys.stdin.isatty():
        raise ValueError("to play yourself takes a terminal; else name a player: --player random or scripted")
    try:
        import termios
        import tty
    except ModuleNotFoundError:
        raise ValueError(
            "to play yourself takes a terminal of Linux or macOS; else name a --player"
        ) from None
    terminal = sys.stdin.fileno()
    before = termios.tcgetattr(terminal)
    try:
        tty.setcbreak(terminal)
        yield _read(terminal)
    finally:
        termios.tcsetattr(terminal, termios.TCSADRAIN, before)


def _read(terminal: int) -> Iterator[str]:
    """Yield what keys mean."""
    while sent := os.read(terminal, 64):
        yield from words_of(sent.decode("utf-8", "replace"))
