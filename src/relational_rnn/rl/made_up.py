"""Made-up results of a run of agents in round numbers, for the examples of this room and to try them out."""

from __future__ import annotations

from relational_rnn.rl.results import AgentResults, Played, TrainedAgent, over_seeds
from relational_rnn.training.models import LABELS

RETURNS = {"rmc": (1.0, 0.8), "lstm": (0.6, 0.4)}
"""Model -> mean return of each seed."""


def made_up_agents() -> AgentResults:
    """Return results of agents of cue recall with an RMC and with an LSTM, two seeds each.

    Example:
        >>> made_up_agents().models["rmc"].label
        'RMC'
    """
    trainings = {
        model: [_training(model, seed, mean) for seed, mean in enumerate(means)]
        for model, means in RETURNS.items()
    }
    return AgentResults(
        game="cue-recall",
        settings={"cues": 4, "delay": 5},
        seed=0,
        seeds=2,
        episodes=100,
        first_level=0,
        wall_seconds=None,
        players={"random": _played(0.25), "scripted": _played(1.0)},
        models={model: over_seeds(LABELS[model], found) for model, found in trainings.items()},
    )


def _training(model: str, seed: int, mean: float) -> TrainedAgent:
    return TrainedAgent(
        name=f"{model}-{seed}",
        seed=seed,
        parameters=4_000,
        frames=60_000,
        seconds=30.0,
        frames_per_second=2_000.0,
        curve_return=mean,
        played=_played(mean),
    )


def _played(mean: float) -> Played:
    return Played(
        mean_return=mean,
        lowest_return=0.0,
        highest_return=1.0,
        mean_steps=7.0,
        truncated=0,
        events={"recalled": mean},
    )
