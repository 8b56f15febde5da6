"""What `--over` takes, and how it says what it does not take."""

import shlex
from pathlib import Path

import pytest

from relational_rnn.cli import factors
from relational_rnn.cli.ablate import Ablate, find_factors
from relational_rnn.cli.experiment import resolve
from relational_rnn.cli.main import main
from relational_rnn.cli.points import check
from relational_rnn.cli.sweep import Sweep
from relational_rnn.experiments.components import components
from relational_rnn.experiments.factors import Range, one_at_a_time
from relational_rnn.recipes import find_recipe
from relational_rnn.training.config import with_values

ABLATE = ["ablate", "nth-farthest", "--preset", "tiny"]
SWEEP = ["sweep", "sorting", "--preset", "tiny"]
CONFIG = find_recipe("sorting", "tiny")


def parse(*words):
    return factors.parse_factors("sorting", CONFIG, words)


def test_values():
    assert parse("num-heads=1, 2", "gate_style=none,unit", "use_mlp=False", "patience=none,3") == {
        "num_heads": (1, 2),
        "gate_style": ("none", "unit"),
        "use_mlp": (False,),
        "patience": (None, 3),
    }
    assert parse("learning_rate=1e-3,2") == {"learning_rate": (0.001, 2.0)}


def test_ranges():
    assert parse("learning_rate=1e-4:1e-2:log", "head_size=8:64", "steps=10:30:5", "clip_norm=0:1:0.25") == {
        "learning_rate": Range(1e-4, 1e-2, log=True),
        "head_size": Range(8, 64),
        "steps": Range(10, 30, step=5),
        "clip_norm": Range(0.0, 1.0, step=0.25),
    }


