"""Results have the parameters' dtype and device, whatever torch's defaults are when a module is called."""

import pytest

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch")

from defaults import DEFAULTS, torch_defaults  # noqa: E402
from helpers.model_zoo import B, F, T, draw, every_model, make_model, parts  # noqa: E402
from helpers.torch_cores import gradients, make_core, make_inputs, make_memory, some_configurations  # noqa: E402
from relational_rnn.kernels import BACKENDS  # noqa: E402
from relational_rnn.kernels.backends import cannot_run  # noqa: E402
from relational_rnn.nn import RelationalMemoryCell, RelationalRNNCell  # noqa: E402
from tolerances import assert_close  # noqa: E402

every_default = pytest.mark.parametrize(("dtype", "device"), DEFAULTS.values(), ids=DEFAULTS)
RESETS = torch.rand(T, B, generator=torch.Generator().manual_seed(4)) < 0.3


def assert_as_usual(run, leaves, dtype, device):
    """The tensors that `run` returns, and their gradients, are those under torch's usual defaults."""
    found = []
    for defaults in ((torch.float32, "cpu"), (dtype, device)):
        with torch_defaults(*defaults):
            tensors = run()
            found.append([*tensors, *gradients(sum(weighed(x) for x in tensors), leaves)])
    for actual, expected in zip(found[1], found[0], strict=True):
        assert actual.dtype == expected.dtype
        assert actual.device == expected.device
        name = str(expected.dtype).removeprefix("torch.") if expected.is_floating_point() else "float64"
        assert_close(actual.detach(), expected.detach(), name)


def weighed(x):
    """A loss that treats every element differently."""
    if not x.is_floating_point():
        return torch.zeros((), dtype=torch.float64, device="cpu")
    weights = torch.linspace(-1, 1, x.numel(), dtype=torch.float64, device="cpu").view(x.shape)
    return (x.nan_to_num().double() * weights).sum()


@every_default
@pytest.mark.parametrize("own", [torch.float32, pytest.param(torch.float64, marks=pytest.mark.slow)])
@every_model
def test_every_core(label, own, dtype, device):
    core = make_model(label, dtype=own)
    x = draw(T, B, F).to(own).requires_grad_()
    packed = torch.nn.utils.rnn.pack_padded_sequence(x.detach(), [3, 7, 1, 4], enforce_sorted=False)

    def run():
        found = []
        for inputs, flags in ((x, None), (x, RESETS), (packed, None), (x[:, 0], None)):
            outputs, state = core(inputs, resets=flags)
            found += [getattr(outputs, "data", outputs), *parts(state)]
        return [*found, *parts(core(x, core.initial_state(B))[1])]

    assert_as_usual(run, [x, *core.parameters()], dtype, device)


@every_default
@some_configurations
@pytest.mark.parametrize("backend", [name for name in BACKENDS if name != "triton"])
def test_every_backend(backend, options, dtype, device):
    core = make_core(**options, dtype=torch.float32)
    if cannot_run(backend, core.config, torch.float32, torch.device("cpu")) is not None:
        pytest.skip("this backend has not this option, or is not built")
    core = make_core(**options, dtype=torch.float32, backend=backend)
    cell = make_core(RelationalMemoryCell, **options, dtype=torch.float32, backend=backend)
    x, memory = make_inputs(core, T, B, dtype=torch.float32).requires_grad_(), make_memory(core, B)

    def run():
        outputs, last = core(x, memory, resets=RESETS)
        _, _, trace = core(x, return_trace=True)
        return [outputs, last, trace.attention, *cell(x[0]), *cell(None, memory)]

    assert_as_usual(run, [x, *core.parameters(), *cell.parameters()], dtype, device)


@every_default
@pytest.mark.parametrize("own", [torch.float32, torch.float64])
def test_the_hybrid_cell(own, dtype, device):
    cell = RelationalRNNCell(F, 6, num_slots=3, slot_size=4, num_heads=2, dtype=own)
    x = draw(B, F).to(own).requires_grad_()

    def run():
        output, *state = cell(x)
        return [output, *state, cell(x, *state)[0]]

    assert_as_usual(run, [x, *cell.parameters()], dtype, device)
