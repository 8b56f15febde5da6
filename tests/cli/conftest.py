"""Runs without figures, which take longer than the small trainings of these tests."""

import sys

import pytest


@pytest.fixture
def undrawn(monkeypatch):
    """Matplotlib cannot be imported: figures are left out."""
    monkeypatch.setitem(sys.modules, "matplotlib", None)
