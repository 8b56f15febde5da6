"""The registry of models, and what a run builds from it."""

import dataclasses
import math

import pytest

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch")

from relational_rnn.nn import LSTM, Core, RelationalMemory  # noqa: E402
from relational_rnn.nn.variant import VariantRelationalMemory  # noqa: E402
from relational_rnn.recipes import find_recipe  # noqa: E402
from relational_rnn.training.config import with_values  # noqa: E402
from relational_rnn.training.config_limits import LAYER_NORM_PLACEMENTS, PORT_FAULTS  # noqa: E402
from relational_rnn.training.contestants import contestants  # noqa: E402
from relational_rnn.training.framework import framework_of  # noqa: E402
from relational_rnn.training.learners.numpy import build_model as build_numpy  # noqa: E402
from relational_rnn.training.learners.torch_models import build_model, count_parameters, matched_size  # noqa: E402
from relational_rnn.training.models import (  # noqa: E402
    LABELS,
    LEADER,
    MODELS,
    ModelSpec,
    check_sizes,
    features_of,
    find_model,
    models_of,
)

TINY = find_recipe("nth-farthest", "tiny")


def build(config, model="rmc", start=None):
    """Build a model of a run, with its usual start or another."""
    contestant = next(c for c in contestants(config) if c.model == model)
    if start is not None:
        contestant = dataclasses.replace(contestant, initialisation=start)
    return build_model(config.of(model), contestant)


@pytest.mark.parametrize("name", MODELS)
def test_a_model_of_the_registry_is_whole(name):
    spec = find_model(name)
    assert spec.name == name
    assert spec.label
    config = with_values(find_recipe("sorting", "tiny"), {"models": (name,), "framework": "torch"})
    model = build(config, name)
    assert isinstance(model.core, Core)
    assert model.core.batch_first
    assert (name in models_of("numpy")) == (spec.numpy is not None)
    if spec.numpy is not None:
        config = with_values(config, {"framework": "numpy"})
        twin = build_numpy(config, contestants(config)[0])
        shapes = sorted(value.shape for value in twin.params.values())
        assert shapes == sorted(tuple(value.shape) for value in model.parameters())


def test_names():
    assert LEADER == "rmc"
    with pytest.raises(ValueError, match=r"model must be one of 'rmc', 'hybrid', .* got 'ntm'"):
        find_model("ntm")
    with pytest.raises(ValueError, match="framework='numpy' has no dnc"):
        find_model("dnc").core("numpy")


@pytest.mark.parametrize("preset", ["tiny", "quick", "paper8x16", "paper"])
def test_the_lstm_has_just_as_many_parameters(preset):
    config = find_recipe("nth-farthest", preset)
    rmc, lstm = build(config), build(config, "lstm")
    assert isinstance(rmc.core, RelationalMemory)
    assert isinstance(lstm.core, LSTM)
    assert count_parameters(lstm) >= count_parameters(rmc)
    words = (f"lstm.size={matched_size(config, 'lstm') - 1}",)
    narrower = with_values(config, {"overrides": words})
    assert count_parameters(build(narrower, "lstm")) < count_parameters(rmc)


@pytest.mark.parametrize("model", list(LABELS)[1:])
@pytest.mark.parametrize(("task", "preset"), [("nth-farthest", "quick"), ("addition", "quick")])
def test_every_opponent_is_of_about_the_same_size(task, preset, model):
    config = with_values(find_recipe(task, preset), {"models": ("rmc", model)})
    rmc, other = count_parameters(build(config)), count_parameters(build(config, model))
    assert rmc <= other <= 1.1 * rmc


def test_opponents_need_not_match():
    names = tuple(model for model in LABELS if model != "dnc")
    config = with_values(TINY, {"models": names, "mem_slots": 3, "match": "nothing"})
    assert len({build(config, name).core.output_size for name in names}) == 1
    small = with_values(TINY, {"overrides": ("lstm.size=2",)})
    assert build(small, "lstm").core.output_size == 2
    found = rf"lstm.size must be at least {matched_size(TINY, 'lstm')}, for as .* got 2 \(or match must be"
    with pytest.raises(ValueError, match=found):
        check_sizes(small, lambda name: matched_size(small, name))
    free = with_values(small, {"match": "nothing"})
    check_sizes(free, lambda name: matched_size(free, name))


