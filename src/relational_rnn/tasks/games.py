"""What the games share: what a step of a batch comes to, and the checks of seeds, actions and masks."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

import numpy as np

from relational_rnn.config.checks import MOST_SEED, check_seed, check_size

if TYPE_CHECKING:
    from jaxtyping import Bool, Float64, Int64, UInt8

Observations = Any
"""A float32 array (B, C, H, W), or a dict of arrays whose first axis is B."""


VIEWS: Final = ("full", "viewport")
"""The player sees the board, or the cells around him."""


Player = Callable[[Any, np.random.Generator], np.ndarray]
"""(games, generator) -> an action for each game."""


class Outcome(NamedTuple):
    """What one step of a batch came to."""

    rewards: Float64[np.ndarray, " B"]
    """0 for a game that was over before."""
    terminated: Bool[np.ndarray, " B"]
    """The game is over by its rules; stays True until the game is restarted."""
    truncated: Bool[np.ndarray, " B"]
    """The game was stopped at its frame cap; stays True until it is restarted."""
    events: dict[str, Int64[np.ndarray, " B"]]
    """Name -> how often it happened in this step; rewards are a sum over these."""


class Games(Protocol):
    """A batch of games of one kind, played in step. Games that are over wait for `restart`."""

    task: Any
    """What is played, with its settings."""
    batch_size: int
    """B."""
    actions: tuple[str, ...]
    """In words, by number."""
    frames: Int64[np.ndarray, " B"]
    """Steps of the present episodes."""

    def reset(self, seed: int | Sequence[int] | np.ndarray) -> Observations:
        """Start every game anew: game i with the seed `seed + i`, or each with its own."""

    def restart(
        self, which: Bool[np.ndarray, " B"], seed: int | Sequence[int] | np.ndarray | None = None
    ) -> None:
        """Begin the next episode of the games in `which`; without a seed their random numbers go on."""

    def step(self, actions: Int64[np.ndarray, " B"]) -> Outcome:
        """Play one step of each game that is not over."""

    def observe(self) -> Observations:
        """Return what the player of each game sees, in arrays of their own."""

    def picture(self, game: int) -> UInt8[np.ndarray, "H W 3"]:
        """Return one game as a picture, one pixel a cell."""

    def text(self, game: int) -> str:
        """Return one game as lines of text."""


class GameBatch(ABC):
    """How every batch of games begins: seeds and masks are checked, then each kind starts its episodes."""

    batch_size: int
    actions: tuple[str, ...]

    def reset(self, seed: int | Sequence[int] | np.ndarray) -> Observations:
        """Start every game anew, game i with the seed `seed + i`, or each with its own; return observations.

        Raises:
            TypeError: a seed is no integer.
            ValueError: a seed is out of range, or there are not as many as games.
        """
        self.restart(np.ones(self.batch_size, bool), seed)
        return self.observe()

    def restart(
        self, which: Bool[np.ndarray, " B"], seed: int | Sequence[int] | np.ndarray | None = None
    ) -> None:
        """Begin the next episode of the games in `which`.

        Args:
            which: games.
            seed: as `reset` takes it, for these games alone; None lets their random numbers go on.

        Raises:
            RuntimeError: without a seed, before these games were reset.
            TypeError: no booleans, or a seed is no integer.
            ValueError: wrong shape, or a seed is out of range.
        """
        games = np.flatnonzero(check_which(which, self.batch_size))
        self._start(games, None if seed is None else check_seeds(seed, self.batch_size)[games])

    @abstractmethod
    def observe(self) -> Observations:
        """Return what the player of each game sees, in arrays of their own."""

    @abstractmethod
    def _start(self, games: Int64[np.ndarray, " G"], seeds: Int64[np.ndarray, " G"] | None) -> None:
        """Begin an episode of some games, given by their numbers, with a seed each, or going on without.

        Raises:
            RuntimeError: without seeds, before these games were reset.
        """


def random(games: GameBatch, generator: np.random.Generator) -> Int64[np.ndarray, " B"]:
    """Return any action for each game: the player that every game has.

    Example:
        >>> from relational_rnn.tasks.cue_recall import CueRecall
        >>> games = CueRecall(cues=3, delay=1).batch(4)
        >>> _ = games.reset(seed=0)
        >>> random(games, np.random.default_rng(0)).shape
        (4,)
    """
    return generator.integers(len(games.actions), size=games.batch_size)


def check_seeds(seed: Any, batch_size: int) -> Int64[np.ndarray, " B"]:
    """Return the seed of each game: `seed + i` for game i, or the seeds as they are.

    Args:
        seed: one for all, or one a game.
        batch_size: B.

    Raises:
        TypeError: no integers.
        ValueError: out of range, or another number of them than there are games.

    Example:
        >>> check_seeds(3, 2), check_seeds([5, 5], 2)
        (array([3, 4]), array([5, 5]))
    """
    if isinstance(seed, (list, tuple, np.ndarray)):
        if np.ndim(seed) != 1 or len(seed) != batch_size:
            raise ValueError(
                f"seed must be an integer or {batch_size} of them, one a game; got shape {np.shape(seed)}"
            )
        return np.array([check_seed("seed", one) for one in seed], np.int64)
    first = check_seed("seed", seed)
    if first > MOST_SEED - batch_size:
        raise ValueError(f"seed must be at most {MOST_SEED - batch_size} for {batch_size} games, got {first}")
    return first + np.arange(batch_size)


def check_actions(actions: Any, batch_size: int, names: Sequence[str]) -> Int64[np.ndarray, " B"]:
    """Return `actions` if there is one a game and each is one of the game's.

    Args:
        actions: by number.
        batch_size: B.
        names: of the game's actions.

    Raises:
        TypeError: no integers.
        ValueError: wrong shape, or a number that is none of the game's.

    Example:
        >>> check_actions([0, 7], 2, ("stay", "right"))
        Traceback (most recent call last):
        ValueError: actions must be from 0 to 1 (stay, right), got 7 in game 1
    """
    numbers = np.asarray(actions)
    if not np.issubdtype(numbers.dtype, np.integer):
        raise TypeError(f"actions must be integers, got an array of dtype {numbers.dtype}")
    if numbers.shape != (batch_size,):
        raise ValueError(f"actions must have shape ({batch_size},), one a game; got {numbers.shape}")
    wrong = (numbers < 0) | (numbers >= len(names))
    if wrong.any():
        game = int(wrong.argmax())
        allowed = f"from 0 to {len(names) - 1} ({', '.join(names)})"
        raise ValueError(f"actions must be {allowed}, got {numbers[game]} in game {game}")
    return numbers.astype(np.int64, copy=False)


def check_which(which: Any, batch_size: int) -> Bool[np.ndarray, " B"]:
    """Return `which` if it says of each game whether it is meant.

    Raises:
        TypeError: no booleans.
        ValueError: wrong shape.
    """
    mask = np.asarray(which)
    if mask.dtype != np.bool_:
        raise TypeError(f"which must be booleans, got an array of dtype {mask.dtype}")
    if mask.shape != (batch_size,):
        raise ValueError(f"which must have shape ({batch_size},), one a game; got {mask.shape}")
    return mask


GENERATORS: Final = "generators"
"""Names what `save_games` keeps of the random numbers of a game that draws them from NumPy."""


def save_games(games: Any) -> dict[str, np.ndarray]:
    """Return all that a batch of games goes on from, as arrays of their own: its arrays and its generators.

    Example:
        >>> from relational_rnn.tasks.cue_recall import CueRecall
        >>> games = CueRecall(cues=9).batch(2)
        >>> _ = games.reset(seed=0)
        >>> again = CueRecall(cues=9).batch(2)
        >>> load_games(again, save_games(games))
        >>> again.cue.tolist() == games.cue.tolist()
        True
    """
    found: dict[str, np.ndarray] = {}
    for name, value in vars(games).items():
        if isinstance(value, np.ndarray):
            found[name] = value.copy()
        elif isinstance(value, dict):
            states = {str(game): generator.bit_generator.state for game, generator in value.items()}
            found[GENERATORS] = np.frombuffer(json.dumps([name, states]).encode(), np.uint8)
    return found


def load_games(games: Any, values: Mapping[str, np.ndarray]) -> None:
    """Let a batch of games go on from what `save_games` returned of another one of the same task and size.

    Raises:
        ValueError: these are no arrays of such a batch.
    """
    own = save_games(games)
    if own.keys() != values.keys():
        raise ValueError(f"a batch of {games.task.name} has {', '.join(own)}; got {', '.join(values)}")
    for name, value in values.items():
        if name == GENERATORS:
            attribute, states = json.loads(value.tobytes())
            generators = {int(game): np.random.default_rng() for game in states}
            for game, generator in generators.items():
                generator.bit_generator.state = states[str(game)]
            setattr(games, attribute, generators)
        elif (value.dtype, value.ndim) != (own[name].dtype, own[name].ndim):
            raise ValueError(
                f"{name} must be {own[name].dtype} with {own[name].ndim} axes, got {value.dtype}"
            )
        else:
            setattr(games, name, np.array(value))
    if hasattr(games, "go_on"):
        games.go_on()


def check_window(value: int) -> int:
    """Return the side of a viewport, odd and from 3 to 31.

    Raises:
        TypeError: no integer.
        ValueError: even, or out of range.
    """
    size = check_size("window", value, 3, 31)
    if size % 2 == 0:
        raise ValueError(f"window must be odd, so that the player is in its centre; got {size}")
    return size
