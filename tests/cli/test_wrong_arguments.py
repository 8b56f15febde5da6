"""Command lines that nobody means: refused at once, in one sentence, and no folder is made."""

import importlib.util
import json
import os
import zipfile

import numpy as np
import pytest

from relational_rnn.cli.main import main

HUGE = "1" + "0" * 23
NO_SIZES = (HUGE, "-1", "0", "nan", "inf", "", "x", "1.5", "2000000001")
NO_SEEDS = (HUGE, "-1", "nan", "inf", "", "x", "9223372036854775808")
NO_NUMBERS = ("-1", "nan", "inf", "", "x", "1e999")

NO_RUNS = ("", "missing", ".", "list.json", "pipe", "run/checkpoints", "run/results.json", "run.json")

RUN = ("--framework", "numpy", "--preset", "tiny", "--models", "lstm")
SORTING = ("sorting", *RUN)
SEARCH = (*SORTING, "--over", "steps=5:10")


UNWANTED = ("Traceback", "Errno", "NoneType", "invalid literal")
"""What no message for people has in it."""


def with_flags(start, flags):
    """Return a command line for each wrong value of each flag."""
    return [[*start, flag, value] for flag, values in flags.items() for value in values]


def of_training(command, *start):
    """Return wrong command lines of a command that trains."""
    sizes = ("--items", "--steps", "--batch-size", "--threads", "--workers", "--head-size", "--mem-slots")
    return [
        [command],
        [command, ""],
        [command, "nothing"],
        [command, "sorting", "--config", ""],
        [command, "sorting", "--config=", *RUN],
        *with_flags(
            [command, *start],
            {
                **{
                    flag: [value for value in NO_SIZES if not (flag == "--steps" and value == "2000000001")]
                    for flag in sizes
                },
                "--seed": NO_SEEDS,
                "--learning-rate": (*NO_NUMBERS, "0"),
                "--seconds": (*NO_NUMBERS, "0"),
                "--test-examples": (*NO_SIZES, "2000000000"),
                "--config": (
                    "",
                    "missing.json",
                    ".",
                    "pipe",
                    "list.json",
                    "deep.json",
                    "part.json",
                    "number.json",
                    "run.json",
                ),
                "--preset": ("", "nothing"),
                "--models": ("", "nothing", "lstm,lstm"),
                "--framework": ("", "jax"),
                "--overrides": ("x", "lstm.size=" + HUGE, "lstm.size=2000000000", "lstm.steps_factor=1e308"),
                "--nothing": ("1",),
            },
        ),
        [command, *start, "--seed", str(2**63 - 1), "--seeds", "2"],
        [command, *start, "--grow", "--start", f"items={HUGE}"],
        [command, *start, "--num-heads", "4096", "--head-size", "4096"],
        [command, *start, "--mem-slots", "4096", "--head-size", "16384", "--num-heads", "1"],
        [command, *start, "--resume"],
    ]


# The commands that train share their parser: of the others a fourth of its cases is enough.


def of_factors(command):
    """Return wrong factors."""
    over = ("", "=", "steps", "steps=", "steps=x", f"steps={HUGE}", "steps=-1", "steps=nan", "steps=1,1")
    over += ("learning_rate=1e999", "learning_rate=nan", "seed=1", "nothing=1", "batch_size=2000000000")
    over += ("mem_slots=4096000", f"slot_size={HUGE}", "head_size=1:2", "models=lstm")
    return [*with_flags([command, *SORTING], {"--over": over}), [command, *SORTING]]


