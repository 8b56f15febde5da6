"""What the seven tasks have in common: the sizes of their sequences, and what each has to say itself."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import numpy as np

from relational_rnn.config.checks import check_choice, check_size
from relational_rnn.tasks.checks import check_at_most
from relational_rnn.tasks.programs.characters import ANSWER_CLASSES, CHARACTERS
from relational_rnn.tasks.programs.curriculum import CURRICULA, WITH_LEVELS

if TYPE_CHECKING:
    from jaxtyping import Int64, UInt8


class Drawn(NamedTuple):
    """Examples as ids of `CHARACTERS`, padding at the end of each row."""

    texts: UInt8[np.ndarray, "B P"]
    """What is read."""
    answers: UInt8[np.ndarray, "B A"]
    """What is to be told."""
    modulus: Int64[np.ndarray, " B"] | None
    """Of each answer; None for memorisation."""


class CharacterTask(ABC):
    """A task that reads characters and predicts digits; a dataclass of its sizes."""

    name: ClassVar[str]
    """In the registry."""
    curriculum: str
    level: int | None

    @property
    @abstractmethod
    def text_steps(self) -> int:
        """P, characters of the longest text."""

    @property
    @abstractmethod
    def answer_steps(self) -> int:
        """A, digits of the longest answer."""

    @property
    @abstractmethod
    def levels(self) -> int:
        """Levels of the curricula that have them."""

    @abstractmethod
    def draw(self, count: int, generator: np.random.Generator) -> Drawn:
        """Draw `count` examples, all at once."""

    @abstractmethod
    def answer(self, text: str) -> str:
        """Return the answer to a text.

        Raises:
            ValueError: it is no text of this task.
        """

    @abstractmethod
    def harder(self) -> CharacterTask:
        """Return the task with larger examples, in the same characters."""

    @abstractmethod
    def larger(self) -> dict[str, list[Any]]:
        """Return by size the task itself and ever larger ones, in the same characters; see `growing`."""

    @property
    def steps(self) -> int:
        """T = P + A, steps of a padded sequence: the text, then zeros."""
        return self.text_steps + self.answer_steps

    @property
    def input_size(self) -> int:
        """F = 28, characters without padding."""
        return len(CHARACTERS) - 1

    @property
    def classes(self) -> int:
        """C = 11, padding and ten digits."""
        return ANSWER_CLASSES

    @property
    def chance(self) -> float:
        """1/10, the share of digits that guessing gets right."""
        return 0.1

    @property
    def majority(self) -> float:
        """Share of digits that the most frequent one at each place gets right, measured on examples."""
        from relational_rnn.tasks.programs.scores import majority_scores  # which draws from this class

        return majority_scores(self).characters


def check_curriculum(curriculum: str, level: int | None, levels: int) -> None:
    """Check the curriculum of a task and its level, of `levels`.

    Raises:
        TypeError: `level` is no integer.
        ValueError: unknown curriculum, a level out of range or of a curriculum that has none.
    """
    check_choice("curriculum", curriculum, CURRICULA)
    if level is not None:
        if curriculum not in WITH_LEVELS:
            raise ValueError(
                f"{curriculum} has no levels, only {' and '.join(WITH_LEVELS)} have; got {level}"
            )
        check_at_most("level", check_size("level", level), levels, "the last one")
