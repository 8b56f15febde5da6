import dataclasses

import pytest

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch")

from relational_rnn.nn import LSTM, RelationalMemory  # noqa: E402
from relational_rnn.nn.variant import VariantRelationalMemory  # noqa: E402
from relational_rnn.recipes import find_recipe  # noqa: E402
from relational_rnn.training.common.core_settings import LABELS  # noqa: E402
from relational_rnn.training.common.nth_farthest import LAYER_NORM_PLACEMENTS, PORT_FAULTS  # noqa: E402
from relational_rnn.training.numpy.models import build_model as build_numpy  # noqa: E402
from relational_rnn.training.torch.build import count_parameters, matched_size  # noqa: E402
from relational_rnn.training.torch.models import (  # noqa: E402
    build_model,
    contestants,
    load_model,
    save_model,
)

SETTINGS = find_recipe("nth-farthest", "tiny")


def test_the_lstm_trains_three_times_and_the_rmc_once():
    assert [(c.name, c.grown) for c in contestants(SETTINGS)] == [
        ("rmc", True),
        ("lstm-direct", False),
        ("lstm-orthogonal", True),
        ("lstm-torch", True),
    ]
    for one_way in ({"grow": False}, {"direct": False}):
        found = contestants(dataclasses.replace(SETTINGS, **one_way))
        assert [c.name for c in found] == ["rmc", "lstm-orthogonal", "lstm-torch"]
        assert {c.grown for c in found} == {one_way.get("grow", True)}
    alone = dataclasses.replace(SETTINGS, models=("lstm",))
    assert {c.model for c in contestants(alone)} == {"lstm"}
    labels = [c.label for c in contestants(alone)]
    assert labels[1] == "LSTM, growing task at its own pace, orthogonal start"
    beside = [c.label for c in contestants(SETTINGS)]
    assert (beside[0], beside[2]) == ("RMC, growing task", "LSTM, growing task, orthogonal start")


@pytest.mark.parametrize("preset", ["tiny", "quick", "paper8x16", "paper"])
def test_the_lstm_has_just_as_many_parameters(preset):
    settings = find_recipe("nth-farthest", preset)
    rmc, lstm = (build_model(settings, contestants(settings)[i]) for i in (0, 2))
    assert isinstance(rmc.core, RelationalMemory)
    assert isinstance(lstm.core, LSTM)
    assert count_parameters(lstm) >= count_parameters(rmc)
    narrower = dataclasses.replace(settings, lstm_hidden_size=matched_size(settings, "lstm") - 1)
    assert count_parameters(build_model(narrower, contestants(settings)[2])) < count_parameters(rmc)


@pytest.mark.parametrize("model", list(LABELS)[1:])
def test_every_opponent_is_of_about_the_same_size(model):
    settings = dataclasses.replace(find_recipe("nth-farthest", "quick"), models=("rmc", model), grow=False)
    rmc, other = (count_parameters(build_model(settings, c)) for c in contestants(settings)[:2])
    assert rmc <= other <= 1.1 * rmc


def test_seeds_and_ways_to_the_task():
    settings = dataclasses.replace(SETTINGS, models=("gru", "rmc"), seed=4, seeds=2)
    assert [(c.name, c.model, c.grown, c.seed) for c in contestants(settings)] == [
        ("rmc-4", "rmc", True, 4),
        ("gru-direct-4", "gru", False, 4),
        ("gru-4", "gru", True, 4),
        ("rmc-5", "rmc", True, 5),
        ("gru-direct-5", "gru", False, 5),
        ("gru-5", "gru", True, 5),
    ]


def test_seeds_decide_the_initial_values():
    first, again, other = (
        build_model(SETTINGS, contestants(dataclasses.replace(SETTINGS, seed=seed))[0]) for seed in (1, 1, 2)
    )
    name = "core.mlp.0.weight"
    torch.testing.assert_close(first.state_dict()[name], again.state_dict()[name], rtol=0, atol=0)
    assert not torch.equal(first.state_dict()[name], other.state_dict()[name])


