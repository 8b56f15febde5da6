"""Players of Box-World that learn nothing: what an agent is measured against."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from relational_rnn.tasks.box_world.batch import BoxWorldBatch
from relational_rnn.tasks.box_world.level import EMPTY, GEM, KEY, LOCK
from relational_rnn.tasks.games import Player, random

if TYPE_CHECKING:
    from jaxtyping import Int64

UNREACHED: Final = 10**6


def scripted(games: BoxWorldBatch, generator: np.random.Generator) -> Int64[np.ndarray, " B"]:
    """Return the next step of the shortest solution. It sees the whole room, whatever the view.

    Args:
        games: the batch.
        generator: not used: it always plays the same.
    """
    targets = [next_target(games.cells[game], int(games.held[game])) for game in range(games.batch_size)]
    distances = _distances(games, np.array(targets))
    ahead = games.player[:, None] + games._steps  # (B, 4)
    return np.asarray(distances[np.arange(games.batch_size)[:, None], ahead].argmin(-1))


PLAYERS: Final[dict[str, Player]] = {"random": random, "scripted": scripted}
"""What an agent is measured against."""


def next_target(cells: np.ndarray, held: int) -> int:
    """Return the cell to go to: a lock, a key or the gem, reasoned back from the gem.

    Args:
        cells: what the cells hold, row by row.
        held: the colour of the key that is held, or -1.
    """
    target = int(np.flatnonzero(cells == GEM)[0]) if GEM in cells else 0
    while cells[target + 1] >= LOCK:  # in a box
        lock = target + 1
        colour = int(cells[lock]) - LOCK
        if held == colour:
            return lock
        keys = np.flatnonzero(cells == KEY + colour)
        if not len(keys):  # the game is over
            return lock
        target = int(keys[0])
    return target


def _distances(games: BoxWorldBatch, targets: Int64[np.ndarray, " B"]) -> Int64[np.ndarray, "B cells"]:
    """Return how many steps over free cells each cell is from the target."""
    rows, size = np.arange(games.batch_size), games.task.size
    walk = games.cells == EMPTY
    walk[rows, targets] = True
    distances = np.full(games.cells.shape, UNREACHED)
    distances[rows, targets] = 0
    room = distances.reshape(-1, size, size)  # a view, without the wall below
    blocked = ~walk.reshape(-1, size, size)[:, 1:-1, 1:-1]
    while True:
        across = np.minimum(room[:, 1:-1, :-2], room[:, 1:-1, 2:])
        nearer = np.minimum(across, np.minimum(room[:, :-2, 1:-1], room[:, 2:, 1:-1])) + 1
        nearer[blocked] = UNREACHED
        if (nearer >= room[:, 1:-1, 1:-1]).all():
            return distances
        np.minimum(room[:, 1:-1, 1:-1], nearer, out=room[:, 1:-1, 1:-1])
