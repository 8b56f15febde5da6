"""The hybrid in torch: the cell against the sequence, what is returned, and how it starts."""

import pytest

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch")

from torch.nn.utils.rnn import pack_padded_sequence  # noqa: E402

from helpers.model_zoo import B, F, T, draw, generator  # noqa: E402
from helpers.torch_cores import gradients, weigh  # noqa: E402
from relational_rnn.nn import RelationalRNN, RelationalRNNCell  # noqa: E402
from tolerances import assert_close  # noqa: E402

both = pytest.mark.parametrize("kind", [RelationalRNN, RelationalRNNCell])
SIZES = dict(input_size=F, hidden_size=6, num_slots=3, slot_size=8, num_heads=2)


def make(kind=RelationalRNN, **options):
    layout = {} if kind is RelationalRNNCell else {"batch_first": False}
    return kind(**{**SIZES, **layout, **options}, dtype=torch.float64, generator=generator(0))


def assert_same(actual, expected, what=""):
    assert_close(actual.detach(), expected.detach(), what=what)


@pytest.mark.parametrize(("slot_size", "slot_update"), [(6, "shared"), (8, "shared"), (8, "attend")])
def test_the_cell_is_one_step_of_the_sequence(slot_size, slot_update):
    options = dict(slot_size=slot_size, slot_update=slot_update)
    cell, rnn = (make(kind, **options) for kind in (RelationalRNNCell, RelationalRNN))
    cell.load_state_dict(rnn.state_dict())
    assert [name for name, _ in cell.named_parameters()] == [name for name, _ in rnn.named_parameters()]
    assert ("memory_input.weight" in rnn.state_dict()) == (slot_size != 6)
    x = draw(T, B, F)
    expected, last = rnn(x)
    state, outputs = (), []
    for step in x:
        output, *state = cell(step, *state)
        outputs.append(output)
    assert_same(torch.stack(outputs), expected)
    for actual, reference in zip(state, last, strict=True):
        assert_same(actual, reference)
    wanted = list(rnn.parameters()), list(cell.parameters())
    found = gradients(weigh(expected), wanted[0]), gradients(weigh(torch.stack(outputs)), wanted[1])
    for reference, actual in zip(*found, strict=True):
        assert_same(actual, reference, "gradient")


def test_the_last_output_alone():
    rnn, first = make(output_size=9), make(output_size=9, batch_first=True)
    x, lengths = draw(T, B, F), [3, 7, 1, 4]
    outputs, state = rnn(x)
    last, same = rnn(x, return_sequences=False)
    assert_same(last, outputs[-1])
    assert_same(first(x.transpose(0, 1), return_sequences=False)[0], outputs[-1])
    for actual, expected in zip(same, state, strict=True):
        assert_same(actual, expected)
    alone, _ = rnn(x[:, 2], return_sequences=False)
    assert alone.shape == (9,)
    assert_same(alone, outputs[-1, 2])
    ended, _ = rnn(pack_padded_sequence(x, lengths, enforce_sorted=False), return_sequences=False)
    for row, length in enumerate(lengths):
        assert_same(ended[row], outputs[length - 1, row], f"row {row}")


def test_batches_come_first_and_four_values_come_back():
    rnn = RelationalRNN(**SIZES, output_size=9, dtype=torch.float64, generator=generator(0))
    outputs, h, c, memory = rnn(draw(B, T, F), return_state=True)
    assert (outputs.shape, h.shape, c.shape, memory.shape) == ((B, T, 9), (B, 6), (B, 6), (B, 3, 8))
    again, state = rnn(draw(B, T, F))
    for one, other in zip((outputs, h, c, memory), (again, *state), strict=True):
        assert_same(one, other)
    # The state goes back in as it came, also from `outputs, *state`.
    for given in ((h, c, memory), [h, c, memory]):
        assert_same(rnn(draw(B, 2, F), given)[0], rnn(draw(B, 2, F), state)[0])


@pytest.mark.parametrize(("slot_update", "seen"), [("shared", 3), ("attend", 4)])
def test_the_trace(slot_update, seen):
    rnn, x = make(slot_update=slot_update), draw(T, B, F)
    *_, trace = rnn(x, return_trace=True)
    assert trace.attention.shape == (B, T, 1, 2, 3, seen)
    assert trace.forget_gate.shape == (B, T, 3, 8)
    assert_same(trace.input_gate, 1 - trace.forget_gate)
    outputs, alone = rnn(x[:, 1], return_state=False, return_trace=True)
    assert outputs.shape == (T, 6)
    assert_same(alone.attention, trace.attention[1:2])
    packed = pack_padded_sequence(x, [3, 7, 1, 4], enforce_sorted=False)
    *_, ragged = rnn(packed, return_trace=True)
    for row, length in enumerate([3, 7, 1, 4]):
        assert_same(ragged.attention[row, :length], trace.attention[row, :length])
        assert ragged.forget_gate[row, length:].isnan().all()


