"""The core with one thing done otherwise: without it it is the right core, with it the formula below."""

import pytest

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch")

import numpy as np  # noqa: E402

from helpers.torch_cores import BATCH, CONFIGURATIONS, SIZES, TIME, make_core, make_inputs, make_memory  # noqa: E402
from relational_rnn.nn.variant import VariantRelationalMemory  # noqa: E402
from tolerances import assert_close  # noqa: E402

LIKE_PORTS = {
    name: options
    for name, options in CONFIGURATIONS.items()
    if options.get("input_fusion") != "tile" and "treat_input_as_matrix" not in options
}
FAULTS = ("tied_mlp", "final_relu", "joint_norm")


@pytest.mark.parametrize("options", LIKE_PORTS.values(), ids=LIKE_PORTS.keys())
def test_without_a_fault_it_is_the_right_core(options):
    right = make_core(**options, batch_first=True)
    variant = make_core(VariantRelationalMemory, **options)
    variant.load_state_dict(right.state_dict())
    inputs, memory = make_inputs(right, BATCH, TIME), make_memory(right, BATCH)
    for state in (None, memory):
        for ours, theirs in zip(variant(inputs, state), right(inputs, state), strict=True):
            assert_close(ours.detach(), theirs.detach())
    traces = (core(inputs, memory, return_trace=True)[2] for core in (variant, right))
    for ours, theirs in zip(*traces, strict=True):
        assert (ours is None) == (theirs is None)
        if ours is not None:
            assert_close(ours.detach(), theirs.detach())


def variant_step(weights, memory, x, faults=(), qkv_norm=True, block_norms="post"):
    """One step of one sequence as the variant says it, in NumPy: the new memory (N, D)."""
    pre, post = block_norms == "pre", block_norms == "post"

    def linear(name, rows):
        return rows @ weights[f"{name}.weight"].T + weights[f"{name}.bias"]

    def norm(here, name, rows):
        if not here:
            return rows
        axes = None if "joint_norm" in faults else -1
        centred = rows - rows.mean(axes, keepdims=True)
        scaled = centred / np.sqrt((centred**2).mean(axes, keepdims=True) + 1e-5)
        return scaled * weights[f"blocks.0.{name}.weight"] + weights[f"blocks.0.{name}.bias"]

    heads, size = SIZES["num_heads"], SIZES["head_size"]
    row = linear("input_projection", x[None])
    rows = np.concatenate([memory, row])
    qkv = norm(qkv_norm, "qkv_norm", linear("blocks.0.qkv", norm(pre, "attention_norm", rows)))
    qkv = qkv.reshape(len(rows), heads, 3, size)
    attended = np.empty((len(rows), heads, size))
    for head in range(heads):
        q, k, v = qkv[:, head].transpose(1, 0, 2)
        scores = np.exp(q @ k.T / np.sqrt(size))
        attended[:, head] = scores / scores.sum(1, keepdims=True) @ v
    rows = norm(post, "attention_norm", rows + attended.reshape(len(rows), -1))
    second = "mlp.0" if "tied_mlp" in faults else "mlp.1"
    mixed = linear(second, np.maximum(linear("mlp.0", norm(pre, "mlp_norm", rows)), 0))
    rows = norm(post, "mlp_norm", rows + (np.maximum(mixed, 0) if "final_relu" in faults else mixed))
    gates = linear("gate_memory", np.tanh(memory)) + linear("gate_input", row)
    input_gate, forget_gate = np.split(gates, 2, axis=1)
    keep, take = 1 / (1 + np.exp(-forget_gate - 1)), 1 / (1 + np.exp(-input_gate))
    return take * np.tanh(rows[:-1]) + keep * memory


@pytest.mark.parametrize("faults", [(), *((fault,) for fault in FAULTS), FAULTS])
def test_the_faults_are_the_ports(faults):
    core = make_core(VariantRelationalMemory, **dict.fromkeys(faults, True))
    check_steps(core, faults=faults)


@pytest.mark.parametrize("faults", [(), ("joint_norm",)])
@pytest.mark.parametrize(
    "norms",
    [
        dict(qkv_norm=False),
        dict(qkv_norm=False, block_norms="pre"),
        dict(block_norms="pre"),
        dict(block_norms="none"),
        dict(qkv_norm=False, block_norms="none"),
    ],
)
def test_layer_norms_can_be_elsewhere(norms, faults):
    core = make_core(VariantRelationalMemory, **norms, **dict.fromkeys(faults, True))
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():  # gains and shifts of their own, so that one norm in another's place is seen
        for name, value in core.named_parameters():
            if "norm" in name:
                value += torch.randn(value.shape, dtype=value.dtype, generator=generator)
    has = {name.split(".")[2] for name in core.state_dict() if "norm" in name}
    blocks = set() if norms.get("block_norms") == "none" else {"attention_norm", "mlp_norm"}
    assert has == blocks | ({"qkv_norm"} if norms.get("qkv_norm", True) else set())
    check_steps(core, faults=faults, **norms)


def test_no_layer_norm_anywhere_is_the_core_without():
    core = make_core(VariantRelationalMemory, qkv_norm=False, block_norms="none")
    without = make_core(use_layer_norm=False, batch_first=True)
    without.load_state_dict(core.state_dict())
    inputs = make_inputs(core, BATCH, TIME)
    assert_close(core(inputs)[0].detach(), without(inputs)[0].detach())


def check_steps(core, **otherwise):
    """Compare every step of two sequences with the formula above."""
    weights = {name: value.detach().numpy() for name, value in core.state_dict().items()}
    inputs, memory = make_inputs(core, BATCH, TIME), make_memory(core, BATCH)
    outputs, last = core(inputs, memory)
    for row in range(BATCH):
        expected = memory[row].numpy()
        for step in range(TIME):
            expected = variant_step(weights, expected, inputs[row, step].numpy(), **otherwise)
            assert_close(outputs[row, step].detach(), expected.ravel(), what=f"row {row}, step {step}")
        assert_close(last[row].detach(), expected)


def test_tied_layers_are_one():
    core = make_core(VariantRelationalMemory, tied_mlp=True)
    assert core.mlp[0] is core.mlp[1]
    plain = sum(p.numel() for p in make_core().parameters())
    width = core.config.memory_width
    assert sum(p.numel() for p in core.parameters()) == plain - width * width - width


@pytest.mark.parametrize(
    "options",
    [
        dict(batch_first=False),
        dict(input_fusion="tile"),
        dict(treat_input_as_matrix=True),
    ],
)
def test_what_the_ports_do_not_have_is_refused(options):
    with pytest.raises(ValueError, match="takes batch_first=True, input_fusion='append' and one input row"):
        make_core(VariantRelationalMemory, **options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (dict(block_norms="before"), "block_norms must be one of 'post', 'pre', 'none', got 'before'"),
        (dict(use_layer_norm=False, qkv_norm=False), "with use_layer_norm=False there are no layer norms"),
        (dict(use_layer_norm=False, block_norms="pre"), "with use_layer_norm=False there are no layer norms"),
    ],
)
def test_layer_norms_that_cannot_be_elsewhere(options, message):
    with pytest.raises(ValueError, match=message):
        make_core(VariantRelationalMemory, **options)
