"""What a player of Box-World sees.

The room has one colour a cell: light grey floor, black wall, dark grey player, white gem, and 20 hues of keys
and locks. The key that is held is shown in the upper left corner of the wall.
"""

from __future__ import annotations

import colorsys
from string import ascii_lowercase, ascii_uppercase
from typing import TYPE_CHECKING, Final

import numpy as np

from relational_rnn.tasks.box_world.settings import COLOURS

if TYPE_CHECKING:
    from jaxtyping import Bool, Float32, UInt8

    from relational_rnn.tasks.box_world.batch import BoxWorldBatch

FLOOR, PLAYER, WHITE, BLACK = (0.8,) * 3, (0.5,) * 3, (1.0,) * 3, (0.0,) * 3
HUES: Final = [colorsys.hsv_to_rgb(colour / COLOURS, 0.5, 0.7) for colour in range(COLOURS)]
PALETTE: Final = np.array([FLOOR, BLACK, WHITE, *HUES, *HUES], np.float32)
"""By what a cell holds: a key and its lock have one colour."""
KEY_PALETTE: Final = np.array([*HUES, BLACK], np.float32)
"""By the key that is held; the last is for none."""
LETTERS: Final = np.array([*" #*", *ascii_lowercase[:COLOURS], *ascii_uppercase[:COLOURS]])
DIM: Final = 3
"""A cell outside the viewport has a third of its brightness in a picture."""


def room(games: BoxWorldBatch) -> Float32[np.ndarray, "B 3 S S"]:
    """Return the whole room with values in [0, 1], channels first."""
    colours = PALETTE[games.cells]  # (B, cells, 3)
    colours[np.arange(games.batch_size), games.player] = PLAYER
    colours[:, 0] = KEY_PALETTE[games.held]
    size = games.task.size
    return np.ascontiguousarray(colours.transpose(0, 2, 1)).reshape(-1, 3, size, size)


def around(games: BoxWorldBatch) -> dict[str, Float32[np.ndarray, "B ..."]]:
    """Return the cells around each player, beyond the wall black; the key he holds; where he is.

    Returns:
        `view` (B, 3, window, window), `key` (B, 3), black for none, and `position` (B, 2), row and column as
        shares of the room from 0 to 1.
    """
    size, reach = games.task.size, games.task.window // 2
    rows, columns = np.divmod(games.player, size)
    offsets = np.arange(-reach, reach + 1)
    row, column = rows[:, None, None] + offsets[:, None], columns[:, None, None] + offsets
    inside = (row >= 0) & (row < size) & (column >= 0) & (column < size)
    cell = np.where(inside, row * size + column, 0)  # (B, window, window); cell 0 is wall
    colours = PALETTE[games.cells[np.arange(games.batch_size)[:, None, None], cell]]
    colours[:, reach, reach] = PLAYER
    position = (np.stack([rows, columns], 1) - 1) / (size - 3)
    return {
        "view": np.ascontiguousarray(colours.transpose(0, 3, 1, 2)),
        "key": KEY_PALETTE[games.held],
        "position": position.astype(np.float32),
    }


def _seen(games: BoxWorldBatch, game: int) -> Bool[np.ndarray, "S S"]:
    """Return which cells the player of a game sees."""
    size = games.task.size
    if games.task.view == "full":
        return np.ones((size, size), bool)
    row, column = divmod(int(games.player[game]), size)
    rows, columns = np.indices((size, size))
    reach = games.task.window // 2
    return np.asarray((np.abs(rows - row) <= reach) & (np.abs(columns - column) <= reach))


def picture(games: BoxWorldBatch, game: int) -> UInt8[np.ndarray, "S S 3"]:
    """Return one game's room, one pixel a cell; what is not seen is dimmed, but for the key that is held."""
    colours = np.rint(255 * room(games)[game]).astype(np.uint8).transpose(1, 2, 0)
    seen = _seen(games, game)
    seen[0, 0] = True
    return np.asarray(np.where(seen[..., None], colours, colours // DIM))


def text(games: BoxWorldBatch, game: int) -> str:
    """Return one game as text: # wall, @ player, * gem, a key in small letters and its lock in capitals."""
    letters = LETTERS[games.cells[game]]
    letters[games.player[game]] = "@"
    shown = np.where(_seen(games, game), letters.reshape(games.task.size, -1), " ")
    held = int(games.held[game])
    key = ascii_lowercase[held] if held >= 0 else "none"
    return "\n".join([f"key {key}  step {games.frames[game]}", *("".join(row) for row in shown)])
