"""Memorisation: digits to be told again, in their order, backwards or twice."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from relational_rnn.tasks.checks import check_task_size
from relational_rnn.tasks.growing import growing
from relational_rnn.tasks.programs.characters import literals, packed
from relational_rnn.tasks.programs.curriculum import draw_sizes
from relational_rnn.tasks.programs.task import CharacterTask, Drawn, check_curriculum


@dataclass(frozen=True, kw_only=True)
class MemorisationTask(CharacterTask):
    """Sizes of a memorisation task. The paper does not say how long its sequences are.

    Raises:
        TypeError: a size is no integer.
        ValueError: a size out of range, an unknown curriculum, or a level where there is none.

    Example:
        >>> task = Double(length=5)
        >>> task.text_steps, task.answer_steps, task.answer("472")
        (5, 10, '472472')
    """

    direction: ClassVar[int] = 1
    """1 for forwards, -1 for backwards."""
    times: ClassVar[int] = 1
    """How often all digits are to be told."""

    length: int = 5
    """L, digits of the longest texts."""
    curriculum: str = "baseline"
    """Which lengths up to the largest are drawn; one of `CURRICULA`."""
    level: int | None = None
    """How far naive and combined have come, 1..L; None for the last level."""

    def __post_init__(self) -> None:
        """Check the sizes; they become plain ints."""
        object.__setattr__(self, "length", check_task_size("length", self.length))
        check_curriculum(self.curriculum, self.level, self.levels)

    @property
    def text_steps(self) -> int:
        """P = L."""
        return self.length

    @property
    def answer_steps(self) -> int:
        """A, digits of the longest answer."""
        return self.times * self.length

    @property
    def levels(self) -> int:
        """L, one for each length."""
        return self.length

    def harder(self) -> MemorisationTask:
        """Return the task with twice the digits."""
        return replace(self, length=2 * self.length, level=None)

    def larger(self) -> dict[str, list[MemorisationTask]]:
        """Return tasks of ever more digits, see `growing`."""
        return growing(replace(self, level=None), length=None)

    def draw(self, count: int, generator: np.random.Generator) -> Drawn:
        """Draw `count` texts of digits, the first of which is not 0."""
        _, lengths = draw_sizes(self.curriculum, self.level, 1, self.length, count, generator)
        digits = literals(lengths, 1, self.length, generator)[:, 0]
        answers = np.tile(digits[:, :: self.direction], (1, self.times))
        return Drawn(packed(digits, self.text_steps), packed(answers, self.answer_steps), None)

    def answer(self, text: str) -> str:
        """Return what is to be told.

        Raises:
            ValueError: the text is not all digits.
        """
        if not text.isdecimal():
            raise ValueError(f"{text!r} is not all digits")
        return self.times * text[:: self.direction]


class Copy(MemorisationTask):
    """The digits in their order."""

    name = "copy"


class Reverse(MemorisationTask):
    """The digits from the last to the first."""

    name = "reverse"
    direction = -1


class Double(MemorisationTask):
    """The digits in their order, twice."""

    name = "double"
    times = 2
