"""torch.compile and torch.export keep the layer in one piece, with the same numbers and the same kernels."""

import copy
import io

import pytest

pytestmark = [
    pytest.mark.torch,
    # Of torch's compiler, about itself and about what it looks at.
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore:The .grad attribute:UserWarning"),
]
torch = pytest.importorskip("torch")

from torch.nn.utils.rnn import pack_padded_sequence  # noqa: E402

from helpers.model_zoo import draw, make_model  # noqa: E402
from helpers.torch_cores import gradients, make_core, make_inputs, make_memory, some_configurations, weigh  # noqa: E402
from relational_rnn.config import RelationalMemoryConfig  # noqa: E402
from relational_rnn.kernels import BACKENDS, KernelOptions, SequenceInputs, compiled  # noqa: E402
from relational_rnn.kernels.backends import cannot_run  # noqa: E402
from relational_rnn.kernels.fused.forward import shared_shapes  # noqa: E402
from relational_rnn.kernels.native.fwd_bwd import saved_size  # noqa: E402
from relational_rnn.kernels.workspace import buffer_for  # noqa: E402
from relational_rnn.nn import LanguageModel, RelationalMemory, RelationalMemoryCell, SequenceClassifier  # noqa: E402
from tolerances import assert_close  # noqa: E402

B, T = 3, 4
CONFIG = make_core().config
HERE = [
    name
    for name in ("eager", "fused", "native")
    if cannot_run(name, CONFIG, torch.float32, torch.device("cpu")) is None
]
one_backend = pytest.mark.parametrize(
    "backend", [name if name == HERE[-1] else pytest.param(name, marks=pytest.mark.slow) for name in HERE]
)
"""Where the compiler makes plain torch of the core whatever the backend; it takes its time."""
in_one_piece = pytest.mark.parametrize("backend", [name for name in HERE if name in compiled.IN_ONE_PIECE])


@pytest.fixture(autouse=True)
def fresh():
    """Nothing that another test compiled."""
    torch.compiler.reset()
    yield
    torch.compiler.reset()


def whole(model, **options):
    """The model compiled in one graph, its backward traced ahead of time."""
    return torch.compile(model, fullgraph=True, **{"backend": "aot_eager"} | options)


def assert_alike(actual, expected):
    for one, other in zip(actual, expected, strict=True):
        assert one.dtype == other.dtype
        assert_close(one.detach(), other.detach(), str(one.dtype).removeprefix("torch."))


def all_of(core, run, x, memory, **options):
    leaves = [x, memory, *core.parameters()]
    outputs, last, *_ = run(x, memory, **options)
    return [outputs, last, *gradients(weigh(outputs) + weigh(last), leaves)]


