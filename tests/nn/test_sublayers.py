"""What acts on a model through one of its layers acts: hooks, pruning, adapters, other layers, sharding."""

import copy
import logging
import socket

import pytest

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402
from torch.nn.utils import parametrizations, parametrize, prune  # noqa: E402
from torch.nn.utils.rnn import pack_padded_sequence  # noqa: E402

from helpers.model_zoo import MODELS, B, F, T, draw, make_model  # noqa: E402
from helpers.torch_cores import (  # noqa: E402
    BATCH,
    CONFIGURATIONS,
    TIME,
    gradients,
    make_core,
    make_inputs,
    make_memory,
    weigh,
)
from relational_rnn.nn import RelationalMemory, RelationalMemoryCell, RelationalRNNCell  # noqa: E402
from relational_rnn.nn.sublayers import why_called  # noqa: E402
from tolerances import assert_close  # noqa: E402

every_configuration = pytest.mark.parametrize("options", CONFIGURATIONS.values(), ids=CONFIGURATIONS)
LAYERS = (nn.Linear, nn.LayerNorm, nn.LSTMCell)


def layers(model):
    """The layers of a model that kernels could read past, by name."""
    return {name: layer for name, layer in model.named_modules() if isinstance(layer, LAYERS)}


def do_nothing(module, *arguments):
    return None


# with every layer called, the same comes out


def called(core):
    """The same core with a hook that does nothing, so that all its layers are called."""
    other = copy.deepcopy(core)
    other.input_projection.register_forward_hook(do_nothing)
    assert other.backend_in_use == "eager"
    return other


@every_configuration
def test_a_sequence_by_calls_is_that_of_the_kernels(options):
    core = make_core(**options)
    other = called(core)
    x, memory = make_inputs(core, TIME, BATCH).requires_grad_(), make_memory(core, BATCH).requires_grad_()
    resets = torch.rand(TIME, BATCH, generator=torch.Generator().manual_seed(4)) < 0.3
    packed = pack_padded_sequence(x, [4, TIME, 1], enforce_sorted=False)
    for inputs, state, flags in ((x, memory, resets), (packed, memory, None), (x, None, None)):
        found = []
        for one in (core, other):
            outputs, last = one(inputs, state, resets=flags)
            outputs = getattr(outputs, "data", outputs)
            leaves = [x, memory, *one.parameters()]
            loss = weigh(outputs) + weigh(last)
            found.append(
                [outputs, last, *torch.autograd.grad(loss, leaves, allow_unused=True, retain_graph=True)]
            )
        for actual, expected in zip(*found, strict=True):
            if expected is not None:
                assert_close(actual.detach(), expected.detach())
    *_, trace = other(packed, return_trace=True)
    *_, wanted = core(packed, return_trace=True)
    for actual, expected in zip(trace, wanted, strict=True):
        assert (actual is None) == (expected is None)
        if expected is not None:
            assert_close(actual.detach(), expected.detach())


@every_configuration
def test_a_step_by_calls_is_that_of_the_kernels(options):
    cell = make_core(RelationalMemoryCell, **options)
    other = called(cell)
    x, memory = make_inputs(cell, BATCH), make_memory(cell, BATCH)
    for arguments in ((x, memory), (x,), (None, memory)):
        for actual, expected in zip(
            other(*arguments, return_trace=True), cell(*arguments, return_trace=True), strict=True
        ):
            if isinstance(expected, torch.Tensor):
                assert_close(actual.detach(), expected.detach())
            elif expected.input_gate is not None:
                assert_close(actual.input_gate.detach(), expected.input_gate.detach())


def test_it_is_said_why(caplog):
    core = called(make_core())
    with caplog.at_level(logging.DEBUG, "relational_rnn"):
        core(make_inputs(core, TIME, BATCH))
    assert "all layers are called: input_projection has hooks" in caplog.text


def test_options_of_kernels_do_not_stop_what_acts():
    core = make_core(recompute=True)
    wanted = core(make_inputs(core, TIME, BATCH))[0]
    assert_close(called(core)(make_inputs(core, TIME, BATCH))[0].detach(), wanted.detach())


# what acts, on every layer of every model

HOOKS = {
    "forward": lambda layer, seen: layer.register_forward_hook(lambda *_: seen.append(1)),
    "before": lambda layer, seen: layer.register_forward_pre_hook(lambda *_: seen.append(1)),
    "backward": lambda layer, seen: layer.register_full_backward_hook(lambda *_: seen.append(1)),
}
MORE = {
    "rmc, all options": lambda: make_core(num_blocks=2, attention_mlp_layers=3),
    "rmc, tile": lambda: make_core(input_fusion="tile", read_head="attention"),
    "rmc cell": lambda: make_core(RelationalMemoryCell),
    "hybrid cell": lambda: RelationalRNNCell(
        F, 6, num_slots=3, slot_size=8, dtype=torch.float64, generator=torch.Generator().manual_seed(0)
    ),
}
USUAL = ("rmc", "hybrid", "lstm", "transformer", "dnc", "rmc, all options", "rmc cell")
EVERYTHING = {label: (lambda label=label: make_model(label)) for label in MODELS} | MORE
every_model = pytest.mark.parametrize(
    "make",
    [
        pytest.param(make, id=label, marks=() if label in USUAL else pytest.mark.slow)
        for label, make in EVERYTHING.items()
    ],
)


