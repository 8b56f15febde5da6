"""The Triton kernels: on a GPU where there is one, else through Triton's interpreter at small sizes."""

import dataclasses
import functools
import logging
import os
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytestmark = [
    pytest.mark.torch,
    pytest.mark.filterwarnings("ignore::RuntimeWarning"),  # NumPy's in the interpreter, of NaN and overflow
]
torch = pytest.importorskip("torch")

from helpers.sequences import assert_as_eager, cases, make_case, on, results, sequence_by  # noqa: E402
from relational_rnn.config import RelationalMemoryConfig  # noqa: E402
from relational_rnn.kernels import KernelOptions, choose_backend, eager, run_sequence, triton  # noqa: E402
from relational_rnn.kernels.triton import backend  # noqa: E402
from relational_rnn.nn import RelationalMemory  # noqa: E402
from tolerances import assert_close  # noqa: E402

DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
CONFIG = RelationalMemoryConfig(input_size=3, mem_slots=4, head_size=2, num_heads=3)
REASON = backend.unsupported(CONFIG, torch.float32, DEVICE)
SLOW = pytest.mark.slow
needs_triton = pytest.mark.skipif(REASON is not None, reason=str(REASON))
if REASON is None:
    from relational_rnn.kernels.triton import fwd_bwd, steps
    from relational_rnn.kernels.triton.graphs import Graphs

CONFIGS = {
    "smallest": dict(input_size=1, mem_slots=1, head_size=1, attention_mlp_layers=1),
    "odd": dict(
        input_size=2, mem_slots=5, head_size=7, num_heads=2, key_size=3, gate_style="memory", input_bias=0.5
    ),
    "no gates": dict(input_size=3, mem_slots=3, head_size=5, num_heads=2, gate_style="none"),
    "many slots": dict(input_size=3, mem_slots=9, head_size=5, num_heads=2, attention_mlp_layers=3),
    "matrix": dict(input_size=5, mem_slots=2, head_size=3, treat_input_as_matrix=True, input_rows=11),
}


def sequence(graphs=None, **options):
    """`sequence` by the kernels alone."""
    kernel = fwd_bwd.TritonSequence(KernelOptions(**options), graphs)
    chosen = dataclasses.replace(triton.BACKEND, kernel=lambda options, device: kernel)

    def call(given, trace=False):
        assert backend.unsupported(given.config, given.inputs.dtype, given.inputs.device) is None
        return run_sequence(chosen, given, trace=trace)

    return call


usual = sequence_by(triton.BACKEND)


def case_of(config=CONFIG, batch_sizes=(2, 2, 1), dtype=torch.float64, **options):
    return on(DEVICE, make_case(config, list(batch_sizes), dtype=dtype, **options))


@pytest.fixture
def poisoned(monkeypatch):
    """All memory is NaN before it is written."""
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(True)
    yield
    torch.use_deterministic_algorithms(False)


@needs_triton
@SLOW
@pytest.mark.usefixtures("poisoned")
@settings(max_examples=8 if DEVICE.type == "cpu" else 100)
@given(
    cases(),
    st.sampled_from([(True, True), (True, False), (False, True)]),
    st.booleans(),
    st.sampled_from([torch.float64, torch.float32]),
)
def test_drawn_sequences(case, outputs, recompute, dtype):
    assert torch.empty(3, device=DEVICE).isnan().all()
    switches = dict.fromkeys(("use_attention", "use_mlp", "use_residual", "use_layer_norm"), True)
    config = dataclasses.replace(case.config, num_blocks=1, input_fusion="append", **switches)
    share = [0.5, 1.0][case.batch_sizes[0] % 2]
    case = case_of(config, case.batch_sizes[:3], dtype, with_resets=case.resets is not None, asked=share)
    assert_as_eager(sequence(recompute=recompute), case, outputs)


