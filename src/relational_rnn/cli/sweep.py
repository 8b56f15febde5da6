"""`relational-rnn sweep TASK`: every combination of some factors, or a search for the best."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import tyro

from relational_rnn.cli.experiment import Experiment, resolve
from relational_rnn.cli.train import T

DEFAULTS: dict[str, Any] = {"models": ("rmc",), "seeds": 1}
"""What a sweep has where a training has something else."""


@dataclass(frozen=True, kw_only=True)
class Sweep(Experiment[T]):
    """Train every combination of some factors' values, or with --trials search for good ones.

    `--over learning_rate=1e-3,2e-3 --over mem_slots=4,8` trains four variants. A search (Optuna) also takes
    ranges: LOW:HIGH, LOW:HIGH:log, LOW:HIGH:STEP. The RMC is trained, with one seed, unless --models and
    --seeds say otherwise.
    """

    trials: int | None = None
    """Search: how many combinations to try, by all workers together, for a good validation score of the first
    of --models."""
    storage: Annotated[str | None, tyro.conf.arg(metavar="FILE_OR_URL")] = None
    """Share the work with other commands, on other machines too: the path of an SQLite file, or a database's
    URL. Each of them has the same flags and an --out of its own."""
    study: Annotated[str | None, tyro.conf.arg(metavar="NAME")] = None
    """Name of the study in the storage; if not given, relational-rnn and the task."""
    grace: int = 120
    """Seconds without a heartbeat after which the trial of a dead worker is given to another."""


def main(argv: Sequence[str]) -> int:
    """Train, print and draw; return the exit code."""
    task, options = resolve("sweep", argv, Sweep, **DEFAULTS)

    from relational_rnn.cli.points import sweep

    return sweep(task, options)
