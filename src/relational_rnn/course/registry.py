"""Which exercises there are, and where their files lie."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Final, NamedTuple

ROOM: Final = Path(__file__).parent


class Exercise(NamedTuple):
    """One exercise; its files are named after its number and its name."""

    number: int
    name: str
    title: str
    minutes: int
    """What a student should set aside."""
    needs: str = ""
    """An extra of the package beyond NumPy, such as torch."""

    @property
    def key(self) -> str:
        """What its files have in common: 01_attention."""
        return f"{self.number:02d}_{self.name}"

    @property
    def file_name(self) -> str:
        """Of the file that the learner edits."""
        return f"exercise_{self.key}.py"

    @property
    def starter(self) -> Path:
        """The file as the learner gets it."""
        return material() / "exercises" / self.file_name

    @property
    def solution(self) -> Path:
        """The same file, written."""
        return material() / "solutions" / f"solution_{self.key}.py"

    @property
    def page(self) -> Path:
        """The lesson."""
        return material() / "pages" / f"{self.key}.md"

    @property
    def measurement(self) -> Path:
        """The script that prints the tables of the page, where `measured`."""
        return material() / "measure" / f"measure_{self.key}.py"

    @property
    def measured(self) -> bool:
        """Whether there is one."""
        return self.measurement.is_file()

    @property
    def checks(self) -> str:
        """Name of the module that holds `PARTS`."""
        return f"relational_rnn.course.exercise_{self.key}"


EXERCISES: Final = {
    exercise.number: exercise
    for exercise in (
        Exercise(1, "attention", "Dot-product and multi-head attention", 45),
        Exercise(2, "initial_memory", "How a memory begins", 45),
        Exercise(3, "gating", "Gates and the forget bias", 45),
        Exercise(4, "core", "The core from its parts", 60),
        Exercise(5, "nth_farthest", "Nth farthest and its trivial score", 45),
        Exercise(6, "training", "Training through the plateau", 60),
        Exercise(7, "backward", "One backward pass by hand", 75),
        Exercise(8, "complexity", "What a long sequence costs", 60),
        Exercise(9, "reading", "Reading a trained memory", 75),
    )
}
"""Number -> exercise."""


def find_exercise(number: int) -> Exercise:
    """Return an exercise.

    Raises:
        ValueError: there is none of that number; the message names those there are.

    Example:
        >>> find_exercise(1).file_name
        'exercise_01_attention.py'
    """
    if number not in EXERCISES:
        raise ValueError(f"there is no exercise {number}; exercises: {', '.join(map(str, EXERCISES))}")
    return EXERCISES[number]


def belongs_to(path: Path, asked: Exercise) -> Exercise:
    """Return the exercise that a file answers.

    Args:
        path: a file; it may answer several.
        asked: what it should answer; it does unless another exercise has more of its functions.

    Returns:
        Without functions of any exercise, as in a file that is no Python yet, the one of its name, else
        `asked`.

    Example:
        >>> belongs_to(find_exercise(2).solution, find_exercise(3)).number
        2
    """
    here = _functions(path)
    wanted = {one.number: _functions(one.starter) for one in EXERCISES.values()}
    shared = {number: len(here & names) for number, names in wanted.items()}
    most = max(shared, key=lambda number: shared[number])
    if 2 * shared[asked.number] >= len(wanted[asked.number]) or shared[most] == shared[asked.number] > 0:
        return asked
    if shared[most]:
        return EXERCISES[most]
    return next((one for one in EXERCISES.values() if one.file_name == path.name), asked)


def _functions(path: Path) -> set[str]:
    """Name a file's functions; none if it is no Python yet."""
    try:
        tree = ast.parse(path.read_bytes())
    except (SyntaxError, ValueError):
        return set()
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


def in_checkout() -> bool:
    """Whether the course is that of a checkout, where the learner may edit its files in place."""
    return not (ROOM / "material").is_dir()


def material() -> Path:
    """Return the folder `course`: the checkout's, or in an installed wheel the one within the package."""
    return ROOM.parents[2] / "course" if in_checkout() else ROOM / "material"
