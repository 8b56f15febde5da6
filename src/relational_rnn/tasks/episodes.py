"""Whole episodes of a game, and what they came to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from relational_rnn.config.checks import check_seed, check_size
from relational_rnn.tasks.games import Player

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Float64, Int64, UInt8

MOST_EPISODES: Final = 100_000
"""At once: a game of each is kept in memory."""


class Episodes(NamedTuple):
    """What episodes came to, one a row."""

    returns: Float64[np.ndarray, " B"]
    """Sum of the rewards, not discounted."""
    steps: Int64[np.ndarray, " B"]
    truncated: Bool[np.ndarray, " B"]
    """Stopped at the frame cap."""
    events: dict[str, Int64[np.ndarray, " B"]]
    """Name -> how often it happened."""


class Episode(NamedTuple):
    """T steps of one episode, from its first on, and what its player thought."""

    pictures: UInt8[np.ndarray, "T+1 H W 3"]
    """The board before each step, and after the last; one pixel a cell."""
    actions: tuple[str, ...]
    """All A of them in words, by number."""
    chosen: Int64[np.ndarray, " T"]
    """The actions taken."""
    probabilities: Float[np.ndarray, "T A"]
    """Of all actions."""
    values: Float[np.ndarray, " T"]
    """The sum of discounted rewards that the agent expects."""
    rewards: Float[np.ndarray, " T"]
    """That followed."""
    over: bool = True
    """The last step ended it; else it went on, and was not watched further."""
    attention: Float[np.ndarray, "T blocks H N M"] | None = None
    """RMC: from each slot to each slot and, last, the input; else None."""
    input_gate: Float[np.ndarray, "T N"] | None = None
    """RMC with gates: how far each slot was opened, 0 to 1, the mean over its features; else None."""
    forget_gate: Float[np.ndarray, "T N"] | None = None
    """RMC with gates: how much of its content each slot kept, mean over its features; else None."""
    norms: Float[np.ndarray, "T N"] | None = None
    """RMC: Euclidean norm of what each slot held after the step; else None."""


def play_episodes(task: Any, player: Player, episodes: int, seed: int) -> Episodes:
    """Play one episode of each of the seeds from `seed` on, as one batch.

    Args:
        task: a game with its settings, such as `MiniPacman()`.
        player: (games, generator) -> an action for each game.
        episodes: B, how many.
        seed: of the first; also of the player's random numbers.

    Raises:
        TypeError: `episodes` or `seed` is no integer.
        ValueError: `episodes` or `seed` is out of range.

    Example:
        >>> from relational_rnn.tasks.box_world import BoxWorld
        >>> from relational_rnn.tasks.box_world.players import PLAYERS
        >>> play_episodes(BoxWorld(path_lengths=(2,)), PLAYERS["scripted"], 3, seed=0).returns
        array([12., 12., 12.])
    """
    games = task.batch(check_size("episodes", episodes, 1, MOST_EPISODES))
    games.reset(check_seed("seed", seed))
    generator = np.random.default_rng(seed)
    returns, counts = np.zeros(episodes), dict[str, Any]()
    while True:
        outcome = games.step(player(games, generator))  # games that are over stay as they are
        returns += outcome.rewards
        for name, happened in outcome.events.items():
            counts[name] = counts.get(name, 0) + happened
        if (outcome.terminated | outcome.truncated).all():
            return Episodes(returns, games.frames.copy(), outcome.truncated, counts)
