"""The NumPy training loop: it learns, keeps the best, stops, and goes on from a checkpoint exactly."""

import json
import math

import numpy as np
import pytest

from relational_rnn.reference import (
    LSTM,
    SGD,
    Adam,
    Batch,
    Classifier,
    RelationalMemory,
    RelationalRNN,
    evaluate,
)
from relational_rnn.tasks import generate_reasoning_data
from relational_rnn.training.learners.numpy import fit
from relational_rnn.training.schedule import step_decay

DATA = generate_reasoning_data("sorting", train=300, validation=100, test=100, harder=1, sizes={"items": 2})


def make_model(kind="lstm", seed=0):
    features, classes = DATA.metadata["input_size"], DATA.metadata["classes"]
    if kind == "hybrid":
        return RelationalRNN(features, 12, classes, num_slots=2, slot_size=8, num_heads=2, seed=seed)
    if kind == "rmc":
        core = RelationalMemory(features, mem_slots=2, head_size=4, num_heads=2, dtype=np.float32, seed=seed)
        return Classifier(core, classes, seed=seed)
    return LSTM(features, 12, output_size=classes, seed=seed)


def train(model, **options):
    options = {"steps": 40, "optimizer": Adam(0.02), "batch_size": 30, "evaluate_every": 10} | options
    return fit(model, DATA.train, DATA.validation, progress=False, **options)


@pytest.mark.parametrize("kind", ["lstm", "hybrid", "rmc"])
def test_every_model_learns(kind):
    model = make_model(kind)
    result = train(model, steps=150)
    assert result.finished
    assert not result.stopped_early
    assert [record["step"] for record in result.history] == list(range(10, 151, 10))
    assert result.best["validation_accuracy"] > DATA.metadata["majority"] + 0.1
    assert evaluate(model, DATA.test)["accuracy"] > DATA.metadata["majority"] + 0.1


def test_the_best_parameters_are_kept():
    model, rates = make_model(), iter([1.0] * 30 + [60.0] * 10)  # ruined at the end
    result = train(model, schedule=lambda step: next(rates))
    best = max(result.history, key=lambda record: record["validation_accuracy"])
    assert result.best == best
    assert best["step"] == 30
    assert result.history[-1]["validation_accuracy"] < best["validation_accuracy"]
    scores = evaluate(model, DATA.validation)
    assert scores == {name: best[f"validation_{name}"] for name in scores}


def test_of_equally_good_ones_the_first_is_kept():
    assert train(make_model(), optimizer=Adam(0.0)).best["step"] == 10


@pytest.mark.parametrize("monitor", ["loss", "accuracy", "sequence_accuracy"])
def test_what_best_means(monitor):
    result = train(make_model(), monitor=monitor)
    values = [record[f"validation_{monitor}"] for record in result.history]
    assert result.best[f"validation_{monitor}"] == (min if monitor == "loss" else max)(values)


def test_patience_stops_early():
    result = train(make_model(), optimizer=Adam(0.0), patience=2)
    assert (result.step, result.stopped_early, result.finished) == (30, True, True)
    result = train(make_model(), optimizer=Adam(0.0), patience=3)
    assert (result.step, result.stopped_early, result.finished) == (40, False, True)


def test_records_say_what_happened(tmp_path):
    log, told = tmp_path / "runs" / "metrics.jsonl", []
    result = train(make_model(), log=log, report=told.append, schedule=lambda step: step_decay(step, 20, 0.5))
    assert [json.loads(line) for line in log.read_text().splitlines()] == told
    assert [record for record in told if "validation_loss" in record] == result.history
    last = result.history[-1]
    assert last["examples"] == 1200
    assert last["progress"] == 1.0
    assert last["learning_rate"] == 0.01
    wanted = {"loss", "grad_norm", "accuracy", "sequence_accuracy", "validation_sequence_accuracy", "seconds"}
    assert wanted <= last.keys()
    assert "steps" not in last


def test_the_training_numbers_are_means_since_the_evaluation_before():
    fine, coarse = (train(make_model(), evaluate_every=every) for every in (1, 20))
    mean = np.mean([record["loss"] for record in fine.history[20:]])
    assert coarse.history[1]["loss"] == pytest.approx(mean, rel=1e-12)


def test_every_pass_sees_each_example_once_in_an_order_of_its_own():
    seen = []

    class Watched(LSTM):
        def forward(self, sequence, **options):
            seen.append(sequence)
            return super().forward(sequence, **options)

    inputs = np.random.default_rng(0).standard_normal((7, 2, 3))
    data = Batch(inputs, np.zeros(7, dtype=int))
    fit(Watched(3, 4, output_size=2), data, data, steps=6, batch_size=2, evaluate_every=100, progress=False)
    seen = seen[2:]  # after the checks of both parts
    passes = [np.concatenate(seen[0:3]), np.concatenate(seen[3:6])]
    for one in passes:
        assert len(np.unique(one[:, 0, 0])) == 6
        assert np.isin(one, inputs).all()
    assert (passes[0] != passes[1]).any()


