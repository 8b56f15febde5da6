"""Packed sequences: each is run as if it were alone, and comes back in the caller's order."""

import pytest

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch")

from torch.nn.utils.rnn import pack_padded_sequence, pack_sequence, pad_packed_sequence  # noqa: E402

from helpers.torch_cores import CONFIGURATIONS, SIZES, gradients, make_core, make_inputs, make_memory, weigh  # noqa: E402
from relational_rnn.nn import LSTM  # noqa: E402
from tolerances import assert_close  # noqa: E402

every_configuration = pytest.mark.parametrize("options", CONFIGURATIONS.values(), ids=CONFIGURATIONS.keys())
LENGTHS = {
    "unsorted": [3, 6, 1, 4],
    "rotated": [1, 3, 6, 3],  # its order and the way back differ
    "sorted": [6, 4, 3, 1],
    "equal": [5, 5, 5, 5],
}
every_lengths = pytest.mark.parametrize("lengths", LENGTHS.values(), ids=LENGTHS.keys())


def assert_same(actual, expected, what=""):
    assert_close(actual.detach(), expected.detach(), what=what)


def pack(padded, lengths):
    """Pack (B, T, ...); sorted lengths without torch's bookkeeping of the order."""
    ordered = sorted(lengths, reverse=True) == lengths
    return pack_padded_sequence(padded, lengths, batch_first=True, enforce_sorted=ordered)


def make_lstm(**options):
    generator = torch.Generator().manual_seed(0)
    return LSTM(SIZES["input_size"], 6, dtype=torch.float64, generator=generator, **options)


def alone(core, padded, lengths, memory, resets=None):
    """Each sequence run by itself."""
    return [
        core(
            padded[row, :length],
            memory[row : row + 1],
            resets=None if resets is None else resets[row, :length],
            return_trace=True,
        )
        for row, length in enumerate(lengths)
    ]


@every_configuration
@every_lengths
def test_each_sequence_is_run_by_itself(options, lengths):
    core = make_core(**options)
    padded, memory = make_inputs(core, 4, 6), make_memory(core, 4)
    packed = pack(padded, lengths)
    outputs, last, trace = core(packed, memory, return_trace=True)
    assert torch.equal(outputs.batch_sizes, packed.batch_sizes)
    opened, found = pad_packed_sequence(outputs, batch_first=True)
    assert found.tolist() == lengths
    longest = max(lengths)
    for row, (expected, after, report) in enumerate(alone(core, padded, lengths, memory)):
        length = lengths[row]
        assert_same(opened[row, :length], expected, f"outputs of row {row}")
        assert_same(last[row : row + 1], after, f"memory of row {row}")
        for name, value in report._asdict().items():
            whole = getattr(trace, name)
            if value is None:
                assert whole is None
                continue
            assert whole.shape[:2] == (4, longest)
            assert_same(whole[row, :length], value[0], f"{name} of row {row}")
            assert whole[row, length:].isnan().all()
    plain, same = core(packed, memory)
    assert_same(plain.data, outputs.data, "without a trace")
    assert_same(same, last, "without a trace")


@every_lengths
def test_gradients(lengths):
    core = make_core(initial_memory="trainable", num_blocks=2, read_head="weighted")
    padded = make_inputs(core, 4, 6).requires_grad_()
    memory = make_memory(core, 4).requires_grad_()
    wanted = (padded, memory, *core.parameters())
    resets = torch.rand(4, 6, generator=torch.Generator().manual_seed(2)) < 0.3

    def loss(pairs):
        return sum(weigh(outputs, row) + weigh(last, 10 + row) for row, (outputs, last) in enumerate(pairs))

    outputs, last = core(pack(padded, lengths), memory, resets=pack(resets, lengths))
    opened, _ = pad_packed_sequence(outputs, batch_first=True)
    rows = [(opened[row, :length], last[row : row + 1]) for row, length in enumerate(lengths)]
    expected = [(y, m) for y, m, _ in alone(core, padded, lengths, memory, resets)]
    for (y, m), (y_alone, m_alone) in zip(rows, expected, strict=True):
        assert_same(y, y_alone, "outputs")
        assert_same(m, m_alone, "memory")
    for actual, reference in zip(
        gradients(loss(rows), wanted), gradients(loss(expected), wanted), strict=True
    ):
        assert_same(actual, reference, "gradient")


def test_padding_has_no_influence():
    core = make_core(batch_first=True)
    padded, lengths = make_inputs(core, 4, 6), LENGTHS["unsorted"]
    expected, last = core(pack(padded, lengths))
    broken = padded.clone()
    for row, length in enumerate(lengths):
        broken[row, length:] = float("nan")
    outputs, same = core(pack(broken, lengths))
    assert torch.equal(outputs.data, expected.data)
    assert torch.equal(same, last)


