"""Both cores equal the authors' code: outputs, memories, gates, initial state and every gradient."""

import numpy as np
import pytest

from golden import authors
from relational_rnn import reference
from relational_rnn.interop.sonnet import export_gradients, export_variables, load_variables, variable_names
from tolerances import assert_close, difference

FLOAT32_OUTPUTS, FLOAT32_GRADIENTS = 2.7e-6, 2.9e-5
"""How far the authors' own float32 run is off their float64 run; ours may be off by twice that."""


def run_numpy(recorded, dtype):
    core = reference.RelationalMemory(**recorded.arguments, dtype=np.dtype(dtype))
    load_variables(core, recorded.variables())
    inputs, memory0, weights = (
        recorded.arrays[key].astype(dtype) for key in ("inputs", "memory0", "loss_weights")
    )
    outputs, memory, trace = core.forward(inputs, memory0, return_trace=True)
    d_inputs, d_memory0 = core.backward(weights)
    return core, outputs, memory, trace, d_inputs, d_memory0, core.initial_state(len(inputs))


def run_torch(recorded, dtype):
    torch = pytest.importorskip("torch")
    from relational_rnn.nn import RelationalMemory

    core = RelationalMemory(**recorded.arguments, batch_first=True, dtype=getattr(torch, dtype))
    load_variables(core, recorded.variables())
    inputs, memory0, weights = (
        torch.from_numpy(recorded.arrays[key].astype(dtype)) for key in ("inputs", "memory0", "loss_weights")
    )
    inputs.requires_grad_()
    memory0.requires_grad_()
    fast, _ = core(inputs, memory0)  # the way without a trace takes another attention kernel
    (fast * weights).sum().backward()
    with torch.no_grad():
        outputs, memory, trace = core(inputs, memory0, return_trace=True)
        assert_close(fast.detach(), outputs, dtype, "with and without trace")
        initial = core.initial_state(len(inputs))
    return core, fast.detach(), memory, trace, inputs.grad, memory0.grad, initial


RUNS = [
    pytest.param(run_numpy, id="numpy"),
    pytest.param(run_torch, id="torch", marks=pytest.mark.torch),
]


@pytest.mark.parametrize("name", authors.NAMES)
@pytest.mark.parametrize("run", RUNS)
def test_equals_the_authors_code(run, name):
    recorded = authors.load(name)
    arrays = recorded.arrays
    core, outputs, memory, trace, d_inputs, d_memory0, initial = run(recorded, "float64")
    slots, width = core.config.mem_slots, core.config.memory_width

    assert_close(initial, arrays["initial_state"], what="initial state")
    assert_close(outputs, arrays["outputs"], what="outputs")
    assert_close(
        np.asarray(outputs).reshape(*outputs.shape[:2], slots, width), arrays["memories"], what="memories"
    )
    assert_close(memory, arrays["memories"][:, -1], what="last memory")
    for gate in ("input_gate", "forget_gate"):
        if f"{gate}s" in arrays:
            assert_close(getattr(trace, gate), arrays[f"{gate}s"], what=gate)
        else:
            assert getattr(trace, gate) is None
    assert_close(np.sum(np.asarray(outputs) * arrays["loss_weights"]), arrays["loss"], what="loss")

    assert_close(d_inputs, arrays["grad/inputs"], what="gradient of the inputs")
    assert_close(d_memory0, arrays["grad/memory0"], what="gradient of the initial memory")
    gradients, expected = export_gradients(core), recorded.variables("grad/")
    assert gradients.keys() == expected.keys()
    for variable, gradient in gradients.items():
        assert_close(gradient, expected[variable], what=variable)


@pytest.mark.parametrize(
    "name", [authors.NAMES[0], *(pytest.param(name, marks=pytest.mark.slow) for name in authors.NAMES[1:])]
)
@pytest.mark.parametrize("run", RUNS)
def test_float32_is_as_near_as_the_authors_float32(run, name):
    recorded = authors.load(name)
    core, outputs, _, _, d_inputs, d_memory0, _ = run(recorded, "float32")
    assert np.asarray(outputs).dtype == np.float32
    assert np.max(np.abs(np.asarray(outputs) - recorded.arrays["outputs"])) <= 2 * FLOAT32_OUTPUTS
    expected = recorded.variables("grad/")
    for variable, gradient in export_gradients(core).items():
        assert gradient.dtype == np.float32
        assert difference(gradient, expected[variable]) <= 2 * FLOAT32_GRADIENTS, variable
    assert difference(d_inputs, recorded.arrays["grad/inputs"]) <= 2 * FLOAT32_GRADIENTS
    assert difference(d_memory0, recorded.arrays["grad/memory0"]) <= 2 * FLOAT32_GRADIENTS


@pytest.mark.parametrize("name", authors.NAMES)
def test_variables_survive_the_round_trip(name):
    recorded = authors.load(name)
    core = reference.RelationalMemory(**recorded.arguments)
    load_variables(core, recorded.variables())
    exported = export_variables(core)
    assert list(exported) == list(variable_names(core.config).values())
    assert exported.keys() == recorded.variables().keys()
    for variable, value in recorded.variables().items():
        np.testing.assert_array_equal(exported[variable], value)
