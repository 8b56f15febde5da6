"""examples/three_tasks.py: its tasks are what they say, and its command line trains them."""

import runpy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")
pytestmark = pytest.mark.torch

SCRIPT = Path(__file__).parents[2] / "examples" / "three_tasks.py"
TINY = (
    "--steps 2 --batch-size 4 --mem-slots 2 --head-size 4 --num-heads 1 --evaluate-every 1 --optimiser adam "
    "--validation-examples 20 --test-examples 20"
)


@pytest.fixture(scope="module")
def script():
    return runpy.run_path(str(SCRIPT))


@pytest.fixture(params=["same", "followed", "compare"])
def task(script, request):
    return script["TASKS"][request.param]


def test_the_oracle_is_right_and_the_answers_are_as_frequent_as_the_task_says(task):
    for sizes in (task, replace(task, groups=1)):
        batch = sizes.sample(4_000, np.random.default_rng(1))
        np.testing.assert_array_equal(sizes.oracle(batch.inputs), batch.targets)
        shares = np.bincount(batch.targets, minlength=task.classes) / 4_000
        assert abs(shares - task.chance).max() < 0.03
    assert task.sample(5, np.random.default_rng(0)).inputs.shape == (5, 30, task.input_size)


def test_what_is_asked_for_came_once_before(script):
    task = script["Followed"]()
    symbols = task.sample(500, np.random.default_rng(0)).inputs[..., :-1].argmax(2)
    assert ((symbols[:, :-1] == symbols[:, -1:]).sum(1) == 1).all()


@pytest.mark.parametrize("names", [4, 28])
def test_the_newest_values_are_compared_and_the_first_alone_is_right_three_times_of_four(script, names):
    task = script["Compare"](names=names)
    inputs, targets = task.sample(2_000, np.random.default_rng(0))
    guesses = []
    for steps, target in zip(inputs, targets, strict=True):
        newest = {tuple(step[:names]): step[names] for step in steps[1:-1]}  # later ones replace earlier ones
        assert len(newest) == names
        first, last = (newest[tuple(steps[asking, :names])] for asking in (0, -1))
        assert target == (last > first)
        guesses.append(first < 0)
    assert (guesses == targets).mean() == pytest.approx(task.trivial_accuracy, abs=0.04)


def test_the_command_line_trains_every_task_and_varies_a_lever(script, capsys):
    for name in script["TASKS"]:
        script["main"]([name, *TINY.split(), "--grow", "--start", "groups=1"])
        table, points = capsys.readouterr()
        assert table.splitlines()[1].startswith("RMC ")
        assert points.count("validation accuracy") == 2
    script["main"](["same", *TINY.split(), "--no-grow", "--seeds", "2", "--over", "learning_rate=1e-4,1e-3"])
    assert [row.split("  ")[0] for row in capsys.readouterr().out.splitlines()[1:]] == [
        "base",
        "learning_rate: 0.0001",
        "learning_rate: 0.001",
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["sorting"], "invalid choice: 'sorting'"),
        (["same", "--models", "rnc"], "rnc"),
        (["same", "--over", "stepz=3"], "no factor 'stepz'"),
        (["same", "--grow", "--start", "symbols=3"], "can grow in groups"),
        (["compare", "--grow", "--start", "groups=9"], "at most groups = 5"),
    ],
)
def test_wrong_use_exits_with_2_and_says_why(script, capsys, arguments, message):
    with pytest.raises(SystemExit) as exit_:
        script["main"](arguments)
    assert exit_.value.code == 2
    assert message in capsys.readouterr().err
