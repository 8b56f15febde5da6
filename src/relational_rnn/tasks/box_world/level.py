"""A level of Box-World: drawn so that it can be solved.

A box is two cells side by side: left what is in it, right its lock, which a key of its colour opens. The
path: a loose key opens the first box, the key in it the second, and so on; the last holds the gem. A
distractor's lock has the colour of one of the path's, and its key is of no use: its colour is none of the
path's.

Around every box and the loose key there is a ring of free cells, so that one can walk around each, and every
level can be solved.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from relational_rnn.tasks.box_world.settings import COLOURS, BoxWorld

if TYPE_CHECKING:
    from jaxtyping import Bool, Int8

EMPTY, WALL, GEM, KEY, LOCK = 0, 1, 2, 3, 3 + COLOURS
"""What a cell holds; KEY + c and LOCK + c are those of colour c."""
TRIES: Final = 100
"""Of places one after the other, before boxes are put where they certainly fit."""


class Level(NamedTuple):
    """What is where at the beginning."""

    cells: Int8[np.ndarray, "S S"]
    """EMPTY, WALL, GEM, KEY + colour or LOCK + colour."""
    distractors: Bool[np.ndarray, "S S"]
    """The locks of distractors."""
    player: tuple[int, int]
    """Row and column."""


def draw_level(task: BoxWorld, generator: np.random.Generator) -> Level:
    """Draw a level.

    Args:
        task: its sizes.
        generator: the only source of chance.

    Example:
        >>> level = draw_level(BoxWorld(path_lengths=(2,), distractors=(1,)), np.random.default_rng(0))
        >>> int((level.cells >= LOCK).sum()), int(level.distractors.sum())
        (3, 1)
    """
    length = int(generator.choice(task.path_lengths))
    wrong = int(generator.choice(task.distractors))
    colours = generator.permutation(COLOURS)
    path, others = colours[:length], colours[length:]
    contents = [KEY + path[0], *(KEY + path[1:]), GEM, *(KEY + generator.choice(others, wrong))]
    locks = [EMPTY, *(LOCK + path), *(LOCK + generator.choice(path, wrong))]
    cells = np.full((task.size, task.size), WALL, np.int8)
    cells[1:-1, 1:-1] = EMPTY
    distractors = np.zeros((task.size, task.size), bool)
    places = _places(task, len(locks), generator)
    for number, ((row, column), content, lock) in enumerate(zip(places, contents, locks)):
        cells[row, column], cells[row, column + 1] = content, lock
        distractors[row, column + 1] = number > length
    free = np.argwhere(cells == EMPTY)
    row, column = free[generator.integers(len(free))]
    return Level(cells, distractors, (int(row), int(column)))


def _places(task: BoxWorld, count: int, generator: np.random.Generator) -> list[tuple[int, int]]:
    """Return the left cells of boxes, each with its ring; any place that is left is equally likely."""
    for _ in range(TRIES):
        fits = np.zeros((task.size, task.size), bool)
        fits[2:-2, 2:-3] = True  # away from the wall
        places: list[tuple[int, int]] = []
        while len(places) < count and len(left := np.flatnonzero(fits)):
            row, column = divmod(int(left[generator.integers(len(left))]), task.size)
            fits[row - 1 : row + 2, column - 2 : column + 3] = False  # a box there would touch this one
            places.append((row, column))
        if len(places) == count:
            return places
    lattice = task.lattice()
    return [lattice[place] for place in generator.permutation(len(lattice))[:count]]
