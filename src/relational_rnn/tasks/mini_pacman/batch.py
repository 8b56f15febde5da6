"""The rules of Mini PacMan, for a batch of games at once.

A level: food on every free cell, two pills on different cells, PacMan and the ghosts on random free cells,
the ghosts at a distance, each looking towards one of its cell's exits. Level k has 1 + (k-1)//2 ghosts that
move with probability 0.5 + 0.1 (k-1) in a step, half of it while PacMan has power.

A step: power runs down by one; PacMan moves and eats what is on the cell, a pill gives power for 20 steps.
If that ends the level, the next one begins and the step is over. Else the ghosts move, one after the other:
a ghost on PacMan's cell, before its move or after it, kills him, or is eaten while he has power; either ends
the ghosts' turn.

Where this departs from the authors' code is listed in docs/reinforcement_learning.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import numpy as np

from relational_rnn.config.checks import check_size
from relational_rnn.tasks import streams
from relational_rnn.tasks.games import GameBatch, Outcome, check_actions
from relational_rnn.tasks.mini_pacman import maze, view
from relational_rnn.tasks.mini_pacman.maze import NOWHERE
from relational_rnn.tasks.mini_pacman.settings import MODES, PILLS, POWER, STRAYS, MiniPacman

if TYPE_CHECKING:
    from jaxtyping import Bool, Float32, Float64, Int64, UInt8

ACTIONS: Final = ("stay", "right", "up", "left", "down")
FOOD: Final = ~maze.WALLS


class MiniPacmanBatch(GameBatch):
    """A batch of games of Mini PacMan, played in step. Every array has one row a game.

    Args:
        task: what is played.
        batch_size: B, games.

    Raises:
        TypeError: `batch_size` is no integer.
        ValueError: it is below 1.

    Example:
        >>> games = MiniPacmanBatch(MiniPacman(), 2)
        >>> games.reset(seed=0).shape
        (2, 3, 15, 19)
        >>> outcome = games.step([0, 1])
        >>> games.frames
        array([1, 1])
    """

    actions = ACTIONS

    def __init__(self, task: MiniPacman, batch_size: int) -> None:
        """Lay out games that `reset` starts."""
        self.task = task
        self.mode = MODES[task.mode]
        self.batch_size = batch = check_size("batch_size", batch_size)
        self.frames = np.zeros(batch, np.int64)
        self.dead = np.zeros(batch, bool)
        self.level = np.zeros(batch, np.int64)
        """From 1; 0 before the first `reset`."""
        self.level_frames = np.zeros(batch, np.int64)
        self.power = np.zeros(batch, np.int64)
        self.food = np.zeros((batch, maze.CELLS), bool)
        self.food_left = np.zeros(batch, np.int64)
        self.pills = np.full((batch, PILLS), NOWHERE)
        self.pacman = np.full(batch, NOWHERE)
        self.ghosts = np.full((batch, 1), NOWHERE)
        """Cells; as many columns as the highest level of the batch has needed."""
        self.looks = np.zeros((batch, 1), np.int64)
        """Where each ghost looks."""
        self._counters = np.zeros(batch, np.uint64)
        self._rows = np.arange(batch)
        self._window = maze.window(task.window)

    def _start(self, games: Int64[np.ndarray, " G"], seeds: Int64[np.ndarray, " G"] | None) -> None:
        if seeds is not None:
            self._counters[games] = streams.start(seeds)
        elif not self.level[games].all():
            raise RuntimeError("call reset before restart")
        self.frames[games] = 0
        self.dead[games] = False
        self.level[games] = 0
        self._next_level(games)

    def _next_level(self, games: Int64[np.ndarray, " G"]) -> None:
        """Lay out the next level of some games, given by their numbers."""
        if not len(games):
            return
        self.level[games] += 1
        self.level_frames[games] = self.power[games] = 0
        self.food[games] = FOOD
        self.food_left[games] = len(maze.FREE)
        ghosts = 1 + (self.level[games] - 1) // 2
        most = int(ghosts.max())
        if most > self.ghosts.shape[1]:
            wider = (0, 0), (0, most - self.ghosts.shape[1])
            self.ghosts, self.looks = np.pad(self.ghosts, wider), np.pad(self.looks, wider)
        drawn = streams.uniforms(self._counters[games], 3 + 2 * most)
        self._counters[games] += (3 + 2 * ghosts).astype(np.uint64) * streams.INCREMENT
        first = _which(drawn[:, 0], len(maze.FREE))
        second = _which(drawn[:, 1], len(maze.FREE) - 1)
        self.pills[games, 0] = maze.FREE[first]
        self.pills[games, 1] = maze.FREE[second + (second >= first)]
        pacman = self.pacman[games] = maze.FREE[_which(drawn[:, 2], len(maze.FREE))]
        self.ghosts[games] = NOWHERE
        for ghost in range(most):
            cell = maze.START[pacman, _which(drawn[:, 3 + 2 * ghost], maze.START_COUNT[pacman])]
            looks = maze.EXIT[cell, _which(drawn[:, 4 + 2 * ghost], maze.EXIT_COUNT[cell])]
            self.ghosts[games, ghost] = np.where(ghost < ghosts, cell, NOWHERE)
            self.looks[games, ghost] = looks

    def step(self, actions: Int64[np.ndarray, " B"] | Sequence[int]) -> Outcome:
        """Play one step of each game that is not over.

        Args:
            actions: 0 stay, 1 right, 2 up, 3 left, 4 down; into a wall is to stay.

        Returns:
            Rewards, what is over, and the events "food", "pills", "ghosts" (eaten), "deaths" and "levels"
            (that have begun).

        Raises:
            RuntimeError: `reset` was never called.
            TypeError: actions are no integers.
            ValueError: they have another shape, or one is no action.
        """
        if not self.level.all():
            raise RuntimeError("call reset before the first step")
        chosen = check_actions(actions, self.batch_size, ACTIONS)
        plays = ~self.dead & (self.frames < self.task.frame_cap)
        self.frames += plays
        self.level_frames += plays
        self.power -= plays & (self.power > 0)
        self.pacman = np.where(plays, maze.MOVES[self.pacman, chosen], self.pacman)
        food, pill = self._eat(plays)
        cleared = plays & (food | pill) & self._is_cleared()
        eaten, died = self._move_ghosts(plays & ~cleared)
        self.dead |= died
        cleared |= eaten & self._is_cleared()
        if self.mode.most_steps is not None:
            cleared |= plays & ~died & (self.level_frames >= self.mode.most_steps)
        self._next_level(np.flatnonzero(cleared))
        capped = self.frames >= self.task.frame_cap
        mode = self.mode
        rewards = mode.step * plays + mode.food * food + mode.pill * pill + mode.ghost * eaten
        events = {"food": food, "pills": pill, "ghosts": eaten, "deaths": died, "levels": cleared}
        return Outcome(
            rewards=rewards + mode.death * died,
            terminated=self.dead.copy(),
            truncated=capped & ~self.dead,
            events={name: happened.astype(np.int64) for name, happened in events.items()},
        )

    def _eat(self, plays: Bool[np.ndarray, " B"]) -> tuple[Bool[np.ndarray, " B"], Bool[np.ndarray, " B"]]:
        """Let PacMan eat food and pill of his cell; return which games had them."""
        food = plays & self.food[self._rows, self.pacman]
        self.food[self._rows, self.pacman] ^= food
        self.food_left -= food
        here = plays[:, None] & (self.pills == self.pacman[:, None])
        self.pills[here] = NOWHERE
        pill = here.any(1)
        self.power[pill] = POWER
        return food, pill

    def _is_cleared(self) -> Bool[np.ndarray, " B"]:
        """Return in which games everything is eaten that ends a level."""
        if self.mode.ends == "food":
            return np.asarray(self.food_left == 0)
        left = self.pills if self.mode.ends == "pills" else self.ghosts
        return np.asarray((left == NOWHERE).all(1))

    def _move_ghosts(
        self, going: Bool[np.ndarray, " B"]
    ) -> tuple[Bool[np.ndarray, " B"], Bool[np.ndarray, " B"]]:
        """Move the ghosts of the games in `going`; return where one was eaten, and where PacMan died."""
        ghosts = 1 + (self.level - 1) // 2
        drawn = streams.uniforms(self._counters, 3 * self.ghosts.shape[1])
        self._counters += np.where(going, 3 * ghosts, 0).astype(np.uint64) * streams.INCREMENT
        flees = self.power > 0
        speed = (0.5 + 0.1 * (self.level - 1)) * np.where(flees, 0.5, 1.0)
        met = np.zeros(self.batch_size, bool)
        for ghost in range(self.ghosts.shape[1]):
            cell, looks = self.ghosts[:, ghost], self.looks[:, ghost]  # views, written to below
            there = going & ~met & (cell != NOWHERE)
            meets = there & (cell == self.pacman)
            moves, strays, way = drawn[:, 3 * ghost], drawn[:, 3 * ghost + 1], drawn[:, 3 * ghost + 2]
            goes = there & ~meets & (moves < speed)
            turn = maze.HUNTS[flees.astype(np.int64), cell, looks, self.pacman]
            any_turn = maze.TURN[cell, looks, _which(way, maze.TURN_COUNT[cell, looks])]
            turn = np.where((strays < STRAYS) & ~flees, any_turn, turn)
            looks[goes] = turn[goes]
            cell[goes] += maze.STEPS[turn[goes]]
            meets |= goes & (cell == self.pacman)
            cell[meets & flees] = NOWHERE
            met |= meets
        return met & flees, met & ~flees

    def observe(self) -> Float32[np.ndarray, "B C H W"]:
        """Return what each player sees: C = 3 (rgb) or 6 (planes), H x W the maze or the window."""
        sees = view.planes if self.task.observation == "planes" else view.rgb
        around = self._window[self.pacman] if self.task.view == "viewport" else None
        return sees(self, around)

    def picture(self, game: int) -> UInt8[np.ndarray, "15 19 3"]:
        """Return one game as a picture, one pixel a cell; what a viewport does not show is dimmed."""
        return view.picture(self, game, self._seen(game))

    def text(self, game: int) -> str:
        """Return one game as lines of text; what a viewport does not show is blank."""
        return view.text(self, game, self._seen(game))

    def _seen(self, game: int) -> Bool[np.ndarray, " 285"]:
        """Return which cells the player of a game sees."""
        if self.task.view == "full":
            return np.ones(maze.CELLS, bool)
        rows, columns = np.divmod(np.arange(maze.CELLS), maze.COLUMNS)
        row, column = divmod(int(self.pacman[game]), maze.COLUMNS)
        reach = self.task.window // 2
        return np.asarray((np.abs(rows - row) <= reach) & (np.abs(columns - column) <= reach))


def _which(
    uniform: Float64[np.ndarray, " G"], count: int | Int64[np.ndarray, " G"]
) -> Int64[np.ndarray, " G"]:
    """Return numbers from 0 to count - 1, all equally likely."""
    return (uniform * count).astype(np.int64)
