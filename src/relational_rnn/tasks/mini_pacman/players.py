"""Players of Mini PacMan that learn nothing: what an agent is measured against."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from relational_rnn.tasks.games import Player, random
from relational_rnn.tasks.mini_pacman import maze
from relational_rnn.tasks.mini_pacman.batch import MiniPacmanBatch

if TYPE_CHECKING:
    from jaxtyping import Int64

FAR: Final = 1000
"""Steps to what cannot be reached."""
CAUTION: Final = 2
"""The scripted player keeps at least so many steps from ghosts where it can."""
WANDERS: Final = 0.05
"""Share of its steps that lead anywhere, away from ghosts."""


def scripted(games: MiniPacmanBatch, generator: np.random.Generator) -> Int64[np.ndarray, " B"]:
    """Return the step towards the nearest thing that is worth points, away from ghosts if one is near.

    It knows the whole maze, whatever the view. Worth points are, by the mode, food, pills, and ghosts that
    it reaches while they can be eaten; pills also where only eating ghosts is rewarded. Now and then it takes
    any step that keeps as far from ghosts: else a ghost and it can stand before each other for ever.

    Args:
        games: the batch.
        generator: of these steps.
    """
    mode = games.mode
    ahead = maze.MOVES[games.pacman]  # (B, 5)
    to_ghosts = DISTANCES[ahead[:, :, None], games.ghosts[:, None]]  # (B, 5, ghosts)
    nearest = to_ghosts.min(-1)
    powered = games.power > 1  # it runs down before the move
    hunts = powered & (mode.ghost > 0) & (nearest.min(-1) < games.power)
    targets = np.zeros((games.batch_size, maze.CELLS), bool)
    if mode.food > 0:
        targets |= games.food
    rows = np.arange(games.batch_size)[:, None]
    wants_pills = (mode.pill > 0) | ((mode.ghost > 0) & ~powered)
    targets[rows, games.pills] |= np.broadcast_to(wants_pills, games.batch_size)[:, None]
    to_target = np.where(targets[:, None], DISTANCES[ahead], FAR).min(-1)  # (B, 5)
    to_target = np.where(hunts[:, None], nearest, to_target)
    shuns = mode.ghost < 0
    safety = np.where(powered[:, None] & (not shuns), CAUTION, np.minimum(nearest, CAUTION))
    costs = (mode.food < 0) * games.food[rows, ahead]
    costs = costs + FAR * (mode.pill < 0) * (ahead[:, :, None] == games.pills[:, None]).any(-1)
    wanders = generator.random((games.batch_size, 1)) < WANDERS
    worth = np.where(wanders, generator.random(ahead.shape), -to_target - costs)
    return np.asarray((10 * FAR * safety + worth).argmax(-1))


PLAYERS: Final[dict[str, Player]] = {"random": random, "scripted": scripted}
"""What an agent is measured against."""


def _distances() -> np.ndarray:
    """(CELLS, CELLS): steps from one cell to another; `FAR` from and to walls."""
    distances = np.full((maze.CELLS, maze.CELLS), FAR)
    distances[maze.FREE, maze.FREE] = 0
    neighbours = maze.MOVES[:, 1:]
    while True:
        nearer = np.minimum(distances, distances[neighbours].min(1) + 1)
        nearer[maze.WALLS] = FAR
        if (nearer >= distances).all():
            return distances
        distances = np.minimum(nearer, FAR)


DISTANCES: Final = _distances()
