"""What a caller can do wrong, and the message that says so, for the sequence and the cell."""

import numpy as np
import pytest

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch")

from helpers.torch_cores import SIZES, make_core, make_inputs  # noqa: E402
from relational_rnn.nn import RelationalMemory, RelationalMemoryCell  # noqa: E402

both = pytest.mark.parametrize("kind", [RelationalMemory, RelationalMemoryCell])
F, N, D = SIZES["input_size"], SIZES["mem_slots"], 8


def zeros(*shape, **options):
    return torch.zeros(shape, **{"dtype": torch.float64, **options})


# the constructor


@both
@pytest.mark.parametrize(
    "name",
    ["input_size", "mem_slots", "head_size", "num_heads", "num_blocks", "key_size", "attention_mlp_layers"],
)
@pytest.mark.parametrize(
    ("value", "error", "message"),
    [
        (0, ValueError, "an integer of at least 1, got 0"),
        (-2, ValueError, "an integer of at least 1, got -2"),
        (1.5, TypeError, r"an integer of at least 1, got 1.5 \(float\)"),
        ("3", TypeError, r"an integer of at least 1, got '3' \(str\)"),
        (True, TypeError, r"an integer of at least 1, got True \(bool\)"),
    ],
)
def test_sizes(kind, name, value, error, message):
    with pytest.raises(error, match=f"^{name} must be {message}"):
        kind(**{**SIZES, name: value})


@both
@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        (
            dict(gate_style="units"),
            ValueError,
            "gate_style must be one of 'unit', 'memory', 'none', got 'units'",
        ),
        (
            dict(initial_memory="zero"),
            ValueError,
            r"initial_memory must be one of 'identity', 'random', .*got 'zero' \(did you mean zeros\?\)",
        ),
        (dict(input_fusion="add"), ValueError, "input_fusion must be one of 'append', 'tile', got 'add'"),
        (
            dict(read_head="max"),
            ValueError,
            "read_head must be one of 'flatten', 'mean', 'weighted', 'attention'",
        ),
        (dict(backend="fast"), ValueError, "backend must be one of 'auto', 'eager', .*got 'fast'"),
        (dict(use_mlp=1), TypeError, r"use_mlp must be True or False, got 1 \(int\)"),
        (dict(forget_bias="1"), TypeError, r"forget_bias must be a number, got '1' \(str\)"),
        (dict(input_bias=float("inf")), ValueError, "input_bias must be a finite number, got inf"),
        (dict(input_rows=2), ValueError, "input_rows must be 1 unless treat_input_as_matrix=True"),
        (dict(dtype=torch.int64), TypeError, "dtype must be a floating-point torch dtype, got torch.int64"),
        (dict(dtype="float64"), TypeError, "dtype must be a floating-point torch dtype, got 'float64'"),
        (
            dict(gate_style="LSTM"),
            ValueError,
            """got 'LSTM' \\(the gates of an LSTM, one for every element, are "unit"\\)""",
        ),
        (
            dict(num_slots=3),
            TypeError,
            "Memory(Cell)? has no argument num_slots: num_slots is mem_slots here",
        ),
        (
            dict(memory_slots=3),
            TypeError,
            r"got unknown arguments: memory_slots \(did you mean mem_slots\?\); allowed are input_size, mem",
        ),
    ],
)
def test_options(kind, options, error, message):
    with pytest.raises(error, match=message):
        kind(**SIZES, **options)


def test_a_misspelled_size():
    with pytest.raises(TypeError, match=r"no argument head_siz \(did you mean head_size\?\)"):
        RelationalMemory(5, mem_slots=3, head_siz=4)


def test_unknown_options_list_what_is_allowed():
    with pytest.raises(TypeError) as caught:
        RelationalMemory(**SIZES, heads=2, slots=3)
    message = str(caught.value)
    assert message.startswith(
        "RelationalMemory got unknown arguments: heads (did you mean num_heads?), slots (did you mean "
        "mem_slots?); allowed are input_size, mem_slots, head_size, num_heads, batch_first, device, dtype, "
        "generator, backend, recompute, compute_dtype, num_blocks,"
    )
    assert message.endswith("use_residual, use_layer_norm")
    for name in ("self", "args", "kwargs", "options"):
        assert name not in message.split("allowed are ")[1].split(", ")
    with pytest.raises(
        TypeError, match="RelationalMemoryCell got unknown arguments: batch_first; allowed are"
    ):
        RelationalMemoryCell(**SIZES, batch_first=True)
    with pytest.raises(TypeError, match="batch_first must be True or False, got 1"):
        RelationalMemory(**SIZES, batch_first=1)


