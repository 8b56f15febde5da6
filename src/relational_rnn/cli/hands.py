"""What a person's keys do in a game: each is a step, or it moves a hand over cards of which one is turned."""

from __future__ import annotations

from typing import Any, Protocol


class Hand(Protocol):
    """A person who plays."""

    help: str
    """What keys do beside moving."""

    def press(self, key: str) -> int | None:
        """Take a key by what it means; return the action that is played, if it is one."""

    def text(self) -> str:
        """Return the board as the person sees it."""


class Steps:
    """Each key is a step, if the game has an action of its name."""

    def __init__(self, games: Any) -> None:
        """Play the first of some games."""
        self.games = games
        self.help = ", space: stay" if "stay" in games.actions else ""

    def press(self, key: str) -> int | None:
        """Return the action of this name, if there is one."""
        return self.games.actions.index(key) if key in self.games.actions else None

    def text(self) -> str:
        """Return the board."""
        return str(self.games.text(0))


class OverCards:
    """Arrows move over the cards of concentration, space turns one.

    Example:
        >>> from relational_rnn.tasks.concentration import Concentration
        >>> games = Concentration(cards=28).batch(1)
        >>> _ = games.reset(seed=0)
        >>> hand = OverCards(games)
        >>> [hand.press(key) for key in ("right", "down", "stay")]
        [None, None, 11]
        >>> print(hand.text())
        step 0, 0 of 28 face up
           1  2  3  4  5  6  7  8  9 10
        A  .  .  .  .  .  .  .  .  .  .
        B  . [.] .  .  .  .  .  .  .  .
        C  .  .  .  .  .  .  .  .
    """

    help = ", space: turn the card"

    def __init__(self, games: Any) -> None:
        """Begin at the first card of the first of some games."""
        self.games = games
        self.card = 0

    def press(self, key: str) -> int | None:
        """Move, if a card lies there, or return the card that is turned."""
        if key == "stay":
            return self.card
        columns = self.games.task.shape[1]
        moved = self.card + {"up": -columns, "down": columns, "left": -1, "right": 1}[key]
        same_row = moved // columns == self.card // columns
        if 0 <= moved < self.games.task.cards and (same_row or key in ("up", "down")):
            self.card = moved
        return None

    def text(self) -> str:
        """Return the table, with the hand."""
        return str(self.games.text(0, self.card))