@needs_triton
@pytest.mark.usefixtures("poisoned")
@pytest.mark.parametrize("recompute", [False, pytest.param(True, marks=SLOW)])
@pytest.mark.parametrize(
    "name",
    [pytest.param(n, marks=() if n in ("smallest", "odd") else SLOW) for n in CONFIGS],
)
def test_sizes(name, recompute, monkeypatch):
    monkeypatch.setattr(fwd_bwd, "CHUNK_SAMPLES", 3)  # the steps of 2, 2 and 1 samples make two chunks
    config = RelationalMemoryConfig(**CONFIGS[name])
    assert_as_eager(sequence(recompute=recompute), case_of(config))
    if not recompute:
        assert_as_eager(sequence(), case_of(config, with_resets=False, dtype=torch.float32))


@SLOW
@needs_triton
@pytest.mark.parametrize("recompute", [False, pytest.param(True, marks=SLOW)])
@pytest.mark.parametrize("dtype", [torch.bfloat16, pytest.param(torch.float16, marks=SLOW)])
def test_products_in_halves(dtype, recompute):
    options = CONFIGS["many slots"] | dict(gate_style="memory", input_bias=0.5)
    case = case_of(RelationalMemoryConfig(**options), dtype=torch.float32)
    half = sequence_by(triton.BACKEND, recompute=recompute, compute_dtype=dtype)
    actual, expected = results(half, case), results(eager.sequence, case)
    # As a whole: where a ReLU goes the other way, single gradients are far off.
    errors = {what: (actual[what] - x).norm() / max(1, x.norm()) for what, x in expected.items()}
    assert max(errors.values()) <= 0.1, errors
    assert errors["memories"] >= 1e-5  # it is not float32 that has run


@needs_triton
@SLOW
def test_what_is_computed_again_is_the_same():
    case = case_of()
    kept, again = (results(sequence(recompute=recompute), case) for recompute in (False, True))
    for name, x in kept.items():
        assert_close(again[name], x, what=name)
    with torch.no_grad():
        less, everything = (
            sum(
                x.numel()
                for x in fwd_bwd.TritonSequence(KernelOptions(recompute)).forward(case, True)[2].values()
            )
            for recompute in (True, False)
        )
        assert less < everything / 4
        assert fwd_bwd.TritonSequence().forward(case, False)[2] == {}


@SLOW
@needs_triton
def test_backward_leaves_what_was_kept():
    case = case_of()
    memories, last, _ = sequence()(case)
    tensors = list(case.tensors.values())
    once, twice = (torch.autograd.grad(memories.sum() + last.sum(), tensors, retain_graph=True) for _ in "ab")
    for one, other in zip(once, twice, strict=True):
        assert torch.equal(one, other)


@needs_triton
@pytest.mark.parametrize(
    "value", [torch.nan, *(pytest.param(value, marks=SLOW) for value in (torch.inf, 1e30))]
)
def test_what_is_not_a_number_stays_in_its_sample(value):
    case = case_of(dtype=torch.float32, with_resets=False, asked=0, batch_sizes=[3, 3])
    bad = case.inputs.clone()
    bad[1, 2] = value
    ours, theirs = (function(case._replace(inputs=bad))[0].cpu() for function in (sequence(), eager.sequence))
    assert torch.equal(ours.isnan(), theirs.isnan())
    assert_close(ours, theirs, "float32")


# the graphs: a stand-in runs the loop once more on the same memory, as a recorded one would


class Rerun:
    made = 0

    def __init__(self, run):
        Rerun.made += 1
        run()  # before there is anything to run on, as the first run of a recording
        self.replay = run


@pytest.fixture
def recorded():
    """A sequence whose loops are recorded from the second call on, and where they are held."""
    graphs = Graphs(Rerun, most=2)
    Rerun.made = 0
    return sequence(graphs=graphs), graphs


@needs_triton
@pytest.mark.usefixtures("poisoned")
@SLOW
@pytest.mark.parametrize("name", ["odd", "no gates"])
@pytest.mark.parametrize("with_resets", [False, True])
def test_recorded_loops_give_the_same(recorded, name, with_resets):
    call, graphs = recorded
    config = RelationalMemoryConfig(**CONFIGS[name])
    for seed in range(3):  # other parameters, inputs and memories every time
        outputs = [(True, True), (False, True), (True, False)][seed]
        assert_as_eager(call, case_of(config, seed=seed, with_resets=with_resets), outputs)
        assert Rerun.made == (0, 2, 2)[seed]
        assert len(graphs.held) == (0, 1, 1)[seed]


