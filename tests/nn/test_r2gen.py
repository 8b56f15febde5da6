"""R2Gen's memory as a core: layouts, splits, resets, derivatives; and the layer norm that it drives."""

import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch")

from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence  # noqa: E402

from helpers.model_zoo import draw, generator  # noqa: E402
from relational_rnn.nn import Core, RelationalMemory  # noqa: E402
from relational_rnn.nn.r2gen import ConditionalLayerNorm, R2GenMemory  # noqa: E402
from tolerances import assert_close  # noqa: E402

B, T, D, N = 4, 7, 6, 3


def make(**options):
    return R2GenMemory(D, N, 2, dtype=torch.float64, generator=generator(0), **options).eval()


def assert_same(actual, expected, what=""):
    assert_close(actual.detach(), expected.detach(), what=what)


def test_it_is_a_core():
    memory = make()
    assert isinstance(memory, Core)
    assert (memory.input_size, memory.output_size) == (D, N * D)
    x = draw(B, T, D)
    outputs, last = memory(x)
    assert outputs.shape == (B, T, N * D)
    again, same = memory(x, memory.initial_state(B))
    assert_same(again, outputs)
    assert_same(same, last)
    assert "num_slots=3" in repr(memory)


@given(cuts=st.lists(st.integers(1, 3), min_size=1, max_size=4))
def test_carried_token_by_token_or_in_pieces_equals_the_whole(cuts):
    memory, x = make(), draw(B, sum(cuts), D)
    whole, last = memory(x)
    for lengths in (cuts, [1] * sum(cuts)):
        state, outputs = None, []
        for piece in x.split(lengths, 1):
            output, state = memory(piece, state)
            outputs.append(output)
        assert_same(torch.cat(outputs, 1), whole, f"in pieces of {lengths}")
        assert_same(state, last)


def test_gradients_go_through_a_carried_state():
    memory, x = make(), draw(B, T, D).requires_grad_()
    weight = draw(B, T, N * D)
    (expected,) = torch.autograd.grad((memory(x)[0] * weight).sum(), x)
    state, total = None, 0
    for t in range(T):
        output, state = memory(x[:, t : t + 1], state)
        total = total + (output[:, 0] * weight[:, t]).sum()
    (found,) = torch.autograd.grad(total, x)
    assert_same(found, expected)


def test_every_layout():
    memory, time_first = make(), make(batch_first=False)
    x = draw(B, T, D)
    outputs, last = memory(x)
    swapped, same = time_first(x.transpose(0, 1))
    assert_same(swapped.transpose(0, 1), outputs)
    assert_same(same, last)
    for row in range(B):  # rows do not know each other
        alone, state = memory(x[row])
        assert_same(alone, outputs[row])
        assert_same(state, last[row : row + 1])
    lengths = torch.tensor([3, 7, 1, 4])
    packed, after = memory(pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False))
    padded, _ = pad_packed_sequence(packed, batch_first=True)
    for row, length in enumerate(lengths.tolist()):
        assert_same(padded[row, :length], outputs[row, :length])
        assert_same(after[row], outputs[row, length - 1].view(N, D))


def test_a_reset_begins_another_report():
    memory, x = make(), draw(B, T, D)
    resets = torch.zeros(B, T, dtype=torch.bool)
    resets[1, 3] = True
    outputs, _ = memory(x, memory.initial_state(B) + 1, resets=resets)
    whole, _ = memory(x, memory.initial_state(B) + 1)
    assert_same(outputs[[0, 2, 3]], whole[[0, 2, 3]])
    assert_same(outputs[1, 3:], memory(x[1, 3:])[0])


def test_derivatives():
    memory = R2GenMemory(4, 2, 2, dtype=torch.float64, generator=generator(0)).eval()
    x, state = draw(2, 3, 4).requires_grad_(), draw(2, 2, 4, seed=5).requires_grad_()
    assert torch.autograd.gradcheck(memory, (x, state))
    norm = ConditionalLayerNorm(4, 2, 3, dtype=torch.float64, generator=generator(0))
    assert torch.autograd.gradcheck(norm, (x, draw(2, 3, 6).requires_grad_()))


def test_training_drops_attention_and_evaluation_does_not():
    memory, x = make(dropout=0.5), draw(B, T, D)
    assert memory(x)[0].equal(memory(x)[0])
    memory.train()
    assert not memory(x)[0].equal(memory(x)[0])
    sure = make(dropout=0.0).train()
    assert_same(sure(x)[0], make()(x)[0])


