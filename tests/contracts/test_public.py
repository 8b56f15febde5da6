"""Every public name says what it is, shows how it is used, and is in the page of the API."""

import importlib
import inspect
import re
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "api.md"
SHOWN = ("nn", "nn.functional", "reference", "tasks", "rl", "experiments", "recipes", "interop")
TORCH = ("nn", "nn.functional")


def public(room):
    """Return the public functions and classes of a room by name."""
    module = importlib.import_module(f"relational_rnn.{room}")
    found = {name: getattr(module, name) for name in module.__all__}
    return {
        name: value for name, value in found.items() if inspect.isroutine(value) or inspect.isclass(value)
    }


@pytest.mark.parametrize(
    "room", [pytest.param(room, marks=pytest.mark.torch if room in TORCH else ()) for room in SHOWN]
)
def test_public_names_have_an_example(room):
    if room in TORCH:
        pytest.importorskip("torch")
    documented = {name: inspect.getdoc(value) or "" for name, value in public(room).items()}
    assert documented
    assert not [name for name, text in documented.items() if ">>>" not in text]


def test_the_other_rooms_are_documented():
    for room in ("analysis", "config"):
        for name, value in public(room).items():
            # A dataclass without a docstring has its signature for one.
            text = value.__doc__ or ""
            assert text, name
            assert not text.startswith(f"{name}("), name


def test_every_room_is_in_the_page():
    rooms = set(re.findall(r"auto(?:module|function):: relational_rnn\.([\w.]+)", PAGE.read_text()))
    assert {*SHOWN, "analysis", "config", "load", "training.learners.numpy.fit"} <= rooms
