"""What a tensor means counts, not how it lies: the right numbers, or an error that names it."""

import numpy as np
import pytest

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch")

from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence  # noqa: E402

from helpers.model_zoo import B, F, T, draw, every_model, make_model, parts  # noqa: E402
from helpers.torch_cores import SIZES, gradients, make_core, make_inputs, make_memory, weigh  # noqa: E402
from relational_rnn.config import RelationalMemoryConfig, parameter_shapes  # noqa: E402
from relational_rnn.kernels import BACKENDS  # noqa: E402
from relational_rnn.kernels.backends import cannot_run  # noqa: E402
from relational_rnn.nn import RelationalMemory, RelationalMemoryCell, RelationalRNNCell  # noqa: E402
from tolerances import assert_close  # noqa: E402

CONFIG = RelationalMemoryConfig(**SIZES)
BACKENDS_HERE = [
    name
    for name in BACKENDS
    if name != "triton" and cannot_run(name, CONFIG, torch.float32, torch.device("cpu")) is None
]
every_backend = pytest.mark.parametrize("backend", BACKENDS_HERE)
READING = dict(initial_memory="trainable", read_head="attention")


def core_of(backend, kind=RelationalMemory, **options):
    return make_core(kind, dtype=torch.float32, backend=backend, **options)


def single(core, *leading):
    return make_inputs(core, *leading, dtype=torch.float32)


# parameters


def wrong_shapes(shape):
    """Shapes that would be broadcast, or read past their end."""
    yield (1,) * len(shape)
    yield (shape[0] + 1, *shape[1:])
    yield (shape[0] - 1, *shape[1:])
    if len(shape) == 2:
        yield shape[::-1] if shape[0] != shape[1] else (shape[0], shape[1] + 1)
        yield (shape[0], 1)


@every_backend
@pytest.mark.parametrize("kind", [RelationalMemory, RelationalMemoryCell])
@pytest.mark.parametrize("name", parameter_shapes(RelationalMemoryConfig(**SIZES, **READING)))
def test_a_parameter_of_another_shape_is_refused(backend, kind, name):
    core = core_of(backend, kind, **READING)
    right = core.get_parameter(name)
    x = single(core, 3) if kind is RelationalMemoryCell else single(core, T, 3)
    owner = core.get_submodule(name.rpartition(".")[0])
    for shape in wrong_shapes(tuple(right.shape)):
        setattr(owner, name.rpartition(".")[2], torch.nn.Parameter(torch.zeros(shape)))
        with pytest.raises(ValueError, match=f"{name} must have shape .*{right.shape[0]}.*got "):
            core(x)
    setattr(owner, name.rpartition(".")[2], right)
    core(x)


@every_backend
def test_a_parameter_that_changes_its_shape_before_the_backward_is_refused(backend):
    core = core_of(backend)
    outputs, _ = core(single(core, T, 3))
    core.mlp[0].weight.data = torch.zeros(2, 2)
    with pytest.raises((ValueError, RuntimeError), match=r"shape|size"):
        outputs.sum().backward()


STRANGE_PARAMETERS = {
    "sparse": lambda x: x.to_sparse(),
    "complex": lambda x: x.to(torch.complex64),
    "integer": lambda x: x.long(),
    "another dtype": lambda x: x.double(),
    "another device": lambda x: x.to("meta"),
}


@every_backend
@pytest.mark.parametrize("strange", STRANGE_PARAMETERS.values(), ids=STRANGE_PARAMETERS)
def test_a_parameter_that_is_no_dense_tensor_of_its_kind_is_refused(backend, strange):
    for kind in (RelationalMemory, RelationalMemoryCell):
        core = core_of(backend, kind)
        core.mlp[1].weight = torch.nn.Parameter(strange(core.mlp[1].weight.detach()), requires_grad=False)
        x = single(core, 3) if kind is RelationalMemoryCell else single(core, T, 3)
        with pytest.raises(TypeError, match=r"mlp\.1\.weight must be dense, torch\.float32 and on cpu, got"):
            core(x)


CHANGES = {
    "half": lambda core: core.half(),
    "double": lambda core: core.double(),
    "one of them": lambda core: setattr(core.mlp[0].weight, "data", core.mlp[0].weight.data.double()),
    "given back": lambda core: core.gate_memory.weight.untyped_storage().resize_(0),
}


