"""`relational-rnn visualize`: the figures of a run again, and what it refuses."""

import json
import shutil
import sys

import pytest

from relational_rnn.cli.main import main
from relational_rnn.config.checks import BadFile
from relational_rnn.training.arrays_file import load_arrays, save_arrays
from relational_rnn.training.weights import find_trained

pytest.importorskip("matplotlib")

TRAIN = [
    *("train", "sorting", "--preset", "tiny", "--framework", "numpy", "--models", "rmc,lstm", "--seeds", "1"),
    *("--steps", "4", "--evaluate-every", "2", "--test-examples", "20", "--validation-examples", "20"),
    *("--workers", "1"),
]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "sorting"
    assert main([*TRAIN, "--out", str(folder)]) == 0
    return folder


@pytest.mark.slow
def test_train_and_visualize_draw_the_same(run, capsys):
    drawn = {file.name: file.read_bytes() for file in (run / "plots").iterdir()}
    shutil.rmtree(run / "plots")
    assert main(["visualize", str(run)]) == 0
    told = capsys.readouterr().out.splitlines()
    assert {file.name: file.read_bytes() for file in (run / "plots").iterdir()} == drawn
    assert {f"{name}.png" for name in ("loss_curves", "attention", "gates", "slot_usage")} < drawn.keys()
    assert [line for line in told if line.startswith("Left out ")] == [
        f"Left out {name}: only runs of nth-farthest with torch have it."
        for name in ("mistakes", "slot_contents")
    ]
    assert len(told) == len(drawn) + 2


def test_some_in_another_format_of_another_example(run, capsys):
    for number in ("0", "3"):
        words = ["visualize", str(run), "--only", "attention,gates", "--format", "svg", "--example", number]
        assert main(words) == 0
        pictures = {name: (run / "plots" / f"{name}.svg").read_text() for name in ("attention", "gates")}
        assert all("<svg" in picture for picture in pictures.values())
    assert capsys.readouterr().out.splitlines()[-1] == str(run / "plots" / "gates.svg")
    assert main(["visualize", str(run), "--only", "mistakes"]) == 1  # none could be drawn


@pytest.fixture
def copied(run, tmp_path):
    return shutil.copytree(run, tmp_path / "run")


def contents(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_each_figure_is_drawn_once(copied, capsys):
    (copied / "checkpoints" / "rmc-0.safetensors").write_text("damaged")  # which these need not
    assert main(["visualize", str(copied), "--only", "cost, loss_curves,cost"]) == 0
    assert capsys.readouterr().out.split() == [
        str(copied / "plots" / f"{name}.png") for name in ("cost", "loss_curves")
    ]


def test_weights_that_are_gone(copied, capsys):
    (copied / "checkpoints" / "rmc-0.safetensors").unlink()
    only = ["--only", "attention,slot_usage"]
    assert main(["visualize", str(copied), *only]) == 0
    assert capsys.readouterr().out.splitlines() == [
        str(copied / "plots" / "slot_usage.png"),
        "Left out attention: no model that could be loaded has attention that can be recorded.",
        "What these do is left out: RMC, whose weights (rmc-0.safetensors) are gone.",
    ]
    (copied / "checkpoints" / "lstm-0.safetensors").unlink()
    assert main(["visualize", str(copied), *only]) == 1


def test_where_no_figure_can_be_written_none_is_replaced(copied, capsys):
    (copied / "plots" / "generalisation.png").unlink()
    (copied / "plots" / "generalisation.png").mkdir()
    before = contents(copied)
    assert main(["visualize", str(copied)]) == 2
    assert "generalisation.png is a folder; only a file can be written there" in capsys.readouterr().err
    assert contents(copied) == before


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda found: found["models"].clear(), "it has no model"),
        (
            lambda found: found["models"]["rmc"].update(selected=[]),
            "the trainings that count for rmc are not",
        ),
        (
            lambda found: found["models"]["rmc"].update(selected=["../x"]),
            "the trainings that count for rmc are",
        ),
        (
            lambda found: found["models"]["rmc"].update(trainings=[]),
            "the trainings that count for rmc are not",
        ),
        (lambda found: found["trivial"].clear(), "trivial.test lacks chance, majority"),
        (lambda found: found["generalisation"][0].pop("sizes"), "generalisation[0] lacks sizes"),
        (
            lambda found: found["generalisation"][0]["sizes"].pop(),
            "generalisation[0] has not a score for each",
        ),
        (lambda found: found["generalisation"][0]["models"].pop("rmc"), "generalisation[0] has other models"),
        (lambda found: found.update(seed=7), "is of another run than config.json"),
        (
            lambda found: found["models"].pop("rmc") and found.update(generalisation=[]),
            "is of another run than",
        ),
    ],
)
def test_results_that_do_not_go_together(copied, capsys, change, told):
    found = json.loads((copied / "results.json").read_text())
    change(found)
    (copied / "results.json").write_text(json.dumps(found))
    before = contents(copied)
    for command in ("visualize", "report"):
        assert main([command, str(copied)]) == 2
        error = capsys.readouterr().err
        assert f"{copied / 'results.json'} " in error
        assert told in error
    assert contents(copied) == before


