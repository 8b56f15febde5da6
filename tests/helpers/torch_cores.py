"""Torch cores in which every parameter counts, and small tools for the tests of the modules."""

import pytest
import torch

from relational_rnn.nn import RelationalMemory

# B 3, T 9, F 11, N 5, V 4, H 2, D 8, M 6 (7 with two input rows).
SIZES = dict(input_size=11, mem_slots=5, head_size=4, num_heads=2)
BATCH, TIME = 3, 9

CONFIGURATIONS = {
    "the paper's": {},
    "memory gates, two blocks": dict(gate_style="memory", num_blocks=2, key_size=1),
    "no gates": dict(gate_style="none"),
    "matrix input, two blocks": dict(treat_input_as_matrix=True, input_rows=2, num_blocks=2),
    "tile, trainable memory": dict(input_fusion="tile", initial_memory="trainable"),
    "tile, matrix input, two blocks": dict(
        input_fusion="tile", treat_input_as_matrix=True, input_rows=2, num_blocks=2, gate_style="memory"
    ),
    "random memory, attention read": dict(initial_memory="random", read_head="attention"),
    "random memory, the input asks": dict(initial_memory="random", read_head="query"),
    "weighted read, no residual": dict(read_head="weighted", use_residual=False),
    "mean read, no attention": dict(read_head="mean", use_attention=False, num_blocks=2),
    "no MLP, no layer norm": dict(use_mlp=False, use_layer_norm=False),
}
PLAIN = ("the paper's", "matrix input, two blocks", "tile, trainable memory", "random memory, the input asks")
some_configurations = pytest.mark.parametrize(
    "options",
    [
        pytest.param(options, id=name, marks=() if name in PLAIN else pytest.mark.slow)
        for name, options in CONFIGURATIONS.items()
    ],
)
"""All of them; those that are not plain are slow tests."""


def make_core(kind=RelationalMemory, seed=0, dtype=torch.float64, **options):
    """A core (float64) whose biases, gains and read weights are far from their initial values."""
    generator = torch.Generator().manual_seed(seed)
    core = kind(**{**SIZES, **options}, dtype=dtype, generator=generator)
    with torch.no_grad():
        for parameter in core.parameters():
            noise = torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
            parameter += 0.3 * noise.to(dtype)
    return core


def make_inputs(core, *leading, seed=1, dtype=torch.float64):
    """Inputs with these leading axes."""
    generator = torch.Generator().manual_seed(seed)
    shape = (*leading, *core.config.input_sizes.values())
    return torch.randn(shape, generator=generator, dtype=torch.float64).to(dtype)


def make_memory(core, batch, seed=2):
    """A memory (B, N, D) unlike the initial one."""
    start = core.initial_state(batch).detach()
    noise = torch.randn(start.shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return start + 0.5 * noise.to(start.dtype)


def gradients(loss, tensors):
    """The gradients of a scalar, zeros where it does not depend on the tensor."""
    found = torch.autograd.grad(loss, tensors, allow_unused=True)
    return [torch.zeros_like(x) if g is None else g for x, g in zip(tensors, found, strict=True)]


def weigh(tensor, seed=3):
    """A loss that treats every element differently: the sum with fixed random weights."""
    generator = torch.Generator().manual_seed(seed)
    return (tensor * torch.randn(tensor.shape, generator=generator, dtype=tensor.dtype)).sum()