def test_the_rmc_can_start_as_torch_does():
    settings = dataclasses.replace(SETTINGS, initialisation="torch", head_size=64)
    models = [build_model(settings, contestants(settings)[0]) for _ in range(2)]
    weight, bias = models[0].core.mlp[0].weight.detach(), models[0].core.mlp[0].bias.detach()
    bound = weight.shape[1] ** -0.5
    assert 0.98 * bound < weight.abs().max() <= bound
    assert 0.5 * bound < bias.abs().max() <= bound
    assert weight.std().item() == pytest.approx(bound / 3**0.5, rel=0.02)
    assert torch.equal(weight, models[1].core.mlp[0].weight)


def test_a_model_can_have_settings_of_its_own():
    own = (
        "gru.learning_rate=1e-3",
        "gru.initialisation=orthogonal",
        "gru.optimiser=soap",
        "rmc.warmup_steps=7",
    )
    settings = dataclasses.replace(SETTINGS, models=("rmc", "gru"), own=own)
    assert settings.of("gru") == dataclasses.replace(settings, learning_rate=1e-3, optimiser="soap", own=())
    assert settings.of("rmc") == dataclasses.replace(settings, warmup_steps=7, own=())
    _, direct, grown = contestants(settings)
    assert [c.label for c in (direct, grown)] == [
        f"GRU, {t} task, orthogonal start" for t in ("full", "growing")
    ]
    weight = build_model(settings, grown).core.gru.weight_hh_l0.detach()
    first = weight[: weight.shape[1]]
    torch.testing.assert_close(first @ first.T, torch.eye(len(first)), rtol=0, atol=1e-5)
    for start in ("torch", "orthogonal"):
        _, *found = contestants(dataclasses.replace(SETTINGS, own=(f"lstm.initialisation={start}",)))
        assert [c.name for c in found] == ["lstm-direct", f"lstm-{start}"]
        assert [c.label for c in found] == [f"LSTM, {t} task, {start} start" for t in ("full", "growing")]


@pytest.mark.parametrize("model", ["transformer", "dnc", "hybrid"])
def test_an_opponent_can_start_as_torch_does(model):
    settings = dataclasses.replace(SETTINGS, models=("rmc", model), own=(f"{model}.initialisation=torch",))
    usual, changed = (
        build_model(s, contestants(s)[2]) for s in (dataclasses.replace(settings, own=()), settings)
    )
    layers = [m for m in changed.core.modules() if isinstance(m, torch.nn.Linear | torch.nn.RNNCellBase)]
    assert layers
    for layer in layers:
        fan_in = layer.in_features if isinstance(layer, torch.nn.Linear) else layer.hidden_size
        largest = max(parameter.abs().max().item() for parameter in layer.parameters())
        assert 0.5 * fan_in**-0.5 < largest <= fan_in**-0.5
    assert not all(torch.equal(a, b) for a, b in zip(usual.parameters(), changed.parameters()))


@pytest.mark.parametrize(
    ("own", "told"),
    [
        ("gru.learning_rate=1e-3", "own must name models of this run, rmc, lstm"),
        ("learning_rate=1e-3", "own must name models of this run, rmc, lstm"),
        ("lstm.steps=3", "the setting of 'lstm.steps=3' in own must be one of 'learning_rate'"),
        ("lstm.learning_rate=fast", "'lstm.learning_rate=fast' in own must give a number"),
        ("lstm.warmup_steps=1.5", "'lstm.warmup_steps=1.5' in own must give an integer"),
        ("lstm.optimiser=sgd", "own of lstm: optimiser must be one of 'adam', 'soap', got 'sgd'"),
        ("lstm.learning_rate=-1", "own of lstm: learning_rate must be above 0, got -1.0"),
        ("lstm.initialisation=authors", "lstm.initialisation in own must be one of 'orthogonal', 'torch'"),
    ],
)
def test_bad_settings_of_a_models_own(own, told):
    with pytest.raises(ValueError, match=told):
        dataclasses.replace(SETTINGS, own=(own,))
    twice = ("lstm.learning_rate=1e-3", "lstm.learning_rate=2e-3")
    with pytest.raises(ValueError, match=r"own names lstm\.learning_rate twice"):
        dataclasses.replace(SETTINGS, own=twice)
    with pytest.raises(TypeError, match=r"own must hold texts .* got \(1,\)"):
        dataclasses.replace(SETTINGS, own=(1,))


