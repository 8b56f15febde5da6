"""The causal Transformer against a plain twin, its positions, its dropout, and what its state keeps."""

import math

import pytest

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch")

from torch.nn.utils.rnn import pack_padded_sequence  # noqa: E402

from helpers.model_zoo import B, F, T, draw, generator  # noqa: E402
from relational_rnn.nn import CausalTransformer  # noqa: E402
from relational_rnn.nn.positions import rotate, sinusoids  # noqa: E402
from tolerances import assert_close  # noqa: E402

K, H, LAYERS = 3, 2, 3
D = K * H


def make(**options):
    sizes = dict(head_size=K, num_heads=H, num_layers=LAYERS) | options
    return CausalTransformer(F, **sizes, dtype=torch.float64, generator=generator(0))


def turned(x):
    """Each head's pairs as complex numbers, turned by the step's number; of three features the last stays."""
    heads = x.unflatten(-1, (H, K)).clone()
    for t in range(len(x)):
        number = torch.complex(heads[t, :, 0], heads[t, :, 1]) * complex(math.cos(t), math.sin(t))
        heads[t, :, 0], heads[t, :, 1] = number.real, number.imag
    return heads.flatten(1)


def twin(model, x):
    """One sequence (T, F), step by step and head by head."""
    rows = model.input_projection(x)
    if model.positions == "sinusoidal":
        rows = rows + sinusoids(torch.arange(len(x)), D, torch.float64)
    elif model.positions == "learned":
        rows = rows + torch.stack([model.position_table[min(t, 3)] for t in range(len(x))])
    for layer in model.layers:
        q, k, v = layer.qkv(layer.attention_norm(rows)).split(D, -1)
        if model.positions == "rotary":
            q, k = turned(q), turned(k)
        found = torch.zeros_like(rows)
        for head in range(H):
            of_head = slice(head * K, head * K + K)
            for t in range(len(x)):
                scores = k[: t + 1, of_head] @ q[t, of_head] / math.sqrt(K)
                found[t, of_head] = torch.softmax(scores, 0) @ v[: t + 1, of_head]
        rows = rows + layer.attention_output(found)
        rows = rows + layer.narrow(torch.relu(layer.widen(layer.mlp_norm(rows))))
    return model.output_norm(rows)


@pytest.mark.parametrize("positions", ["sinusoidal", "learned", "rotary", "none"])
def test_it_is_what_the_docstring_says(positions):
    model, x = make(positions=positions, learned_positions=4), draw(T, B, F)
    outputs, _ = model(x)
    for row in range(B):
        assert_close(outputs[:, row].detach(), twin(model, x[:, row]).detach())


@pytest.mark.parametrize("width", [1, 2, 7, 8])
def test_positions_are_sinusoids(width):
    positions = torch.tensor([[0, 1, 17], [5, 1000, 2]])
    features = sinusoids(positions, width, torch.float64)
    assert features.shape == (2, 3, width)
    half = (width + 1) // 2
    for feature in range(width):
        wave = math.sin if feature < half else math.cos
        frequency = 10000 ** (-2 * (feature % half) / width)
        expected = [[wave(p * frequency) for p in row] for row in positions.tolist()]
        assert_close(features[..., feature], expected)


@pytest.mark.parametrize("size", [1, 2, 5, 8])
def test_turned_products_depend_on_the_distance_alone(size):
    q, k = draw(2, 3, 1, size), draw(2, 3, 1, size, seed=3)
    at = torch.tensor([0, 3, 700, 10])

    def products(first, second):
        rows = (x.expand(-1, -1, 4, -1) for x in (q, k))
        return torch.linalg.vecdot(*(rotate(x, p) for x, p in zip(rows, (first, second), strict=True)))

    assert_close(products(at + 5, at), products(at * 0 + 5, at * 0))
    assert_close(products(at, at), torch.linalg.vecdot(q, k).expand(-1, -1, 4))
    each = rotate(q.expand(-1, -1, 4, -1), torch.stack([at, at + 1]))  # positions of each row's own
    assert_close(each[1], rotate(q[1:].expand(-1, -1, 4, -1), at + 1)[0])
    if size > 1:
        assert not torch.isclose(products(at + 1, at), products(at, at)).all(-1).any()


