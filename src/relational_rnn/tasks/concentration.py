"""Concentration, also called pairs: cards lie face down, and two of a kind are to be turned in a row.

The rules of Concentration in POPGym (Morad et al. 2023): n cards are shuffled. Each step turns one card. If
the second card of a try is of the kind of the first, both stay face up and bring 2/n; else the try is over,
brings -1/2n for each of its cards, and they are face down again when the next card is turned. To choose a
card that stays face up ends the try too, at the same price. The episode is over when all cards are face up,
and is stopped after 2n steps. So it is worth -1 to 1.

POPGym's levels: easy is 52 cards of 2 kinds, the colours; medium 104 cards of 2 kinds; hard 52 cards of 13
kinds, the ranks.
"""

from __future__ import annotations

import colorsys
import string
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final

import numpy as np

from relational_rnn.config.checks import check_size
from relational_rnn.tasks import streams
from relational_rnn.tasks.games import GameBatch, Outcome, Player, check_actions, random

if TYPE_CHECKING:
    from jaxtyping import Bool, Float32, Int64, UInt8

WIDEST: Final = 13
"""Cards of a row, at most."""
ROWS: Final = string.ascii_uppercase
"""Names of the rows."""
LETTERS: Final = string.ascii_letters
"""Of the kinds, as text."""
BACK: Final = "."
"""Of a card that lies face down, as text."""
_GREY: Final = 70
"""Of such a card, as a pixel."""


