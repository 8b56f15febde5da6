"""The sLSTM against its authors' recorded numbers and a plain twin without the stabiliser."""

import numpy as np
import pytest

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch")

from torch.autograd import gradcheck  # noqa: E402

from helpers.model_zoo import B, F, T, draw, generator, make_model  # noqa: E402
from relational_rnn.nn import SLSTM  # noqa: E402
from relational_rnn.nn.slstm import slstm_step  # noqa: E402
from tolerances import assert_close  # noqa: E402

# One run of `slstm_forward` (vanilla) of https://github.com/NX-AI/xlstm (Apache License 2.0), 032a6fb, in
# float32, from zeros: T = 4, B = 2, two heads of two features; x is the input's share of the gates.
RECORDED = {
    "x": [
        *(-3.05, -1.5, -1.31, -3.22, -0.2, -1.22, -1.96, -3.22, -1.42, 0.61, -1.55, -0.5, -0.44, 3.37, 0.46),
        *(0.94, -1.39, -2.32, 1.4, 0.4, 1.73, 0.49, -1.33, 1.61, 2.2, -0.35, -4.49, -2.89, 0.12, -1.24, -1.6),
        *(-0.26, 3.76, -0.14, 0.32, -1.55, 0.4, 0.09, 0.31, -0.95, -0.22, 0.59, -0.32, -0.06, 4.71, -2.07),
        *(3.15, -1.26, -1.85, 1.09, 0.13, -0.87, 1.53, 0.88, 2.33, 4.03, 0.27, 1.88, -0.37, -1.29, 3.08),
        *(-1.74, -6.66, -1.5, -0.05, -2.05, -1.19, -2.01, -0.42, -0.02, 3.35, 0.02, -1.41, -0.37, -1.99),
        *(-1.66, -0.92, -1.12, 0.79, -1.96, -1.01, 0.2, -1.31, 1.46, -2.87, -1.0, 0.34, -0.32, 0.51, -1.0),
        *(
            -2.08,
            1.46,
            -2.1,
            -0.94,
            0.58,
            3.98,
            1.32,
            2.38,
            1.63,
            -1.83,
            2.77,
            -1.63,
            -1.86,
            2.22,
            2.67,
            1.21,
        ),
        *(-0.21, -0.3, -4.2, -1.24, -2.96, -2.27, 1.75, -1.12, 2.57, 1.63, 0.41, 0.61, 1.07, -0.86, 5.12),
        *(-0.47, -0.03, 3.72, -3.96, 3.6, 0.2, 0.68),
    ],
    "R": [
        *(0.71, -1.78, 0.35, 1.2, -0.3, -1.76, 0.63, -0.8, -1.61, -1.87, 0.54, 0.66, 2.3, 0.67, 1.71, -1.79),
        *(
            -1.36,
            -0.98,
            1.51,
            0.64,
            0.47,
            -0.43,
            0.55,
            -1.55,
            0.52,
            0.11,
            0.27,
            1.32,
            1.75,
            1.85,
            -0.71,
            2.56,
        ),
    ],
    "b": [
        0.42,
        -0.21,
        -0.84,
        -0.42,
        -0.62,
        -0.98,
        0.87,
        0.99,
        0.31,
        1.52,
        1.21,
        -1.82,
        -0.4,
        -0.96,
        -0.01,
        -0.08,
    ],
    "h": [
        *(-0.242453, 0.892031, -0.19997, -0.689218, 0.424805, 0.082222, -0.166118, -0.415742),
        *(-0.81928, 0.006347, 0.456698, -0.048684, 0.322523, 0.10671, -0.000188, -0.074008),
        *(-0.024923, 0.027102, 0.416628, -0.076316, 0.016474, 0.129288, -0.269432, -0.543532),
        *(0.003012, 0.091068, 0.062869, -0.054291, 0.013861, 0.698126, 0.131601, -0.00707),
    ],
    "c": [0.539597, 0.994461, 1.039037, -2.193582, 1.003381, 1.497377, 0.691978, -0.042525],
    "n": [1.715183, 1.003114, 1.397339, 2.227859, 1.032684, 1.972378, 1.137623, 2.131139],
    "m": [1.674064, 2.193799, 0.298176, -1.669735, 1.951565, -0.720303, 2.629089, 0.628717],
}


def recorded(name, *shape):
    return torch.tensor(RECORDED[name], dtype=torch.float64).view(shape)


def test_outputs_and_state_are_those_of_the_authors():
    core = SLSTM(16, 2, num_heads=2, dtype=torch.float64)
    (layer,) = core.layers
    with torch.no_grad():
        layer.gate_input.weight.copy_(torch.eye(16))
        layer.gate_input.bias.copy_(recorded("b", 16))
        layer.gate_hidden.copy_(recorded("R", 2, 4, 2, 2))
    outputs, state = core(recorded("x", 4, 2, 16))
    torch.testing.assert_close(outputs.detach(), recorded("h", 4, 2, 4), rtol=1e-5, atol=2e-6)
    for part, name in ((state.c, "c"), (state.n, "n"), (state.m, "m")):
        torch.testing.assert_close(part.detach()[:, 0], recorded(name, 2, 4), rtol=1e-5, atol=2e-6)


