"""A configuration says what is wrong with it, and what one model has otherwise than the run."""

import dataclasses

import pytest

from relational_rnn.recipes import find_recipe
from relational_rnn.tasks.babi.task import Babi
from relational_rnn.tasks.nth_farthest import NthFarthest
from relational_rnn.tasks.sorting import Sorting
from relational_rnn.training.config import RunConfig, check_overridden, parts_of, value_of, with_values
from relational_rnn.training.config_parts import BudgetConfig, CurriculumConfig

TINY = find_recipe("nth-farthest", "tiny")
SORTING = RunConfig(task=Sorting(items=5))
START = ("objects=3", "labels=3", "dimensions=2")
NTH = RunConfig(
    task=NthFarthest(objects=5, dimensions=7), curriculum=CurriculumConfig(grow=True, start=START)
)


def with_overrides(config, *words):
    return with_values(config, {"overrides": words})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"models": ()}, "models must name each model once, from rmc, hybrid, lstm"),
        ({"models": ("rmc", "rmc")}, "models must name each model once"),
        ({"models": ("cnn",)}, "models must be one of 'rmc', 'hybrid', .*got 'cnn'"),
        ({"models": ("rcm",)}, r"got 'rcm' \(did you mean rmc\?\)"),
        (
            {"read_head": "max"},
            "read_head must be one of 'flatten', 'mean', 'weighted', 'attention', 'query', got 'max'",
        ),
        ({"input_fusion": "add"}, "input_fusion must be one of 'append', 'tile', got 'add'"),
        ({"key_size": 0}, "key_size must be an integer of at least 1, got 0"),
        ({"forget_bias": float("inf")}, "forget_bias must be a finite number, got inf"),
        (
            {"port_fault": "tied-mlp", "input_fusion": "tile"},
            "port_fault and layer_norm_placement need input_fusion 'append', got 'tile'",
        ),
        ({"embedding_size": 32}, "embedding_size is of models that read texts, and nth-farthest is no text"),
        ({"tied_embeddings": True}, "tied_embeddings .* must be left at False, got True"),
        ({"steps": 0}, "steps must be an integer of at least 1, got 0"),
        ({"evaluate_every": 0}, "evaluate_every must be an integer of at least 1, got 0"),
        ({"patience": 0}, "patience must be an integer of at least 1, got 0"),
        ({"keep": "first"}, "keep must be one of 'best', 'last', got 'first'"),
        ({"seed": -1}, "seed must be an integer of at least 0, got -1"),
        ({"seeds": 0}, "seeds must be an integer of at least 1, got 0"),
        ({"learning_rate": 0.0}, r"learning_rate must be above 0, got 0\.0"),
        ({"optimiser": "sgd"}, "optimiser must be one of 'adam', 'soap', got 'sgd'"),
        ({"average_decay": 1.0}, r"average_decay must be from 0 to below 1, got 1\.0"),
        ({"seconds": float("nan")}, "seconds must be a finite number"),
        ({"seconds": 0}, "seconds must be above 0, got 0"),
        ({"smaller_share": 1.5}, r"smaller_share must be a finite number from 0\.0 to 1\.0, got 1\.5"),
        (
            {"start": ("objects=6", "labels=6")},
            r"start must be at most objects = 5 \(or grow must be off\), got objects=6",
        ),
        ({"start": ("dimensions=8",)}, r"start must be at most dimensions = 7 .*, got dimensions=8"),
        ({"start": ("colours=2",)}, "starts from objects, dimensions and labels, .*; got colours=2"),
        ({"start": ("objects=3", "labels=2")}, "as many labels as objects; got objects=3, labels=2"),
        ({"start": ("objects",)}, r"start must be SIZE=NUMBER, each once, as in items=2; got \('objects',\)"),
        ({"start": ("objects=3", "objects=2")}, "start must be SIZE=NUMBER, each once"),
        ({"start": ()}, r"a curriculum \(grow\) needs a start, as in --start items=2"),
        ({"growth_threshold": 0.6}, r"growth_threshold must lie above the trivial score 0\.667 of the first"),
        ({"growth_threshold": 0.6, "start": ("objects=2", "labels=2")}, r"0\.667 of the first stage, got"),
        ({"train_examples": 100}, "draws fresh examples: train_examples must be None, got 100"),
        ({"grow": False, "train_examples": 10}, "batch_size must be at most train_examples = 10, got 64"),
        ({"objects": 1}, "objects must be an integer of at least 2, got 1"),
        ({"workers": 0}, "workers must be an integer of at least 1, got 0"),
        ({"threads": 0}, "threads must be an integer of at least 1, got 0"),
        ({"framework": "jax"}, "framework must be one of 'numpy', 'torch', got 'jax'"),
        ({"device": "tpu"}, "device must be one of 'cpu', 'cuda', got 'tpu'"),
        ({"head_activation": "silu"}, "head_activation must be one of 'relu', 'gelu', got 'silu'"),
        ({"port_fault": "slow"}, "port_fault must be one of 'none', 'tied-mlp', .*got 'slow'"),
        (
            {"port_fault": "final-relu", "compute_dtype": "bfloat16"},
            "port_fault needs compute_dtype 'float32', got 'bfloat16'",
        ),
        (
            {"layer_norm_placement": "middle"},
            "layer_norm_placement must be one of 'authors', 'post', 'pre', 'qkv', got 'middle'",
        ),
        (
            {"layer_norm_placement": "pre", "compute_dtype": "bfloat16"},
            "layer_norm_placement 'pre' needs compute_dtype 'float32' .*, got 'bfloat16' and True",
        ),
        (
            {"layer_norm_placement": "qkv", "use_layer_norm": False},
            "layer_norm_placement 'qkv' needs .* and use_layer_norm, got 'float32' and False",
        ),
        ({"colour": 1}, "there is no setting 'colour'"),
    ],
)
def test_bad_values(changes, message):
    with pytest.raises(ValueError, match=message):
        with_values(NTH, changes)