def test_the_outputs_without_the_state():
    rnn, x = make(), draw(T, B, F)
    expected, state = rnn(x)
    assert_same(rnn(x, return_state=False), expected)
    assert_same(rnn(x, state, return_sequences=False, return_state=False), rnn(x, state)[0][-1])
    for name in ("return_sequences", "return_state", "return_trace"):
        with pytest.raises(TypeError, match=f"{name} must be True or False, got 1"):
            rnn(x, **{name: 1})


@both
def test_initial_values(kind):
    hidden, slots, size = 50, 30, 40
    rnn = make(kind, input_size=20, hidden_size=hidden, num_slots=slots, slot_size=size)
    values = {name: value.detach() for name, value in rnn.named_parameters()}
    for gate in values.pop("lstm.weight_hh").chunk(4):
        assert_close(gate @ gate.T, torch.eye(hidden, dtype=torch.float64))
    for gate in values.pop("lstm.weight_ih").chunk(4):
        bound = (6 / (20 + hidden)) ** 0.5
        assert 0.95 * bound < gate.abs().max() <= bound
    assert values.pop("lstm.bias_ih").view(4, hidden).mean(1).tolist() == [0, 1, 0, 0]
    assert (values.pop("gate_input.bias") == 1).all()
    memory = values.pop("initial_memory")
    assert memory.square().sum(1).mean().item() == pytest.approx(1, abs=0.1)
    assert (torch.pdist(memory) > 0.5).all(), "no two slots alike"
    for name, value in values.items():
        if name.endswith("bias") or "bias_" in name:
            assert not value.any(), name
        else:
            bound = (6 / sum(value.shape)) ** 0.5
            assert 0.95 * bound < value.abs().max() <= bound, name
            assert value.std().item() == pytest.approx(bound / 3**0.5, rel=0.1), name


@both
def test_the_state_starts_at_zero_and_the_memory_at_its_parameter(kind):
    rnn = make(kind)
    h, c, memory = rnn.initial_state(B)
    assert h.shape == c.shape == (B, 6)
    assert not h.any()
    assert not c.any()
    assert torch.equal(memory, rnn.initial_memory.expand(B, -1, -1))
    assert memory.requires_grad
    assert "num_heads=2, slot_update='shared'" in repr(rnn)


@both
def test_bad_sizes(kind):
    with pytest.raises(ValueError, match="num_heads must divide slot_size, got num_heads=3 and slot_size=8"):
        make(kind, num_heads=3)
    with pytest.raises(TypeError, match="has no argument mem_slots: mem_slots is num_slots here"):
        kind(5, 6, mem_slots=3)
    with pytest.raises(ValueError, match="slot_update must be one of 'shared', 'attend', got 'attention'"):
        make(kind, slot_update="attention")


def test_bad_states():
    rnn, x = make(), draw(T, B, F)
    h, c, memory = rnn.initial_state(B)
    with pytest.raises(TypeError, match=r"state must be a tuple \(h, c, memory\), got 2 parts"):
        rnn(x, (h, c))
    with pytest.raises(ValueError, match=r"state's memory must have shape \(B, N, S\) with .*where S = 7"):
        rnn(x, (h, c, memory[..., :7]))
    with pytest.raises(ValueError, match=r"state's c must have shape \(B, hidden\) with .*where B = 3"):
        rnn(x, (h, c[:3], memory))
    with pytest.raises(TypeError, match=r"state's h must be a torch.Tensor, got NoneType"):
        rnn(x, (None, c, memory))


def test_one_step_names_the_cell():
    rnn = make()
    with pytest.raises(ValueError, match=r"for one step of 4 samples there is RelationalRNNCell"):
        rnn(draw(B, F), rnn.initial_state(B))


def test_bad_inputs_of_the_cell():
    cell = make(RelationalRNNCell)
    h, c, memory = cell.initial_state(B)
    for part, state in {"h": (h[:3], c, memory), "memory": (h, None, memory[:3])}.items():
        with pytest.raises(ValueError, match=f"state's {part} must have shape .*where B = 3"):
            cell(draw(B, F), *state)
    with pytest.raises(TypeError, match=r"cell\(input, h, c, memory\); got a tuple as h"):
        cell(draw(B, F), (h, c, memory))
    with pytest.raises(ValueError, match=r"input must have shape \(B, F\) with .*where F = 6"):
        cell(draw(B, F + 1))
    with pytest.raises(ValueError, match=r"input must have 2 axes \(B, F\)"):
        cell(draw(T, B, F))
    with pytest.raises(TypeError, match=r"dtype torch.float64, got torch.float32"):
        cell(draw(B, F).float())
