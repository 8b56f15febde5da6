"""The fused sequence: its own backward, its workspace, and what it leaves to the eager twin."""

import gc
import itertools
import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch")

from torch.autograd import forward_ad  # noqa: E402

from helpers.sequences import assert_as_eager, cases, make_case, results, sequence_by  # noqa: E402
from relational_rnn.config import RelationalMemoryConfig  # noqa: E402
from relational_rnn.kernels import KernelOptions, eager, fused, products, workspace  # noqa: E402
from relational_rnn.kernels.fused import backward, forward, rows  # noqa: E402
from relational_rnn.kernels.operation import left_to_eager  # noqa: E402
from tolerances import assert_close  # noqa: E402

CONFIG = RelationalMemoryConfig(input_size=3, mem_slots=4, head_size=2, num_heads=3)
MORE = RelationalMemoryConfig(
    input_size=3, mem_slots=2, head_size=3, num_heads=2, num_blocks=2, gate_style="memory", key_size=1
)
TILE = RelationalMemoryConfig(
    input_size=2, mem_slots=3, head_size=2, input_fusion="tile", treat_input_as_matrix=True, input_rows=2
)
sequence = sequence_by(fused.BACKEND)
NAMES = ["one block", "two blocks", "tile"]
both = pytest.mark.parametrize("config", [CONFIG, MORE, TILE], ids=NAMES)
first = pytest.mark.parametrize(
    "config", [CONFIG, *(pytest.param(one, marks=pytest.mark.slow) for one in (MORE, TILE))], ids=NAMES
)


@pytest.fixture
def poisoned(monkeypatch):
    """Memory is NaN before it is written, and buffers of any size come from the workspace."""
    lease = workspace._lease
    monkeypatch.setattr(workspace, "LARGE", 0)
    monkeypatch.setattr(workspace, "_lease", lambda size: lease(size).fill_(255))  # all bits set is NaN
    torch.use_deterministic_algorithms(True)  # torch fills what it makes with NaN, too
    yield
    torch.use_deterministic_algorithms(False)


@pytest.mark.usefixtures("poisoned")
@given(cases(), st.integers(1, 60))
def test_chunks_of_any_size_and_poisoned_memory(case, chunk_rows):
    assert torch.empty(3).isnan().all()
    assert workspace.empty(torch.zeros(1), 3).isnan().all()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(forward, "CHUNK_ROWS", chunk_rows)
        assert_as_eager(sequence, case)


@pytest.mark.usefixtures("poisoned")
@given(cases(), st.integers(1, 60))
def test_recomputing(case, chunk_rows):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(forward, "CHUNK_ROWS", chunk_rows)
        assert_as_eager(sequence_by(fused.BACKEND, recompute=True), case)


@given(cases(torch.float32))
def test_the_other_route_of_products(case):
    if not products.onednn_suits():
        pytest.skip("this machine has one route only")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(products, "LARGE", 0)
        patch.setattr(products, "LARGE_GRADIENT", 0)
        assert_as_eager(sequence, case)


@given(st.lists(st.integers(1, 900), min_size=1, max_size=20), st.integers(1, 9))
def test_chunks_cover_every_step_once(sizes, slots):
    sizes = sorted(sizes, reverse=True)
    found = list(forward.chunks(sizes, slots))
    assert [size for chunk in reversed(found) for size in chunk.sizes] == sizes
    assert found[0].end == sum(sizes)
    assert found[-1].begin == 0
    for chunk in found:
        assert chunk.end - chunk.begin == sum(chunk.sizes)
    for chunk, before in itertools.pairwise(found):
        assert chunk.begin == before.end
        assert sum(chunk.sizes) * slots >= forward.CHUNK_ROWS


@both
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision(config, dtype):
    case = make_case(config, [5, 5, 3], dtype=dtype)
    single = case._replace(
        parameters={n: x.detach().float() for n, x in case.parameters.items()},
        **{name: getattr(case, name).detach().float() for name in ("inputs", "memory", "initial")},
    )
    actual, expected = sequence(case), eager.sequence(single)
    for ours, theirs in zip(actual[:2], expected[:2], strict=True):
        assert ours.dtype == dtype
        assert_close(ours.detach().float(), theirs, "bfloat16")
    for name, gradient in results(sequence, case).items():
        assert gradient.isfinite().all(), name


# what is kept and computed