@needs_triton
@SLOW
def test_several_forwards_before_their_backwards(recorded):
    call, graphs = recorded
    drawn = [case_of(batch_sizes=(2, 1), seed=seed) for seed in range(4)]
    expected = [results(eager.sequence, case) for case in drawn]
    found = [call(case) for case in drawn]
    assert len(graphs.held) == 1
    for number in (2, 0, 3, 3, 2):  # some more than once
        memories, last, _ = found[number]
        assert_close(memories.detach().cpu(), expected[number]["memories"])
        assert_close(last.detach().cpu(), expected[number]["last"])
        tensors = drawn[number].tensors
        generator = torch.Generator().manual_seed(7)  # the loss of `results`
        loss = sum(
            (x * torch.randn(x.shape, generator=generator, dtype=x.dtype).to(DEVICE)).sum()
            for x in (memories, last)
        )
        gradients = torch.autograd.grad(loss, list(tensors.values()), retain_graph=True)
        for name, gradient in zip(tensors, gradients, strict=True):
            assert_close(gradient.cpu(), expected[number][f"gradient of {name}"], what=name)


@needs_triton
@SLOW
def test_recordings_make_room_for_each_other(recorded):
    call, graphs = recorded
    sizes = [(2, 1), (1, 1), (2, 2)]
    for batch_sizes in [*sizes, *sizes]:
        assert_as_eager(call, case_of(batch_sizes=batch_sizes))
    assert [key[1] for key in graphs.held] == sizes[1:]


@SLOW
@needs_triton
def test_where_recording_fails_the_steps_run_one_by_one(caplog):
    def refuse(run):
        raise RuntimeError("operation not permitted\nand more")

    call = sequence(graphs=Graphs(refuse))
    for _ in range(4):
        assert_as_eager(call, case_of(batch_sizes=(1, 1)))
    assert caplog.messages == ["no CUDA graphs, the steps run one by one: operation not permitted"]


@SLOW
@needs_triton
def test_a_recording_is_of_one_precision(recorded):
    call, graphs = recorded
    case = case_of(batch_sizes=(1,), dtype=torch.float32)
    try:
        for count, precision in enumerate(("highest", "high"), 1):
            torch.set_float32_matmul_precision(precision)
            call(case)
            call(case)
            assert len(graphs.held) == count
    finally:
        torch.set_float32_matmul_precision("highest")


# what it leaves to others


@needs_triton
def test_gradients_of_gradients():
    case = case_of(batch_sizes=(2, 1))
    tensors = [case.inputs, case.memory, *case.parameters.values()]

    plain = functools.partial(eager.sequence, trace=True)  # its fast attention has no second derivative

    def twice(function):
        first = torch.autograd.grad(function(case)[0].square().sum(), tensors, create_graph=True)
        return torch.autograd.grad(sum(x.square().sum() for x in first), tensors)

    for actual, expected in zip(twice(sequence()), twice(plain), strict=True):
        assert_close(actual.cpu(), expected.cpu())


def test_what_is_left_to_others(caplog):
    single, gpu = torch.float32, torch.device("cuda")
    assert "got torch.float16" in backend.unsupported(CONFIG, torch.float16, gpu)
    for option, value in (
        ("num_blocks", 2),
        ("input_fusion", "tile"),
        ("use_attention", False),
        ("use_mlp", False),
        ("use_residual", False),
        ("use_layer_norm", False),
    ):
        config = dataclasses.replace(CONFIG, **{option: value})
        assert str(value) in backend.unsupported(config, single, gpu)
    for options in (dict(mem_slots=2000), dict(treat_input_as_matrix=True, input_rows=2500)):
        config = dataclasses.replace(CONFIG, **options)
        assert "at most 32768 numbers of a sample at once, got 65536" in backend.unsupported(
            config, single, gpu
        )
    assert "GPUs, got meta" in backend.unsupported(CONFIG, single, torch.device("meta"))
    two = dataclasses.replace(CONFIG, num_blocks=2)
    with caplog.at_level(logging.DEBUG, "relational_rnn"):
        assert_as_eager(usual, make_case(two, [2, 1]))
        usual(make_case(CONFIG, [2, 1]), trace=True)
        sequence_by(triton.BACKEND, compute_dtype=single)(make_case(CONFIG, [2, 1]))
    assert "eager instead of triton: the Triton kernels have one block, got num_blocks=2" in caplog.text
    assert "a trace is asked for" in caplog.text
    assert "it has no products in torch.float32 for torch.float64" in caplog.text


