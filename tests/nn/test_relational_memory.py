"""The core over a sequence: called like `torch.nn.LSTM`, and with the properties of a recurrent layer."""

import pytest

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch")

from helpers.torch_cores import (  # noqa: E402
    BATCH,
    CONFIGURATIONS,
    TIME,
    gradients,
    make_core,
    make_inputs,
    make_memory,
    weigh,
)
from relational_rnn.nn import RelationalMemoryCell  # noqa: E402
from tolerances import assert_close  # noqa: E402

every_configuration = pytest.mark.parametrize("options", CONFIGURATIONS.values(), ids=CONFIGURATIONS.keys())


def assert_same(actual, expected, what=""):
    assert_close(actual.detach(), expected.detach(), what=what)


@every_configuration
def test_layouts(options):
    core, first = make_core(**options), make_core(**options, batch_first=True)
    inputs, memory = make_inputs(core, TIME, BATCH), make_memory(core, BATCH)
    outputs, last = core(inputs, memory)
    assert outputs.shape == (TIME, BATCH, core.output_size)
    assert last.shape == (BATCH, core.config.mem_slots, core.config.memory_width)
    swapped, same = first(inputs.transpose(0, 1), memory)
    assert_same(swapped.transpose(0, 1), outputs, "batch first")
    assert_same(same, last, "last memory")
    for row in range(BATCH):
        for one in (core, first):  # one sequence has no batch axis, whatever batch_first says
            alone, after = one(inputs[:, row], memory[row : row + 1])
            assert_same(alone, outputs[:, row], "unbatched")
            assert_same(after, last[row : row + 1], "unbatched memory")


@every_configuration
def test_the_state_is_optional_and_starts_at_the_initial_state(options):
    core = make_core(**options)
    inputs = make_inputs(core, TIME, BATCH)
    for actual, expected in zip(core(inputs), core(inputs, core.initial_state(BATCH)), strict=True):
        assert_same(actual, expected)
    assert core(inputs[:, 0])[1].shape[0] == 1


@pytest.mark.parametrize("batch", [1, 2, 17])
def test_any_batch_size_and_rows_are_independent(batch):
    core = make_core()
    inputs, memory = make_inputs(core, TIME, batch), make_memory(core, batch)
    outputs, last = core(inputs, memory)
    for row in {0, batch - 1}:
        alone, after = core(inputs[:, row : row + 1], memory[row : row + 1])
        assert_same(alone, outputs[:, row : row + 1])
        assert_same(after, last[row : row + 1])


def test_outputs_do_not_depend_on_later_inputs():
    core = make_core(num_blocks=2)
    inputs = make_inputs(core, TIME, BATCH)
    outputs, _ = core(inputs)
    changed = torch.cat([inputs[:2], make_inputs(core, TIME - 2, BATCH, seed=9)])
    different, _ = core(changed)
    assert_same(different[:2], outputs[:2])
    assert not torch.allclose(different[2], outputs[2])


@every_configuration
def test_a_sequence_in_two_parts_is_the_whole_sequence(options):
    core = make_core(**options)
    inputs = make_inputs(core, TIME, BATCH)
    outputs, last = core(inputs)
    for cut in (1, 4):
        before, memory = core(inputs[:cut])
        after, memory = core(inputs[cut:], memory)
        assert_same(torch.cat([before, after]), outputs)
        assert_same(memory, last)


@every_configuration
def test_the_cell_repeated_is_the_sequence(options):
    core, cell = make_core(**options), make_core(RelationalMemoryCell, seed=5, **options)
    cell.load_state_dict(core.state_dict())
    inputs = make_inputs(core, TIME, BATCH)
    outputs, last, trace = core(inputs, return_trace=True)
    memory = None
    for t in range(TIME):
        output, memory, step = cell(inputs[t], memory, return_trace=True)
        assert type(step) is type(trace)
        assert_same(output, outputs[t], "output")
        for name, value in step._asdict().items():
            whole = getattr(trace, name)
            assert (value is None) == (whole is None)
            if value is not None:
                assert_same(value, whole[:, t], name)
    assert_same(memory, last, "memory")


@every_configuration
def test_a_step_without_input(options):
    cell = make_core(RelationalMemoryCell, **options)
    config, memory = cell.config, make_memory(cell, BATCH)
    output, _, trace = cell(None, memory, return_trace=True)
    slots = config.mem_slots
    assert output.shape == (BATCH, cell.output_size)
    assert trace.attention.shape == (BATCH, config.num_blocks, config.num_heads, slots, slots)
    given, _ = cell(make_inputs(cell, BATCH), memory)
    assert not torch.allclose(given, output)
    if config.input_fusion == "tile":  # the projection sees zeros in place of the input
        with torch.no_grad():
            for name, parameter in cell.named_parameters():
                if name.startswith("input_projection") or name == "gate_input.bias":
                    parameter.zero_()
        zeros, _ = cell(torch.zeros_like(make_inputs(cell, BATCH)), memory)
        assert_same(output, zeros)


