"""docs/extending.md from outside the package: its task and its model train, and come back from disk."""

import dataclasses
import json
import re
from pathlib import Path

import numpy as np
import pytest

pytestmark = pytest.mark.torch
pytest.importorskip("torch")
pytest.importorskip("matplotlib")

PAGE = Path(__file__).parents[2] / "docs" / "extending.md"


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """Run the page's Python from top to bottom in a folder of its own; return what it defined."""
    folder = tmp_path_factory.mktemp("outside")
    code = "\n".join(re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL))
    names = {"__name__": "outside"}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        exec(compile(code, str(PAGE), "exec"), names)
        yield names, folder


def test_a_model_of_ones_own_stands_in_the_table_and_is_no_smaller_than_the_rmc(page):
    names, _ = page
    models = names["result"].results.models
    assert list(models) == ["rmc", "sum"]
    assert models["sum"].parameters >= models["rmc"].parameters
    assert "sum" in str(names["result"].table())


def test_a_task_of_ones_own_grows_and_comes_back_from_its_saved_run(page):
    import relational_rnn

    names, folder = page
    task = names["Parity"]
    loaded = relational_rnn.load(folder / "runs" / "parity", "rmc", task=task())
    assert loaded.config.task == task(bits=4)
    inputs = task(bits=4).sample(7, np.random.default_rng(0)).inputs
    np.testing.assert_array_equal(
        loaded.predict(inputs, every_step=False), names["trained"].predict(inputs, every_step=False)
    )


def test_a_run_with_a_model_of_ones_own_comes_back_with_it(page, tmp_path):
    import relational_rnn

    names, _ = page
    saved = names["result"].save(tmp_path / "saved")
    own = {"sum": lambda input_size, size: names["Sum"](input_size, size)}
    assert relational_rnn.load(saved, "rmc", models=own).contestant.model == "rmc"
    assert type(relational_rnn.load(saved, "sum", models=own).model.core) is names["Sum"]


def test_a_size_that_adds_no_parameters_is_refused(page):
    from relational_rnn import experiments

    same = {"rmc": None, "sum": lambda input_size, size: page[0]["Sum"](input_size, 4)}
    with pytest.raises(ValueError, match="a larger size must give a model more"):
        experiments.compare("sorting", same, preset="tiny", seeds=1)


def test_a_name_with_the_word_train_in_it_is_recorded_as_it_is(page, tmp_path):
    from relational_rnn import experiments

    task = dataclasses.make_dataclass(
        "Trains", [], bases=(page[0]["Parity"],), namespace={"name": "trains"}, frozen=True, kw_only=True
    )
    out, sizes = tmp_path / "out", {"batch_size": 4, "head_size": 4, "num_heads": 2, "mem_slots": 2}
    counts = {"steps": 1, "seeds": 1, "validation_examples": 4, "test_examples": 4, "evaluate_every": 1}
    experiments.ablate(task(bits=2), {"num_blocks": (1, 2)}, out=out, **sizes, **counts)
    assert json.loads((out / "config.json").read_text())["command"] == "ablate trains"


def test_models_of_ones_own_leave_the_registry_as_it_was(page):
    from relational_rnn.training.models import MODELS

    assert "sum" not in MODELS


def test_what_is_missing_is_named():
    from relational_rnn import experiments

    with pytest.raises(ValueError, match="the name 'sorting' is that of a task of the package"):
        experiments.train(type("Mine", (), {"name": "sorting"})())
    with pytest.raises(TypeError, match=r"a task must be an object, Half\(\), not its class"):
        experiments.train(type("Half", (), {"name": "half"}))
    with pytest.raises(TypeError, match="Half has no input_size, classes, chance, majority, sample"):
        experiments.train(type("Half", (), {"name": "half"})())
    with pytest.raises(ValueError, match="there is no setting 'stepz'"):
        experiments.train("sorting", preset="tiny", stepz=3)
    with pytest.raises(ValueError, match=r"a name of its own, got lstm"):
        experiments.compare("sorting", {"rmc": None, "lstm": lambda features, size: None}, preset="tiny")


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"targets": np.zeros(4, np.int32)}, TypeError, "targets as an int64 array, got int32"),
        ({"targets": np.full(4, 2)}, ValueError, "targets from 0 to 1, got 2 to 2"),
        ({"inputs": np.zeros((4, 3, 1))}, TypeError, "inputs as a float32 array, got float64"),
        ({"inputs": np.zeros((3, 3, 1), np.float32)}, ValueError, "B = 4 and F = 1"),
        ({"mask": np.ones((4, 3), bool)}, ValueError, r"got \(4, 3\) beside \(4,\), 12 of them True"),
        ({"targets": np.zeros((4, 3), int), "mask": np.ones((4, 3))}, TypeError, "booleans, got float64"),
        ({"targets": np.zeros((4, 3), int), "mask": np.zeros((4, 3), bool)}, ValueError, "0 of them True"),
    ],
)
def test_wrong_batches_are_named(page, change, error, message):
    from types import SimpleNamespace

    from relational_rnn.tasks.entry import check_batch

    right = {"inputs": np.zeros((4, 3, 1), np.float32), "targets": np.zeros(4, int), "mask": None}
    task = page[0]["Parity"]()
    check_batch(task, SimpleNamespace(**right), 4)
    with pytest.raises(error, match=message):
        check_batch(task, SimpleNamespace(**{**right, **change}), 4)
