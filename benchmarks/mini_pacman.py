"""How many frames of Mini PacMan a core plays a second: `python benchmarks/mini_pacman.py`."""

from __future__ import annotations

import argparse
import statistics
import time
from itertools import product

import numpy as np

from relational_rnn.tasks.mini_pacman import ACTIONS, MiniPacman, MiniPacmanBatch

STEPS = 100


def play(games: MiniPacmanBatch, actions: np.ndarray) -> float:
    """Play and observe a step for each row of actions; return the frames a second of processor time."""
    start = time.process_time()
    for chosen in actions:
        outcome = games.step(chosen)
        games.restart(outcome.terminated | outcome.truncated)
        games.observe()
    return actions.size / (time.process_time() - start)


def check(view: str, observation: str, actions: np.ndarray) -> None:
    """Check that a game of a batch is what it is alone: else no rate is reported."""
    together = MiniPacman(view=view, observation=observation).batch(actions.shape[1])
    alone = MiniPacman(view=view, observation=observation).batch(1)
    together.reset(0)
    alone.reset(actions.shape[1] - 1)
    play(together, actions)
    play(alone, actions[:, -1:])
    if not np.array_equal(together.observe()[-1], alone.observe()[0]):
        raise AssertionError("a game differs in a batch: no rate is reported")


def main() -> None:
    """Print one line a kind of observation."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=10)
    repeats = parser.parse_args().repeats
    sizes = (1, 64, 256, 1024)
    print("Frames a second of one core, random actions, observations included, median; by games in a batch")
    print("| view | observation |", *(f"{size} |" for size in sizes))
    print("|---|---|", *("---|" for _ in sizes), sep="")
    for view, observation in product(("full", "viewport"), ("rgb", "planes")):
        rates = []
        for size in sizes:
            actions = np.random.default_rng(0).integers(len(ACTIONS), size=(STEPS, size))
            check(view, observation, actions)
            games = MiniPacman(view=view, observation=observation).batch(size)
            games.reset(0)
            rates.append(statistics.median(play(games, actions) for _ in range(repeats)))
        print(f"| {view} | {observation} |", *(f"{rate:,.0f} |" for rate in rates), flush=True)


if __name__ == "__main__":
    main()
