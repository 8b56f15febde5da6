"""Where progress and results are shown. Who looks may leave or see only ASCII; the work goes on."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable
from typing import Any, TextIO, cast


def lasting(stream: TextIO | None) -> TextIO | None:
    """Return a stream that drops what cannot be shown any more, instead of ending the work with an error.

    The reader of a pipe leaves (`| head`), a terminal is closed, a disk is full: a training of hours goes on,
    and its results are in its folder. Characters that the stream's encoding lacks become "?".

    Args:
        stream: to write to; None, as `sys.stdout` is where there is none, stays None.

    Example:
        >>> print("shown", file=lasting(sys.stdout))
        shown
    """
    return None if stream is None else cast(TextIO, _Lasting(stream))


def say_error(text: str) -> None:
    """Print a line to stderr, if anybody reads it."""
    if sys.stderr is not None:  # else print would take stdout
        print(text, file=lasting(sys.stderr), flush=True)


def silence(stream: TextIO | None) -> None:
    """Lead a stream nowhere, with what it still holds: else Python complains of it at the end."""
    with contextlib.suppress(AttributeError, OSError, ValueError):  # no stream, or one without a descriptor
        number = cast(TextIO, stream).fileno()
        with open(os.devnull, "w") as nowhere:
            os.dup2(nowhere.fileno(), number)


class Animation:
    """Text that takes the place of the one before where stdout is a terminal; else one below the other.

    Example:
        >>> animation = Animation()
        >>> animation.show("one frame")
        one frame
        <BLANKLINE>
    """

    def __init__(self) -> None:
        """Nothing is shown yet."""
        self._lines = 0

    def show(self, text: str) -> None:
        """Show the next text."""
        stream = sys.stdout
        if stream is None:
            return
        terminal = stream.isatty()
        back = f"\x1b[{self._lines}F\x1b[J" if terminal and self._lines else ""
        print(f"{back}{text}" if terminal else f"{text}\n", file=stream, flush=True)
        self._lines = text.count("\n") + 1


class _Lasting:
    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        try:
            self._try(lambda: self._stream.write(text))
        except UnicodeEncodeError:
            encoding = self._stream.encoding
            shown = text.encode(encoding, "replace").decode(encoding)
            self._try(lambda: self._stream.write(shown))
        return len(text)

    def flush(self) -> None:
        self._try(self._stream.flush)

    def _try(self, show: Callable[[], object]) -> None:
        try:
            show()
        except UnicodeEncodeError:
            raise
        except (OSError, ValueError):  # gone, full, or closed by its owner
            silence(self._stream)
