"""The commands of `relational-rnn`."""

from __future__ import annotations

from typing import Final

COMMANDS: Final = {
    "train": ("relational_rnn.cli.train", "Train models on a task and compare them."),
    "ablate": ("relational_rnn.cli.ablate", "Change one part of a model at a time and compare."),
    "sweep": (
        "relational_rnn.cli.sweep",
        "Train every combination of some settings, or search for good ones.",
    ),
    "compare": (
        "relational_rnn.cli.compare",
        "Train the RMC, LSTM, GRU, Transformer and DNC on a task, with three seeds.",
    ),
    "evaluate": ("relational_rnn.cli.evaluate", "Score the models of a run on fresh or given examples."),
    "generate": ("relational_rnn.cli.generate", "Let a trained language model write."),
    "visualize": ("relational_rnn.cli.visualize", "Draw the figures of a run again."),
    "report": ("relational_rnn.cli.report", "Write the report of runs: one page to look through them."),
    "failures": ("relational_rnn.cli.failures", "Show the examples that models get wrong."),
    "check-gradients": (
        "relational_rnn.cli.check_gradients",
        "Check the gradients of the NumPy models.",
    ),
    "bench": ("relational_rnn.cli.bench", "Time the core on this machine and say what to expect."),
    "plan": (
        "relational_rnn.cli.plan",
        "Say what the training of a language model takes, on one process or several.",
    ),
    "playground": (
        "relational_rnn.cli.playground",
        "Write a page in which a trained RMC answers, step by step.",
    ),
    "play": (
        "relational_rnn.cli.play",
        "Play Mini PacMan or Box-World, or watch what an agent of a run plays.",
    ),
    "course": ("relational_rnn.cli.course", "Learn it: exercises with checks that say what is wrong."),
    "tasks": ("relational_rnn.cli.tasks", "List the tasks or show examples of one."),
}
"""Name -> module with `main(argv) -> exit code`, and one line of help."""
