"""`relational-rnn compare TASK`: `train` with the opponents of the RMC, in torch, over three seeds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from relational_rnn.cli import train
from relational_rnn.training.models import COMPARED

DEFAULTS: dict[str, Any] = {
    "models": COMPARED,
    "seeds": 3,
    "framework": "torch",
}
"""What a comparison has where a training has something else."""


def main(argv: Sequence[str]) -> int:
    """Compare; return the exit code."""
    return train.main(argv, command="compare", defaults=DEFAULTS)