@pytest.mark.parametrize("optimizer", [lambda: Adam(0.02), lambda: SGD(0.5, momentum=0.9)])
@pytest.mark.parametrize("kind", ["lstm", "hybrid", "rmc"])
def test_a_stopped_training_goes_on_exactly(kind, optimizer, tmp_path):
    options = {"schedule": lambda step: step_decay(step, 15, 0.5), "seed": 3}
    whole = make_model(kind)
    wanted = train(whole, optimizer=optimizer(), **options)

    file, log, parts = tmp_path / "checkpoint.safetensors", tmp_path / "log.jsonl", make_model(kind)
    for stop in (13, 30):
        steps = iter(range(1, 1000))
        begun = parts.params["core.gate_memory.weight"].copy() if kind == "rmc" else None
        result = train(
            parts, optimizer=optimizer(), checkpoint=file, log=log,
            stopped=lambda steps=steps, stop=stop: next(steps) >= stop, **options,
        )  # fmt: skip
        parts = make_model(kind, seed=9)  # another start: all comes from the file
        assert begun is None or begun.any()
        if stop == 13:
            assert (result.step, result.finished) == (13, False)
    result = train(parts, optimizer=optimizer(), checkpoint=file, log=log, **options)
    assert result.finished
    for name, value in whole.params.items():
        np.testing.assert_array_equal(parts.params[name], value, err_msg=name)

    def without_time(records):
        return [{name: value for name, value in r.items() if name != "seconds"} for r in records]

    assert without_time(result.history) == without_time(wanted.history)
    steps = [json.loads(line)["step"] for line in log.read_text().splitlines()]
    assert steps == sorted(steps)

    again = make_model(kind, seed=5)
    assert train(again, optimizer=optimizer(), checkpoint=file, **options) == result  # finished: only loaded
    np.testing.assert_array_equal(next(iter(again.params.values())), next(iter(whole.params.values())))


def test_the_log_forgets_what_comes_after_the_checkpoint(tmp_path):
    log = tmp_path / "log.jsonl"
    log.write_text('{"step": 1000}\n{"step": 1001')
    train(make_model(), log=log)
    assert [json.loads(line)["step"] for line in log.read_text().splitlines()][-1] == 40


def test_the_peak_rate_is_the_users_again_afterwards():
    optimizer = Adam(0.02)
    train(make_model(), optimizer=optimizer, schedule=lambda step: 0.1)
    assert optimizer.learning_rate == 0.02


def test_targets_without_time_and_numbers():
    rng = np.random.default_rng(0)
    inputs = rng.standard_normal((64, 5, 3))
    classes = Batch(inputs, (inputs[:, 0, 0] > 0).astype(int))
    result = fit(LSTM(3, 8, output_size=2), classes, classes, steps=60, optimizer=Adam(0.02), progress=False)
    assert result.best["validation_accuracy"] > 0.9
    numbers = Batch(inputs, inputs[:, -1, :1] * 0.5)
    result = fit(LSTM(3, 8, output_size=1), numbers, numbers, steps=60, optimizer=Adam(0.02), progress=False)
    assert result.best["validation_loss"] < 0.5 * np.var(numbers.targets)
    assert "validation_accuracy" not in result.best


def test_the_progress_bar_shows_the_scores(capsys):
    data = DATA.train
    fit(make_model(), data, DATA.validation, steps=5, batch_size=30)
    shown = " ".join(capsys.readouterr().out.split())
    assert "100%" in shown
    assert "validation accuracy 0." in shown


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"steps": 0}, "steps must be an integer of at least 1, got 0"),
        ({"batch_size": 301}, "batch_size must be at most the 300 training examples, got 301"),
        ({"evaluate_every": 0}, "evaluate_every must be an integer of at least 1"),
        ({"patience": 0}, "patience must be an integer of at least 1"),
        ({"monitor": "f1"}, "monitor must be one of 'accuracy', 'sequence_accuracy', 'loss', got 'f1'"),
        ({"seed": -1}, "seed must be an integer of at least 0"),
        ({"max_norm": 0.0}, "max_norm must be above 0"),
    ],
)
def test_bad_numbers(options, message):
    with pytest.raises(ValueError, match=message):
        train(make_model(), **options)


def spoilt(**parts):
    """Return the examples of DATA.train with other parts."""
    return Batch(**{name: getattr(DATA.train, name) for name in ("inputs", "targets", "mask")} | parts)


