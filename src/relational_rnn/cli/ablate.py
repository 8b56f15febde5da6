"""`relational-rnn ablate TASK`: one factor at a time around a base, to see what each part of a model does."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from relational_rnn.cli.experiment import Experiment, resolve
from relational_rnn.cli.train import T
from relational_rnn.training.config import RunConfig

if TYPE_CHECKING:
    from relational_rnn.cli.factors import Values

ALL = "all"
"""Stands for every part of the core."""
DEFAULTS: dict[str, Any] = {"models": ("rmc",), "seeds": 3}
"""What an ablation has where a training has something else."""


@dataclass(frozen=True, kw_only=True)
class Ablate(Experiment[T]):
    """Train a model with one factor changed at a time, each value with several seeds, and compare.

    `--over num_heads=1,2,4` varies a setting, `--over all` every part of the core. The RMC is trained, with
    three seeds, unless --models and --seeds say otherwise.
    """


def main(argv: Sequence[str]) -> int:
    """Train, print and draw; return the exit code."""
    task, options = resolve("ablate", argv, Ablate, **DEFAULTS)
    config = options.run

    from relational_rnn.cli.many import check_all, train_variants
    from relational_rnn.experiments.factors import one_at_a_time

    factors = find_factors(task, config, options.over)
    variants = one_at_a_time(config, factors)
    check_all(variant.config for variant in variants)
    flags = [word for given in options.over for word in ("--over", given)]
    recorded = shlex.join(["ablate", task, *flags])
    told = f"variants ({', '.join(factors)})"
    return train_variants(recorded, options, factors, variants, told=told)


def find_factors(task: str, config: RunConfig, over: Sequence[str]) -> dict[str, Values]:
    """Return the factors that `--over` names; one that is named replaces that of `all`.

    Raises:
        ValueError: see `parse_factors`; or a range.
    """
    from relational_rnn.cli.factors import only_values, parse_factors, refuse_overrides
    from relational_rnn.experiments.components import components

    named = parse_factors(task, config, [word for word in over if word != ALL])
    values = only_values(named, "an ablation takes values; sweep searches ranges")
    factors = (components(config) if ALL in over else {}) | values
    refuse_overrides(config, factors)
    return factors