CASES = {
    "train": of_training("train", *SORTING),
    "compare": of_training("compare", "sorting", "--preset", "tiny")[::4],
    "ablate": [*of_training("ablate", *SORTING, "--over", "clip_norm=1,2")[2::4], *of_factors("ablate")],
    "sweep": [
        *of_training("sweep", *SORTING, "--over", "clip_norm=1,2")[1::4],
        *of_factors("sweep"),
        *with_flags(["sweep", *SEARCH], {"--trials": ("0", "-1", HUGE, "nan", "", "x")}),
        *with_flags(
            ["sweep", *SEARCH, "--trials", "2"], {"--storage": ("",), "--grace": ("nan", "-1", "inf", "0")}
        ),
        *with_flags(
            ["sweep", *SORTING, "--trials", "2"],
            {
                "--over": (
                    "learning_rate=0:1:log",
                    "learning_rate=1:0",
                    "learning_rate=nan:1",
                    "learning_rate=1:2:0",
                )
            },
        ),
    ],
    "evaluate": [
        ["evaluate"],
        *([["evaluate", path] for path in (*NO_RUNS, "pretrained:", "pretrained:../x")]),
        *with_flags(
            ["evaluate", "run"],
            {
                "--examples": (*NO_SIZES, "2000000000"),
                "--seed": NO_SEEDS,
                "--input": (
                    "",
                    "missing.npz",
                    ".",
                    "pipe",
                    "list.json",
                    "bomb.npz",
                    "pickle.npz",
                    "large.npz",
                    "mask.npz",
                ),
                "--distractors": ("-1", "1", HUGE),
                "--compute-dtype": ("", "int8", "bfloat16"),
            },
        ),
    ],
    "failures": [
        ["failures"],
        *([["failures", path] for path in (*NO_RUNS, "pretrained:", "pretrained:../x")]),
        *with_flags(
            ["failures", "run"],
            {
                "--examples": (*NO_SIZES, "2000000000"),
                "--seed": NO_SEEDS,
                "--show": ("-1", HUGE, "x"),
                "--out": ("", ".", "pipe", "run/results.json"),
            },
        ),
    ],
    "check-gradients": [
        *([["check-gradients", name] for name in ("", "nothing")]),
        *with_flags(
            ["check-gradients", "lstm"],
            {
                **dict.fromkeys(("--batch", "--steps", "--hidden-size", "--input-size"), NO_SIZES),
                "--seed": NO_SEEDS,
                "--entries": (HUGE, "-1", "nan", "x"),
            },
        ),
        *with_flags(["check-gradients", "rmc"], dict.fromkeys(("--mem-slots", "--head-size"), NO_SIZES)),
    ],
    "bench": [
        *with_flags(
            ["bench"],
            {
                "--seconds": (*NO_NUMBERS, "0", "1e-9", HUGE),
                "--threads": NO_SIZES,
                "--port": ("", "missing.py", ".", "pipe"),
            },
        ),
        ["bench", "nothing"],
        ["bench", "--nothing"],
    ],
    "visualize": [
        ["visualize"],
        ["visualize", "run", "run"],
        *([["visualize", path] for path in NO_RUNS]),
        *with_flags(
            ["visualize", "run"],
            {
                "--only": ("", ",", "nothing", "cost,nothing", "Cost"),
                "--format": ("", "gif", "PNG"),
                "--example": ("", "-1", "100", HUGE, "x", "1.5", "nan"),
                "--nothing": ("1",),
            },
        ),
    ],
    "report": [
        ["report"],
        *([["report", *runs] for path in NO_RUNS for runs in ((path,), ("run", path))]),
        ["report", "--nothing", "run"],
        *with_flags(
            ["report", "run"],
            {"--out": ("", ".", "run", "pipe", "list.json/x.html", "run/config.json", "run/plots/cost.png")},
        ),
    ],
    "playground": [
        *([["playground", path] for path in NO_RUNS if path != "run.json"]),
        ["playground", "run"],
        ["playground", "run/checkpoints/lstm-0.safetensors"],
        ["playground", "run", "run"],
        *with_flags(
            ["playground"],
            {
                "--seed": ("", "x", "1.5", "nan"),
                "--out": ("", ".", "run", "pipe", "list.json/x.html"),
                "--nothing": ("1",),
            },
        ),
    ],
    "course": [
        *([["course", word] for word in ("", "lst", "chek", "1", "--nothing")]),
        *([["course", command] for command in ("start", "check", "measure", "solution")]),
        *(
            [
                ["course", command, number]
                for command in ("start", "check", "measure", "solution")
                for number in ("", "0", "10", "-1", HUGE, "x", "nan", "attention")
            ]
        ),
        *([["course", "check", "1", path] for path in ("", "missing.py", ".", "pipe", "list.json/x.py")]),
        ["course", "measure", "1"],
        *([["course", "measure", "4", path] for path in ("", "missing.py", ".", "pipe", "list.json/x.py")]),
        *with_flags(
            ["course", "measure", "4"], {"--script": ("", "missing.py", ".", "pipe", "list.json/x.py")}
        ),
        *with_flags(["course", "check", "1", "list.json"], {"--seconds": (*NO_NUMBERS, "0", HUGE)}),
        *with_flags(["course", "start", "1"], {"--into": ("", "list.json", "pipe", "list.json/deeper")}),
    ],
    "tasks": [
        *([["tasks", name] for name in ("", "nothing", "sample", "sorting")]),
        *with_flags(
            ["tasks", "sample", "sorting"], {"--count": (*NO_SIZES[:-1], "2147483648"), "--seed": NO_SEEDS}
        ),
        *with_flags(["tasks", "sample", "copy"], {"--length": NO_SIZES}),
        *with_flags(["tasks", "sample", "program"], {"--nesting": NO_SIZES, "--length": NO_SIZES}),
        *with_flags(["tasks", "sample", "nth-farthest"], {"--objects": NO_SIZES, "--dimensions": NO_SIZES}),
        *with_flags(["tasks", "sample", "babi", "--synthetic"], {"--tasks": ("0", "-1", HUGE, "x", "")}),
    ],
}


