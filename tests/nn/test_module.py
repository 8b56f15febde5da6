"""The cores as torch modules: dtypes, saving, copying, initial values and torch's tools."""

import copy
import inspect
import io
import pickle
import re

import pytest

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch")

from torch.nn.utils import parametrizations  # noqa: E402

from helpers.torch_cores import (  # noqa: E402
    BATCH,
    CONFIGURATIONS,
    SIZES,
    TIME,
    gradients,
    make_core,
    make_inputs,
    make_memory,
    weigh,
)
from relational_rnn.config import CoreOptions, RelationalMemoryConfig  # noqa: E402
from relational_rnn.config.core import INITIAL_MEMORIES  # noqa: E402
from relational_rnn.kernels import BACKENDS  # noqa: E402
from relational_rnn.nn import RelationalMemory, RelationalMemoryCell  # noqa: E402
from tolerances import assert_close  # noqa: E402

every_configuration = pytest.mark.parametrize("options", CONFIGURATIONS.values(), ids=CONFIGURATIONS.keys())
both = pytest.mark.parametrize("kind", [RelationalMemory, RelationalMemoryCell])


def generator(seed):
    return torch.Generator().manual_seed(seed)


def same_parameters(one, other):
    return all(torch.equal(x, y) for x, y in zip(one.state_dict().values(), other.state_dict().values()))


# dtypes


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@every_configuration
def test_dtypes(options, dtype):
    precise = make_core(**options)
    core = copy.deepcopy(precise).to(dtype)
    inputs = make_inputs(core, 4, BATCH)
    expected, *_ = precise(inputs)
    outputs, last, trace = core(inputs.to(dtype), return_trace=True)
    fast, _ = core(inputs.to(dtype), core.initial_state(BATCH))
    assert {x.dtype for x in (outputs, last, fast, trace.attention, core.initial_state(1))} == {dtype}
    name = str(dtype).removeprefix("torch.")
    assert_close(outputs.detach().double(), expected.detach(), name)
    assert_close(fast.detach().double(), expected.detach(), name)


@both
def test_the_dtype_asked_for_is_the_dtype_of_everything(kind):
    assert {x.dtype for x in kind(**SIZES).state_dict().values()} == {torch.get_default_dtype()}
    options = dict(initial_memory="random", read_head="attention")
    core = kind(**SIZES, **options, dtype=torch.float64)
    assert {x.dtype for x in core.state_dict().values()} == {torch.float64}
    core = kind(**SIZES, **options, device="meta")
    assert {x.device.type for x in core.state_dict().values()} == {"meta"}


@every_configuration
def test_autocast(options):
    core = make_core(**options, dtype=torch.float32)
    inputs = make_inputs(core, 4, BATCH, dtype=torch.float32)
    expected, _ = core(inputs)
    outputs = {}
    with torch.autocast("cpu", torch.bfloat16):
        outputs["plain"], last = core(inputs)
        outputs["traced"], *_ = core(inputs, return_trace=True)
        outputs["from bfloat16"], _ = core(inputs.bfloat16(), core.initial_state(BATCH).bfloat16())
    for name, actual in outputs.items():
        assert_close(actual.detach().float(), expected.detach(), "bfloat16", name)
        assert not torch.equal(actual.float(), expected), f"{name}: autocast had no effect"
    (outputs["plain"].sum() + last.sum()).backward()
    for name, parameter in core.named_parameters():
        assert parameter.grad is None or parameter.grad.dtype == torch.float32, name
    assert core.input_projection.weight.grad.isfinite().all()


@pytest.mark.parametrize("compute_dtype", [torch.float32, torch.bfloat16])
def test_a_dtype_of_its_own_keeps_the_backend_under_autocast(compute_dtype):
    core = make_core(dtype=torch.float32, backend="fused", compute_dtype=compute_dtype)
    inputs, memory = make_inputs(core, 4, BATCH, dtype=torch.float32), make_memory(core, BATCH)
    resets = torch.arange(4 * BATCH).view(4, BATCH) % 3 == 1
    expected, expected_last = core(inputs, memory, resets=resets)
    wanted = torch.autograd.grad(expected.sum(), tuple(core.parameters()), allow_unused=True)
    with torch.autocast("cpu", torch.bfloat16):
        outputs, last = core(inputs, memory, resets=resets)
        narrow, _ = core(inputs.bfloat16(), memory.bfloat16())
        traced, *_ = core(inputs, memory, resets=resets, return_trace=True)
    assert torch.equal(outputs, expected)
    assert torch.equal(last, expected_last)
    for one, other in zip(
        torch.autograd.grad(outputs.sum(), tuple(core.parameters()), allow_unused=True), wanted, strict=True
    ):
        assert one is other is None or torch.equal(one, other)
    assert torch.equal(narrow, core(inputs.bfloat16().float(), memory.bfloat16().float())[0])
    assert not torch.equal(traced, expected)  # plain torch, under autocast