# the input: the leading axes are (T, B) for the sequence, (B,) for the cell


LEADING = {RelationalMemory: (6, 3), RelationalMemoryCell: (3,)}


@both
def test_inputs_of_the_wrong_kind(kind):
    core, leading = make_core(kind), LEADING[kind]
    with pytest.raises(TypeError, match=r"input must be a torch.Tensor, got ndarray"):
        core(np.zeros((*leading, F)))
    with pytest.raises(TypeError, match=r"input must be a torch.Tensor, got list"):
        core([[0.0] * F])
    with pytest.raises(TypeError, match=r"input must be floating point \(torch.float64\), got torch.int64"):
        core(zeros(*leading, F, dtype=torch.int64))
    with pytest.raises(
        TypeError, match=r"input must be floating point \(torch.float64\), got torch.complex128"
    ):
        core(zeros(*leading, F, dtype=torch.complex128))
    with pytest.raises(
        TypeError, match=r"input must have the parameters' dtype torch.float64, got torch.float32"
    ):
        core(zeros(*leading, F, dtype=torch.float32))
    with pytest.raises(TypeError, match="input must be on the parameters' device cpu, got meta"):
        core(zeros(*leading, F, device="meta"))
    with pytest.raises(TypeError, match="return_trace must be True or False, got 1"):
        core(zeros(*leading, F), return_trace=1)
    elsewhere = make_core(kind).to("meta")
    with pytest.raises(TypeError, match=r"dtype torch.float64, got torch.float32"):
        elsewhere(zeros(*leading, F, device="meta", dtype=torch.float32))


@both
def test_inputs_of_the_wrong_shape(kind):
    core, leading = make_core(kind), LEADING[kind]
    axes = {RelationalMemory: "T, B", RelationalMemoryCell: "B"}[kind]
    with pytest.raises(
        ValueError, match=rf"input must have shape \({axes}, F\) with .*F = {F}; got .*where F = 7"
    ):
        core(zeros(*leading, 7))
    with pytest.raises(
        ValueError, match=rf"input must have {len(leading) + 1} axes \({axes}, F\).*; got shape"
    ):
        core(zeros(*leading, 2, F))
    with pytest.raises(ValueError, match=r"got shape \(11,\)"):
        core(zeros(F))
    with pytest.raises(ValueError, match=r"got shape \(\)"):
        core(zeros())
    for empty in range(len(leading)):
        shape = [*leading, F]
        shape[empty] = 0
        letter = axes.split(", ")[empty]
        with pytest.raises(ValueError, match=rf"input must not be empty: .*, where {letter} = 0"):
            core(zeros(*shape))


def test_sequences_of_the_wrong_shape():
    with pytest.raises(ValueError, match=r"input must not be empty: shape \(T, F\).*where T = 0"):
        make_core()(zeros(0, F))
    with pytest.raises(ValueError, match=r"input must have shape \(B, T, F\) .*got \(3, 6, 7\), where F = 7"):
        make_core(batch_first=True)(zeros(3, 6, 7))


@both
def test_matrix_inputs_of_the_wrong_shape(kind):
    core = make_core(kind, treat_input_as_matrix=True, input_rows=2)
    leading = LEADING[kind]
    with pytest.raises(ValueError, match=r"R, F\) with .*R = 2, F = 11; got .*where R = 3"):
        core(zeros(*leading, 3, F))
    with pytest.raises(ValueError, match="where F = 7"):
        core(zeros(*leading, 2, 7))
    with pytest.raises(ValueError, match=r"R, F\)"):
        core(zeros(*leading, F))


# the memory