@pytest.fixture(scope="module")
def there(tmp_path_factory):
    """A folder with a run and files of which none is what a command wants."""
    folder = tmp_path_factory.mktemp("there")
    assert main(["train", *SORTING, "--seeds", "1", "--steps", "4", "--out", str(folder / "run")]) == 0
    for name, value in {
        "list": [1],
        "part": {"budget": {"learning_rate": 1.0}},
        "number": {"steps": "many"},
        "run": {"config": {"model": {"colour": 1}}},
    }.items():
        (folder / f"{name}.json").write_text(json.dumps(value))
    if os.name != "nt":
        os.mkfifo(folder / "pipe")
    (folder / "deep.json").write_text("[" * 100_000)
    inputs = np.zeros((2, 24, 11))
    np.savez(folder / "pickle.npz", inputs=np.array([None]))
    np.savez(folder / "large.npz", inputs=inputs + 1e300)
    np.savez(folder / "mask.npz", inputs=inputs, targets=np.zeros((2, 24), int), mask=np.zeros((2, 24), bool))
    with (
        zipfile.ZipFile(folder / "bomb.npz", "w", zipfile.ZIP_DEFLATED) as file,
        file.open("inputs.npy", "w") as one,
    ):
        np.lib.format.write_array_header_1_0(
            one, {"descr": "<f4", "fortran_order": False, "shape": (2**20, 100, 11)}
        )
        for _ in range(100):
            one.write(bytes(2**20))
    return folder


@pytest.mark.parametrize(
    ("command", "number"), [(c, n) for c, many in CASES.items() for n in range(0, len(many), 25)]
)
def test_a_wrong_command_line_is_refused(there, monkeypatch, capsys, command, number):
    if command in ("compare", "bench") and importlib.util.find_spec("torch") is None:
        pytest.skip("which needs its libraries first")
    monkeypatch.chdir(there)
    before = sorted(there.rglob("*"))
    for argv in CASES[command][number : number + 25]:
        code = main(argv)
        told = capsys.readouterr()
        words = [word for word in UNWANTED if word in told.err]
        assert (code, words) == (2, []), (argv, code, told.err[-500:])
        assert sorted(there.rglob("*")) == before, argv


def test_there_are_twenty_of_each():
    assert {command: len(many) >= 20 for command, many in CASES.items()} == dict.fromkeys(CASES, True)
