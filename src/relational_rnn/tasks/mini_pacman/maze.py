"""The maze of Mini PacMan and its tables: where a move leads, which way a ghost turns.

A cell is one number, `19 * row + column`. Cell 0, a corner of the wall, stands for "nowhere": there are the
ghosts and pills that have been eaten. Directions are 0 right, 1 up, 2 left, 3 down.
"""

from __future__ import annotations

from typing import Final

import numpy as np

DRAWING: Final = """
###################
#...#.........#...#
#.#.#.#######.#.#.#
#.................#
#.#.#.#######.#.#.#
#.#.............#.#
#.####.#####.####.#
#......#####......#
#.####.#####.####.#
#.#.............#.#
#.#.#.#######.#.#.#
#.................#
#.#.#.#######.#.#.#
#...#.........#...#
###################
"""
ROWS, COLUMNS = 15, 19
CELLS: Final = ROWS * COLUMNS
NOWHERE: Final = 0

WALLS: Final = np.array([cell == "#" for cell in DRAWING if cell != "\n"])
"""(CELLS,): whether a cell is wall."""
FREE: Final = np.flatnonzero(~WALLS)
"""(138,): the other cells."""
STEPS: Final = np.array([1, -COLUMNS, -1, COLUMNS])
"""(4,): from a cell to the next, by direction."""
SAFE: Final = 5
"""No ghost starts in the rows and columns from p - 5 to p + 4 around PacMan's p."""


def _exits() -> np.ndarray:
    """(CELLS, 4): whether one can leave a cell in a direction."""
    exits = np.zeros((CELLS, 4), bool)
    exits[FREE] = ~WALLS[FREE[:, None] + STEPS]
    return exits


def _turns(exits: np.ndarray) -> np.ndarray:
    """(CELLS, 4, 4): whether a ghost at a cell that looks in a direction may leave in another one.

    In a corridor it keeps on, and follows the bend; where three or four ways meet it does not reverse.
    """
    turns = np.zeros((CELLS, 4, 4), bool)
    for cell in FREE:
        ways = [way for way in range(4) if exits[cell, way]]
        for looks in range(4):
            forward = [way for way in ways if way != (looks + 2) % 4]
            turns[cell, looks, [looks] if len(ways) == 2 and looks in ways else forward] = True
    return turns


def _hunts(turns: np.ndarray) -> np.ndarray:
    """(2, CELLS, 4, CELLS) int8: where a ghost turns: [flees, its cell, it looks, PacMan's cell].

    Of the ways that it may take, the one with the largest dot product with the vector to PacMan; when it
    flees, with the smallest. The first of equal ones, in the order of the directions.
    """
    rows, columns = np.divmod(np.arange(CELLS), COLUMNS)
    down, right = rows[None] - rows[:, None], columns[None] - columns[:, None]
    products = np.stack([right, -down, -right, down], -1)  # (ghost, PacMan, way)
    hunts = np.zeros((2, CELLS, 4, CELLS), np.int8)
    for looks in range(4):
        may = turns[:, looks][:, None]  # (ghost, 1, way)
        hunts[0, :, looks] = np.where(may, products, -CELLS).argmax(-1)
        hunts[1, :, looks] = np.where(may, products, CELLS).argmin(-1)
    return hunts


def _listed(allowed: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return (..., n) booleans as (..., n) numbers of the true ones, these first, and how many there are."""
    order = np.argsort(~allowed, axis=-1, kind="stable")
    return order, allowed.sum(-1)


def _far() -> np.ndarray:
    """(CELLS, CELLS): whether a ghost may start at a cell, by PacMan's cell first."""
    rows, columns = np.divmod(np.arange(CELLS), COLUMNS)
    down, right = rows[None] - rows[:, None], columns[None] - columns[:, None]
    near = (down >= -SAFE) & (down < SAFE) & (right >= -SAFE) & (right < SAFE)
    return np.asarray(~near & ~WALLS)


EXITS: Final = _exits()
TURNS: Final = _turns(EXITS)
HUNTS: Final = _hunts(TURNS)
TURN, TURN_COUNT = _listed(TURNS)
"""(CELLS, 4, 4) and (CELLS, 4): the ways that a ghost may take, and how many."""
EXIT, EXIT_COUNT = _listed(EXITS)
"""(CELLS, 4) and (CELLS,): the exits of a cell, and how many."""
START, START_COUNT = _listed(_far())
"""(CELLS, CELLS) and (CELLS,): the cells where a ghost may start, by PacMan's, and how many."""
MOVES: Final = np.concatenate(
    [np.arange(CELLS)[:, None], np.arange(CELLS)[:, None] + np.where(EXITS, STEPS, 0)], axis=1
)
"""(CELLS, 5): where an action leads: 0 stay, then the directions; against a wall one stays."""


def window(size: int) -> np.ndarray:
    """Return (CELLS, size * size): the cells around each cell, row by row; outside the maze `NOWHERE`, wall.

    Args:
        size: cells a side, odd.
    """
    reach = np.arange(size) - size // 2
    rows, columns = np.divmod(np.arange(CELLS), COLUMNS)
    around = rows[:, None, None] + reach[:, None], columns[:, None, None] + reach  # (CELLS, size, 1 or size)
    inside = (around[0] >= 0) & (around[0] < ROWS) & (around[1] >= 0) & (around[1] < COLUMNS)
    return np.where(inside, around[0] * COLUMNS + around[1], NOWHERE).reshape(CELLS, size * size)
