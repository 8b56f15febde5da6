"""Gated DeltaNet against recorded numbers of its authors' library and a plain twin, and what it can store."""

import numpy as np
import pytest

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch")

from torch.autograd import gradcheck  # noqa: E402

from helpers.model_zoo import B, F, T, draw, generator, make_model  # noqa: E402
from relational_rnn.nn import GatedDeltaNet  # noqa: E402
from relational_rnn.nn.deltanet import gated_delta_step  # noqa: E402
from tolerances import assert_close  # noqa: E402

# One sequence through `naive_recurrent_gated_delta_rule` of
# https://github.com/fla-org/flash-linear-attention (MIT License), bc3b101d, in float32: T = 4, H = 2, K = 3,
# V = 2; g is the logarithm of the decay.
RECORDED = {
    "q": [
        *(-1.13, -1.15, -0.25, -0.43, 0.85, 0.69, -0.32, -2.12, 0.47, -0.16, 1.44, 0.27),
        *(0.17, 0.87, -0.14, -0.11, 0.93, 1.26, 2.0, 0.05, 0.62, -0.41, -0.84, -2.32),
    ],
    "k": [
        *(-0.22, -0.74, 0.56, 0.26, -0.17, -0.68, 0.94, 0.49, -0.57, 0.92, 1.11, 1.29),
        *(-1.48, 2.57, -0.47, 0.34, -1.63, -0.55, -0.48, -0.5, -1.07, 1.11, -0.14, 0.81),
    ],
    "v": [
        -0.09,
        0.69,
        -0.84,
        0.0,
        0.84,
        -0.4,
        1.04,
        0.36,
        -0.25,
        2.3,
        -1.88,
        -0.05,
        -1.04,
        -0.96,
        0.03,
        0.71,
    ],
    "beta": [1.5, 1.21, 0.22, 0.42, 1.94, 1.67, 0.56, 0.75],
    "g": [-0.02, -0.49, -0.12, -0.11, -0.47, -0.58, -0.3, -0.8],
    "before": [-1.51, -0.66, 1.32, 0.04, -0.28, -0.13, 1.89, 3.11, -0.46, -0.34, -1.57, 1.23],
    "o": [
        *(0.72419, 0.952974, 0.125171, -0.265722, -0.659987, 0.811475, 0.02612, -1.027056),
        *(-5.256227, 5.887341, 4.126919, 2.345425, 6.270478, -6.732887, -2.197965, -1.838584),
    ],
    "after": [
        *(4.884932, -5.707443, -7.999362, 9.797201, 2.404664, -1.188187),
        *(-0.319372, 0.432189, 2.243059, 1.268329, 0.885241, 0.837038),
    ],
}


def recorded(name, *shape):
    return torch.tensor(RECORDED[name], dtype=torch.float64).view(shape)


def test_the_delta_rule_is_that_of_flash_linear_attention():
    q, k, v = (recorded(name, 4, 1, 2, size) for name, size in (("q", 3), ("k", 3), ("v", 2)))
    beta, g = recorded("beta", 4, 1, 2), recorded("g", 4, 1, 2)
    memory = recorded("before", 1, 2, 3, 2)
    for t in range(4):
        read, memory = gated_delta_step(memory, q[t], k[t], v[t], beta[t], g[t].exp())
        torch.testing.assert_close(read, recorded("o", 4, 1, 2, 2)[t], rtol=1e-5, atol=2e-6)
    torch.testing.assert_close(memory, recorded("after", 1, 2, 3, 2), rtol=1e-5, atol=2e-6)


def test_gradients_of_a_step():
    shapes = [(2, 2, 3, 4), (2, 2, 3), (2, 2, 3), (2, 2, 4), (2, 2), (2, 2)]
    parts = [draw(*shape, seed=seed).requires_grad_() for seed, shape in enumerate(shapes)]
    assert gradcheck(gated_delta_step, parts)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def silu(x):
    return x * sigmoid(x)


def rms(x, weight):
    return x / np.sqrt((x**2).mean() + 1e-6) * weight


def unit(x):
    return x / np.sqrt((x**2).sum() + 1e-6)


