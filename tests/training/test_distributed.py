"""Several processes that share a training: the same numbers as one, also where some go on for others."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from relational_rnn.recipes import find_recipe  # noqa: E402
from relational_rnn.training.config import with_values  # noqa: E402
from relational_rnn.training.contestants import contestants  # noqa: E402
from relational_rnn.training.data import batches_of, splits_of  # noqa: E402
from relational_rnn.training.distributed import Alone  # noqa: E402
from relational_rnn.training.framework import framework_of  # noqa: E402

pytestmark = pytest.mark.torch

PATIENCE = 120.0
"""Seconds until a run must have begun, on a busy machine."""


class Half(Alone):
    """One of two, whose other half is not there: it reads half of the streams."""

    size = 2

    def __init__(self, rank):
        self.rank = rank

    def rows(self, count):
        return slice(self.rank * count // 2, (self.rank + 1) * count // 2)


def config_of(**changes):
    small = {"models": ("rmc",), "seeds": 1, "window": 5, "batch_size": 6, "input_dropout": 0.3}
    return with_values(find_recipe("language", "tiny"), {**small, "output_dropout": 0.2, **changes})


def learner_of(config, *team):
    framework = framework_of("torch")
    (contestant,) = contestants(config)
    return framework.learner(framework.build(config, contestant), config, *team)


@pytest.mark.parametrize(
    "changes",
    [{}, {"models": ("lstm",), "accumulate": 2}, {"models": ("hybrid",), "adaptive_softmax": True}],
)
def test_the_mean_of_two_halves_is_the_whole(changes):
    """Of the gradient, with the memory that each carries and takes from a checkpoint of the whole."""
    config = config_of(**changes)
    given = batches_of(config, splits_of(config, with_training=True), None)
    whole = learner_of(config)
    for step in range(2):
        whole.train_step(given(step), 1e-2)
    halves = [learner_of(config, Half(rank)) for rank in (0, 1)]
    for learner in halves:
        learner.load_state(whole.state())
    for step in (2, 3):
        for learner in (whole, *halves):
            learner.gradients(given(step))
    for parameter, *parts in zip(*(learner.model.parameters() for learner in (whole, *halves))):
        wanted, first, second = (
            torch.zeros_like(one) if one.grad is None else one.grad for one in (parameter, *parts)
        )
        torch.testing.assert_close((first + second) / 2, wanted, rtol=1e-4, atol=1e-6)


def environment():
    return {name: value for name, value in os.environ.items() if name != "TORCHELASTIC_RUN_ID"}


def start(folder, *flags, processes=2):
    """Start a training; the processes of torchrun are a group of their own."""
    several = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)]
    words = [sys.executable, *(several if processes > 1 else []), "-m", "relational_rnn", "train", "language"]
    words += ["--preset", "tiny", "--seeds", "1", "--threads", "1", "--out", str(folder), *flags]
    return subprocess.Popen(
        words,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=environment(),
        start_new_session=True,
    )


def finish(process, code=0, within=600.0):
    told = process.communicate(timeout=within)[0]
    assert code is None or process.returncode == code, told
    return told


def wait_for_steps(folder, process):
    end = time.monotonic() + PATIENCE
    while not (folder / "metrics.jsonl").exists():
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < end
        time.sleep(0.1)


def curves(folder):
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    names = ("step", "loss", "grad_norm", "validation_loss", "validation_accuracy")
    points = [line for line in lines if "validation_loss" in line]
    return {
        model: np.array([[point[name] for name in names] for point in points if point["model"] == model])
        for model in sorted({point["model"] for point in points})
    }


def rank_of(process: int) -> str | None:
    with contextlib.suppress(OSError):
        found = Path(f"/proc/{process}/environ").read_bytes().split(b"\0")
        return next((one[5:].decode() for one in found if one.startswith(b"RANK=")), None)
    return None


@pytest.mark.slow
@pytest.mark.parametrize(
    "flags",
    [
        ["--models", "rmc,lstm", "--input-dropout", "0.2"],
        ["--models", "gru", "--adaptive-softmax", "--accumulate", "2"],
    ],
)
def test_two_processes_have_the_curve_of_one(tmp_path, flags):
    together, alone = tmp_path / "together", tmp_path / "alone"
    told = finish(start(together, *flags))
    assert told.count("Written: ") == 1
    finish(start(alone, *flags, processes=1))
    expected, found = curves(alone), curves(together)
    assert found.keys() == expected.keys()
    for model in expected:
        np.testing.assert_allclose(found[model], expected[model], rtol=1e-4)
    results = [json.loads((folder / "results.json").read_text()) for folder in (alone, together)]
    for model in results[0]["models"]:
        scores = [result["models"][model]["test_perplexity"] for result in results]
        assert scores[1] == pytest.approx(scores[0], rel=1e-4)


@pytest.mark.slow
def test_one_process_goes_on_for_two_and_two_for_one(tmp_path):
    flags = ["--models", "lstm", "--steps", "600", "--evaluate-every", "300", "--output-dropout", "0.2"]
    finish(start(tmp_path / "whole", *flags, processes=1))
    expected = curves(tmp_path / "whole")["lstm-0"]
    for before, after in ((2, 1), (1, 2)):
        folder = tmp_path / f"from-{before}"
        process = start(folder, *flags, processes=before)
        wait_for_steps(folder, process)
        os.killpg(process.pid, signal.SIGINT)
        told = finish(process, None)
        assert "Stopped; everything is saved. Go on with:" in told
        assert ("torchrun --standalone --nproc-per-node 2" in told) == (before == 2)
        assert "\nerror: " not in told
        assert not (folder / "results.json").exists()
        finish(start(folder, *flags, "--resume", processes=after))
        np.testing.assert_allclose(curves(folder)["lstm-0"], expected, rtol=1e-3)


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="finds the processes in /proc")
@pytest.mark.parametrize("rank", ["0", "1"])
def test_the_death_of_one_ends_all(tmp_path, rank):
    process = start(tmp_path / "run", "--models", "lstm", "--steps", "1000000", "--evaluate-every", "100000")
    wait_for_steps(tmp_path / "run", process)
    children = [int(one.name) for one in Path("/proc").iterdir() if one.name.isdigit()]
    own = [one for one in children if rank_of(one) == rank and os.getpgid(one) in (process.pid, one)]
    own = [one for one in own if str(tmp_path).encode() in Path(f"/proc/{one}/cmdline").read_bytes()]
    (victim,) = own
    os.kill(victim, signal.SIGKILL)
    told = finish(process, 1, within=30.0)
    assert "error: another process of this training is gone, or cannot be reached" in told


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["train", "language", "--batch-size", "7"], "batch_size must be a multiple of the 2 processes"),
        (["train", "sorting"], "which can share texts alone (train language), not sorting"),
        (["evaluate", "runs/none"], "evaluate runs in one process; torchrun's several are for train and"),
    ],
)
def test_wrong_use_is_told_once(words, message):
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    done = subprocess.run(
        [*command, "-m", "relational_rnn", *words], capture_output=True, text=True, env=environment()
    )
    assert done.returncode == 1
    assert done.stderr.count(message) == 1