@every_configuration
@pytest.mark.parametrize("batch_first", [False, True])
def test_the_trace(options, batch_first):
    core = make_core(**options, batch_first=batch_first)
    config = core.config
    inputs = make_inputs(core, *((BATCH, TIME) if batch_first else (TIME, BATCH)))
    outputs, last, trace = core(inputs, return_trace=True)
    plain, same = core(inputs)
    assert_same(outputs, plain)
    assert_same(last, same)
    shape = (BATCH, TIME, config.num_blocks, config.num_heads, config.mem_slots, config.attended_rows)
    assert trace.attention.shape == shape
    assert trace.attention.min() > 0
    assert_same(trace.attention.sum(-1), torch.ones(shape[:-1], dtype=torch.float64))
    for gate in (trace.input_gate, trace.forget_gate):
        if config.gate_style == "none":
            assert gate is None
        else:
            assert gate.shape == (BATCH, TIME, config.mem_slots, config.gate_width)
            assert gate.min() > 0
            assert gate.max() < 1


@pytest.mark.parametrize("gate_style", ["unit", "memory"])
def test_the_gates_of_the_trace_are_the_ones_at_work(gate_style):
    core = make_core(gate_style=gate_style, forget_bias=-1.0, input_bias=2.0)
    outputs, _, trace = core(make_inputs(core, TIME, BATCH), return_trace=True)
    memories = outputs.transpose(0, 1).unflatten(-1, (core.config.mem_slots, -1))  # (B, T, N, D)
    before = torch.cat([core.initial_state(BATCH)[:, None], memories[:, :-1]], 1)
    candidate = (memories - trace.forget_gate * before) / trace.input_gate
    assert candidate.abs().max() < 1 + 1e-9  # it came from a tanh
    assert candidate.abs().max() > 0.8
    assert trace.forget_gate.mean() < trace.input_gate.mean()


def test_the_trace_of_one_sequence_has_a_batch_axis():
    core = make_core()
    *_, trace = core(make_inputs(core, TIME), return_trace=True)
    assert trace.attention.shape[:2] == (1, TIME)
    assert trace.input_gate.shape[:2] == (1, TIME)


@pytest.mark.parametrize("gate_style", ["none", "memory", "unit"])
@pytest.mark.parametrize("input_fusion", ["append", "tile"])
def test_slots_permute(gate_style, input_fusion):
    core = make_core(gate_style=gate_style, input_fusion=input_fusion, num_blocks=2)
    order = torch.tensor([3, 0, 4, 2, 1])
    inputs, memory = make_inputs(core, TIME, BATCH), make_memory(core, BATCH)
    outputs, last = core(inputs, memory)
    permuted, after = core(inputs, memory[:, order])
    assert_same(after, last[:, order])
    slots = (core.config.mem_slots, -1)
    assert_same(permuted.unflatten(-1, slots), outputs.unflatten(-1, slots)[:, :, order])


@every_configuration
def test_a_reset_is_a_fresh_state(options):
    core = make_core(**options, batch_first=True)
    inputs, memory = make_inputs(core, BATCH, TIME), make_memory(core, BATCH)
    resets = torch.zeros(BATCH, TIME, dtype=torch.bool)
    resets[0, 2] = resets[0, 4] = resets[1, 0] = True  # twice, before the first step, never
    outputs, last = core(inputs, memory, resets=resets)
    parts = {0: [(0, 2), (2, 4), (4, TIME)], 1: [(0, TIME)], 2: [(0, TIME)]}
    for row, spans in parts.items():
        for begin, end in spans:
            fresh = bool(resets[row, begin])
            state = None if fresh else memory[row : row + 1]
            alone, after = core(inputs[row, begin:end], state)
            assert_same(alone, outputs[row, begin:end], f"row {row} from step {begin}")
        assert_same(after, last[row : row + 1])


def test_resets_in_every_layout():
    core, first = make_core(), make_core(batch_first=True)
    inputs, memory = make_inputs(core, TIME, BATCH), make_memory(core, BATCH)
    resets = torch.rand(TIME, BATCH, generator=torch.Generator().manual_seed(0)) < 0.3
    assert not torch.equal(resets, torch.zeros_like(resets))
    outputs, last = core(inputs, memory, resets=resets)
    assert not torch.allclose(outputs, core(inputs, memory)[0])
    swapped, same = first(inputs.transpose(0, 1), memory, resets=resets.T)
    assert_same(swapped.transpose(0, 1), outputs)
    assert_same(same, last)
    for row in range(BATCH):
        alone, after = core(inputs[:, row], memory[row : row + 1], resets=resets[:, row])
        assert_same(alone, outputs[:, row])
        assert_same(after, last[row : row + 1])
    as_list, _ = core(inputs, memory, resets=resets.tolist())
    assert_same(as_list, outputs)


def test_nothing_crosses_a_reset():
    core = make_core(initial_memory="trainable")
    inputs = make_inputs(core, TIME, BATCH).requires_grad_()
    memory = make_memory(core, BATCH).requires_grad_()
    resets = torch.zeros(TIME, BATCH, dtype=torch.bool)
    resets[3] = True
    outputs, _ = core(inputs, memory, resets=resets)
    d_inputs, d_memory, d_start = gradients(weigh(outputs[3:]), (inputs, memory, core.initial_memory))
    assert not d_inputs[:3].any()
    assert d_inputs[3:].any()
    assert not d_memory.any()
    assert d_start.any()
    broken = memory.detach() * float("nan")  # a restarted row forgets even what is not a number
    outputs, _ = core(inputs, broken, resets=resets)
    assert outputs[:3].isnan().all()
    assert outputs[3:].isfinite().all()
