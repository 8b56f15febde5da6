"""The authors' initial values, in place."""

from __future__ import annotations

import torch
from torch import Tensor, nn


@torch.no_grad()
def truncated_normal_(weight: Tensor, fan_in: int, generator: torch.Generator | None = None) -> Tensor:
    """Fill with a normal of standard deviation 1/sqrt(fan_in), cut at two of them and not rescaled.

    Source: Sonnet 1.36, `snt.Linear`. The real standard deviation is 0.8796/sqrt(fan_in).

    Example:
        >>> bool(truncated_normal_(torch.empty(50, 4), fan_in=4).abs().max() <= 1.0)
        True
    """
    deviation = fan_in**-0.5
    return nn.init.trunc_normal_(
        weight, std=deviation, a=-2 * deviation, b=2 * deviation, generator=generator
    )


def initialise_linear_(layer: nn.Linear, generator: torch.Generator | None = None) -> None:
    """Draw the weight as the authors do and set the bias to 0."""
    truncated_normal_(layer.weight, layer.in_features, generator)
    nn.init.zeros_(layer.bias)
