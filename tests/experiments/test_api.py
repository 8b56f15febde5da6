"""Training, comparing, ablating and sweeping from Python; what was trained comes back whatever it is."""

import json
import signal

import numpy as np
import pytest

import relational_rnn
from relational_rnn import experiments
from relational_rnn.recipes import find_recipe
from relational_rnn.training.config import RunConfig
from relational_rnn.training.evaluate import evaluate
from relational_rnn.training.processes import Interrupted
from relational_rnn.training.results import from_json

pytest.importorskip("matplotlib")

SORTING = {"preset": "tiny", "framework": "numpy", "steps": 6, "seeds": 2, "items": 3}


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "sorting"
    seen = []
    result = experiments.train(
        "sorting", ["rmc", "lstm"], out=folder, report=lambda name, record: seen.append(name), **SORTING
    )
    return result, folder, seen


@pytest.mark.parametrize("framework", ["numpy", pytest.param("torch", marks=pytest.mark.torch)])
def test_the_slot_update_of_a_hybrid_comes_back_with_its_weights(framework):
    settings = SORTING | {"framework": framework, "seeds": 1, "slot_update": "attend"}
    result = experiments.train("sorting", ["hybrid"], **settings)
    core = result.load("hybrid").model.core
    assert core.slot_update == result.config.model.slot_update == "attend"
    with pytest.raises(ValueError, match="slot_update must be one of 'shared', 'attend', got 'each'"):
        experiments.train("sorting", ["hybrid"], **settings | {"slot_update": "each"})


@pytest.mark.torch
def test_a_model_of_ones_own_beside_ours_on_a_preset_of_numpy(tmp_path):
    nn = pytest.importorskip("relational_rnn.nn")
    models = {"rmc": None, "mine": lambda features, size: nn.GRU(features, size, batch_first=True)}
    tiny = {key: value for key, value in SORTING.items() if key != "framework"} | {"seeds": 1}
    result = experiments.train("sorting", models, out=tmp_path / "run", overrides=("mine.steps=4",), **tiny)
    assert find_recipe("sorting", "tiny").runtime.framework == "numpy"
    assert result.config.runtime.framework == "torch"
    inputs = np.zeros((2, 4, result.config.task.input_size), np.float32)
    whole = relational_rnn.load(tmp_path / "run", "rmc", models=models).predict(inputs, True)
    for source in (tmp_path / "run", tmp_path / "run" / "checkpoints" / "rmc-0.safetensors"):
        np.testing.assert_array_equal(relational_rnn.load(source, "rmc").predict(inputs, True), whole)
    relational_rnn.load(tmp_path / "run", "mine", models=models)
    with pytest.raises(ValueError, match=r"is of the model 'mine', .* models=\{'mine': FACTORY\}$"):
        relational_rnn.load(tmp_path / "run", "mine")


def test_a_run_is_that_of_the_command(trained):
    result, folder, seen = trained
    assert from_json(json.loads((folder / "results.json").read_text())) == result.results
    assert json.loads((folder / "config.json").read_text())["command"] == "train sorting"
    assert set(seen) == {"rmc-0", "lstm-0", "rmc-1", "lstm-1"}
    assert isinstance(result.config, RunConfig)
    assert (result.config.task.items, result.config.budget.steps) == (3, 6)


def test_the_table_reads_as_text_and_as_html(trained):
    table = trained[0].table()
    lines = str(table).splitlines()
    assert [line.split()[0] for line in lines] == ["model", "RMC", "LSTM", "chance", "majority"]
    assert len({line.index("parameters") for line in lines if "parameters" in line}) == 1
    assert table._repr_html_().count("<tr") == len(lines)
    assert trained[0]._repr_html_() == table._repr_html_()


def test_curves_are_drawn_and_written(trained, tmp_path):
    trained[0].plot_curves(tmp_path / "curves.png")
    assert (tmp_path / "curves.png").stat().st_size > 10_000


def test_models_come_back_by_name_and_seed(trained):
    result, folder, _ = trained
    best = relational_rnn.load(folder, "rmc")
    assert best.contestant.name == result.results.models["rmc"].name
    other = relational_rnn.load(folder, "lstm", seed=1)
    assert (other.contestant.model, other.contestant.seed) == ("lstm", 1)
    file = folder / "checkpoints" / "lstm-1.safetensors"
    inputs = np.zeros((2, 6, other.config.task.input_size), np.float32)
    answers = other.predict(inputs, every_step=True)
    assert answers.shape == (2, 6)
    np.testing.assert_array_equal(relational_rnn.load(file).predict(inputs, every_step=True), answers)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "which model.* has rmc, lstm"),
        (("gru",), "model must be one of 'rmc', 'lstm', got 'gru'"),
        (("rmc", 7), "has rmc with the seeds 0, 1; got 7"),
    ],
)
def test_what_is_not_there_is_named(trained, arguments, message):
    with pytest.raises(ValueError, match=message):
        relational_rnn.load(trained[1], *arguments)