@every_configuration
def test_autocast_with_resets_and_a_trace(options):
    core = make_core(**options, dtype=torch.float32)
    inputs, memory = make_inputs(core, 4, BATCH, dtype=torch.float32), make_memory(core, BATCH)
    lengths, resets = [2, 4, 1], torch.zeros(4, BATCH, dtype=torch.bool)
    resets[1, 0] = resets[2, 1] = resets[0, 2] = True
    packed = torch.nn.utils.rnn.pack_padded_sequence(inputs, lengths, enforce_sorted=False)
    for x, ends in ((inputs, [4] * BATCH), (packed, lengths)):
        expected, expected_last, expected_trace = core(x, memory, resets=resets, return_trace=True)
        with torch.autocast("cpu", torch.bfloat16):
            outputs, last, trace = core(x, memory, resets=resets, return_trace=True)
        pairs = {
            "outputs": (getattr(outputs, "data", outputs), getattr(expected, "data", expected)),
            "last": (last, expected_last),
        }
        for name, value in trace._asdict().items():
            reference = getattr(expected_trace, name)
            assert (value is None) == (reference is None)
            if value is not None:
                for row, end in enumerate(ends):
                    assert value[row, end:].isnan().all()
                    pairs[f"{name} of row {row}"] = value[row, :end], reference[row, :end]
        for name, (actual, reference) in pairs.items():
            assert_close(actual.detach().float(), reference.detach().float(), "bfloat16", name)


# the constructor


def test_the_signature_shows_every_argument():
    shown = inspect.signature(RelationalMemory).parameters
    sizes, place = (
        ["input_size", "mem_slots", "head_size", "num_heads"],
        ["device", "dtype", "generator", "backend"],
    )
    faster = ["recompute", "compute_dtype"]
    assert list(shown) == [*sizes, "batch_first", *place, *faster, "options"]
    assert shown["options"].annotation == "Unpack[CoreOptions]"
    fields = inspect.signature(RelationalMemoryConfig).parameters
    assert [shown[name].default for name in sizes] == [fields[name].default for name in sizes]
    others = {name: shown[name].default for name in ("batch_first", *place, *faster)}
    torchs = dict(device=None, dtype=None, generator=None)
    assert others == dict(batch_first=False, **torchs, backend="auto", recompute=False, compute_dtype=None)
    cell = inspect.signature(RelationalMemoryCell).parameters
    only = ["batch_first", *faster]
    assert list(cell.values()) == [value for name, value in shown.items() if name not in only]


def test_the_docstring_explains_every_argument():
    explained = re.findall(r"^ {8}(\w[\w, ]*):", RelationalMemory.__doc__, re.MULTILINE)
    names = [name for entry in explained for name in entry.split(", ")]
    shown = list(inspect.signature(RelationalMemory).parameters)[:-1]
    assert sorted(names[: names.index("TypeError")]) == sorted([*shown, *CoreOptions.__annotations__])


@both
def test_every_argument_arrives(kind):
    values = dict(input_size=2, mem_slots=3, head_size=4, num_heads=5, num_blocks=6, key_size=7)
    values |= dict(attention_mlp_layers=8, gate_style="memory", forget_bias=0.5, input_bias=0.25)
    values |= dict(treat_input_as_matrix=True, input_rows=9, initial_memory="random", input_fusion="tile")
    values |= dict(read_head="mean", use_attention=False, use_mlp=False, use_residual=False)
    values |= dict(use_layer_norm=False)
    assert vars(kind(**values).config) == values
    options = {name: values[name] for name in CoreOptions.__annotations__}
    assert vars(kind(2, 3, 4, 5, **options).config) == values


# saving and copying


