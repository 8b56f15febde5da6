"""The examples in the docstrings run, here and in the rooms beside."""

import doctest
import importlib
import pkgutil

import pytest

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch")

ROOMS = [importlib.import_module(f"relational_rnn.{room}") for room in ("spec", "kernels", "nn", "interop")]
MODULES = [
    f"{room.__name__}.{module.name}" for room in ROOMS for module in pkgutil.iter_modules(room.__path__)
]


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_are_right(name):
    failed, _ = doctest.testmod(importlib.import_module(name), extraglobs={"torch": torch})
    assert failed == 0