def test_values_of_the_wrong_type():
    for changes, message in (
        ({"overrides": (1,)}, r"overrides must hold texts .* got \(1,\)"),
        ({"use_mlp": 1}, "use_mlp must be True or False, got 1"),
        ({"steps": 1.5}, "steps must be an integer of at least 1, got 1.5"),
        ({"grow": "yes"}, "grow must be True or False, got 'yes'"),
    ):
        with pytest.raises(TypeError, match=message):
            with_values(NTH, changes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"models": ("gru",)}, "framework='numpy' has the models rmc, hybrid, lstm; got 'gru'"),
        ({"optimiser": "soap"}, "optimiser='soap' needs framework='torch'; NumPy has 'adam' alone"),
        ({"average_decay": 0.9}, "average_decay=0.9 needs framework='torch'; NumPy has 0.0 alone"),
        ({"compute_dtype": "bfloat16"}, "compute_dtype='bfloat16' needs framework='torch'"),
        ({"device": "cuda"}, "device='cuda' needs framework='torch'; NumPy has 'cpu' alone"),
        ({"initialisation": "torch"}, "initialisation='torch' needs framework='torch'"),
        ({"port_fault": "tied-mlp"}, "port_fault='tied-mlp' needs framework='torch'"),
        ({"layer_norm_placement": "pre"}, "layer_norm_placement='pre' needs framework='torch'"),
        ({"overrides": ("lstm.optimiser=soap",)}, "optimiser='soap' needs framework='torch'"),
    ],
)
def test_what_numpy_has_not_is_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        with_values(SORTING, {"framework": "numpy", **changes})


def test_stories_as_they_are_cannot_grow():
    with pytest.raises(ValueError, match="babi comes as it is and cannot grow; grow must be off"):
        RunConfig(
            task=Babi(tasks=(1,), synthetic=True), curriculum=CurriculumConfig(grow=True, start=("x=1",))
        )


