"""An example of Nth farthest as a person reads it."""

from __future__ import annotations

import math
from textwrap import wrap
from typing import Any

WIDTH = 100
"""Columns of the terminal that the text is made for."""

_INDENT = 18
"""Columns before the values of a vector: mark, label, distance."""


def as_text(record: dict[str, Any]) -> str:
    """Return the question in words, the vectors in order of presentation, and the answer.

    Args:
        record: one of `nth_farthest.records`.

    Returns:
        Lines of at most 100 columns, without a newline at the end.

    Example:
        >>> vectors = [[0.5, 0.1], [-0.5, 0.1], [0.5, -0.3]]
        >>> print(as_text(dict(vectors=vectors, labels=[2, 0, 1], n=0, reference=1, answer=0)))
        Which of the 3 vectors is the farthest from vector 1?
        <BLANKLINE>
          vector  distance  values, in order of presentation (> the answer, * the reference)
               2      0.40   0.50  0.10
        >      0      1.08  -0.50  0.10
        *      1      0.00   0.50 -0.30
        <BLANKLINE>
        From the farthest: 0, 2, 1
        Answer: vector 0
    """
    vectors, labels = record["vectors"], record["labels"]
    reference, answer = record["reference"], record["answer"]
    center = vectors[labels.index(reference)]
    distance = {label: math.dist(vector, center) for label, vector in zip(labels, vectors, strict=True)}

    lines = [question(record), ""]
    lines.append("  vector  distance  values, in order of presentation (> the answer, * the reference)")
    for label, vector in zip(labels, vectors, strict=True):
        mark = ">" if label == answer else "*" if label == reference else " "
        rows = _values(vector)
        lines.append(f"{mark}{label:7d}{distance[label]:10.2f}{rows[0]}")
        lines += [" " * _INDENT + row for row in rows[1:]]
    # As in the task, the reference comes last, and of equal distances the one shown earlier comes first.
    order = sorted(labels, key=lambda label: (label == reference, -distance[label]))
    lines += [
        "",
        *wrap(f"From the farthest: {', '.join(map(str, order))}", WIDTH),
        f"Answer: vector {answer}",
    ]
    return "\n".join(lines)


def question(record: dict[str, Any]) -> str:
    """Return the question in words, where ranks count from 1."""
    objects, n, reference = len(record["labels"]), record["n"], record["reference"]
    rank = "farthest" if n == 0 else f"{_ordinal(n + 1)} farthest"
    itself = f", that is, the nearest: vector {reference} itself" if n == objects - 1 else ""
    return f"Which of the {objects} vectors is the {rank} from vector {reference}{itself}?"


def _values(vector: list[float]) -> list[str]:
    """Return the rows of a vector's values, with one decimal if two would not fit in a single row."""
    room = WIDTH - _INDENT
    decimals = 2 if 6 * len(vector) + 1 <= room else 1
    width = decimals + 4
    a_row = (room - 1) // width
    cells = [f"{value:z{width}.{decimals}f}" for value in vector]
    return [" " + "".join(cells[start : start + a_row]) for start in range(0, len(cells), a_row)]


def _ordinal(number: int) -> str:
    """Return 1st, 2nd, 3rd, 4th, and so on.

    Example:
        >>> [_ordinal(number) for number in (1, 2, 3, 4, 11, 22, 113)]
        ['1st', '2nd', '3rd', '4th', '11th', '22nd', '113th']
    """
    ending = "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"
