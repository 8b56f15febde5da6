"""The choice between backends, and what every one of them promises."""

import dataclasses
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch")

from helpers.sequences import assert_as_eager, cases, make_case, results, sequence_by  # noqa: E402
from relational_rnn.config import RelationalMemoryConfig  # noqa: E402
from relational_rnn.kernels import (  # noqa: E402
    BACKENDS,
    KernelOptions,
    SequenceInputs,
    choose_backend,
    eager,
    run_sequence,
    run_step,
)
from relational_rnn.kernels.backends import cannot_run  # noqa: E402
from relational_rnn.nn import RelationalMemory  # noqa: E402
from tolerances import assert_close  # noqa: E402

FASTER = [name for name in BACKENDS if name != "eager"]


def test_the_choice():
    config, _ = make("tile", True)
    core = config, torch.float64, torch.device("cpu")
    chosen = choose_backend("auto", *core)
    assert cannot_run(chosen, *core) is None
    for name in BACKENDS:
        reason = cannot_run(name, *core)
        if reason is None:
            assert choose_backend(name, *core) == name
            assert list(BACKENDS).index(name) <= list(BACKENDS).index(chosen)
        else:
            with pytest.raises(ValueError, match=f"backend='{name}' cannot run here: {re.escape(reason)}"):
                choose_backend(name, *core)
    for unknown in ("cuda", "", None, 3):
        with pytest.raises(ValueError, match=f"backend must be one of 'auto', 'eager'.*, got {unknown!r}"):
            choose_backend(unknown, *core)


def test_a_backend_that_cannot_run_says_why(monkeypatch):
    def unsupported(config, dtype, device, options):
        return None if dtype == torch.float32 else f"it has float32 only, got {dtype}"

    picky = dataclasses.replace(BACKENDS["eager"], name="picky", unsupported=unsupported)
    monkeypatch.setitem(BACKENDS, "picky", picky)
    sizes = dict(input_size=3, mem_slots=4, head_size=2)
    core = RelationalMemory(**sizes)
    assert core.backend_in_use == "picky"
    assert core.double().backend_in_use != "picky"
    named = RelationalMemory(**sizes, backend="picky")
    assert named.backend_in_use == "picky"
    message = "backend='picky' cannot run here: it has float32 only, got torch.float64"
    with pytest.raises(ValueError, match=message):
        RelationalMemory(**sizes, backend="picky", dtype=torch.float64)
    with pytest.raises(ValueError, match=message):
        named.double()(torch.zeros(2, 3, dtype=torch.float64))


def test_the_choice_sees_the_values_of_options(monkeypatch):
    def unsupported(config, dtype, device, options):
        return f"not in {options.compute_dtype}" if options.compute_dtype else None

    native = dataclasses.replace(BACKENDS["native"], unsupported=unsupported)
    monkeypatch.setitem(BACKENDS, "native", native)
    sizes = dict(input_size=3, mem_slots=4, head_size=2, device="cpu")
    assert RelationalMemory(**sizes).backend_in_use == "native"
    assert RelationalMemory(**sizes, recompute=True).backend_in_use == "native"
    assert RelationalMemory(**sizes, compute_dtype=torch.float16).backend_in_use == "fused"
    with pytest.raises(ValueError, match=r"backend='native' cannot run here: not in torch\.float16"):
        RelationalMemory(**sizes, compute_dtype=torch.float16, backend="native")


def test_the_eager_twin_has_no_options():
    core = make("append", False)[0], torch.float32, torch.device("cpu")
    assert cannot_run("eager", *core, KernelOptions()) is None
    assert cannot_run("eager", *core, KernelOptions(recompute=True)) == "it has no recompute"
    assert (
        cannot_run("eager", *core, KernelOptions(compute_dtype=torch.bfloat16)) == "it has no compute_dtype"
    )


@pytest.mark.parametrize("name", ["native", "triton"])
def test_products_in_an_unknown_dtype_are_refused(name):
    config = RelationalMemoryConfig(input_size=3, mem_slots=4, head_size=2)
    core = config, torch.float32, torch.device("cpu")
    if cannot_run(name, *core) is not None:
        pytest.skip(cannot_run(name, *core))
    assert "no products in torch.int8" in cannot_run(name, *core, KernelOptions(compute_dtype=torch.int8))


def test_what_a_backend_cannot_run_is_eagers(caplog):
    def unsupported(config, dtype, device, options):
        return "it is a cloudy day"

    cloudy = dataclasses.replace(
        BACKENDS["native"], name="cloudy", unsupported=unsupported, kernel=pytest.fail
    )
    with caplog.at_level("DEBUG", "relational_rnn"):
        assert_as_eager(sequence_by(cloudy), make_case(make("append", False)[0], [3, 2]))
    assert "eager instead of cloudy: it is a cloudy day" in caplog.text