@pytest.mark.parametrize(
    ("start", "message"),
    [
        ("colours=2", "sorting can grow in items, got 'colours'"),
        ("values=3", "sorting can grow in items, got 'values'"),
        ("items=0", "items must be an integer of at least 1, got 0"),
        ("items=6", r"start must be at most items = 5 \(or grow must be off\), got items=6"),
    ],
)
def test_what_a_task_cannot_start_from(start, message):
    with pytest.raises(ValueError, match=f"^{message}"):
        with_values(SORTING, {"grow": True, "start": (start,)})


def test_a_task_smaller_than_the_first_stage_needs_no_growth():
    assert not with_values(NTH, {"objects": 2, "grow": False}).curriculum.grow


def test_no_two_parts_have_a_field_of_the_same_name():
    """A flag of the commands is a field by its own name, whatever part it is of."""
    for config in (NTH, SORTING):
        names = [field.name for attribute, part in parts_of(config) if attribute
                 for field in dataclasses.fields(part)]  # fmt: skip
        assert len(set(names)) == len(names)
        assert not set(names) & {"seed", "seeds"}


def test_values_are_reached_and_changed_by_their_own_names():
    changed = with_values(SORTING, {"items": 3, "steps": 7, "learning_rate": 1e-4, "seed": 5})
    assert (changed.task.items, changed.task.values) == (3, SORTING.task.values)
    assert (changed.budget.steps, changed.optimisation.learning_rate, changed.seed) == (7, 1e-4, 5)
    assert changed.budget == dataclasses.replace(SORTING.budget, steps=7)
    assert [value_of(changed, name) for name in ("items", "steps", "seed")] == [3, 7, 5]
    assert SORTING.budget.steps != 7
    with pytest.raises(ValueError, match="there is no setting 'task'"):
        with_values(SORTING, {"task": Sorting()})


def test_a_budget_is_in_steps_unless_seconds_are_asked_for():
    assert BudgetConfig().seconds is None
    assert BudgetConfig(seconds=2.5).seconds == 2.5


def test_trainings_share_the_cores(monkeypatch):
    monkeypatch.setattr("relational_rnn.training.processes.available_cores", lambda: 5)
    at_once = [with_values(NTH, {"threads": threads}).runtime.at_once for threads in (1, 2, 3, 8)]
    assert at_once == [5, 2, 1, 1]
    for changes, wanted in (
        ({"threads": 4, "workers": 3}, 3),
        ({"device": "cuda"}, 1),
        ({"device": "cuda", "workers": 3}, 3),
    ):
        assert with_values(NTH, changes).runtime.at_once == wanted


def test_a_model_can_be_trained_otherwise_than_the_run():
    words = ("gru.learning_rate=1e-3", "gru.optimiser=soap", "gru.steps=7", "rmc.warmup_steps=7")
    config = with_values(TINY, {"models": ("rmc", "gru"), "overrides": words})
    gru, rmc = config.of("gru"), config.of("rmc")
    own = {"learning_rate": 1e-3, "optimiser": "soap", "steps": 7}
    assert gru == with_values(config, {"models": ("gru",), "overrides": (), **own})
    assert rmc == with_values(config, {"models": ("rmc",), "overrides": (), "warmup_steps": 7})
    assert gru.of("gru") == gru, "it has its own values already"


def test_an_opponent_can_have_more_steps():
    config = with_overrides(with_values(TINY, {"steps": 5}), "lstm.steps_factor=1.5")
    assert (config.of("rmc").budget.steps, config.of("lstm").budget.steps) == (5, 8)
    both = with_overrides(config, "lstm.steps_factor=3", "lstm.steps=4")
    assert both.of("lstm").budget.steps == 4, "a number says more than a factor"


def test_a_models_size_and_start_stay_with_it():
    config = with_overrides(TINY, "lstm.size=9", "lstm.initialisation=torch", "rmc.initialisation=torch")
    assert config.of("lstm").overrides_of("lstm") == {"size": 9, "initialisation": "torch"}
    assert config.of("lstm").starts_of("lstm") == ("torch",)
    assert config.of("rmc").model.initialisation == "torch"
    assert config.model.initialisation == "authors"
    assert with_overrides(TINY, "lstm.initialisation=orthogonal+torch").starts_of("lstm") == (
        "orthogonal",
        "torch",
    )


