"""What every core does, by whatever name it is built; a new one is tested by having a name."""

import copy
import pickle
from itertools import pairwise

import numpy as np
import pytest

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch")

from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence  # noqa: E402

from helpers.model_zoo import (  # noqa: E402
    MODELS,
    B,
    F,
    T,
    build,
    draw,
    every_model,
    generator,
    make_model,
    parts,
    plain_model,
    rows,
)
from helpers.torch_cores import gradients, weigh  # noqa: E402
from relational_rnn.nn import Core, SequenceClassifier  # noqa: E402
from relational_rnn.training import models as registry  # noqa: E402
from relational_rnn.training.matching import smallest_size  # noqa: E402
from tolerances import assert_close  # noqa: E402

LENGTHS = {"unsorted": [3, 7, 1, 4], "sorted": [7, 5, 5, 2]}


def assert_same(actual, expected, what=""):
    assert_close(actual.detach(), expected.detach(), what=what)


def assert_same_state(actual, expected):
    assert type(actual) is type(expected)
    for number, (one, other) in enumerate(zip(parts(actual), parts(expected), strict=True)):
        assert_same(one, other, f"part {number} of the state")


def some_state(core, batch=B):
    """A state unlike the initial one."""
    return core(draw(3, batch, F, seed=9).transpose(0, int(core.batch_first)))[1]


def test_every_core_is_here():
    assert {name for name, _, _ in MODELS.values()} == set(registry.MODELS)


# shapes and layouts


@every_model
def test_the_interface(label):
    core = make_model(label)
    assert isinstance(core, Core)
    assert core.input_size == F
    assert core.batch_first is False
    x = draw(T, B, F)
    outputs, state = core(x)
    assert outputs.shape == (T, B, core.output_size)
    again, same = core(x, core.initial_state(B))
    assert_same(again, outputs)
    assert_same_state(same, state)


@every_model
@pytest.mark.parametrize("given", [False, True])
def test_every_layout(label, given):
    core, first = make_model(label), make_model(label, batch_first=True)
    x = draw(T, B, F)
    state = some_state(core) if given else None
    outputs, last = core(x, state)
    swapped, same = first(x.transpose(0, 1), state)
    assert_same(swapped.transpose(0, 1), outputs)
    assert_same_state(same, last)
    for row in range(B):
        alone, after = core(x[:, row], rows(label, state, [row]) if given else None)
        assert alone.shape == (T, core.output_size)
        assert_same(alone, outputs[:, row], "one sequence, and a row of a batch")
        assert_same_state(after, rows(label, last, [row]))


@every_model
def test_a_classifier_on_top(label):
    core = make_model(label, batch_first=True)
    model = SequenceClassifier(core, classes=3, head_layers=0, generator=generator(0))
    x = draw(B, T, F)
    assert_same(model(x), model.head(core(x)[0][:, -1]))


# time


@every_model
def test_a_split_sequence_is_the_whole(label):
    core, x = make_model(label), draw(T, B, F).requires_grad_()
    wanted = [x, *core.parameters()]
    whole, last = core(x)
    expected = gradients(weigh(whole) + weigh(parts(last)[0]), wanted)
    for cuts in ([1, T - 1], [3, 4], [2, 2, 3], [1] * T):
        state, outputs = None, []
        for part in x.split(cuts):
            output, state = core(part, state)
            outputs.append(output)
        assert_same(torch.cat(outputs), whole, f"split into {cuts}")
        assert_same_state(state, last)
        found = gradients(weigh(torch.cat(outputs)) + weigh(parts(state)[0]), wanted)
        for actual, reference in zip(found, expected, strict=True):
            assert_same(actual, reference, f"gradient, split into {cuts}")


@every_model
def test_no_step_sees_later_ones(label):
    core, x = make_model(label), draw(T, B, F)
    expected, _ = core(x)
    for time in range(T):
        changed = x.clone()
        changed[time:] = draw(T - time, B, F, seed=3)
        outputs, _ = core(changed)
        assert_same(outputs[:time], expected[:time], f"changed from step {time} on")
        assert not torch.isclose(outputs[time], expected[time]).all(-1).any()


@every_model
def test_every_step_counts_at_the_end(label):
    core, x = make_model(label), draw(T, B, F).requires_grad_()
    (found,) = gradients(weigh(core(x)[0][-1]), [x])
    assert (found.abs().amax(-1) > 1e-12).all()


@every_model
@pytest.mark.parametrize("lengths", LENGTHS.values(), ids=LENGTHS.keys())
@pytest.mark.parametrize("with_resets", [False, True])
def test_packed_sequences_run_as_if_alone(label, lengths, with_resets):
    core, x = make_model(label), draw(T, B, F)
    state, resets = some_state(core), None
    if with_resets:
        resets = torch.rand(T, B, generator=generator(4)) < 0.3
        resets[0, 0] = resets[2, 1] = resets[3, 1] = True
    ordered = lengths == sorted(lengths, reverse=True)
    outputs, last = core(pack_padded_sequence(x, lengths, enforce_sorted=ordered), state, resets=resets)
    assert outputs.data.shape == (sum(lengths), core.output_size)
    outputs, found = pad_packed_sequence(outputs)
    assert found.tolist() == lengths
    for row, length in enumerate(lengths):
        flags = None if resets is None else resets[:length, row]
        expected, after = core(x[:length, row], rows(label, state, [row]), resets=flags)
        assert_same(outputs[:length, row], expected, f"row {row}")
        probe = draw(2, F, seed=5)  # the Transformer's states differ in what is never looked at
        assert_same(core(probe, rows(label, last, [row]))[0], core(probe, after)[0], f"after row {row}")


