"""The LSTM behind the cores' interface: torch's own in every layout, and resets."""

import copy

import pytest

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch")

from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence  # noqa: E402

from helpers.torch_cores import gradients, weigh  # noqa: E402
from relational_rnn.nn import LSTM  # noqa: E402
from tolerances import assert_close  # noqa: E402

F, HIDDEN, B, T = 5, 6, 4, 7
LENGTHS = [3, 7, 1, 4]
every_depth = pytest.mark.parametrize("num_layers", [1, 2])


def make(num_layers=1, **options):
    generator = torch.Generator().manual_seed(0)
    return LSTM(F, HIDDEN, num_layers, dtype=torch.float64, generator=generator, **options)


def draw(*shape, seed=1):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def draw_state(num_layers, batch=B):
    return draw(num_layers, batch, HIDDEN, seed=2), draw(num_layers, batch, HIDDEN, seed=3)


def assert_same(actual, expected, what=""):
    assert_close(actual.detach(), expected.detach(), what=what)


def assert_same_state(actual, expected):
    for name, one, other in zip("hc", actual, expected, strict=True):
        assert_same(one, other, name)


@every_depth
@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("given", [False, True])
def test_it_is_torchs_lstm(num_layers, batch_first, given):
    ours = make(num_layers, batch_first=batch_first)
    theirs = torch.nn.LSTM(F, HIDDEN, num_layers, batch_first=batch_first, dtype=torch.float64)
    theirs.load_state_dict(ours.lstm.state_dict())
    x = draw(*((B, T) if batch_first else (T, B)), F)
    state = draw_state(num_layers) if given else None
    for inputs in (x, pack_padded_sequence(x, LENGTHS if batch_first else LENGTHS[:B], batch_first, False)):
        expected, expected_state = theirs(inputs, state)
        outputs, after = ours(inputs, state)
        assert type(outputs) is type(expected)
        assert_same(getattr(outputs, "data", outputs), getattr(expected, "data", expected))
        assert_same_state(after, expected_state)
    one, state_of_one = (
        (x[0] if batch_first else x[:, 0]),
        None if state is None else tuple(s[:, :1] for s in state),
    )
    expected, expected_state = theirs(one, None if state is None else tuple(s[:, 0] for s in state))
    outputs, after = ours(one, state_of_one)
    assert_same(outputs, expected)
    assert_same_state([s.squeeze(1) for s in after], expected_state)


def step_by_step(lstm, x, state, resets):
    """One sequence (T, F), step after step, zeroing the state before a step that restarts."""
    outputs = []
    for t in range(len(x)):
        if resets[t]:
            state = tuple(torch.zeros_like(s) for s in state)
        output, state = lstm.lstm(x[t : t + 1, None], state)
        outputs.append(output[:, 0])
    return torch.cat(outputs), state


def draw_resets():
    resets = torch.rand(T, B, generator=torch.Generator().manual_seed(4)) < 0.25
    resets[0, 1] = resets[3, 0] = resets[3, 1] = True  # before the first step; two rows at once
    resets[:, 3] = False
    return resets


@every_depth
@pytest.mark.parametrize("lengths", [None, LENGTHS, sorted(LENGTHS, reverse=True)])
def test_a_reset_is_a_fresh_state(num_layers, lengths):
    lstm, resets = make(num_layers), draw_resets()
    x, state = draw(T, B, F).requires_grad_(), tuple(s.requires_grad_() for s in draw_state(num_layers))
    wanted = (x, *state, *lstm.parameters())
    if lengths is None:
        outputs, last = lstm(x, state, resets=resets)
    else:
        ordered = lengths == sorted(lengths, reverse=True)
        packed, flags = (pack_padded_sequence(v, lengths, enforce_sorted=ordered) for v in (x, resets))
        outputs, last = lstm(packed, state, resets=flags)
        outputs, _ = pad_packed_sequence(outputs)
    ours = theirs = 0
    for row, length in enumerate(lengths or [T] * B):
        before = tuple(s[:, row : row + 1] for s in state)
        expected, expected_state = step_by_step(lstm, x[:length, row], before, resets[:length, row])
        after = [s[:, row : row + 1] for s in last]
        assert_same(outputs[:length, row], expected, f"row {row}")
        assert_same_state(after, expected_state)
        ours += weigh(outputs[:length, row], row) + weigh(after[0], 10 + row) + weigh(after[1], 20 + row)
        theirs += weigh(expected, row) + sum(weigh(s, k + row) for k, s in zip((10, 20), expected_state))
    for actual, reference in zip(gradients(ours, wanted), gradients(theirs, wanted), strict=True):
        assert_same(actual, reference, "gradient")


