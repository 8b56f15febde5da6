"""Property tests draw the same examples every time, and may take as long as a busy machine makes them.

`RELATIONAL_RNN_EXAMPLES` says how many each draws, `make test-all` says 100.

Without a GPU the Triton kernels are interpreted; that has to be said before anything imports Triton.
"""

import importlib.util
import os
import sys

import pytest
from hypothesis import settings

EXAMPLES = int(os.environ.get("RELATIONAL_RNN_EXAMPLES", "10"))
settings.register_profile("repeatable", deadline=None, derandomize=True, max_examples=EXAMPLES)
settings.load_profile("repeatable")

if all(importlib.util.find_spec(name) for name in ("torch", "triton")):
    import torch

    if not torch.cuda.is_available():
        os.environ["TRITON_INTERPRET"] = "1"
    os.environ.setdefault("TRITON_DEFAULT_FP_FUSION", "1")  # what it is by default; unset, Triton 3.9 warns


@pytest.fixture
def undrawn(monkeypatch):
    """Matplotlib cannot be imported: runs leave figures out, which take longer than small trainings."""
    monkeypatch.setitem(sys.modules, "matplotlib", None)


@pytest.fixture
def unread():
    """A stream whose reader has left."""
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w", encoding="utf-8") as stream:
        yield stream