@every_backend
@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_what_changes_before_the_backward_never_counts_as_what_it_was(backend, change):
    core = core_of(backend)
    x = single(core, T, 3).requires_grad_()
    outputs, _ = core(x)
    (expected,) = torch.autograd.grad(weigh(outputs), x, retain_graph=True)
    change(core)
    try:
        (found,) = torch.autograd.grad(weigh(outputs), x)
    except (ValueError, TypeError, RuntimeError):
        return
    assert_close(found, expected, "float32")


@every_backend
def test_memory_that_was_given_back(backend):
    core = core_of(backend)
    x, memory = single(core, T, 3), make_memory(core, 3)
    for tensor in (x, memory, core.mlp[0].weight):
        kept = tensor.untyped_storage().nbytes()
        values = tensor.detach().clone()
        tensor.untyped_storage().resize_(0)
        with pytest.raises((ValueError, RuntimeError), match=r"storage|given back"):
            core(x, memory)
        tensor.untyped_storage().resize_(kept)
        tensor.data.copy_(values)
    core(x, memory)


UNPACKED = {
    "as it was": lambda t: t,
    "spread": lambda t: torch.stack([t, t], -1)[..., 0],
    "negative bit": lambda t: torch._neg_view(-t),
}


@pytest.mark.parametrize("backend", [name for name in BACKENDS_HERE if name != "eager"])
@pytest.mark.parametrize("unpack", UNPACKED.values(), ids=UNPACKED)
def test_what_was_packed_and_unpacked_in_between(backend, unpack):
    core = core_of(backend)
    x = single(core, T, 3)
    expected = gradients(weigh(core(x)[0]), list(core.parameters()))
    hooks = torch.autograd.graph.saved_tensors_hooks(
        lambda t: t, lambda t: unpack(t) if t.is_floating_point() else t
    )
    with hooks:
        outputs, _ = core(x)
    for one, other in zip(gradients(weigh(outputs), list(core.parameters())), expected, strict=True):
        assert_close(one, other, "float32")


@every_backend
def test_resets_that_hold_nothing_never_count_as_no_resets(backend):
    from torch._subclasses import FakeTensorMode

    core = core_of(backend)
    with FakeTensorMode():
        resets = torch.ones(T, 3, dtype=torch.bool)
    with pytest.raises(TypeError, match="resets must be a tensor with data, got a FakeTensor"):
        core(single(core, T, 3), resets=resets)
    with pytest.raises(TypeError, match="resets must be a dense tensor"):
        core(single(core, T, 3), resets=torch.ones(T, 3, dtype=torch.bool).to_sparse())


# what a tensor looks like in memory


def negated(x):
    return torch._neg_view(-x.detach()).requires_grad_(x.requires_grad)


def spread(x):
    wide = torch.full((*x.shape[:-1], 2 * x.shape[-1]), torch.nan, dtype=x.dtype)
    wide[..., ::2] = x.detach()
    return wide[..., ::2].requires_grad_(x.requires_grad)


def misaligned(x):
    values = x.detach().contiguous().numpy()
    raw = np.zeros(values.nbytes + 1, np.uint8)
    raw[1:] = values.reshape(-1).view(np.uint8)
    made = torch.frombuffer(raw, dtype=x.dtype, offset=1, count=x.numel()).view(x.shape)
    assert made.data_ptr() % x.element_size()
    return made.requires_grad_(x.requires_grad)


LOOKS = {"negative bit": negated, "spread": spread, "misaligned": misaligned}
every_look = pytest.mark.parametrize("look", LOOKS.values(), ids=LOOKS)


def everything(core, x, memory, weights):
    """Outputs, last memory and the gradients of both, whose own gradients are `weights`."""
    outputs, last = core(x, memory)
    leaves = [x, memory, *core.parameters()]
    found = torch.autograd.grad([outputs, last], leaves, weights, allow_unused=True)
    return [outputs, last, *found]


@every_backend
@every_look
def test_the_same_numbers_however_they_lie(backend, look):
    core, usual = core_of(backend), core_of("eager").double()
    x, memory = single(core, T, 3).requires_grad_(), make_memory(core, 3).requires_grad_()
    shapes = (T, 3, core.output_size), memory.shape
    weights = [torch.randn(shape, generator=torch.Generator().manual_seed(5)) for shape in shapes]
    wide = [t.detach().double().requires_grad_() for t in (x, memory)]
    expected = everything(usual, *wide, [w.double() for w in weights])
    for name, parameter in list(core.named_parameters()):
        owner = core.get_submodule(name.rpartition(".")[0])
        setattr(owner, name.rpartition(".")[2], torch.nn.Parameter(look(parameter).detach()))
    actual = everything(core, look(x), look(memory), [look(w) for w in weights])
    for one, other in zip(actual, expected, strict=True):
        assert_close(one.detach(), other.detach(), "float32")


