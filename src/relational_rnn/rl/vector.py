"""Many games at once as a Gymnasium vector environment."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space

from relational_rnn.config.checks import check_choice
from relational_rnn.rl.environments import MOST_SEED, GameEnv, observation_space, of_one, rendered
from relational_rnn.tasks.game_registry import TRAINABLE, find_game
from relational_rnn.tasks.games import Games, check_which


class GameVectorEnv(VectorEnv[Any, Any, Any]):
    """A batch of games, equal to Gymnasium's `SyncVectorEnv` of as many `GameEnv`, at a fraction of the time.

    `reset(seed=s)` gives game i the seed s + i. `info` holds what happened, an array a name.

    Args:
        game: its name, "mini-pacman", "box-world", or that of a game of memory, such as "cue-recall".
        num_envs: games.
        autoreset_mode: when the next episode of a game begins. "NextStep": at the next step, whose action is
            not used; "SameStep": at once, with the last observation in `info["final_obs"]`; "Disabled": when
            `reset(options={"reset_mask": ...})` says so. Or a member of `gymnasium.vector.AutoresetMode`.
        render_mode: "rgb_array" or "ansi"; None for neither.
        settings: of the game; see `MiniPacman`, `BoxWorld`, `CueRecall` and so on.

    Raises:
        ValueError: no such game, setting, value, mode of resets or render mode.
        TypeError: a setting of a wrong type.

    Example:
        >>> envs = GameVectorEnv("box-world", num_envs=8, autoreset_mode="SameStep")
        >>> observations, infos = envs.reset(seed=0)
        >>> observations, rewards, terminations, truncations, infos = envs.step(np.zeros(8, int))
        >>> observations.shape, rewards.shape
        ((8, 3, 14, 14), (8,))
    """

    def __init__(
        self,
        game: str,
        num_envs: int = 1,
        *,
        autoreset_mode: str | AutoresetMode = AutoresetMode.NEXT_STEP,
        render_mode: str | None = None,
        **settings: Any,
    ) -> None:
        """Lay out games that `reset` starts."""
        modes = {mode.value: mode for mode in AutoresetMode}
        if not isinstance(autoreset_mode, AutoresetMode):
            autoreset_mode = modes[check_choice("autoreset_mode", autoreset_mode, modes)]
        frames = ["rgb_array", "ansi"]
        if render_mode is not None:
            check_choice("render_mode", render_mode, frames)
        self.render_mode = render_mode
        self.metadata = GameEnv.metadata | {"render_modes": frames, "autoreset_mode": autoreset_mode}
        self.autoreset_mode = autoreset_mode
        task = find_game(game, TRAINABLE).make(**settings)
        self.games: Games = task.batch(num_envs)
        self.num_envs = self.games.batch_size
        self.single_observation_space = observation_space(task)
        self.single_action_space = spaces.Discrete(len(self.games.actions))
        self.observation_space = batch_space(self.single_observation_space, self.num_envs)
        self.action_space = batch_space(self.single_action_space, self.num_envs)
        self._started = False
        self._over = np.zeros(self.num_envs, bool)

    def reset(
        self, *, seed: int | Sequence[int] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Start all games, or those of a mask; return the observations and an empty info.

        Args:
            seed: game i begins with `seed + i`, or each with its own; None lets random numbers go on.
            options: `{"reset_mask": booleans}` for some of the games.

        Raises:
            TypeError: a seed is no integer, or the mask no booleans.
            ValueError: a seed is out of range, or the mask or the seeds are not as many as games.
        """
        super().reset(seed=seed if isinstance(seed, int) else None)
        which = (options or {}).get("reset_mask", np.ones(self.num_envs, bool))
        which = check_which(which, self.num_envs)
        if seed is None and not self._started:
            seed = self.np_random.integers(MOST_SEED, size=self.num_envs).tolist()
        self.games.restart(which, seed)
        self._started = self._started or bool(which.all())
        self._over &= ~which
        return self.games.observe(), {}

    def step(self, actions: Any) -> tuple[Any, Any, Any, Any, dict[str, Any]]:
        """Play a step of each game; return observations, rewards, terminations, truncations and infos.

        Raises:
            RuntimeError: `reset` was never called, or a game is over that only `reset` restarts.
            TypeError: actions are no integers.
            ValueError: they have another shape, or one is no action.
        """
        begins = self._over
        if self.autoreset_mode is AutoresetMode.DISABLED and begins.any():
            waiting = ", ".join(map(str, np.flatnonzero(begins)))
            raise RuntimeError(f"reset the games that are over, by options={{'reset_mask': ...}}: {waiting}")
        outcome = self.games.step(actions)  # games that are over stay as they are
        self.games.restart(begins)
        ended, stopped = outcome.terminated & ~begins, outcome.truncated & ~begins
        over = ended | stopped
        infos: dict[str, Any] = {}
        told = ~begins
        if self.autoreset_mode is AutoresetMode.SAME_STEP and over.any():
            last = self.games.observe()
            for game in np.flatnonzero(over).tolist():
                final = {
                    "final_obs": of_one(last, game),
                    "final_info": {name: int(counts[game]) for name, counts in outcome.events.items()},
                }
                infos = self._add_info(infos, final, game)
            self.games.restart(over)
            told = ~over
        if told.any():
            for name, counts in outcome.events.items():
                infos[name], infos[f"_{name}"] = np.where(told, counts, 0), told.copy()
        self._over = np.zeros_like(over) if self.autoreset_mode is AutoresetMode.SAME_STEP else over
        return self.games.observe(), outcome.rewards, ended, stopped, infos

    def render(self) -> tuple[Any, ...] | None:
        """Return every game's board as a picture or as text; what its player does not see is dimmed."""
        if self.render_mode is None:
            return None
        return tuple(rendered(self.games, game, self.render_mode) for game in range(self.num_envs))
