"""The gradients of a NumPy model once more, by PyTorch's automatic differentiation."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np

from relational_rnn.interop.lstm import export_torch_lstm
from relational_rnn.interop.parameters import get_parameters, set_parameters
from relational_rnn.reference import (
    LSTM,
    LSTMCell,
    MultiHeadAttention,
    RelationalMemory,
    RelationalMemoryCell,
)
from relational_rnn.reference.gradient_check import SAME_TOLERANCE, GradientCheck, compare
from relational_rnn.reference.gradient_problem import (
    Problem,
    analytic_gradients,
    draw_problem,
    from_own_start,
)

if TYPE_CHECKING:
    from torch import Tensor

TorchTwin = RelationalMemory | RelationalMemoryCell | LSTM | LSTMCell | MultiHeadAttention
"""The models that torch, or `nn`, has too."""


def check_against_torch(
    model: TorchTwin, inputs: Any, state: Any = None, *, seed: int = 0
) -> list[GradientCheck]:
    """Compare every gradient of a model with torch's.

    Args:
        model, inputs, state, seed: as in `reference.gradient_check.check_gradients`.

    Raises:
        TypeError: a model that torch does not have, or one in float32.
        ValueError: what the model's `forward` says of its inputs.

    Example:
        >>> all(check.passed for check in check_against_torch(LSTM(3, 4), np.ones((2, 5, 3))))
        True
    """
    problem = draw_problem(model, inputs, state, seed)
    ours, theirs = analytic_gradients(model, problem), torch_gradients(model, problem)
    if "initial_memory" in model.params:  # it has no part in a run from a given state
        own_start = from_own_start(problem)
        for gradients, again in (
            (ours, analytic_gradients(model, own_start)),
            (theirs, torch_gradients(model, own_start)),
        ):
            gradients["initial_memory"] = again["initial_memory"]
    return [compare(name, ours[name], theirs[name] - ours[name], SAME_TOLERANCE) for name in ours]


def torch_gradients(model: Any, problem: Problem) -> dict[str, np.ndarray]:
    """Return the gradients of a problem's loss, computed by torch with the model's parameters.

    Args:
        model: one of `TorchTwin`, in float64.
        problem: as `reference.gradient_problem.draw_problem` draws it.

    Returns:
        Name -> gradient, of what goes in and of the parameters; zeros for what plays no part.

    Raises:
        TypeError: a model that torch does not have.

    Example:
        >>> from relational_rnn.reference.gradient_problem import analytic_gradients, draw_problem
        >>> model = LSTM(input_size=3, hidden_size=4)
        >>> problem = draw_problem(model, np.ones((2, 5, 3)))
        >>> ours, theirs = analytic_gradients(model, problem), torch_gradients(model, problem)
        >>> bool(np.allclose(ours["weight_hh"], theirs["weight_hh"]))
        True
    """
    import torch

    arrays = {name: torch.tensor(value, requires_grad=True) for name, value in problem.arrays.items()}
    if isinstance(model, RelationalMemory | RelationalMemoryCell):
        results, parameters = _relational_memory(model, list(arrays.values()))
    elif isinstance(model, LSTM | LSTMCell):
        results, parameters = _lstm(model, list(arrays.values()))
    elif isinstance(model, MultiHeadAttention):
        results, parameters = _attention(model, *arrays.values())
    else:
        allowed = ", ".join(kind.__name__ for kind in TorchTwin.__args__)
        raise TypeError(f"model must be one of {allowed}; got {type(model).__name__}")
    pairs = zip(problem.weights, results, strict=True)
    loss = torch.stack([(torch.from_numpy(weight) * result).sum() for weight, result in pairs]).sum()
    leaves = arrays | parameters
    gradients = torch.autograd.grad(loss, list(leaves.values()), materialize_grads=True, allow_unused=True)
    return {name: gradient.numpy() for name, gradient in zip(leaves, gradients, strict=True)}


def _relational_memory(
    model: RelationalMemory | RelationalMemoryCell, arrays: list[Tensor]
) -> tuple[list[Tensor], dict[str, Tensor]]:
    import torch

    from relational_rnn import nn

    options = dataclasses.asdict(model.config)
    module: nn.RelationalMemory | nn.RelationalMemoryCell
    if isinstance(model, RelationalMemory):
        module = nn.RelationalMemory(**options, batch_first=True, dtype=torch.float64)
    else:
        module = nn.RelationalMemoryCell(**options, dtype=torch.float64)
    set_parameters(module, get_parameters(model))
    return list(module(*arrays)), dict(module.named_parameters())


def _lstm(model: LSTM | LSTMCell, arrays: list[Tensor]) -> tuple[list[Tensor], dict[str, Tensor]]:
    import torch

    module = torch.nn.LSTM(model.input_size, model.hidden_size, batch_first=True, dtype=torch.float64)
    module.load_state_dict(export_torch_lstm(model))
    parameters: dict[str, Tensor] = {
        name.removesuffix("_l0"): value for name, value in module.named_parameters()
    }
    x, *state = arrays
    x = x if isinstance(model, LSTM) else x[:, None]
    outputs, (h, c) = module(x, tuple(part[None] for part in state) or None)
    if isinstance(model, LSTMCell):
        return [h[0], c[0]], parameters
    layer = {
        name: torch.tensor(value, requires_grad=True)
        for name, value in model.params.items()
        if name.startswith("output.")
    }
    if layer:
        outputs = torch.nn.functional.linear(outputs, layer["output.weight"], layer["output.bias"])
    return [outputs, h[0], c[0]], parameters | layer


def _attention(
    model: MultiHeadAttention, Q: Tensor, K: Tensor, V: Tensor
) -> tuple[list[Tensor], dict[str, Tensor]]:
    import torch
    from torch.nn.functional import linear, scaled_dot_product_attention

    p = {name: torch.tensor(value, requires_grad=True) for name, value in model.params.items()}
    heads = [
        linear(x, p[f"W_{name}"], p[f"b_{name}"]).unflatten(2, (model.num_heads, -1)).transpose(1, 2)
        for name, x in zip("qkv", (Q, K, V), strict=True)
    ]
    attended = scaled_dot_product_attention(*heads).transpose(1, 2).flatten(2)  # (B, Lq, D)
    return [linear(attended, p["W_o"], p["b_o"])], p
