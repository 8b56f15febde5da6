"""examples/train_minimal.py as a learner runs it: a process of its own, in another directory."""

import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("torch")
pytestmark = pytest.mark.torch

SCRIPT = Path(__file__).parents[2] / "examples" / "train_minimal.py"
PNG = b"\x89PNG\r\n\x1a\n"


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, SCRIPT, *arguments], cwd=folder, capture_output=True, text=True, check=False
    )


@pytest.mark.slow
def test_without_a_model_named_it_trains_both_and_draws_what_is_asked_for(tmp_path):
    pytest.importorskip("matplotlib")
    done = run(tmp_path, "--size", "small", "--steps", "3", "--save_plot", "--visualize", "--seed", "4")
    assert (done.returncode, done.stderr) == (0, "")
    for name in ("RMC", "LSTM"):
        assert re.search(rf"^{name} +step +3 .* accuracy +[\d.]+%  \(trivial 66.7%\)$", done.stdout, re.M)
    table = dict(re.findall(r"^(RMC|LSTM) +[\d.]+% +66\.7% +1,536 +\d+ +([\d,]+)$", done.stdout, re.M))
    sizes = {name: int(size.replace(",", "")) for name, size in table.items()}
    assert sizes["LSTM"] >= sizes["RMC"]
    assert {path.name for path in tmp_path.iterdir()} == {"training_curves.png", "attention.png"}
    assert all(path.read_bytes().startswith(PNG) for path in tmp_path.iterdir())


@pytest.fixture
def run_here(monkeypatch, tmp_path):
    """Run the script in this process, which saves importing torch, in an empty directory."""
    monkeypatch.chdir(tmp_path)

    def run_script(*arguments: str) -> None:
        monkeypatch.setattr(sys, "argv", [str(SCRIPT), *arguments])
        runpy.run_path(str(SCRIPT), run_name="__main__")

    return run_script


@pytest.mark.parametrize(("model", "option"), [("rmc", "--visualize"), ("lstm", "--save_plot")])
def test_one_model_into_a_new_folder(run_here, capsys, tmp_path, model, option):
    pytest.importorskip("matplotlib")
    run_here("--model", model, "--steps", "2", "--out", "new/pictures", "--size", "small", option)
    other = {"rmc": "LSTM", "lstm": "RMC"}[model]
    assert not re.search(rf"^{other}\b", capsys.readouterr().out, re.M)
    written = {"rmc": "attention.png", "lstm": "training_curves.png"}[model]
    assert [path.name for path in (tmp_path / "new" / "pictures").iterdir()] == [written]


def test_seconds_end_a_training_and_nothing_is_written_unasked(run_here, capsys, tmp_path):
    run_here("--model", "lstm", "--steps", "1000000", "--seconds", "0.05")
    assert "on 10,000 examples" in capsys.readouterr().out
    assert not list(tmp_path.iterdir())


def test_the_seed_decides_the_numbers(run_here, capsys):
    def numbers(seed: str) -> list[str]:
        run_here("--model", "lstm", "--steps", "2", "--seed", seed)
        return re.findall(r"loss [\d.]+|[\d.]+%", capsys.readouterr().out)

    first = numbers("5")
    assert len(first) >= 4
    assert numbers("5") == first
    assert numbers("6") != first


def test_small_models(run_here, capsys):
    run_here("--steps", "1", "--size", "small")
    sizes = dict(re.findall(r"^(RMC|LSTM) .* ([\d,]+)$", capsys.readouterr().out, re.M))
    assert sizes == {"RMC": "13,411", "LSTM": "21,891"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--model", "lstm", "--visualize"], "an LSTM does not have: use --model rmc or --model both"),
        (["--model", "gru"], "invalid choice: 'gru'"),
        (["--steps", "0"], "--steps at least 1"),
        (["--seconds", "nan"], "--seconds above 0"),
        (["--seed", "-1"], "--seed must be at least 0"),
        (["--save_plot", "--out", "a_file"], "--out must be a folder"),
    ],
)
def test_wrong_use_exits_with_2_and_says_why(run_here, capsys, tmp_path, arguments, message):
    (tmp_path / "a_file").touch()
    with pytest.raises(SystemExit) as exit_:
        run_here(*arguments)
    assert exit_.value.code == 2
    assert message in capsys.readouterr().err