def test_a_folder_without_weights_is_named(tmp_path):
    with pytest.raises(ValueError, match="holds no trained weights"):
        relational_rnn.load(tmp_path)


def test_a_temporary_folder_goes_with_its_result(tmp_path):
    result = experiments.train("sorting", ["rmc"], **{**SORTING, "seeds": 1})
    folder = result.folder
    saved = result.save(tmp_path / "saved")
    assert folder.exists()
    del result
    assert not folder.exists()
    assert relational_rnn.load(saved).contestant.name == "rmc-0"


def test_a_run_goes_on_in_its_folder(tmp_path):
    first = experiments.train("sorting", ["rmc"], out=tmp_path / "run", **SORTING)
    again = experiments.train("sorting", ["rmc"], out=tmp_path / "run", resume=True, **SORTING)
    assert again.results.models == first.results.models
    with pytest.raises(ValueError, match="is not empty"):
        experiments.train("sorting", ["rmc"], out=tmp_path / "run", **SORTING)


def test_ctrl_c_saves_and_the_run_goes_on_to_the_same_numbers(tmp_path, monkeypatch):
    monkeypatch.setattr("relational_rnn.training.trainer.REPORT_SECONDS", 0.0)  # a record of every step
    run = {**SORTING, "seeds": 1}
    whole = experiments.train("sorting", ["rmc"], out=tmp_path / "whole", **run)

    def press(name, record):
        if record["step"] == 3:
            signal.raise_signal(signal.SIGINT)

    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(Interrupted, match="everything is saved"):
        experiments.train("sorting", ["rmc"], out=tmp_path / "run", report=press, **run)
    assert signal.getsignal(signal.SIGINT) == before
    seen = []
    again = experiments.train(
        "sorting",
        ["rmc"],
        out=tmp_path / "run",
        resume=True,
        report=lambda _, r: seen.append(r["step"]),
        **run,
    )
    assert min(seen) == 4
    scores = [one.results.models["rmc"].test_accuracy for one in (whole, again)]
    assert scores[0] == scores[1]


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"models": "rmc"}, TypeError, "models must be a list of texts, got 'rmc'"),
        ({"overrides": "lstm.steps=3"}, TypeError, "overrides must be a list of texts"),
        ({"workers": 0}, ValueError, "workers must be an integer of at least 1, got 0"),
        ({"stepz": 3}, ValueError, "there is no setting 'stepz'; did you mean 'steps'"),
        ({"overrides": ["rmc.size=9"]}, ValueError, "rmc has no size of its own in overrides"),
        ({"overrides": ["lstm.steps_factor=0"]}, ValueError, "lstm.steps_factor must be above 0, got 0"),
        ({"models": {"mine": 3}}, TypeError, "a model must be None or a function"),
        ({"models": {"a/b": len}}, ValueError, "a model's name must be a word"),
        (
            {"models": {"mine": len}, "workers": 2},
            ValueError,
            r"models of your own \(mine\) train in this process",
        ),
    ],
)
def test_wrong_arguments_are_named(arguments, error, message):
    with pytest.raises(error, match=message):
        experiments.train("sorting", **{"models": ["rmc", "lstm"], **SORTING, **arguments})


@pytest.mark.parametrize(
    ("over", "error", "message"),
    [
        ({}, TypeError, "over must be factors and their values"),
        ({"num_heads": 2}, TypeError, "num_heads must have a list of values, got 2"),
        ({"gate_style": "unit"}, TypeError, "gate_style must have a list of values, got 'unit'"),
        ({"num_heads": (1, 1)}, ValueError, "num_heads names a value twice"),
        ({"models": ("rmc", "lstm")}, ValueError, "models is no factor"),
        ({"hads": (1, 2)}, ValueError, "hads is no factor; these are: .*num_heads"),
    ],
)
def test_wrong_factors_are_named(over, error, message):
    with pytest.raises(error, match=message):
        experiments.ablate("sorting", over, **SORTING)


