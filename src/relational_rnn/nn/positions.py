"""How a Transformer is told the order of steps: sinusoids, a learned table, or turned queries and keys."""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor

POSITIONS: Final = ("sinusoidal", "learned", "rotary", "none")
"""Sinusoids or a row of a table are added to the inputs; queries and keys are turned; or nothing is told."""


def sinusoids(positions: Tensor, width: int, dtype: torch.dtype = torch.float32) -> Tensor:
    """Return sinusoids of the positions: (...) -> (..., width).

        sin(p / 10000^(2i/width)) for the first half of the features, cos of the same for the second

    Source: Vaswani et al. 2017, section 3.5, where sine and cosine take turns; a linear layer sees no
    difference.

    Example:
        >>> sinusoids(torch.tensor([0, 1]), 3).shape
        torch.Size([2, 3])
    """
    half = (width + 1) // 2
    exponents = torch.arange(half, dtype=dtype, device=positions.device) * (2 / width)
    angles = positions.unsqueeze(-1) * 10000**-exponents
    return torch.cat([angles.sin(), angles.cos()], -1)[..., :width]


def rotate(x: Tensor, positions: Tensor) -> Tensor:
    """Turn the queries or keys of each step by its position.

        (x_i, x_(i + K/2)) is turned by the angle p / 10000^(2i/K); of an odd K the last feature stays

    Source: Su et al. 2021, "RoFormer", section 3.2, where the pairs are neighbours; a linear layer sees no
    difference. A product of a query and a key then depends on the difference of their positions alone.

    Args:
        x: (B, H, T, K).
        positions: (T,), or (B, T) for each row its own.

    Returns:
        (B, H, T, K).

    Example:
        >>> rotate(torch.tensor([1.0, 0.0]).expand(1, 1, 2, 2), torch.tensor([0, 1])).squeeze()
        tensor([[1.0000, 0.0000],
                [0.5403, 0.8415]])
    """
    half = x.shape[-1] // 2
    exact = torch.promote_types(x.dtype, torch.float32)  # smaller floats cannot count far
    exponents = torch.arange(half, dtype=exact, device=x.device) / max(1, half)
    angles = (positions.unsqueeze(-1) * 10000**-exponents).unsqueeze(-3)  # (1 or B, 1, T, K/2)
    cos, sin = angles.cos(), angles.sin()
    one, other, rest = x.split([half, half, x.shape[-1] - 2 * half], -1)
    return torch.cat([one * cos - other * sin, one * sin + other * cos, rest], -1).to(x.dtype)
