"""The losses through every model: what `train_step` follows is the derivative, with masks and without."""

import numpy as np
import pytest

from helpers.gradients import check_gradient
from relational_rnn.reference import (
    LSTM,
    Classifier,
    RelationalMemory,
    RelationalRNN,
    cross_entropy_loss,
    mse_loss,
)

SLOW = pytest.mark.slow
B, T, F, C = 3, 4, 5, 3
RNG = np.random.default_rng(0)
X = RNG.standard_normal((B, T, F))
CLASSES, NUMBERS = RNG.integers(C, size=(B, T)), RNG.standard_normal((B, T, C))
MASK = np.array([[True, False, True, True], [False] * 4, [True, True, False, False]])

MODELS = {
    "lstm": lambda: LSTM(F, 4, C),
    "hybrid": lambda: RelationalRNN(F, 4, C, num_slots=2, slot_size=4),
    "classifier of lstm": lambda: Classifier(LSTM(F, 4), C, (6,)),
    "classifier of hybrid": lambda: Classifier(RelationalRNN(F, 4, num_slots=2, slot_size=4), C, (6,)),
    "classifier of rmc": lambda: Classifier(RelationalMemory(F, 2, 3, 2), C, (6,)),
}


@pytest.mark.parametrize(
    ("return_sequences", "masked"),
    [
        (True, True),
        pytest.param(True, False, marks=SLOW),
        pytest.param(False, True, marks=SLOW),
        (False, False),
    ],
)
@pytest.mark.parametrize(("loss", "targets"), [(cross_entropy_loss, CLASSES), (mse_loss, NUMBERS)])
@pytest.mark.parametrize("name", MODELS)
def test_the_losss_gradient_reaches_every_parameter(name, loss, targets, return_sequences, masked):
    model, rng, x = MODELS[name](), np.random.default_rng(1), X.copy()
    for value in model.params.values():
        value += 0.2 * rng.standard_normal(value.shape)
    answers = slice(None) if return_sequences else -1
    mask = MASK[:, answers] if masked else None

    def run():
        return loss(model.forward(x, return_sequences), targets[:, answers], mask)

    returned = model.backward(run()[1])
    d_x, grads = returned[0] if isinstance(returned, tuple) else returned, model.grads
    check_gradient(lambda: run()[0], x, d_x, "sequence", entries=2)
    if masked:  # of the second sequence no answer counts, of the third nothing after the second step
        assert not d_x[1].any()
        assert not d_x[2, 2:].any()
    assert grads.keys() == model.params.keys()
    for parameter, value in model.params.items():
        check_gradient(lambda: run()[0], value, grads[parameter], parameter, entries=1)
