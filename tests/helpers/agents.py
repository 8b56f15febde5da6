"""The page of a run of two agents, made without any training."""

import numpy as np

from relational_rnn.analysis import Table
from relational_rnn.analysis.report import AgentPage, ShownEpisode
from relational_rnn.analysis.returns import ReturnCurve
from relational_rnn.tasks.episodes import Episode


def page_of(steps, size=5, pictures=None, actions=("left", "stay", "right")):
    """Return a page with an episode of an RMC and one of an LSTM, of so many steps and cells a side."""
    generator = np.random.default_rng(0)
    if pictures is None:
        pictures = np.zeros((steps + 1, size, size, 3), np.uint8)
        pictures[np.arange(steps + 1), np.arange(steps + 1) % size, 1] = (200, 0, 30)
    probabilities = generator.dirichlet(np.ones(len(actions)), steps)
    shared = {
        "pictures": pictures,
        "actions": actions,
        "chosen": probabilities.argmax(1),
        "probabilities": probabilities,
        "values": generator.normal(size=steps),
        "rewards": np.where(np.arange(steps) % 3 == 1, 1.5, 0.0),
    }
    inside = {
        "attention": generator.dirichlet(np.ones(4), (steps, 1, 2, 3)),
        "input_gate": generator.uniform(size=(steps, 3)),
        "forget_gate": generator.uniform(size=(steps, 3)),
        "norms": generator.uniform(1, 9, size=(steps, 3)),
    }
    return AgentPage(
        name="runs/game",
        title="mini-pacman (mode regular)",
        description="Eat food.",
        finding="Mean return: RMC 20.00, LSTM 12.00 (one seed)",
        about="8 episodes",
        scores=Table(("agent", "return"), [(True, ["RMC", "20.00"]), (False, ["LSTM", "12.00"])]),
        others=[("What happens in an episode", Table(("agent", "food"), [(False, ["RMC", "20.00"])]))],
        curves=[
            ReturnCurve("RMC", "rmc", frames=[1000, 2000, 3000], returns=[8.0, -1.0, 20.0]),
            ReturnCurve("LSTM", "lstm", frames=[1000, 2000, 3000], returns=[8.5, 9.0, 12.0]),
        ],
        players={"random": 9.0, "scripted": 519.6},
        episodes=[
            ShownEpisode("rmc", "RMC", "RMC", 7, Episode(**shared, **inside)),
            ShownEpisode("lstm", "LSTM", "LSTM", 7, Episode(**shared)),
        ],
        notes=[],
        config={"version": "0", "commit": "1", "command": "train mini-pacman", "config": {"seed": 0}},
        results={"game": "mini-pacman"},
    )