X, Y, MASK = DATA.train.inputs, DATA.train.targets, DATA.train.mask
HOLE = X.copy()
HOLE[7, 0, 0] = np.nan


@pytest.mark.parametrize(
    ("examples", "error", "message"),
    [
        (spoilt(targets=Y[:299]), ValueError, r"as many examples, got shapes \(300, .* and \(299, "),
        (spoilt(targets=np.r_[Y, Y]), ValueError, r"as many examples, got shapes \(300, .* and \(600, "),
        (spoilt(mask=MASK[:200]), ValueError, r"mask must have shape \(300, .*, got \(200, "),
        (spoilt(targets=Y[:, :2], mask=None), ValueError, r"targets of shape \(300,\), .* or \(300, \d+\)"),
        (spoilt(targets=Y[:, :2], mask=None), ValueError, "integers are classes, floats numbers to predict"),
        (spoilt(inputs=X[:, 0]), ValueError, r"must have inputs of shape \(B, T, F\), got \(300, \d+\)"),
        (
            spoilt(targets=np.r_[Y[:-1], Y[-1:] + 90]),
            ValueError,
            r"targets of \w+ must be from 0 to .*, got ",
        ),
        (spoilt(inputs=HOLE), ValueError, r"holds inputs that are NaN or infinite, in 1 of 300 examples"),
        (
            spoilt(targets=Y[:, 0] * 1.0, mask=None),
            ValueError,
            r"got \(300,\); floats are numbers to predict",
        ),
        (spoilt(targets=Y.astype(str)), TypeError, "must have targets of integers or floats, got <U"),
        (X, TypeError, r"must be a Batch\(inputs, targets\), got ndarray"),
        ((X, Y), TypeError, r"must be a Batch\(inputs, targets\), got tuple"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_examples_that_do_not_fit_are_found_before_the_first_step(examples, error, message):
    model = make_model()
    before = {name: value.copy() for name, value in model.params.items()}
    for parts in ((examples, DATA.validation), (DATA.train, examples)):
        with pytest.raises(error, match=message):
            fit(model, *parts, steps=5, batch_size=2, progress=False)
    assert all(np.array_equal(value, before[name]) for name, value in model.params.items())


def test_targets_that_are_not_finite():
    data = Batch(np.ones((4, 3, 2)), np.full((4, 1), np.inf))
    with pytest.raises(ValueError, match="train holds targets that are NaN or infinite, in 4 of 4"):
        fit(LSTM(2, 4, output_size=1), data, data, steps=1, progress=False)


def test_an_optimiser_by_name():
    with pytest.raises(TypeError, match=r"such as Adam\(1e-3\), got 'adam'"):
        train(make_model(), optimizer="adam")


def test_a_model_that_cannot_be_trained():
    core = RelationalMemory(DATA.metadata["input_size"], mem_slots=2, head_size=4)
    with pytest.raises(TypeError, match="model must be an LSTM, a RelationalRNN or a Classifier"):
        train(core)


def test_divergence_names_the_step():
    data = Batch(np.ones((4, 3, 2)), np.ones((4, 3, 1)))
    with (
        np.errstate(all="ignore"),
        pytest.raises(FloatingPointError, match=r"at step 1; try a peak learning"),
    ):
        fit(
            LSTM(2, 4, output_size=1), data, data, steps=9, batch_size=4, optimizer=SGD(1e200), max_norm=None,
            progress=False,
        )  # fmt: skip


def test_a_checkpoint_of_something_else(tmp_path):
    file = tmp_path / "checkpoint.safetensors"
    train(make_model(), checkpoint=file)
    with pytest.raises(ValueError, match=r"another training \(steps: 40 there, 50 now\)"):
        train(make_model(), checkpoint=file, steps=50)
    with pytest.raises(ValueError, match=r"learning_rate: 0\.02 there, 0\.01 now"):
        train(make_model(), checkpoint=file, optimizer=Adam(0.01))
    with pytest.raises(ValueError, match=r"of another model: names differ: .* unknown; remove it"):
        train(make_model("hybrid"), checkpoint=file)
    file.write_bytes(b"not a file of arrays")
    with pytest.raises(ValueError, match="no readable safetensors file"):
        train(make_model(), checkpoint=file)


def test_step_decay():
    assert [step_decay(step, 3, 0.1) for step in (0, 2, 3, 5)] == [1.0, 1.0, 0.1, 0.1]
    assert math.isclose(step_decay(9, 3, 0.1), 1e-3)
    with pytest.raises(ValueError, match="every must be an integer of at least 1, got 0"):
        step_decay(5, 0, 0.5)
