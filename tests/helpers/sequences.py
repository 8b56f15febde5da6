"""Drawn sequences for the functions of `kernels`: ragged, reset, some tensors in need of gradients."""

from typing import Any

import torch
from hypothesis import strategies as st

from helpers.core_pairs import drawn
from relational_rnn.config import RelationalMemoryConfig, parameter_shapes
from relational_rnn.kernels import KernelOptions, SequenceInputs, eager, run_sequence
from relational_rnn.kernels.operation import READ_PARAMETERS
from tolerances import ABSOLUTE, difference


class Case(SequenceInputs):
    """A core and a sequence for it."""

    @property
    def tensors(self) -> dict[str, torch.Tensor]:
        """Everything that can have a gradient, by name."""
        named = {"inputs": self.inputs, "memory": self.memory, "initial": self.initial}
        return named | {n: x for n, x in self.parameters.items() if n not in READ_PARAMETERS}


@st.composite
def cases(draw, dtype=torch.float64):
    """Any options, with lengths that differ, non-contiguous inputs, and gradients for some of the tensors."""
    chosen = draw(drawn())
    config = RelationalMemoryConfig(**chosen.options)
    lengths = draw(st.lists(st.integers(1, 7), min_size=1, max_size=5))
    batch_sizes = [sum(length > t for length in lengths) for t in range(max(lengths))]
    return make_case(
        config,
        batch_sizes,
        chosen.seed,
        with_resets=draw(st.booleans()),
        asked=draw(st.sampled_from([0.3, 0.7, 1.0])),
        dtype=dtype,
    )


def make_case(config, batch_sizes, seed=0, with_resets=True, asked=1.0, dtype=torch.float64, **kwargs: Any):
    """A case with random values; a share `asked` of its tensors needs gradients."""
    generator = torch.Generator().manual_seed(seed)

    def tensor(*shape, scale=1.0):
        # float64 first, so that the values do not depend on the dtype; stored with the axes turned round.
        x = torch.randn(shape[::-1], generator=generator, dtype=torch.float64).mul_(scale).to(dtype)
        need = bool(torch.rand((), generator=generator) < asked)
        return x.permute(*reversed(range(x.ndim))).requires_grad_(need)

    # Small without norms: else the memory grows, or is chaotic, until rounding decides.
    scale = 0.5 if config.use_layer_norm else 0.15
    parameters = {name: tensor(*shape, scale=scale) for name, shape in parameter_shapes(config).items()}
    state = (config.mem_slots, config.memory_width)
    samples = sum(batch_sizes)
    return Case(
        config,
        parameters,
        tensor(samples, *config.input_sizes.values()),
        batch_sizes,
        tensor(batch_sizes[0], *state),
        tensor(*state),
        torch.rand(samples, generator=generator) < 0.3 if with_resets else None,
    )


def sequence_by(backend, **options):
    """A function like `eager.sequence` that runs a backend."""
    return lambda given, trace=False: run_sequence(backend, given, KernelOptions(**options), trace)


def results(sequence, case, outputs=(True, True)):
    """Outputs, last memory and all gradients (zeros where there is none) of a loss of these two."""
    memories, last, trace = sequence(case)
    assert trace is None
    found = {"memories": memories, "last": last}
    asked = {name: x for name, x in case.tensors.items() if x.requires_grad}
    assert memories.requires_grad == last.requires_grad
    if memories.requires_grad:
        generator = torch.Generator().manual_seed(7)
        weights = [
            torch.randn(x.shape, generator=generator, dtype=x.dtype).to(x.device) for x in (memories, last)
        ]
        loss = sum(
            (x * w).sum() for x, w, used in zip((memories, last), weights, outputs, strict=True) if used
        )
        gradients = torch.autograd.grad(loss, list(asked.values()), allow_unused=True)
        for (name, x), gradient in zip(asked.items(), gradients, strict=True):
            found[f"gradient of {name}"] = torch.zeros_like(x) if gradient is None else gradient
    return {name: x.detach().cpu() for name, x in found.items()}


def assert_as_eager(sequence, case, outputs=(True, True)):
    """The sequence gives what `eager.sequence` gives; in float32 it is about as close to float64 as that."""
    actual, expected = results(sequence, case, outputs), results(eager.sequence, case, outputs)
    assert actual.keys() == expected.keys()
    single = case.inputs.dtype == torch.float32
    exact = results(eager.sequence, in_float64(case), outputs) if single else expected
    for name, x in expected.items():
        assert actual[name].dtype == x.dtype
        allowed = ABSOLUTE[str(x.dtype).removeprefix("torch.")]
        if single:  # without norms rounding may grow from step to step
            allowed = max(allowed, 4 * difference(x, exact[name]))
        gap = difference(actual[name], exact[name])
        assert gap <= allowed, f"{name}: differs by {gap:.3g}, allowed {allowed:.3g}"


def in_float64(case):
    """The same case with every tensor in float64."""
    return _to(case, torch.float64)


def on(device, case):
    """The same case on a device."""
    moved = _to(case, device)
    return moved._replace(resets=None if case.resets is None else case.resets.to(device))


def _to(case, where):
    def changed(x):
        return x.detach().to(where).requires_grad_(x.requires_grad)

    return case._replace(
        parameters={name: changed(x) for name, x in case.parameters.items()},
        **{name: changed(getattr(case, name)) for name in ("inputs", "memory", "initial")},
    )
