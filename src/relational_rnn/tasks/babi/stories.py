"""Stories as objects, and the parser of the files.

    1 Mary moved to the bathroom.
    2 John went to the hallway.
    3 Where is Mary? <tab>bathroom<tab>1

Every line has a number, 1 beginning a new story. A statement ends with "."; a question ends with "?" and is
followed by a tab, the answer, a tab and the numbers of the lines that it rests on.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Final, NamedTuple

from relational_rnn.config.checks import BadFile, shortened
from relational_rnn.config.paths import check_file

MOST_BYTES: Final = 2**28
"""Of a file of stories."""

REMEDY: Final = "take it anew from the data set"

TASKS = {
    1: "single supporting fact",
    2: "two supporting facts",
    3: "three supporting facts",
    4: "two argument relations",
    5: "three argument relations",
    6: "yes/no questions",
    7: "counting",
    8: "lists/sets",
    9: "simple negation",
    10: "indefinite knowledge",
    11: "basic coreference",
    12: "conjunction",
    13: "compound coreference",
    14: "time reasoning",
    15: "basic deduction",
    16: "basic induction",
    17: "positional reasoning",
    18: "size reasoning",
    19: "path finding",
    20: "agents' motivations",
}
"""The tasks by number."""


class Question(NamedTuple):
    """A question in a story."""

    words: tuple[str, ...]
    """In lower case, "?" the last."""
    answer: str
    """In lower case; several things are separated by commas, as in the files."""
    facts: tuple[int, ...]
    """The statements that it rests on, in the file's order, counted from 1; questions are not counted."""
    after: int
    """How many statements have been told before it."""


class Story(NamedTuple):
    """What is told and asked, in order of time."""

    task: int
    """1..20."""
    statements: tuple[tuple[str, ...], ...]
    """Words in lower case, "." the last of each statement."""
    questions: tuple[Question, ...]


class _Told(NamedTuple):
    """A story while it is read."""

    statements: list[tuple[str, ...]]
    questions: list[Question]
    statement_of: dict[int, int]
    """Number of a line -> number of its statement."""


def read_file(path: Path, task: int) -> list[Story]:
    """Read a file of stories.

    Raises:
        OSError: it cannot be read.
        BadFile: it is no text, too large, or a line is malformed; the message gives file, line and reason.
    """
    size = check_file(path).stat().st_size
    if size > MOST_BYTES:
        raise BadFile(path, f"has {size:,} bytes, and the files of the data set have at most some millions")
    try:
        return parse(path.read_text(encoding="utf-8").splitlines(), task, str(path))
    except UnicodeDecodeError as wrong:
        raise BadFile(path, f"is no UTF-8 text: {wrong}", REMEDY) from None
    except ValueError as wrong:
        told = str(wrong).removeprefix(str(path)).lstrip(" ,")
        raise BadFile(path, f"is no file of stories: {told}", REMEDY) from None


def parse(lines: Iterable[str], task: int, source: str) -> list[Story]:
    r"""Return the stories in the lines of a file.

    Args:
        lines: without line ends.
        task: number of the task.
        source: what messages call the file.

    Raises:
        ValueError: a line is malformed, or nothing is asked.

    Example:
        >>> (story,) = parse(["1 Mary went home.", "2 Where is Mary? \thome\t1"], 1, "example")
        >>> story.statements
        (('mary', 'went', 'home', '.'),)
        >>> story.questions[0]
        Question(words=('where', 'is', 'mary', '?'), answer='home', facts=(1,), after=1)
        >>> parse(["1 Mary went home.", "3 Mary went out."], 1, "example")
        Traceback (most recent call last):
        ValueError: example, line 2: has number 3 instead of 2, or 1 for a new story: '3 Mary went out.'
    """
    stories: list[_Told] = []
    previous = 0
    for line_number, line in enumerate(lines, start=1):
        try:
            number, text = _numbered(line)
            if number == 1:
                stories.append(_Told([], [], {}))
            elif number != previous + 1 or not stories:
                raise ValueError(f"has number {number} instead of {previous + 1}, or 1 for a new story")
            _add(stories[-1], number, text)
        except ValueError as wrong:
            raise ValueError(f"{source}, line {line_number}: {wrong}: {shortened(line)}") from None
        previous = number
    if not any(story.questions for story in stories):
        raise ValueError(f"{source} has no question")
    return [Story(task, tuple(story.statements), tuple(story.questions)) for story in stories]


def words_of(text: str) -> tuple[str, ...]:
    """Return the words and marks of a text in lower case.

    Example:
        >>> words_of("Where is the Milk? ")
        ('where', 'is', 'the', 'milk', '?')
    """
    return tuple(re.findall(r"\w+|[^\w\s]", text.lower()))


def _numbered(line: str) -> tuple[int, str]:
    """Split a line into its number and the rest."""
    match = re.fullmatch(r"(\d+) (.*\S.*)", line)
    if match is None:
        raise ValueError("is no number, blank and text")
    return int(match[1]), match[2]


def _add(story: _Told, number: int, text: str) -> None:
    """Add a statement or a question to a story."""
    told, *rest = text.split("\t")
    words = words_of(told)
    if not rest:
        if words[-1] != ".":
            raise ValueError("ends neither with '.' nor with a question's answer and facts")
        story.statements.append(words)
        story.statement_of[number] = len(story.statements)
        return
    if len(rest) != 2 or not all(part.strip() for part in rest):
        raise ValueError("must have an answer and facts after the question, each behind a tab")
    if not words or words[-1] != "?":
        raise ValueError("has an answer, but its text does not end with '?'")
    answer, facts = rest
    for fact in facts.split():
        if not fact.isdecimal() or int(fact) not in story.statement_of:
            raise ValueError(f"names the fact {fact!r}, which is no statement told before")
    numbers = tuple(story.statement_of[int(fact)] for fact in facts.split())
    story.questions.append(Question(words, answer.strip().lower(), numbers, len(story.statements)))