@dataclass(frozen=True, kw_only=True)
class Concentration:
    """Concentration: turn two cards of a kind in a row.

    Raises:
        TypeError: a size is no integer.
        ValueError: a size is out of range, or the kinds do not have an even number of cards each.

    Example:
        >>> task = Concentration(cards=8, kinds=4)
        >>> games = task.batch(3)
        >>> games.reset(seed=0).shape
        (3, 40)
        >>> generator, returns = np.random.default_rng(0), 0
        >>> for _ in range(task.frame_cap):
        ...     returns = returns + games.step(scripted(games, generator)).rewards
        >>> bool(games.up.all()), bool((returns > 0.5).all())
        (True, True)
    """

    name: ClassVar[str] = "concentration"
    cards: int = 52
    """n, that lie on the table, and actions."""
    kinds: int = 2
    """K; there are as many cards of each, an even number."""

    def __post_init__(self) -> None:
        """Check the sizes; they become plain ints."""
        object.__setattr__(self, "cards", check_size("cards", self.cards, 4, WIDEST * len(ROWS)))
        object.__setattr__(self, "kinds", check_size("kinds", self.kinds, 2, len(LETTERS)))
        if self.cards % (2 * self.kinds):
            raise ValueError(
                f"cards must be a multiple of {2 * self.kinds}, so that each of the {self.kinds} kinds has "
                f"an even number of them; got {self.cards}"
            )

    @property
    def frame_cap(self) -> int:
        """Most steps of an episode, 2n."""
        return 2 * self.cards

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of the table; the last row may not be full."""
        rows = -(-self.cards // WIDEST)
        return rows, -(-self.cards // rows)

    def batch(self, batch_size: int) -> ConcentrationBatch:
        """Return so many games, played in step; `reset` starts them."""
        return ConcentrationBatch(self, batch_size)


class ConcentrationBatch(GameBatch):
    """A batch of games of concentration, played in step; see `tasks.games.Games`.

    Args:
        task: what is played.
        batch_size: B, games.

    Raises:
        TypeError: `batch_size` is no integer.
        ValueError: it is below 1.

    Example:
        >>> games = ConcentrationBatch(Concentration(cards=8, kinds=2), 1)
        >>> seen = games.reset(seed=0)
        >>> games.actions
        ('A1', 'A2', 'A3', 'A4', 'A5', 'A6', 'A7', 'A8')
        >>> outcome = games.step([4])
        >>> print(games.text(0))
        step 1, 0 of 8 face up
           1  2  3  4  5  6  7  8
        A  .  .  .  .  b  .  .  .
    """

    def __init__(self, task: Concentration, batch_size: int) -> None:
        """Lay out games that `reset` starts."""
        self.task = task
        self.batch_size = batch = check_size("batch_size", batch_size)
        columns = task.shape[1]
        self.actions = tuple(f"{ROWS[card // columns]}{card % columns + 1}" for card in range(task.cards))
        self.frames = np.zeros(batch, np.int64)
        self.faces = np.full((batch, task.cards), -1)
        """(B, n), the kind of each card; -1 before `reset`."""
        self.up = np.zeros((batch, task.cards), bool)
        """(B, n), the cards that were paired and stay face up."""
        self.known = np.zeros((batch, task.cards), bool)
        """(B, n), the cards that were face up at some time of the episode."""
        self.tried = np.full((batch, 2), -1)
        """(B, 2), the cards of the present try, or of the last if none has begun; -1 for none."""
        self.second = np.zeros(batch, bool)
        """(B,), whether the next card is the second of a try."""
        self._counters = np.zeros(batch, np.uint64)

    def _start(self, games: Int64[np.ndarray, " G"], seeds: Int64[np.ndarray, " G"] | None) -> None:
        if seeds is not None:
            self._counters[games] = streams.start(seeds)
        elif (self.faces[games] < 0).any():
            raise RuntimeError("call reset before restart")
        cards = self.task.cards
        drawn = streams.uniforms(self._counters[games], cards)
        self.faces[games] = drawn.argsort(1, kind="stable") % self.task.kinds
        self._counters[games] += np.array([cards], np.uint64) * streams.INCREMENT
        self.up[games], self.known[games], self.second[games] = False, False, False
        self.tried[games], self.frames[games] = -1, 0

    def step(self, actions: Int64[np.ndarray, " B"] | Sequence[int]) -> Outcome:
        """Turn one card in each game that is not over.

        Events are "pairs", and "wasted", the cards of tries that failed.

        Raises:
            RuntimeError: `reset` was never called.
            TypeError: actions are no integers.
            ValueError: they have another shape, or one is no action.
        """
        if (self.faces < 0).any():
            raise RuntimeError("call reset before the first step")
        chosen = check_actions(actions, self.batch_size, self.actions)
        every, cap = np.arange(self.batch_size), self.task.frame_cap
        plays = ~self.up.all(1) & (self.frames < cap)
        first, second = plays & ~self.second, plays & self.second
        before = self.tried[:, 0]
        pair = second & ~self.up[every, chosen] & (chosen != before)
        pair &= self.faces[every, chosen] == self.faces[every, before]
        idle = first & self.up[every, chosen]
        self.tried[first, 0], self.tried[first, 1] = chosen[first], -1
        self.tried[second, 1] = chosen[second]
        self.known[every[plays], chosen[plays]] = True
        self.up[every[pair, None], self.tried[pair]] = True
        self.second = first & ~idle
        self.frames += plays
        wasted = idle + 2 * (second & ~pair)
        terminated = np.asarray(self.up.all(1))
        return Outcome(
            rewards=2 * pair / self.task.cards - wasted / cap,
            terminated=terminated,
            truncated=(self.frames == cap) & ~terminated,
            events={"pairs": pair.astype(np.int64), "wasted": wasted},
        )

    def visible(self) -> Bool[np.ndarray, "B n"]:
        """Return which cards are face up: those of pairs, and those of the present try or the last."""
        seen = self.up.copy()
        for tried in self.tried.T:
            games = np.flatnonzero(tried >= 0)
            seen[games, tried[games]] = True
        return seen

    def observe(self) -> Float32[np.ndarray, "B F"]:
        """Return each card's kind, one-hot, nothing while it is face down, and the card that was turned last.

        F = n K + n. POPGym's benchmark shows the last action too: it tells a new card from those of pairs.
        """
        seen = np.zeros((self.batch_size, self.task.cards, self.task.kinds), np.float32)
        games, cards = np.nonzero(self.visible())
        seen[games, cards, self.faces[games, cards]] = 1
        last = np.zeros((self.batch_size, self.task.cards), np.float32)
        turned = np.where(self.tried[:, 1] < 0, self.tried[:, 0], self.tried[:, 1])
        begun = np.flatnonzero(turned >= 0)
        last[begun, turned[begun]] = 1
        return np.concatenate([seen.reshape(self.batch_size, -1), last], 1)

    def picture(self, game: int) -> UInt8[np.ndarray, "rows columns 3"]:
        """Return the table as a picture: a colour a kind, grey for a card that lies face down."""
        rows, columns = self.task.shape
        kinds = self.task.kinds
        colours = np.array([colorsys.hsv_to_rgb(kind / kinds, 0.75, 1) for kind in range(kinds)])
        pixels = np.zeros((rows * columns, 3), np.uint8)
        pixels[: self.task.cards] = _GREY
        seen = np.flatnonzero(self.visible()[game])
        pixels[seen] = np.rint(255 * colours[self.faces[game, seen]])
        return pixels.reshape(rows, columns, 3)

    def text(self, game: int, hand: int | None = None) -> str:
        """Return the table as lines of text: a letter for a kind, a dot for a card that lies face down.

        Args:
            game: which one.
            hand: the card over which a hand is, in brackets; None for no hand.
        """
        seen, columns = self.visible()[game].tolist(), self.task.shape[1]
        cards = [LETTERS[kind] if up else BACK for kind, up in zip(self.faces[game].tolist(), seen)]
        cells = [f"[{card}]" if at == hand else f" {card} " for at, card in enumerate(cards)]
        rows = ["".join(cells[at : at + columns]) for at in range(0, len(cells), columns)]
        told = f"step {self.frames[game]}, {self.up[game].sum()} of {self.task.cards} face up"
        head = "  " + "".join(f"{column + 1:^3}" for column in range(columns))
        lines = [told, head, *(f"{name} {row}" for name, row in zip(ROWS, rows))]
        return "\n".join(line.rstrip() for line in lines)


def scripted(games: ConcentrationBatch, generator: np.random.Generator) -> Int64[np.ndarray, " B"]:
    """Return what one turns who forgets no card: one of a pair that it knows, else the first unknown one.

    Example:
        >>> games = Concentration(cards=8, kinds=4).batch(3)
        >>> _ = games.reset(seed=0)
        >>> scripted(games, np.random.default_rng(0))  # no card is known yet: the first one
        array([0, 0, 0])
    """
    cards = np.arange(games.task.cards)
    free = games.known & ~games.up
    counts = (free[:, :, None] & (games.faces[:, :, None] == np.arange(games.task.kinds))).sum(1)
    opens = free & (np.take_along_axis(counts, games.faces, 1) >= 2)
    first = games.tried[:, :1]
    closes = free & (games.faces == np.take_along_axis(games.faces, first, 1)) & (cards != first)
    wanted = np.where(games.second[:, None], closes, opens)
    return np.asarray((2 * wanted + ~games.known).argmax(1))


PLAYERS: Final[dict[str, Player]] = {"random": random, "scripted": scripted}
"""What an agent is measured against."""
