"""How different the slots of a hybrid are, and what it scores, with each `slot_update`.

    python benchmarks/hybrid_slots.py --steps 500

Two tables in Markdown, means over the seeds (docs/analysis.md has the formulas). The first: untrained, on 16
steps of noise. The second: on small tasks, after the last step of fresh sequences, untrained and trained, and
the test accuracy. Everything is NumPy.
"""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np

from relational_rnn import experiments
from relational_rnn.analysis import record_memory
from relational_rnn.analysis.memory import effective_rank, slot_variance
from relational_rnn.config.core import SLOT_UPDATES
from relational_rnn.reference import Classifier, RelationalRNN
from relational_rnn.tasks import entry_of
from relational_rnn.tasks.object_tracking import ObjectTracking
from relational_rnn.tasks.pair_matching import PairMatching
from relational_rnn.tasks.sorting import Sorting

TASKS = {
    "sorting": Sorting(items=4),
    "pair-matching": PairMatching(pairs=3),
    "object-tracking": ObjectTracking(objects=2, moves=6),
}
RUN: dict[str, Any] = {
    "framework": "numpy",
    "mem_slots": 4,
    "head_size": 8,
    "num_heads": 4,
    "learning_rate": 5e-3,
    "warmup_steps": 50,
    "train_examples": 20_000,
    "validation_examples": 200,
    "test_examples": 1_000,
}
EXAMPLES = 256
"""Sequences that the slots are looked at over."""
STEPS = 16
"""Of noise."""


def on_noise(slot_update: str, seeds: int) -> np.ndarray:
    """Return variance after the first and the last step of noise, and effective rank after them."""
    noise = np.random.default_rng(0).standard_normal((EXAMPLES, STEPS, 11))
    rows = []
    for seed in range(seeds):
        core = RelationalRNN(11, 64, num_heads=4, slot_update=slot_update, seed=seed)
        memories = record_memory(core, noise).memories[:, [0, -1]]
        rows.append([*slot_variance(memories), *effective_rank(memories)])
    return np.mean(rows, axis=0)


def at_the_end(core: RelationalRNN, inputs: np.ndarray) -> tuple[float, float]:
    """Return variance between slots and effective rank after the last step."""
    memories = record_memory(core, inputs).memories[:, -1:]
    return float(slot_variance(memories)[0]), float(effective_rank(memories)[0])


def on_task(task: Any, slot_update: str, steps: int, seeds: int) -> tuple[float, np.ndarray]:
    """Train; return the trivial score and a row a seed: variance, rank, the same trained, test accuracy."""
    inputs = entry_of(task).sample(task, EXAMPLES, np.random.default_rng(0)).inputs
    settings = {"steps": steps, "evaluate_every": steps, "seeds": seeds, "slot_update": slot_update}
    result = experiments.train(task, ["hybrid"], **settings, **RUN)
    rows = []
    for seed, training in enumerate(result.results.models["hybrid"].trainings):
        model = result.load("hybrid", seed).model
        assert isinstance(model, Classifier)
        core = model.core
        assert isinstance(core, RelationalRNN)
        sizes = (core.input_size, core.hidden_size, None, core.num_slots, core.slot_size, core.num_heads)
        untrained = RelationalRNN(*sizes, slot_update=slot_update, seed=seed)
        rows.append([*at_the_end(untrained, inputs), *at_the_end(core, inputs), training.test_accuracy])
    return result.results.trivial_accuracy, np.array(rows)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description="Slots and scores of the hybrid with each slot_update.")
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--tasks", nargs="+", choices=tuple(TASKS), default=tuple(TASKS))
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    print(f"| {STEPS} steps of noise | variance, first step | last step | rank, first step | last step |")
    print("| --- | --- | --- | --- | --- |")
    for slot_update in SLOT_UPDATES:
        first, last, rank, rank_last = on_noise(slot_update, options.seeds)
        print(f"| {slot_update} | {first:.4f} | {last:.4f} | {rank:.2f} | {rank_last:.2f} |")
    print(
        "\n| task | | variance, untrained | trained | rank, untrained | trained | test accuracy | trivial |"
    )
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for name in options.tasks:
        for slot_update in SLOT_UPDATES:
            trivial, rows = on_task(TASKS[name], slot_update, options.steps, options.seeds)
            variance, rank, variance_after, rank_after, accuracy = rows.mean(0)
            low, high = 100 * rows[:, 4].min(), 100 * rows[:, 4].max()
            scores = f"{100 * accuracy:.1f} ({low:.1f} to {high:.1f}) % | {100 * trivial:.1f} %"
            print(
                f"| {name} | {slot_update} | {variance:.4f} | {variance_after:.4f} | {rank:.2f} | "
                f"{rank_after:.2f} | {scores} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
