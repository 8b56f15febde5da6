"""Factors: what can be varied, the config that follow, and the runs that an experiment has."""

import pytest

from relational_rnn.experiments import components
from relational_rnn.experiments.factors import kinds_of, one_at_a_time, product, value_of, with_values
from relational_rnn.recipes import find_recipe
from relational_rnn.training import config as run_config

NTH = find_recipe("nth-farthest", "tiny")  # 2 heads of 4
SORTING = find_recipe("sorting", "tiny")


def rate_of(config, model):
    return config.of(model).optimisation.learning_rate


def test_what_can_be_varied():
    known = kinds_of(SORTING)
    assert known["items"] == (int, False)
    assert known["patience"] == (int, True)
    assert known["use_mlp"] == (bool, False)
    assert known["learning_rate"] == (float, False)
    assert (
        not {"task", "models", "overrides", "seed", "seeds", "workers", "threads", "device", "framework"}
        & known.keys()
    )
    assert "objects" in kinds_of(NTH)
    assert "objects" not in known


@pytest.mark.parametrize(
    ("values", "heads", "size"),
    [
        ({"num_heads": 8}, 8, 1),
        ({"num_heads": 1}, 1, 8),
        ({"slot_size": 12}, 2, 6),
        ({"slot_size": 12, "num_heads": 4}, 4, 3),
        ({"head_size": 5}, 2, 5),
        ({"head_size": 5, "num_heads": 3}, 3, 5),
        ({"mem_slots": 3}, 2, 4),
    ],
)
def test_more_heads_make_no_wider_memory(values, heads, size):
    changed = with_values(NTH, values)
    assert (changed.model.num_heads, changed.model.head_size) == (heads, size)
    assert value_of(changed, "slot_size") == heads * size


def test_sizes_of_the_task_are_factors():
    changed = with_values(SORTING, {"items": 3, "steps": 7})
    assert (changed.task.items, changed.task.values, changed.budget.steps) == (3, SORTING.task.values, 7)
    assert value_of(changed, "items") == 3


def test_what_a_model_has_for_itself_is_a_factor():
    own = {"lstm.learning_rate", "lstm.initialisation", "rmc.clip_norm"}
    assert own <= kinds_of(NTH).keys()
    assert not {"gru.learning_rate"} & kinds_of(NTH).keys(), "no model of the run"
    changed = with_values(NTH, {"lstm.learning_rate": 1e-4, "lstm.initialisation": "torch", "steps": 7})
    assert changed.model.overrides == ("lstm.learning_rate=0.0001", "lstm.initialisation=torch")
    assert (rate_of(changed, "lstm"), changed.starts_of("lstm"), changed.budget.steps) == (
        1e-4,
        ("torch",),
        7,
    )
    assert rate_of(changed, "rmc") == NTH.optimisation.learning_rate
    assert value_of(changed, "lstm.learning_rate") == 1e-4
    assert value_of(NTH, "lstm.learning_rate") == NTH.optimisation.learning_rate
    assert value_of(NTH, "lstm.initialisation") == "orthogonal+torch"
    assert value_of(NTH, "rmc.initialisation") == "authors"
    same = {"lstm.learning_rate": NTH.optimisation.learning_rate}
    assert with_values(NTH, same) == NTH, "the base is not trained twice"
    again = with_values(changed, {"lstm.clip_norm": 2.0, "lstm.learning_rate": 1e-5})
    assert again.model.overrides == (
        "lstm.initialisation=torch",
        "lstm.clip_norm=2.0",
        "lstm.learning_rate=1e-05",
    )


def test_an_argument_of_one_models_core_is_a_factor():
    config = run_config.with_values(NTH, {"models": ("rmc", "transformer"), "overrides": ()})
    assert kinds_of(config)["transformer.positions"] == (str, False)
    assert "rmc.positions" not in kinds_of(config)
    assert value_of(config, "transformer.positions") == "sinusoidal"
    changed = with_values(config, {"transformer.positions": "none"})
    assert changed.model.overrides == ("transformer.positions=none",)
    assert with_values(config, {"transformer.positions": "sinusoidal"}) == config


def test_what_a_model_has_for_itself_beside_what_all_have():
    rates = (NTH.optimisation.learning_rate, 1e-5)
    for variant in product(NTH, {"learning_rate": rates, "rmc.learning_rate": rates}):
        assert rate_of(variant.config, "lstm") == variant.values["learning_rate"]
        assert rate_of(variant.config, "rmc") == variant.values["rmc.learning_rate"]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            {"lstm.initialisation": "xavier"},
            "lstm.initialisation in overrides must be one of 'orthogonal', 'torch'",
        ),
        ({"num_heads": 3}, "num_heads=3: slot_size must be a multiple of num_heads, got slot_size=8"),
        ({"slot_size": 7}, "slot_size must be a multiple of num_heads, got slot_size=7 with num_heads=2"),
        ({"slot_size": 0}, "got slot_size=0"),
        ({"slot_size": 8, "head_size": 4}, "slot_size and head_size say the same"),
        ({"num_heads": 0}, "num_heads=0: num_heads must be an integer of at least 1, got 0"),
        ({"gate_style": "no"}, "gate_style=no: gate_style must be one of"),
    ],
)
def test_values_that_do_not_fit(values, message):
    with pytest.raises(ValueError, match=message):
        product(NTH, {name: (value,) for name, value in values.items()})


def test_one_at_a_time():
    found = one_at_a_time(NTH, {"num_heads": (1, 2, 4), "slot_size": (8, 16), "use_mlp": (False, True)})
    assert [variant.name for variant in found] == [
        *("base", "num_heads=1", "num_heads=4", "slot_size=16", "use_mlp=false"),
    ]
    assert found[0].config == NTH
    assert len({variant.config for variant in found}) == 5


def test_product():
    found = product(SORTING, {"learning_rate": (1e-3, 1e-4), "use_mlp": (True, False)})
    assert [variant.name for variant in found] == [
        *("learning_rate=0.001,use_mlp=true", "learning_rate=0.001,use_mlp=false"),
        *("learning_rate=0.0001,use_mlp=true", "learning_rate=0.0001,use_mlp=false"),
    ]


@pytest.mark.parametrize("task", ["nth-farthest", "sorting"])
@pytest.mark.parametrize("preset", ["quick", "tiny"])
def test_the_parts_of_the_core(task, preset):
    config = find_recipe(task, preset)
    parts = components.components(config)
    variants = one_at_a_time(config, parts)  # all of them are legal
    assert {
        "num_heads",
        "mem_slots",
        "slot_size",
        "num_blocks",
        "gate_style",
        "use_attention",
    } <= parts.keys()
    assert ("initialisation" in parts) == (task == "nth-farthest")  # NumPy starts as the authors' code does
    assert {value_of(v.config, "slot_size") for v in variants if "num_heads" in v.values} == {
        value_of(config, "slot_size")
    }
