"""The GRU behind the cores' interface is torch's own, and how it starts."""

import pytest

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch")

from torch.nn.utils.rnn import pack_padded_sequence  # noqa: E402

from helpers.model_zoo import B, F, T, draw, generator  # noqa: E402
from relational_rnn.nn import GRU  # noqa: E402
from tolerances import assert_close  # noqa: E402

HIDDEN, LAYERS = 6, 2


def make(**options):
    return GRU(F, HIDDEN, LAYERS, dtype=torch.float64, generator=generator(0), **options)


@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("given", [False, True])
def test_it_is_torchs_gru(batch_first, given):
    ours = make(batch_first=batch_first)
    theirs = torch.nn.GRU(F, HIDDEN, LAYERS, batch_first=batch_first, dtype=torch.float64)
    theirs.load_state_dict(ours.gru.state_dict())
    x = draw(*((B, T) if batch_first else (T, B)), F)
    state = draw(LAYERS, B, HIDDEN, seed=3) if given else None
    for inputs in (x, pack_padded_sequence(x, [3, 7, 1, 4], batch_first, enforce_sorted=False)):
        expected, expected_state = theirs(inputs, state)
        outputs, h = ours(inputs, state)
        assert type(outputs) is type(expected)
        assert_close(getattr(outputs, "data", outputs).detach(), getattr(expected, "data", expected).detach())
        assert_close(h.detach(), expected_state.detach())


def test_torchs_initial_values():
    torch.manual_seed(3)
    ours = GRU(F, HIDDEN, LAYERS)
    torch.manual_seed(3)
    theirs = torch.nn.GRU(F, HIDDEN, LAYERS)
    for name, value in theirs.named_parameters():
        assert torch.equal(getattr(ours.gru, name), value), "the same seed gives torch's own values"


def test_orthogonal_initial_values():
    gru = make(initialisation="orthogonal")
    for layer, inputs in enumerate((F, HIDDEN)):
        for gate in getattr(gru.gru, f"weight_hh_l{layer}").detach().chunk(3):
            assert_close(gate @ gate.T, torch.eye(HIDDEN, dtype=torch.float64))
        bound = (6 / (inputs + HIDDEN)) ** 0.5  # each gate is a layer of its own
        for gate in getattr(gru.gru, f"weight_ih_l{layer}").chunk(3):
            assert 0.8 * bound < gate.abs().max() <= bound
        both = getattr(gru.gru, f"bias_ih_l{layer}") + getattr(gru.gru, f"bias_hh_l{layer}")
        assert both.view(3, HIDDEN).tolist() == [[0] * HIDDEN, [1] * HIDDEN, [0] * HIDDEN]  # r, z, n


def test_the_update_gate_starts_open():
    """With its bias alone the state is kept by σ(1) at a step."""
    gru = make(initialisation="orthogonal").gru
    with torch.no_grad():
        for layer in range(LAYERS):
            getattr(gru, f"weight_ih_l{layer}").zero_()
            getattr(gru, f"weight_hh_l{layer}").zero_()
    h = draw(LAYERS, B, HIDDEN, seed=3)
    _, after = gru(draw(1, B, F), h)
    assert_close(after.detach(), h * torch.sigmoid(torch.tensor(1.0, dtype=torch.float64)))


def test_sizes_and_states():
    gru = make()
    assert (gru.input_size, gru.output_size, gru.num_layers) == (F, HIDDEN, LAYERS)
    h = gru.initial_state(3)
    assert h.shape == (LAYERS, 3, HIDDEN)
    assert h.dtype == torch.float64
    assert not h.any()
    assert "initialisation='torch'" in repr(gru)
    with pytest.raises(ValueError, match="initialisation must be one of 'torch', 'orthogonal', got 'zeros'"):
        make(initialisation="zeros")
    with pytest.raises(ValueError, match=r"state's h must have shape .*num_layers = 2.*; got \(1, 4, 6\)"):
        gru(draw(T, B, F), draw(1, B, HIDDEN))
