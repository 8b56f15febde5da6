"""`plan`: bytes that are counted, lines that are drawn through them, and a real run beside."""

import json
import time

import pytest

torch = pytest.importorskip("torch")

from relational_rnn.bench.plan import Held, Measured, Point, counted, drawn, measure_model, most_held  # noqa: E402
from relational_rnn.cli.main import main  # noqa: E402
from relational_rnn.recipes import find_recipe  # noqa: E402
from relational_rnn.tasks.language import read  # noqa: E402
from relational_rnn.training.config import with_values  # noqa: E402
from relational_rnn.training.contestants import contestants  # noqa: E402
from relational_rnn.training.data import batches_of, splits_of  # noqa: E402
from relational_rnn.training.framework import framework_of  # noqa: E402

pytestmark = pytest.mark.torch


def learner_of(**changes):
    config = with_values(find_recipe("language", "tiny"), {"seeds": 1, "models": ("rmc",), **changes})
    framework, (contestant,) = framework_of("torch"), contestants(config)
    counts = read(config.task).vocabulary.counts
    return framework.learner(framework.build(config, contestant), config), counts


def test_what_training_keeps_is_counted_to_the_byte():
    learner, counts = learner_of(average_decay=0.9)
    learner.train_step(drawn(counts, 3, 7), 1e-3)
    parameters = [one.numel() for one in learner.model.parameters()]
    numbers, buffers = sum(parameters), sum(one.nbytes for one in learner.model.buffers())
    assert counted(learner, on_gpu=False) == {
        "parameters": numbers,
        "weights": 4 * numbers + buffers,
        "gradients": 4 * numbers,
        "optimiser": 8 * numbers + 4 * len(parameters),  # Adam counts the steps of each tensor
        "copies": 2 * 4 * numbers + buffers + 8,  # the average counts its steps
    }
    assert counted(learner, on_gpu=True)["copies"] == 4 * numbers + buffers + 8


@pytest.mark.parametrize("changes", [{}, {"models": ("lstm",), "tied_embeddings": True}, {"accumulate": 2}])
def test_two_small_steps_tell_the_bytes_of_a_large_one(changes):
    learner, counts = learner_of(head_size=32, output_dropout=0.3, **changes)
    points = []
    for streams in (4, 8, 40):
        windows = drawn(counts, streams, 12)
        learner.train_step(windows, 1e-3)
        with Held() as held:
            learner.gradients(windows)
        points.append(Point(streams, held.trace, 0.0))
    most = max(points[2].held)  # the LSTM's products work in more memory where there are few rows
    assert most_held(points[:2], 40) == (pytest.approx(most, rel=0.02) if "models" in changes else most)
    smallest = min(one.nbytes for one in learner.model.parameters())
    assert max(points[2].held) > 1.5 * max(points[1].held) > smallest


def plan(capsys, *flags):
    assert main(["plan", "language", "--preset", "tiny", "--models", "rmc", *flags]) == 0
    return capsys.readouterr().out


def test_the_command_tells_what_follows_from_its_measurements(capsys):
    flags = ("--measure", "0", "--processes", "4", "--bandwidth", "0.5", "--tokens", "12800", "--json")
    found = json.loads(plan(capsys, *flags, "--vocabulary", "1000").splitlines()[-1])
    parameters, gradients = found["parameters"], found["gradients"]
    assert parameters > 1000 * 8  # an embedding of each token
    assert (found["streams"], gradients) == (2, 4 * parameters)
    assert found["sent"] == pytest.approx(1.5 * gradients, abs=1)
    assert found["all_reduce"] == pytest.approx(1.5 * gradients / (0.5e9 / 8), rel=1e-3)
    whole = found["step"] + found["all_reduce"]
    assert found["tokens_per_second"] == pytest.approx(8 * 16 / whole)
    assert found["run"] == pytest.approx(20 * whole)
    assert found["epoch"] == pytest.approx(100 * whole)
    kept = sum(found[name] for name in ("process", "weights", "gradients", "optimiser", "copies", "work"))
    assert found["peak"] == max(kept, found["most"]) + gradients


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ([], "which task? relational-rnn plan language"),
        (["sorting"], "plan takes language alone, got 'sorting'"),
        (["language", "--processes", "3"], "batch_size must be a multiple of the 3 processes, got 32"),
        (
            ["language", "--processes", "4", "--accumulate", "9"],
            "accumulate must be at most the 8 streams of each of 4 processes, got 9",
        ),
        (["language", "--processes", "0"], "processes must be an integer of at least 1, got 0"),
        (["language", "--bandwidth", "0"], "bandwidth must be above 0, got 0.0"),
        (["language", "--tokens", "0"], "tokens must be an integer of at least 1, got 0"),
        (["language", "--vocabulary", "1"], "vocabulary must be an integer of at least 4"),
        (["language", "--vocabulary", "9", "--units", "bytes"], "bytes are 256: vocabulary must be None"),
        (["language", "--vocabulary", "9", "--data", "a"], "vocabulary is for a plan without a text"),
        (["language", "--data", "gone"], "there is no text 'gone'"),
        (["language", "--framework", "numpy", "--models", "lstm"], "language needs framework='torch'"),
    ],
)
def test_wrong_use_is_told(words, told, capsys):
    assert main(["plan", *words]) == 2
    assert told in capsys.readouterr().err


@pytest.mark.slow
def test_a_real_run_has_the_memory_that_was_planned(tmp_path, capsys):
    sizes = ("--batch-size", "64", "--head-size", "96", "--window", "64", "--streams", "64")
    flags = [*sizes, "--preset", "characters", "--models", "rmc", "--steps", "3", "--evaluate-every", "3"]
    assert main(["plan", "language", *flags, "--measure", "1", "--json"]) == 0
    found = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert main(["train", "language", *flags, "--out", str(tmp_path / "run")]) == 0
    real = json.loads((tmp_path / "run/results.json").read_text())["models"]["rmc"]
    assert found["parameters"] == real["parameters"]
    assert found["peak"] == pytest.approx(real["peak_memory"], rel=0.2)


@pytest.mark.slow
@pytest.mark.parametrize("model", ["rmc", "lstm"])
def test_a_real_training_takes_the_time_that_was_planned(model):
    """By the processor's time, which other programs leave alone."""
    config = with_values(
        find_recipe("language", "characters"), {"models": (model,), "batch_size": 16, "window": 32}
    )
    reports = []
    measure_model(config, 16, 20.0, model, reports.append, lambda: False, time.process_time)
    found = Measured(**reports[0])
    assert found.points[-1].streams == 16
    framework, (contestant,) = framework_of("torch"), contestants(config)
    with framework.limit_threads(1):
        learner = framework.learner(framework.build(config, contestant), config)
        given = batches_of(config, splits_of(config, with_training=True), None)
        for step in range(60):
            if step == 10:
                start = time.process_time()
            learner.train_step(given(step), 1e-3)
    assert (time.process_time() - start) / 50 == pytest.approx(found.seconds(16), rel=0.2)
