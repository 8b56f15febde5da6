"""The native sequence: every instruction set against the eager twin, and what it leaves to others."""

import dataclasses
import logging
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch")

from helpers.sequences import assert_as_eager, cases, make_case, results, sequence_by  # noqa: E402
from relational_rnn.config import RelationalMemoryConfig  # noqa: E402
from relational_rnn.kernels import KernelOptions, SequenceInputs, eager, native, run_sequence, workspace  # noqa: E402
from relational_rnn.kernels.native import backend, build, library  # noqa: E402
from relational_rnn.kernels.native.fwd_bwd import NativeSequence  # noqa: E402
from tolerances import assert_close  # noqa: E402

LIBRARY = library.load()
VARIANTS = () if isinstance(LIBRARY, str) else LIBRARY.variants
needs_library = pytest.mark.skipif(not VARIANTS, reason=str(LIBRARY))
every_variant = pytest.mark.parametrize("variant", range(len(VARIANTS)), ids=VARIANTS)

CONFIG = RelationalMemoryConfig(input_size=3, mem_slots=4, head_size=2, num_heads=3)
CONFIGS = {
    "small": dict(input_size=1, mem_slots=1, head_size=3, key_size=1, attention_mlp_layers=8),
    "odd": dict(input_size=7, mem_slots=5, head_size=11, num_heads=3, key_size=13, gate_style="memory"),
    "vectors": dict(input_size=16, mem_slots=8, head_size=16, num_heads=4, input_bias=0.5),
    "more slots than lanes": dict(
        input_size=5, mem_slots=19, head_size=6, num_heads=2, attention_mlp_layers=1
    ),
    "no gates": dict(input_size=3, mem_slots=3, head_size=17, num_heads=2, gate_style="none"),
    "matrix": dict(input_size=5, mem_slots=2, head_size=33, treat_input_as_matrix=True, input_rows=18),
}


def kernel(variant, threads=None, recompute=False):
    """The kernel on one instruction set."""
    return NativeSequence(backend.load(), variant, threads, recompute)


def sequence(variant, threads=None, recompute=False):
    """`sequence` by one instruction set."""
    made = kernel(variant, threads, recompute)
    chosen = dataclasses.replace(native.BACKEND, kernel=lambda options, device: made)

    def call(given, trace=False):
        assert backend.unsupported(given.config, given.inputs.dtype, given.inputs.device) is None
        return run_sequence(chosen, given, trace=trace)

    return call


usual = sequence_by(native.BACKEND)


def supported(case):
    """The same case with what native code has."""
    switches = dict.fromkeys(("use_attention", "use_mlp", "use_residual", "use_layer_norm"), True)
    config = dataclasses.replace(case.config, num_blocks=1, input_fusion="append", **switches)
    return make_case(config, case.batch_sizes, 1, case.resets is not None, dtype=torch.float32)


@pytest.fixture
def poisoned(monkeypatch):
    """All memory is NaN before it is written."""
    lease = workspace._lease
    monkeypatch.setattr(workspace, "LARGE", 0)
    monkeypatch.setattr(workspace, "_lease", lambda size: lease(size).fill_(255))  # all bits set is NaN
    torch.use_deterministic_algorithms(True)  # torch fills what it makes with NaN, too
    yield
    torch.use_deterministic_algorithms(False)


@needs_library
@every_variant
@pytest.mark.usefixtures("poisoned")
@given(
    cases(torch.float32),
    st.sampled_from([(True, True), (True, False), (False, True)]),
    st.integers(1, 3),
    st.booleans(),
)
def test_drawn_sequences(variant, case, outputs, threads, recompute):
    assert_as_eager(sequence(variant, threads, recompute), supported(case), outputs)


@needs_library
@every_variant
@pytest.mark.usefixtures("poisoned")
@pytest.mark.parametrize("options", CONFIGS.values(), ids=CONFIGS)
@pytest.mark.parametrize("batch_sizes", [[1], [1] * 40, [300, 300, 299, 7]], ids=["step", "long", "wide"])
def test_sizes(variant, options, batch_sizes):
    case = make_case(RelationalMemoryConfig(**options), batch_sizes, 2, dtype=torch.float32)
    assert_as_eager(sequence(variant, 2), case)


