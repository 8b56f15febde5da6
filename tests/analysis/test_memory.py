"""The memory's numbers have known values for made-up memories, and come from the models' real states."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from relational_rnn.analysis import (
    RecordedMemory,
    compare_memories,
    effective_rank,
    output_range,
    phase_norms,
    phases_of,
    record_memory,
    slot_changes,
    slot_norms,
    slot_variance,
    slots_written,
    specialisation,
    state_rank,
    summarise_memory,
)
from relational_rnn.reference import LSTM, Classifier, LSTMCell, RelationalMemory, RelationalRNN
from tolerances import assert_close

GENERATOR = np.random.default_rng(0)
INPUTS = GENERATOR.standard_normal((7, 6, 5))
MEMORIES = GENERATOR.standard_normal((5, 6, 3, 4))
LOW_RANK = GENERATOR.standard_normal((5, 6, 3, 1)) * GENERATOR.standard_normal((5, 6, 1, 4))


def recorded(memories: Any = MEMORIES, model: str = "rmc") -> RecordedMemory:
    return RecordedMemory(model, memories, np.zeros_like(memories[:, 0]), memories[:, :, 0], 120, 100)


@pytest.mark.parametrize("read_head", ["flatten", "mean", "weighted", "attention"])
def test_the_memories_of_an_rmc_are_those_of_its_forward(read_head: str) -> None:
    core = RelationalMemory(5, 3, 4, 2, read_head=read_head, initial_memory="random", seed=1)
    one = record_memory(core, INPUTS)
    outputs, memory = core.forward(INPUTS)
    assert_close(one.outputs, outputs)
    assert_close(one.memories[:, -1], memory)
    assert_close(one.initial, core.initial_state(7))
    assert one.model == "rmc"
    if read_head == "flatten":
        assert_close(one.memories.reshape(7, 6, 24), outputs)


def test_the_memories_of_a_matrix_input_and_of_many_blocks() -> None:
    core = RelationalMemory(5, 3, 4, num_blocks=2, treat_input_as_matrix=True, input_rows=2)
    inputs = GENERATOR.standard_normal((7, 6, 2, 5))
    assert_close(record_memory(core, inputs).outputs, core.forward(inputs)[0])


@pytest.mark.parametrize("output_size", [None, 2])
def test_the_memories_of_the_hybrid_are_its_slots(output_size: int | None) -> None:
    rnn = RelationalRNN(5, 6, output_size, num_slots=3, slot_size=8)
    one = record_memory(rnn, INPUTS)
    outputs, _, _, memory = rnn.forward(INPUTS, return_state=True)
    assert_close(one.outputs, outputs)
    assert_close(one.memories[:, -1], memory)
    assert_close(one.initial, rnn.initial_state(7)[2])
    assert one.model == "hybrid"
    early = rnn.forward(INPUTS[:, :3], return_state=True)[3]
    assert_close(one.memories[:, 2], early)


@pytest.mark.parametrize("output_size", [None, 2])
def test_the_cell_state_of_an_lstm_is_its_one_slot(output_size: int | None) -> None:
    lstm = LSTM(5, 6, output_size)
    one = record_memory(lstm, INPUTS)
    outputs, (_, c) = lstm.forward(INPUTS, return_state=True)
    assert_close(one.outputs, outputs)
    assert_close(one.memories[:, -1], c[:, None])
    assert one.memories.shape == (7, 6, 1, 6)
    assert not one.initial.any()
    assert one.model == "lstm"


CORES = [
    RelationalMemory(5, 3, 4, 2, dtype=np.float32),
    RelationalRNN(5, 6, num_slots=3, slot_size=8),
    LSTM(5, 6),
]


def test_the_recorded_attention_and_gates_are_those_of_the_whole_sequence() -> None:
    core = RelationalMemory(5, 3, 4, 2, num_blocks=2, gate_style="memory", seed=1)
    _, _, trace = core.forward(INPUTS, return_trace=True)
    one = record_memory(core, INPUTS)
    for name, part in trace._asdict().items():
        assert_close(getattr(one, name), part, what=name)
    rnn = RelationalRNN(5, 6, num_slots=3, slot_size=8)
    one, trace = record_memory(rnn, INPUTS), rnn.forward(INPUTS, return_trace=True)[1]
    for name, part in trace._asdict().items():
        assert_close(getattr(one, name), part, what=name)


def test_the_gates_of_an_lstm_say_how_its_cell_state_changes() -> None:
    one = record_memory(LSTM(5, 6), INPUTS)
    before = np.concatenate([one.initial[:, None], one.memories[:, :-1]], axis=1)
    candidate = (one.memories - one.forget_gate * before) / one.input_gate
    assert one.attention is None
    assert np.abs(candidate).max() <= 1 + 1e-12
    first = LSTM(5, 6)
    first.params["bias_ih"][6:12] = 50.0  # the forget gate's
    assert_close(record_memory(first, INPUTS).forget_gate, np.ones((7, 6, 1, 6)))


def test_a_core_without_gates_records_none() -> None:
    one = record_memory(RelationalMemory(5, 3, 4, gate_style=None), INPUTS)
    assert one.input_gate is None
    assert one.forget_gate is None
    assert one.attention.shape == (7, 6, 1, 1, 3, 4)


@pytest.mark.parametrize("core", CORES, ids=lambda core: type(core).__name__)
def test_a_classifier_is_recorded_as_its_core_with_all_parameters(core: Any) -> None:
    model = Classifier(core, 4, (9,))
    one, of_core = record_memory(model, INPUTS), record_memory(core, INPUTS)
    np.testing.assert_array_equal(one.memories, of_core.memories)
    assert one.memories.dtype == core.dtype
    assert one.core_parameters == of_core.parameters == sum(value.size for value in core.params.values())
    assert one.parameters == one.core_parameters + (core.output_size + 1) * 9 + 10 * 4


@pytest.mark.parametrize("core", CORES, ids=lambda core: type(core).__name__)
def test_recording_leaves_the_models_own_forward_alone(core: Any) -> None:
    model = Classifier(core, 4)
    d_scores = np.ones_like(model.forward(INPUTS, return_sequences=False))
    d_inputs, grads = model.backward(d_scores), model.grads
    model.forward(INPUTS, return_sequences=False)
    record_memory(model, INPUTS[:2, :3])
    np.testing.assert_array_equal(model.backward(d_scores), d_inputs)
    for name, gradient in grads.items():
        np.testing.assert_array_equal(model.grads[name], gradient)


def test_norms() -> None:
    norms = np.sqrt((MEMORIES**2).sum(axis=-1))  # (B, T, N)
    assert_close(slot_norms(MEMORIES), norms.mean(axis=0))
    mask = np.zeros((5, 6), dtype=bool)
    mask[:, 4:] = True
    expected = {"input": norms[:, :4].mean(axis=(0, 1)), "answer": norms[:, 4:].mean(axis=(0, 1))}
    for phases in (
        phases_of(mask),
        {"input": slice(0, 4), "answer": slice(-2, None)},
        {"input": ~mask[0], "answer": mask[0]},
    ):
        found = phase_norms(MEMORIES, phases)
        assert found.keys() == expected.keys()
        for name, values in found.items():
            assert_close(values, expected[name])


def test_phases_may_differ_between_samples() -> None:
    mask = np.array([[False, True, False], [False, False, True]])
    phases = phases_of(mask)
    assert phases["input"].tolist() == [[True, False, False], [True, True, False]]
    memories = np.arange(6.0).reshape(2, 3, 1, 1)
    assert phase_norms(memories, phases)["input"].tolist() == [(0 + 3 + 4) / 3]
    assert phase_norms(memories, phases)["answer"].tolist() == [(1 + 5) / 2]
    assert phases_of(np.ones((2, 3), dtype=bool)).keys() == {"answer"}


def test_equal_slots_do_not_vary_and_span_one_direction() -> None:
    equal = np.repeat(MEMORIES[:, :, :1], 3, axis=2)
    assert_close(slot_variance(equal), np.zeros(6))
    assert_close(specialisation(equal), np.zeros(6))
    assert_close(effective_rank(equal), np.ones(6))
    assert_close(effective_rank(LOW_RANK), np.ones(6))


def test_orthonormal_slots() -> None:
    rows = np.linalg.qr(GENERATOR.standard_normal((5, 6, 4, 4)))[0][:, :, :3]
    assert_close(effective_rank(rows), np.full(6, 3.0))
    assert_close(specialisation(rows), np.full(6, 1 - 1 / 3))
    assert_close(slot_variance(rows), np.full(6, (1 - 1 / 3) / 4))
    assert_close(effective_rank(rows[:, :, :, :1]), np.ones(6))


def test_slots_that_cancel_have_all_their_mean_square_between_them() -> None:
    assert_close(specialisation(MEMORIES - MEMORIES.mean(axis=2, keepdims=True)), np.ones(6))


def test_a_memory_of_zeros_has_nothing() -> None:
    nothing = np.zeros((2, 3, 4, 5))
    for values in (slot_norms, slot_variance, specialisation, effective_rank):
        assert not values(nothing).any()
    assert state_rank(nothing) == slots_written(np.zeros((3, 4))) == 0.0


def test_effective_rank_is_the_entropy_of_the_singular_values() -> None:
    memory = np.zeros((1, 1, 3, 4))
    memory[0, 0, [0, 1], [2, 0]] = 3.0, 1.0
    p = np.array([0.75, 0.25])
    assert_close(effective_rank(memory), [np.exp(-(p * np.log(p)).sum())])


@given(scale=st.floats(1e-3, 1e3), seed=st.integers(0, 99))
def test_ranks_and_shares_ignore_scale_order_and_stay_in_range(scale: float, seed: int) -> None:
    generator = np.random.default_rng(seed)
    memories = generator.standard_normal((3, 2, 4, 5)) * generator.random(4)[:, None]
    changed = scale * memories[:, :, generator.permutation(4)]
    for values, high in ((specialisation, 1.0), (effective_rank, 4.0)):
        assert_close(values(changed), values(memories))
        assert (values(memories) > 0).all()
        assert (values(memories) <= high).all()
    assert state_rank(changed) == pytest.approx(state_rank(memories))
    assert 1 <= state_rank(memories) <= 5  # 6 states less their mean


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("directions", [0, 1, 2, 5])
def test_state_rank_counts_the_directions_that_vary(directions: int, dtype: type) -> None:
    generator = np.random.default_rng(1)
    axes = np.linalg.qr(generator.standard_normal((24, 24)))[0][:directions]
    steps = np.repeat(np.eye(directions), 2, axis=0)
    steps[1::2] *= -1  # there and back along each direction
    states = 1000 / 7 + np.tile(steps, (6, 1)) @ axes if directions else np.full((12, 24), 1000 / 7)
    memories = states.reshape(-1, 2, 4, 6).astype(dtype)
    assert state_rank(memories) == pytest.approx(directions, rel=1e-9 if dtype is np.float64 else 1e-3)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_states_that_differ_by_rounding_alone_are_equal(dtype: type) -> None:
    generator = np.random.default_rng(1)
    noise = 1 + np.finfo(dtype).eps * generator.uniform(-1, 1, (40, 3, 4, 6))
    memories = (generator.standard_normal((4, 6)) * noise).astype(dtype)
    assert np.ptp(memories, axis=0).any()
    assert state_rank(memories) == 0


@pytest.mark.parametrize("shape", [(40, 2, 3, 4), (3, 2, 3, 4)], ids=["many states", "few states"])
def test_state_rank_against_the_singular_values(shape: tuple[int, ...]) -> None:
    memories = np.random.default_rng(2).standard_normal(shape)
    states = memories.reshape(-1, 12)
    singular = np.linalg.svd(states - states.mean(axis=0), compute_uv=False)
    p = singular[singular > 1e-9] / singular.sum()
    assert state_rank(memories) == pytest.approx(np.exp(-(p * np.log(p)).sum()), rel=1e-5)


def test_changes_tell_which_slot_is_written_when() -> None:
    memories = np.zeros((2, 3, 2, 4))
    memories[:, 1:, 1] = 1.0  # slot 2 is written at step 2 and kept
    changes = slot_changes(memories, np.zeros((2, 2, 4)))
    assert changes.tolist() == [[0, 0], [0, 2], [0, 0]]
    assert slots_written(changes) == 1.0
    assert slots_written(np.ones((3, 4))) == pytest.approx(4)
    assert_close(slot_changes(MEMORIES[:, :1], MEMORIES[:, 0]), np.zeros((1, 3)))


def test_output_range() -> None:
    outputs = np.array([[-1.0, 0.995], [0.99, 0.015]])
    found = output_range(outputs)
    assert (found["min"], found["max"], found["saturated"]) == (-1.0, 0.995, 0.5)
    assert found["mean"] == pytest.approx(outputs.mean())
    assert found["std"] == pytest.approx(outputs.std())


def test_the_summary_is_plain_and_holds_what_the_functions_say() -> None:
    mask = np.arange(6)[None] >= np.full((5, 1), 4)
    summary = summarise_memory(recorded(), mask)
    assert json.loads(json.dumps(summary)) == summary
    assert summary["per_step"]["slot_norms"] == slot_norms(MEMORIES).tolist()
    assert summary["effective_rank"] == pytest.approx(effective_rank(MEMORIES).mean())
    assert summary["phase_norms"]["answer"] == phase_norms(MEMORIES, phases_of(mask))["answer"].tolist()
    assert (summary["parameters"], summary["core_parameters"]) == (120, 100)
    assert summarise_memory(recorded())["phase_norms"] == {}


def test_the_rows_of_a_comparison_have_the_same_columns() -> None:
    models = {
        "RMC": RelationalMemory(5, 3, 4, 2),
        "Hybrid": RelationalRNN(5, 6, num_slots=3, slot_size=8),
        "LSTM": LSTM(5, 6),
    }
    mask = np.arange(6)[None] >= np.full((7, 1), 4)
    rows = compare_memories({name: record_memory(model, INPUTS) for name, model in models.items()}, mask)
    assert [row["name"] for row in rows] == list(models)
    assert len({tuple(row) for row in rows}) == 1
    assert {"parameters", "norm_input", "norm_answer", "state_rank", "output_saturated"} <= rows[0].keys()
    assert rows[2]["effective_rank"] == pytest.approx(1)
    assert rows[2]["specialisation"] == 0
    assert not any(isinstance(value, dict | list) for row in rows for value in row.values())


@pytest.mark.parametrize(
    ("memories", "error", "message"),
    [
        (MEMORIES[0], ValueError, r"memories must have 4 axes \(B, T, N, D\) .*; got shape \(6, 3, 4\)"),
        (MEMORIES[:0], ValueError, "memories must not be empty"),
        (MEMORIES * np.nan, ValueError, "memories must be finite, got NaN or infinity"),
        (MEMORIES.astype(int), TypeError, "memories must hold floats .*, got int"),
    ],
)
@pytest.mark.parametrize("function", [slot_norms, slot_variance, specialisation, effective_rank, state_rank])
def test_bad_memories(function: Any, memories: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        function(memories)


@pytest.mark.parametrize(
    ("phase", "error", "message"),
    [
        (slice(0, 7), ValueError, r"phase 'late' must lie within the 6 steps, got slice\(0, 7, None\)"),
        (slice(-7, None), ValueError, "phase 'late' must lie within the 6 steps"),
        (slice(3, 3), ValueError, "phase 'late' must hold one of the 6 steps at least, got none"),
        (np.ones(5, dtype=bool), ValueError, r"shape \(T,\) = \(6,\) or \(B, T\) = \(5, 6\), got \(5,\)"),
        (np.zeros((5, 6), dtype=bool), ValueError, "must hold one of the 6 steps at least"),
        ([0, 1], TypeError, r"phase 'late' must be a slice or an array of booleans, got \[0, 1\]"),
        (np.arange(6), TypeError, "must be a slice or an array of booleans"),
    ],
)
def test_bad_phases(phase: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        phase_norms(MEMORIES, {"late": phase})


@pytest.mark.parametrize(
    ("mask", "error", "message"),
    [
        (np.ones(6, dtype=bool), ValueError, r"mask must have 2 axes \(B, T\)"),
        (np.zeros((5, 6), dtype=bool), ValueError, "mask must be True at one step at least"),
        (np.ones((5, 7), dtype=bool), ValueError, r"must have shape .* \(5, 6\), got \(5, 7\)"),
        (np.ones((5, 6)), TypeError, "mask must hold booleans, got float64"),
    ],
)
def test_bad_masks(mask: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        summarise_memory(recorded(), mask)


def test_bad_changes_outputs_and_comparisons() -> None:
    with pytest.raises(ValueError, match=r"initial must have shape \(B, N, D\) with .*N = 3"):
        slot_changes(MEMORIES, np.zeros((5, 2, 4)))
    with pytest.raises(ValueError, match=r"changes must have 2 axes \(T, N\)"):
        slots_written(np.ones(3))
    for outputs in (np.zeros((0, 3)), np.array([1.0, np.inf])):
        with pytest.raises(ValueError, match="outputs must be finite numbers, one at least"):
            output_range(outputs)
    with pytest.raises(ValueError, match="at least one recorded memory, got none"):
        compare_memories({})


def test_bad_models_and_inputs() -> None:
    with pytest.raises(TypeError, match=r"model must be an LSTM, .*; got LSTMCell"):
        record_memory(LSTMCell(5, 6), INPUTS)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"inputs must have shape \(B, T, F\) .*F = 4"):
        record_memory(LSTM(4, 6), INPUTS)
    with pytest.raises(ValueError, match=r"inputs must have 4 axes \(B, T, R, F\)"):
        record_memory(RelationalMemory(5, 3, 4, treat_input_as_matrix=True, input_rows=2), INPUTS)
    with pytest.raises(ValueError, match="inputs must not be empty"):
        record_memory(LSTM(5, 6), INPUTS[:, :0])
    with pytest.raises(TypeError, match="inputs must hold floats"):
        record_memory(LSTM(5, 6), np.ones((7, 6, 5), dtype=int))


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"memories": MEMORIES[0]}, ValueError, "memories must have 4 axes"),
        ({"initial": MEMORIES[:, 0, :2]}, ValueError, r"initial must have shape \(B, N, D\)"),
        ({"outputs": MEMORIES[:, :2, 0]}, ValueError, r"outputs must have shape \(B, T, O\)"),
        ({"outputs": np.array(1.0)}, ValueError, "outputs must have 3 axes"),
        ({"outputs": [1.0]}, TypeError, "outputs must be a NumPy array of floats, got list"),
        ({"initial": np.ones((5, 3, 4), dtype=int)}, TypeError, "initial must be .* of floats, got int64"),
        ({"parameters": 99}, ValueError, "parameters must be an integer of at least 100, got 99"),
    ],
)
def test_a_record_that_does_not_fit_together(
    change: dict[str, Any], error: type[Exception], message: str
) -> None:
    fine = {name: getattr(recorded(), name) for name in RecordedMemory.__dataclass_fields__}
    with pytest.raises(error, match=message):
        RecordedMemory(**{**fine, **change})


def test_the_snippet_of_the_docs_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("matplotlib")
    page = (Path(__file__).parents[2] / "docs" / "analysis.md").read_text()
    (snippet,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    (output,) = re.findall(r"```text\n(.*?)```", page, re.DOTALL)
    assert "steps=600" in snippet
    monkeypatch.chdir(tmp_path)
    exec(snippet.replace("steps=600", "steps=2"), {})
    printed = capsys.readouterr().out
    assert [line.split()[0] for line in printed.splitlines()] == [
        line.split()[0] for line in output.splitlines()
    ]
    sizes = {"parameters", "core_parameters", "slots", "slot_size"}  # these do not depend on the training
    for line, shown in zip(printed.splitlines(), output.splitlines(), strict=True):
        assert line == shown or line.split()[0] not in sizes
    assert {path.name for path in tmp_path.iterdir()} == {"memory.png", "slots.png"}
