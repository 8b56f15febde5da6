"""What a run of agents came to, as frozen values, and its results.json, which has the same fields by name."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from relational_rnn.config.checks import BadFile
from relational_rnn.tasks.episodes import Episodes
from relational_rnn.training.decode import decode
from relational_rnn.training.files import read_object
from relational_rnn.training.results import REMEDY


@dataclass(frozen=True, kw_only=True)
class Played:
    """What a player's episodes came to on the levels of the final scores.

    Example:
        >>> count = {"mean_return": 0.5, "lowest_return": 0.0, "highest_return": 1.0, "mean_steps": 7.0}
        >>> Played(**count, truncated=0, events={"recalled": 0.5}).events["recalled"]
        0.5
    """

    mean_return: float
    """Sum of the rewards of an episode, not discounted: the mean over the episodes."""
    lowest_return: float
    """Of an episode."""
    highest_return: float
    """Of an episode."""
    mean_steps: float
    """Of an episode."""
    truncated: int
    """Episodes that were stopped at the frame cap."""
    events: Mapping[str, float]
    """Name -> how often it happened in an episode, the mean."""


@dataclass(frozen=True, kw_only=True)
class TrainedAgent:
    """What one training came to.

    Example:
        >>> from relational_rnn.rl.made_up import made_up_agents
        >>> agent = made_up_agents().models["rmc"].trainings[1]
        >>> agent.name, agent.played.mean_return
        ('rmc-1', 0.8)
    """

    name: str
    """Names its files and its records."""
    seed: int
    """Of the training."""
    parameters: int
    """Of the agent: encoder, core, policy and value."""
    frames: int
    """Played to learn from."""
    seconds: float
    """Wall time, the evaluations included."""
    frames_per_second: float
    """Frames over seconds."""
    curve_return: float
    """The last point of its curve."""
    played: Played
    """On the levels of the final scores, which all agents and players share."""
    diverged: str | None = None
    """What was no longer finite, and when; the scores are of the parameters before. None if all was."""


@dataclass(frozen=True, kw_only=True)
class AgentResult:
    """What the agents with one core came to, over the seeds.

    Example:
        >>> from relational_rnn.rl.made_up import made_up_agents
        >>> lstm = made_up_agents().models["lstm"]
        >>> lstm.mean_return, lstm.lowest_return, lstm.highest_return
        (0.5, 0.4, 0.6)
    """

    label: str
    """What people read."""
    parameters: int
    """Of an agent."""
    mean_return: float
    """Mean over the seeds of their mean returns."""
    lowest_return: float
    """Lowest mean return of a seed."""
    highest_return: float
    """Highest mean return of a seed."""
    trainings: tuple[TrainedAgent, ...]
    """One a seed."""


@dataclass(frozen=True, kw_only=True)
class AgentResults:
    """What a run came to: the content of its results.json.

    Example:
        >>> from relational_rnn.rl.made_up import made_up_agents
        >>> {name: model.mean_return for name, model in made_up_agents().models.items()}
        {'rmc': 0.9, 'lstm': 0.5}
    """

    game: str
    """Its name."""
    settings: Mapping[str, Any]
    """Of the game."""
    seed: int
    """The first seed."""
    seeds: int
    """How many in a row."""
    episodes: int
    """Behind each score."""
    first_level: int
    """Seed of the first of these episodes; those after it have the next ones."""
    wall_seconds: float | None
    """Of the whole run; None if it was interrupted in between."""
    players: Mapping[str, Played]
    """What players that learn nothing come to on the same levels, by name."""
    models: Mapping[str, AgentResult]
    """By name."""


def played_of(episodes: Episodes) -> Played:
    """Return what episodes came to.

    Example:
        >>> from relational_rnn.tasks.cue_recall import PLAYERS, CueRecall
        >>> from relational_rnn.tasks.episodes import play_episodes
        >>> played_of(play_episodes(CueRecall(), PLAYERS["scripted"], 5, seed=0)).mean_return
        1.0
    """
    return Played(
        mean_return=float(episodes.returns.mean()),
        lowest_return=float(episodes.returns.min()),
        highest_return=float(episodes.returns.max()),
        mean_steps=float(episodes.steps.mean()),
        truncated=int(episodes.truncated.sum()),
        events={name: float(counts.mean()) for name, counts in episodes.events.items()},
    )


def over_seeds(label: str, trainings: Sequence[TrainedAgent]) -> AgentResult:
    """Put the trainings of the agents with one core together.

    Example:
        >>> from relational_rnn.rl.made_up import made_up_agents
        >>> over_seeds("LSTM", made_up_agents().models["lstm"].trainings).mean_return
        0.5
    """
    returns = [one.played.mean_return for one in trainings]
    return AgentResult(
        label=label,
        parameters=trainings[0].parameters,
        mean_return=sum(returns) / len(returns),
        lowest_return=min(returns),
        highest_return=max(returns),
        trainings=tuple(trainings),
    )


def read_results(path: Path) -> AgentResults:
    """Read the results.json of a run of agents.

    Raises:
        BadFile: it is damaged, or of another kind of run.
        OSError: it cannot be read.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> from relational_rnn.rl.made_up import made_up_agents
        >>> from relational_rnn.training.files import write_json
        >>> with TemporaryDirectory() as folder:
        ...     path = Path(folder) / "results.json"
        ...     write_json(path, to_json(made_up_agents()))
        ...     read_results(path) == made_up_agents()
        True
    """
    values = read_object(path, REMEDY)
    try:
        results = decode(AgentResults, values, "results")
        if not results.models or not all(model.trainings for model in results.models.values()):
            raise ValueError("it has no model, or one without a training")
    except ValueError as error:
        raise BadFile(path, f"does not hold the results of agents: {error}", REMEDY) from None
    return results


def to_json(results: AgentResults | TrainedAgent) -> dict[str, Any]:
    """Return results as JSON has them.

    Example:
        >>> from relational_rnn.rl.made_up import made_up_agents
        >>> to_json(made_up_agents())["players"]["random"]["mean_return"]
        0.25
    """
    return dataclasses.asdict(results)