def test_all_and_more():
    found = find_factors("sorting", CONFIG, ["all", "num_heads=2,8", "learning_rate=0.1"])
    assert found["num_heads"] == (2, 8)
    assert found["learning_rate"] == (0.1,)
    assert found.keys() == components(CONFIG).keys() | {"learning_rate"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["ablate"], "which task? relational-rnn ablate TASK, with TASK one of nth-farthest"),
        (["ablate", "chess"], "there is no task 'chess'"),
        (ABLATE, "what varies? relational-rnn ablate nth-farthest --over FACTOR=VALUE"),
        (
            [*ABLATE, "--over", "num_heads"],
            "takes FACTOR=VALUE,VALUE,... as in num_heads=1,2,4; got 'num_heads'",
        ),
        (
            [*ABLATE, "--over", "heads=1"],
            "no factor 'heads' (did you mean num_heads?); its factors are attention",
        ),
        ([*ABLATE, "--over", "items=3"], "nth-farthest has no factor 'items'"),
        ([*SWEEP, "--over", "objects=3"], "sorting has no factor 'objects'"),
        (
            [*ABLATE, "--over", "seeds=1,2"],
            "seeds is no factor: all variants have the same; give it as --seeds",
        ),
        ([*ABLATE, "--over", "num_heads=1,x"], "num_heads takes an integer, got 'x'"),
        ([*ABLATE, "--over", "learning_rate=nan"], "learning_rate takes a number, got 'nan'"),
        ([*ABLATE, "--over", "num_heads=1.5"], "num_heads takes an integer, got '1.5'"),
        ([*ABLATE, "--over", "use_mlp=1"], "use_mlp takes true or false, got '1'"),
        ([*ABLATE, "--over", "num_heads=1,2,1"], "num_heads names the value 1 twice"),
        ([*ABLATE, "--over", "num_heads=1", "--over", "num_heads=2"], "names the factor num_heads twice"),
        (
            [*ABLATE, "--over", "num_heads=2,3,4"],
            "num_heads=3: slot_size must be a multiple of num_heads, got slot_size=8 with num_heads=3; slots "
            "of 12 features take all of these heads: --head-size 6 with --num-heads 2",
        ),
        ([*ABLATE, "--over", "num_heads=1:4"], "num_heads is given as a range; an ablation takes values"),
        (
            [*ABLATE, "--over", "gru.clip_norm=1"],
            "gru.clip_norm is no setting of a model of this run, rmc",
        ),
        ([*ABLATE, "--over", "device=cpu,cuda"], "device is no factor: all variants have the same"),
        (
            ["sweep", *ABLATE[1:], "--over", "rmc.warmup_steps=-1:9", "--trials", "2"],
            "overrides of rmc: warmup_steps must be an integer of at least 0, got -1",
        ),
        (
            [*ABLATE, "--overrides", "rmc.clip_norm=2", "--over", "rmc.clip_norm=1"],
            "rmc.clip_norm cannot be varied: --overrides rmc.clip_norm=2 holds in every variant",
        ),
        ([*ABLATE, "--over", "all", "--resume"], "--resume needs the run's folder, --out DIR"),
        ([*SWEEP, "--over", "steps=1:4"], "steps is given as a range; give --trials to search it"),
        (
            [*SWEEP, "--over", "initialisation=torch"],
            "initialisation='torch' needs framework='torch'; NumPy has 'authors' alone",
        ),
        ([*SWEEP, "--over", "steps=4:1", "--trials", "2"], "LOW:HIGH with LOW below HIGH, got '4:1'"),
        ([*SWEEP, "--over", "steps=0:4:log", "--trials", "2"], "LOW above 0, got '0:4:log'"),
        ([*SWEEP, "--over", "steps=1:4:0", "--trials", "2"], "STEP above 0, got '1:4:0'"),
        ([*SWEEP, "--over", "steps=1:6:2", "--trials", "2"], "a whole number of steps from LOW to HIGH"),
        ([*SWEEP, "--over", "steps=1:4:2:3", "--trials", "2"], "LOW:HIGH:log or LOW:HIGH:STEP, got"),
        ([*SWEEP, "--over", "steps=0:4", "--trials", "2"], "steps=0: steps must be an integer of at least 1"),
        ([*SWEEP, "--over", "num_heads=1:4", "--trials", "2"], "num_heads=3: slot_size must be a multiple"),
        (
            [*SWEEP, "--over", "batch_size=8:32", "--over", "train_examples=16,100", "--trials", "2"],
            "batch_size=32,train_examples=16: batch_size must be at most train_examples = 16, got 32",
        ),
        ([*SWEEP, "--over", "steps=1:4", "--trials", "0"], "trials must be an integer of at least 1, got 0"),
        ([*SWEEP, "--over", "steps=1,4", "--study", "x"], "--study names a study in a --storage"),
        ([*SWEEP, "--over", "steps=1,4", "--grace", "0"], "grace must be at least 4 seconds, got 0"),
    ],
)
def test_wrong_use(arguments, message, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 2
    assert message in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_heads_that_the_message_makes_possible():
    config = find_recipe("nth-farthest", "quick")
    heads = {"num_heads": (2, 3, 4, 8)}
    with pytest.raises(ValueError, match="--head-size 18 with --num-heads 4"):
        one_at_a_time(config, heads)
    wider = with_values(config, {"head_size": 18})
    found = {v.name: v.config.model for v in one_at_a_time(wider, heads)}
    sizes = {name: (model.num_heads, model.head_size) for name, model in found.items()}
    assert sizes == {"base": (4, 18), "num_heads=2": (2, 36), "num_heads=3": (3, 24), "num_heads=8": (8, 9)}


def test_parts_of_the_core_are_factors():
    words = ["read_head=mean,attention", "input_fusion=tile", "key_size=none,3", "forget_bias=0,1"]
    found = find_factors("sorting", CONFIG, words)
    names = [v.name for v in one_at_a_time(CONFIG, found)]
    assert names == [
        "base",
        "read_head=mean",
        "read_head=attention",
        "input_fusion=tile",
        "key_size=3",
        "forget_bias=0.0",
    ]


def test_commands_in_the_docs():
    page = (Path(__file__).parents[2] / "docs" / "commands.md").read_text()
    lines = [line.split("#")[0] for line in page.splitlines() if line.startswith("relational-rnn ")]
    found = [shlex.split(line)[1:] for line in lines]
    for command, *words in found:
        if command == "ablate" and "--resume" not in words:
            task, options = resolve(command, words, Ablate, models=("rmc",), seeds=3)
            assert len(one_at_a_time(options.run, find_factors(task, options.run, options.over))) > 1
        elif command == "sweep":
            task, options = resolve(command, words, Sweep, models=("rmc",), seeds=1)
            factors_found = factors.parse_factors(task, options.run, options.over)
            assert check(options.run, factors_found, options) or options.trials
    assert {"ablate", "sweep"} <= {command for command, *_ in found}


def test_help(capsys):
    for command in ("ablate", "sweep"):
        assert main([command, "sorting", "--help"]) == 0
        shown = capsys.readouterr().out
        assert "--over FACTOR=VALUES" in shown
        assert "--num-heads" in shown
