"""examples/relational_rnn_demo.py as a learner runs it."""

import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("torch")
pytestmark = pytest.mark.torch

SCRIPT = Path(__file__).parents[2] / "examples" / "relational_rnn_demo.py"

SECTIONS = [
    "Build a core and run a sequence",
    "Hand the state over",
    "Sequences of different lengths",
    "Start again within a sequence",
    "Look inside: attention and gates",
    "Count parameters beside an LSTM",
    "The same in NumPy",
    "Weights under the authors' names",
    "The task: Nth farthest",
]


@pytest.fixture(scope="module")
def sections(tmp_path_factory) -> dict[str, str]:
    done = subprocess.run(
        [sys.executable, SCRIPT, "--seed", "2"],
        cwd=tmp_path_factory.mktemp("elsewhere"),
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""
    parts = re.split(r"^\d+\. (.+)\n-+\n", done.stdout, flags=re.M)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def test_all_sections_come_in_order(sections):
    assert list(sections) == SECTIONS
    assert all(text.strip() for text in sections.values())


@pytest.mark.parametrize(
    ("section", "largest"),
    [
        ("Hand the state over", 1e-5),
        ("Sequences of different lengths", 1e-5),
        ("The same in NumPy", 1e-10),
        ("Weights under the authors' names", 0.0),
    ],
)
def test_what_should_be_equal_is(sections, section, largest):
    differences = [float(number) for number in re.findall(r"difference ([\d.e+-]+)", sections[section])]
    assert differences
    assert max(differences) <= largest


def test_a_reset_changes_the_row_that_was_reset_only(sections):
    text = sections["Start again within a sequence"]
    reset, kept = (float(number) for number in re.findall(r"difference ([\d.e+-]+)", text))
    assert reset <= 1e-5
    assert kept > 1e-2


def test_attention_is_a_table_of_shares(sections):
    rows = re.findall(r"^  slot \d((?: +[\d.]+){4})$", sections["Look inside: attention and gates"], re.M)
    assert len(rows) == 3
    for row in rows:
        assert sum(map(float, row.split())) == pytest.approx(1, abs=0.021)  # printed with two decimals


def test_the_example_needs_comparing_and_the_oracle_is_right(sections):
    text = sections["The task: Nth farthest"]
    assert "itself" not in text
    assert re.search(r"oracle.*100\.0%", text)


def test_a_negative_seed_is_wrong_use(monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", [str(SCRIPT), "--seed", "-1"])
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(SCRIPT), run_name="__main__")
    assert ended.value.code == 2
    assert "--seed must be at least 0, got -1" in capsys.readouterr().err
