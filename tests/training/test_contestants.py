"""Which trainings a run has, what they are called, and who leads whom."""

import pytest

from relational_rnn.recipes import find_recipe
from relational_rnn.training.config import with_values
from relational_rnn.training.contestants import contestants, leader_of

TINY = find_recipe("nth-farthest", "tiny")


def test_the_lstm_trains_three_times_and_the_rmc_once():
    assert [(c.name, c.grown) for c in contestants(TINY)] == [
        ("rmc-0", True),
        ("lstm-direct-0", False),
        ("lstm-orthogonal-0", True),
        ("lstm-torch-0", True),
    ]
    for one_way in ({"grow": False}, {"direct": False}):
        found = contestants(with_values(TINY, one_way))
        assert [c.name for c in found] == ["rmc-0", "lstm-orthogonal-0", "lstm-torch-0"]
        assert {c.grown for c in found} == {one_way.get("grow", True)}


def test_labels_say_the_way_and_the_start():
    beside = [c.label for c in contestants(TINY)]
    assert (beside[0], beside[2]) == ("RMC, curriculum", "LSTM, curriculum, orthogonal start")
    alone = contestants(with_values(TINY, {"models": ("lstm",)}))
    assert {c.model for c in alone} == {"lstm"}
    assert alone[1].label == "LSTM, curriculum at its own pace, orthogonal start"
    for start in ("torch", "orthogonal"):
        _, *found = contestants(with_values(TINY, {"overrides": (f"lstm.initialisation={start}",)}))
        assert [c.name for c in found] == ["lstm-direct-0", "lstm-0"]
        assert [c.label for c in found] == ["LSTM, no curriculum", "LSTM, curriculum"]
        assert {c.initialisation for c in found} == {start}


def test_seeds_and_ways_to_the_task():
    config = with_values(TINY, {"models": ("gru", "rmc"), "seed": 4, "seeds": 2})
    assert [(c.name, c.model, c.grown, c.seed) for c in contestants(config)] == [
        ("rmc-4", "rmc", True, 4),
        ("gru-direct-4", "gru", False, 4),
        ("gru-4", "gru", True, 4),
        ("rmc-5", "rmc", True, 5),
        ("gru-direct-5", "gru", False, 5),
        ("gru-5", "gru", True, 5),
    ]
    assert contestants(config)[5].label == "GRU, curriculum, seed 5"


@pytest.mark.parametrize("task", ["sorting", "copy"])
def test_any_task_can_grow_and_opponents_follow_the_rmc_of_their_seed(task):
    size = {"sorting": "items", "copy": "length"}[task]
    changes = {"grow": True, "start": (f"{size}=2",), "train_examples": None, "direct": True}
    config = with_values(find_recipe(task, "tiny"), {**changes, "models": ("rmc", "lstm"), "seeds": 2})
    everyone = {c.name: c for c in contestants(config)}
    leaders = {name: leader_of(config, c) for name, c in everyone.items()}
    assert {name: leader and leader.name for name, leader in leaders.items()} == {
        "rmc-0": None,
        "lstm-direct-0": None,
        "lstm-0": "rmc-0",
        "rmc-1": None,
        "lstm-direct-1": None,
        "lstm-1": "rmc-1",
    }
    alone = with_values(config, {"models": ("lstm",)})
    assert [leader_of(alone, c) for c in contestants(alone)] == [None] * 4


def test_without_a_curriculum_nobody_follows():
    config = find_recipe("sorting", "tiny")
    assert [c.name for c in contestants(config)][:3] == ["rmc-0", "hybrid-0", "lstm-0"]
    assert {leader_of(config, c) for c in contestants(config)} == {None}