@both
def test_nothing_is_kept_where_nothing_needs_it(config, monkeypatch):
    case = make_case(config, [4, 4, 2])
    keeps = []

    whole = forward.sequence_forward

    def spy(given, options, keep):
        keeps.append(keep)
        return whole(given, options, keep)

    monkeypatch.setattr(forward, "sequence_forward", spy)
    memories, _, _ = sequence(case)
    assert memories.requires_grad
    with torch.no_grad():
        same, last, _ = sequence(case)
    frozen = case._replace(
        parameters={n: x.detach() for n, x in case.parameters.items()},
        **{name: getattr(case, name).detach() for name in ("inputs", "memory", "initial")},
    )
    assert not sequence(frozen)[0].requires_grad
    assert keeps == [True, False, False]
    assert torch.equal(same, memories)
    assert not same.requires_grad
    assert not last.requires_grad
    assert whole(frozen, KernelOptions(), False)[2] == {}
    sizes = [whole(frozen, KernelOptions(recompute), True)[2]["saved"].numel() for recompute in (False, True)]
    assert sizes[1] < sizes[0] / 3


@both
def test_only_the_gradients_that_are_asked_for(config):
    case = make_case(config, [4, 4, 2])
    with torch.no_grad():
        memories, _, saved = forward.sequence_forward(case, KernelOptions(), True)
        fixed = case, KernelOptions(), saved, (memories, None)
        everything = backward.sequence_backward(*fixed, frozenset(case.tensors))
        for name in case.tensors:
            found = backward.sequence_backward(*fixed, frozenset([name]))
            given = {n: x for n, x in found._asdict().items() if n != "parameters" and x is not None}
            given |= found.parameters
            partner = name.removesuffix("weight").removesuffix("bias")  # a norm's two come together
            assert name in given
            assert all(other.startswith(partner) for other in given)
            expected = everything.parameters.get(name, getattr(everything, name, None))
            torch.testing.assert_close(given[name], expected)


@both
def test_backward_leaves_what_was_kept(config):
    case = make_case(config, [4, 4, 2])
    memories, last, _ = sequence(case)
    tensors = [x for x in case.tensors.values() if x.requires_grad]
    once, twice = (
        torch.autograd.grad(memories.square().sum() + last.sum(), tensors, retain_graph=True) for _ in "ab"
    )
    for one, other in zip(once, twice, strict=True):
        assert torch.equal(one, other)


def test_what_is_kept_is_freed_by_the_backward(monkeypatch):
    monkeypatch.setattr(workspace, "LARGE", 0)
    workspace.clear()
    memories, _, _ = sequence(make_case(CONFIG, [4, 4]))
    loss = memories.sum()
    held = len(workspace._free)
    loss.backward()  # the graph lives on with `loss`
    assert len(workspace._free) > held
    with pytest.raises(RuntimeError, match="backward through the graph a second time"):
        loss.backward()
    workspace.clear()


@pytest.mark.parametrize("changed", ["inputs", "memory", "mlp.0.weight", "blocks.0.qkv.weight", "initial"])
def test_changes_in_place_before_the_backward_are_noticed(changed):
    case = make_case(CONFIG, [4, 4, 2])
    memories, _, _ = sequence(case)
    with torch.no_grad():
        case.tensors[changed].add_(1)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        memories.sum().backward()


def test_results_may_be_changed_in_place():
    case = make_case(CONFIG, [4, 4, 2])

    def changed(function):
        def run(given):
            memories, last, trace = function(given)
            return memories.mul_(3), last.add_(1), trace

        return run

    actual, expected = results(changed(sequence), case), results(changed(eager.sequence), case)
    for name, x in expected.items():
        assert_close(actual[name], x, what=name)


# what the eager twin does instead


@first
def test_gradients_of_gradients(config):
    case = make_case(config, [2, 2, 1])
    tensors = list(case.tensors.values())

    def run(*values):
        inputs, memory, initial, *parameters = values
        names = list(case.tensors)[3:]
        named = dict(zip(names, parameters, strict=True))
        changed = case._replace(inputs=inputs, memory=memory, initial=initial, parameters=named)
        return sequence(changed)[:2]

    assert torch.autograd.gradgradcheck(run, tensors, fast_mode=True)


def test_gradients_of_many_losses_at_once():
    case = make_case(CONFIG, [3, 2])
    memories, _, _ = sequence(case)
    losses = memories.flatten()[:5]
    many = torch.autograd.grad(
        losses, case.memory, torch.eye(5, dtype=losses.dtype), is_grads_batched=True, retain_graph=True
    )[0]
    for loss, gradient in zip(losses, many, strict=True):
        one = torch.autograd.grad(loss, case.memory, retain_graph=True)[0]
        assert_close(gradient, one)


