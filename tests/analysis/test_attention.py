"""Where heads look, counted."""

import dataclasses

import numpy as np
import pytest

from relational_rnn.analysis import attention_shares
from relational_rnn.training.recordings import RecordedAttention


def question(weights, labels=(2, 0, 1)):
    return RecordedAttention(np.array(weights), list(labels), n=0, reference=0, answer=1, prediction=1)


def test_shares_of_the_input_and_of_the_slot_itself():
    """Two heads, two slots and an input row: before the reference, at it, after it."""
    away, alike = [[0, 0.2, 0.8], [0.4, 0, 0.6]], [[1 / 3] * 3] * 2
    one = question([[away, alike], [alike, alike], [[[1, 0, 0], [0, 1, 0]], alike]])
    other = question([[alike, alike]] * 3)
    third = round(1 / 3, 4)
    shares = attention_shares([one])
    assert shares["input"] == {"before": [0.7, third], "reference": [third, third], "after": [0, third]}
    assert shares["itself"] == {"before": [0, third], "reference": [third, third], "after": [1, third]}
    both = attention_shares([one, other])
    assert both["input"]["before"][0] == pytest.approx((0.7 + 1 / 3) / 2, abs=1e-4)


def test_several_steps_count_alike():
    weights = np.zeros((4, 1, 1, 2))
    weights[..., 0] = np.array([0.1, 0.3, 0.5, 0.9])[:, None, None]
    weights[..., 1] = 1 - weights[..., 0]
    shares = attention_shares([question(weights, labels=(2, 3, 0, 1))])
    assert shares["itself"] == {"before": [0.2], "reference": [0.5], "after": [0.9]}


def test_questions_that_do_not_compare():
    fine = question(np.full((3, 1, 2, 3), 1 / 3))
    with pytest.raises(ValueError, match=r"same step of all questions, got steps \[\]"):
        attention_shares([])
    with pytest.raises(ValueError, match=r"same step of all questions, got steps \[0, 1\]"):
        attention_shares([fine, dataclasses.replace(fine, labels=[0, 1, 2])])
    for labels in ([0, 1, 2], [1, 2, 0]):
        with pytest.raises(ValueError, match=r"steps before and after it, got step [02] of 3"):
            attention_shares([dataclasses.replace(fine, labels=labels)])