def twin(net, x, most):
    """Outputs of one sequence (T, F), step by step and head by head, from the equations."""
    own = {name: value.detach().numpy() for name, value in net.named_parameters()}
    heads, size, values = net.num_heads, net.head_size, net.value_size
    rows = [own["input_projection.weight"] @ step + own["input_projection.bias"] for step in x]
    for layer in range(net.num_layers):
        p = {name.split(".", 2)[2]: v for name, v in own.items() if name.startswith(f"layers.{layer}.")}
        memory, told = np.zeros((heads, values, size)), []
        for t in range(len(rows)):
            seen = rms(rows[t], p["mixer_norm"])
            told.append(p["qkv.weight"] @ seen)
            mixed = np.zeros_like(told[0])
            for back, weight in enumerate(p["convolution"][::-1]):
                mixed += weight * told[t - back] if back <= t else 0
            mixed = silu(mixed)
            strength, step = np.split(p["gates.weight"] @ seen, 2)
            reads = []
            for h in range(heads):
                q = unit(mixed[h * size : (h + 1) * size])
                k = unit(mixed[(heads + h) * size : (heads + h + 1) * size])
                v = mixed[2 * heads * size :][h * values : (h + 1) * values]
                decay = np.exp(-np.exp(p["log_rate"][h]) * np.log1p(np.exp(step[h] + p["step_bias"][h])))
                beta = most * sigmoid(strength[h])
                # S_t = S (α (I - β k kᵀ)) + β v kᵀ, as the paper has it
                memory[h] = decay * memory[h] @ (np.eye(size) - beta * np.outer(k, k)) + beta * np.outer(v, k)
                reads.append(rms(memory[h] @ q / size**0.5, p["head_norm"]))
            gated = np.concatenate(reads) * silu(p["output_gate.weight"] @ seen)
            row = rows[t] + p["mixer_output.weight"] @ gated
            wide, gate = np.split(p["widen.weight"] @ rms(row, p["mlp_norm"]), 2)
            rows[t] = row + p["narrow.weight"] @ (wide * silu(gate))
    return np.stack([rms(row, own["output_norm"]) for row in rows])


@pytest.mark.parametrize(("label", "most"), [("deltanet", 1), ("deltanet, negative", 2)])
def test_outputs_are_those_of_a_plain_twin(label, most):
    net, x = make_model(label), draw(T, B, F)
    outputs, _ = net(x)
    for row in range(B):
        assert_close(outputs[:, row].detach(), torch.from_numpy(twin(net, x[:, row].numpy(), most)))


def test_gradients_of_the_whole():
    net = GatedDeltaNet(2, 2, num_heads=1, num_layers=1, window=2, mlp_size=2, dtype=torch.float64)
    net.reset_parameters(generator(0))
    names, parameters = zip(*net.named_parameters(), strict=True)
    start = [part.detach().requires_grad_() for part in net(draw(3, 2, 2, seed=5))[1]]

    def run(x, *values):
        replaced = dict(zip(names, values[len(start) :], strict=True))
        outputs, state = torch.func.functional_call(net, replaced, (x, values[: len(start)]))
        return outputs, *state

    assert gradcheck(run, (draw(3, 2, 2).requires_grad_(), *start, *parameters))


def test_a_write_replaces_what_the_key_had():
    key = torch.eye(2, dtype=torch.float64)[None, None]  # two keys at right angles
    one, zero = torch.ones(1, 1, dtype=torch.float64), torch.zeros(1, 1, 2, 1, dtype=torch.float64)
    memory = zero
    for number, value in ((0, 3.0), (1, 7.0), (0, 5.0)):
        _, memory = gated_delta_step(memory, key[:, :, 0], key[:, :, number], value * one[None], one, one)
    assert memory.flatten().tolist() == [5, 7]


@pytest.mark.parametrize(("strength", "flips"), [(1.0, False), (2.0, True)])
def test_only_beyond_one_a_step_turns_over_what_is_stored(strength, flips):
    """Parity with one number: β = 2 and a value of 0 multiply the memory by -1, β = 1 forgets it."""
    one, memory = torch.ones(1, 1, 1), torch.ones(1, 1, 1, 1)
    _, after = gated_delta_step(memory, one, one, 0 * one, strength * one[0], one[0])
    assert after.item() == (-1 if flips else 0)


@pytest.mark.parametrize("negative", [False, True])
def test_how_strong_a_write_can_be(negative):
    net = GatedDeltaNet(3, 2, negative_eigenvalues=negative, generator=generator(0))
    assert {layer.most for layer in net.layers} == {2 if negative else 1}
    assert f"negative_eigenvalues={negative}" in repr(net)


def test_initial_values():
    net = GatedDeltaNet(40, 256, num_heads=8, num_layers=1, generator=generator(0))
    (layer,) = net.layers
    rates = layer.log_rate.exp()
    assert 0 < rates.min() < rates.max() < 16
    steps = torch.nn.functional.softplus(layer.step_bias)
    assert 0.001 <= steps.min() < steps.max() <= 0.1 + 1e-6
    assert layer.convolution.abs().max() <= 0.5
    assert layer.qkv.weight.std().item() == pytest.approx(0.88 / 256**0.5, rel=0.03)


def test_what_is_refused():
    with pytest.raises(ValueError, match="window must be an integer of at least 2, got 1"):
        GatedDeltaNet(3, 4, window=1)
    with pytest.raises(TypeError, match="negative_eigenvalues must be True or False, got 1"):
        GatedDeltaNet(3, 4, negative_eigenvalues=1)
    net = make_model("deltanet")
    state = net.initial_state(B)
    with pytest.raises(ValueError, match=r"state's recent must have shape .* where W - 1 = 2"):
        net(draw(T, B, F), state._replace(recent=state.recent[:, :, 1:]))