# torch's own forward-mode rules are made with what it deprecates itself
@pytest.mark.filterwarnings("ignore:.torch.jit:DeprecationWarning")
def test_function_transforms():
    case = make_case(CONFIG, [3, 2], asked=0)

    def outputs(inputs):
        return sequence(case._replace(inputs=inputs))[0]

    x, direction = case.inputs, torch.ones_like(case.inputs)
    step = 1e-6
    slope = (outputs(x + step * direction) - outputs(x - step * direction)) / (2 * step)
    assert_close(torch.func.jvp(outputs, (x,), (direction,))[1], slope, "float32")
    with forward_ad.dual_level():
        tangent = forward_ad.unpack_dual(outputs(forward_ad.make_dual(x, direction))).tangent
    assert_close(tangent, slope, "float32")
    many = torch.stack([x, 2 * x])
    assert_close(torch.vmap(outputs)(many)[1], outputs(2 * x))
    assert_close(torch.func.grad(lambda x: outputs(x).sum())(x), torch.func.jacrev(outputs)(x).sum((0, 1, 2)))


def test_why_a_call_is_left_to_the_eager_twin(caplog, monkeypatch):
    case = make_case(CONFIG, [3, 2])
    x = case.inputs
    assert left_to_eager(case.parameters, x) is None
    assert "trace" in left_to_eager(case.parameters, x, trace=True)
    assert "no data" in left_to_eager({}, x.to("meta"))
    assert "dtypes or devices differ" in left_to_eager(case.parameters, x.float())
    assert "a tensor is a Kind" in left_to_eager(
        {}, x.detach().as_subclass(type("Kind", (torch.Tensor,), {}))
    )
    with torch.autocast("cpu", torch.bfloat16):
        assert "autocast" in left_to_eager(case.parameters, x)
    with forward_ad.dual_level():
        assert "forward-mode" in left_to_eager(case.parameters, x)
    found = []
    torch.vmap(lambda x: (found.append(left_to_eager({}, x)), x)[1])(x.detach())
    assert "vmap" in found[0]
    with monkeypatch.context() as patch:
        patch.setattr(torch._C, "_get_tracing_state", lambda: "some")
        assert "traced" in left_to_eager({}, x)
    with caplog.at_level(logging.DEBUG, "relational_rnn"):
        sequence(case)
        assert not caplog.records
        sequence(case, trace=True)
    assert "eager instead of fused: a trace is asked for" in caplog.text


@first
def test_compiling_sees_the_eager_twin(config):
    case = make_case(config, [3, 3])

    @torch.compile(backend="eager", fullgraph=True)
    def run(case):
        return sequence(case)[:2]

    for actual, expected in zip(run(case), eager.sequence(case), strict=False):
        assert torch.equal(actual, expected)


# parts


def test_tanh_is_exact_enough():
    x = torch.cat([torch.linspace(-20, 20, 4001), torch.logspace(-9, 3, 1000), torch.tensor([torch.inf, 0])])
    exact = x.double().tanh()
    assert len(x) >= rows.MUCH
    assert (rows.tanh(x) - exact).abs().max() < 2e-7
    assert (rows.tanh(x.double()) - exact).abs().max() < 5e-16
    assert rows.tanh(torch.full([rows.MUCH], torch.nan)).isnan().all()


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("size", [1, 5, 31, 40])
@pytest.mark.parametrize("scale", [1, 1000])
@pytest.mark.parametrize("heads", [7, 800])
def test_softmax_and_its_derivative(dtype, size, scale, heads):
    scores = torch.randn(heads, 3, size, generator=torch.Generator().manual_seed(0), dtype=dtype) * scale
    scores.requires_grad_()
    expected = torch.softmax(scores, -1)
    weights = rows.softmax(scores.detach().clone())
    tolerance = str(dtype).removeprefix("torch.")
    assert_close(weights, expected.detach(), tolerance)
    d_weights = torch.randn_like(weights)
    d_scores = rows.softmax_backward(d_weights, weights)
    assert_close(d_scores, torch.autograd.grad(expected, scores, d_weights)[0], tolerance)


def test_softmax_of_what_is_not_a_number():
    scores = torch.tensor([[[1.0, torch.nan], [0.0, 1.0]]]).repeat(rows.MUCH, 1, 1)
    weights = rows.softmax(scores.clone())
    assert weights[0, 0].isnan().all()
    assert_close(weights[0, 1], torch.softmax(scores[0, 1], -1), "float32")