def test_without_positions_the_mask_alone_tells_the_order():
    """One layer sees which steps were before, not in which order; with the second it can count."""
    x = draw(T, B, F)
    swapped = x.clone()
    swapped[[0, 1]] = x[[1, 0]]
    for layers, same in ((1, True), (2, False)):
        model = make(positions="none", num_layers=layers)
        one, other = model(x)[0][-1], model(swapped)[0][-1]
        assert torch.isclose(one, other).all() == same


def test_bad_positions():
    with pytest.raises(ValueError, match=r"positions must be one of .*'rotary'.* got 'alibi'"):
        make(positions="alibi")
    assert "positions='none'" in repr(make(positions="none"))
    assert [name for name, _ in make(positions="learned").named_parameters() if "position" in name]
    assert not [name for name, _ in make().named_parameters() if "position" in name]


def test_order_counts():
    model, x = make(), draw(T, B, F)
    swapped = x.clone()
    swapped[[0, 1]] = x[[1, 0]]
    assert not torch.isclose(model(swapped)[0][-1], model(x)[0][-1]).all(-1).any()


def test_dropout_is_for_training_alone():
    model, plain, x = make(dropout=0.5), make(), draw(T, B, F)
    assert_close(model.eval()(x)[0].detach(), plain(x)[0].detach())
    model.train()
    torch.manual_seed(0)
    one, other = model(x)[0], model(x)[0]
    assert not torch.allclose(one, other)
    torch.manual_seed(0)
    assert torch.equal(model(x)[0], one)
    with pytest.raises(ValueError, match=r"dropout must be a finite number from 0.0 to 1.0, got 1.5"):
        make(dropout=1.5)


def test_the_state_holds_every_step():
    model = make()
    empty = model.initial_state(B)
    assert empty.keys.shape == empty.values.shape == (B, LAYERS, H, 0, K)
    _, state = model(draw(T, B, F), empty)
    assert state.keys.shape == state.values.shape == (B, LAYERS, H, T, K)
    assert state.valid.all()
    _, state = model(draw(2, B, F), state)
    assert state.keys.shape[3] == state.valid.shape[1] == T + 2
    assert (model.output_size, make(num_heads=5).output_size) == (D, 5 * K)


def test_what_no_row_sees_is_let_go():
    model, resets = make(), torch.zeros(T, B, dtype=torch.bool)
    _, state = model(draw(3, B, F))
    resets[4, 1:] = resets[5, 0] = resets[2, 2] = True
    _, state = model(draw(T, B, F), state, resets=resets)
    assert state.valid.tolist() == [[False, True, True]] + [[True] * 3] * 3
    assert state.keys.shape == (B, LAYERS, H, 3, K)


def test_padding_is_not_kept():
    packed = pack_padded_sequence(draw(T, B, F), [3, 7, 1, 4], enforce_sorted=False)
    _, state = make()(packed)
    assert state.valid.sum(1).tolist() == [3, 7, 1, 4]


def test_bad_states():
    model, x = make(), draw(T, B, F)
    _, state = model(x)
    for changed, error, message in (
        (dict(valid=state.valid.long()), TypeError, "state's valid must be a bool tensor on cpu, got"),
        (dict(valid=None), TypeError, "state's valid must be a bool tensor on cpu, got None"),
        (dict(valid=state.valid[0]), ValueError, r"state's valid must have shape \(B, P\) with B = 4, got"),
        (
            dict(valid=state.valid[:, 1:]),
            ValueError,
            r"state's keys .* = \(4, 3, 2, 6, 3\), got \(4, 3, 2, 7",
        ),
        (
            dict(values=state.values[:, 1:]),
            ValueError,
            r"state's values must have shape \(B, layers, H, P, K\)",
        ),
    ):
        with pytest.raises(error, match=message):
            model(x, state._replace(**changed))
    with pytest.raises(TypeError, match=r"state must be a tuple \(keys, values, valid\), got Tensor"):
        model(x, state.keys)
