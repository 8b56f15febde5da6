"""`relational-rnn compare TASK`: `train` with the opponents of the RMC, in torch, over three seeds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from relational_rnn.cli import train

OPPONENTS = ("rmc", "lstm", "gru", "transformer", "dnc")
SEEDS = 3


def main(argv: Sequence[str]) -> int:
    """Compare; return the exit code."""
    return train.main(argv, command="compare", defaults=defaults)


def defaults(task: str) -> dict[str, Any]:
    """Return what a comparison has where a training has something else.

    Example:
        >>> defaults("nth-farthest")
        {'models': ('rmc', 'lstm', 'gru', 'transformer', 'dnc'), 'seeds': 3}
    """
    found: dict[str, Any] = {"models": OPPONENTS, "seeds": SEEDS}
    return found if task == "nth-farthest" else found | {"framework": "torch"}