def test_without_triton(monkeypatch):
    backend._cannot_run.cache_clear()
    monkeypatch.setattr(backend.importlib.util, "find_spec", lambda name: None)
    try:
        assert backend.unsupported(CONFIG, torch.float32, torch.device("cuda")) == "Triton is not installed"
        assert_as_eager(usual, make_case(CONFIG, [2, 1]))
    finally:
        backend._cannot_run.cache_clear()


def test_the_interpreter_runs_only_when_it_is_named():
    core = CONFIG, torch.float32, torch.device("cpu")
    assert choose_backend("auto", *core) != "triton"
    if backend.unsupported(*core) is None:
        assert choose_backend("triton", *core) == "triton"
        core = RelationalMemory(input_size=3, mem_slots=2, head_size=2, backend="triton")
        assert core.backend_in_use == "triton"
        assert core(torch.zeros(2, 1, 3))[0].shape == (2, 1, 4)


# parts


@needs_triton
def test_products_of_halves():
    generator = torch.Generator().manual_seed(0)
    a, b = (torch.randn(size, generator=generator).to(DEVICE) for size in ((5, 40), (40, 7)))
    for dtype, allowed in ((torch.float32, 1e-5), (torch.bfloat16, 0.1), (torch.float16, 0.01)):
        for wide in (torch.float32, torch.float64):
            out = a.new_empty(5, 7, dtype=wide)
            narrow = wide if dtype == torch.float32 else dtype
            steps.multiply(a.to(narrow), b.to(narrow), out)
            assert (out.cpu() - (a.cpu().double() @ b.cpu().double())).abs().max() <= allowed


COMPILE = """
import torch
import triton
from triton.backends.compiler import GPUTarget
from relational_rnn.kernels import KernelOptions, SequenceInputs
from relational_rnn.kernels.triton.fwd_bwd import TritonSequence
from relational_rnn.config import RelationalMemoryConfig, parameter_shapes


class Driver:
    def get_current_device(self):
        return 0

    def get_current_stream(self, device):
        return 0

    def get_current_target(self):
        return GPUTarget("cuda", 80, 32)


def compile_only(kernel, grid):
    def call(*arguments, **sizes):
        assert kernel.warmup(*arguments, grid=grid, **sizes).asm["cubin"]
        compiled.add(kernel.__name__)

    return call


compiled = set()
triton.runtime.driver.set_active(Driver())
triton.JITFunction.__getitem__ = compile_only
config = RelationalMemoryConfig(input_size=3, mem_slots=3, head_size=5, num_heads=2)
parameters = {name: torch.zeros(shape) for name, shape in parameter_shapes(config).items()}
inputs, memory, resets = torch.zeros(3, 3), torch.zeros(2, 3, 10), torch.zeros(3, dtype=torch.bool)
kernel = TritonSequence(KernelOptions(compute_dtype=torch.bfloat16))
given = SequenceInputs(config, parameters, inputs, [2, 1], memory, memory[0], resets)
memories, last, saved = kernel.forward(given, True)
kernel.backward(given, saved, memories, last, frozenset(parameters))
print(*compiled)
"""


@needs_triton
@pytest.mark.skipif(DEVICE.type == "cuda", reason="the kernels run on the GPU itself")
def test_the_kernels_compile_for_a_gpu(tmp_path):
    # The interpreter lets pass what the compiler does not, such as a variable that changes its shape.
    environment = os.environ | {"TRITON_INTERPRET": "0", "TRITON_CACHE_DIR": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", COMPILE], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.split()) == 6
