"""The DNC against a slow twin that follows the paper's sums index by index, and what its memory must keep."""

import numpy as np
import pytest

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch")

from hypothesis import given  # noqa: E402
from hypothesis import strategies as st  # noqa: E402

from helpers.model_zoo import draw, generator  # noqa: E402
from relational_rnn.nn import DNC  # noqa: E402
from relational_rnn.nn.dnc.addressing import EPSILON, allocation_weighting, content_weighting  # noqa: E402
from relational_rnn.nn.dnc.memory import (  # noqa: E402
    Interface,
    Memory,
    access,
    interface_widths,
    parse_interface,
)
from tolerances import assert_close  # noqa: E402

B, N, W, H, F, HIDDEN, LAYERS = 4, 5, 3, 2, 7, 6, 2


# the slow twin: one sample, Graves et al. 2016, Methods


def slow_interface(xi):
    """Cut the interface vector (of one sample) as the paper lists its parts."""
    position, parts = 0, []
    for size in (W * H, H, W, 1, W, W, H, 1, 1, 3 * H):
        parts.append(xi[position : position + size])
        position += size
    assert position == len(xi) == W * H + 3 * W + 5 * H + 3

    def sigmoid(x):
        return 1 / (1 + np.exp(-x))

    def oneplus(x):
        return 1 + np.log(1 + np.exp(x))

    def softmax(x):
        return np.exp(x) / np.exp(x).sum()

    return dict(
        read_keys=parts[0].reshape(H, W),
        read_strengths=oneplus(parts[1]),
        write_key=parts[2],
        write_strength=oneplus(parts[3])[0],
        erase=sigmoid(parts[4]),
        write=parts[5],
        free_gates=sigmoid(parts[6]),
        allocation_gate=sigmoid(parts[7])[0],
        write_gate=sigmoid(parts[8])[0],
        read_modes=[softmax(mode) for mode in parts[9].reshape(H, 3)],
    )


def slow_content(words, key, strength):
    def length(x):
        return np.sqrt(x @ x + EPSILON)

    scores = np.exp([strength * (word @ key) / (length(word) * length(key)) for word in words])
    return scores / scores.sum()


def slow_allocation(usage):
    usage = [EPSILON + (1 - EPSILON) * u for u in usage]
    free_list = sorted(range(len(usage)), key=lambda slot: usage[slot])
    allocation = np.zeros(len(usage))
    for j, slot in enumerate(free_list):
        allocation[slot] = (1 - usage[slot]) * np.prod([usage[other] for other in free_list[:j]])
    return allocation


def slow_access(m, i):
    retained = [
        np.prod([1 - i["free_gates"][h] * m["read_weights"][h][n] for h in range(H)]) for n in range(N)
    ]
    before = m["write_weights"]
    usage = [(m["usage"][n] + before[n] - m["usage"][n] * before[n]) * retained[n] for n in range(N)]
    found = slow_content(m["words"], i["write_key"], i["write_strength"])
    g = i["allocation_gate"]
    write = i["write_gate"] * (g * slow_allocation(usage) + (1 - g) * found)
    words, links = np.zeros((N, W)), np.zeros((N, N))
    for n in range(N):
        words[n] = m["words"][n] * (1 - write[n] * i["erase"]) + write[n] * i["write"]
        for k in range(N):
            if n != k:
                links[n, k] = (1 - write[n] - write[k]) * m["links"][n, k] + write[n] * m["precedence"][k]
    reading = np.zeros((H, N))
    for h in range(H):
        last, modes = m["read_weights"][h], i["read_modes"][h]
        content = slow_content(words, i["read_keys"][h], i["read_strengths"][h])
        reading[h] = modes[0] * (links.T @ last) + modes[1] * content + modes[2] * (links @ last)
    after = dict(
        words=words,
        usage=usage,
        links=links,
        precedence=(1 - sum(write)) * m["precedence"] + write,
        write_weights=write,
        read_weights=reading,
    )
    return np.stack([words.T @ weights for weights in reading]), after


def some_interface(seed, scale=2.0):
    return scale * draw(B, sum(interface_widths(W, H)), seed=seed)


def empty_memory():
    shapes = [(B, N, W), (B, N), (B, N, N), (B, N), (B, N), (B, H, N)]
    return Memory(*(torch.zeros(shape, dtype=torch.float64) for shape in shapes))


def memory_after(steps, scale=2.0):
    memory = empty_memory()
    for step in range(steps):
        _, memory = access(memory, parse_interface(some_interface(step, scale), W, H))
    return memory