def test_numbers_of_numpy_are_numbers(tmp_path):
    run = {**SORTING, "seeds": 1, "steps": np.int64(2), "learning_rate": np.float32(1e-3)}
    assert experiments.train("sorting", ["rmc"], **run).results.models["rmc"].steps == 2


def test_an_ablation_has_a_row_a_value():
    found = experiments.ablate("sorting", {"mem_slots": (1, 2, 3)}, **SORTING)
    assert len(found.results["variants"]) == 3  # the base has 2
    assert [row[0].split()[0] for _, row in found.table("mem_slots").rows] == ["1", "2", "3", "trivial"]
    assert "mem_slots: 3" in str(found.table())
    assert found._repr_html_() == found.table()._repr_html_()


def test_the_score_to_beat_counts_the_shortcut(tmp_path):
    run = {"preset": "tiny", "framework": "numpy", "steps": 1, "seeds": 1, "pairs": 2, "test_examples": 50}
    found = experiments.ablate("pair-matching", {"mem_slots": (1,)}, out=tmp_path / "found", **run)
    (variant, _) = found.results["variants"]
    (weights, _) = tmp_path.rglob("*.safetensors")
    fresh = evaluate(weights, examples=50, seed=1)["trivial_accuracy"]
    chance = found.config.task.chance
    assert min(variant["trivial_accuracy"], fresh) > 2 * chance  # one of the two values that were shown
    assert variant["runs"][0]["trivial_accuracy"] == variant["trivial_accuracy"]


def test_a_sweep_has_a_row_a_combination():
    found = experiments.sweep("sorting", {"mem_slots": (1, 2), "learning_rate": (1e-3, 1e-2)}, **SORTING)
    assert len(found.table().rows) == 4


def test_a_sweep_of_two_models_has_the_rows_of_both():
    over = {"lstm.learning_rate": (1e-3, 1e-1)}
    found = experiments.sweep("sorting", over, ["rmc", "lstm"], **SORTING)
    scores = [variant["models"]["lstm"]["test_accuracy"] for variant in found.results["variants"]]
    rows = [cells for _, cells in found.table().rows]
    assert [row[:2] for row in rows] == [["RMC", "\N{EN DASH}"], *(["LSTM", row[1]] for row in rows[1:])]
    assert {row[1]: row[-1].split()[0] for row in rows[1:]} == {
        rate: f"{100 * score:.1f}" for rate, score in zip(("0.001", "0.1"), scores)
    }


def test_what_varied_is_drawn_and_written(tmp_path):
    found = experiments.ablate("sorting", {"mem_slots": (1,), "batch_size": (8,)}, **SORTING | {"seeds": 1})
    (left, _) = found.plot(path=tmp_path / "all.png").axes
    assert len(left.get_yticks()) == 3  # the base and two changes
    (left, _) = found.plot("mem_slots", tmp_path / "slots.svg").axes
    assert left.get_xlabel() == "slots"
    assert {file.name for file in tmp_path.iterdir()} == {"all.png", "slots.svg"}
    for wrong in (found.plot, found.table):
        with pytest.raises(ValueError, match="factor must be one of 'mem_slots', 'batch_size', got 'slots'"):
            wrong("slots")


def test_a_sweep_is_drawn_factor_by_factor():
    one = experiments.sweep("sorting", {"mem_slots": (1, 2)}, **SORTING | {"seeds": 1})
    assert one.plot().axes[0].get_xlabel() == "slots"
    results = {**one.results, "factors": {**one.results["factors"], "num_heads": {"values": [2]}}}
    with pytest.raises(ValueError, match="a figure for each factor: name one of mem_slots, num_heads"):
        experiments.Variants(one.config, results, one.folder).plot()


@pytest.mark.parametrize(
    ("framework", "models"),
    [("torch", ("rmc", "lstm", "gru", "transformer", "dnc")), ("numpy", ("rmc", "lstm"))],
)
def test_a_comparison_has_three_seeds_and_the_opponents_of_its_framework(monkeypatch, framework, models):
    monkeypatch.setattr(experiments.api, "train", lambda *given, **options: (given, options))
    (task, named), options = experiments.compare("sorting", framework=framework)
    assert (task, tuple(named)) == ("sorting", models)
    assert options == {"seeds": 3, "framework": framework}


def test_a_task_object_has_its_preset_and_its_own_sizes():
    task = find_recipe("sorting", "tiny").task
    config = experiments.configure(type(task)(items=5), "tiny", steps=3)
    assert (config.task.items, config.budget.steps, config.model.mem_slots) == (5, 3, 2)
