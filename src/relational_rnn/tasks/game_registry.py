"""The games by name: where a string from outside becomes a game."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Final

from relational_rnn.config.checks import did_you_mean, shortened
from relational_rnn.tasks import box_world, concentration, cue_recall, gym_game, mini_pacman, repeat_previous
from relational_rnn.tasks.box_world.players import PLAYERS as BOX_WORLD_PLAYERS
from relational_rnn.tasks.games import Player
from relational_rnn.tasks.mini_pacman.players import PLAYERS as MINI_PACMAN_PLAYERS
from relational_rnn.tasks.registry import task_name


@dataclass(frozen=True, kw_only=True)
class Game:
    """What every game offers, under the same names.

    Example:
        >>> game = GAMES["mini-pacman"]
        >>> games = game.make(view="viewport").batch(2)
        >>> games.reset(seed=0).shape
        (2, 3, 5, 5)
        >>> game.players["random"](games, np.random.default_rng(0)).shape
        (2,)
    """

    name: str
    """What people type."""
    description: str
    """What it asks, in one line."""
    environment: str = ""
    """Its name as a Gymnasium environment; empty if it is none."""
    kind: type[Any]
    """The settings, with `batch(batch_size)`."""
    players: Mapping[str, Player]
    """Name -> (games, generator) -> an action for each game: what an agent is measured against."""

    def make(self, **settings: Any) -> Any:
        """Return the game with these settings, the others being the standard ones.

        Raises:
            TypeError: a value of a wrong type.
            ValueError: no such setting, or a value that is not allowed.
        """
        known = [field.name for field in fields(self.kind)]
        for setting in settings:
            if setting not in known:
                near = did_you_mean(setting, known)
                raise ValueError(f"{self.name} has no setting {setting}{near}; it has {', '.join(known)}")
        return self.kind(**settings)


GAMES: Final = {
    "mini-pacman": Game(
        name="mini-pacman",
        description="Eat food and pills, and ghosts while you have power; keep away from them else.",
        environment="MiniPacMan",
        kind=mini_pacman.MiniPacman,
        players=MINI_PACMAN_PLAYERS,
    ),
    "box-world": Game(
        name="box-world",
        description="Open boxes with the keys that fit, in the right order.",
        environment="BoxWorld",
        kind=box_world.BoxWorld,
        players=BOX_WORLD_PLAYERS,
    ),
}


TRAINABLE: Final = {
    **GAMES,
    "cue-recall": Game(
        name="cue-recall",
        description="Name the cue that was shown some steps ago.",
        kind=cue_recall.CueRecall,
        players=cue_recall.PLAYERS,
    ),
    "repeat-previous": Game(
        name="repeat-previous",
        description="Name the suit of the card that was shown some cards before, at each card.",
        kind=repeat_previous.RepeatPrevious,
        players=repeat_previous.PLAYERS,
    ),
    "concentration": Game(
        name="concentration",
        description="Turn two cards of a kind in a row, of cards that lie face down.",
        kind=concentration.Concentration,
        players=concentration.PLAYERS,
    ),
}
"""What agents are trained on: beside the games that people play, games of memory."""


def is_trainable(name: str) -> bool:
    """Return whether agents can be trained on what has this name, an environment of Gymnasium included.

    Example:
        >>> is_trainable("cue-recall"), is_trainable("gym:CartPole-v1"), is_trainable("sorting")
        (True, True, False)
    """
    return name in TRAINABLE or gym_game.is_foreign(name)


def game_of(command: str) -> str | None:
    """Return which game the agents of a run play, from its command; None if it is a run of something else.

    Example:
        >>> game_of("train cue-recall"), game_of("train sorting"), game_of("sweep sorting --trials")
        ('cue-recall', None, None)
    """
    verb, *words = command.split() or [""]
    return words[0] if verb == "train" and words and is_trainable(words[0]) else None


def find_trainable(name: str) -> Game:
    """Return what agents are trained on: a game, gym:ID or popgym:NAME.

    Raises:
        ImportError: it is an environment of Gymnasium or POPGym, which is absent.
        ValueError: there is no such game; the message lists the known ones.

    Example:
        >>> find_trainable("cue_recall").name
        'cue-recall'
    """
    if isinstance(name, str) and gym_game.is_foreign(name):
        kind = gym_game.kind_of(name)
        return Game(name=name, description=f"{name} of Gymnasium.", kind=kind, players=gym_game.PLAYERS)
    return find_game(name, TRAINABLE)


def find_game(name: str, known: Mapping[str, Game] = GAMES) -> Game:
    """Return a game; its name may be written with underscores.

    Args:
        name: of the game.
        known: the games to find it among.

    Raises:
        ValueError: there is no such game; the message lists the known ones.

    Example:
        >>> find_game("box_world").name
        'box-world'
    """
    found = task_name(name)
    if not isinstance(found, str) or found not in known:
        near = did_you_mean(found, known)
        raise ValueError(f"there is no game {shortened(name)}{near}; known games: {', '.join(known)}")
    return known[found]
