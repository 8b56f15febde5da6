"""The examples in the docstrings run, here and in the rooms beside."""

import doctest
import importlib
import pkgutil

import pytest

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch")

ROOMS = [importlib.import_module(f"relational_rnn.{room}") for room in ("config", "kernels", "nn", "interop")]
MODULES = [
    module.name
    for room in ROOMS
    for module in pkgutil.walk_packages(room.__path__, f"{room.__name__}.")
    if "._" not in module.name  # a library that ctypes loads is no module
]


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_are_right(name):
    failed, _ = doctest.testmod(importlib.import_module(name), extraglobs={"torch": torch})
    assert failed == 0
