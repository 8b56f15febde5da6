"""The parameters' gradients: factors noted step by step, multiplied once for many steps, added up."""

from __future__ import annotations

from collections import defaultdict

import torch
from torch import Tensor

from relational_rnn.kernels.fused import rows as rowwise
from relational_rnn.kernels.fused.core import Core
from relational_rnn.kernels.fused.rows import Normed
from relational_rnn.kernels.products import weight_gradient


class Totals:
    """Adds up the parameters' gradients that are asked for."""

    def __init__(self, needed: frozenset[str], compute_dtype: torch.dtype | None) -> None:
        self.needed, self.compute_dtype = needed, compute_dtype
        self.found: dict[str, Tensor] = {}

    def add(self, name: str, gradient: Tensor) -> None:
        """Add to one gradient."""
        if name in self.found:
            self.found[name] += gradient
        else:
            self.found[name] = gradient

    def linear(self, name: str, d_y: Tensor, x: Tensor) -> None:
        """Add what one use of a linear layer contributes: d_y (..., outputs) and x (..., inputs)."""
        d_y = d_y.reshape(-1, d_y.shape[-1])
        if f"{name}.weight" in self.needed:
            gradient = weight_gradient(d_y, x.reshape(-1, x.shape[-1]), self.compute_dtype)
            self.add(f"{name}.weight", gradient)
        if f"{name}.bias" in self.needed:
            self.add(f"{name}.bias", d_y.sum(0))

    def norm(self, core: Core, name: str, d_y: Tensor, x: Tensor, norm: Normed) -> None:
        """Add what one use of a norm contributes: d_y and x (..., features)."""
        weight, bias = core.norm_parameters(name)
        if weight is None or bias is None or self.needed.isdisjoint((f"{name}.weight", f"{name}.bias")):
            return
        d_weight, d_bias = rowwise.norm_parameter_gradients(d_y, x, norm, weight, bias)
        self.add(f"{name}.weight", d_weight)
        self.add(f"{name}.bias", d_bias)


class Factors:
    """Gradients of the layers' outputs, step by step, for the products over a whole chunk."""

    def __init__(self) -> None:
        self._parts: dict[str, list[Tensor]] = defaultdict(list)

    def add(self, name: str, part: Tensor) -> None:
        """Note one step's; the steps come in falling order."""
        self._parts[name].append(part)

    def take(self, name: str) -> Tensor:
        """Return all steps' in rising order."""
        parts = self._parts[name]
        return parts[0] if len(parts) == 1 else torch.cat(parts[::-1])
