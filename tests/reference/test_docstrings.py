"""The examples in the docstrings run."""

import doctest
import importlib
import pkgutil

import numpy as np
import pytest

import relational_rnn.reference as room


@pytest.mark.parametrize("name", [module.name for module in pkgutil.iter_modules(room.__path__)])
def test_the_examples_are_right(name):
    module = importlib.import_module(f"{room.__name__}.{name}")
    failed, _ = doctest.testmod(module, extraglobs={"np": np})
    assert failed == 0