def test_resets_in_every_layout():
    lstm, resets, x, state = make(), draw_resets(), draw(T, B, F), draw_state(1)
    outputs, last = lstm(x, state, resets=resets)
    first = make(batch_first=True)
    swapped, same = first(x.transpose(0, 1), state, resets=resets.T)
    assert_same(swapped.transpose(0, 1), outputs)
    assert_same_state(same, last)
    for one in (lstm, first):
        alone, after = one(x[:, 0], tuple(s[:, :1] for s in state), resets=resets[:, 0])
        assert_same(alone, outputs[:, 0])
        assert_same_state(after, [s[:, :1] for s in last])
    broken = tuple(s * float("nan") for s in state)
    outputs, _ = lstm(x, broken, resets=torch.ones(T, B, dtype=torch.bool))
    assert outputs.isfinite().all()


# initial values


def test_torchs_initial_values():
    state = torch.get_rng_state()
    lstm = LSTM(40, 50, 2, generator=torch.Generator().manual_seed(0))
    assert torch.equal(torch.get_rng_state(), state), "torch's own generator was used"
    for name, value in lstm.lstm.named_parameters():
        bound = 50**-0.5
        assert 0.95 * bound < value.abs().max() <= bound, name
        assert value.std().item() == pytest.approx(bound / 3**0.5, rel=0.1), name
        assert value.mean().item() == pytest.approx(0, abs=0.2 * bound), name
    torch.manual_seed(3)
    ours = LSTM(F, HIDDEN, 2)
    torch.manual_seed(3)
    theirs = torch.nn.LSTM(F, HIDDEN, 2)
    for name, value in theirs.named_parameters():
        assert torch.equal(getattr(ours.lstm, name), value), "the same seed gives torch's own values"


def test_orthogonal_initial_values():
    lstm = make(2, initialisation="orthogonal")
    for layer, inputs in enumerate((F, HIDDEN)):
        for gate in getattr(lstm.lstm, f"weight_hh_l{layer}").detach().chunk(4):
            assert_close(gate @ gate.T, torch.eye(HIDDEN, dtype=torch.float64))
        bound = (6 / (inputs + HIDDEN)) ** 0.5  # each gate is a layer of its own
        for gate in getattr(lstm.lstm, f"weight_ih_l{layer}").chunk(4):
            assert 0.8 * bound < gate.abs().max() <= bound
        both = getattr(lstm.lstm, f"bias_ih_l{layer}") + getattr(lstm.lstm, f"bias_hh_l{layer}")
        gates = both.view(4, HIDDEN)  # i, f, g, o
        assert gates.tolist() == [[0] * HIDDEN, [1] * HIDDEN, [0] * HIDDEN, [0] * HIDDEN]
    again, other = make(2, initialisation="orthogonal"), copy.deepcopy(lstm)
    other.reset_parameters(torch.Generator().manual_seed(1))
    for name, value in lstm.state_dict().items():
        assert torch.equal(value, again.state_dict()[name])
        assert "bias" in name or not torch.equal(value, other.state_dict()[name])


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
@pytest.mark.parametrize("initialisation", ["torch", "orthogonal"])
def test_small_floats(initialisation, dtype):
    generator = torch.Generator().manual_seed(0)
    lstm = LSTM(F, HIDDEN, initialisation=initialisation, dtype=dtype, generator=generator)
    assert {value.dtype for value in lstm.parameters()} == {dtype}
    outputs, _ = lstm(draw(T, B, F).to(dtype))
    assert outputs.dtype == dtype
    if initialisation == "orthogonal":
        for gate in lstm.lstm.weight_hh_l0.detach().double().chunk(4):
            error = (gate @ gate.T - torch.eye(HIDDEN, dtype=torch.float64)).abs().max()
            assert error < 4 * torch.finfo(dtype).eps