@both
@pytest.mark.parametrize("assign", [False, True])
@pytest.mark.parametrize("initial_memory", INITIAL_MEMORIES)
def test_a_core_made_without_memory_gets_all_from_the_state_dict(kind, assign, initial_memory):
    options = SIZES | dict(initial_memory=initial_memory)
    core, other = make_core(kind, **options), kind(**options, dtype=torch.float64, device="meta")
    if not assign:
        other = other.to_empty(device="cpu")
        for buffer in other.buffers():
            buffer.fill_(float("nan"))  # what uninitialised memory may hold
    other.load_state_dict(core.state_dict(), assign=assign)
    assert torch.equal(other.initial_state(2), core.initial_state(2))
    leading = (BATCH,) if kind is RelationalMemoryCell else (4, BATCH)
    keywords = {} if kind is RelationalMemoryCell else dict(resets=torch.ones(leading, dtype=torch.bool))
    inputs = make_inputs(core, *leading)
    assert torch.equal(other(inputs, **keywords)[0], core(inputs, **keywords)[0])


@both
def test_the_identity_follows_the_parameters(kind):
    core = make_core(kind)
    for dtype in (torch.float16, torch.bfloat16, torch.float32):
        assert core.to(dtype).initial_state(2).dtype == dtype
    assert core.to("meta").initial_state(2).device.type == "meta"


@every_configuration
@both
def test_the_state_dict_holds_all_that_counts(kind, options):
    core, other = make_core(kind, **options), make_core(kind, seed=1, **options)
    inputs = (
        make_inputs(core, BATCH, 1)[:, 0] if kind is RelationalMemoryCell else make_inputs(core, 4, BATCH)
    )
    file = io.BytesIO()
    torch.save(core.state_dict(), file)
    file.seek(0)
    assert not torch.equal(other(inputs)[0], core(inputs)[0])
    other.load_state_dict(torch.load(file, weights_only=True))
    assert torch.equal(other(inputs)[0], core(inputs)[0])


@pytest.mark.parametrize("initial_memory", INITIAL_MEMORIES)
def test_which_initial_memories_are_kept_with_the_weights(initial_memory):
    kept = initial_memory not in ("identity", "zeros")
    core = make_core(initial_memory=initial_memory)
    assert list(core.state_dict()).count("initial_memory") == kept
    assert ("initial_memory" in dict(core.named_parameters())) == (initial_memory == "trainable")
    assert len(list(core.buffers())) == (initial_memory in ("random", "normal"))


def test_only_a_trainable_initial_memory_gets_a_gradient():
    for initial_memory in INITIAL_MEMORIES:
        core = make_core(initial_memory=initial_memory)
        weigh(core(make_inputs(core, TIME, BATCH))[0]).backward()
        if initial_memory == "trainable":
            assert core.initial_memory.grad.abs().min() > 0
        else:
            assert not core.initial_state(1).requires_grad


@every_configuration
@both
def test_copies(kind, options):
    core = make_core(kind, **options)
    inputs = (
        make_inputs(core, BATCH, 1)[:, 0] if kind is RelationalMemoryCell else make_inputs(core, 4, BATCH)
    )
    expected, _ = core(inputs)
    for other in (copy.deepcopy(core), pickle.loads(pickle.dumps(core))):
        assert torch.equal(other(inputs)[0], expected)
        with torch.no_grad():
            other.input_projection.weight += 1
        assert not torch.equal(other(inputs)[0], expected)
        assert torch.equal(core(inputs)[0], expected)


# initial values


@both
def test_initial_values_come_from_the_generator(kind):
    options = SIZES | dict(initial_memory="random", read_head="attention")
    state = torch.get_rng_state()
    core = kind(**options, generator=generator(3))
    assert torch.equal(torch.get_rng_state(), state), "torch's own generator was used"
    assert same_parameters(core, kind(**options, generator=generator(3)))
    other = kind(**options, generator=generator(4))
    drawn = [name for name in core.state_dict() if name.endswith("weight") and "norm" not in name]
    for name in (*drawn, "initial_memory", "read_query"):
        assert not torch.equal(core.state_dict()[name], other.state_dict()[name]), name
    core.reset_parameters(generator(4))
    assert same_parameters(core, other)


def test_without_a_generator_torchs_own_is_used():
    made = []
    for seed in (5, 5, 6):
        torch.manual_seed(seed)
        made.append(RelationalMemory(**SIZES))
    assert same_parameters(made[0], made[1])
    assert not same_parameters(made[0], made[2])