@pytest.mark.parametrize("framework", ["torch", "numpy"])
def test_opponents_of_equal_state(framework):
    names, there = models_of(framework), framework_of(framework)
    config = with_values(TINY, {"framework": framework, "models": names, "match": "state"})
    kept, wanted = {}, config.model.mem_slots * config.model.head_size * config.model.num_heads
    for name in names:
        spec = contestants(with_values(config, {"models": (name,)}))[0]
        kept[name] = there.state_size(there.build(config, spec), features_of(config), 1)
    grows = kept.pop("transformer", None)  # with the sequence: its parameters are matched
    assert grows is None or matched_size(config, "transformer") == matched_size(TINY, "transformer")
    assert kept["rmc"] == wanted
    assert all(wanted <= state for state in kept.values())
    assert kept["lstm"] <= wanted + 2
    small = with_values(config, {"overrides": ("lstm.size=2",)})
    with pytest.raises(ValueError, match=r"lstm.size must be at least \d+, for as large a state as .* got 2"):
        check_sizes(small, lambda name: there.matched_size(small, name))


def test_a_core_of_ones_own_that_hands_out_no_state(monkeypatch):
    class Silent(LSTM):
        def forward(self, inputs, state=None, **options):
            return super().forward(inputs, state, **options)[0], None

    spec = ModelSpec(
        name="mine", label="mine", size="size", torch=lambda n, size: Silent(n, size, batch_first=True)
    )
    monkeypatch.setitem(MODELS, "mine", spec)
    config = with_values(TINY, {"models": ("rmc", "mine"), "match": "state"})
    with pytest.raises(
        ValueError, match="match='state' needs a core that hands out its state; mine does not"
    ):
        matched_size(config, "mine")


def test_a_model_from_a_function_of_input_and_size(monkeypatch):
    """An opponent of one's own is one entry: nothing else knows models by name."""
    spec = ModelSpec(
        name="mine",
        label="my LSTM",
        size="hidden_size",
        torch=lambda features, size: LSTM(features, size, batch_first=True),
    )
    monkeypatch.setitem(MODELS, "mine", spec)
    config = with_values(find_recipe("sorting", "tiny"), {"framework": "torch", "models": ("rmc", "mine")})
    rmc, mine = count_parameters(build(config)), count_parameters(build(config, "mine"))
    assert rmc <= mine <= 1.2 * rmc
    assert [c.label for c in contestants(config)][:2] == ["RMC, seed 0", "my LSTM, seed 0"]


@pytest.mark.parametrize(
    ("model", "argument", "value"),
    [
        (name, argument, v)
        for name, spec in MODELS.items()
        for argument, vs in spec.choices.items()
        for v in vs
    ],
)
def test_an_override_chooses_an_argument_of_the_core(model, argument, value):
    usual = with_values(TINY, {"models": ("rmc", model)})
    changed = with_values(usual, {"overrides": (f"{model}.{argument}={value}",)})
    core = build(changed, model).core
    assert getattr(core, argument) == value
    default = MODELS[model].choices[argument][0]
    assert getattr(build(usual, model).core, argument) == default
    same = {name: parameter.shape for name, parameter in build(usual, model).named_parameters()} == {
        name: parameter.shape for name, parameter in build(changed, model).named_parameters()
    }
    assert same or value == "learned"
    assert count_parameters(build(changed)) <= count_parameters(build(changed, model))


def test_seeds_decide_the_initial_values():
    first, again, other = (build(with_values(TINY, {"seed": seed})) for seed in (1, 1, 2))
    name = "core.mlp.0.weight"
    torch.testing.assert_close(first.state_dict()[name], again.state_dict()[name], rtol=0, atol=0)
    assert not torch.equal(first.state_dict()[name], other.state_dict()[name])


def test_the_rmc_can_start_as_torch_does():
    config = with_values(TINY, {"initialisation": "torch", "head_size": 64})
    models = [build(config) for _ in range(2)]
    weight, bias = models[0].core.mlp[0].weight.detach(), models[0].core.mlp[0].bias.detach()
    bound = weight.shape[1] ** -0.5
    assert 0.98 * bound < weight.abs().max() <= bound
    assert 0.5 * bound < bias.abs().max() <= bound
    assert weight.std().item() == pytest.approx(bound / 3**0.5, rel=0.02)
    assert torch.equal(weight, models[1].core.mlp[0].weight)


@pytest.mark.parametrize("model", ["lstm", "gru"])
def test_a_recurrent_weight_can_start_orthogonal(model):
    config = with_values(TINY, {"models": ("rmc", model), "overrides": (f"{model}.initialisation=torch",)})
    for start, orthogonal in (("orthogonal", True), ("torch", False)):
        core = build(config, model, start).core
        weight = next(value for name, value in core.named_parameters() if "weight_hh" in name).detach()
        first = weight[: weight.shape[1]]
        away = (first @ first.T - torch.eye(len(first))).abs().max().item()
        assert (away < 1e-5) == orthogonal


