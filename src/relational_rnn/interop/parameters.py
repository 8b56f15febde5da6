"""Parameters and gradients of either implementation as NumPy arrays under the names they share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np


def get_parameters(core: Any) -> dict[str, np.ndarray]:
    """Copy the parameters of a NumPy or a torch core: name -> array.

    Example:
        >>> from relational_rnn.reference import RelationalMemory
        >>> get_parameters(RelationalMemory(input_size=3, mem_slots=2, head_size=4))["mlp.0.weight"].shape
        (4, 4)
    """
    if hasattr(core, "params"):
        return {name: value.copy() for name, value in core.params.items()}
    return {name: value.detach().cpu().numpy().copy() for name, value in core.named_parameters()}


def get_gradients(core: Any) -> dict[str, np.ndarray]:
    """Copy the gradients of a NumPy or a torch core: name -> array; zeros where torch has none.

    Raises:
        RuntimeError: `backward` has not run.
    """
    if hasattr(core, "params"):
        missing = [name for name in core.params if name not in core.grads]
        gradients = {name: value.copy() for name, value in core.grads.items()}
    else:
        named = dict(core.named_parameters())
        missing = list(named) if all(value.grad is None for value in named.values()) else []
        gradients = {
            name: np.zeros(tuple(value.shape), value.detach().cpu().numpy().dtype)
            if value.grad is None
            else value.grad.detach().cpu().numpy().copy()
            for name, value in named.items()
        }
    if missing:
        raise RuntimeError(f"no gradients yet for {', '.join(missing)}: run backward first")
    return gradients


def set_parameters(core: Any, values: Mapping[str, Any]) -> None:
    """Put values into a NumPy or a torch core, cast to its dtype; all of them or, on an error, none.

    Raises:
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
    arrays = {name: np.asarray(values[name]) for name in current}
    for name, array in arrays.items():
        if array.shape != current[name].shape:
            raise ValueError(f"{name} must have shape {current[name].shape}, got {array.shape}")
    if hasattr(core, "params"):
        for name, array in arrays.items():
            core.params[name][...] = array
        return
    import torch

    with torch.no_grad():
        for name, parameter in core.named_parameters():
            parameter.copy_(torch.from_numpy(np.array(arrays[name])))  # np.array: writable and contiguous