def twin(core, x):
    """Outputs of one sequence (T, F), unit by unit, with c and n as the equations have them, not divided."""
    rows, size = [list(step) for step in x.tolist()], core.head_size
    for layer in core.layers:
        weight, bias = (p.detach().numpy() for p in (layer.gate_input.weight, layer.gate_input.bias))
        hidden, inner = core.output_size, layer.gate_hidden.detach().numpy()
        h, c, n = np.zeros(hidden), np.zeros(hidden), np.zeros(hidden)
        for t, row in enumerate(rows):
            new = h.copy()
            for unit in range(hidden):
                head, place = divmod(unit, size)
                own = h[head * size : (head + 1) * size]
                i, f, z, o = (
                    weight[gate * hidden + unit] @ row
                    + bias[gate * hidden + unit]
                    + inner[head, gate, place] @ own
                    for gate in range(4)
                )
                forget = 1 / (1 + np.exp(-f))
                c[unit] = forget * c[unit] + np.exp(i) * np.tanh(z)
                n[unit] = forget * n[unit] + np.exp(i)
                new[unit] = c[unit] / n[unit] / (1 + np.exp(-o))
            h = new
            rows[t] = h.tolist()
    return np.array(rows)


@pytest.mark.parametrize("label", ["slstm", "slstm, two layers"])
def test_outputs_are_those_of_a_plain_twin(label):
    core, x = make_model(label), draw(T, B, F)
    outputs, state = core(x)
    for row in range(B):
        assert_close(outputs[:, row].detach(), torch.from_numpy(twin(core, x[:, row])))
    assert torch.equal(state.h[:, -1], outputs[-1])
    assert (state.n > 0).all()


def test_gates_of_any_size_stay_finite():
    """exp(i) alone would overflow at 710 in float64, and n would be 0 at -750."""
    raw = torch.zeros(4, 3, dtype=torch.float64)
    raw[0] = torch.tensor([5000.0, -5000.0, 0.0])
    raw[2] = 1.0
    raw.requires_grad_()
    state = (torch.zeros(3, dtype=torch.float64),) * 3
    for _ in range(3):
        h, *state = slstm_step(raw, *state)
        assert_close(h.detach(), torch.full((3,), float(np.tanh(1) / 2), dtype=torch.float64))
    h.sum().backward()
    assert raw.grad.isfinite().all()


def test_a_stronger_write_revises_what_is_stored():
    """What the exponential gate is for: a sigmoid could at most add as much again."""
    zero = torch.zeros(1, dtype=torch.float64)
    state = (zero, zero, zero)
    for i, z in ((0.0, 5.0), (8.0, -5.0)):
        raw = torch.tensor([[i], [30.0], [z], [30.0]], dtype=torch.float64)
        h, *state = slstm_step(raw, *state)
    assert h.item() == pytest.approx(-1, abs=1e-3)


def test_gradients():
    c, m = draw(2, 3, seed=3), draw(2, 3, seed=4)
    parts = [draw(2, 4, 3), c, 1 + draw(2, 3, seed=5).abs(), m]
    assert gradcheck(slstm_step, [part.requires_grad_() for part in parts])
    core = SLSTM(2, 2, num_heads=1, num_layers=2, dtype=torch.float64, generator=generator(0))
    names, parameters = zip(*core.named_parameters(), strict=True)
    start = [part.detach().requires_grad_() for part in core(draw(3, 2, 2, seed=5))[1]]

    def run(x, *values):
        replaced = dict(zip(names, values[len(start) :], strict=True))
        outputs, state = torch.func.functional_call(core, replaced, (x, values[: len(start)]))
        return outputs, *state

    assert gradcheck(run, (draw(3, 2, 2).requires_grad_(), *start, *parameters))


def test_initial_values():
    core = SLSTM(5, 4, num_heads=3, num_layers=2, generator=generator(0))
    for layer, inputs in zip(core.layers, (5, 12), strict=True):
        for gate in layer.gate_hidden.detach().flatten(0, 1):
            assert_close(gate @ gate.T, torch.eye(4), "float32")
        bound = (6 / (inputs + 12)) ** 0.5
        for gate in layer.gate_input.weight.chunk(4):
            assert 0.8 * bound < gate.abs().max() <= bound
        assert layer.gate_input.bias.view(4, 12).tolist() == [[0] * 12, [1] * 12, [0] * 12, [0] * 12]


def test_heads_see_nothing_of_each_other():
    core, state = make_model("slstm"), make_model("slstm").initial_state(1)
    x = draw(1, 1, F)
    changed = state._replace(h=state.h.clone())
    changed.h[..., :3] = 1.0
    one, other = core(x, state)[0][0, 0], core(x, changed)[0][0, 0]
    assert not torch.isclose(one[:3], other[:3]).any()
    assert torch.equal(one[3:], other[3:])
