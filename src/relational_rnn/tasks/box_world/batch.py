"""The rules of Box-World, for a batch of games at once.

The player walks over free cells. A loose key, or what is in an open box, is taken by walking onto it; a key
replaces the one that is held. A lock gives way to a key of its colour: the player stands where it was, the
key is used up, and what is in the box lies open to his left. Opening a box of the path brings +1, the gem +10
and the end, a distractor -1 and the end.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import numpy as np

from relational_rnn.config.checks import check_size
from relational_rnn.tasks.box_world import view
from relational_rnn.tasks.box_world.level import EMPTY, GEM, KEY, LOCK, draw_level
from relational_rnn.tasks.box_world.settings import BoxWorld
from relational_rnn.tasks.games import GameBatch, Observations, Outcome, check_actions

if TYPE_CHECKING:
    from jaxtyping import Int64, UInt8

ACTIONS: Final = ("up", "down", "left", "right")
NO_KEY: Final = -1
BOX, DISTRACTOR, PRIZE = 1.0, -1.0, 10.0
"""Rewards for opening a box of the path, opening a distractor, and taking the gem."""


class BoxWorldBatch(GameBatch):
    """A batch of games of Box-World, played in step. Every array has one row a game.

    Args:
        task: what is played.
        batch_size: B, games.

    Raises:
        TypeError: `batch_size` is no integer.
        ValueError: it is below 1.

    Example:
        >>> games = BoxWorldBatch(BoxWorld(view="viewport"), 2)
        >>> {name: array.shape for name, array in games.reset(seed=0).items()}
        {'view': (2, 3, 5, 5), 'key': (2, 3), 'position': (2, 2)}
        >>> outcome = games.step([0, 1])
        >>> games.frames
        array([1, 1])
    """

    actions = ACTIONS

    def __init__(self, task: BoxWorld, batch_size: int) -> None:
        """Lay out games that `reset` starts."""
        self.task = task
        self.batch_size = batch = check_size("batch_size", batch_size)
        self.frames = np.zeros(batch, np.int64)
        self.cells = np.zeros((batch, task.size**2), np.int8)
        """What each cell holds, row by row: see `level`."""
        self.distractors = np.zeros((batch, task.size**2), bool)
        """The locks of distractors."""
        self.player = np.zeros(batch, np.int64)
        """His cell."""
        self.held = np.full(batch, NO_KEY)
        """The colour of the key, or `NO_KEY`."""
        self.ended = np.zeros(batch, bool)
        """The gem is taken or a distractor opened."""
        self._steps = np.array([-task.size, task.size, -1, 1])
        self._generators: dict[int, np.random.Generator] = {}
        self._rows = np.arange(batch)

    def _start(self, games: Int64[np.ndarray, " G"], seeds: Int64[np.ndarray, " G"] | None) -> None:
        if seeds is not None:
            self._generators.update(zip(games.tolist(), map(np.random.default_rng, seeds.tolist())))
        elif not self._generators.keys() >= {*games.tolist()}:
            raise RuntimeError("call reset before restart")
        self.frames[games], self.held[games], self.ended[games] = 0, NO_KEY, False
        for game in games.tolist():
            level = draw_level(self.task, self._generators[game])
            self.cells[game], self.distractors[game] = level.cells.ravel(), level.distractors.ravel()
            self.player[game] = level.player[0] * self.task.size + level.player[1]

    def step(self, actions: Int64[np.ndarray, " B"] | Sequence[int]) -> Outcome:
        """Play one step of each game that is not over.

        Args:
            actions: 0 up, 1 down, 2 left, 3 right; against what does not give way is to stay.

        Returns:
            Rewards, what is over, and the events "keys" (taken), "boxes" (of the path, opened),
            "distractors" (opened) and "gems" (taken).

        Raises:
            RuntimeError: `reset` was never called.
            TypeError: actions are no integers.
            ValueError: they have another shape, or one is no action.
        """
        if len(self._generators) < self.batch_size:
            raise RuntimeError("call reset before the first step")
        chosen = check_actions(actions, self.batch_size, ACTIONS)
        plays = ~self.ended & (self.frames < self.task.frame_cap)
        self.frames += plays
        target = self.player + self._steps[chosen]
        cell, beside = (
            self.cells[self._rows, target],
            self.cells[self._rows, (target + 1) % self.task.size**2],
        )
        opens = plays & (self.held != NO_KEY) & (cell == LOCK + self.held)
        takes = plays & (cell >= GEM) & (cell < LOCK) & (beside < LOCK)
        moves = opens | takes | plays & (cell == EMPTY)
        wrong = opens & self.distractors[self._rows, target]
        gem = takes & (cell == GEM)
        self.held = np.where(opens, NO_KEY, np.where(takes & ~gem, cell - KEY, self.held))
        self.cells[self._rows[moves], target[moves]] = EMPTY
        self.player = np.where(moves, target, self.player)
        self.ended |= wrong | gem
        events = {"keys": takes & ~gem, "boxes": opens & ~wrong, "distractors": wrong, "gems": gem}
        return Outcome(
            rewards=BOX * events["boxes"] + DISTRACTOR * wrong + PRIZE * gem,
            terminated=self.ended.copy(),
            truncated=~self.ended & (self.frames >= self.task.frame_cap),
            events={name: happened.astype(np.int64) for name, happened in events.items()},
        )

    def observe(self) -> Observations:
        """Return what each player sees: pictures (B, 3, S, S), or a dict of view, key and position."""
        return view.around(self) if self.task.view == "viewport" else view.room(self)

    def picture(self, game: int) -> UInt8[np.ndarray, "S S 3"]:
        """Return one game as a picture, one pixel a cell; what a viewport does not show is dimmed."""
        return view.picture(self, game)

    def text(self, game: int) -> str:
        """Return one game as lines of text; what a viewport does not show is blank."""
        return view.text(self, game)
