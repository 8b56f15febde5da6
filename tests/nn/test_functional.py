"""The formulas of the core as functions: equal to what the core computes."""

import pytest

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch")

from helpers.torch_cores import BATCH, make_core, make_inputs, make_memory  # noqa: E402
from relational_rnn.kernels import eager  # noqa: E402
from relational_rnn.nn import RelationalMemoryCell  # noqa: E402
from relational_rnn.nn.functional import attention, gated_update  # noqa: E402
from tolerances import assert_close  # noqa: E402


@pytest.mark.parametrize(
    "options", [{}, {"gate_style": "memory", "forget_bias": -0.5, "input_bias": 2.0}], ids=["unit", "memory"]
)
def test_the_core_from_the_functions(options):
    core = make_core(RelationalMemoryCell, **options)
    config, named = core.config, dict(core.named_parameters())
    inputs, memory = make_inputs(core, BATCH), make_memory(core, BATCH)
    x = core.input_projection(inputs)
    rows = torch.cat([memory, x[:, None]], 1)
    block = core.blocks[0]
    q, k, v = eager.split_heads(config, block.qkv_norm(block.qkv(rows)))
    attended, probs = attention(q, k, v)
    new = block.attention_norm(rows + attended.transpose(1, 2).flatten(2))
    new = block.mlp_norm(new + eager.row_mlp(config, named, new))[:, : config.mem_slots]
    biases = dict(forget_bias=config.forget_bias, input_bias=config.input_bias)
    of_memory, of_input = core.gate_memory, core.gate_input
    after = gated_update(
        memory, new, x, of_memory.weight, of_input.weight, of_memory.bias, of_input.bias, **biases
    )
    _, expected, trace = core(inputs, memory, return_trace=True)
    assert_close(after.detach(), expected.detach())
    assert_close(probs[:, :, : config.mem_slots].detach(), trace.attention[:, 0].detach())
    # Biases are added, so they may come together or not at all.
    bias = of_memory.bias + of_input.bias
    again = gated_update(memory, new, x, of_memory.weight, of_input.weight, bias, **biases)
    assert_close(again.detach(), expected.detach())


def test_a_mask_hides_keys():
    x = torch.eye(3, dtype=torch.float64)
    mask = torch.tensor([[True, False, False], [True, True, True], [False, False, False]])
    out, probs = attention(x, x, x, mask)
    assert probs[0].tolist() == [1, 0, 0]
    assert out[2].tolist() == [0, 0, 0]
    assert probs[1].sum().item() == pytest.approx(1)


def test_wrong_shapes():
    x, square = torch.zeros(2, 3, 4), torch.zeros(8, 4)
    with pytest.raises(ValueError, match=r"got shapes \(2, 3, 4\), \(2, 3, 3\) and \(2, 3, 4\)"):
        attention(x, x[..., :3], x)
    with pytest.raises(ValueError, match="attention takes query"):
        attention(x, x, x[:, :2])
    with pytest.raises(ValueError, match=r"m_attended must have shape \(B, N, D\)"):
        gated_update(x, x[:, :2], x[:, 0], square, square)
    with pytest.raises(
        ValueError, match=r"weight_memory must have shape \(2 D, D\) = \(8, 4\) or .*\(6, 4\)"
    ):
        gated_update(x, x, x[:, 0], square[:6], square[:6])
    with pytest.raises(ValueError, match=r"weight_input must have shape \(8, 4\), got \(8, 3\)"):
        gated_update(x, x, x[:, 0], square, square[:, :3])
    with pytest.raises(TypeError, match="forget_bias must be a number, got 'x'"):
        gated_update(x, x, x[:, 0], square, square, forget_bias="x")