def damage(path):
    path.write_bytes(path.read_bytes()[:-100])


def swap(path):
    shutil.copy(path.with_name("lstm-0.safetensors"), path)


def from_another_run(path):
    arrays, notes = load_arrays(path)
    notes["config"]["budget"]["steps"] = 5
    save_arrays(path, arrays, notes)


@pytest.mark.parametrize("command", ["visualize", "report"])
@pytest.mark.parametrize(
    ("change", "told"),
    [
        (damage, "is no readable safetensors file"),
        (swap, "holds the weights of 'lstm-0', not of rmc-0"),
        (from_another_run, "holds weights of another run (steps: 5 there, 4 here)"),
    ],
)
def test_weights_that_are_not_the_runs_own_change_no_file(copied, capsys, command, change, told):
    path = copied / "checkpoints" / "rmc-0.safetensors"
    change(path)
    before = contents(copied)
    assert main([command, str(copied)]) == 2
    error = capsys.readouterr().err
    assert f"{path} {told}" in error
    assert "remove it: --resume writes a run's weights again" in error
    assert contents(copied) == before
    if change is swap:
        with pytest.raises(BadFile, match="holds the weights of 'lstm-0', not of rmc-0"):
            find_trained(copied, "rmc")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            ["--only", "atention"],
            "there is no figure 'atention' (did you mean attention?); figures: tr",
        ),
        (["--example", "20"], "example must be an integer of at most 19, got 20"),
        (["--example", "-1"], "example must be an integer of at least 0, got -1"),
    ],
)
def test_wrong_use(run, capsys, options, message):
    assert main(["visualize", str(run), *options]) == 2
    assert message in capsys.readouterr().err


def test_folders_without_a_finished_run(run, tmp_path, capsys):
    assert main(["visualize", str(tmp_path)]) == 2
    assert "holds no run (no config.json)" in capsys.readouterr().err
    for name in ("config.json", "results.json"):
        shutil.copy(run / name, tmp_path / name)
    (tmp_path / "results.json").write_text("{")
    assert main(["visualize", str(tmp_path)]) == 2
    assert "results.json" in capsys.readouterr().err
    (tmp_path / "results.json").unlink()
    assert main(["visualize", str(tmp_path)]) == 2
    told = capsys.readouterr().err
    assert "is not finished (no results.json)" in told
    assert f"relational-rnn train sorting --out {tmp_path} --resume" in told


def test_without_matplotlib(run, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert main(["visualize", str(run)]) == 1
    assert "pip install matplotlib" in capsys.readouterr().err


def test_an_ablation_has_a_figure_a_factor(tmp_path, capsys):
    score = {"test_accuracy": 0.9, "examples_to_leave": 64, "seconds_to_leave": 1.0}
    variants = [
        {"name": name, "values": values, "trivial_accuracy": 0.5, "models": {"rmc": {}},
         "runs": [{"models": {"rmc": score}, "diverged": {}}]}
        for name, values in (("base", {}), ("num_heads=1", {"num_heads": 1}))
    ]  # fmt: skip
    results = {
        "title": "sorting", "models": ["rmc"], "base": {"num_heads": 2}, "variants": variants,
        "factors": {"num_heads": {"values": [1, 2]}},
    }  # fmt: skip
    (tmp_path / "config.json").write_text(json.dumps({"command": "ablate sorting", "config": {}}))
    assert main(["visualize", str(tmp_path)]) == 2
    assert "is not finished (no results.json)" in capsys.readouterr().err
    (tmp_path / "results.json").write_text(json.dumps(results))
    assert main(["visualize", str(tmp_path), "--format", "pdf"]) == 0
    written = capsys.readouterr().out.splitlines()
    assert [name.rpartition("/")[2] for name in written] == ["all_factors.pdf", "num_heads.pdf"]
    assert main(["visualize", str(tmp_path), "--only", "attention"]) == 2
    assert "figures: all_factors, num_heads" in capsys.readouterr().err
    for name in ("base", "factors", "variants", "title", "models"):
        (tmp_path / "results.json").write_text(json.dumps(results | {name: 1}))
        assert main(["visualize", str(tmp_path)]) == 2
        assert "results.json does not hold the results of an ablation or a sweep" in capsys.readouterr().err
