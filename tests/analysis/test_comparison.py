"""What the figures that compare models show: examples needed, accuracy by size, cost; and their tables."""

import dataclasses
import math
from typing import Any

import numpy as np
import pytest

from relational_rnn.analysis import (
    Cost,
    Efficiency,
    Place,
    Reach,
    SizeAxis,
    cost_table,
    draw_cost_bars,
    draw_generalisation,
    draw_plane,
    draw_sample_efficiency,
    generalisation_table,
    model_costs,
    model_efficiencies,
    size_axes,
    thresholds,
)
from relational_rnn.analysis.style import MARKERS, PALETTE, looks_of, marker_of
from relational_rnn.training.results import RunResult, TrainingResult
from relational_rnn.training.run import model_results

pytest.importorskip("matplotlib")
from matplotlib.colors import to_hex

RMC = Efficiency("RMC", "rmc", [[1000, 2000, None], [3000, 6000, 9000]])
LSTM = Efficiency("LSTM", "lstm", [[4000, None, None], [5000, None, None]])
AXIS = {
    "axis": "items",
    "sizes": [8, 16],
    "trained": 8,
    "trivial": [0.25, 0.5],
    "models": {
        "rmc": {"accuracy": [0.9, 0.5], "trainings": {"rmc-0": [1.0, 0.6], "rmc-1": [0.8, 0.4]}},
        "lstm": {"accuracy": [0.7, 0.1], "trainings": {"lstm-0": [0.7, 0.1], "lstm-1": [0.7, 0.1]}},
    },
}


def training(name: str, seed: int, parameters: int) -> TrainingResult:
    return TrainingResult(
        name=f"{name}-{seed}",
        label=f"{name.upper()}, seed {seed}",
        parameters=parameters,
        validation_accuracy=0.9,
        test_accuracy=0.9,
        test_sequence_accuracy=0.8,
        seconds=1.0,
        steps=10,
        examples=640,
        seconds_per_example=0.001 * (1 + 2 * seed),
        peak_memory=150e6,
        best_step=10,
        examples_to_converge=64,
    )


RESULTS = RunResult(
    task="sorting",
    framework="torch",
    size={"items": 8},
    harder_size=None,
    harder=None,
    seed=0,
    seeds=2,
    test_examples=100,
    trivial_accuracy=0.25,
    trivial={"test": {"chance": 0.1, "majority": 0.25, "shortcut": None}},
    wall_seconds=None,
    models={
        name: model_results(name.upper(), [training(name, seed, parameters) for seed in (0, 1)], seeds=2)
        for name, parameters in (("rmc", 41_418), ("lstm", 42_000))
    },
    generalisation=(AXIS,),
)


def test_thresholds_lie_above_the_trivial_score_and_end_above_the_best():
    assert thresholds(0.25, 0.62) == [0.3, 0.4, 0.5, 0.6, 0.7]
    assert thresholds(0.5, 1.0) == [0.6, 0.7, 0.8, 0.9, 0.95, 0.99]
    assert thresholds(0.34, 0.1) == [0.4]
    assert thresholds(0.995, 0.99) == [0.99]


def test_efficiency_has_means_where_all_trainings_arrived_and_says_where_not():
    panel, strip = draw_sample_efficiency([RMC, LSTM], accuracies=[0.5, 0.9, 0.99], title="").axes
    shown = {line.get_label(): line for line in panel.lines}
    for name, model, means in (
        ("RMC", "rmc", [2000, 4000, math.nan]),
        ("LSTM", "lstm", [4500, math.nan, math.nan]),
    ):
        np.testing.assert_array_equal(shown[name].get_ydata(), means)
        assert list(shown[name].get_xdata()) == [0.5, 0.9, 0.99]  # where its value is, not beside it
        assert shown[name].get_marker() == MARKERS[model]
        assert to_hex(shown[name].get_color()).upper() == PALETTE[model]
    band = panel.collections[0].get_paths()[0].vertices  # the RMC's, which is drawn first, on top
    assert {tuple(point) for point in band} >= {(0.5, 1000), (0.5, 3000), (0.9, 2000), (0.9, 6000)}
    assert [(text.get_position()[0], text.get_text()) for text in strip.texts] == [
        (0.99, "1 of 2"),
        (0.9, "2 of 2"),
        (0.99, "2 of 2"),
    ]
    assert [label.get_text() for label in panel.get_xticklabels()] == ["50", "90", "99"]
    assert len(draw_sample_efficiency([RMC], accuracies=[0.5, 0.9, 0.99], title="").axes) == 2
    reached = Efficiency("RMC", "rmc", [[1000, 2000]])
    assert len(draw_sample_efficiency([reached], accuracies=[0.5, 0.9], title="").axes) == 1


def test_efficiencies_come_from_the_records_of_the_evaluations():
    evaluations = {
        name: [{"examples": 10 * (i + 1), "validation_accuracy": a} for i, a in enumerate(accuracies)]
        for name, accuracies in {
            "rmc-0": [0.2, 0.9, 0.7],
            "rmc-1": [0.6, 0.5, 0.95],
            "lstm-0": [0.1, 0.1, 0.1],
            "lstm-1": [0.5],
        }.items()
    }
    rmc, lstm = model_efficiencies(RESULTS, evaluations, [0.5, 0.7])
    assert (rmc.name, rmc.model, rmc.examples) == ("RMC", "rmc", [[20, 20], [10, 30]])
    assert lstm.examples == [[None, None], [10, None]]


