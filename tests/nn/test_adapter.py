"""The adapter: an identity at first, chunks of any length, padding and resets, and its derivatives."""

import copy

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch")

from helpers.model_zoo import draw, generator  # noqa: E402
from relational_rnn.nn import RelationalMemoryAdapter  # noqa: E402
from tolerances import assert_close  # noqa: E402

B, T, W, N, V, H = 4, 7, 10, 3, 2, 2
D = H * V


def plain(**options):
    options = {"dtype": torch.float64, "generator": generator(0), **options}
    return RelationalMemoryAdapter(W, N, V, H, **options)


def make(**options):
    """An adapter whose parameters all count."""
    adapter, noise = plain(**options), generator(1)
    with torch.no_grad():
        for parameter in adapter.parameters():
            parameter += 0.3 * torch.randn(parameter.shape, generator=noise, dtype=torch.float64)
    return adapter


def some_memory(seed=5):
    return draw(B, N, D, seed=seed)


def assert_same(actual, expected, what=""):
    assert_close(actual.detach(), expected.detach(), what=what)


# what it computes


def test_it_is_an_identity_at_first():
    adapter, x = plain(), draw(B, T, W)
    hidden, memory = adapter(x, some_memory())
    assert hidden.equal(x)
    assert not memory.equal(some_memory())  # but it writes
    hidden.square().sum().backward()
    assert adapter.read_output.weight.grad.any()  # and it can begin to read


def test_reading_is_the_formula():
    adapter, x, memory = make(), draw(B, T, W), some_memory()
    p = {name: value.detach().numpy() for name, value in adapter.named_parameters()}

    def linear(name, rows):
        return rows @ p[f"{name}.weight"].T + p[f"{name}.bias"]

    def norm(name, rows):
        centred = rows - rows.mean(-1, keepdims=True)
        return centred / np.sqrt(rows.var(-1, keepdims=True) + 1e-5) * p[f"{name}.weight"] + p[f"{name}.bias"]

    rows, slots = norm("hidden_norm", x.numpy()), norm("memory_norm", memory.numpy())
    q, (k, v) = linear("query", rows), np.split(linear("key_value", slots), 2, -1)
    found = np.empty((B, T, D))
    for row in range(B):
        for head in range(H):
            own = slice(head * V, (head + 1) * V)
            scores = np.exp(q[row, :, own] @ k[row, :, own].T / np.sqrt(V))
            found[row, :, own] = scores / scores.sum(1, keepdims=True) @ v[row, :, own]
    expected = x.numpy() + linear("read_output", found) / (1 + np.exp(-linear("read_gate", rows)))
    hidden, after = adapter(x, memory)
    assert_close(hidden.detach(), expected)
    assert_same(after, adapter.core(torch.from_numpy(rows), memory)[1])


def test_no_token_sees_a_later_one_nor_another_row():
    adapter, x, memory = make(), draw(B, T, W), some_memory()
    hidden, after = adapter(x, memory)
    other = x.clone()
    other[1, 4] += 1
    changed, later = adapter(other, memory)
    mine = (changed != hidden).any(-1)
    assert mine[1, 4]
    assert mine.sum() == 1
    assert (later != after).flatten(1).any(1).tolist() == [False, True, False, False]


# chunks


@given(cuts=st.lists(st.integers(1, 4), min_size=1, max_size=4))
def test_the_memory_does_not_know_where_chunks_end(cuts):
    adapter, x, memory = make(), draw(B, sum(cuts), W), some_memory()
    _, expected = adapter(x, memory)
    for chunk in x.split(cuts, 1):
        hidden, memory = adapter(chunk, memory)
        assert hidden.shape == chunk.shape
    assert_same(memory, expected)


def test_a_chunk_reads_what_earlier_ones_wrote_and_gradients_go_back():
    adapter = make()
    first, second = draw(B, T, W).requires_grad_(), draw(B, 3, W, seed=6)
    _, memory = adapter(first)
    hidden, _ = adapter(second, memory)
    hidden.square().sum().backward()
    assert first.grad.flatten(1).any(1).all()  # only through the memory
    lacking = [name for name, p in adapter.named_parameters() if p.grad is None or not p.grad.any()]
    assert not lacking
    alone, _ = adapter(second)
    assert not torch.allclose(hidden, alone)


def test_without_a_memory_it_is_the_initial_one():
    adapter, x = make(initial_memory="trainable"), draw(B, T, W)
    for one, other in zip(adapter(x), adapter(x, adapter.initial_state(B)), strict=True):
        assert_same(one, other)


def test_derivatives():
    adapter = RelationalMemoryAdapter(4, 2, 2, 1, dtype=torch.float64, generator=generator(0))
    torch.nn.init.normal_(adapter.read_output.weight, generator=generator(1))
    x, memory = draw(2, 3, 4).requires_grad_(), draw(2, 2, 2, seed=5).requires_grad_()
    mask = torch.tensor([[False, True, False], [True, True, True]])
    resets = torch.tensor([[False, False, True], [False, False, False]])
    assert torch.autograd.gradcheck(adapter, (x, memory))
    assert torch.autograd.gradcheck(
        lambda x, memory: adapter(x, memory, padding_mask=mask, resets=resets), (x, memory)
    )


# padding and resets