@needs_library
@every_variant
def test_what_is_computed_again_is_the_same(variant):
    case = make_case(CONFIG, [9, 9, 5], dtype=torch.float32)
    kept, again = (results(sequence(variant, 2, recompute), case) for recompute in (False, True))
    for name, x in kept.items():
        assert torch.equal(again[name], x), name
    kernels = kernel(variant, recompute=True), kernel(variant)
    less, everything = (k.forward(case, True)[2]["saved"].numel() for k in kernels)
    assert less < everything / 4


@needs_library
@every_variant
def test_threads_and_calls_agree(variant):
    case = make_case(CONFIG, [50, 50, 31, 2], dtype=torch.float32)
    first = results(sequence(variant, 1), case)
    for threads in (1, 2, 7, 400):
        for name, x in results(sequence(variant, threads), case).items():
            assert_close(x, first[name], "float32", name)
            assert threads != 1 or torch.equal(x, first[name])


@needs_library
def test_on_torch_threads_and_on_new_ones_the_same_comes_out():
    case = make_case(CONFIG, [50, 50, 31, 2], dtype=torch.float32)
    shared = library.share_threads(LIBRARY, torch._C.__file__)
    assert shared or "OpenMP" not in torch.__config__.parallel_info().split("backend:")[-1]
    try:
        first = results(sequence(0, 3), case)
        LIBRARY.use_team(None, None, None)
        for name, x in results(sequence(0, 3), case).items():
            assert torch.equal(x, first[name]), name
    finally:
        library.share_threads(LIBRARY, torch._C.__file__)


def test_a_library_without_openmp_has_no_threads_to_share():
    with_nothing = SimpleNamespace(use_team=pytest.fail)
    assert not library.share_threads(with_nothing, "no such library")
    if VARIANTS:
        assert not library.share_threads(with_nothing, str(build.FOLDER / build.library_name()))


@needs_library
@every_variant
@pytest.mark.parametrize("value", [torch.nan, torch.inf, -torch.inf, 1e30])
def test_what_is_not_a_number_comes_through_and_stays_in_its_sample(variant, value):
    case = make_case(CONFIG, [5, 5, 5], with_resets=False, asked=0, dtype=torch.float32)
    bad = case.inputs.clone()
    bad[5 + 2, 1] = value  # the third sample's second step
    for lone in (False, True):  # one sample alone takes another way through the matrix products
        memory = case.memory[2:3] if lone else case.memory
        inputs = bad.view(3, 5, -1)[:, 2] if lone else bad
        sizes = [1] * 3 if lone else case.batch_sizes
        given = SequenceInputs(CONFIG, case.parameters, inputs, sizes, memory, case.initial)
        ours, _, _ = sequence(variant)(given)
        theirs, _, _ = eager.sequence(given)
        assert torch.equal(ours.isnan(), theirs.isnan())
        assert_close(ours, theirs, "float32")


@needs_library
@pytest.mark.usefixtures("poisoned")
@pytest.mark.parametrize("recompute", [False, True])
@pytest.mark.parametrize("name", ["odd", "vectors", "no gates", "matrix"])
@pytest.mark.parametrize("batch_sizes", [[1] * 40, [60, 60, 59, 7]], ids=["long", "wide"])
def test_products_in_bfloat16(name, batch_sizes, recompute):
    if LIBRARY.bfloat16 is None:
        pytest.skip("this processor, or the compiler, has no bfloat16")
    case = make_case(RelationalMemoryConfig(**CONFIGS[name]), batch_sizes, 2, dtype=torch.float32)

    half = sequence_by(native.BACKEND, recompute=recompute, compute_dtype=torch.bfloat16)
    actual, expected = results(half, case), results(eager.sequence, case)
    # As a whole: where a ReLU goes the other way, single gradients are far off.
    errors = {what: (actual[what] - x).norm() / max(1, x.norm()) for what, x in expected.items()}
    assert max(errors.values()) <= 0.1, errors
    assert errors["memories"] >= 1e-4  # it is not float32 that has run


@needs_library
def test_products_in_other_dtypes_are_left_to_others(caplog):
    case = make_case(CONFIG, [3, 2], dtype=torch.float32)
    with caplog.at_level(logging.DEBUG, "relational_rnn"):
        sequence_by(native.BACKEND, compute_dtype=torch.float16)(case)
    assert "eager instead of native: it has no products in torch.float16" in caplog.text


@needs_library
def test_backward_leaves_what_was_kept():
    case = make_case(CONFIG, [4, 4, 2], dtype=torch.float32)
    memories, last, _ = usual(case)
    tensors = list(case.tensors.values())
    once, twice = (torch.autograd.grad(memories.sum() + last.sum(), tensors, retain_graph=True) for _ in "ab")
    for one, other in zip(once, twice, strict=True):
        assert torch.equal(one, other)


