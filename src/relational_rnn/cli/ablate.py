"""`relational-rnn ablate TASK`: one factor at a time around a base, to see what each part of a model does."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from relational_rnn.cli.experiment import (
    Experiment,
    find_trainer,
    resolve,
    train_variants,
)
from relational_rnn.cli.factors import Values, only_values, parse_factors, refuse_own
from relational_rnn.cli.train import S
from relational_rnn.recipes.ablation import components
from relational_rnn.training.common.factors import one_at_a_time

ALL = "all"
"""Stands for every part of the core."""
DEFAULTS: dict[str, Any] = {"models": ("rmc",), "seeds": 3}
"""What an ablation has where a training has something else."""


@dataclass(frozen=True, kw_only=True)
class Ablate(Experiment[S]):
    """Train a model with one factor changed at a time, each value with several seeds, and compare.

    `--over num_heads=1,2,4` varies a setting, `--over all` every part of the core. The RMC is trained, with
    three seeds, unless --models and --seeds say otherwise.
    """


def main(argv: Sequence[str]) -> int:
    """Train, print and draw; return the exit code."""
    task, options = resolve("ablate", argv, Ablate, **DEFAULTS)
    settings = options.settings
    factors = find_factors(task, settings, options.over)
    variants = one_at_a_time(settings, factors)
    trainer = find_trainer(task, [variant.settings for variant in variants])
    flags = [word for given in options.over for word in ("--over", given)]
    recorded = shlex.join(["ablate", task, *flags])
    told = f"variants ({', '.join(factors)})"
    return train_variants(recorded, options, factors, variants, trainer, told=told)


def find_factors(task: str, settings: Any, over: Sequence[str]) -> dict[str, Values]:
    """Return the factors that `--over` names; one that is named replaces that of `all`.

    Raises:
        ValueError: see `parse_factors`; or a range.
    """
    named = parse_factors(task, settings, [word for word in over if word != ALL])
    values = only_values(named, "an ablation takes values; sweep searches ranges")
    factors = (components(settings) if ALL in over else {}) | values
    refuse_own(settings, factors)
    return factors
