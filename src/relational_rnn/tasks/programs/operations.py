"""Programs: a chain of operations on literals, drawn and executed for a whole batch at once."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, ClassVar, NamedTuple

import numpy as np

from relational_rnn.tasks.checks import check_at_most, check_task_size
from relational_rnn.tasks.growing import growing
from relational_rnn.tasks.programs.characters import (
    CHARACTERS,
    ID,
    PADDING,
    decimal,
    literals,
    numbers,
    packed,
)
from relational_rnn.tasks.programs.curriculum import draw_sizes
from relational_rnn.tasks.programs.interpreter import evaluate, literal_length
from relational_rnn.tasks.programs.task import CharacterTask, Drawn, check_curriculum

if TYPE_CHECKING:
    from jaxtyping import Bool, Int64, UInt8

SYNTAX = {
    "add": ("(", "+A)"),
    "subtract": ("(", "-A)"),
    "multiply": ("(", "*A)"),
    "if": ("(", "ifA?BelseC)"),
    "for": ("(x=", "for[#]x+=A)"),
}
"""Operation -> what stands before and after its first operand. The outermost one has no parentheses."""
LITERALS = "ABC"
"""In `SYNTAX`: an operation's own literals."""
OWN = LITERALS + "?#"
"""In `SYNTAX`: these, < or >, and the number of rounds, 1 to 9."""

LONGEST_LITERAL = 8
"""Digits: a product of a value below 10^(L+1) and a literal fits into 64 bits."""


@dataclass(frozen=True, kw_only=True)
class ProgramTask(CharacterTask):
    """Sizes of a program task; the defaults are those of the paper's table 1.

    Raises:
        TypeError: a size is no integer.
        ValueError: a size out of range, an unknown curriculum, or a level where there is none.

    Example:
        >>> task = FullProgram(nesting=2, length=5)
        >>> task.text_steps, task.answer_steps, task.steps, task.input_size, task.classes
        (51, 6, 57, 28, 11)
    """

    operations: ClassVar[tuple[str, ...]]
    """Of `SYNTAX`; each operation of a program is one of them, all equally often."""

    nesting: int = 2
    """N, operations of the largest programs."""
    length: int = 5
    """L, digits of their literals, up to 8."""
    curriculum: str = "baseline"
    """Which sizes up to the largest are drawn; one of `CURRICULA`."""
    level: int | None = None
    """How far naive and combined have come, 1..(N + L - 1); None for the last level."""

    def __post_init__(self) -> None:
        """Check the sizes; they become plain ints."""
        length = check_task_size("length", self.length)
        check_at_most("length", length, LONGEST_LITERAL, "so that products fit into 64 bits")
        object.__setattr__(self, "length", length)
        object.__setattr__(self, "nesting", check_task_size("nesting", self.nesting))
        check_curriculum(self.curriculum, self.level, self.levels)

    @property
    def text_steps(self) -> int:
        """P, characters of the longest program."""
        longest = max(
            sum(self.length if part in LITERALS else 1 for side in SYNTAX[operation] for part in side)
            for operation in self.operations
        )
        return self.length + self.nesting * longest - len("()")

    @property
    def answer_steps(self) -> int:
        """A = L + 1, digits of the longest answer."""
        return self.length + 1

    @property
    def levels(self) -> int:
        """N + L - 1; see `level_sizes`."""
        return self.nesting + self.length - 1

    def harder(self) -> ProgramTask:
        """Return the task with one operation and, up to the limit, one digit more."""
        return replace(
            self, nesting=self.nesting + 1, length=min(self.length + 1, LONGEST_LITERAL), level=None
        )

    def larger(self) -> dict[str, list[ProgramTask]]:
        """Return tasks of ever more operations, and of more digits up to the limit; see `growing`."""
        return growing(replace(self, level=None), nesting=None, length=LONGEST_LITERAL)

    def answer(self, text: str) -> str:
        """Return the value of a program mod 10^(L+1), L being the digits of its own literals.

        Raises:
            ValueError: the text is no program, or its literals are too long.
        """
        length = literal_length(text)
        check_at_most("digits of a literal", length, self.length, "as the task says")
        return str(evaluate(text) % 10 ** (length + 1))

    def draw(self, count: int, generator: np.random.Generator) -> Drawn:
        """Draw `count` programs and execute them."""
        nestings, lengths = draw_sizes(
            self.curriculum, self.level, self.nesting, self.length, count, generator
        )
        size = (count, self.nesting)
        operand = literals(lengths, 1 + 3 * self.nesting, self.length, generator)
        known = np.array([list(SYNTAX).index(operation) for operation in self.operations])
        chain = _Chain(
            first=operand[:, 0],
            operation=known[generator.integers(len(known), size=size)],
            operands=operand[:, 1:].reshape(*size, 3, self.length),
            greater=generator.integers(2, size=size, dtype=bool),
            rounds=generator.integers(1, 10, size=size, dtype=np.uint8),
            used=np.arange(self.nesting) < nestings[:, None],
        )
        modulus = 10 ** (lengths + 1)
        values = _execute(chain, modulus)
        texts = _write(chain, self.operations)
        return Drawn(packed(texts, self.text_steps), decimal(values, self.answer_steps), modulus)


