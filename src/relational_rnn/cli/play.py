"""`relational-rnn play GAME`: play a game oneself, watch a player, or see what it scores."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np
import tyro

from relational_rnn.cli.arguments import NUMBERS
from relational_rnn.config.checks import did_you_mean, shortened

if TYPE_CHECKING:
    from relational_rnn.tasks.episodes import Episodes
    from relational_rnn.tasks.games import Player

FRAMES_A_SECOND: Final = 8


@dataclass(frozen=True, kw_only=True)
class Play:
    """What all games share."""

    player: Literal["random", "scripted"] | None = None
    """Who plays: any action, or a script that knows the whole board, or forgets no card. Without one you do,
    by keys."""
    episodes: int = 100
    """Episodes that are scored, or shown with --render."""
    seed: int = 0
    """Seed of the first episode; those after it have the next ones."""
    render: tyro.conf.FlagCreatePairsOff[bool] = False
    """Show the episodes, one after the other, instead of scoring them all at once."""
    json: tyro.conf.FlagCreatePairsOff[bool] = False
    """Print one JSON object an episode."""


@dataclass(frozen=True, kw_only=True)
class PlayOnBoard(Play):
    """What games on a board share."""

    view: Literal["full", "viewport"] = "full"
    """What the player sees: all, or the cells around him. Scripts know all in either."""
    window: int = 5
    """Cells a side of the viewport."""


@dataclass(frozen=True, kw_only=True)
class PlayMiniPacman(PlayOnBoard):
    """Eat food and pills, and ghosts while you have power; keep away from them while you have none."""

    mode: Literal["regular", "avoid", "hunt", "ambush", "rush"] = "regular"
    """What is rewarded, and what ends a level."""
    frame_cap: int = 3000
    """Most steps of an episode."""


@dataclass(frozen=True, kw_only=True)
class PlayBoxWorld(PlayOnBoard):
    """Open boxes with the keys that fit, in the right order, to reach the gem."""

    size: int = 14
    """Cells a side, with the wall."""
    path_lengths: tuple[int, ...] = (1, 2, 3, 4, 5)
    """Boxes on the path to the gem; each level draws one of these."""
    distractors: tuple[int, ...] = (0, 1, 2, 3, 4, 5)
    """Boxes that lead nowhere; each level draws one of these."""
    frame_cap: int = 120
    """Most steps of an episode."""


@dataclass(frozen=True, kw_only=True)
class PlayConcentration(Play):
    """Turn two cards of a kind in a row, of cards that lie face down."""

    cards: int = 52
    """That lie on the table."""
    kinds: int = 2
    """As many cards of each, an even number."""


COMMANDS: Final[dict[str, Any]] = {
    "mini-pacman": PlayMiniPacman,
    "box-world": PlayBoxWorld,
    "concentration": PlayConcentration,
}


def main(argv: Sequence[str]) -> int:
    """Play, show or score; return the exit code."""
    words = [word.replace("_", "-") if at == 0 else word for at, word in enumerate(argv)]
    if not words:
        raise ValueError(f"which game or run? relational-rnn play {', '.join(COMMANDS)} or RUN")
    if words[0] not in COMMANDS and Path(argv[0]).is_dir():
        from relational_rnn.cli.watch import main as watch

        return watch(Path(argv[0]), argv[1:])
    if words[0] not in COMMANDS and not words[0].startswith("-"):
        near = did_you_mean(words[0], COMMANDS)
        known = ", ".join(COMMANDS)
        raise ValueError(
            f"play has no game {shortened(argv[0])}{near}, and no folder of a run is there; games: {known}"
        )
    options: Any = tyro.extras.subcommand_cli_from_dict(
        COMMANDS,
        prog="relational-rnn play",
        args=words,
        config=(tyro.conf.OmitArgPrefixes, tyro.conf.OmitSubcommandPrefixes),
        registry=NUMBERS,
    )
    if options.json and (options.render or options.player is None):
        raise ValueError("--json takes the scores of a --player, without --render")

    from relational_rnn.config.checks import check_seed, check_size
    from relational_rnn.tasks.episodes import MOST_EPISODES, play_episodes
    from relational_rnn.tasks.game_registry import TRAINABLE, find_game

    check_size("episodes", options.episodes, 1, MOST_EPISODES)
    check_seed("seed", options.seed)
    game = find_game(words[0], TRAINABLE)
    shared = ("player", "episodes", "seed", "render", "json")
    task = game.make(**{name: value for name, value in vars(options).items() if name not in shared})
    if options.player is None:
        return play_oneself(task, options.seed)
    if options.render:
        return show(game.players[options.player], task, options.episodes, options.seed)
    episodes = play_episodes(task, game.players[options.player], options.episodes, options.seed)
    if options.json:
        for line in as_records(episodes, options.seed):
            print(json.dumps(line))
    else:
        print(f"{game.name}, player {options.player}, {options.episodes} episodes from seed {options.seed}")
        print("\n".join(as_lines(episodes)))
    return 0


def as_lines(episodes: Episodes) -> list[str]:
    """Return what episodes came to, in words."""
    count, mean = len(episodes.returns), f"{episodes.returns.mean():.{_digits(episodes.returns)}f}"
    happened = ", ".join(f"{name} {counts.mean():.2f}" for name, counts in episodes.events.items())
    return [
        f"return    mean {mean}, range {_range(episodes.returns)}",
        f"steps     mean {episodes.steps.mean():.1f}, range {_range(episodes.steps)}",
        *([f"an episode: {happened}"] if happened else []),
        f"stopped at the frame cap: {int(episodes.truncated.sum())} of {count}",
    ]


def _range(values: np.ndarray) -> str:
    digits = 0 if values.dtype.kind == "i" else _digits(values)
    return f"{values.min():.{digits}f} to {values.max():.{digits}f}"


def _digits(values: np.ndarray) -> int:
    """Return how many digits are shown of scores: more where all are small."""
    return 2 if np.abs(values).max() < 2 else 1


def as_records(episodes: Episodes, seed: int) -> list[dict[str, Any]]:
    """Return what each episode came to, as plain values."""
    return [
        {
            "seed": seed + number,
            "return": float(episodes.returns[number]),
            "steps": int(episodes.steps[number]),
            "truncated": bool(episodes.truncated[number]),
            "events": {name: int(counts[number]) for name, counts in episodes.events.items()},
        }
        for number in range(len(episodes.returns))
    ]


def show(player: Player, task: Any, episodes: int, seed: int) -> int:
    """Show a player's episodes in the terminal; return the exit code.

    Args:
        player: (games, generator) -> an action for each game.
        task: the game, with its settings.
        episodes: how many.
        seed: of the first; those after it have the next ones.
    """
    from relational_rnn.training.screen import Animation

    games, generator = task.batch(1), np.random.default_rng(seed)
    wait = 1 / FRAMES_A_SECOND if sys.stdout is not None and sys.stdout.isatty() else 0
    for number in range(episodes):
        games.reset(seed + number)
        animation, total, over = Animation(), 0.0, False
        animation.show(_board(games.text(0), total))
        while not over:
            time.sleep(wait)
            outcome = games.step(player(games, generator))
            total += float(outcome.rewards[0])
            over = bool(outcome.terminated[0] or outcome.truncated[0])
            animation.show(_board(games.text(0), total))
        print(f"seed {seed + number}: return {round(total, 4):g} in {games.frames[0]} steps\n")
    return 0


def play_oneself(task: Any, seed: int) -> int:
    """Let a person play one episode with keys; return the exit code."""
    from relational_rnn.cli.hands import Hand, OverCards, Steps
    from relational_rnn.cli.keys import HELP, pressed
    from relational_rnn.training.screen import Animation

    games, animation, total = task.batch(1), Animation(), 0.0
    games.reset(seed)
    hand: Hand = OverCards(games) if task.name == "concentration" else Steps(games)
    with pressed() as keys:
        print(f"{HELP}{hand.help}, q: quit\n")
        animation.show(_board(hand.text(), total))
        for key in keys:
            if key == "quit":
                break
            action = hand.press(key)
            if action is not None:
                outcome = games.step([action])
                total += float(outcome.rewards[0])
            animation.show(_board(hand.text(), total))
            if action is not None and (outcome.terminated[0] or outcome.truncated[0]):
                break
    print(f"seed {seed}: return {round(total, 4):g} in {games.frames[0]} steps")
    return 0


def _board(text: str, total: float) -> str:
    """Return the board with the score of the episode."""
    head, _, board = text.partition("\n")
    return f"score {round(total, 4):g}  {head}\n{board}"