def test_sizes_and_states():
    lstm = make(2)
    assert (lstm.input_size, lstm.output_size, lstm.num_layers) == (F, HIDDEN, 2)
    h, c = lstm.initial_state(3)
    assert h.shape == c.shape == (2, 3, HIDDEN)
    assert h.dtype == torch.float64
    assert not h.any()
    assert "initialisation='torch'" in repr(lstm)


# errors


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        (dict(input_size=0), ValueError, "input_size must be an integer of at least 1, got 0"),
        (dict(hidden_size=2.0), TypeError, "hidden_size must be an integer"),
        (dict(num_layers=0), ValueError, "num_layers must be an integer of at least 1, got 0"),
        (dict(batch_first="yes"), TypeError, "batch_first must be True or False, got 'yes'"),
        (dict(dtype=torch.int64), TypeError, "dtype must be a floating-point torch dtype, got torch.int64"),
        (dict(dtype="float32"), TypeError, "dtype must be a floating-point torch dtype, got 'float32'"),
        (
            dict(initialisation="zeros"),
            ValueError,
            "initialisation must be one of 'torch', 'orthogonal', got 'zeros'",
        ),
    ],
)
def test_bad_options(options, error, message):
    with pytest.raises(error, match=message):
        LSTM(**{"input_size": F, "hidden_size": HIDDEN, **options})


def test_bad_inputs():
    lstm, x, (h, c) = make(2), draw(T, B, F), draw_state(2)
    with pytest.raises(ValueError, match=r"input must have shape \(T, B, F\) .*where F = 6"):
        lstm(draw(T, B, F + 1))
    with pytest.raises(ValueError, match=r"input must have 3 axes"):
        lstm(draw(2, T, B, F))
    with pytest.raises(ValueError, match=r"must not be empty.*where T = 0"):
        lstm(x[:0])
    with pytest.raises(TypeError, match=r"got torch.float32"):
        lstm(x.float())
    with pytest.raises(TypeError, match=r"input must be floating point .*got torch.int64"):
        lstm(x.long())
    with pytest.raises(TypeError, match=r"device cpu, got meta"):
        lstm(x.to("meta"))
    with pytest.raises(TypeError, match=r"state must be a tuple \(h, c\), got Tensor"):
        lstm(x, h)
    with pytest.raises(TypeError, match=r"state must be a tuple \(h, c\)"):
        lstm(x, (h, c, c))
    with pytest.raises(ValueError, match=r"state's c must have shape .*num_layers = 2.*; got \(1, 4, 6\)"):
        lstm(x, (h, c[:1]))
    with pytest.raises(ValueError, match=r"state's h must have shape .*B = 1.*; got \(2, 4, 6\)"):
        lstm(x[:, 0], (h, c))
    with pytest.raises(TypeError, match=r"state's h must have the parameters' dtype"):
        lstm(x, (h.float(), c))
    with pytest.raises(TypeError, match=r"resets must be bool"):
        lstm(x, resets=torch.zeros(T, B))
    with pytest.raises(ValueError, match=r"resets must have shape \(T, B\)"):
        lstm(x, resets=torch.zeros(B, T, dtype=torch.bool))
    with pytest.raises(ValueError, match="batch_size must be an integer of at least 1"):
        lstm.initial_state(0)