def test_the_memory_is_the_papers():
    memory = empty_memory()
    slow = [{name: value[b].numpy() for name, value in memory._asdict().items()} for b in range(B)]
    for step in range(7):
        vectors = some_interface(seed=step)
        reads, memory = access(memory, parse_interface(vectors, W, H))
        for b in range(B):
            expected, slow[b] = slow_access(slow[b], slow_interface(vectors[b].numpy()))
            assert_close(reads[b], expected, what=f"reads at step {step}")
            for name, value in memory._asdict().items():
                assert_close(value[b], slow[b][name], what=f"{name} at step {step}")


usages = st.lists(st.floats(0, 1) | st.sampled_from([0.0, 0.25, 1.0]), min_size=1, max_size=9)


@given(usages)
def test_allocation(usage):
    actual = allocation_weighting(torch.tensor([usage], dtype=torch.float64))[0]
    assert_close(actual, slow_allocation(usage))
    assert actual.min() >= 0
    assert actual.sum() <= 1 + 1e-12
    moved = [EPSILON + (1 - EPSILON) * u for u in usage]
    assert_close(actual.sum(), 1 - np.prod(moved), what="all is allocated but what is used everywhere")


def test_allocation_goes_to_the_free_slot():
    allocation = allocation_weighting(torch.tensor([[1.0, 1.0, 0.0, 1.0], [1.0, 1.0, 1.0, 1.0]]))
    torch.testing.assert_close(allocation[0], torch.tensor([0.0, 0.0, 1.0, 0.0]), rtol=0, atol=2e-6)
    assert not allocation[1].any()


@pytest.mark.parametrize("value", [0.0, 0.5, 1.0])
def test_equal_usages_have_a_finite_gradient(value):
    usage = torch.full((1, 9), value, requires_grad=True)
    allocation = allocation_weighting(usage)
    (gradient,) = torch.autograd.grad(allocation[0, 3] + 2 * allocation[0, 0], usage)
    assert gradient.isfinite().all()


def test_looking_up_words_of_zeros():
    keys = torch.zeros(1, 1, W, requires_grad=True)
    words = torch.zeros(1, N, W, requires_grad=True)
    weights = content_weighting(words, keys, torch.full((1, 1), 30.0))
    assert weights.tolist() == [[[pytest.approx(1 / N)] * N]]
    for gradient in torch.autograd.grad(weights[0, 0, 0], (keys, words)):
        assert gradient.isfinite().all()


# what must hold whatever the interface says


@given(st.integers(1, 12), st.sampled_from([0.1, 2.0, 30.0]))
def test_what_the_memory_keeps(steps, scale):
    memory = memory_after(steps, scale)
    slack = 1e-12
    assert memory.usage.min() >= 0
    assert memory.usage.max() <= 1
    assert not memory.links.diagonal(dim1=1, dim2=2).any()
    assert memory.links.min() >= -slack
    assert memory.links.sum(1).max() <= 1 + slack
    assert memory.links.sum(2).max() <= 1 + slack
    for weights in (memory.precedence, memory.write_weights, memory.read_weights):
        assert weights.min() >= -slack
        assert weights.sum(-1).max() <= 1 + slack
    assert all(part.isfinite().all() for part in memory)


def command(**values):
    """An interface (one sample, one head) that does nothing but what is asked."""
    one, no = torch.ones(1, 1), torch.zeros(1, 1)
    content = torch.tensor([[[0.0, 1.0, 0.0]]])
    quiet = Interface(
        read_keys=torch.zeros(1, 1, W),
        read_strengths=one,
        write_key=torch.zeros(1, 1, W),
        write_strength=one,
        erase=torch.ones(1, 1, W),
        write=torch.zeros(1, 1, W),
        free_gates=no,
        allocation_gate=one,
        write_gate=no,
        read_modes=content,
    )
    return quiet._replace(**values)


def test_a_list_is_written_found_and_read_in_both_directions():
    shapes = [(1, N, W), (1, N), (1, N, N), (1, N), (1, N), (1, 1, N)]
    memory = Memory(*map(torch.zeros, shapes))
    words = torch.eye(W)
    for word in words:
        _, memory = access(memory, command(write=word.view(1, 1, W), write_gate=torch.ones(1, 1)))

    def read(memory, **values):
        found, memory = access(memory, command(**values))
        return found[0, 0], memory

    strong = torch.full((1, 1), 200.0)
    backward, forward = (torch.eye(3)[mode].view(1, 1, 3) for mode in (0, 2))
    found, memory = read(memory, read_keys=words[0].view(1, 1, W), read_strengths=strong)
    for word, modes in ((0, None), (1, forward), (2, forward), (1, backward), (0, backward)):
        if modes is not None:
            found, memory = read(memory, read_modes=modes)
        torch.testing.assert_close(found, words[word], rtol=0, atol=1e-4)
    assert (memory.usage > 0.99).sum() == W
    _, memory = read(memory, free_gates=torch.ones(1, 1))  # frees what was read last: the first word
    assert (memory.usage > 0.99).sum() == W - 1
    assert memory.usage[0, memory.words[0, :, 0].argmax()] < 0.01


