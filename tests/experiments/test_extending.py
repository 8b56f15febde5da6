"""docs/extending.md from outside the package: its task and its model train, and come back from disk."""

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


def test_models_of_ones_own_leave_the_registry_as_it_was(page):
    from relational_rnn.training.models import MODELS

    assert "sum" not in MODELS


def test_what_is_missing_is_named():
    from relational_rnn import experiments

    with pytest.raises(TypeError, match="Half has no input_size, classes, chance, majority, sample"):
        experiments.train(type("Half", (), {"name": "half"})())
    with pytest.raises(ValueError, match="there is no setting 'stepz'"):
        experiments.train("sorting", preset="tiny", stepz=3)
    with pytest.raises(ValueError, match=r"a name of its own, got lstm"):
        experiments.compare("sorting", {"rmc": None, "lstm": lambda features, size: None}, preset="tiny")
