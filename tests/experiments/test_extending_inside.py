"""docs/extending.md inside the package: its diffs, applied to a copy of the sources, run."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "extending.md").read_text(encoding="utf-8")
INSIDE = PAGE.split("## In the package\n")[1]
PARITY = "src/relational_rnn/tasks/parity.py"
CLASS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)[0]
"""The page's first block, which is that file."""
THINGS = ("A task", "A model", "An option of the core", "An option of training")


def diffs_of(thing):
    """File -> its hunks, each as the lines before and after; a new file's are none before."""
    (section,) = re.findall(rf"^\*\*{thing}\*\* .*?(?=^\*\*An? |\Z)", INSIDE, re.DOTALL | re.MULTILINE)
    found = {}
    for line in "".join(re.findall(r"```diff\n(.*?)```", section, re.DOTALL)).splitlines():
        if line.startswith("+++ "):
            hunks = found[line[4:]] = []
        elif line == "@@":
            hunks.append(("", ""))
        elif not line.startswith("--- "):
            mark, rest = line[0], f"{line[1:]}\n"
            assert mark in " +-", line
            before, after = hunks[-1]
            hunks[-1] = before + rest * (mark != "+"), after + rest * (mark != "-")
    return found


def apply(thing, root):
    """Apply the page's diffs; every hunk must fit exactly one place."""
    for name, hunks in diffs_of(thing).items():
        file = root / name
        text = file.read_text(encoding="utf-8") if file.exists() else ""
        for before, after in hunks:
            assert text.count(before) == 1 or not text, f"{name}: {text.count(before)} places have\n{before}"
            text = text.replace(before, after, 1)
        file.write_text(text, encoding="utf-8")


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    """A folder with the extended package in it, and a function that runs Python with that package."""
    folder = tmp_path_factory.mktemp("inside")
    shutil.copytree(ROOT / "src", folder / "src")
    (folder / PARITY).write_text(CLASS, encoding="utf-8")
    for thing in THINGS:
        apply(thing, folder)
    environment = os.environ | {"PYTHONPATH": str(folder / "src"), "OMP_NUM_THREADS": "1"}

    def run(*arguments, at=folder):
        done = subprocess.run(
            [sys.executable, "-P", *arguments], cwd=at, env=environment, text=True, capture_output=True
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    assert str(folder) in run("-c", "import relational_rnn; print(relational_rnn.__file__)")
    return run


def test_each_thing_is_as_few_files_as_the_page_says():
    added = {thing: {name: sum(a.count("\n") - b.count("\n") for b, a in hunks)
                     for name, hunks in diffs_of(thing).items()} for thing in THINGS}  # fmt: skip
    assert added["A task"] == {"src/relational_rnn/tasks/registry.py": 2}  # the line and its import
    assert len(added["A model"]) == 2
    assert added["A model"]["src/relational_rnn/training/models.py"] == 1
    assert len(added["An option of the core"]) <= 5


COMMANDS = """
import sys
sys.modules["matplotlib"] = None  # figures take longer than two steps
from relational_rnn.cli.main import main
for words in (
    "tasks sample parity",
    "train parity --preset tiny --framework numpy --models rmc --steps 2 --seeds 1 "
    "--attention-temperature 0.5 --out runs/numpy",
    "check-gradients rmc --attention-temperature 0.5 --num-heads 2",
):
    assert main(words.split()) == 0, words
assert main("train parity --framework numpy --weight-decay 0.1 --out runs/refused".split()) == 2
main("train parity --help".split())
"""


def test_the_new_task_and_options_from_the_command_line_in_numpy(package):
    told = package("-c", COMMANDS)
    assert re.search(r"Example 1 of 1\n.*Answer: [01]\n", told, re.DOTALL)
    assert "parity, bits 6: accuracy on 100 test examples" in told
    assert re.search(r"All \d+ arrays agree", told)
    assert "--attention-temperature FLOAT" in told
    assert "--weight-decay FLOAT" in told


TWINS = """
import numpy as np
import torch

from relational_rnn import nn, reference
from relational_rnn.interop import get_parameters, set_parameters
from relational_rnn.interop.sonnet import export_variables

sizes = dict(input_size=5, mem_slots=3, head_size=4, num_heads=2, num_blocks=2)
x = np.random.default_rng(0).standard_normal((2, 6, 5))
outputs = {}
for temperature in (1.0, 0.5):
    ours = reference.RelationalMemory(**sizes, attention_temperature=temperature)
    core = nn.RelationalMemory(
        **sizes, attention_temperature=temperature, batch_first=True, dtype=torch.float64
    )
    set_parameters(core, get_parameters(ours))
    expected, _ = ours.forward(x)
    found, _ = core(torch.from_numpy(x))
    np.testing.assert_allclose(found.detach().numpy(), expected, rtol=1e-10, atol=1e-12)
    found.square().sum().backward()
    ours.backward(2 * expected)
    for name, gradient in ours.grads.items():
        np.testing.assert_allclose(core.get_parameter(name).grad.numpy(), gradient, rtol=1e-9, atol=1e-11)
    outputs[temperature] = expected
assert np.abs(outputs[1.0] - outputs[0.5]).max() > 1e-3
assert core.backend_in_use == "eager"
assert nn.RelationalMemory(**sizes).backend_in_use != "eager"
try:
    export_variables(ours)
except ValueError as error:
    print(error)
"""

TRAIN = """
from relational_rnn import experiments
from relational_rnn.training.learners.optimisers import build_optimiser

options = dict(attention_temperature=0.5, weight_decay=0.1, overrides=["sum.learning_rate=1e-3"])
result = experiments.compare("parity", ["rmc", "sum"], preset="tiny", steps=2, seeds=1, **options)
models = result.results.models
assert models["sum"].parameters >= models["rmc"].parameters
assert result.load("rmc").model.core.config.attention_temperature == 0.5
trained = result.load("sum")
assert type(trained.model.core).__name__ == "Sum"
assert build_optimiser(trained.model, trained.config.optimisation).defaults["weight_decay"] == 0.1
print(result.table())
"""


@pytest.mark.torch
def test_the_new_model_and_options_train_and_numpy_and_torch_agree(package):
    pytest.importorskip("torch")
    refused, *table = package("-c", TWINS + TRAIN).splitlines()
    assert refused == "the authors' code has only attention_temperature=1.0, this core has 0.5"
    assert any(re.match(r"Sum +\d", row) for row in table)


@pytest.mark.slow
@pytest.mark.torch
def test_the_contract_tests_cover_the_new_task_and_the_new_model(package):
    pytest.importorskip("torch")
    files = ["tests/contracts/test_tasks.py", "tests/nn/test_cores.py"]
    told = package("-m", "pytest", *files, "-k", "parity or sum", "-p", "no:cacheprovider", at=ROOT)
    assert "." * 30 in told


def test_every_figure_shows_the_new_model_in_a_look_of_its_own(package):
    package(
        "-c",
        "from relational_rnn.analysis.style import MARKERS, PALETTE\n"
        "looks = set(zip(PALETTE.values(), MARKERS.values()))\n"
        "assert 'sum' in PALETTE and len(looks) == len(PALETTE) == len(MARKERS)\n",
    )
