"""The choice between backends, and what every one of them promises."""

import inspect

import pytest

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch")

from relational_rnn.kernels import BACKENDS, choose_backend, eager  # noqa: E402
from relational_rnn.spec import RelationalMemoryConfig  # noqa: E402


def test_the_choice():
    assert choose_backend("auto") in BACKENDS
    for name in BACKENDS:
        assert choose_backend(name) == name
    for unknown in ("cuda", "", None, 3):
        with pytest.raises(ValueError, match=f"backend must be one of 'auto', 'eager'.*, got {unknown!r}"):
            choose_backend(unknown)


@pytest.mark.parametrize("name", BACKENDS)
def test_every_backend_has_the_functions_of_the_eager_one(name):
    for function in ("input_work", "step", "read", "sequence"):
        ours, theirs = getattr(BACKENDS[name], function), getattr(eager, function)
        assert list(inspect.signature(ours).parameters) == list(inspect.signature(theirs).parameters)


@pytest.mark.parametrize("name", BACKENDS)
@pytest.mark.parametrize("input_fusion", ["append", "tile"])
@pytest.mark.parametrize("treat_input_as_matrix", [False, True])
def test_the_input_work_of_all_steps_is_that_of_each(name, input_fusion, treat_input_as_matrix):
    backend, (config, parameters) = BACKENDS[name], make(input_fusion, treat_input_as_matrix)
    inputs = torch.randn(5, *config.input_sizes.values(), dtype=torch.float64)
    parts = backend.input_work(config, parameters, inputs).split([3, 2])
    for part, rows in zip(parts, inputs.split([3, 2]), strict=True):
        for actual, expected in zip(part, backend.input_work(config, parameters, rows), strict=True):
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
    memories, last, _ = BACKENDS[name].sequence(config, parameters, x, [2, 2, 2], m, start, flags, trace=True)
    memories += 1
    last += 1
    for now, then in zip(passed, before, strict=True):
        assert torch.equal(now, then)


def make(input_fusion, treat_input_as_matrix):
    from relational_rnn.spec import parameter_shapes

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
