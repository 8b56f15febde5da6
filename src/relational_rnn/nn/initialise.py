"""The authors' initial values, in place."""

from __future__ import annotations

from collections.abc import Iterable

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
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)


@torch.no_grad()
def initialise_gates_(parameters: Iterable[Tensor], generator: torch.Generator | None = None) -> None:
    """Draw Xavier weights for the input and orthogonal ones for h, each gate by itself, and set the biases.

    Biases are 0, but 1 for the second gate, which keeps what was (LSTM: i, f, g, o; GRU: r, z, n): it starts
    open.
    Source: Glorot and Bengio 2010, equation 16; Saxe et al. 2014; Jozefowicz et al. 2015.

    Args:
        parameters: of a `torch.nn.LSTMCell` or `torch.nn.GRUCell`, or of a layer of the sequence forms:
            weight_ih (G hidden, F), weight_hh (G hidden, hidden), bias_ih, bias_hh (G hidden,), G gates.
        generator: where the values are drawn from; None means torch's own.
    """
    weight_ih, weight_hh, bias_ih, bias_hh = parameters
    hidden = weight_hh.shape[1]
    for weight, draw in ((weight_ih, nn.init.xavier_uniform_), (weight_hh, nn.init.orthogonal_)):
        for gate in weight.split(hidden):
            # At least float32: torch has no orthogonal matrices of smaller floats.
            drawn = torch.empty_like(gate, dtype=torch.promote_types(gate.dtype, torch.float32))
            gate.copy_(draw(drawn, generator=generator))
    nn.init.zeros_(bias_hh)
    nn.init.zeros_(bias_ih)
    bias_ih[hidden : 2 * hidden] = 1.0


@torch.no_grad()
def start_as_torch_(module: nn.Module, generator: torch.Generator | None = None) -> None:
    """Draw all linear and recurrent layers as torch does: uniform, biases too.

    Within 1/sqrt(fan_in) for `torch.nn.Linear`, within 1/sqrt(hidden_size) for LSTM and GRU. This is not how
    an RMC should start: its weights have 0.58 / 0.88 of the authors' deviation.
    """
    for layer in module.modules():
        if isinstance(layer, nn.Linear):
            bound = layer.in_features**-0.5
        elif isinstance(layer, nn.RNNBase | nn.RNNCellBase):
            bound = layer.hidden_size**-0.5
        else:
            continue
        for parameter in layer.parameters():
            parameter.uniform_(-bound, bound, generator=generator)