def test_the_state_is_optional():
    core = make_core(initial_memory="random")
    packed = pack(make_inputs(core, 4, 6), LENGTHS["unsorted"])
    for actual, expected in zip(core(packed), core(packed, core.initial_state(4)), strict=True):
        assert_same(getattr(actual, "data", actual), getattr(expected, "data", expected))


def draw_resets():
    return torch.rand(4, 6, generator=torch.Generator().manual_seed(2)) < 0.3  # (B, T)


@pytest.mark.parametrize("make", [make_core, make_lstm], ids=["memory", "lstm"])
@pytest.mark.parametrize("batch_first", [False, True])
@every_lengths
def test_resets_may_be_padded(make, batch_first, lengths):
    core = make(batch_first=batch_first)
    packed, resets = pack(make_inputs(make_core(), 4, 6), lengths), draw_resets()
    expected, *_ = core(packed, resets=pack(resets, lengths))
    assert not torch.allclose(expected.data, core(packed)[0].data)
    padded = resets[:, : max(lengths)]
    padded = padded if batch_first else padded.T
    for given in (padded, padded.numpy(), padded.tolist()):
        outputs, *_ = core(packed, resets=given)
        assert torch.equal(outputs.data, expected.data)


@pytest.mark.parametrize("make", [make_core, make_lstm], ids=["memory", "lstm"])
@pytest.mark.parametrize("swap", [False, True])
def test_resets_packed_with_the_order_left_out_or_spelt_out(make, swap):
    core, lengths = make(), [6, 4, 3, 1]
    inputs, resets = make_inputs(make_core(), 4, 6), draw_resets()
    spelt, left_out = (
        [pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=e) for x in (inputs, resets)]
        for e in (False, True)
    )
    assert left_out[0].sorted_indices is None
    assert spelt[0].sorted_indices.tolist() == [0, 1, 2, 3]
    expected, *_ = core(spelt[0], resets=spelt[1])
    given = (spelt[0], left_out[1]) if swap else (left_out[0], spelt[1])
    assert torch.equal(core(given[0], resets=given[1])[0].data, expected.data)


def test_resets_that_do_not_fit():
    core = make_core()
    padded = make_inputs(core, 3, 6)
    packed = pack(padded, [3, 6, 1])
    flags = torch.zeros(3, 6, dtype=torch.bool)
    with pytest.raises(ValueError, match=r"resets must have shape \(T, B\) with T = 6, B = 3; got \(3, 6\)"):
        core(packed, resets=flags)
    with pytest.raises(ValueError, match=r"resets must have shape \(B, T\) with B = 3, T = 6; got \(6, 3\)"):
        make_core(batch_first=True)(packed, resets=flags.T)
    with pytest.raises(ValueError, match=r"resets must have 2 axes \(T, B\).*got shape \(10,\)"):
        core(packed, resets=flags.flatten()[:10])
    with pytest.raises(TypeError, match=r"resets must be bool, got torch.int64"):
        core(packed, resets=flags.T.long())
    with pytest.raises(TypeError, match=r"resets must be on the input's device cpu, got meta"):
        core(packed, resets=flags.T.to("meta"))
    with pytest.raises(TypeError, match=r"resets must be a tensor like the input, got a PackedSequence"):
        core(padded, resets=pack(flags, [3, 6, 1]))
    for lengths in ([3, 6, 2], [6, 3, 1], [1, 6, 3]):
        with pytest.raises(ValueError, match=r"packed with the input's lengths and order"):
            core(packed, resets=pack(flags, lengths))
    with pytest.raises(TypeError, match=r"resets must be bool, got torch.int64"):
        core(packed, resets=pack(flags.long(), [3, 6, 1]))


def test_packed_data_of_the_wrong_kind():
    core = make_core()
    with pytest.raises(ValueError, match=r"input.data must have shape \(B, F\).*got \(4, 7\), where F = 7"):
        core(pack_sequence([torch.zeros(4, 7, dtype=torch.float64)]))
    with pytest.raises(ValueError, match=r"input.data must have 2 axes"):
        core(pack_sequence([torch.zeros(4, dtype=torch.float64)]))
    with pytest.raises(TypeError, match=r"input must be floating point .*, got torch.int64"):
        core(pack_sequence([torch.zeros(4, 11, dtype=torch.int64)]))
    with pytest.raises(TypeError, match=r"dtype torch.float64, got torch.float32"):
        core(pack_sequence([torch.zeros(4, 11)]))
    with pytest.raises(ValueError, match=r"state must have shape .* where B = 2"):
        core(pack_sequence([torch.zeros(4, 11, dtype=torch.float64)]), make_memory(core, 2))
