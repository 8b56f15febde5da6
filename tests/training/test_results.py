"""What a run came to: typed, written and read without a loss."""

import pytest

from relational_rnn.analysis import longer_table
from relational_rnn.tasks.nth_farthest_variants import MORE_STEPS
from relational_rnn.training.curriculum import Change
from relational_rnn.training.results import from_json, to_json, training_from
from relational_rnn.training.run import model_results

VALUES = {
    "name": "rmc-0",
    "label": "RMC",
    "parameters": 7,
    "validation_accuracy": 0.5,
    "test_accuracy": 0.5,
    "test_sequence_accuracy": 0.25,
    "seconds": 1.5,
    "steps": 10,
    "examples": 640,
    "seconds_per_example": 0.01,
    "peak_memory": 1e6,
    "best_step": 10,
    "examples_to_converge": 64,
}
RUN = {
    "task": "nth-farthest",
    "framework": "numpy",
    "size": {},
    "harder_size": None,
    "harder": None,
    "seed": 0,
    "seeds": 1,
    "test_examples": 9,
    "trivial_accuracy": 0.3,
    "trivial": {},
    "wall_seconds": None,
    "generalisation": [],
}
GREW = {"changes": [{"step": 0, "sizes": {"items": 2}}, {"step": 4, "sizes": {"items": 3}}]}


def test_what_was_not_measured_is_left_out():
    assert to_json(training_from(VALUES)) == VALUES
    unknown = {**VALUES, "peak_memory": None}
    assert to_json(training_from(unknown)) == unknown, "which every training has"
    old = {name: value for name, value in VALUES.items() if name != "validation_accuracy"}
    assert to_json(training_from(old)) == old


def test_a_validation_accuracy_is_a_share():
    with pytest.raises(ValueError, match=r"validation_accuracy must be .* got 1\.5"):
        training_from({**VALUES, "validation_accuracy": 1.5})


def test_changes_and_scores_of_one_task_alone():
    training = training_from({**VALUES, **GREW, "longer": {"repeats": [0.5]}})
    assert training.changes == (Change(0, {"items": 2}), Change(4, {"items": 3}))
    assert training.more == {"longer": {"repeats": (0.5,)}}
    assert to_json(training) == {**VALUES, **GREW, "longer": {"repeats": [0.5]}}


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"longer": {"repeats": ["x"]}}, r"longer\.repeats\[0\] must be a finite number, got 'x'"),
        ({"longer": {"repeats": 0.5}}, r"longer\.repeats must be a list, got 0\.5"),
        ({"longer": [0.5]}, r"longer must be .* or an object of named values, got \[0\.5\]"),
        ({"mean_error": "x"}, r"mean_error must be a whole number or a finite number or .*, got 'x'"),
    ],
)
def test_scores_of_one_task_are_numbers(more, said):
    with pytest.raises(ValueError, match=said):
        training_from({**VALUES, **more})


def test_the_table_of_longer_sequences_needs_them_all():
    longer = {"distractors": [0.5] * len(MORE_STEPS), "repeats": [0.25] * len(MORE_STEPS)}
    for lacks, there in ((longer, True), ({**longer, "repeats": [0.5]}, False), ({}, False)):
        model = to_json(model_results("LSTM", trainings(0.5, longer=lacks), seeds=1))
        table = longer_table(from_json({**RUN, "models": {"lstm": model}}))
        assert (table is not None) is there


def trainings(*accuracies, **more):
    return [
        training_from({**VALUES, "name": f"t{n}", "validation_accuracy": a, "test_accuracy": a, **more})
        for n, a in enumerate(accuracies)
    ]


def test_the_best_way_counts():
    model = model_results("LSTM", trainings(0.5, 0.6, 0.5, 0.5), seeds=2)
    assert (model.selected, model.name) == (("t1", "t3"), "t1")
    assert (model.label, model.test_accuracy, model.steps) == ("LSTM", 0.55, 10)
    assert model.harder_accuracy is None
    assert model.test_by_kind is None


def test_means_by_kind_and_of_what_was_not_measured():
    model = model_results("LSTM", trainings(0.5, 0.7, test_by_kind={"a": 0.5}, peak_memory=None), seeds=2)
    assert model.test_by_kind == {"a": 0.5}
    assert model.peak_memory is None


def test_a_run_lacks_nothing_and_has_nothing_else():
    with pytest.raises(ValueError, match=r"results lacks task, framework, "):
        from_json({"models": {}, "generalisation": []})
    with pytest.raises(ValueError, match="results has no 'loss'; it has task, framework, "):
        from_json({"models": {}, "generalisation": [], "loss": 1})
