"""The notebooks as they are committed: executed in order, clean, and saying what their numbers say.

The slow tests execute them again (`pip install '.[notebook]'`) and hold what comes out to the same facts:
other processors round differently, so no digit of a trained model is compared.
"""

import importlib.util
import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "notebooks"
NAMES = ("18_relational_rnn", "own_data")
KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}
LONGEST_CELL = 32
LARGEST_FILE = 2_000_000

every = pytest.mark.parametrize("name", NAMES)


def test_every_notebook_is_tested():
    assert {path.stem for path in FOLDER.glob("*.ipynb")} == set(NAMES)


@every
def test_it_is_committed_executed_and_clean(name):
    path = FOLDER / f"{name}.ipynb"
    notebook = read(path)
    assert path.stat().st_size < LARGEST_FILE
    assert notebook["metadata"] == {"kernelspec": KERNEL, "language_info": {"name": "python"}}
    assert (notebook["nbformat"], notebook["nbformat_minor"]) == (4, 5)
    assert all(cell["metadata"] == {} for cell in notebook["cells"])
    ids = [cell["id"] for cell in notebook["cells"]]
    assert len(set(ids)) == len(ids)
    assert [cell["execution_count"] for cell in code(notebook)] == list(range(1, len(code(notebook)) + 1))
    assert no_complaints(notebook)


@every
def test_it_is_prose_with_code(name):
    notebook = read(FOLDER / f"{name}.ipynb")
    assert notebook["cells"][0]["cell_type"] == "markdown"
    for cell in code(notebook):
        lines = "".join(cell["source"]).splitlines()
        assert len(lines) <= LONGEST_CELL, f"{len(lines)} lines in a cell that begins with {lines[0]}"


@every
def test_every_figure_has_a_sentence_beside_it(name):
    cells = read(FOLDER / f"{name}.ipynb")["cells"]
    figures = 0
    for place, cell in enumerate(cells):
        if any("image/png" in output.get("data", {}) for output in cell.get("outputs", ())):
            figures += 1
            beside = [other for other in cells[place - 1 : place + 2 : 2] if other["cell_type"] == "markdown"]
            assert any("." in "".join(other["source"]) for other in beside), "".join(cell["source"])[:200]
    assert figures >= 2


@every
def test_it_names_no_path_of_a_machine(name):
    for cell in read(FOLDER / f"{name}.ipynb")["cells"]:
        shown = ["".join(cell["source"]), *map(text_of, cell.get("outputs", ()))]
        assert not re.search(r"(?:^|[\s\"'(=])(?:/[A-Za-z][\w.-]*){2,}|\b[A-Z]:\\", "\n".join(shown))


@every
def test_its_links_lead_somewhere(name):
    for cell in read(FOLDER / f"{name}.ipynb")["cells"]:
        if cell["cell_type"] == "markdown":
            for target in re.findall(r"\]\(([^)#]*)[^)]*\)", "".join(cell["source"])):
                assert target.startswith("https://") or (FOLDER / target).exists(), target


def test_the_numbers_of_the_relational_notebook_are_what_it_says():
    relational_facts(key_numbers(read(FOLDER / "18_relational_rnn.ipynb")))


def test_the_numbers_of_the_notebook_on_own_data_are_what_it_says():
    own_data_facts(key_numbers(read(FOLDER / "own_data.ipynb")))


@pytest.mark.slow
def test_the_relational_notebook_runs_again_to_the_same_facts():
    notebook = execute("18_relational_rnn")
    found, committed = key_numbers(notebook), key_numbers(read(FOLDER / "18_relational_rnn.ipynb"))
    relational_facts(found)
    for exact in ("trivial", "records", "nth_farthest"):  # nothing of these is trained here
        assert found[exact] == committed[exact]


@pytest.mark.slow
@pytest.mark.torch
def test_the_notebook_on_own_data_runs_again_to_the_same_facts():
    pytest.importorskip("torch")
    own_data_facts(key_numbers(execute("own_data")))


def relational_facts(numbers):
    """What the text of 18_relational_rnn says of its numbers."""
    test, harder, trivial = numbers["test"], numbers["harder"], numbers["trivial"]
    for task in ("pair-matching", "object-tracking"):
        assert test[f"{task}/rmc"] > 0.85
        assert test[f"{task}/lstm"] < trivial[task] + 0.05
        assert harder[f"{task}/rmc"] > harder[f"{task}/lstm"] + 0.2
    assert min(test["sorting/rmc"], test["sorting/lstm"]) > 0.97
    assert harder["sorting/lstm"] + 0.1 < harder["sorting/rmc"] < 0.9
    assert numbers["six_pairs"]["rmc"] > numbers["six_pairs"]["lstm"] + 0.15
    assert numbers["read_input"]["pairs"] > 0.6 > numbers["read_input"]["question"]
    *slots, everything, cell = numbers["probe"].values()
    assert min(*slots, everything) > 0.9 > cell > test["pair-matching/lstm"] + 0.15
    assert min(numbers["wrong_and_shown"].values()) > 0.97
    ablation = numbers["ablation"]
    assert ablation.pop("use_attention=false") < 0.72
    worse = {name: ablation.pop(name) for name in ("use_layer_norm=false", "gate_style=none")}
    assert max(worse.values()) < min(ablation.values())
    assert min(ablation.values()) > 0.85


def own_data_facts(numbers):
    """What the text of own_data says of its numbers."""
    assert numbers["rmc"] > numbers["shortcut"] + 0.1
    assert numbers["stream_equals_whole"]


def read(path):
    return json.loads(path.read_text(encoding="utf-8"))


def code(notebook):
    return [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]


def text_of(output):
    """What an output says in words."""
    said = output.get("text", output.get("data", {}).get("text/plain", ""))
    return said if isinstance(said, str) else "".join(said)


def no_complaints(notebook):
    """Whether no cell failed or wrote to stderr, where warnings go."""
    outputs = [output for cell in code(notebook) for output in cell["outputs"]]
    return all(output["output_type"] != "error" and output.get("name") != "stderr" for output in outputs)


def key_numbers(notebook):
    """What the last cell prints first, a JSON object."""
    said = "".join(text_of(output) for output in code(notebook)[-1]["outputs"])
    return json.JSONDecoder().raw_decode(said)[0]


def execute(name):
    """Run a notebook from top to bottom as a person would, in a kernel of this environment."""
    missing = [one for one in ("nbclient", "ipykernel") if importlib.util.find_spec(one) is None]
    if missing:
        pytest.skip(f"needs {' and '.join(missing)}: pip install '.[notebook]'")
    import nbformat
    from nbclient import NotebookClient

    notebook = nbformat.read(FOLDER / f"{name}.ipynb", as_version=4)
    NotebookClient(notebook, timeout=1800, resources={"metadata": {"path": FOLDER}}).execute()
    assert no_complaints(notebook)
    return notebook
