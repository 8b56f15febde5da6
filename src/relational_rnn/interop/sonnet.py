"""Weights and gradients under the names of the authors' own code (Sonnet 1.36, `snt.RelationalMemory`).

Their weights are (features in, features out), ours (out, in). The names follow from the order in which
Sonnet creates its modules: see `variable_names`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any

import numpy as np

from relational_rnn.config import RelationalMemoryConfig
from relational_rnn.interop.parameters import get_gradients, get_parameters, set_parameters

SCOPE = "relational_memory"
"""The authors' default module name, the first part of every variable's name."""

_AUTHORS_VARY = (
    *("input_size", "mem_slots", "head_size", "num_heads", "num_blocks", "key_size", "attention_mlp_layers"),
    *("gate_style", "forget_bias", "input_bias", "treat_input_as_matrix", "input_rows"),
)
"""What the authors' code can vary too; whatever else we have must be at its default, which is theirs."""


def variable_names(config: RelationalMemoryConfig, scope: str = SCOPE) -> dict[str, str]:
    """Map our parameters' names to the authors' variables' names.

    Source: Sonnet 1.36, `relational_memory.py`: block b uses `linear_{1+b}` and `layer_norm_{3b}` to
    `layer_norm_{3b+2}`; the gates are the two linear layers after the blocks'; the MLP is one copy.

    Args:
        config: the core; only options that the authors' code has.
        scope: the module name in the TensorFlow graph.

    Raises:
        ValueError: an option that the authors' code does not have.

    Example:
        >>> config = RelationalMemoryConfig(input_size=3, mem_slots=2, head_size=4)
        >>> variable_names(config)["gate_memory.weight"]
        'relational_memory/linear_3/w'
    """
    for field in fields(config):
        own = getattr(config, field.name)
        if field.name not in _AUTHORS_VARY and own != field.default:
            raise ValueError(
                f"the authors' code has only {field.name}={field.default!r}, this core has {own!r}"
            )

    def numbered(kind: str, number: int) -> str:
        return f"{scope}/{kind}" if number == 0 else f"{scope}/{kind}_{number}"

    layers = {"input_projection": numbered("linear", 0)}
    norms: dict[str, str] = {}
    for block in range(config.num_blocks):
        layers[f"blocks.{block}.qkv"] = numbered("linear", 1 + block)
        for offset, name in enumerate(("qkv_norm", "attention_norm", "mlp_norm")):
            norms[f"blocks.{block}.{name}"] = numbered("layer_norm", 3 * block + offset)
    for layer in range(config.attention_mlp_layers):
        layers[f"mlp.{layer}"] = f"{scope}/mlp/linear_{layer}"
    if config.gate_width:
        layers["gate_input"] = numbered("linear", 1 + config.num_blocks)
        layers["gate_memory"] = numbered("linear", 2 + config.num_blocks)
    names = {f"{ours}.{a}": f"{theirs}/{b}" for ours, theirs in layers.items() for a, b in _LINEAR}
    names |= {f"{ours}.{a}": f"{theirs}/{b}" for ours, theirs in norms.items() for a, b in _NORM}
    return names


_LINEAR = (("weight", "w"), ("bias", "b"))
_NORM = (("weight", "gamma"), ("bias", "beta"))


def load_variables(core: Any, variables: Mapping[str, Any], scope: str = SCOPE) -> None:
    """Put the authors' variables into a core, NumPy or torch, cell or sequence.

    Args:
        core: the core; all variables are loaded or, on an error, none.
        variables: TensorFlow variable name (without ":0") -> array.
        scope: the module name in the TensorFlow graph.

    Raises:
        TypeError: `core` is no relational memory.
        ValueError: a variable is missing or unknown, a shape differs, or the core has an option that the
            authors' code does not have.

    Example:
        >>> from relational_rnn.reference import RelationalMemory
        >>> one, other = (RelationalMemory(input_size=3, mem_slots=2, head_size=4, seed=s) for s in (0, 1))
        >>> load_variables(one, export_variables(other))
    """
    names = variable_names(_config(core), scope)
    unknown, missing = (
        sorted(set(variables) - set(names.values())),
        sorted(set(names.values()) - set(variables)),
    )
    if unknown or missing:
        raise ValueError(f"variables do not match the core: missing {missing}, unknown {unknown}")
    arrays = {ours: np.asarray(variables[theirs]) for ours, theirs in names.items()}
    shapes = {ours: value.T.shape for ours, value in get_parameters(core).items()}
    for ours, theirs in names.items():
        if arrays[ours].shape != shapes[ours]:
            raise ValueError(f"{theirs} must have shape {shapes[ours]}, got {arrays[ours].shape}")
    set_parameters(core, {ours: array.T for ours, array in arrays.items()})


def export_variables(core: Any, scope: str = SCOPE) -> dict[str, np.ndarray]:
    """Copy a core's parameters as the authors' variables: TensorFlow name -> array.

    Raises:
        TypeError: `core` is no relational memory.
        ValueError: the core has an option that the authors' code does not have.

    Example:
        >>> from relational_rnn.reference import RelationalMemory
        >>> core = RelationalMemory(input_size=3, mem_slots=2, head_size=4)
        >>> export_variables(core)["relational_memory/linear/w"].shape  # theirs: features in, features out
        (3, 4)
    """
    return _renamed(core, get_parameters, scope)


def export_gradients(core: Any, scope: str = SCOPE) -> dict[str, np.ndarray]:
    """Copy a core's gradients under the authors' variables' names.

    Raises:
        RuntimeError: `backward` has not run.
        TypeError: `core` is no relational memory.
        ValueError: the core has an option that the authors' code does not have.

    Example:
        >>> from relational_rnn.reference import RelationalMemory
        >>> core = RelationalMemory(input_size=3, mem_slots=2, head_size=4)
        >>> outputs, _ = core.forward(np.ones((1, 5, 3)))
        >>> _ = core.backward(np.ones_like(outputs))
        >>> export_gradients(core)["relational_memory/linear/w"].shape
        (3, 4)
    """
    return _renamed(core, get_gradients, scope)


def _renamed(core: Any, get: Callable[[Any], Mapping[str, np.ndarray]], scope: str) -> dict[str, np.ndarray]:
    names = variable_names(_config(core), scope)
    values = get(core)
    return {theirs: np.ascontiguousarray(values[ours].T) for ours, theirs in names.items()}


def _config(core: Any) -> RelationalMemoryConfig:
    config = getattr(core, "config", None)
    if not isinstance(config, RelationalMemoryConfig):
        came = f"{type(core).__module__}.{type(core).__qualname__}"
        raise TypeError(f"core must be a RelationalMemory or a RelationalMemoryCell, got {came}")
    return config