def run(model, requires_grad=False):
    size = model.input_size
    leading = (B,) if "Cell" in type(model).__name__ else (T, B)
    return model(draw(*leading, size).requires_grad_(requires_grad))[0]


@pytest.mark.filterwarnings("ignore:Full backward hook is firing:UserWarning")
@every_model
@pytest.mark.parametrize("register", HOOKS.values(), ids=HOOKS)
def test_hooks_on_every_layer_run(make, register):
    model = make()
    expected = run(model).detach()
    for name, layer in layers(model).items():
        seen = []
        handle = register(layer, seen)
        outputs = run(model, requires_grad=True)
        outputs.sum().backward()
        assert seen, name
        assert_close(outputs.detach(), expected, what=name)
        handle.remove()
        seen.clear()
        run(model)
        assert not seen


@every_model
def test_a_layer_that_is_replaced_or_patched_acts(make):
    model = make()
    expected = run(model).detach()
    for name, layer in layers(model).items():
        for change in (patch, replace):
            other = copy.deepcopy(model)
            change(other, name)
            assert not torch.allclose(run(other).detach(), expected), f"{change.__name__} {name}"
        assert why_called(layer) is None


def patch(model, name):
    """Give a layer a forward of its own, as tools do that dispatch or quantise."""
    layer = model.get_submodule(name)
    usual = layer.forward

    def bent(*arguments):
        found = usual(*arguments)
        return tuple(map(torch.cos, found)) if isinstance(found, tuple) else found.cos()

    layer.forward = bent


class Adapted(nn.Module):
    """What adapters do: a layer around a layer."""

    def __init__(self, layer):
        super().__init__()
        self.base_layer = layer

    def forward(self, *arguments):
        found = self.base_layer(*arguments)
        return tuple(map(torch.cos, found)) if isinstance(found, tuple) else found.cos()


def replace(model, name):
    owner, _, leaf = name.rpartition(".")
    setattr(model.get_submodule(owner), leaf, Adapted(model.get_submodule(name)))


@every_model
def test_pruning_acts_and_trains(make):
    for name in layers(make()):
        model, zeroed = make(), make()
        layer = model.get_submodule(name)
        weight = next(n for n, p in layer.named_parameters() if "weight" in n)
        prune.random_unstructured(layer, weight, 0.5)
        with torch.no_grad():
            getattr(zeroed.get_submodule(name), weight).mul_(getattr(layer, f"{weight}_mask"))
        assert_close(run(model).detach(), run(zeroed).detach(), what=name)
        for _ in range(2):  # a second step fails where the first left its graph behind
            run(model).sum().backward()
        prune.remove(layer, weight)
        assert_close(run(model).detach(), run(zeroed).detach(), what=name)


@every_model
def test_parametrisations_act(make):
    class Doubled(nn.Module):
        def forward(self, weight):
            return 2 * weight

    for name in layers(make()):
        model, doubled = make(), make()
        layer = model.get_submodule(name)
        weight = next(n for n, p in layer.named_parameters() if "weight" in n)
        parametrize.register_parametrization(layer, weight, Doubled())
        with torch.no_grad():
            getattr(doubled.get_submodule(name), weight).mul_(2)
        assert_close(run(model).detach(), run(doubled).detach(), what=name)


@pytest.mark.filterwarnings("ignore:.*weight_norm:FutureWarning")
@pytest.mark.parametrize("norm", [torch.nn.utils.spectral_norm, torch.nn.utils.weight_norm])
def test_norms_of_weights_by_hooks_act(norm):
    core = make_core()
    x = make_inputs(core, TIME, BATCH)
    before = core(x)[0].detach()
    norm(core.mlp[0])
    assert core.backend_in_use == "eager"
    outputs, _ = core(x)
    assert torch.allclose(outputs, before) == (norm is torch.nn.utils.weight_norm)
    for _ in range(2):
        weigh(core(x)[0]).backward()
    trained = [p for n, p in core.mlp[0].named_parameters() if n in ("weight_orig", "weight_g", "weight_v")]
    assert all(p.grad.any() for p in trained)
    parametrizations.spectral_norm(core.mlp[1])
    assert core(x)[0].isfinite().all()


def test_hooks_on_all_modules_run():
    core = make_core()
    expected, seen = core(make_inputs(core, TIME, BATCH))[0], set()
    handle = nn.modules.module.register_module_forward_hook(lambda layer, *_: seen.add(type(layer).__name__))
    try:
        assert_close(core(make_inputs(core, TIME, BATCH))[0].detach(), expected.detach())
    finally:
        handle.remove()
    assert {"Linear", "LayerNorm", "Block", "RelationalMemory"} <= seen


