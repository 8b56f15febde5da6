"""Every public name says what it is, shows how it is used, and is in the page of the API."""

import importlib.util
import inspect
import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "api.md"
TORCH = (
    *("nn", "nn.functional", "rl.agents", "rl.ppo", "rl.run", "rl.sb3", "rl.torchrl", "rl.watch"),
    *("interop.port", "interop.r2gen"),
)
"""Rooms that need torch."""
SLOW = ("interop.hf",)
"""Needs torch, and transformers, whose import takes seconds."""
SHOWN = (
    *("reference", "tasks", "tasks.box_world", "tasks.concentration", "tasks.cue_recall"),
    *("tasks.mini_pacman", "tasks.repeat_previous", "rl", "rl.config", "rl.presets", "rl.results"),
    *("experiments", "recipes", "interop", "interop.sonnet", "config", "analysis", *TORCH, *SLOW),
)
"""Rooms whose public names have examples: all that the page of the API shows whole."""
MARKS = {
    **{room: [pytest.mark.torch] for room in TORCH},
    **{room: [pytest.mark.torch, pytest.mark.slow] for room in SLOW},
}
NEEDS = {
    **dict.fromkeys(MARKS, "torch"),
    "rl.sb3": "sb3_contrib",
    "interop.hf": "transformers",
    "rl.torchrl": "torchrl",
}
"""Library without which a room cannot be imported."""


def public(room):
    """Return the public functions and classes of a room by name; without `__all__` those that it defines."""
    module = importlib.import_module(f"relational_rnn.{room}")
    found = {
        name: value
        for name, value in vars(module).items()
        if inspect.isroutine(value) or inspect.isclass(value)
    }
    own = [name for name, value in found.items() if value.__module__ == module.__name__ and name[0] != "_"]
    return {name: found[name] for name in getattr(module, "__all__", own) if name in found}


@pytest.mark.parametrize("room", [pytest.param(room, marks=MARKS.get(room, ())) for room in SHOWN])
def test_public_names_have_an_example(room):
    if importlib.util.find_spec(NEEDS.get(room, "numpy")) is None:
        pytest.skip(f"{NEEDS[room]} is absent")
    documented = {name: value.__doc__ or "" for name, value in public(room).items()}
    assert documented
    assert not [name for name, text in documented.items() if ">>>" not in text]


def imports_of(page):
    """Yield the module and the name of each import from the package in a page's code."""
    text = page.read_text("utf-8")
    if page.suffix == ".ipynb":
        cells = json.loads(text)["cells"]
        text = "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")
    for found in re.finditer(r"^from relational_rnn\.?([\w.]*) import (\([^)]*\)|.+)$", text, re.MULTILINE):
        for name in re.findall(r"(\w+)(?: as \w+)?", re.sub(r"#.*", "", found[2])):
            yield found[1], name


def test_what_pages_and_notebooks_import_is_in_the_page():
    text = PAGE.read_text("utf-8")
    single = set(re.findall(r"auto(?:function|class):: relational_rnn\.([\w.]+)", text))
    pages = [path for room in ("docs", "course") for path in (ROOT / room).rglob("*.md")]
    pages += (ROOT / "notebooks").glob("*.ipynb")
    imported = {found for page in [*pages, ROOT / "README.md"] for found in imports_of(page)}
    rooms = {*SHOWN, "cli"}
    assert len(imported) > 50
    named = {f"{module}.{name}".strip(".") for module, name in imported if module not in rooms}
    assert named - single - rooms == set()


def test_every_room_is_in_the_page():
    shown = set(re.findall(r"automodule:: relational_rnn\.([\w.]+)", PAGE.read_text()))
    assert shown == set(SHOWN)
    for found in re.findall(r"autofunction:: (relational_rnn\.[\w.]+)", PAGE.read_text()):
        module, _, name = found.rpartition(".")
        assert ">>>" in getattr(importlib.import_module(module), name).__doc__, found