def test_generalisation_shows_mean_range_trivial_score_and_training():
    (axes,) = draw_generalisation(size_axes(RESULTS), title="").axes
    shown = {line.get_label(): line for line in axes.lines}
    assert shown["RMC"].get_ydata() == pytest.approx([0.9, 0.5])
    assert list(shown["RMC"].get_xdata()) == [8, 16]
    assert list(shown["trivial score"].get_ydata()) == [0.25, 0.5]
    band = axes.collections[0].get_paths()[0].vertices
    assert {tuple(point) for point in band} >= {(8, 0.8), (8, 1.0), (16, 0.4), (16, 0.6)}
    (shade,) = [patch for patch in axes.patches if patch.get_gid() == "trained"]
    left, right = shade.get_extents().x0, shade.get_extents().x1
    assert left < axes.transData.transform((8, 0))[0] < right < axes.transData.transform((16, 0))[0]


def test_cost_shows_means_and_ranges():
    parameters, time, memory = draw_cost_bars(model_costs(RESULTS), title="").axes
    assert [patch.get_width() for patch in parameters.patches] == [41_418, 42_000]
    assert [patch.get_width() for patch in time.patches] == pytest.approx([2, 2])
    assert [text.get_text() for text in parameters.texts] == ["41,418", "42,000"]
    ends = [segment[:, 0] for ranges in time.collections for segment in ranges.get_segments()]
    np.testing.assert_allclose(ends, [[1, 3], [1, 3]])
    assert not memory.collections  # both trainings held the same


def test_tables():
    table = cost_table(RESULTS)
    assert table.rows[0][1] == ["RMC", "41,418", "2", "150"]
    sizes = generalisation_table(RESULTS)
    assert sizes is not None
    assert sizes.columns == ("model", "items 8 %", "items 16 %")
    assert [cells for _, cells in sizes.rows] == [
        ["RMC", "90.0", "50.0"],
        ["LSTM", "70.0", "10.0"],
        ["trivial score", "25.0", "50.0"],
    ]


def test_sizes_that_cannot_grow_have_no_table():
    assert generalisation_table(dataclasses.replace(RESULTS, generalisation=())) is None


def test_marks_tell_the_families_apart():
    assert MARKERS.keys() == PALETTE.keys()
    assert len(set(zip(MARKERS.values(), PALETTE.values()))) == len(MARKERS)
    assert marker_of("unheard of") not in MARKERS.values()


def test_a_further_model_has_a_look_of_its_own_and_the_others_keep_theirs():
    looks = looks_of([*PALETTE, *map(str, range(90 - len(PALETTE)))])
    assert len(set(looks.values())) == len(looks) == 90
    assert {model: looks[model] for model in PALETTE} == {m: (PALETTE[m], MARKERS[m]) for m in PALETTE}


REACH = Reach("RMC", "rmc", [[0.5, 0.6]])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Efficiency("RMC", "rmc", []), r"'RMC' needs at least one training.*got \[\]"),
        (lambda: Efficiency("RMC", "rmc", [[1], [1, 2]]), r"got \[1, 2\]"),
        (lambda: Efficiency("RMC", "rmc", [[0]]), "examples of 'RMC' must be above 0 and finite, got 0"),
        (lambda: draw_sample_efficiency([], accuracies=[0.5], title=""), "at least one model, got none"),
        (lambda: draw_sample_efficiency([RMC], accuracies=[0.9, 0.5, 0.99], title=""), "must rise"),
        (lambda: draw_sample_efficiency([RMC], accuracies=[0.5], title=""), r"and \[3\] numbers"),
        (lambda: SizeAxis("items", [8, 8], 8, [0.1, 0.1], [REACH]), "sizes of 'items' must rise"),
        (lambda: SizeAxis("items", [8, 9], 8, [0.1, 0.1], []), "needs at least one model"),
        (lambda: SizeAxis("items", [8, 9], 8, [0.1], [REACH]), "trivial must be 2, one for each size; got 1"),
        (lambda: SizeAxis("items", [8], 8, [0.1], [REACH]), "accuracies of 'RMC' must be 1"),
        (lambda: SizeAxis("items", [8], 8, [0.1], [Reach("RMC", "rmc", [])]), "at least one training"),
        (lambda: SizeAxis("items", [8], 8, [1.5], [Reach("RMC", "rmc", [[0.5]])]), "trivial must be"),
        (lambda: draw_generalisation([], title=""), "at least one size axis, got none"),
        (lambda: draw_plane([], across="", up="", title=""), "at least one place, got none"),
        (lambda: Place("RMC", "rmc", [0.5], []), "up of 'RMC' needs at least one training"),
        (lambda: Place("RMC", "rmc", [1.5], [0.5]), "across of 'RMC' must be"),
        (lambda: Cost("RMC", "rmc", 1, [], [1.0]), "the cost of 'RMC' needs at least one training"),
        (lambda: Cost("RMC", "rmc", 1, [-1.0], [1.0]), "milliseconds of 'RMC' must be"),
        (lambda: draw_cost_bars([], title=""), "at least one model, got none"),
    ],
)
def test_what_cannot_be_drawn(make: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()
