"""Where a test runs: those marked `torch` with torch, all others without it, those marked `smoke` in both.

The examples in docstrings are tests too. Those in the rooms that run without torch (the contract in
pyproject.toml names them) need none; those of all other modules are marked `torch`.
"""

import importlib
import importlib.util
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent
HEAVY = ROOT / "src" / "relational_rnn" / "interop" / "hf"
TORCHRL = ROOT / "src" / "relational_rnn" / "rl" / "torchrl.py"
TORCH = importlib.util.find_spec("torch") is not None
CONTRACTS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
(ROOMS,) = (one["source_modules"] for one in CONTRACTS if one.get("forbidden_modules") == ["torch"])


def needs_torch(module):
    """Whether a module of the package, given by its path, stands outside the rooms that run without torch."""
    rooms = [ROOT.joinpath("src", *room.split(".")) for room in ROOMS]
    return not any(module.with_suffix("").is_relative_to(room) for room in rooms)


def pytest_ignore_collect(collection_path, config):
    """Look for no examples in the helpers of tests, nor in modules that cannot be imported here.

    Those that import transformers, which takes seconds in every process, have theirs run with the slow tests.
    """
    if collection_path.suffix != ".py" or collection_path.name.startswith("test_"):
        return None
    helper = collection_path.is_relative_to(ROOT / "tests")
    slow = "not slow" in config.option.markexpr or importlib.util.find_spec("transformers") is None
    heavy = slow and collection_path.is_relative_to(HEAVY)
    lacking = collection_path == TORCHRL and importlib.util.find_spec("torchrl") is None
    return True if helper or heavy or lacking or (needs_torch(collection_path) and not TORCH) else None


@pytest.hookimpl(tryfirst=True)  # before -m selects
def pytest_collection_modifyitems(items):
    for item in items:
        if isinstance(item, pytest.DoctestItem) and needs_torch(item.path):
            item.add_marker("torch")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item):
    """Let no test without the mark be skipped for lack of torch: it would run nowhere."""
    report = yield
    lacking = report.skipped and "could not import 'torch" in str(report.longrepr)
    if lacking and item.get_closest_marker("torch") is None:
        report.outcome, report.longrepr = "failed", f"{item.nodeid} needs torch: mark it `torch`"
    return report


@pytest.fixture(autouse=True, scope="session")
def names_in_examples(doctest_namespace):
    """Examples say np and torch without an import."""
    for name, library in {"np": "numpy", "torch": "torch"}.items():
        if importlib.util.find_spec(library):
            doctest_namespace[name] = importlib.import_module(library)
