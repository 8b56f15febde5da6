"""Parameters and gradients of either implementation under the names they share."""

import numpy as np
import pytest

from relational_rnn import reference
from relational_rnn.config import parameter_shapes
from relational_rnn.config.core import INITIAL_MEMORIES
from relational_rnn.interop import get_gradients, get_parameters, set_parameters

SIZES = dict(input_size=3, mem_slots=2, head_size=4)
KINDS = ["RelationalMemory", "RelationalMemoryCell"]


def make_numpy(kind, seed=0, **options):
    return getattr(reference, kind)(**SIZES, **options, seed=seed)


def make_torch(kind, seed=0, dtype="float64", **options):
    torch = pytest.importorskip("torch")
    from relational_rnn import nn

    generator = torch.Generator().manual_seed(seed)
    return getattr(nn, kind)(**SIZES, **options, dtype=getattr(torch, dtype), generator=generator)


def run(core, batch=2):
    """One step from the initial state, whatever the core."""
    x = np.random.default_rng(0).standard_normal((batch, 3))
    sequence = not type(core).__name__.endswith("Cell")
    if hasattr(core, "params"):
        outputs, _ = core.forward(x[:, None] if sequence else x)
        return outputs.reshape(batch, -1)
    import torch

    value = torch.from_numpy(x).to(next(core.parameters()).dtype)
    outputs, _ = core(value[None] if sequence else value)
    return outputs.detach().reshape(batch, -1).numpy()


MAKERS = [
    pytest.param(make_numpy, id="numpy"),
    pytest.param(make_torch, id="torch", marks=pytest.mark.torch),
]
to = pytest.mark.parametrize("to", MAKERS)
from_ = pytest.mark.parametrize("from_", MAKERS)
every_kind = pytest.mark.parametrize("kind", KINDS)


@from_
@to
@every_kind
@pytest.mark.parametrize("initial_memory", INITIAL_MEMORIES)
def test_the_other_core_computes_the_same_afterwards(from_, to, kind, initial_memory):
    source, target = (make(kind, seed, initial_memory=initial_memory) for make, seed in ((from_, 0), (to, 1)))
    assert not np.allclose(run(source), run(target))
    values = get_parameters(source)
    assert ("initial_memory" in values) == (initial_memory not in ("identity", "zeros"))
    set_parameters(target, values)
    np.testing.assert_allclose(run(target), run(source), rtol=0, atol=1e-12)
    for value in values.values():  # copies, on both sides
        value += 1
    np.testing.assert_allclose(run(target), run(source), rtol=0, atol=1e-12)


@to
@every_kind
def test_nothing_is_loaded_on_an_error(to, kind):
    core = to(kind, initial_memory="random")
    good = {name: value + 1 for name, value in get_parameters(core).items()}
    before = get_parameters(core)
    last = list(good)[-1]
    missing = {name: value for name, value in good.items() if name != last}
    for values, error, message in (
        (missing, ValueError, rf"parameters do not match: missing \['{last}'\], unknown \[\]"),
        (good | {"mlp.9.bias": np.zeros(4)}, ValueError, r"missing \[\], unknown \['mlp.9.bias'\]"),
        (good | {last: good[last].T[..., None]}, ValueError, f"{last} must have shape .*, got"),
        (good | {last: good[last].astype(str)}, TypeError, f"{last} must hold real numbers, got <U"),
        (good | {last: good[last] * 1j}, TypeError, f"{last} must hold real numbers, got complex128"),
    ):
        with pytest.raises(error, match=message):
            set_parameters(core, values)
        for name, value in get_parameters(core).items():
            np.testing.assert_array_equal(value, before[name])


@to
def test_values_are_cast(to):
    core = to("RelationalMemory")
    values = {name: np.full(value.shape, 2) for name, value in get_parameters(core).items()}
    set_parameters(core, values)
    for value in get_parameters(core).values():
        assert value.dtype == np.float64
        assert (value == 2).all()


@pytest.mark.torch
def test_a_parameter_keeps_its_place_and_its_gradient():
    core = make_torch("RelationalMemory")
    parameter = core.mlp[0].weight
    set_parameters(core, {name: value.T.copy().T + 1 for name, value in get_parameters(core).items()})
    assert core.mlp[0].weight is parameter
    assert parameter.requires_grad


@pytest.mark.torch
def test_bfloat16_becomes_float32_and_tensors_are_taken():
    core, precise = make_torch("RelationalMemory", dtype="bfloat16"), make_torch("RelationalMemory", 1)
    values = get_parameters(core)
    assert {value.dtype for value in values.values()} == {np.dtype(np.float32)}
    set_parameters(precise, core.state_dict())
    for name, value in get_parameters(precise).items():
        np.testing.assert_array_equal(value, values[name])
    set_parameters(make_numpy("RelationalMemory"), dict(precise.named_parameters()))


@every_kind
def test_gradients_in_numpy(kind):
    core = make_numpy(kind, initial_memory="random")
    core.grads.clear()
    with pytest.raises(
        RuntimeError, match=r"no gradients yet for input_projection.weight, .*: run backward first"
    ):
        get_gradients(core)
    outputs = core.forward(np.ones((2, 5, 3) if kind == "RelationalMemory" else (2, 3)))[0]
    core.backward(np.ones_like(outputs))
    gradients = get_gradients(core)
    assert {name: value.shape for name, value in gradients.items()} == parameter_shapes(core.config)
    for name, value in gradients.items():
        assert value.any()
        value += 1
        assert not np.array_equal(core.grads[name], value), "a copy"


@pytest.mark.torch
@every_kind
def test_gradients_in_torch(kind):
    core = make_torch(kind, initial_memory="random")
    import torch

    with pytest.raises(
        RuntimeError, match=r"no gradients yet for input_projection.weight, .*: run backward first"
    ):
        get_gradients(core)
    core(torch.ones(2, 3, dtype=torch.float64))[0].sum().backward()
    gradients = get_gradients(core)
    assert {name: value.shape for name, value in gradients.items()} == parameter_shapes(core.config)
    for name, value in gradients.items():
        value += 1
        assert not np.array_equal(core.get_parameter(name).grad, value), "a copy"


@pytest.mark.torch
def test_a_parameter_that_had_no_part_has_a_gradient_of_zeros():
    cell = make_torch("RelationalMemoryCell")
    output, _ = cell(None, cell.initial_state(2))
    output.sum().backward()
    gradients = get_gradients(cell)
    assert not gradients["input_projection.weight"].any()
    assert gradients["gate_memory.weight"].any()