@pytest.mark.parametrize("samples", [1, 7, 3000])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_products(samples, dtype):
    generator = torch.Generator().manual_seed(0)
    wide, weight, bias, d_y = (
        torch.randn(shape, generator=generator, dtype=torch.float64).to(dtype)
        for shape in ((samples, 2 * 33), (45, 2 * 33), (45,), (samples, 45))
    )
    x, w = wide[:, :33], weight[:, 33:]  # not contiguous, as the parts of a tile projection
    tolerance = 1e-12 if dtype == torch.float64 else 2e-5
    for actual, exact in (
        (products.linear(x, w, bias), x.double() @ w.double().t() + bias.double()),
        (products.linear(d_y.view(-1, 5, 9), w[:, :9]), d_y.double().view(-1, 5, 9) @ w[:, :9].double().t()),
        (products.linear(d_y, w.t()), d_y.double() @ w.double()),
        (products.weight_gradient(d_y, x), d_y.double().t() @ x.double()),
        (products.weight_gradient(x, d_y), x.double().t() @ d_y.double()),
    ):
        assert actual.dtype == dtype
        assert (actual - exact).abs().max() <= tolerance * exact.abs().max()


def test_a_route_that_is_wrong_missing_or_of_no_use_is_not_taken(monkeypatch):
    def rounded(x, weight, bias):
        return (x.bfloat16() @ weight.bfloat16().t()).float()

    def missing(x, weight, bias):
        raise RuntimeError("not built")

    for route in (rounded, missing):
        products.onednn_suits.cache_clear()
        monkeypatch.setattr(products, "onednn_linear", route)
        assert not products.onednn_suits()
    monkeypatch.undo()
    products.onednn_suits.cache_clear()
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "AVX2")
    assert not products.onednn_suits()
    products.onednn_suits.cache_clear()


def test_the_route_follows_from_the_sizes_alone(monkeypatch):
    taken = []

    def route(x, weight, bias):
        taken.append(x.shape[0] * x.shape[1] * weight.shape[0])
        return torch.nn.functional.linear(x, weight, bias)

    monkeypatch.setattr(products, "onednn_linear", route)
    monkeypatch.setattr(products, "onednn_suits", lambda: True)
    weight = torch.ones(128, 64)
    for count in (1023, 1024, 4095, 4096):
        x = torch.ones(count, 64)
        products.linear(x, weight)
        products.weight_gradient(torch.ones(count, 128), x)
        products.linear(x.double(), weight.double())
    assert taken == [size * 128 * 64 for size in (1024, 4095, 4096, 4096)]


# the workspace


def test_room_is_used_again_and_only_when_it_is_free():
    like, count = torch.zeros(1), workspace.LARGE
    workspace.clear()
    first = workspace.empty(like, count)
    view = first[5:]
    address = first.data_ptr()
    second = workspace.empty(like, count)
    assert second.data_ptr() != address
    del first
    assert workspace.empty(like, count).data_ptr() != address, "a view is still alive"
    del view
    gc.collect()
    assert address in {workspace.empty(like, count).data_ptr() for _ in range(2)}
    workspace.clear()


def test_other_sizes_end_what_is_held():
    workspace.clear()
    del_me = workspace.empty(torch.zeros(1), workspace.LARGE)
    del del_me
    assert len(workspace._free) == 1
    other = workspace.empty(torch.zeros(1), 2 * workspace.LARGE)
    assert not workspace._free
    del other
    workspace.clear()


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64])
def test_rooms_side_by_side(dtype):
    shapes = {"a": (3, 5), "b": (0, 2), "c": (7,), "d": (600, 999)}
    found = workspace.empties(torch.zeros(1, dtype=dtype), shapes)
    assert {name: tuple(x.shape) for name, x in found.items()} == shapes
    for number, x in enumerate(found.values()):
        assert x.data_ptr() % 64 == 0 or not x.numel()
        x.fill_(number)
    for number, x in enumerate(found.values()):
        assert (x == number).all()


@pytest.mark.parametrize("heads", [3, 200])
@pytest.mark.parametrize("sizes", [(4, 5, 16), (1, 1, 1), (5, 4, 7), (8, 9, 32)])
def test_products_of_many_small_matrices(heads, sizes):
    rows_out, between, columns = sizes
    generator = torch.Generator().manual_seed(0)
    a = torch.randn(heads, between, rows_out, generator=generator, dtype=torch.float64).transpose(1, 2)
    b = torch.randn(heads, between, 2 * columns, generator=generator, dtype=torch.float64)[..., columns:]
    assert_close(rows.product(a, b), torch.einsum("hij,hjl->hil", a, b))
