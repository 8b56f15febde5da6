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
    clip_gradients,
    cross_entropy_loss,
    evaluate,
    mse_loss,
    train_step,
)
from relational_rnn.tasks import nth_farthest
from tolerances import assert_close

CLASSES, STEPS = 4, 5


def make_models(features, classes, dtype=np.float32):
    core = RelationalMemory(features, mem_slots=2, head_size=8, num_heads=2, dtype=dtype)
    return {
        "lstm": LSTM(features, 24, classes, dtype=dtype),
        "hybrid": RelationalRNN(features, 20, classes, num_slots=3, slot_size=16, dtype=dtype),
        "rmc": Classifier(core, classes, (16,)),
    }


MODELS = list(make_models(1, 1))


def recall(rng, size, at_every_step):
    """Which class stood at the first step, asked at the end or, with a mask, at every step but the first."""
    first = rng.integers(CLASSES, size=size)
    inputs = rng.standard_normal((size, STEPS, CLASSES)).astype(np.float32)
    inputs[:, 0] = np.eye(CLASSES)[first]
    if not at_every_step:
        return Batch(inputs, first)
    mask = np.ones((size, STEPS), bool)
    mask[:, 0] = False
    return Batch(inputs, np.where(mask, first[:, None], -1), mask)


@pytest.mark.parametrize("at_every_step", [True, False])
@pytest.mark.parametrize("name", MODELS)
def test_it_learns_to_remember(name, at_every_step):
    model, rng = make_models(CLASSES, CLASSES)[name], np.random.default_rng(0)
    test = recall(rng, 500, at_every_step)
    before = evaluate(model, test)
    assert before["accuracy"] < 0.5
    optimizer = Adam(learning_rate=0.01)
    for _ in range(150):
        metrics = train_step(model, recall(rng, 32, at_every_step), optimizer, max_norm=1.0)
    after = evaluate(model, test)
    assert metrics["accuracy"] > 0.9
    assert after["accuracy"] > 0.95
    assert after["loss"] < 0.2 * before["loss"]


@pytest.mark.parametrize("name", MODELS)
def test_it_learns_two_objects_of_nth_farthest(name):
    task, rng = nth_farthest.NthFarthest(objects=2, dimensions=1), np.random.default_rng(0)
    model, optimizer = make_models(task.input_size, task.classes)[name], Adam(learning_rate=0.01)
    for _ in range(150):
        train_step(model, nth_farthest.sample(task, 32, rng), optimizer)
    assert evaluate(model, nth_farthest.sample(task, 500, rng))["accuracy"] > 0.95


@pytest.mark.parametrize("name", MODELS)
def test_it_learns_to_predict_numbers(name):
    rng = np.random.default_rng(0)

    def draw(size):  # the running mean of the first feature
        inputs = rng.standard_normal((size, STEPS, 2))
        mean = inputs[..., :1].cumsum(axis=1) / np.arange(1, STEPS + 1)[:, None]
        return Batch(inputs, mean)

    model, optimizer = make_models(2, 1)[name], Adam(learning_rate=0.01)
    test = draw(500)
    for _ in range(150):
        assert train_step(model, draw(32), optimizer).keys() == {"loss", "grad_norm"}
    metrics = evaluate(model, test)
    assert metrics.keys() == {"loss"}
    assert metrics["loss"] < 0.25 * np.var(test.targets)


@pytest.mark.parametrize("max_norm", [None, 0.1])
def test_a_step_is_forward_backward_clip_and_update(max_norm):
    model, twin = (make_models(CLASSES, CLASSES, np.float64)["hybrid"] for _ in range(2))
    batch = recall(np.random.default_rng(0), 8, True)
    metrics = train_step(model, batch, SGD(0.5), max_norm)

    scores = twin.forward(batch.inputs)
    loss, d_scores = cross_entropy_loss(scores, batch.targets, batch.mask)
    twin.backward(d_scores)
    clipped, norm = clip_gradients(twin.grads, max_norm or 1e9)
    right = scores.argmax(axis=-1) == batch.targets
    assert norm > 0.1
    assert_close(metrics["loss"], loss)
    assert_close(metrics["grad_norm"], norm)
    assert_close(metrics["accuracy"], right[batch.mask].mean())
    assert_close(metrics["sequence_accuracy"], right[:, 1:].all(axis=1).mean())
    for name, value in twin.params.items():
        assert_close(model.params[name], value - 0.5 * clipped[name], what=name)


def test_evaluate_is_the_mean_over_what_counts_for_any_batch_size():
    model, rng = make_models(CLASSES, CLASSES, np.float64)["lstm"], np.random.default_rng(0)
    inputs, targets = recall(rng, 10, True)[:2]
    mask = rng.random((10, STEPS)) < 0.3
    mask[2:4] = False  # with two at a time, a piece in which nothing counts
    targets = np.where(mask, rng.integers(CLASSES, size=mask.shape), -1)
    before = {name: value.copy() for name, value in model.params.items()}
    scores = model.forward(inputs)
    right = scores.argmax(axis=-1) == targets
    asked = mask.any(axis=1)
    expected = {
        "loss": cross_entropy_loss(scores, targets, mask)[0],
        "accuracy": right[mask].mean(),
        "sequence_accuracy": (right | ~mask)[asked].all(axis=1).mean(),
    }
    assert not asked.all()
    for batch_size in (1, 2, 3, 10, 256):
        metrics = evaluate(model, Batch(inputs, targets, mask), batch_size)
        assert metrics.keys() == expected.keys()
        for name, value in expected.items():
            assert_close(metrics[name], value, what=name)
    for name, value in before.items():
        np.testing.assert_array_equal(model.params[name], value)
    numbers = rng.standard_normal((10, CLASSES))
    last = model.forward(inputs, return_sequences=False)
    assert_close(evaluate(model, Batch(inputs, numbers), 3)["loss"], mse_loss(last, numbers)[0])


def test_a_diverged_step_changes_nothing():
    model = LSTM(CLASSES, 3, CLASSES)
    model.params["weight_ih"][0, 0] = np.nan
    before = {name: value.copy() for name, value in model.params.items()}
    with pytest.raises(FloatingPointError, match="training diverged: loss nan"):
        train_step(model, recall(np.random.default_rng(0), 4, False), Adam())
    for name, value in before.items():
        np.testing.assert_array_equal(model.params[name], value)


def test_they_say_what_is_wrong():
    model, batch = LSTM(CLASSES, 3, CLASSES), recall(np.random.default_rng(0), 4, True)
    core = RelationalMemory(CLASSES, 2, 4)
    with pytest.raises(TypeError, match=r"model must be an LSTM.* Classifier .*, got RelationalMemory"):
        train_step(core, batch, Adam())
    with pytest.raises(ValueError, match=r"as many examples, got shapes \(4, 5, 4\) and \(3, 5\)"):
        evaluate(model, batch._replace(targets=batch.targets[:3]))
    with pytest.raises(ValueError, match=r"mask must have shape \(4, 5\)"):
        evaluate(model, batch._replace(mask=batch.mask[:, 0]))
    with pytest.raises(TypeError, match="mask must hold booleans"):
        train_step(model, batch._replace(mask=batch.mask + 0), Adam())
    with pytest.raises(ValueError, match="targets must be from 0 to 3"):
        train_step(model, batch._replace(mask=None), Adam())
    with pytest.raises(ValueError, match="batch_size must be an integer of at least 1, got 0"):
        evaluate(model, batch, 0)
    with pytest.raises(ValueError, match="none counts"):
        evaluate(model, batch._replace(mask=batch.mask & False))
