"""`relational-rnn play RUN`: watch an agent of a run in the terminal, or write an episode as an animation."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from relational_rnn.analysis.episode import animate_episode, check_animation
from relational_rnn.cli.arguments import NUMBERS
from relational_rnn.cli.play import as_lines, as_records, show
from relational_rnn.config.checks import check_seed, check_size
from relational_rnn.rl.agents import find_agent
from relational_rnn.rl.config import LEVELS
from relational_rnn.rl.ppo import AgentPlayer
from relational_rnn.rl.watch import watch
from relational_rnn.tasks.episodes import MOST_EPISODES, play_episodes

LONGEST = 150
"""Steps of an animation."""


@dataclass(frozen=True, kw_only=True)
class Watch:
    """Watch an agent of a run play, on levels that it was not trained on."""

    model: str | None = None
    """Its core; without one the first of the run."""
    training_seed: int | None = None
    """Of its training; without one the best by the last point of its curve."""
    episodes: int | None = None
    """How many: one is shown, or 100 are scored."""
    seed: int = LEVELS["score"]
    """Seed of the first level; those after it have the next ones."""
    actions: Literal["drawn", "likely"] | None = None
    """Drawn from their probabilities, or the most likely ones; without it as the run evaluates."""
    score: tyro.conf.FlagCreatePairsOff[bool] = False
    """Print what the episodes score instead of showing them."""
    json: tyro.conf.FlagCreatePairsOff[bool] = False
    """Print one JSON object an episode instead."""
    animate: Annotated[Path | None, tyro.conf.arg(metavar="FILE")] = None
    """Write the first episode, up to 150 steps of it, as an animation instead: .gif, or .mp4 if there is an
    encoder (imageio-ffmpeg or ffmpeg)."""


def main(run: Path, argv: Sequence[str]) -> int:
    """Show, score or animate; return the exit code."""
    options = tyro.cli(Watch, prog="relational-rnn play RUN", args=argv, registry=NUMBERS)
    scored = options.score or options.json
    if options.animate is not None and (scored or options.episodes is not None):
        raise ValueError("--animate writes one episode: leave out --score, --json and --episodes")
    count = options.episodes if options.episodes is not None else 100 if scored else 1
    check_size("episodes", count, 1, MOST_EPISODES)
    check_seed("seed", options.seed)
    if options.animate is not None:
        check_animation(options.animate)
        path = animate(
            run,
            options.model,
            options.animate,
            training_seed=options.training_seed,
            seed=options.seed,
            actions=options.actions,
        )
        print(f"Written: {path}")
        return 0
    agent, config, training = find_agent(run, options.model, options.training_seed)
    player = AgentPlayer(agent, drawn=(options.actions or config.play.actions) == "drawn")
    if not scored:
        return show(player, config.task, count, options.seed)
    episodes = play_episodes(config.task, player, count, options.seed)
    if options.json:
        for line in as_records(episodes, options.seed):
            print(json.dumps(line))
    else:
        print(
            f"{config.task.name}, agent {training.label} of {run}, {count} episodes from seed {options.seed}"
        )
        print("\n".join(as_lines(episodes)))
    return 0


def animate(
    run: Path,
    model: str | None,
    path: Path,
    *,
    training_seed: int | None = None,
    seed: int = LEVELS["score"],
    actions: str | None = None,
) -> Path:
    """Write an episode of an agent of a finished run as an animation; return its path.

    Args:
        run: its folder.
        model: the agent's core; None for the first of the run.
        path: of the animation.
        training_seed: of the agent's training; None for the best.
        seed: of the level.
        actions: "drawn" or "likely"; None as the run evaluates.
    """
    agent, config, training = find_agent(run, model, training_seed)
    drawn = (actions or config.play.actions) == "drawn"
    episode = watch(agent, config.task, seed=seed, drawn=drawn, most=LONGEST)
    title = f"{config.task.name}, {training.label}, level {seed}"
    return animate_episode(episode, title=title, path=path, model=training.model)