@one_backend
@pytest.mark.parametrize(
    "options",
    [{}, pytest.param(dict(gate_style="memory", read_head="attention"), marks=pytest.mark.slow)],
)
def test_the_same_numbers_and_gradients(backend, options):
    core = make_core(**options, dtype=torch.float32, backend=backend)
    x = make_inputs(core, T, B, dtype=torch.float32).requires_grad_()
    memory, resets = make_memory(core, B).requires_grad_(), torch.tensor([[False] * B, [True] * B] * (T // 2))
    run = whole(core, backend="eager" if backend == "eager" else "aot_eager")
    for flags in (None, resets):
        assert_alike(all_of(core, run, x, memory, resets=flags), all_of(core, core, x, memory, resets=flags))
    with torch.no_grad():
        assert_alike(run(x), core(x))


@some_configurations
def test_every_option(options):
    core = make_core(**options)
    x, memory = make_inputs(core, T, B).requires_grad_(), make_memory(core, B).requires_grad_()
    assert_alike(all_of(core, whole(core), x, memory), all_of(core, core, x, memory))


def counted(model, **options):
    """The compiled model, and the graphs that were made."""
    graphs = []

    def backend(graph, inputs):
        graphs.append(graph)
        return graph.forward

    return torch.compile(model, fullgraph=True, backend=backend, **options), graphs


@in_one_piece
def test_any_batch_and_length_take_one_graph_with_one_operator(backend):
    core = make_core(dtype=torch.float32, backend=backend, batch_first=True)
    run, graphs = counted(core, dynamic=True)
    for leading in ((3, 4), (7, 5), (2, 9)):
        x = make_inputs(core, *leading, dtype=torch.float32)
        assert_alike(run(x), core(x))
    assert len(graphs) == 1
    called = [node.target for node in graphs[0].graph.nodes if node.op == "call_function"]
    assert called.count(torch.ops.relational_rnn.sequence.default) == 1


@one_backend
def test_training_inside_a_larger_model(backend):
    core = make_core(dtype=torch.float32, backend=backend, batch_first=True, initial_memory="trainable")
    usual = SequenceClassifier(core, 3, generator=torch.Generator().manual_seed(0))
    model = copy.deepcopy(usual)
    run = whole(model, dynamic=True)
    for one, step in ((usual, usual), (model, run)):
        optimiser = torch.optim.SGD(one.parameters(), 0.1)
        for batch, steps in ((3, 4), (5, 2), (4, 6)):
            x = make_inputs(core, batch, steps, dtype=torch.float32)
            optimiser.zero_grad()
            torch.nn.functional.cross_entropy(step(x), torch.arange(batch) % 3).backward()
            optimiser.step()
    assert_alike(model.parameters(), usual.parameters())


@pytest.mark.slow
@one_backend
def test_what_has_no_operator_is_compiled_as_it_is(backend):
    core = make_core(dtype=torch.float32, backend=backend)
    x = make_inputs(core, T, B, dtype=torch.float32)
    outputs, last, trace = whole(core)(x, return_trace=True)
    expected = core(x, return_trace=True)
    assert_alike((outputs, last, *trace), (*expected[:2], *expected[2]))
    with torch.autocast("cpu", torch.bfloat16):
        found, wanted = whole(core)(x)[0], core(x)[0]
    assert_close(found.detach().float(), wanted.detach().float(), "bfloat16")
    packed = pack_padded_sequence(x, [4, 2, 1])
    found = torch.compile(core, backend="eager")(packed)[0]
    assert_close(found.data.detach(), core(packed)[0].data.detach(), "float32")


@pytest.mark.slow
def test_another_dtype_and_hooks():
    core = make_core(dtype=torch.float32)
    run, x = whole(core), make_inputs(core, T, B, dtype=torch.float32)
    before = run(x)[0].detach()
    core.mlp[0].register_forward_hook(lambda layer, inputs, output: 2 * output)
    torch.compiler.reset()  # what is compiled looks for no new hooks, on any module of torch's
    after = run(x)[0].detach()
    assert_close(after, core(x)[0].detach(), "float32")
    assert not torch.allclose(after, before)
    core = core.double()
    assert_close(run(x.double())[0].detach(), core(x.double())[0].detach())


def test_a_parameter_of_another_shape_is_refused():
    core = make_core(backend="fused")
    core.mlp[0].bias = torch.nn.Parameter(torch.zeros(1, dtype=torch.float64))
    with pytest.raises(Exception, match=r"mlp.0.bias must have shape"):
        whole(core)(make_inputs(core, T, B))


@one_backend
def test_a_cell(backend):
    cell = make_core(RelationalMemoryCell, dtype=torch.float32, backend=backend)
    x = make_inputs(cell, B, dtype=torch.float32)
    run = whole(cell)
    assert_alike(run(x), cell(x))
    memory = make_memory(cell, B)
    assert_alike(run(None, memory), cell(None, memory))


@in_one_piece
@pytest.mark.parametrize("strict", [True, False])
def test_export_for_any_batch_and_length(backend, strict):
    core = make_core(dtype=torch.float32, backend=backend, batch_first=True)
    axes = ({0: torch.export.Dim("batch"), 1: torch.export.Dim("time")},)
    made_for = make_inputs(core, 3, 4, dtype=torch.float32)
    exported = torch.export.export(core, (made_for,), dynamic_shapes=axes, strict=strict).module()
    for leading in ((3, 4), (7, 2), (2, 9)):
        x = make_inputs(core, *leading, dtype=torch.float32)
        assert_alike(exported(x), core(x))
    found = gradients(weigh(exported(x)[0]), list(exported.parameters()))
    assert_alike(found, gradients(weigh(core(x)[0]), list(core.parameters())))


@in_one_piece
@pytest.mark.parametrize("strict", [True, False])
def test_export_with_resets(backend, strict):
    core = make_core(dtype=torch.float32, backend=backend)
    axes = {0: torch.export.Dim("time"), 1: torch.export.Dim("batch")}
    x, resets = make_inputs(core, 3, 4, dtype=torch.float32), torch.arange(12).view(3, 4) % 3 == 1
    shapes = {"input": axes, "resets": axes}
    exported = torch.export.export(
        core, (x,), {"resets": resets}, dynamic_shapes=shapes, strict=strict
    ).module()
    x, resets = make_inputs(core, 7, 2, dtype=torch.float32), torch.arange(14).view(7, 2) % 3 == 1
    assert_alike(exported(x, resets=resets), core(x, resets=resets))


@pytest.mark.slow  # the snippet in docs/layer.md is the quick one
@pytest.mark.parametrize("backend", ["eager", HERE[-1]])
@pytest.mark.parametrize("strict", [True, False])
def test_export_of_a_step_for_any_batch(backend, strict):
    """A program of torch's own operations whatever the backend; it can be saved and loaded."""
    cell = make_core(RelationalMemoryCell, dtype=torch.float32, backend=backend)
    x, memory = make_inputs(cell, 4, dtype=torch.float32), make_memory(cell, 4)
    axes = {0: torch.export.Dim("batch")}
    exported = torch.export.export(
        cell, (x, memory), dynamic_shapes={"input": axes, "memory": axes}, strict=strict
    )
    kinds = {
        node.target.namespace
        for node in exported.graph.nodes
        if isinstance(node.target, torch._ops.OpOverload)
    }
    assert kinds == {"aten"}
    file = io.BytesIO()
    torch.export.save(exported, file)
    file.seek(0)
    run = torch.export.load(file).module()
    for batch in (1, 4, 9):
        x, memory = make_inputs(cell, batch, dtype=torch.float32), make_memory(cell, batch)
        assert_alike(run(x, memory), cell(x, memory))


def test_export_of_a_language_models_step():
    """What serves tokens: one of them and the memory in, what the next is told from and the memory out."""
    core = make_core(dtype=torch.float32, batch_first=True)
    model = LanguageModel(core, 9, core.input_size).eval()
    axes = {0: torch.export.Dim("batch")}
    tokens = torch.arange(4)[:, None]
    exported = torch.export.export(
        model, (tokens, make_memory(core, 4)), dynamic_shapes={"tokens": axes, "memory": axes}
    ).module()
    for batch in (1, 9):
        tokens, memory = torch.arange(batch)[:, None], make_memory(core, batch)
        assert_alike(exported(tokens, memory), model(tokens, memory))


@pytest.mark.parametrize(
    "label",
    [
        "hybrid",
        *(
            pytest.param(name, marks=pytest.mark.slow)
            for name in ("hybrid, attend", "transformer", "dnc", "deltanet", "slstm")
        ),
    ],
)
def test_other_models(label):
    model = make_model(label)
    x = draw(3, 2, model.input_size)
    resets = torch.tensor([[False, True], [True, False], [False, False]])
    run = whole(model, backend="eager")
    for flags in (None, resets):
        assert_alike(run(x, resets=flags)[:1], model(x, resets=flags)[:1])


@pytest.mark.slow
@one_backend
@pytest.mark.parametrize("transform", ["gradient", "forward mode", "vmap", "hessian-vector product"])
def test_transforms_inside_a_compiled_function(backend, transform):
    core = make_core(dtype=torch.float32, backend=backend)
    x = make_inputs(core, 2, B, dtype=torch.float32)
    own = {name: p.detach() for name, p in core.named_parameters()}

    def outputs(x):
        return torch.func.functional_call(core, own, (x,))[0]

    functions = {
        "forward mode": lambda x: torch.func.jvp(outputs, (x,), (torch.ones_like(x),))[1],
        "gradient": torch.func.grad(lambda x: weigh(outputs(x))),
        "vmap": lambda x: torch.vmap(outputs)(torch.stack([x, -x])),
        "hessian-vector product": lambda x: torch.func.jvp(
            torch.func.grad(lambda x: weigh(outputs(x))), (x,), (torch.ones_like(x),)
        )[1],
    }
    function = functions[transform]
    found = torch.compile(function, backend="aot_eager")(x)
    assert_close(found.detach(), function(x).detach(), "float32", transform)


# the operator


@in_one_piece
@pytest.mark.parametrize("recompute", [False, True])
@pytest.mark.parametrize("with_resets", [False, True])
def test_the_operator_keeps_torchs_rules(backend, recompute, with_resets):
    core = make_core(dtype=torch.float32)
    parameters = [p.detach().clone().requires_grad_() for p in core.parameters()]
    x = make_inputs(core, T * B, dtype=torch.float32).requires_grad_()
    memory, initial = make_memory(core, B).requires_grad_(), make_memory(core, 1)[0]
    resets = torch.arange(T * B) % 3 == 1 if with_resets else None
    how = compiled.as_text(core.config, backend, KernelOptions(recompute))
    operator, arguments = (
        torch.ops.relational_rnn.sequence.default,
        (x, memory, initial, resets, parameters, T),
    )
    some = ("test_schema", "test_autograd_registration", "test_faketensor")
    torch.library.opcheck(operator, (*arguments, how, True), test_utils=some)
    # All: without gradients, for then the buffer has gaps, in which anything may stand.
    plain = [t.detach() if isinstance(t, torch.Tensor) else t for t in (x, memory, initial, resets)]
    torch.library.opcheck(operator, (*plain, [p.detach() for p in parameters], T, how, False))


def test_the_operator_takes_plain_tensors_of_one_kind_only():
    core = make_core(dtype=torch.float32)
    names = list(core.parameters())
    how = compiled.as_text(core.config, "fused", KernelOptions())
    x, memory = make_inputs(core, B, dtype=torch.float32), make_memory(core, B)
    with pytest.raises(ValueError, match="dtypes or devices differ"):
        torch.ops.relational_rnn.sequence(x, memory.double(), memory[0], None, names, 1, how, False)


@torch.no_grad()
@pytest.mark.parametrize("options", [{}, dict(num_heads=3, key_size=5), dict(attention_mlp_layers=4)])
@pytest.mark.parametrize("recompute", [False, True])
@pytest.mark.parametrize("samples", [1, 37])
def test_the_buffer_is_as_large_as_was_said(options, recompute, samples):
    """A compiler reckons with it before it runs."""
    for gate_style in ("unit", "memory", "none"):
        sizes = dict(input_size=3, mem_slots=4, head_size=2, gate_style=gate_style)
        config = RelationalMemoryConfig(**sizes, **options)
        core = RelationalMemory(**sizes, **options, dtype=torch.float32)
        x = torch.randn(samples, 3)
        for backend in HERE:
            if backend not in compiled.IN_ONE_PIECE:
                continue
            kernel = BACKENDS[backend].kernel(KernelOptions(recompute), x.device)
            memory = core.initial_state(1)
            values = dict(core.named_parameters())
            given = SequenceInputs(config, values, x, [1] * samples, memory, memory[0])
            *_, kept = kernel.forward(given, True)
            (buffer,) = kept.values()
            if backend == "native":
                assert buffer.numel() == saved_size(config, samples, recompute)
            else:
                shapes = shared_shapes(config, recompute, samples)
                assert buffer.numel() == buffer_for(x, shapes).numel()


@pytest.mark.slow
@in_one_piece
def test_inductor(backend):
    core = make_core(dtype=torch.float32, backend=backend, batch_first=True)
    run = torch.compile(core, fullgraph=True, dynamic=True)
    for leading in ((3, 4), (7, 5)):
        x = make_inputs(core, *leading, dtype=torch.float32).requires_grad_()
        memory = make_memory(core, leading[0]).requires_grad_()
        assert_alike(all_of(core, run, x, memory), all_of(core, core, x, memory))