@pytest.mark.parametrize("model", ["transformer", "dnc", "hybrid"])
def test_an_opponent_can_start_as_torch_does(model):
    config = with_values(TINY, {"models": ("rmc", model)})
    usual = build(config, model)
    changed = build(with_values(config, {"overrides": (f"{model}.initialisation=torch",)}), model)
    layers = [m for m in changed.core.modules() if isinstance(m, torch.nn.Linear | torch.nn.RNNCellBase)]
    assert layers
    for layer in layers:
        fan_in = layer.in_features if isinstance(layer, torch.nn.Linear) else layer.hidden_size
        largest = max(parameter.abs().max().item() for parameter in layer.parameters())
        assert 0.5 * fan_in**-0.5 < largest <= fan_in**-0.5
    assert not all(torch.equal(a, b) for a, b in zip(usual.parameters(), changed.parameters()))


def test_the_rmc_can_multiply_in_bfloat16():
    models = [build(with_values(TINY, {"compute_dtype": dtype})) for dtype in ("float32", "bfloat16")]
    inputs = torch.randn(64, 3, TINY.task.input_size)
    exact, coarse = (model(inputs).detach() for model in models)
    assert coarse.dtype == torch.float32
    assert not torch.equal(coarse, exact)
    torch.testing.assert_close(coarse, exact, rtol=0, atol=0.05)


@pytest.mark.parametrize("fault", PORT_FAULTS)
def test_the_rmc_can_have_a_fault_of_the_ports(fault):
    core = build(with_values(TINY, {"port_fault": fault})).core
    assert isinstance(core, VariantRelationalMemory) == (fault not in ("none", "double-softmax"))
    assert (core.mlp[0] is core.mlp[1]) == (fault in ("tied-mlp", "all"))
    assert getattr(core, "final_relu", False) == (fault in ("final-relu", "all"))
    assert (core.blocks[0].qkv_norm.weight.ndim == 2) == (fault in ("joint-norm", "all"))
    right = build(TINY).core
    torch.testing.assert_close(core.blocks[0].qkv.weight, right.blocks[0].qkv.weight, rtol=0, atol=0)


@pytest.mark.parametrize("placement", LAYER_NORM_PLACEMENTS)
def test_the_rmc_can_have_its_layer_norms_elsewhere(placement):
    core = build(with_values(TINY, {"layer_norm_placement": placement})).core
    assert isinstance(core, VariantRelationalMemory) == (placement != "authors")
    names = {name for name, _ in core.blocks[0].named_children() if "norm" in name}
    after = {"attention_norm", "mlp_norm"}
    expected = {"authors": after | {"qkv_norm"}, "post": after, "pre": after, "qkv": {"qkv_norm"}}
    assert names == expected[placement]
    assert getattr(core, "block_norms", "post") == {"pre": "pre", "qkv": "none"}.get(placement, "post")


@pytest.mark.parametrize("model", LABELS)
def test_the_head_of_every_model_has_the_activation_that_is_set(model):
    config = with_values(TINY, {"models": (model,)})
    built, usual = (
        build(with_values(config, {"head_activation": activation}), model) for activation in ("gelu", "relu")
    )
    assert built.head_activation == "gelu"
    state, other = built.state_dict(), usual.state_dict()
    assert all(torch.equal(value, other[name]) for name, value in state.items())
    if model in models_of("numpy"):
        config = with_values(find_recipe("sorting", "tiny"), {"models": (model,), "head_activation": "gelu"})
        assert build_numpy(config, contestants(config)[0]).head_activation == "gelu"


def test_a_softmax_of_a_softmax_is_no_loss_that_goes_to_zero():
    """With C classes its least value is ln(e + C - 1) - 1, reached by a certain and right answer."""
    from relational_rnn.training.data import Fresh
    from relational_rnn.training.learners.torch import TorchLearner

    losses = []
    for fault in ("none", "double-softmax"):
        config = with_values(TINY, {"port_fault": fault, "grow": False})
        model = build(config)
        with torch.no_grad():
            model.head[-1].weight.zero_()
            model.head[-1].bias[0] = 1000.0  # label 0, and no doubt
        losses.append(TorchLearner(model, config.of("rmc")).train_step(Fresh(config)(0), 0.0)["loss"])
    right, twice = losses
    share = 1 - (twice - math.log(math.e + TINY.task.objects - 1) + 1)
    assert right == pytest.approx(1000 * (1 - share), rel=1e-4)
    assert 0 < share < 1