def test_what_only_one_model_has_stays_with_it():
    config = with_values(TINY, {"models": ("rmc", "transformer")})
    config = with_overrides(config, "transformer.positions=rotary", "transformer.size=9")
    assert config.of("transformer").overrides_of("transformer") == {"positions": "rotary", "size": 9}
    assert config.of("rmc").overrides_of("transformer") == {}


def test_overrides_of_models_that_the_run_lacks_are_left_aside():
    config = with_overrides(TINY, "dnc.learning_rate=1e-5")
    assert config.of("rmc") == dataclasses.replace(
        TINY, model=dataclasses.replace(TINY.model, models=("rmc",), overrides=())
    )


def test_a_fault_of_the_ports_is_the_rmcs_alone():
    config = with_values(TINY, {"port_fault": "double-softmax"})
    assert config.of("rmc").model.has_fault("double-softmax")
    assert not config.of("lstm").model.has_fault("double-softmax")


@pytest.mark.parametrize(
    ("word", "told"),
    [
        ("cnn.learning_rate=1e-3", "the model of 'cnn.learning_rate=1e-3' in overrides must be one of 'rmc'"),
        ("learning_rate=1e-3", "the model of 'learning_rate=1e-3' in overrides must be one of 'rmc'"),
        ("lstm.seed=3", "the setting of 'lstm.seed=3' in overrides must be one of 'learning_rate'"),
        ("lstm.learning_rate=fast", "'lstm.learning_rate=fast' in overrides must give a number"),
        ("lstm.warmup_steps=1.5", "'lstm.warmup_steps=1.5' in overrides must give an integer"),
        ("lstm.steps=1.5", "'lstm.steps=1.5' in overrides must give an integer"),
        ("lstm.steps=0", "overrides of lstm: steps must be an integer of at least 1, got 0"),
        ("lstm.steps_factor=-1", r"lstm.steps_factor must be above 0, got -1\.0"),
        ("lstm.size=0", "lstm.size must be an integer of at least 1, got 0"),
        ("lstm.optimiser=sgd", "overrides of lstm: optimiser must be one of 'adam', 'soap', got 'sgd'"),
        ("lstm.learning_rate=-1", "overrides of lstm: learning_rate must be above 0, got -1.0"),
        ("transformer.positions=alibi", "transformer.positions in overrides must be one of 'sinusoidal', 'l"),
        ("lstm.positions=none", "the setting of 'lstm.positions=none' in overrides must be one of"),
        ("lstm.initialisation=authors", "lstm.initialisation in overrides must be one of 'orthogonal', 'to"),
    ],
)
def test_bad_overrides(word, told):
    with pytest.raises(ValueError, match=told):
        with_overrides(with_values(TINY, {"models": ("rmc", "lstm", "transformer")}), word)


def test_an_override_comes_once():
    with pytest.raises(ValueError, match=r"overrides name lstm\.learning_rate twice"):
        with_overrides(TINY, "lstm.learning_rate=1e-3", "lstm.learning_rate=2e-3")


def test_where_nothing_grows_a_start_is_read_only_when_asked_for():
    assert CurriculumConfig(start=("items=2",)).starts() == {"items": 2}
    with pytest.raises(ValueError, match="start must be SIZE=NUMBER"):
        CurriculumConfig(start=("items",)).starts()


def test_overrides_of_models_that_are_not_in_the_run():
    config = with_overrides(with_values(TINY, {"models": ("rmc", "lstm")}), "rmc.steps=1")
    check_overridden(config)
    with pytest.raises(
        ValueError, match=r"'gru.steps=1' in overrides changes no model of this run, rmc, lstm"
    ):
        check_overridden(with_overrides(config, "gru.steps=1"))