@pytest.mark.parametrize(
    "options",
    [
        {},
        dict(input_fusion="tile", treat_input_as_matrix=True, input_rows=2, gate_style="memory"),
        dict(num_blocks=2, attention_mlp_layers=3, read_head="attention", initial_memory="random"),
    ],
)
def test_initial_values_are_the_authors(options):
    sizes = dict(input_size=90, mem_slots=30, head_size=33, num_heads=3)
    core = make_core(**sizes, **options)
    core.reset_parameters(generator(0))
    for name, value in core.named_parameters():
        if value.ndim == 2:  # a normal of deviation 1/sqrt(fan_in), cut at two deviations, not rescaled
            drawn = value.detach() * value.shape[1] ** 0.5
            # the deviation of a sample of n is off by about 0.6 / sqrt(n)
            assert drawn.std().item() == pytest.approx(0.8796, abs=3 / drawn.numel() ** 0.5), name
            assert drawn.mean().item() == pytest.approx(0, abs=4 / drawn.numel() ** 0.5), name
            assert 2 * (1 - 30 / drawn.numel()) < drawn.abs().max() <= 2 + 1e-9, name
        elif name == "read_query":
            assert 1 < value.abs().max() * len(value) ** 0.5 <= 2 + 1e-9
        else:
            assert torch.equal(value, torch.full_like(value, "norm.weight" in name)), name
    start = core.initial_state(1)[0]
    if options.get("initial_memory") == "random":
        assert start.square().sum(1).mean().item() == pytest.approx(1, abs=0.1)
        assert start.mean().item() == pytest.approx(0, abs=0.01)
    else:
        assert torch.equal(start, torch.eye(30, 99, dtype=torch.float64))


@pytest.mark.parametrize("kept", ["identity", "trainable"])
def test_the_identity_when_there_are_more_slots_than_features(kept):
    core = RelationalMemory(input_size=2, mem_slots=5, head_size=3, initial_memory=kept)
    assert core.initial_state(4).tolist() == [torch.eye(5)[:, :3].tolist()] * 4


def test_the_initial_memories_of_one_deviation_and_of_zeros():
    drawn = RelationalMemory(2, 50, 100, initial_memory="normal", generator=generator(0)).initial_state(2)
    assert drawn.std().item() == pytest.approx(1, abs=0.05)
    assert torch.equal(drawn[0], drawn[1])
    core = make_core(initial_memory="zeros")
    assert not core.initial_state(BATCH).any()
    _, memory = core(make_inputs(core, TIME, BATCH))
    assert_close(memory.detach(), memory[:, :1].expand_as(memory).detach(), what="slots stay alike")


def test_weighted_reading_starts_as_the_mean():
    weighted = RelationalMemory(**SIZES, read_head="weighted", generator=generator(0))
    mean = RelationalMemory(**SIZES, read_head="mean", generator=generator(0))
    inputs = make_inputs(mean, TIME, BATCH, dtype=torch.float32)
    torch.testing.assert_close(weighted(inputs)[0], mean(inputs)[0])


# torch's tools


@both
def test_functional_calls_see_replaced_parameters_and_buffers(kind):
    options = dict(initial_memory="random", read_head="attention", num_blocks=2)
    core, other = make_core(kind, **options), make_core(kind, seed=1, **options)
    inputs = (
        make_inputs(core, BATCH, 1)[:, 0] if kind is RelationalMemoryCell else make_inputs(core, 4, BATCH)
    )
    expected, _ = other(inputs)
    replaced = dict(other.named_parameters()) | dict(other.named_buffers())
    outputs, _ = torch.func.functional_call(core, replaced, (inputs,))
    assert torch.equal(outputs, expected)
    for name in replaced:  # each of them counts
        outputs, _ = torch.func.functional_call(core, replaced | {name: core.state_dict()[name]}, (inputs,))
        assert not torch.equal(outputs, expected), name


def test_functional_gradients_are_autograds():
    core = make_core()
    inputs = make_inputs(core, 4, BATCH)
    parameters = dict(core.named_parameters())
    expected = gradients(weigh(core(inputs)[0]), list(parameters.values()))

    def loss(replaced):
        return weigh(torch.func.functional_call(core, replaced, (inputs,))[0])

    actual = torch.func.grad(loss)({name: value.detach() for name, value in parameters.items()})
    for name, gradient in zip(parameters, expected, strict=True):
        assert_close(actual[name], gradient, what=name)