@every_backend
def test_gradients_that_are_one_number_everywhere(backend):
    core, usual = core_of(backend), core_of("eager")
    x = single(core, T, 3)
    weights = torch.ones(()).expand(T, 3, core.output_size)  # all strides 0
    for one, other in zip(
        torch.autograd.grad(core(x)[0], list(core.parameters()), weights),
        torch.autograd.grad(usual(x)[0], list(usual.parameters()), weights.contiguous()),
        strict=True,
    ):
        assert_close(one, other, "float32")


@every_model
@every_look
def test_every_model_takes_inputs_and_states_however_they_lie(label, look):
    core = make_model(label)
    x = draw(T, B, F)
    expected, state = core(x)
    assert_close(core(look(x))[0].detach(), expected.detach())
    expected, _ = core(x, state)
    # Flags of steps are no numbers.
    looked = [look(p.detach()) if p.is_floating_point() and p.numel() else p for p in parts(state)]
    if isinstance(state, torch.Tensor):
        (again,) = looked
    else:
        again = type(state)(*looked) if hasattr(state, "_fields") else tuple(looked)
    assert_close(core(x, again)[0].detach(), expected.detach())


STRANGE = {
    "sparse": lambda x: x.to_sparse(),
    "nested": lambda x: torch.nested.nested_tensor(list(x)),
    "complex": lambda x: x.to(torch.complex128),
    "integer": lambda x: x.long(),
    "a list": lambda x: x.tolist(),
    "an array": lambda x: x.numpy(),
    "another dtype": lambda x: x.half(),
    "another device": lambda x: x.to("meta"),
}


@pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors:UserWarning")
@every_model
@pytest.mark.parametrize("strange", STRANGE.values(), ids=STRANGE)
def test_what_is_no_dense_tensor_of_the_right_kind_is_refused(label, strange):
    core = make_model(label)
    with pytest.raises(TypeError, match=r"input must (be|have) .*got"):
        core(strange(draw(T, B, F)))


@every_backend
def test_what_is_only_a_shape_is_run_as_one(backend):
    from torch._subclasses import FakeTensorMode

    core = core_of(backend)
    with FakeTensorMode(allow_non_fake_inputs=True) as mode:
        outputs, last = core(mode.from_tensor(single(core, T, 3)))
    assert outputs.shape == (T, 3, core.output_size)
    assert type(last).__name__ == "FakeTensor"


@every_backend
def test_a_tensor_around_tensors_does_not_mix_with_plain_ones(backend):
    from torch.testing._internal.two_tensor import TwoTensor

    core = core_of(backend)
    x = single(core, T, 3)
    with pytest.raises(TypeError, match="input must be a Parameter like the parameters, got a TwoTensor"):
        core(TwoTensor(x, x))


# gradients of results


def sparse(gradient):
    return gradient.to_sparse(1) if gradient.ndim > 2 else gradient.to_sparse()


def check_sparse_gradients(results, name):
    """Every result that has a gradient refuses a sparse one, and takes it as a dense tensor."""
    learned = [part for part in results if part.requires_grad]
    assert learned
    for part in learned:
        gradient = draw(*part.shape).to(part.dtype)
        for given in (gradient.to_sparse(), sparse(gradient)):
            with pytest.raises(TypeError, match=f"gradient of {name}'s results must be a dense tensor, got "):
                part.backward(given, retain_graph=True)
        part.backward(gradient, retain_graph=True)


@every_model
@pytest.mark.parametrize("packed", [False, True], ids=["padded", "packed"])
def test_a_sparse_gradient_of_a_models_results_is_refused(label, packed):
    core, x = make_model(label), draw(T, B, F)
    outputs, state = core(pack_padded_sequence(x, [7, 4, 3, 1], enforce_sorted=True) if packed else x)
    check_sparse_gradients([outputs.data if packed else outputs, *parts(state)], type(core).__name__)


@every_backend
@pytest.mark.parametrize("kind", [RelationalMemory, RelationalMemoryCell])
def test_a_sparse_gradient_of_any_backends_results_is_refused(backend, kind):
    core = core_of(backend, kind)
    check_sparse_gradients(core(single(core, 3)), kind.__name__)


