"""Matrix products through the fastest route of the machine that is as exact as torch's own.

Where a processor has AVX-512, oneDNN multiplies large float32 matrices faster than what `torch.mm` calls, up
to twice as fast. Which products take it is a rule, of their sizes and the instruction set, so that the same
command gives the same bits every time. The rule was measured once: docs/performance.md, "Matrix products".
Nothing that the user can set is changed: not the number of threads, not the precision of products.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Final

import torch
import torch.nn.functional as F
from torch import Tensor

INSTRUCTIONS: Final = "AVX512"
"""Where oneDNN is taken; with AVX2 it is no faster than torch's own products."""

LARGE: Final = 1 << 23
"""Multiplications from which on a linear layer takes oneDNN: its calls take longer."""

LARGE_GRADIENT: Final = 1 << 25
"""The same for the gradient of a weight, whose factors oneDNN has to turn round first."""


def linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Apply a linear layer to the last axis: `y = x Wᵀ + b`; not differentiable.

    A weight of another dtype than x says which dtype the product is computed in; y has x's.

    Example:
        >>> linear(torch.ones(1, 2), torch.eye(2), torch.ones(2)).tolist()
        [[2.0, 2.0]]
    """
    if weight.dtype != x.dtype:
        y = F.linear(x.to(weight.dtype), weight).to(x.dtype)
        return y if bias is None else y.add_(bias)
    if x.numel() * len(weight) >= LARGE and _suits(x):
        return onednn_linear(x, weight, bias)
    return F.linear(x, weight, bias)


def with_weights_in(dtype: torch.dtype | None, parameters: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
    """Return the parameters with the weights of linear layers in `dtype`, for `linear`; None changes nothing.

    Example:
        >>> parameters = {"a.weight": torch.ones(2, 3), "a.bias": torch.ones(2), "norm.weight": torch.ones(2)}
        >>> [x.dtype for x in with_weights_in(torch.bfloat16, parameters).values()]
        [torch.bfloat16, torch.float32, torch.float32]
    """
    if dtype is None:
        return parameters
    return {
        name: x.to(dtype) if name.endswith(".weight") and x.ndim == 2 else x for name, x in parameters.items()
    }


def weight_gradient(d_y: Tensor, x: Tensor, compute_dtype: torch.dtype | None = None) -> Tensor:
    """Return `d_yᵀ x`, summed over all rows: (rows, outputs), (rows, inputs) -> (outputs, inputs).

    `compute_dtype` is that of the product if it is another than x's.

    Example:
        >>> weight_gradient(torch.ones(3, 1), torch.ones(3, 2)).tolist()
        [[3.0, 3.0]]
    """
    if compute_dtype not in (None, x.dtype):
        return (d_y.to(compute_dtype).t() @ x.to(compute_dtype)).to(x.dtype)
    if d_y.numel() * x.shape[1] >= LARGE_GRADIENT and _suits(x):
        # The route copies its first argument when that is transposed: the smaller one here.
        if x.shape[1] <= d_y.shape[1]:
            return onednn_linear(x.t(), d_y.t(), None).t()
        return onednn_linear(d_y.t(), x.t(), None)
    return d_y.t() @ x


def _suits(x: Tensor) -> bool:
    single = x.dtype == torch.float32 and x.device.type == "cpu"
    return single and bool(torch.backends.mkldnn.enabled) and onednn_suits()


def onednn_linear(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """Compute `x Wᵀ + b` in float32 by oneDNN, for x (..., inputs)."""
    if not (weight.is_contiguous() or weight.t().is_contiguous()):
        weight = weight.contiguous()  # oneDNN takes part of a matrix a hundred times slower
    return torch.ops.mkldnn._linear_pointwise(x, weight, bias, "none", [], "")  # type: ignore[no-any-return]


@functools.cache
def onednn_suits() -> bool:
    """Say whether the processor has the instructions, and oneDNN products that are as accurate as torch's."""
    if torch.backends.cpu.get_cpu_capability() != INSTRUCTIONS:
        return False
    if not hasattr(torch.ops.mkldnn, "_linear_pointwise") or not torch.backends.mkldnn.is_available():
        return False
    x = torch.linspace(0, 5e4, 256 * 256, dtype=torch.float64, device="cpu").sin().view(256, 256)
    single, exact = x.float(), x.float().double() @ x.float().double().t()
    try:
        errors = [(f(single, single, None) - exact).abs().max().item() for f in (onednn_linear, F.linear)]
    except RuntimeError:  # not built for this processor
        return False
    # Its sums may be ordered less luckily; bfloat16 or TF32 inside would be off by hundreds of times.
    return errors[0] <= 8 * errors[1]