def test_parametrisations_are_seen():
    core, plain = make_core(), make_core()
    inputs = make_inputs(core, 4, BATCH)
    layer = core.blocks[0].qkv
    parametrizations.weight_norm(layer)
    assert_close(core(inputs)[0].detach(), plain(inputs)[0].detach())
    length, direction = layer.parametrizations.weight.original0, layer.parametrizations.weight.original1
    with torch.no_grad():
        length *= 2
        plain.blocks[0].qkv.weight *= 2
    outputs, _ = core(inputs)
    assert_close(outputs.detach(), plain(inputs)[0].detach())
    for gradient in gradients(weigh(outputs), [length, direction]):
        assert gradient.any()


@every_configuration
def test_export(options):
    core = make_core(**options, batch_first=True)
    inputs, memory = make_inputs(core, BATCH, 3), make_memory(core, BATCH)
    resets = torch.tensor([[False, True, False]] * BATCH)
    exported = torch.export.export(core, (inputs, memory), {"resets": resets}).module()
    results = exported(inputs, memory, resets=resets), core(inputs, memory, resets=resets)
    for actual, expected in zip(*results, strict=True):
        assert_close(actual.detach(), expected.detach())


@pytest.mark.parametrize("batch_first", [False, True])
def test_export_for_any_batch_size(batch_first):
    core = make_core(batch_first=batch_first)
    made_for, called_with = (make_inputs(core, *((b, 3) if batch_first else (3, b))) for b in (2, 7))
    batch = torch.export.Dim("batch")
    exported = torch.export.export(core, (made_for,), dynamic_shapes=({0 if batch_first else 1: batch},))
    for actual, expected in zip(exported.module()(called_with), core(called_with), strict=True):
        assert_close(actual.detach(), expected.detach())


def test_printing_shows_the_configuration():
    shown = repr(RelationalMemory(**SIZES, gate_style="memory", batch_first=True))
    assert shown.startswith("RelationalMemory(")
    for part in ("input_size=11", "mem_slots=5", "gate_style='memory'", "batch_first=True", "gate_memory"):
        assert part in shown
    assert "batch_first" not in repr(RelationalMemoryCell(**SIZES))


def test_the_backend_in_use_is_named():
    assert make_core().backend_in_use in BACKENDS
    for name in ("eager", "fused"):
        assert make_core(backend=name).backend_in_use == name


@every_configuration
def test_recomputing_changes_nothing(options):
    core, again = make_core(**options, backend="fused"), make_core(**options, recompute=True)
    assert again.backend_in_use == "fused"
    inputs, memory = make_inputs(core, TIME, BATCH), make_memory(core, BATCH)
    resets = torch.rand(TIME, BATCH, generator=generator(0)) < 0.2
    found = []
    for one in (core, again):
        outputs, last = one(inputs, memory, resets=resets)
        found.append([outputs, last, *gradients(weigh(outputs) + weigh(last), list(one.parameters()))])
    for actual, expected in zip(*found, strict=True):
        assert_close(actual.detach(), expected.detach())


@every_configuration
def test_products_in_another_dtype(options):
    core = make_core(**options, dtype=torch.float32)
    coarse = make_core(**options, dtype=torch.float32, compute_dtype=torch.bfloat16)
    inputs = make_inputs(core, 4, BATCH, dtype=torch.float32)
    found = []
    for one in (core, coarse):
        outputs, _ = one(inputs)
        found.append([outputs, *gradients(outputs.square().mean(), list(one.parameters()))])
    assert not torch.equal(found[0][0], found[1][0]), "compute_dtype had no effect"
    assert_close(found[1][0].detach(), found[0][0].detach(), "bfloat16")
    for actual, expected in zip(*found, strict=True):
        assert actual.dtype == torch.float32
        assert (actual - expected).norm() <= 0.3 * expected.norm() + 1e-6


@pytest.mark.parametrize("option", [dict(recompute=True), dict(compute_dtype=torch.bfloat16)])
def test_options_that_a_backend_does_not_have(option):
    name = next(iter(option))
    with pytest.raises(ValueError, match=f"backend='eager' cannot run here: it has no {name}"):
        RelationalMemory(**SIZES, backend="eager", **option)
    with pytest.raises(TypeError, match=f"got unknown arguments: {name}"):
        RelationalMemoryCell(**SIZES, **option)
    with pytest.raises(TypeError, match="compute_dtype must be a floating-point torch dtype, got torch"):
        RelationalMemory(**SIZES, compute_dtype=torch.int32)