def test_a_sparse_gradient_of_the_hybrid_cells_results_is_refused():
    cell = RelationalRNNCell(F, 6)
    check_sparse_gradients(cell(draw(B, F).float()), "RelationalRNNCell")


# packed sequences


MALFORMED = {
    "too few rows": (4, [3, 2, 1]),
    "too many rows": (9, [3, 2, 1]),
    "rising": (5, [2, 3]),
    "a step of nobody": (3, [3, 0]),
    "below zero": (2, [3, -1]),
    "no steps": (3, []),
}


@every_model
@pytest.mark.parametrize(("count", "sizes"), MALFORMED.values(), ids=MALFORMED)
def test_batch_sizes_that_do_not_fit(label, count, sizes):
    packed = PackedSequence(draw(count, F), torch.tensor(sizes, dtype=torch.int64))
    with pytest.raises(ValueError, match=f"must sum to its {count} rows and fall to 1 or more, got"):
        make_model(label)(packed)


ORDERS = {
    "twice the same": ([0, 0, 1, 2], [0, 2, 3, 1]),
    "not the way back": ([1, 2, 3, 0], [1, 2, 3, 0]),
    "too short": ([0, 1, 2], [0, 1, 2]),
    "out of range": ([0, 1, 2, 9], [0, 1, 2, 3]),
}


@every_model
@pytest.mark.parametrize(("there", "back"), ORDERS.values(), ids=ORDERS)
def test_orders_that_are_none(label, there, back):
    packed = pack_padded_sequence(draw(T, B, F), [3, 7, 1, 4], enforce_sorted=False)
    wrong = PackedSequence(packed.data, packed.batch_sizes, torch.tensor(there), torch.tensor(back))
    with pytest.raises(ValueError, match=r"a packed input's (un)?sorted_indices must"):
        make_model(label)(wrong)


def test_batch_sizes_of_another_dtype():
    packed = PackedSequence(draw(3, F), torch.tensor([2.0, 1.0]))
    with pytest.raises(TypeError, match=r"batch_sizes must be torch.int64 with one axis, got torch.float32"):
        make_model("rmc")(packed)


# the ends of the numbers


EDGES = [1e4, 1e14, 1e15, 1e16, 1e20, 1e25, 1e30, 9.96921e36, 1e37, 3e38, torch.inf, torch.nan, 1e-38, 1e-42]


@pytest.mark.parametrize(
    "gate_style", ["unit", *(pytest.param(style, marks=pytest.mark.slow) for style in ("memory", "none"))]
)
@pytest.mark.parametrize("value", EDGES)
@pytest.mark.parametrize("where", ["one", "all", "signs"])
def test_backends_agree_at_the_ends_of_float32(gate_style, value, where):
    x = single(core_of("eager"), 4, 30)
    if where == "one":
        x[1, 2, 3] = value
    else:
        x = x.sign() * value if where == "signs" else torch.full_like(x, value)
    found = []
    for backend in BACKENDS_HERE:
        core, leaf = core_of(backend, gate_style=gate_style), x.clone().requires_grad_()
        outputs, last = core(leaf)
        if backend == "eager" and where == "one" and value > 1e16:
            assert outputs[1:, 2].isnan().all(), "out of range, and nobody is told"
            assert outputs[:, :2].isfinite().all()
        found.append([outputs, last, *gradients(weigh(outputs), [leaf, *core.parameters()])])
    for others in found[1:]:
        for actual, expected in zip(others, found[0], strict=True):
            # Sums of gradients that weights of large numbers have: less is left of their digits.
            assert_close(actual.detach(), expected.detach(), "bfloat16" if 1e3 < value < 1e15 else "float32")


@pytest.mark.parametrize("value", [1e14, 1e16, 1e20, 1e30, 3e38, torch.inf, torch.nan])
def test_backends_agree_on_states_at_the_ends(value):
    start = make_memory(core_of("eager"), 3)
    start[1, 2, 3] = value
    found = []
    for backend in BACKENDS_HERE:
        core, memory = core_of(backend), start.clone().requires_grad_()
        outputs, last = core(single(core, T, 3), memory)
        found.append([outputs, last, *gradients(weigh(outputs), [memory, *core.parameters()])])
    assert found[0][0][:, 1].isnan().all() == (not value < 1e15)
    for others in found[1:]:
        for actual, expected in zip(others, found[0], strict=True):
            assert_close(actual.detach(), expected.detach(), "bfloat16" if value == 1e14 else "float32")
