"""The torch core's gradients against central differences, for every kind of option."""

import numpy as np
import pytest

from helpers.core_pairs import make_memory, make_pair
from helpers.numpy_cores import BASE, some_configurations
from relational_rnn import reference

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch")
nn = pytest.importorskip("relational_rnn.nn")


def make(options, kind):
    rng = np.random.default_rng(5)
    ours, core = make_pair(getattr(reference, kind), getattr(nn, kind), {**BASE, **options}, rng)
    memory = torch.tensor(make_memory(ours, 4, rng), requires_grad=True)
    names, parameters = zip(*core.named_parameters(), strict=True)
    return core, names, parameters, memory, rng


@some_configurations
@pytest.mark.parametrize("memory_given", [True, pytest.param(False, marks=pytest.mark.slow)])
def test_a_sequence_with_resets(options, memory_given):
    core, names, parameters, memory, rng = make(options, "RelationalMemory")
    inputs = torch.tensor(rng.standard_normal((3, 4, *core.config.input_sizes.values())), requires_grad=True)
    resets = torch.tensor([[False, True, False, False], [False, False, True, False], [False] * 4])

    def run(inputs, memory, *parameters):
        replaced = dict(zip(names, parameters, strict=True))
        state = memory if memory_given else None
        return torch.func.functional_call(core, replaced, (inputs, state), {"resets": resets})

    assert torch.autograd.gradcheck(run, (inputs, memory, *parameters), fast_mode=True)


@some_configurations
def test_a_step_without_input(options):
    core, names, parameters, memory, _ = make(options, "RelationalMemoryCell")

    def run(memory, *parameters):
        return torch.func.functional_call(core, dict(zip(names, parameters, strict=True)), (None, memory))

    assert torch.autograd.gradcheck(run, (memory, *parameters), fast_mode=True)