@every_model
def test_a_reset_is_a_fresh_state(label):
    core, x = make_model(label), draw(T, B, F).requires_grad_()
    state = some_state(core)
    resets = torch.zeros(T, B, dtype=torch.bool)
    resets[0, 1] = resets[3, 0] = resets[3, 1] = resets[5, 1] = True
    outputs, last = core(x, state, resets=resets)
    again, same = core(x[4:], core(x[:4], state, resets=resets[:4])[1], resets=resets[4:])
    assert_same(again, outputs[4:])
    assert_same_state(same, last)
    for row in range(B):
        starts = [0, *(t for t in range(1, T) if resets[t, row]), T]
        before = None if resets[0, row] else rows(label, state, [row])
        expected = []
        for start, end in pairwise(starts):
            output, after = core(x[start:end, row], before if start == 0 else None)
            expected.append(output)
        assert_same(outputs[:, row], torch.cat(expected), f"row {row}")
        probe = draw(2, F, seed=5)
        assert_same(core(probe, rows(label, last, [row]))[0], core(probe, after)[0], f"after row {row}")
    (found,) = gradients(weigh(outputs[3:, 0]), [x])
    assert not found[:3, 0].any(), "gradients stop at a reset"
    assert found[3:, 0].any(-1).all()


# rows


@every_model
def test_rows_are_independent(label):
    core, x = make_model(label), draw(T, B, F)
    state = some_state(core)
    expected, last = core(x, state)
    order = [2, 0, 3]
    outputs, after = core(x[:, order], rows(label, state, order))
    assert_same(outputs, expected[:, order])
    assert_same_state(after, rows(label, last, order))
    broken = x.clone()
    broken[:, 1] = float("nan")
    outputs, _ = core(broken, state)
    assert_same(outputs[:, order], expected[:, order])
    assert outputs[:, 1].isnan().all()


# weights


@every_model
def test_gradients_reach_everything(label):
    core, x = make_model(label), draw(T, B, F).requires_grad_()
    state = some_state(core)
    kept = [part.detach().requires_grad_() for part in parts(state) if part.is_floating_point()]
    given = [*kept, *parts(state)[len(kept) :]]
    given = given[0] if isinstance(state, torch.Tensor) else tuple(given)
    names, parameters = zip(*core.named_parameters(), strict=True)
    loss = weigh(core(x)[0]) + weigh(core(x, given)[0])
    of_input, *others = gradients(loss, [x, *parameters, *kept])
    assert (of_input.abs().amax(-1) > 1e-9).all()
    for name, gradient in zip((*names, *range(len(kept))), others, strict=True):
        # The softmax does not see what all keys have in common.
        assert name == "W_k.bias" or gradient.abs().max() > 1e-9, f"parameter or part of the state: {name}"


@every_model
def test_initial_values_come_from_the_generator(label):
    before = torch.get_rng_state()
    one, same, other = (plain_model(label, generator=generator(seed)) for seed in (0, 0, 1))
    assert torch.equal(torch.get_rng_state(), before), "torch's own generator was used"
    for name, value in one.named_parameters():
        assert torch.equal(value, same.get_parameter(name)), name
        if value.ndim == 2 and "initial_memory" not in name:
            assert not torch.isclose(value, other.get_parameter(name)).all(), name
    other.reset_parameters(generator(0))
    for name, value in one.named_parameters():
        assert torch.equal(value, other.get_parameter(name)), name
    made = []
    for seed in (5, 5):
        torch.manual_seed(seed)
        made.append(plain_model(label, generator=None))
    for name, value in made[0].named_parameters():
        assert torch.equal(value, made[1].get_parameter(name)), name


@every_model
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_dtypes(label, dtype):
    assert {value.dtype for value in plain_model(label, dtype=dtype).parameters()} == {dtype}
    core = make_model(label).to(dtype)
    outputs, state = core(draw(T, B, F).to(dtype))
    assert outputs.dtype == dtype
    assert {part.dtype for part in parts(state)} <= {dtype, torch.bool}
    assert outputs.isfinite().all()
    if dtype != torch.bfloat16:
        wide, _ = make_model(label)(draw(T, B, F))
        assert_close(outputs.detach(), wide.detach(), str(dtype).removeprefix("torch."))


