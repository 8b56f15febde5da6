"""The presets of games by name; the sizes are ours, as the paper gives none for its agents of Mini PacMan."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Mapping
from typing import Final

from relational_rnn.config.checks import check_preset
from relational_rnn.rl.config import PPO, AgentConfig, AgentRun, PlayConfig
from relational_rnn.tasks.box_world import BoxWorld
from relational_rnn.tasks.concentration import Concentration
from relational_rnn.tasks.cue_recall import CueRecall
from relational_rnn.tasks.game_registry import find_trainable
from relational_rnn.tasks.mini_pacman import MiniPacman
from relational_rnn.tasks.repeat_previous import RepeatPrevious


def mini_pacman() -> AgentRun:
    """Mini PacMan with the paper's viewport.

    Example:
        >>> mini_pacman().learning.frames
        500000
    """
    return AgentRun(task=MiniPacman(view="viewport"), learning=PPO(frames=500_000, entropy=0.02))


def box_world() -> AgentRun:
    """Box-World with the paper's viewport, one box on the path and no distractor.

    Example:
        >>> box_world().task.size
        8
    """
    return AgentRun(
        task=BoxWorld(size=8, path_lengths=(1,), distractors=(0,), view="viewport"),
        learning=PPO(frames=300_000, rollout=32, entropy=0.01),
    )


def cue_recall() -> AgentRun:
    """A cue to be named five steps later.

    Example:
        >>> cue_recall().play.test_episodes
        1000
    """
    return AgentRun(
        task=CueRecall(),
        model=AgentConfig(encoder_width=32, head_size=8),
        learning=PPO(frames=60_000, learning_rate=3e-3),
        play=PlayConfig(evaluate_every=10_000, curve_episodes=200, test_episodes=1_000),
    )


def repeat_previous() -> AgentRun:
    """POPGym's easy level: the suit of the fourth last card.

    Example:
        >>> repeat_previous().model.encoder_width
        32
    """
    return AgentRun(
        task=RepeatPrevious(),
        model=AgentConfig(encoder_width=32),
        learning=PPO(frames=300_000, rollout=32, learning_rate=3e-3),
    )


def concentration() -> AgentRun:
    """Four pairs; POPGym's easy level, the game's own sizes, needs far more frames.

    Example:
        >>> concentration().task.cards
        8
    """
    return AgentRun(
        task=Concentration(cards=8, kinds=4),
        learning=PPO(frames=300_000, rollout=32, learning_rate=3e-3, discount=0.9),
        play=PlayConfig(curve_episodes=200),
    )


def tiny(recipe: Callable[[], AgentRun]) -> Callable[[], AgentRun]:
    """Return a recipe for seconds, to see the machinery run.

    Example:
        >>> tiny(cue_recall)().learning.frames
        4096
    """

    def made() -> AgentRun:
        """Small agents, few frames."""
        run = recipe()
        return dataclasses.replace(
            run,
            model=AgentConfig(encoder_width=16, mem_slots=2, head_size=8),
            learning=dataclasses.replace(run.learning, frames=4_096),
            play=PlayConfig(games=32, evaluate_every=2_048, curve_episodes=8, test_episodes=8),
        )

    return made


PRESETS: Final[dict[str, dict[str, Callable[[], AgentRun]]]] = {
    game: {"quick": recipe, "tiny": tiny(recipe)}
    for game, recipe in (
        ("mini-pacman", mini_pacman),
        ("box-world", box_world),
        ("cue-recall", cue_recall),
        ("repeat-previous", repeat_previous),
        ("concentration", concentration),
    )
}


def foreign(game: str) -> AgentRun:
    """An environment of Gymnasium: what a memory game like those of POPGym takes to be learned in minutes.

    Example:
        >>> foreign("gym:CartPole-v1").task.name
        'gym:CartPole-v1'
    """
    return AgentRun(task=find_trainable(game).make(), learning=PPO(frames=200_000, entropy=0.02))


def presets_of(game: str) -> Mapping[str, Callable[[], AgentRun]]:
    """Return the presets of a game, by name.

    Raises:
        ValueError: there is no such game.

    Example:
        >>> list(presets_of("cue-recall"))
        ['quick', 'tiny']
    """
    game = find_trainable(game).name
    recipe = functools.partial(foreign, game)
    return PRESETS.get(game, {"quick": recipe, "tiny": tiny(recipe)})


def find_preset(game: str, preset: str) -> AgentRun:
    """Return the settings of a preset.

    Raises:
        ValueError: there is no such game or preset; the message lists the known ones.

    Example:
        >>> find_preset("cue-recall", "quick").learning.frames
        60000
    """
    presets = presets_of(game)
    return presets[check_preset(preset, find_trainable(game).name, presets)]()