@pytest.mark.parametrize("input_fusion", ["append", "tile"])
@pytest.mark.parametrize("treat_input_as_matrix", [False, True])
def test_the_input_projection_of_all_steps_is_that_of_each(input_fusion, treat_input_as_matrix):
    config, parameters = make(input_fusion, treat_input_as_matrix)
    inputs = torch.randn(5, *config.input_sizes.values(), dtype=torch.float64)
    parts = eager.input_projection(config, parameters, inputs).split([3, 2])
    for part, rows in zip(parts, inputs.split([3, 2]), strict=True):
        for actual, expected in zip(part, eager.input_projection(config, parameters, rows), strict=True):
            torch.testing.assert_close(actual, expected)


@pytest.mark.parametrize("name", FASTER)
@given(cases(torch.float32))
def test_a_step_is_that_of_the_eager_backend(name, case):
    def step(backend):
        def sequence(given, trace=False):
            config, parameters, inputs, _, memory, *_ = given
            memories, report = run_step(BACKENDS[backend], config, parameters, inputs, memory, trace)
            return memories, memories, report

        return sequence

    one = make_case(case.config, case.batch_sizes[:1], with_resets=False, dtype=torch.float32)
    ours, theirs = (results(step(backend), one) for backend in (name, "eager"))
    for what, expected in theirs.items():
        assert_close(ours[what], expected, "float32", what)


@pytest.mark.parametrize("name", FASTER)
@given(cases(), st.sampled_from([(True, True), (True, False), (False, True)]))
def test_a_sequence_is_that_of_the_eager_backend(name, case, outputs):
    assert_as_eager(sequence_by(BACKENDS[name]), case, outputs)


@pytest.mark.parametrize("name", FASTER)
@given(cases(torch.float32))
def test_a_sequence_in_float32(name, case):
    assert_as_eager(sequence_by(BACKENDS[name]), case)


@pytest.mark.parametrize("name", FASTER)
def test_a_trace_is_that_of_the_eager_backend(name):
    config, parameters = make("append", False)
    arguments = torch.randn(6, 3), torch.randn(2, 4, 6), torch.randn(4, 6)
    x, m, start = (t.double() for t in arguments)
    given = SequenceInputs(config, parameters, x, [2] * 3, m, start)
    found = [run_sequence(BACKENDS[n], given, trace=True) for n in (name, "eager")]
    for actual, expected in zip(found[0][2], found[1][2], strict=True):
        torch.testing.assert_close(actual, expected)


@pytest.mark.parametrize("name", BACKENDS)
def test_nothing_that_is_passed_is_changed(name):
    config, parameters = make("append", False)
    inputs, memory, initial = torch.randn(6, 3), torch.randn(2, 4, 6), torch.randn(4, 6)
    resets = torch.tensor([True, False, False, True, True, False])
    passed = [inputs, memory, initial, resets, *parameters.values()]
    passed = [x.double() if x.is_floating_point() else x for x in passed]
    before = [x.clone() for x in passed]
    x, m, start, flags, *_ = passed
    given = SequenceInputs(config, parameters, x, [2, 2, 2], m, start, flags)
    memories, last, _ = run_sequence(BACKENDS[name], given, trace=True)
    memories += 1
    last += 1
    for now, then in zip(passed, before, strict=True):
        assert torch.equal(now, then)


def make(input_fusion, treat_input_as_matrix):
    from relational_rnn.config import parameter_shapes

    torch.manual_seed(0)
    config = RelationalMemoryConfig(
        input_size=3,
        mem_slots=4,
        head_size=2,
        num_heads=3,
        num_blocks=2,
        input_fusion=input_fusion,
        treat_input_as_matrix=treat_input_as_matrix,
        input_rows=5 if treat_input_as_matrix else 1,
    )
    shapes = parameter_shapes(config).items()
    return config, {name: torch.randn(shape, dtype=torch.float64) for name, shape in shapes}


def test_an_option_that_no_kernel_has_is_left_to_eager(monkeypatch):
    monkeypatch.setattr("relational_rnn.config.core.PLAIN_ONLY", ("forget_bias",))
    here = torch.float32, torch.device("cpu")
    usual, other = (
        RelationalMemoryConfig(input_size=3, mem_slots=2, head_size=4, forget_bias=bias)
        for bias in (1.0, 2.0)
    )
    assert choose_backend("auto", usual, *here) != "eager"
    assert choose_backend("auto", other, *here) == "eager"
    with pytest.raises(ValueError, match=r"'fused' cannot run here: only eager has forget_bias, got .*=2\.0"):
        choose_backend("fused", other, *here)
    with pytest.raises(ValueError, match="'eager' cannot run here: it has no recompute"):
        choose_backend("auto", other, *here, KernelOptions(recompute=True))
