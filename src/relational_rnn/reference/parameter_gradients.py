"""Gradients of parameters that are used at every step: many small products made into few large ones."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

import numpy as np

from relational_rnn.reference.arrays import Array
from relational_rnn.reference.linear import linear_backward_parameters

ROWS_AT_ONCE = 1024
"""Rows that make a product large enough; gathering more would only cost memory."""


class ParameterGradients:
    """Adds up the gradients of weights and biases over time.

    A weight that is used at every step has the gradient `Σ_t dy_tᵀ x_t`, which is one product over time and
    batch. Nothing in the backward pass waits for it, so the factors are kept until they are many rows.

    Args:
        params: arrays by name, "X.weight" and "X.bias" for each linear layer X; others by any name.

    Example:
        >>> gradients = ParameterGradients({"a.weight": np.ones((1, 2)), "a.bias": np.ones(1)})
        >>> for step in range(3):
        ...     gradients.add("a", d_y=np.ones((5, 1)), x=np.ones((5, 2)))
        >>> gradients.total()["a.weight"].tolist()
        [[15.0, 15.0]]
    """

    def __init__(self, params: Mapping[str, Array]) -> None:
        self._totals = {name: np.zeros(value.shape, value.dtype) for name, value in params.items()}
        self._factors: dict[str, list[tuple[Array, Array]]] = defaultdict(list)
        self._rows: dict[str, int] = defaultdict(int)

    def add(self, layer: str, d_y: Array, x: Array) -> None:
        """Note one use of a linear layer.

        Args:
            layer: its name, without ".weight".
            d_y: gradient of its output (..., outputs). The caller must not change it afterwards.
            x: its input (..., inputs). Same.
        """
        d_y = d_y.reshape(-1, d_y.shape[-1])
        self._factors[layer].append((d_y, x.reshape(-1, x.shape[-1])))
        self._rows[layer] += len(d_y)
        if self._rows[layer] >= ROWS_AT_ONCE:
            self._multiply(layer)

    def add_direct(self, name: str, gradient: Array) -> None:
        """Add to the gradient of the parameter `name` itself."""
        self._totals[name] += gradient

    def total(self) -> dict[str, Array]:
        """Return the sums so far by parameter name; 0 for what was not used."""
        for layer in list(self._factors):
            self._multiply(layer)
        return self._totals

    def _multiply(self, layer: str) -> None:
        factors = self._factors.pop(layer)
        self._rows[layer] = 0
        d_y, x = factors[0] if len(factors) == 1 else map(np.concatenate, zip(*factors, strict=True))
        d_weight, d_bias = linear_backward_parameters(d_y, x)
        self._totals[f"{layer}.weight"] += d_weight
        if f"{layer}.bias" in self._totals:
            self._totals[f"{layer}.bias"] += d_bias
