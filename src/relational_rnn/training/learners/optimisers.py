"""Optimisers by their names in the configuration, and the moving average of a model's weights."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from relational_rnn.training.config_parts import OptimiserConfig
from relational_rnn.training.learners.soap import SOAP

LONGEST_SIDE = 512
"""SOAP rotates the sides of a weight up to this length; for longer ones it would cost more than the step."""


def build_optimiser(model: nn.Module, config: OptimiserConfig) -> torch.optim.Optimizer:
    """Return the optimiser that the configuration names, for all parameters of a model.

    Args:
        model: what it trains.
        config: `optimiser` and `learning_rate`.
    """
    if config.optimiser == "adam":
        return torch.optim.Adam(model.parameters(), lr=config.learning_rate, fused=True)
    return SOAP(model.parameters(), lr=config.learning_rate, longest_side=LONGEST_SIDE)


def averaged(model: nn.Module, decay: float) -> AveragedModel:
    """Return the moving average of a model's weights: `update_parameters` after each step; `module` has them.

    The decay of the n-th update, from 1, is min(decay, n / (n + 9)), as in TensorFlow's
    `ExponentialMovingAverage`, so that the average of a short training forgets the first weights too.

    Args:
        model: whose weights.
        decay: of a long training, 0..1 and below 1.

    Example:
        >>> model = nn.Linear(1, 1)
        >>> average = averaged(model, 0.99)
        >>> average.update_parameters(model)
        >>> torch.equal(average.module.weight, model.weight)
        True
    """

    def update(averages: Sequence[Tensor], weights: Sequence[Tensor], updates: Tensor | int) -> None:
        now = min(decay, (int(updates) + 1) / (int(updates) + 10))
        torch._foreach_lerp_(list(averages), list(weights), 1 - now)

    return AveragedModel(model, multi_avg_fn=update)