@every_model
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_autocast(label, dtype):
    core = make_model(label, dtype=torch.float32)
    x, resets = draw(T, B, F).float(), torch.rand(T, B, generator=generator(4)) < 0.3
    expected, _ = core(x, resets=resets)
    with torch.autocast("cpu", dtype):
        outputs, state = core(x, resets=resets)
        again, _ = core(x.to(dtype), state)  # as a layer below hands it on
    assert (outputs - expected).norm() < 0.1 * expected.norm()
    assert again.isfinite().all()


@every_model
def test_a_core_made_without_memory(label):
    core, x = make_model(label), draw(T, B, F)
    with torch.device("meta"):
        by_context = plain_model(label, generator=None)
    by_argument = plain_model(label, generator=None, device="meta")
    for empty in (by_context, by_argument):
        assert {value.device.type for value in empty.parameters()} == {"meta"}
        outputs, _ = empty(x.to("meta"))
        assert outputs.shape == (T, B, core.output_size)
        filled = empty.to_empty(device="cpu")
        filled.load_state_dict(core.state_dict())
        assert torch.equal(filled(x)[0], core(x)[0])


@every_model
def test_copies(label):
    core, x = make_model(label), draw(T, B, F)
    for other in (copy.deepcopy(core), pickle.loads(pickle.dumps(core))):
        assert torch.equal(other(x)[0], core(x)[0])
    assert repr(core)


@every_model
def test_a_size_for_a_number_of_parameters(label):
    name, _, options = MODELS[label]

    def count(size):
        with torch.device("meta"):
            return sum(value.numel() for value in build(name, size, **options).parameters())

    counts = [count(size) for size in range(1, 6)]  # at 6, one hybrid has a layer less
    assert counts == sorted(set(counts)), "it rises with the size"
    size = smallest_size(count, 50_000)
    assert count(size - 1) < 50_000 <= count(size)


# errors


@every_model
@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        (dict(batch_first=1), TypeError, "batch_first must be True or False, got 1"),
        (dict(dtype=torch.int64), TypeError, "dtype must be a floating-point torch dtype, got torch.int64"),
        (dict(heads=2), TypeError, "heads"),
    ],
)
def test_bad_options(label, options, error, message):
    with pytest.raises(error, match=message):
        plain_model(label, **options)


@every_model
def test_bad_sizes(label):
    name, _, options = MODELS[label]
    spec, sizes = registry.find_model(name), {k: v for k, v in options.items() if type(v) is int}
    for size in (*sizes, spec.size, "input_size"):
        for value, error in ((0, ValueError), (1.5, TypeError), (True, TypeError)):
            arguments = {"input_size": F, spec.size: 6, **options, size: value}
            with pytest.raises(error, match=f"^{size} must be an integer of at least 1, got"):
                spec.core("torch")(**arguments)


@every_model
def test_bad_inputs(label):
    core, first, x = make_model(label), make_model(label, batch_first=True), draw(T, B, F)
    for bad, error, message in (
        (draw(T, B, F + 1), ValueError, r"input must have shape \(T, B, F\) .*where F = 6"),
        (draw(T, F + 1), ValueError, r"input must have shape \(T, F\) .*where F = 6"),
        (draw(2, T, B, F), ValueError, "input must have 3 axes"),
        (x[:0], ValueError, "must not be empty.*where T = 0"),
        (x[:, :0], ValueError, "must not be empty.*where B = 0"),
        (x.float(), TypeError, "input must have the parameters' dtype torch.float64, got torch.float32"),
        (x.long(), TypeError, r"input must be floating point \(torch.float64\), got torch.int64"),
        (x.to("meta"), TypeError, "input must be on the parameters' device cpu, got meta"),
        (x.numpy(), TypeError, "input must be a torch.Tensor, got ndarray"),
    ):
        with pytest.raises(error, match=message):
            core(bad)
    with pytest.raises(ValueError, match=r"input must have shape \(B, T, F\) .*where F = 6"):
        first(draw(B, T, F + 1))
    with pytest.raises(TypeError, match=r"resets must be bool, got torch.float32"):
        core(x, resets=torch.zeros(T, B))
    with pytest.raises(ValueError, match=r"resets must have shape \(T, B\)"):
        core(x, resets=np.zeros((B, T), dtype=bool))
    for size, error in ((0, ValueError), (2.0, TypeError)):
        with pytest.raises(error, match="batch_size must be an integer of at least 1, got"):
            core.initial_state(size)


@every_model
def test_bad_states(label):
    core, x = make_model(label), draw(T, B, F)
    state = some_state(core)
    with pytest.raises(ValueError, match=r"state.* must have shape .*B = 4|state.* = \(4, "):
        core(x, rows(label, state, [0, 1, 2]))
    with pytest.raises(TypeError, match=r"state.* must (be|have) .*, got"):
        core(x, "state")
    narrow = [part if part.dtype == torch.bool else part.float() for part in parts(state)]
    narrow = narrow[0] if isinstance(state, torch.Tensor) else tuple(narrow)
    with pytest.raises(TypeError, match=r"state.* must have the parameters' dtype torch.float64"):
        core(x, narrow)
    if isinstance(state, tuple):
        with pytest.raises(TypeError, match=r"state must be a tuple \(\w+, \w+.*\), got"):
            core(x, tuple(state)[:-1])
