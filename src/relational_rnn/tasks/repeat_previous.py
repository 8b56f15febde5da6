"""Repeat previous: cards are shown one by one, and at each the player names the suit of an earlier one.

The rules of RepeatPrevious in POPGym (Morad et al. 2023): cards of some decks are shown in a random order.
At each card the player names the suit of the k-th last card, the present one being the first. A right suit
brings 1 / (n - k) with n cards, a wrong one as much less; before there are k cards nothing. So an episode is
worth -1 to 1, and any suit at each card -0.5 on average. The last card ends it unseen. POPGym's levels:
easy is 1 deck and k = 4, medium 2 decks and k = 32, hard 3 decks and k = 64.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final

import numpy as np

from relational_rnn.config.checks import check_size
from relational_rnn.tasks import streams
from relational_rnn.tasks.games import GameBatch, Outcome, Player, check_actions, random

if TYPE_CHECKING:
    from jaxtyping import Float32, Int64, UInt8

SUITS: Final = ("clubs", "diamonds", "hearts", "spades")
DECK: Final = 52
"""Cards of a deck, as many of each suit."""


@dataclass(frozen=True, kw_only=True)
class RepeatPrevious:
    """Repeat previous: name the suit of the k-th last card.

    Raises:
        TypeError: a size is no integer.
        ValueError: a size is out of range.

    Example:
        >>> games = RepeatPrevious().batch(3)
        >>> games.reset(seed=0).shape
        (3, 4)
        >>> returns = sum(games.step(scripted(games, np.random.default_rng(0))).rewards for _ in range(51))
        >>> returns.round(6)
        array([1., 1., 1.])
    """

    name: ClassVar[str] = "repeat-previous"
    decks: int = 1
    """Decks that are shown; an episode has 52 steps a deck, less one."""
    k: int = 4
    """Which card counts: 1 is the present one."""

    def __post_init__(self) -> None:
        """Check the sizes; they become plain ints."""
        object.__setattr__(self, "decks", check_size("decks", self.decks, maximum=100))
        object.__setattr__(self, "k", check_size("k", self.k, maximum=self.cards - 1))

    @property
    def cards(self) -> int:
        """In an episode, n."""
        return DECK * self.decks

    def batch(self, batch_size: int) -> RepeatPreviousBatch:
        """Return so many games, played in step; `reset` starts them."""
        return RepeatPreviousBatch(self, batch_size)


class RepeatPreviousBatch(GameBatch):
    """A batch of games of repeat previous, played in step; see `tasks.games.Games`.

    Args:
        task: what is played.
        batch_size: B, games.

    Raises:
        TypeError: `batch_size` is no integer.
        ValueError: it is below 1.

    Example:
        >>> games = RepeatPreviousBatch(RepeatPrevious(), 1)
        >>> seen = games.reset(seed=0)
        >>> SUITS[seen[0].argmax()] == SUITS[games.suits[0, 0]]
        True
    """

    def __init__(self, task: RepeatPrevious, batch_size: int) -> None:
        """Lay out games that `reset` starts."""
        self.task = task
        self.batch_size = batch = check_size("batch_size", batch_size)
        self.actions = SUITS
        self.frames = np.zeros(batch, np.int64)
        self.suits = np.full((batch, task.cards), -1)
        """(B, n), of the cards in the order in which they are shown; -1 before `reset`."""
        self._counters = np.zeros(batch, np.uint64)

    def _start(self, games: Int64[np.ndarray, " G"], seeds: Int64[np.ndarray, " G"] | None) -> None:
        if seeds is not None:
            self._counters[games] = streams.start(seeds)
        elif (self.suits[games] < 0).any():
            raise RuntimeError("call reset before restart")
        cards = self.task.cards
        drawn = streams.uniforms(self._counters[games], cards)
        self.suits[games] = drawn.argsort(1, kind="stable") % len(SUITS)
        self._counters[games] += np.array([cards], np.uint64) * streams.INCREMENT
        self.frames[games] = 0

    def step(self, actions: Int64[np.ndarray, " B"] | Sequence[int]) -> Outcome:
        """Play one step of each game that is not over; the event "right" is a suit that was named.

        Raises:
            RuntimeError: `reset` was never called.
            TypeError: actions are no integers.
            ValueError: they have another shape, or one is no action.
        """
        if (self.suits < 0).any():
            raise RuntimeError("call reset before the first step")
        chosen = check_actions(actions, self.batch_size, self.actions)
        last = self.task.cards - 1
        counts = (self.frames >= self.task.k - 1) & (self.frames < last)
        right = counts & (chosen == self.wanted())
        self.frames += self.frames < last
        return Outcome(
            rewards=np.where(right, 1.0, -1.0) * counts / (self.task.cards - self.task.k),
            terminated=self.frames == last,
            truncated=np.zeros(self.batch_size, bool),
            events={"right": right.astype(np.int64)},
        )

    def wanted(self) -> Int64[np.ndarray, " B"]:
        """Return the suit that is to be named now; any where there are not enough cards yet."""
        at = np.maximum(self.frames - self.task.k + 1, 0)
        return np.asarray(self.suits[np.arange(self.batch_size), at])

    def observe(self) -> Float32[np.ndarray, "B 4"]:
        """Return the suit of the present card, one-hot; nothing when it is over."""
        shown = np.zeros((self.batch_size, len(SUITS)), np.float32)
        games = np.flatnonzero(self.frames < self.task.cards - 1)
        shown[games, self.suits[games, self.frames[games]]] = 1
        return shown

    def picture(self, game: int) -> UInt8[np.ndarray, "1 4 3"]:
        """Return what one player sees as a row of pixels."""
        return np.repeat((255 * self.observe()[game]).astype(np.uint8)[None, :, None], 3, 2)

    def text(self, game: int) -> str:
        """Return what one player sees as a line of text."""
        frame = int(self.frames[game])
        told = "over" if frame == self.task.cards - 1 else SUITS[self.suits[game, frame]]
        return f"step {frame}: {told}"


def scripted(games: RepeatPreviousBatch, generator: np.random.Generator) -> Int64[np.ndarray, " B"]:
    """Return the suit that is wanted, as if nothing could be forgotten.

    Example:
        >>> games = RepeatPrevious().batch(4)
        >>> _ = games.reset(seed=0)
        >>> bool((scripted(games, np.random.default_rng(0)) == games.wanted()).all())
        True
    """
    return games.wanted()


PLAYERS: Final[dict[str, Player]] = {"random": random, "scripted": scripted}
"""What an agent is measured against."""