# the module


def make(seed=0, **options):
    sizes = dict(mem_slots=N, word_size=W, read_heads=H, num_layers=LAYERS) | options
    return DNC(F, HIDDEN, **sizes, dtype=torch.float64, generator=generator(seed))


def test_the_step():
    """The controller sees input and last reads, its layers also the layer below; the output sees both."""
    dnc, x = make(output_size=8), draw(3, B, F)
    state = dnc.initial_state(B)
    assert not any(part.any() for part in state)
    outputs, last = dnc(x)
    h, c, memory, reads = list(state.h.unbind(1)), list(state.c.unbind(1)), Memory(*state[2:8]), state.reads
    for t in range(3):
        seen = torch.cat([x[t], reads.flatten(1)], 1)
        below = seen
        for layer, cell in enumerate(dnc.controller):
            h[layer], c[layer] = cell(below, (h[layer], c[layer]))
            below = torch.cat([seen, h[layer]], 1)
        hidden = torch.cat(h, 1)
        reads, memory = access(memory, parse_interface(dnc.interface(hidden), W, H))
        assert_close(outputs[t].detach(), dnc.output(torch.cat([hidden, reads.flatten(1)], 1)).detach())
    for actual, expected in zip(last, (torch.stack(h, 1), torch.stack(c, 1), *memory, reads), strict=True):
        assert_close(actual.detach(), expected.detach())


def test_sizes():
    dnc = make()
    assert (dnc.input_size, dnc.output_size, make(output_size=9).output_size) == (F, HIDDEN, 9)
    state = dnc.initial_state(B)
    shapes = [(B, LAYERS, HIDDEN)] * 2 + [(B, N, W), (B, N), (B, N, N), (B, N), (B, N), (B, H, N), (B, H, W)]
    assert [tuple(part.shape) for part in state] == shapes
    assert "mem_slots=5, word_size=3, read_heads=2" in repr(dnc)


def test_initial_values():
    dnc = DNC(40, 50, mem_slots=5, word_size=20, read_heads=3, generator=generator(0))
    (cell,) = dnc.controller
    for gate in cell.weight_hh.detach().chunk(4):
        torch.testing.assert_close(gate @ gate.T, torch.eye(50), rtol=0, atol=1e-5)
    assert (cell.bias_ih + cell.bias_hh).view(4, 50).mean(1).tolist() == [0, 1, 0, 0]
    for layer in (dnc.interface, dnc.output):
        drawn = layer.weight.detach() * layer.in_features**0.5
        assert drawn.std().item() == pytest.approx(0.8796, abs=0.05)
        assert drawn.abs().max() <= 2 + 1e-6
        assert not layer.bias.any()


def test_gradients_are_right():
    dnc = DNC(2, 3, mem_slots=3, word_size=2, read_heads=1, dtype=torch.float64, generator=generator(0))
    x = draw(3, 2, 2).requires_grad_()
    start = tuple(part.detach().requires_grad_() for part in dnc(draw(4, 2, 2, seed=5))[1])
    names, parameters = zip(*dnc.named_parameters(), strict=True)

    def run(x, *values):
        replaced = dict(zip(names, values[len(start) :], strict=True))
        outputs, state = torch.func.functional_call(dnc, replaced, (x, values[: len(start)]))
        return outputs, *state

    assert torch.autograd.gradcheck(run, (x, *start, *parameters), fast_mode=True)


def test_a_long_sequence_stays_finite():
    dnc = make().float()
    x = 10 * torch.randn(200, 2, F, generator=generator(1))
    outputs, state = dnc(x)
    outputs.square().mean().backward()
    assert all(part.isfinite().all() for part in (outputs, *state))
    assert all(value.grad.isfinite().all() for value in dnc.parameters())


def test_bad_states():
    dnc, x = make(), draw(3, B, F)
    state = dnc.initial_state(B)
    with pytest.raises(ValueError, match=r"state's links must have shape \(B, N, N\) with B = 4, N = 5"):
        dnc(x, state._replace(links=state.links[:, :, 1:]))
    with pytest.raises(ValueError, match=r"state's reads must have shape \(B, H, W\).*where W = 2"):
        dnc(x, state._replace(reads=state.reads[..., 1:]))
    with pytest.raises(TypeError, match=r"state must be a tuple \(h, c, words, usage, .*, got 2 parts"):
        dnc(x, (state.h, state.c))