def test_initial_values_are_r2gens():
    memory = R2GenMemory(64, generator=generator(3))
    for layer in (memory.qkv, memory.attention_output, *memory.mlp, memory.gate_input, memory.gate_memory):
        rows = 64 if layer is memory.qkv else layer.out_features  # Xavier for each of q, k and v
        bound = (6 / (64 + rows)) ** 0.5
        assert 0.98 * bound < layer.weight.abs().max() <= bound
        assert 0 < layer.bias.abs().max() <= 1 / 8
    same = R2GenMemory(64, generator=generator(3))
    assert all(a.equal(b) for a, b in zip(memory.parameters(), same.parameters(), strict=True))
    norm = ConditionalLayerNorm(5, 2, 4, generator=generator(3))
    assert norm.gamma.eq(1).all()
    assert norm.beta.eq(0).all()
    assert norm.mlp_beta[2].bias.eq(0.1).all()


def test_dtypes_and_copies():
    memory, x = make(), draw(B, T, D)
    expected, _ = memory(x)
    single = copy.deepcopy(memory).float()
    assert_close(single(x.float())[0].detach(), expected.detach(), "float32")
    assert {p.device.type for p in R2GenMemory(4, 2, 2, device="meta").parameters()} == {"meta"}
    with torch.autocast("cpu", torch.bfloat16):
        outputs, _ = single(x.float())
    assert_close(outputs.detach().double(), expected.detach(), "bfloat16")


def test_the_norm_takes_either_memory():
    x = draw(B, T, D)
    norm = ConditionalLayerNorm(5, N, D, dtype=torch.float64, generator=generator(1))
    authors = RelationalMemory(D, N, 3, 2, batch_first=True, dtype=torch.float64, generator=generator(2))
    y, (ours, _), (theirs, _) = draw(B, T, 5, seed=7), make()(x), authors(x)
    assert norm(y, ours).shape == norm(y, theirs).shape == y.shape
    assert not norm(y, ours).equal(norm(y, theirs))
    # a row's gain and bias come from its own memory alone
    assert_same(norm(y[1, 2], ours[1, 2]), norm(y, ours)[1, 2])


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: R2GenMemory(6, 3, 4), ValueError, "num_heads must divide d_model = 6, got 4"),
        (lambda: R2GenMemory(6, 0, 2), ValueError, "num_slots must be an integer of at least 1, got 0"),
        (lambda: R2GenMemory(6.0, 3, 2), TypeError, r"d_model must be an integer .* got 6.0 \(float\)"),
        (
            lambda: R2GenMemory(6, dropout=2, num_heads=2),
            ValueError,
            "dropout must be .* from 0.0 to 1.0, got 2",
        ),
        (lambda: R2GenMemory(6, 3, 2, dtype=torch.int64), TypeError, "floating-point torch dtype"),
        (lambda: make()(draw(B, T, 5)), ValueError, r"input must have shape \(B, T, D\).*where D = 5"),
        (lambda: make()(draw(B, T, D).float()), TypeError, "must have the parameters' dtype"),
        (lambda: make()(draw(B, T, D), draw(B, N * D)), ValueError, r"state must have 3 axes \(B, N, D\)"),
        (lambda: make()(draw(B, T, D), draw(2, N, D)), ValueError, r"state must have shape .*where B = 2"),
        (lambda: make()(draw(B, T, D), resets=torch.zeros(B, T)), TypeError, "resets must be bool"),
        (
            lambda: ConditionalLayerNorm(1, 3, 4),
            ValueError,
            "d_model must be an integer of at least 2, got 1",
        ),
        (lambda: ConditionalLayerNorm(5, 3, 4, -1.0), ValueError, "eps must be .* got -1.0"),
        (
            lambda: ConditionalLayerNorm(5, 3, 4)(torch.zeros(2, 5), torch.zeros(3, 12)),
            ValueError,
            r"5 features and memory 12 with the same leading axes, got shapes \(2, 5\) and \(3, 12\)",
        ),
        (
            lambda: ConditionalLayerNorm(5, 3, 4)(torch.zeros(2, 5), None),
            TypeError,
            "memory must be a torch.Tensor, got NoneType",
        ),
    ],
)
def test_errors(call, error, message):
    with pytest.raises(error, match=message):
        call()
