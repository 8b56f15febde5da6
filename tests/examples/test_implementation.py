"""The readable core of examples/implementation.py against the package's module."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

from tolerances import assert_close

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.torch

SCRIPT = Path(__file__).parents[2] / "examples" / "implementation.py"

CONFIGURATIONS = [
    {"input_size": 5, "mem_slots": 3, "head_size": 4},
    {"input_size": 5, "mem_slots": 3, "head_size": 4, "num_heads": 2},
    {"input_size": 2, "mem_slots": 1, "head_size": 3, "num_heads": 5, "attention_mlp_layers": 1},
    {"input_size": 7, "mem_slots": 6, "head_size": 2, "num_heads": 2, "num_blocks": 2},  # more slots than D
    {
        "input_size": 9,
        "mem_slots": 4,
        "head_size": 3,
        "num_heads": 2,
        "num_blocks": 3,
        "attention_mlp_layers": 4,
        "forget_bias": -0.3,
        "input_bias": 0.8,
    },
]


@pytest.fixture(scope="module")
def implementation():
    specification = importlib.util.spec_from_file_location("implementation", SCRIPT)
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


@pytest.fixture(params=CONFIGURATIONS, ids=str)
def cores(request, implementation):
    """The readable core and the module with the same, everywhere nonzero, parameters."""
    from relational_rnn.nn import RelationalMemory

    torch.manual_seed(3)
    readable = implementation.RelationalMemory(**request.param).double()
    for parameter in readable.parameters():  # biases and gains too, so that each has an influence
        torch.nn.init.normal_(parameter, mean=0.1, std=0.5)
    module = RelationalMemory(**request.param, batch_first=True, dtype=torch.float64)
    module.load_state_dict(readable.state_dict())
    return readable, module


@pytest.mark.parametrize("given_memory", [False, True])
def test_outputs_and_all_gradients_equal_the_modules(cores, given_memory):
    inputs = torch.randn(3, 5, cores[0].input_projection.in_features, dtype=torch.float64)
    start = torch.randn(3, cores[0].mem_slots, cores[0].width, dtype=torch.float64) if given_memory else None
    results = []
    for core in cores:
        x = inputs.clone().requires_grad_()
        memory = None if start is None else start.clone().requires_grad_()
        outputs, last = core(x, memory)
        weights = torch.linspace(-1, 2, outputs.numel(), dtype=torch.float64).view_as(outputs)
        ((weights * outputs).sum() + last.pow(3).sum()).backward()
        result = {"outputs": outputs, "last memory": last, "inputs' gradient": x.grad}
        if memory is not None:
            result["first memory's gradient"] = memory.grad
        results.append(result | {name: parameter.grad for name, parameter in core.named_parameters()})
    readable, module = results
    assert readable.keys() == module.keys()
    for name, value in readable.items():
        assert_close(value.detach(), module[name].detach(), "float64", name)


def test_attention_of_a_step_equals_the_modules(cores):
    readable, module = cores
    x = torch.randn(3, readable.input_projection.in_features, dtype=torch.float64)
    with torch.no_grad():
        _, attention = readable.step(x, readable.initial_state(3))
        _, _, trace = module(x.unsqueeze(1), return_trace=True)
    assert_close(attention, trace.attention[:, 0, -1])


def test_weights_move_both_ways(implementation):
    from relational_rnn.nn import RelationalMemory

    module = RelationalMemory(4, 3, 2, num_heads=3, num_blocks=2, batch_first=True)
    readable = implementation.RelationalMemory(4, 3, 2, num_heads=3, num_blocks=2)
    readable.load_state_dict(module.state_dict())
    inputs = torch.randn(2, 6, 4)
    assert_close(readable(inputs)[0].detach(), module(inputs)[0].detach(), "float32")


def test_initial_values_are_the_authors(implementation):
    torch.manual_seed(0)
    core = implementation.RelationalMemory(100, 2, 10, num_heads=10)
    for layer in (core.input_projection, core.gate_memory, core.mlp[1], core.blocks[0].qkv):
        assert not layer.bias.any()
        assert layer.weight.abs().max() <= 0.2  # two deviations of 1 / sqrt(100)
        assert layer.weight.std().item() == pytest.approx(0.088, abs=0.003)  # what the cut leaves of 0.1


def test_imports_torch_and_nothing_of_the_package():
    source = SCRIPT.read_text(encoding="utf-8")
    imports = [line for line in source.splitlines() if line.startswith(("import ", "from "))]
    assert {line.split()[1].split(".")[0] for line in imports} == {"argparse", "torch"}


def test_running_it_shows_shapes_memory_and_attention(tmp_path):
    run = subprocess.run(
        [sys.executable, SCRIPT, "--seed", "1"], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert run.stderr == ""
    assert "outputs (B, T, N D)  (1, 4, 12)" in run.stdout
    assert "step 4" in run.stdout
    table = run.stdout[run.stdout.index("head 1") : run.stdout.index("head 2")].splitlines()[1:4]
    for line in table:
        weights = [float(word) for word in line.split()[2:]]
        assert len(weights) == 4
        assert sum(weights) == pytest.approx(1, abs=0.021)  # printed with two decimals
