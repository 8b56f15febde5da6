"""The chapter, the derivations and the cheat sheet: snippets run, and no gradient is left out."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"


def run_snippets(page):
    scope = {}
    for snippet in re.findall(r"```python\n(.*?)```", page.read_text(), re.DOTALL):
        exec(snippet, scope)


@pytest.mark.parametrize(
    "page", [DOCS / "derivations.md", *sorted(DOCS.glob("chapter/*.md"))], ids=lambda page: page.stem
)
def test_snippets_run_without_torch(page):
    run_snippets(page)


@pytest.mark.torch
def test_faults_and_remedies_of_the_cheat_sheet_run():
    pytest.importorskip("torch")
    run_snippets(DOCS / "cheat_sheet.md")


def test_every_backward_of_the_reference_is_derived():
    sources = "\n".join(path.read_text() for path in ROOT.glob("src/relational_rnn/reference/*.py"))
    functions = set(re.findall(r"def (\w*_backward\w*)\(", sources))
    derived = set(re.findall(r"`(\w*_backward\w*)`", (DOCS / "derivations.md").read_text()))
    assert len(functions) > 20
    assert derived == functions
