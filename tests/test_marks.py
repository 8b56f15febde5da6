"""Each test runs somewhere: a file that is skipped where torch is absent is marked (see ../conftest.py)."""

import ast
from pathlib import Path

TESTS = Path(__file__).parent


def skips_without_torch(statement):
    """Whether a statement skips its file if torch, or a module of the package that imports it, is absent."""
    return isinstance(statement, ast.Assign | ast.Expr) and any(
        isinstance(call, ast.Call)
        and ast.unparse(call.func) == "pytest.importorskip"
        and ast.literal_eval(call.args[0]).split(".")[0] in ("torch", "relational_rnn")
        for call in ast.walk(statement)
    )


def is_marked(statement):
    return ast.unparse(statement).startswith("pytestmark =") and "mark.torch" in ast.unparse(statement)


def test_files_that_are_skipped_without_torch_are_marked():
    bodies = {file: ast.parse(file.read_text()).body for file in TESTS.rglob("test_*.py")}
    skipped = {file for file, body in bodies.items() if any(map(skips_without_torch, body))}
    assert len(skipped) > 30
    assert skipped <= {file for file, body in bodies.items() if any(map(is_marked, body))}
