"""What a player of Mini PacMan sees: colours or planes, of the maze or of the cells around PacMan.

The colours are the authors', the first of these that a cell has: PacMan (0, 1, 0), ghost (1, power/20, 0),
pill (0, 1, 1), food (0, 0, 1), wall (1, 1, 1), else black. Outside the maze a window shows wall.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np

from relational_rnn.tasks.mini_pacman import maze
from relational_rnn.tasks.mini_pacman.maze import NOWHERE
from relational_rnn.tasks.mini_pacman.settings import PILLS, POWER

if TYPE_CHECKING:
    from jaxtyping import Bool, Float32, Float64, Int64, UInt8

    from relational_rnn.tasks.mini_pacman.batch import MiniPacmanBatch

PLANES: Final = ("walls", "food", "PacMan", "ghosts", "edible ghosts", "pills")
DIM: Final = 3
"""A cell outside the viewport has a third of its brightness in a picture."""


def rgb(
    games: MiniPacmanBatch, around: Int64[np.ndarray, "B cells"] | None
) -> Float32[np.ndarray, "B 3 H W"]:
    """Return pictures with values in [0, 1], channels first.

    Args:
        games: the batch.
        around: the cells of each game's window, row by row; None for the whole maze.
    """
    walls, food = _background(games, around)
    shown = np.empty((games.batch_size, 3, walls.shape[-1]), np.float32)
    shown[:, :2] = walls[:, None]
    np.logical_or(walls, food, out=shown[:, 2], casting="unsafe")
    edible = games.power / POWER
    for pill in range(PILLS):
        for channel, value in enumerate((0, 1, 1)):
            _put(shown[:, channel], around, games.pills[:, pill], value)
    for ghost in range(games.ghosts.shape[1]):
        _put(shown[:, 0], around, games.ghosts[:, ghost], 1)
        _put(shown[:, 1], around, games.ghosts[:, ghost], edible)
        _put(shown[:, 2], around, games.ghosts[:, ghost], 0)
    for channel, value in enumerate((0, 1, 0)):
        _put(shown[:, channel], around, games.pacman, value)
    return _square(shown)


def planes(
    games: MiniPacmanBatch, around: Int64[np.ndarray, "B cells"] | None
) -> Float32[np.ndarray, "B 6 H W"]:
    """Return the six planes of `PLANES`: ghosts hold 1 - power/20, edible ghosts power/20, all others 0 or 1.

    Args:
        games: the batch.
        around: the cells of each game's window, row by row; None for the whole maze.
    """
    walls, food = _background(games, around)
    shown = np.zeros((games.batch_size, len(PLANES), walls.shape[-1]), np.float32)
    shown[:, 0], shown[:, 1] = walls, food
    _put(shown[:, 2], around, games.pacman, 1)
    edible = games.power / POWER
    for ghost in range(games.ghosts.shape[1]):
        _put(shown[:, 3], around, games.ghosts[:, ghost], 1 - edible)
        _put(shown[:, 4], around, games.ghosts[:, ghost], edible)
    for pill in range(PILLS):
        _put(shown[:, 5], around, games.pills[:, pill], 1)
    return _square(shown)


def _background(
    games: MiniPacmanBatch, around: Int64[np.ndarray, "B cells"] | None
) -> tuple[np.ndarray, np.ndarray]:
    """Return walls (1 or B, cells) and food (B, cells) of what is seen."""
    if around is None:
        return maze.WALLS[None], games.food
    return maze.WALLS[around], games.food[np.arange(games.batch_size)[:, None], around]


def _put(
    plane: Float32[np.ndarray, "B cells"],
    around: Int64[np.ndarray, "B cells"] | None,
    cells: Int64[np.ndarray, " B"],
    value: Float64[np.ndarray, " B"] | int,
) -> None:
    """Write a value of each game where one of its cells is seen."""
    if around is None:
        games = np.flatnonzero(cells != NOWHERE)
        places = cells[games]
    else:
        games, places = np.nonzero((around == cells[:, None]) & (cells != NOWHERE)[:, None])
    plane[games, places] = value if isinstance(value, int) else value[games]


def _square(shown: Float32[np.ndarray, "B C cells"]) -> Float32[np.ndarray, "B C H W"]:
    """Return the cells in rows and columns."""
    batch, channels, cells = shown.shape
    if cells == maze.CELLS:
        return shown.reshape(batch, channels, maze.ROWS, maze.COLUMNS)
    return shown.reshape(batch, channels, math.isqrt(cells), -1)


def picture(
    games: MiniPacmanBatch, game: int, seen: Bool[np.ndarray, " 285"]
) -> UInt8[np.ndarray, "15 19 3"]:
    """Return one game's whole maze, one pixel a cell; what is not seen is dimmed."""
    colours = np.rint(255 * rgb(games, None)[game]).astype(np.uint8).transpose(1, 2, 0)
    return np.asarray(np.where(seen.reshape(maze.ROWS, maze.COLUMNS, 1), colours, colours // DIM))


def text(games: MiniPacmanBatch, game: int, seen: Bool[np.ndarray, " 285"]) -> str:
    """Return one game as text: # wall, . food, o pill, C PacMan, M ghost, w a ghost that can be eaten."""
    cells = np.where(maze.WALLS, "#", np.where(games.food[game], ".", " "))
    for places, letter in (
        (games.pills[game], "o"),
        (games.ghosts[game], "w" if games.power[game] else "M"),
        (games.pacman[game : game + 1], "C"),
    ):
        cells[places[places != NOWHERE]] = letter
    rows = np.where(seen, cells, " ").reshape(maze.ROWS, maze.COLUMNS)
    told = f"level {games.level[game]}  power {games.power[game]}  step {games.frames[game]}"
    return "\n".join([told, *("".join(row) for row in rows)])
