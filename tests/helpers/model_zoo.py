"""Every core that has a name, small, with weights that all count, and small tools for what it keeps."""

import pytest
import torch

from relational_rnn.training import models as registry
from relational_rnn.training.models import find_model

F, B, T = 5, 4, 7

MODELS = {
    "rmc": ("rmc", 3, dict(mem_slots=2, num_heads=2)),
    "rmc, trainable memory": ("rmc", 3, dict(mem_slots=2, initial_memory="trainable", read_head="mean")),
    "hybrid": ("hybrid", 6, dict(num_slots=3, slot_size=8, num_heads=2)),
    "hybrid, one size": ("hybrid", 6, dict(num_slots=3, slot_size=6, num_heads=3, output_size=9)),
    "hybrid, attend": ("hybrid", 6, dict(num_slots=3, slot_size=8, num_heads=2, slot_update="attend")),
    "lstm": ("lstm", 6, dict(num_layers=2)),
    "gru": ("gru", 6, dict(num_layers=2, initialisation="orthogonal")),
    "transformer": ("transformer", 3, dict(num_heads=2)),
    "transformer, three layers": ("transformer", 9, dict(num_heads=1, num_layers=3, mlp_size=10)),
    "transformer, learned": ("transformer", 3, dict(num_heads=2, positions="learned", learned_positions=4)),
    "transformer, rotary": ("transformer", 5, dict(num_heads=1, positions="rotary")),
    "dnc": ("dnc", 6, dict(mem_slots=3, word_size=8, read_heads=2, output_size=9)),
    "deltanet": ("deltanet", 6, dict(num_heads=2)),
    "deltanet, negative": (
        "deltanet-negative",
        6,
        dict(num_heads=1, num_layers=1, head_size=4, value_size=5, mlp_size=7, negative_eigenvalues=True),
    ),
    "slstm": ("slstm", 3, dict(num_heads=2)),
    "slstm, two layers": ("slstm", 5, dict(num_heads=1, num_layers=2)),
    "dnc, two layers": ("dnc", 6, dict(mem_slots=8, word_size=3, read_heads=1, num_layers=2)),
}
"""What it is -> the core's name, its size, and its other arguments, but for the input size."""

PLAIN = ["rmc", "hybrid", "hybrid, one size", "lstm", "gru", "transformer", "dnc", "deltanet", "slstm"]
for _name in registry.MODELS.keys() - {name for name, _, _ in MODELS.values()}:
    MODELS[_name] = (_name, 6, {})  # a new core is tested by being in the registry
    PLAIN.append(_name)
every_model = pytest.mark.parametrize(
    "label", [pytest.param(label, marks=() if label in PLAIN else pytest.mark.slow) for label in MODELS]
)
"""The others differ in options, and are slow tests."""


def generator(seed):
    return torch.Generator().manual_seed(seed)


def build(name, size, **options):
    """A core of the registry: `size` is what widens it."""
    spec = find_model(name)
    # Time first, whatever the core's own way is.
    return spec.core("torch")(F, **{spec.size: size, "batch_first": False, **options})


def plain_model(label, **options):
    """A core as it is built (float64)."""
    name, size, sizes = MODELS[label]
    return build(name, size, **{"dtype": torch.float64, "generator": generator(0), **sizes, **options})


def make_model(label, **options):
    """A core whose parameters are all far from 0."""
    core, draw = plain_model(label, **options), generator(1)
    with torch.no_grad():
        for parameter in core.parameters():
            noise = torch.randn(parameter.shape, generator=draw, dtype=torch.float64)
            parameter += 0.3 * noise.to(parameter.dtype)
    return core


def draw(*shape, seed=2):
    return torch.randn(*shape, generator=generator(seed), dtype=torch.float64)


def parts(state):
    """The tensors of a state."""
    return [state] if isinstance(state, torch.Tensor) else list(state)


def rows(label, state, chosen):
    """The state of some rows of a batch; torch's recurrent networks put the layers before the batch."""
    axis = 1 if MODELS[label][0] in ("lstm", "gru") else 0
    picked = [part.index_select(axis, torch.tensor(chosen)) for part in parts(state)]
    if isinstance(state, torch.Tensor):
        return picked[0]
    return type(state)(*picked) if hasattr(state, "_fields") else tuple(picked)
