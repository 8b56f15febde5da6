"""Weights between the NumPy LSTM and torch's.

Both order the gates i, f, g, o and keep two biases, so only the names differ: torch adds the layer's number.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from relational_rnn.interop.parameters import get_parameters, set_parameters
from relational_rnn.reference import LSTM, LSTMCell

if TYPE_CHECKING:
    from torch import Tensor

_NAMES = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")


def load_torch_lstm(lstm: LSTM | LSTMCell, module: Any) -> None:
    """Put the weights of torch's LSTM into a NumPy LSTM, cast to its dtype.

    Args:
        lstm: `reference.LSTM` or `reference.LSTMCell`; an output layer stays as it is.
        module: `torch.nn.LSTM` or `nn.LSTM` with one layer and one direction, with biases and without a
            projection. All weights are loaded or, on an error, none.

    Raises:
        TypeError: `module` is no LSTM.
        ValueError: an LSTM of another kind or of another size.

    Example:
        >>> import torch
        >>> lstm = LSTM(input_size=5, hidden_size=4)
        >>> load_torch_lstm(lstm, torch.nn.LSTM(5, 4))
    """
    import torch

    from relational_rnn import nn

    inner = module.lstm if isinstance(module, nn.LSTM) else module
    if not isinstance(inner, torch.nn.LSTM):
        raise TypeError(
            f"module must be torch.nn.LSTM or relational_rnn.nn.LSTM, got {type(module).__name__}"
        )
    wanted = {"num_layers": 1, "bidirectional": False, "bias": True, "proj_size": 0}
    for option, value in wanted.items():
        if getattr(inner, option) != value:
            raise ValueError(f"module must have {option}={value}, got {getattr(inner, option)}")
    theirs = inner.state_dict()
    set_parameters(lstm, get_parameters(lstm) | {name: theirs[f"{name}_l0"] for name in _NAMES})


def export_torch_lstm(lstm: LSTM | LSTMCell) -> dict[str, Tensor]:
    """Copy a NumPy LSTM's weights as the state dict of `torch.nn.LSTM`; an output layer is left out.

    Args:
        lstm: `reference.LSTM` or `reference.LSTMCell`.

    Returns:
        Tensors of the LSTM's dtype, for `torch.nn.LSTM(...).load_state_dict`; for `nn.LSTM`, load them into
        its attribute `lstm`.

    Example:
        >>> import torch
        >>> module = torch.nn.LSTM(5, 4)
        >>> module.load_state_dict(export_torch_lstm(LSTM(input_size=5, hidden_size=4)))
        <All keys matched successfully>
    """
    import torch

    ours = get_parameters(lstm)
    return {f"{name}_l0": torch.from_numpy(ours[name]) for name in _NAMES}