@needs_library
def test_results_may_be_changed_in_place():
    case = make_case(CONFIG, [4, 4, 2], dtype=torch.float32)

    def changed(function):
        def call(given):
            memories, last, trace = function(given)
            return memories.mul_(3), last.add_(1), trace

        return call

    actual, expected = results(changed(usual), case), results(changed(eager.sequence), case)
    for name, x in expected.items():
        assert_close(actual[name], x, "float32", name)


@needs_library
def test_what_native_code_leaves_to_others(caplog):
    cpu, single = torch.device("cpu"), torch.float32
    assert backend.unsupported(CONFIG, single, cpu) is None
    assert "float32, got torch.float64" in backend.unsupported(CONFIG, torch.float64, cpu)
    assert "CPU, got meta" in backend.unsupported(CONFIG, single, torch.device("meta"))
    for option, value in (
        ("num_blocks", 2),
        ("input_fusion", "tile"),
        ("use_attention", False),
        ("use_mlp", False),
        ("use_residual", False),
        ("use_layer_norm", False),
        ("attention_mlp_layers", 9),
    ):
        other = dataclasses.replace(CONFIG, **{option: value})
        assert str(value) in backend.unsupported(other, single, cpu)
        case = make_case(other, [3, 2], dtype=single)
        caplog.clear()
        with caplog.at_level(logging.DEBUG, "relational_rnn"):
            assert_as_eager(usual, case)
        assert "eager instead of native" in caplog.text
    case = make_case(CONFIG, [3, 2], dtype=single)
    ours, theirs = (function(case, trace=True)[2] for function in (usual, eager.sequence))
    for actual, expected in zip(ours, theirs, strict=True):
        assert_close(actual.detach(), expected.detach(), "float32")


ACTIVATIONS = (("exp", -87, 0, np.exp, 2), ("tanh", -12, 12, np.tanh, 3), ("sigmoid", -86, 60, None, 3))


@needs_library
@every_variant
@pytest.mark.parametrize("number", range(3), ids=[name for name, *_ in ACTIVATIONS])
def test_activations_are_exact_to_the_last_bits(variant, number):
    _, low, high, exact, bound = ACTIVATIONS[number]
    generator = np.random.default_rng(0)
    x = np.concatenate([generator.uniform(low, high, 300_001), -np.logspace(-30, 0, 1001)]).astype(np.float32)
    wide = x.astype(np.float64)
    expected = exact(wide) if exact else 1 / (1 + np.exp(-wide))
    error = np.abs(activate(variant, number, x) - expected)
    assert (error / np.spacing(np.abs(expected).astype(np.float32))).max() <= bound


@needs_library
@every_variant
def test_activations_at_the_ends(variant):
    ends = np.array([-np.inf, -1e9, -0.0, 0, np.nan], np.float32)
    np.testing.assert_array_equal(activate(variant, 0, ends), np.array([0, 0, 1, 1, np.nan], np.float32))
    more = np.array([-np.inf, -1e9, -0.0, 0, 1e-40, 1e9, np.inf, np.nan], np.float32)
    tanh = activate(variant, 1, more)
    np.testing.assert_array_equal(tanh, np.tanh(more))
    np.testing.assert_array_equal(np.signbit(tanh[:-1]), np.signbit(more[:-1]))
    sigmoid = activate(variant, 2, more)
    np.testing.assert_allclose(sigmoid, np.array([0, 0, 0.5, 0.5, 0.5, 1, 1, np.nan]), atol=2e-38)


def activate(variant, number, x):
    y = np.empty_like(x)
    LIBRARY.activate(variant, number, len(x), x.ctypes.data, y.ctypes.data)
    return y


def test_without_the_library_everything_runs(monkeypatch, caplog):
    backend.kernel.cache_clear()
    monkeypatch.setattr(backend, "load", lambda: "it is not built")
    case = make_case(CONFIG, [3, 2], dtype=torch.float32)
    with caplog.at_level(logging.DEBUG, "relational_rnn"):
        assert_as_eager(usual, case)
    assert "eager instead of native: it is not built" in caplog.text
    with pytest.raises(RuntimeError, match="it is not built"):
        backend.kernel(KernelOptions(), torch.device("cpu"))
    backend.kernel.cache_clear()