class Addition(ProgramTask):
    """Sums."""

    name = "addition"
    operations = ("add",)


class Algebra(ProgramTask):
    """Sums, differences and products."""

    name = "algebra"
    operations = ("add", "subtract", "multiply")


class Control(ProgramTask):
    """Choices and loops."""

    name = "control"
    operations = ("if", "for")


class FullProgram(ProgramTask):
    """All operations."""

    name = "program"
    operations = tuple(SYNTAX)


class _Chain(NamedTuple):
    """The operations of each program, the innermost first; what lies behind its last one is not used."""

    first: UInt8[np.ndarray, "B L"]
    """The literal that they begin with, as ids of its digits."""
    operation: Int64[np.ndarray, "B N"]
    """Place in `SYNTAX`."""
    operands: UInt8[np.ndarray, "B N 3 L"]
    """A, B and C, as ids of their digits."""
    greater: Bool[np.ndarray, "B N"]
    """Whether ? is >."""
    rounds: UInt8[np.ndarray, "B N"]
    """#."""
    used: Bool[np.ndarray, "B N"]
    """Whether the program has so many operations."""


def _execute(chain: _Chain, modulus: Int64[np.ndarray, " B"]) -> Int64[np.ndarray, " B"]:
    """Return the values: every operation takes x to scale * x + offset.

    All is mod `modulus`. That is exact, because no operation looks at the size of its first operand:
    comparisons are between literals.
    """
    a, b, c = np.moveaxis(numbers(chain.operands), 2, 0)  # (B, N) each
    taken = np.where(chain.greater, a > b, a < b)
    scale = np.choose(chain.operation, [1, 1, a, taken, 1])  # in the order of SYNTAX
    offset = np.choose(chain.operation, [a, -a, 0, ~taken * c, chain.rounds * a])
    values: Int64[np.ndarray, " B"] = numbers(chain.first)
    for n in range(chain.used.shape[1]):
        executed = (scale[:, n] * values + offset[:, n]) % modulus
        values = np.where(chain.used[:, n], executed, values)
    return values


def _write(chain: _Chain, operations: tuple[str, ...]) -> UInt8[np.ndarray, "B W"]:
    """Return the programs as ids with padding in between: (before)s, first literal, (after)s."""
    count, nesting = chain.used.shape
    before, after = _templates(operations, chain.first.shape[1])
    pieces = np.empty((count, nesting, len(CHARACTERS) + chain.operands[0, 0].size + 2), dtype=np.uint8)
    pieces[:, :, : len(CHARACTERS)] = np.arange(len(CHARACTERS))
    pieces[:, :, len(CHARACTERS) : -2] = chain.operands.reshape(count, nesting, -1)
    pieces[:, :, -2] = np.where(chain.greater, ID[">"], ID["<"])
    pieces[:, :, -1] = chain.rounds + ID["0"]
    left = np.take_along_axis(pieces, before[chain.operation], axis=2)
    right = np.take_along_axis(pieces, after[chain.operation], axis=2)
    outermost = chain.used.sum(1) - 1
    left[np.arange(count), outermost, 0] = right[np.arange(count), outermost, -1] = PADDING  # its parentheses
    left[~chain.used] = right[~chain.used] = PADDING
    return np.concatenate([left[:, ::-1].reshape(count, -1), chain.first, right.reshape(count, -1)], axis=1)


@cache
def _templates(
    operations: tuple[str, ...], length: int
) -> tuple[Int64[np.ndarray, "5 b"], Int64[np.ndarray, "5 a"]]:
    """Return for each operation of `SYNTAX` the pieces before and after its first operand.

    Pieces are numbered: characters by their ids, then the digits of A, B and C, ? and #. Parentheses are in
    the first and in the last column. Only `operations` have pieces, so that no row is wider than it must be.
    """
    numbered = {character: [number] for number, character in enumerate(CHARACTERS)}
    for part in OWN:
        start = sum(map(len, numbered.values()))
        numbered[part] = list(range(start, start + (length if part in LITERALS else 1)))
    written = [SYNTAX[name] if name in operations else ("", "") for name in SYNTAX]
    before = [[piece for part in side for piece in numbered[part]] for side, _ in written]
    after = [[piece for part in side for piece in numbered[part]] for _, side in written]
    left, right = max(map(len, before)), max(map(len, after))
    return (
        np.array([row + [PADDING] * (left - len(row)) for row in before]),
        np.array([[PADDING] * (right - len(row)) + row for row in after]),
    )