@both
def test_memories(kind):
    core, leading = make_core(kind), LEADING[kind]
    name = {RelationalMemory: "state", RelationalMemoryCell: "memory"}[kind]
    x = zeros(*leading, F)
    for shape, letter in (((3, N + 1, D), "N"), ((3, N, D - 1), "D"), ((2, N, D), "B"), ((1, N, D), "B")):
        with pytest.raises(
            ValueError, match=rf"{name} must have shape \(B, N, D\) with B = 3, N = 5, D = 8; got"
        ):
            core(x, zeros(*shape))
        with pytest.raises(ValueError, match=rf"where {letter} = "):
            core(x, zeros(*shape))
    with pytest.raises(ValueError, match=rf"{name} must have 3 axes \(B, N, D\).*; got shape \(3, 40\)"):
        core(x, zeros(3, N * D))
    with pytest.raises(TypeError, match=rf"{name} must be a torch.Tensor, got ndarray"):
        core(x, np.zeros((3, N, D)))
    with pytest.raises(TypeError, match=rf"{name} must be a torch.Tensor, got tuple"):
        core(x, (zeros(3, N, D), zeros(3, N, D)))
    with pytest.raises(TypeError, match=rf"{name} must be floating point \(torch.float64\), got torch.int64"):
        core(x, zeros(3, N, D, dtype=torch.int64))
    with pytest.raises(
        TypeError, match=rf"{name} must have the parameters' dtype torch.float64, got torch.float32"
    ):
        core(x, zeros(3, N, D, dtype=torch.float32))
    with pytest.raises(TypeError, match=rf"{name} must be on the parameters' device cpu, got meta"):
        core(x, zeros(3, N, D, device="meta"))
    for size, error in ((0, ValueError), (1.0, TypeError), (True, TypeError)):
        with pytest.raises(error, match="batch_size must be an integer of at least 1, got"):
            core.initial_state(size)


def test_the_state_of_one_sequence_has_one_row():
    with pytest.raises(ValueError, match=r"state must have 3 axes \(B, N, D\) with B = 1"):
        make_core()(zeros(6, F), zeros(N, D))
    with pytest.raises(ValueError, match=r"state must have shape .*B = 1, .*where B = 3"):
        make_core()(zeros(6, F), zeros(3, N, D))


def test_steps_without_input():
    cell = make_core(RelationalMemoryCell)
    with pytest.raises(ValueError, match=r"a step without input needs a memory of shape \(B, N, D\)"):
        cell(None)
    with pytest.raises(TypeError, match=r"memory must be a torch.Tensor, got list"):
        cell(None, [0.0])
    with pytest.raises(ValueError, match=r"memory must have 3 axes \(B, N, D\)"):
        cell(None, zeros())
    with pytest.raises(ValueError, match=r"memory must not be empty: .*where B = 0"):
        cell(None, zeros(0, N, D))
    with pytest.raises(ValueError, match=r"memory must have shape .*where N = 4"):
        cell(None, zeros(3, N - 1, D))
    with pytest.raises(TypeError, match=r"input must be a torch.Tensor, got NoneType"):
        make_core()(None)


# the resets


def test_resets():
    core, first = make_core(), make_core(batch_first=True)
    x = zeros(6, 3, F)
    no = torch.zeros(6, 3, dtype=torch.bool)
    with pytest.raises(TypeError, match=r"resets must be bool, got torch.int64"):
        core(x, resets=no.long())
    with pytest.raises(TypeError, match=r"resets must be bool, got torch.float32"):
        core(x, resets=no.float())
    with pytest.raises(ValueError, match=r"resets must have shape \(T, B\) with T = 6, B = 3; got \(3, 6\)"):
        core(x, resets=no.T)
    with pytest.raises(ValueError, match=r"resets must have shape \(B, T\) with B = 6, T = 3; got \(3, 6\)"):
        first(x, resets=no.T)
    with pytest.raises(ValueError, match=r"resets must have 2 axes \(T, B\)"):
        core(x, resets=no[:, 0])
    with pytest.raises(ValueError, match=r"resets must have 1 axes \(T\)"):
        core(x[:, 0], resets=no)
    with pytest.raises(TypeError, match="resets must be on the input's device cpu, got meta"):
        core(x, resets=no.to("meta"))


@both
def test_other_dtypes_are_welcome_under_autocast_only(kind):
    core = make_core(kind, dtype=torch.float32)
    x = make_inputs(core, *LEADING[kind], dtype=torch.bfloat16)
    with pytest.raises(TypeError, match=r"dtype torch.float32, got torch.bfloat16"):
        core(x)
    with torch.autocast("cpu", torch.bfloat16):
        core(x)
        with pytest.raises(
            TypeError, match=r"input must be floating point \(torch.float32\), got torch.int64"
        ):
            core(x.long())


def test_one_step_names_the_cell():
    core = RelationalMemory(**SIZES)
    x = torch.zeros(4, core.input_size)
    with pytest.raises(ValueError, match=r"here of 4 steps, .*got B = 4; .* there is RelationalMemoryCell"):
        core(x, core.initial_state(4))
    output, memory = core(
        x[:1], core.initial_state(1)
    )  # one step of one sample looks like one sequence of one
    assert (output.shape, memory.shape) == ((1, core.output_size), core.initial_state(1).shape)
    with pytest.raises(ValueError, match=r"state must have 3 axes"):
        core(x, core.initial_state(1)[0])