def row_by_row(adapter, x, memory, mask, resets):
    """The same, of one row and one text at a time, without padding: the plain twin."""
    hidden, last = x.detach().clone(), []
    for row in range(len(x)):
        state, tokens = memory[row : row + 1], []
        begins = {t for t in range(x.shape[1]) if resets[row, t]}

        def finish(state, tokens):
            if tokens:
                read, state = adapter(x[row : row + 1, tokens], state)  # noqa: B023
                hidden[row, tokens] = read[0].detach()  # noqa: B023
            return state

        for t in range(x.shape[1]):
            if t in begins:
                finish(state, tokens)
                state, tokens = adapter.initial_state(1), []
            if not mask[row, t]:
                tokens.append(t)
        last.append(finish(state, tokens))
    return hidden, torch.cat(last)


@given(data=st.data())
def test_padding_and_resets_equal_texts_on_their_own(data):
    adapter, x, memory = make(), draw(B, T, W), some_memory()
    flags = st.lists(st.lists(st.booleans(), min_size=T, max_size=T), min_size=B, max_size=B)
    mask, resets = (torch.tensor(data.draw(flags, label=label)) for label in ("padding", "resets"))
    hidden, last = adapter(x, memory, padding_mask=mask, resets=resets)
    expected, state = row_by_row(adapter, x, memory, mask, resets)
    assert_same(hidden, expected, "hidden")
    assert_same(last, state, "memory")


def test_what_padding_holds_has_no_influence():
    adapter, memory = make(), some_memory()
    mask = torch.zeros(B, T, dtype=torch.bool)
    mask[0, 5:] = mask[1, :3] = mask[2] = True  # behind, before, everything
    results = []
    for filling in (0.0, 7.0, float("nan")):
        x = draw(B, T, W).masked_fill(mask.unsqueeze(-1), filling)
        hidden, last = adapter(x, memory, padding_mask=mask)
        shown = hidden[~mask]
        adapter.zero_grad()
        (shown.square().sum() + last.pow(3).sum()).backward()
        results.append([shown, last, *(p.grad for p in adapter.parameters())])
        assert hidden[mask].nan_to_num(-1).equal(x[mask].nan_to_num(-1))
        assert last[2].equal(memory[2])
    for others in results[1:]:
        for one, other in zip(results[0], others, strict=True):
            assert_same(one, other)


# as a module


def test_a_saved_one_is_the_same_and_a_drawn_one_too():
    adapter, x = make(), draw(B, T, W)
    again = plain(generator=generator(9))
    again.load_state_dict(adapter.state_dict())
    assert_same(again(x)[0], adapter(x)[0])
    again.reset_parameters(generator(0))
    for one, other in zip(again.state_dict().values(), plain().state_dict().values(), strict=True):
        assert one.equal(other)


def test_dtypes():
    adapter, x = make(), draw(B, T, W)
    single = copy.deepcopy(adapter).float()
    for one, other in zip(single(x.float()), adapter(x), strict=True):
        assert_close(one.detach(), other.detach(), "float32")
    assert {p.device.type for p in RelationalMemoryAdapter(4, device="meta").parameters()} == {"meta"}


def test_it_stands_in_a_decoder():
    blocks = [torch.nn.TransformerEncoderLayer(W, 2, 16, 0.0, batch_first=True).double() for _ in range(2)]
    adapter, memory, x = plain(), None, draw(B, T, W)
    mask = torch.nn.Transformer.generate_square_subsequent_mask(T, dtype=torch.float64)
    expected = hidden = x
    for block in blocks:
        expected = block(expected, mask, is_causal=True)
    for number, block in enumerate(blocks):
        hidden = block(hidden, mask, is_causal=True)
        if number == 0:
            hidden, memory = adapter(hidden, memory)
    assert hidden.equal(expected)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: RelationalMemoryAdapter(0), ValueError, "hidden_size must be an integer of at least 1"),
        (lambda: plain(read_head="mean"), ValueError, "reads by attention: no read_head"),
        (lambda: plain(treat_input_as_matrix=True), ValueError, "no treat_input_as_matrix"),
        (
            lambda: plain(gate_styl="unit"),
            TypeError,
            r"Adapter got unknown arguments: gate_styl \(did you mean gate_style\?\)",
        ),
        (lambda: plain(num_slots=2), TypeError, "num_slots is mem_slots here"),
        (lambda: make()(draw(B, T, W + 1)), ValueError, "hidden must have shape .*where F = 11"),
        (lambda: make()(draw(B, T, W)[0]), ValueError, "hidden must have 3 axes"),
        (lambda: make()(draw(B, T, W)[:, :0]), ValueError, "hidden must not be empty"),
        (lambda: make()(draw(B, T, W).float()), TypeError, "hidden must have the parameters' dtype"),
        (lambda: make()(draw(B, T, W), some_memory()[:1]), ValueError, "memory must have shape .*B = 1"),
        (
            lambda: make()(draw(B, T, W), padding_mask=torch.zeros(B, T)),
            TypeError,
            "padding_mask must be a torch.bool tensor on cpu, got torch.float32 on cpu",
        ),
        (
            lambda: make()(draw(B, T, W), resets=[True] * B),
            TypeError,
            "resets must be a torch.bool tensor on cpu, got list",
        ),
        (
            lambda: make()(draw(B, T, W), resets=torch.ones(B, dtype=torch.bool)),
            ValueError,
            "resets must have 2 axes",
        ),
    ],
)
def test_errors(call, error, message):
    with pytest.raises(error, match=message):
        call()
