"""Parameters and gradients of either implementation as NumPy arrays under the names they share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np


def get_parameters(core: Any) -> dict[str, np.ndarray]:
    """Copy what `set_parameters` needs to make another core compute the same: name -> array.

    That is the parameters and, if it was drawn at random, the initial memory, which is kept with them and not
    trained. bfloat16, which NumPy does not have, becomes float32.

    Args:
        core: `RelationalMemory`, `RelationalMemoryCell` or `LSTM`, of `reference` or of `nn`.

    Example:
        >>> from relational_rnn.reference import RelationalMemory
        >>> get_parameters(RelationalMemory(input_size=3, mem_slots=2, head_size=4))["mlp.0.weight"].shape
        (4, 4)
    """
    if hasattr(core, "params"):
        return {name: value.copy() for name, value in _numpy_arrays(core).items()}
    return {name: _to_numpy(value) for name, value in core.state_dict().items()}


def get_gradients(core: Any) -> dict[str, np.ndarray]:
    """Copy the gradients of a NumPy or a torch core: name -> array; zeros where torch has none.

    Raises:
        RuntimeError: `backward` has not run.

    Example:
        >>> from relational_rnn.reference import LSTM
        >>> core = LSTM(input_size=2, hidden_size=3, seed=0)
        >>> outputs = core.forward(np.ones((1, 4, 2)))
        >>> _ = core.backward(np.ones_like(outputs))
        >>> get_gradients(core).keys() == core.params.keys()
        True
    """
    if hasattr(core, "params"):
        missing = [name for name in core.params if name not in core.grads]
        gradients = {name: value.copy() for name, value in core.grads.items()}
    else:
        import torch

        named = dict(core.named_parameters())
        missing = list(named) if all(value.grad is None for value in named.values()) else []
        gradients = {
            name: _to_numpy(torch.zeros_like(value) if value.grad is None else value.grad)
            for name, value in named.items()
        }
    if missing:
        raise RuntimeError(f"no gradients yet for {', '.join(missing)}: run backward first")
    return gradients


def set_parameters(core: Any, values: Mapping[str, Any]) -> None:
    """Put values into a NumPy or a torch core, cast to its dtype; all of them or, on an error, none.

    Args:
        core: as in `get_parameters`.
        values: name -> array or tensor, as from `get_parameters`.

    Raises:
        TypeError: values that are no real numbers.
        ValueError: a name is missing or unknown, or a shape differs.

    Example:
        >>> from relational_rnn.reference import RelationalMemory
        >>> one, other = (RelationalMemory(input_size=3, mem_slots=2, head_size=4, seed=s) for s in (0, 1))
        >>> set_parameters(one, get_parameters(other))
    """
    current = get_parameters(core)
    unknown, missing = sorted(set(values) - set(current)), sorted(set(current) - set(values))
    if unknown or missing:
        raise ValueError(f"parameters do not match: missing {missing}, unknown {unknown}")
    arrays = {name: _to_numpy(values[name]) for name in current}
    for name, array in arrays.items():
        if array.shape != current[name].shape:
            raise ValueError(f"{name} must have shape {current[name].shape}, got {array.shape}")
        if array.dtype.kind not in "fiu":
            raise TypeError(f"{name} must hold real numbers, got {array.dtype}")
    if hasattr(core, "params"):
        for name, array in _numpy_arrays(core).items():
            array[...] = arrays[name]
        return
    import torch

    tensors = {name: torch.from_numpy(array) for name, array in arrays.items()}
    with torch.no_grad():
        for name, tensor in core.state_dict().items():  # shares memory with the core
            tensor.copy_(tensors[name])


def _numpy_arrays(core: Any) -> dict[str, np.ndarray]:
    """Return the arrays themselves; an LSTM has no buffers."""
    return {**core.params, **getattr(core, "buffers", {})}


def _to_numpy(value: Any) -> np.ndarray:
    """Copy an array or a tensor, wherever it lies."""
    if hasattr(value, "detach"):
        import torch

        value = value.detach().cpu()
        value = (value.float() if value.dtype == torch.bfloat16 else value).numpy()
    return np.array(value)