def test_the_rmc_can_multiply_in_bfloat16():
    models = [
        build_model(dataclasses.replace(SETTINGS, compute_dtype=dtype), contestants(SETTINGS)[0])
        for dtype in ("float32", "bfloat16")
    ]
    inputs = torch.randn(64, 3, SETTINGS.task.input_size)
    exact, coarse = (model(inputs).detach() for model in models)
    assert coarse.dtype == torch.float32
    assert not torch.equal(coarse, exact)
    torch.testing.assert_close(coarse, exact, rtol=0, atol=0.05)


@pytest.mark.parametrize("fault", PORT_FAULTS)
def test_the_rmc_can_have_a_fault_of_the_ports(fault):
    settings = dataclasses.replace(SETTINGS, port_fault=fault)
    model = build_model(settings, contestants(settings)[0])
    core = model.core
    assert isinstance(core, VariantRelationalMemory) == (fault not in ("none", "double-softmax"))
    assert (core.mlp[0] is core.mlp[1]) == (fault in ("tied-mlp", "all"))
    assert getattr(core, "final_relu", False) == (fault in ("final-relu", "all"))
    assert (core.blocks[0].qkv_norm.weight.ndim == 2) == (fault in ("joint-norm", "all"))
    right = build_model(SETTINGS, contestants(SETTINGS)[0])
    torch.testing.assert_close(core.blocks[0].qkv.weight, right.core.blocks[0].qkv.weight, rtol=0, atol=0)


@pytest.mark.parametrize("placement", LAYER_NORM_PLACEMENTS)
def test_the_rmc_can_have_its_layer_norms_elsewhere(placement):
    settings = dataclasses.replace(SETTINGS, layer_norm_placement=placement)
    core = build_model(settings, contestants(settings)[0]).core
    assert isinstance(core, VariantRelationalMemory) == (placement != "authors")
    names = {name for name, _ in core.blocks[0].named_children() if "norm" in name}
    after = {"attention_norm", "mlp_norm"}
    expected = {"authors": after | {"qkv_norm"}, "post": after, "pre": after, "qkv": {"qkv_norm"}}
    assert names == expected[placement]
    assert getattr(core, "block_norms", "post") == {"pre": "pre", "qkv": "none"}.get(placement, "post")


@pytest.mark.parametrize("model", LABELS)
def test_the_head_of_every_model_has_the_activation_that_is_set(model):
    settings = dataclasses.replace(SETTINGS, models=(model,), head_activation="gelu")
    built = build_model(settings, contestants(settings)[0])
    assert built.head_activation == "gelu"
    usual = build_model(dataclasses.replace(settings, head_activation="relu"), contestants(settings)[0])
    state, other = built.state_dict(), usual.state_dict()
    assert all(torch.equal(value, other[name]) for name, value in state.items())
    settings = find_recipe("sorting", "tiny")
    if model in settings.models:
        found = build_numpy(dataclasses.replace(settings, head_activation="gelu"), model, 0)
        assert found.head_activation == "gelu"


@pytest.mark.parametrize(
    ("which", "changes"),
    [
        (0, {}),
        (0, {"port_fault": "all"}),
        (0, {"layer_norm_placement": "qkv"}),
        (1, {"head_activation": "gelu"}),
    ],
)
def test_models_survive_the_disk(tmp_path, which, changes):
    ours = dataclasses.replace(SETTINGS, **changes)
    contestant = contestants(ours)[which]
    model = build_model(ours, contestant)
    path = tmp_path / "model.safetensors"
    save_model(path, model, ours, contestant)
    loaded, settings, who = load_model(path)
    assert (settings, who) == (ours, contestant)
    inputs = torch.randn(5, SETTINGS.objects, SETTINGS.task.input_size)
    torch.testing.assert_close(loaded(inputs), model(inputs), rtol=0, atol=0)


def test_files_that_are_none(tmp_path):
    path = tmp_path / "model.safetensors"
    path.write_bytes(b"no weights")
    with pytest.raises(ValueError, match=r"model\.safetensors is no readable safetensors file"):
        load_model(path)
    from safetensors.torch import save_file

    save_file({"x": torch.zeros(1)}, path)
    with pytest.raises(ValueError, match="holds no Nth-farthest model"):
        load_model(path)
