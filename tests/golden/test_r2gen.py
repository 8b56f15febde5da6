"""R2Gen's memory and its conditional layer norm equal R2Gen's own code: outputs and every gradient."""

from pathlib import Path

import numpy as np
import pytest

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch")

from relational_rnn.interop.r2gen import ConditionalLayerNorm, export_r2gen, load_r2gen  # noqa: E402
from tolerances import assert_close  # noqa: E402

FILE = Path(__file__).parent / "r2gen.npz"
MEMORIES = ("memory", "more_slots_than_features")
both_dtypes = pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=["float64", "float32"])


def recorded(case):
    """One case's arrays as tensors, by name."""
    with np.load(FILE) as file:
        return {
            key.removeprefix(f"{case}/"): torch.from_numpy(value)
            for key, value in file.items()
            if key.startswith(f"{case}/")
        }


def weights(arrays, dtype):
    return {key.removeprefix("var/"): x.to(dtype) for key, x in arrays.items() if key.startswith("var/")}


def leaf(x, dtype):
    return x.to(dtype).requires_grad_()


def check_outputs(outputs, arrays, dtype):
    """float64 to 1e-10; float32 to 1e-6 of theirs in float32."""
    if dtype == torch.float64:
        assert_close(outputs.detach(), arrays["outputs"])
    else:
        assert (outputs.detach() - arrays["outputs_f32"]).abs().max() <= 1e-6


@both_dtypes
@pytest.mark.parametrize("case", MEMORIES)
def test_the_memory_is_r2gens(case, dtype):
    arrays = recorded(case)
    slots, heads = arrays["memory0"].shape[1], int(arrays["num_heads"])
    memory = load_r2gen(weights(arrays, dtype), heads, slots)
    assert_close(memory.initial_state(len(arrays["inputs"])), arrays["initial_memory"], "float32")
    inputs, state = leaf(arrays["inputs"], dtype), leaf(arrays["memory0"], dtype)
    outputs, last = memory(inputs, state)
    assert outputs.dtype == dtype
    check_outputs(outputs, arrays, dtype)
    assert last.flatten(1).equal(outputs[:, -1])
    if dtype == torch.float64:
        (outputs * arrays["loss_weights"]).sum().backward()
        assert_close(inputs.grad, arrays["grad/inputs"], what="gradient of the inputs")
        assert_close(state.grad, arrays["grad/memory0"], what="gradient of the first memory")
        with torch.no_grad():  # gradients go under their names as weights do
            for parameter in memory.parameters():
                parameter.copy_(parameter.grad)
        for name, gradient in export_r2gen(memory, prefix="").items():
            assert_close(gradient, arrays[f"grad/{name}"], what=name)


@both_dtypes
def test_the_conditional_layer_norm_is_r2gens(dtype):
    arrays = recorded("norm")
    norm = ConditionalLayerNorm(8, 3, 8, dtype=dtype)
    norm.load_state_dict(weights(arrays, dtype))
    inputs, memory = leaf(arrays["inputs"], dtype), leaf(arrays["memory"], dtype)
    outputs = norm(inputs, memory)
    check_outputs(outputs, arrays, dtype)
    if dtype == torch.float64:
        (outputs * arrays["loss_weights"]).sum().backward()
        assert_close(inputs.grad, arrays["grad/inputs"], what="gradient of the inputs")
        assert_close(memory.grad, arrays["grad/memory"], what="gradient of the memory")
        for name, parameter in norm.named_parameters():
            assert_close(parameter.grad, arrays[f"grad/{name}"], what=name)
