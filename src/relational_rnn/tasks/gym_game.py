"""Environments of Gymnasium as games: `gym:ID` for any that is registered, `popgym:NAME` for those of POPGym.

Episodes begin with seeds of their own. So the state of a batch is the seeds and the actions since, in arrays;
to go on from it the actions are played again, which is exact for every environment that a seed fixes.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Final

import numpy as np

from relational_rnn.config.checks import check_size, did_you_mean, shortened
from relational_rnn.tasks import streams
from relational_rnn.tasks.games import GameBatch, Outcome, Player, check_actions, random

if TYPE_CHECKING:
    from jaxtyping import Float32, Int64, UInt8

PREFIXES: Final = ("gym", "popgym")
"""What a name begins with, before a colon."""
MOST_ACTIONS: Final = 1_000
SEEDS: Final = 10**9
"""Seeds of later episodes are below; agents are evaluated on levels from here on."""


def is_foreign(name: str) -> bool:
    """Return whether a name means an environment of Gymnasium.

    Example:
        >>> is_foreign("popgym:RepeatPreviousEasy"), is_foreign("box-world")
        (True, False)
    """
    prefix, colon, _ = name.partition(":")
    return bool(colon) and prefix in PREFIXES


@functools.cache
def kind_of(name: str) -> type[GymGame]:
    """Return the settings of an environment as a class, whose name tells which it is.

    Args:
        name: "gym:ID" or "popgym:NAME".

    Raises:
        ImportError: Gymnasium or POPGym is absent.
        ValueError: there is no such environment; the message has the nearest.
    """
    environment_of(name)
    return type("GymGame", (GymGame,), {"name": name, "__doc__": GymGame.__doc__, "__module__": __name__})


def environment_of(name: str) -> str:
    """Return what Gymnasium calls an environment.

    Raises:
        ImportError: Gymnasium or POPGym is absent.
        ValueError: there is no such environment; the message has the nearest.
    """
    import gymnasium

    prefix, _, wanted = name.partition(":")
    if prefix == "popgym":
        from popgym.envs import ALL

        known = {one["id"].removeprefix("popgym-").removesuffix("-v0"): one["id"] for one in ALL.values()}
        if wanted not in known:
            near, every = did_you_mean(wanted, known), ", ".join(sorted(known))
            raise ValueError(f"POPGym has no environment {shortened(wanted)}{near}; it has {every}")
        return str(known[wanted])
    try:
        gymnasium.spec(wanted)
    except (gymnasium.error.Error, ModuleNotFoundError, ValueError) as error:
        raise ValueError(f"Gymnasium has no environment {shortened(wanted)}: {error}") from None
    return wanted


def _make(name: str, values: dict[str, Any]) -> GymGame:
    return kind_of(name)(**values)


@dataclass(frozen=True, kw_only=True)
class GymGame:
    """An environment of Gymnasium; `kind_of` makes the class of each.

    Raises:
        TypeError: a size is no integer.
        ValueError: a size is out of range.
    """

    name: ClassVar[str] = ""
    frame_cap: int = 10_000
    """Most steps of an episode; the environment may have a limit of its own below."""

    def __post_init__(self) -> None:
        """Check the size."""
        object.__setattr__(self, "frame_cap", check_size("frame_cap", self.frame_cap))

    def __reduce__(self) -> tuple[Any, ...]:
        """Be made again by its name in another process."""
        return _make, (self.name, {"frame_cap": self.frame_cap})

    def batch(self, batch_size: int) -> GymBatch:
        """Return so many environments, played in step; `reset` starts them."""
        return GymBatch(self, batch_size)


class GymBatch(GameBatch):
    """A batch of environments, stepped one after the other; see `tasks.games.Games`.

    Observations are pictures where the environment's are (H, W, C) of bytes, scaled to [0, 1] and channels
    first; all others become one vector each, choices one-hot. Actions are all combinations of its choices.

    Args:
        task: what is played.
        batch_size: B, games.

    Raises:
        ImportError: Gymnasium is absent.
        TypeError: `batch_size` is no integer.
        ValueError: it is below 1, the environment cannot be made, or its spaces do not fit.

    Example:
        >>> games = kind_of("gym:CartPole-v1")().batch(2)
        >>> games.reset(seed=0).shape
        (2, 4)
        >>> games.actions
        ('0', '1')
        >>> games.step([0, 1]).rewards
        array([1., 1.])
    """

    def __init__(self, task: GymGame, batch_size: int) -> None:
        """Make the environments; `reset` starts them."""
        import gymnasium

        self.task = task
        self.batch_size = batch = check_size("batch_size", batch_size)
        environment = environment_of(task.name)
        try:
            self._envs = [gymnasium.make(environment, disable_env_checker=True) for _ in range(batch)]
        except (gymnasium.error.Error, ImportError, TypeError) as error:
            raise ValueError(f"{task.name} cannot be made here: {error}") from error
        self._space: Any = self._envs[0].observation_space
        self._pictures = _is_picture(self._space)
        if not self._pictures and not self._space.is_np_flattenable:
            raise ValueError(f"observations of {task.name} have no fixed size: {self._space}")
        self._choices = _choices(task.name, self._envs[0].action_space)
        told = np.stack(np.unravel_index(np.arange(math.prod(self._choices)), self._choices), 1)
        self.actions = tuple(" ".join(map(str, row)) for row in told.tolist())
        self.frames = np.zeros(batch, np.int64)
        self._seeds = np.full(batch, -1)
        """Of the present episodes; -1 before `reset`."""
        self._counters = np.zeros(batch, np.uint64)
        self._played = np.zeros((batch, 64), np.int64)
        """The actions of the present episodes."""
        self._over = np.zeros((2, batch), bool)
        """Terminated, truncated."""
        self._seen: list[Any] = [None] * batch

    def _start(self, games: Int64[np.ndarray, " G"], seeds: Int64[np.ndarray, " G"] | None) -> None:
        if seeds is not None:
            self._counters[games] = streams.start(seeds)
            self._seeds[games] = seeds
        elif (self._seeds[games] < 0).any():
            raise RuntimeError("call reset before restart")
        else:
            drawn = streams.uniforms(self._counters[games], 1)[:, 0]
            self._counters[games] += streams.INCREMENT
            self._seeds[games] = (drawn * SEEDS).astype(np.int64)
        self.frames[games] = 0
        self._over[:, games] = False
        for game in games.tolist():
            self._begin(game)

    def step(self, actions: Int64[np.ndarray, " B"] | Sequence[int]) -> Outcome:
        """Play one step of each game that is not over.

        Raises:
            RuntimeError: `reset` was never called.
            TypeError: actions are no integers.
            ValueError: they have another shape, or one is no action.
        """
        if (self._seeds < 0).any():
            raise RuntimeError("call reset before the first step")
        chosen = check_actions(actions, self.batch_size, self.actions)
        rewards = np.zeros(self.batch_size)
        if self.frames.max() >= self._played.shape[1]:
            self._played = np.concatenate([self._played, np.zeros_like(self._played)], 1)
        for game in np.flatnonzero(~self._over.any(0)).tolist():
            self._played[game, self.frames[game]] = chosen[game]
            rewards[game], *over = self._play(game, int(chosen[game]))
            self.frames[game] += 1
            over[1] |= not over[0] and self.frames[game] >= self.task.frame_cap
            self._over[:, game] = over
        terminated, truncated = self._over
        return Outcome(rewards, terminated.copy(), truncated & ~terminated, {})

    def observe(self) -> Float32[np.ndarray, "B ..."]:
        """Return what is seen of each game: vectors (B, F) or pictures (B, C, H, W)."""
        return np.stack([self._look(game) for game in range(self.batch_size)])

    def go_on(self) -> None:
        """Play the actions since the seeds again, when `tasks.games.load_games` has set both."""
        for game in range(self.batch_size):
            self._begin(game)
            for action in self._played[game, : self.frames[game]].tolist():
                self._play(game, action)

    def picture(self, game: int) -> UInt8[np.ndarray, "H W 3"]:
        """Return what one player sees: the picture, or the numbers as a row of greys, the largest white."""
        seen = self._look(game)
        if self._pictures:
            colours = seen if len(seen) == 3 else seen[[0, 0, 0]]
            return np.asarray(np.rint(255 * colours), np.uint8).transpose(1, 2, 0)
        low, high = seen.min(), seen.max()
        grey = np.rint(255 * (seen - low) / (high - low if high > low else 1)).astype(np.uint8)
        return np.repeat(grey[None, :, None], 3, 2)

    def text(self, game: int) -> str:
        """Return what one player sees as text."""
        return f"step {self.frames[game]}\n{self._seen[game]}"

    def _begin(self, game: int) -> None:
        self._seen[game], _ = self._envs[game].reset(seed=int(self._seeds[game]))

    def _play(self, game: int, action: int) -> tuple[float, bool, bool]:
        parts = np.unravel_index(action, self._choices)
        space: Any = self._envs[game].action_space
        if hasattr(space, "nvec"):
            made: Any = np.array(parts, space.dtype).reshape(space.shape) + space.start
        else:
            made = int(parts[0]) + int(space.start)
        self._seen[game], reward, terminated, truncated, _ = self._envs[game].step(made)
        return float(reward), bool(terminated), bool(truncated)

    def _look(self, game: int) -> Float32[np.ndarray, ...]:
        if self._pictures:
            return np.asarray(self._seen[game], np.float32).transpose(2, 0, 1) / 255
        from gymnasium import spaces

        return np.asarray(spaces.flatten(self._space, self._seen[game]), np.float32).reshape(-1)


def _is_picture(space: Any) -> bool:
    return getattr(space, "dtype", None) == np.uint8 and len(space.shape) == 3 and space.shape[2] in (1, 3, 4)


def _choices(name: str, space: Any) -> tuple[int, ...]:
    """Return how many choices each part of an action has.

    Raises:
        ValueError: actions are no choices, or too many.
    """
    if hasattr(space, "nvec"):
        choices = tuple(space.nvec.reshape(-1).tolist())
    elif hasattr(space, "n") and hasattr(space, "start"):
        choices = (int(space.n),)
    else:
        raise ValueError(f"actions of {name} must be Discrete or MultiDiscrete, got {space}")
    if math.prod(choices) > MOST_ACTIONS:
        raise ValueError(f"{name} has {math.prod(choices)} actions, of at most {MOST_ACTIONS}")
    return choices


PLAYERS: Final[dict[str, Player]] = {"random": random}
"""What an agent is measured against."""