OTHERS = {
    "another epsilon": (
        "blocks.0.attention_norm",
        lambda layer: nn.LayerNorm(8, eps=1.0, dtype=torch.float64),
    ),
    "another norm": ("blocks.0.mlp_norm", lambda layer: nn.RMSNorm(8, dtype=torch.float64)),
    "no norm": ("blocks.0.qkv_norm", lambda layer: nn.Identity()),
    "no gain": (
        "blocks.0.qkv_norm",
        lambda layer: nn.LayerNorm(24, elementwise_affine=False, dtype=torch.float64),
    ),
    "no bias": ("mlp.1", lambda layer: nn.Linear(8, 8, bias=False, dtype=torch.float64)),
    "two layers": ("gate_memory", lambda layer: nn.Sequential(nn.Linear(8, 8, dtype=torch.float64), layer)),
}


@pytest.mark.parametrize(("name", "make"), OTHERS.values(), ids=OTHERS)
def test_other_layers_act(name, make):
    core = make_core()
    x = make_inputs(core, TIME, BATCH)
    before = core(x)[0].detach()
    owner, _, leaf = name.rpartition(".")
    setattr(core.get_submodule(owner), leaf, make(core.get_submodule(name)))
    outputs, _ = core(x)
    assert not torch.allclose(outputs, before)
    assert core.backend_in_use == "eager"
    weigh(outputs).backward()


def test_a_call_of_its_own_acts():
    class Twice(nn.Linear):
        def __call__(self, x):
            return 2 * super().__call__(x)

    core = make_core()
    x = make_inputs(core, TIME, BATCH)
    before = core(x)[0].detach()
    twice = Twice(8, 8, dtype=torch.float64)
    twice.load_state_dict(core.mlp[0].state_dict())
    core.mlp[0] = twice
    assert not torch.allclose(core(x)[0].detach(), before)
    assert core.backend_in_use == "eager"


def test_a_call_that_is_patched_for_all_modules_acts(monkeypatch):
    core, seen = make_core(), []
    usual = nn.Module.__call__
    monkeypatch.setattr(nn.Module, "__call__", lambda *a, **k: (seen.append(a[0]), usual(*a, **k))[1])
    core(make_inputs(core, TIME, BATCH))
    assert core.backend_in_use == "eager"
    assert core.mlp[0] in seen


def test_another_number_of_layers():
    core = make_core()
    x = make_inputs(core, TIME, BATCH)
    before = core(x)[0].detach()
    core.mlp.append(nn.Linear(8, 8, dtype=torch.float64))
    assert not torch.allclose(core(x)[0].detach(), before)
    assert core.backend_in_use == "eager"
    del core.mlp[2]
    assert torch.equal(core(x)[0], before)
    core.blocks.append(copy.deepcopy(core.blocks[0]))
    with pytest.raises(ValueError, match=r"blocks must be 1 \(num_blocks\), got 2"):
        core(x)


@pytest.mark.filterwarnings("ignore:.*quantization:DeprecationWarning", "ignore:.*quantiz:UserWarning")
def test_dynamic_quantisation_acts():
    core = make_core(dtype=torch.float32)
    x = make_inputs(core, TIME, BATCH, dtype=torch.float32)
    quantised = pytest.importorskip("torch.ao.quantization").quantize_dynamic
    try:
        coarse = quantised(core, {nn.Linear}, dtype=torch.qint8)
    except (RuntimeError, NotImplementedError) as missing:
        pytest.skip(f"this torch does not quantise here: {missing}")
    outputs, _ = coarse(x)
    assert coarse.backend_in_use == "eager"
    assert not torch.equal(outputs, core(x)[0])
    assert (outputs - core(x)[0]).abs().mean() < 0.2


@pytest.mark.filterwarnings("ignore:FSDP2-wrapped module:UserWarning")  # torch's own layers return views
@pytest.mark.skipif(not torch.distributed.is_available(), reason="this torch has no distributed part")
def test_fully_sharded_blocks_train_as_whole_ones(monkeypatch):
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard

    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    store = torch.distributed.TCPStore("127.0.0.1", port, 1, True)
    torch.distributed.init_process_group("gloo", store=store, rank=0, world_size=1)
    try:
        whole = make_core(num_blocks=2, dtype=torch.float32)
        core, x = copy.deepcopy(whole), make_inputs(whole, TIME, BATCH, dtype=torch.float32)
        mesh = init_device_mesh("cpu", (1,))
        for block in core.blocks:
            fully_shard(block, mesh=mesh)
        fully_shard(core.mlp[0], mesh=mesh)
        fully_shard(core, mesh=mesh)
        for one in (whole, core):
            optimiser = torch.optim.SGD(one.parameters(), 1e-2)
            for _ in range(3):
                optimiser.zero_grad()
                weigh(one(x)[0]).backward()
                optimiser.step()
        for (name, actual), expected in zip(core.named_parameters(), whole.parameters(), strict=True):
            assert_close(actual.full_tensor().detach(), expected.detach(), "float32", name)
    finally:
        torch.distributed.destroy_process_group()


def test_a_state_dict_knows_nothing_of_hooks():
    core = make_core(RelationalMemory)
    other = called(core)
    assert list(other.state_dict()) == list(core.state_dict())
    assert gradients(weigh(other(make_inputs(core, 2, 1))[0]), list(other.parameters()))[0].any()
