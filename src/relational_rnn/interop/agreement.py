"""A torch core of any backend held against the NumPy core, whose every gradient is written by hand."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np

from relational_rnn.config.checks import check_size
from relational_rnn.interop.parameters import get_parameters, set_parameters
from relational_rnn.reference import RelationalMemory
from relational_rnn.reference.gradient_check import GradientCheck, compare

if TYPE_CHECKING:
    from relational_rnn import nn

ALLOWED = {"float64": 1e-10, "float32": 3e-5}
"""Largest difference at small sizes by the core's dtype, as a share of max(1, largest)."""

ALLOWED_LARGE = {"float64": 1e-9, "float32": 2e-2, "bfloat16": 0.1}
"""The same at sizes worth timing, by the dtype of the core's products: in smaller floats rounding decides for
some entries on which side of the ReLU's kink they lie, and such a flip moves a gradient by more than rounding
itself. What bfloat16 adds to single gradients averages out over a batch."""


def check_agreement(
    core: nn.RelationalMemory,
    *,
    batch: int,
    steps: int,
    allowed: float,
    dtype: str = "float64",
    seed: int = 0,
) -> list[GradientCheck]:
    """Compare a torch core with the NumPy core: outputs, last memory and every gradient.

    The loss is the sum of the outputs and of the last memory, each number times a random weight; it begins at
    a memory unlike the initial one.

    Args:
        core: of any backend and dtype, on the CPU.
        batch: B, sequences.
        steps: T, steps of a sequence.
        allowed: largest difference that passes, as a share of max(1, largest entry of the array).
        dtype: of the NumPy core.
        seed: of inputs, memory and weights.

    Returns:
        One check an array; those of outputs and memory are named "outputs" and "memory", gradients "d ...".

    Raises:
        TypeError: a size is no integer.
        ValueError: a size is below 1.

    Example:
        >>> from relational_rnn import nn
        >>> core = nn.RelationalMemory(input_size=3, mem_slots=2, head_size=4, dtype=torch.float64)
        >>> all(check.passed for check in check_agreement(core, batch=2, steps=5, allowed=1e-10))
        True
    """
    import torch

    check_size("batch", batch)
    check_size("steps", steps)
    twin = RelationalMemory(**dataclasses.asdict(core.config), dtype=dtype)
    set_parameters(twin, get_parameters(core))
    rng = np.random.default_rng(seed)
    like = next(core.parameters())

    def draw(*shape: int) -> tuple[np.ndarray, torch.Tensor]:
        tensor = torch.from_numpy(rng.standard_normal(shape)).to(like.dtype)  # rounded alike for both
        return tensor.double().numpy(), tensor

    inputs, x = draw(batch, steps, *core.config.input_sizes.values())
    start, memory = draw(batch, core.config.mem_slots, core.config.memory_width)
    weights, w = draw(batch, steps, core.output_size)
    weights_last, w_last = draw(*start.shape)

    outputs, last = twin.forward(inputs, start)
    d_inputs, d_memory = twin.backward(weights, weights_last)
    expected = {"outputs": outputs, "memory": last, "d inputs": d_inputs, "d memory": d_memory}
    expected |= {f"d {name}": value for name, value in twin.grads.items() if name != "initial_memory"}

    named = {name: value for name, value in core.named_parameters() if name != "initial_memory"}
    leaves = [x.requires_grad_(), memory.requires_grad_(), *named.values()]
    y, z = core(x if core.batch_first else x.transpose(0, 1), memory)
    y = y if core.batch_first else y.transpose(0, 1)
    gradients = torch.autograd.grad((y * w).sum() + (z * w_last).sum(), leaves)
    found = dict(zip(("outputs", "memory", "d inputs", "d memory"), (y, z, *gradients[:2])))
    found |= {f"d {name}": gradient for name, gradient in zip(named, gradients[2:])}
    return [
        compare(name, value, found[name].detach().double().numpy() - value, allowed)
        for name, value in expected.items()
    ]
