"""One game as a Gymnasium environment."""

from __future__ import annotations

import time
from typing import Any, Final

import gymnasium
import numpy as np
from gymnasium import spaces

from relational_rnn.config.checks import check_choice
from relational_rnn.tasks.game_registry import TRAINABLE, find_game
from relational_rnn.tasks.games import Games
from relational_rnn.training.screen import Animation

ENLARGED: Final = 16
"""Pixels a side of a cell in a rendered picture."""
FRAMES_A_SECOND: Final = 8
MOST_SEED: Final = 2**62


class GameEnv(gymnasium.Env[Any, Any]):
    """One game, with the rewards and ends of its rules; the frame cap truncates.

    A batch of one game: `GameVectorEnv` plays many at a fraction of the time for each. The seed of `reset` is
    the game's, so that `reset(seed=3)` is game 3 of a batch that was reset with 0; without one the present
    random numbers go on. `info` counts what happened in the step.

    Args:
        game: its name, "mini-pacman", "box-world", or that of a game of memory, such as "cue-recall".
        render_mode: "rgb_array" for pictures, "ansi" for text, "human" for text that is shown in the terminal
            at every step, in place of the last; None for neither.
        settings: of the game; see `MiniPacman`, `BoxWorld`, `CueRecall` and so on.

    Raises:
        ValueError: no such game, setting, value or render mode.
        TypeError: a setting of a wrong type.

    Example:
        >>> env = GameEnv("mini-pacman", view="viewport")
        >>> observation, info = env.reset(seed=0)
        >>> observation, reward, terminated, truncated, info = env.step(0)
        >>> observation.shape, terminated, truncated, info["food"]
        ((3, 5, 5), False, False, 1)
    """

    metadata: dict[str, Any] = {
        "render_modes": ["rgb_array", "ansi", "human"],
        "render_fps": FRAMES_A_SECOND,
    }

    def __init__(self, game: str, render_mode: str | None = None, **settings: Any) -> None:
        """Lay out a game that `reset` starts."""
        if render_mode is not None:
            check_choice("render_mode", render_mode, self.metadata["render_modes"])
        self.render_mode = render_mode
        task = find_game(game, TRAINABLE).make(**settings)
        self.games: Games = task.batch(1)
        self.observation_space = observation_space(task)
        self.action_space = spaces.Discrete(len(self.games.actions))
        self._started = False
        self._animation = Animation()

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Start an episode; return the observation and an empty info.

        Args:
            seed: of the game, from 0; None lets its random numbers go on.
            options: not used.
        """
        super().reset(seed=seed)
        if seed is None and not self._started:
            seed = int(self.np_random.integers(MOST_SEED))
        self.games.restart(np.ones(1, bool), seed)
        self._started = True
        self._show()
        return of_one(self.games.observe(), 0), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """Play a step; return observation, reward, whether terminated and truncated, and what happened.

        Raises:
            RuntimeError: `reset` was never called.
            TypeError: no integer.
            ValueError: no such action.
        """
        outcome = self.games.step(np.asarray(action)[None])
        self._show()
        happened = {name: int(counts[0]) for name, counts in outcome.events.items()}
        ended, stopped = bool(outcome.terminated[0]), bool(outcome.truncated[0])
        return of_one(self.games.observe(), 0), float(outcome.rewards[0]), ended, stopped, happened

    def render(self) -> Any:
        """Return the board as a picture (H, W, 3) or as text; what the player does not see is dimmed."""
        return None if self.render_mode in (None, "human") else rendered(self.games, 0, str(self.render_mode))

    def _show(self) -> None:
        """Show the board in the terminal, if that is wanted."""
        if self.render_mode == "human":
            self._animation.show(self.games.text(0))
            time.sleep(1 / FRAMES_A_SECOND)


def observation_space(task: Any) -> spaces.Space[Any]:
    """Return what the player of a game can see: values from 0 to 1."""
    seen = of_one(task.batch(1).reset(0), 0)
    if isinstance(seen, dict):
        return spaces.Dict({name: spaces.Box(0, 1, part.shape, np.float32) for name, part in seen.items()})
    return spaces.Box(0, 1, seen.shape, np.float32)


def of_one(observations: Any, game: int) -> Any:
    """Return what the player of one game sees."""
    if isinstance(observations, dict):
        return {name: part[game] for name, part in observations.items()}
    return observations[game]


def rendered(games: Games, game: int, mode: str) -> Any:
    """Return one game as text ("ansi") or as an enlarged picture ("rgb_array")."""
    if mode == "ansi":
        return games.text(game)
    return games.picture(game).repeat(ENLARGED, 0).repeat(ENLARGED, 1)
