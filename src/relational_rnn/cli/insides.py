"""What only runs of Nth farthest tell: which questions are answered wrongly, and what an RMC's slots hold."""

from __future__ import annotations

from typing import Any

import numpy as np

from relational_rnn.analysis import (
    SlotContents,
    attention_shares,
    mistakes,
    slot_contents,
    slot_record,
)
from relational_rnn.nn import SequenceClassifier
from relational_rnn.tasks.splits import PICTURE
from relational_rnn.training.config import RunConfig
from relational_rnn.training.data import alone, splits_of
from relational_rnn.training.learners.recording import record_attention_at, record_memories
from relational_rnn.training.weights import Trained

ATTENDED = 500
"""Questions over which attention is averaged."""


def look_inside(model: SequenceClassifier, config: RunConfig) -> tuple[SlotContents, dict[str, Any]]:
    """Count what an RMC's slots hold and where its heads look.

    Args:
        model: with a trained RMC.
        config: of its run.

    Returns:
        What the slots hold, and the numbers by name: "slots" and, where steps come before and after a
        reference in the middle, "attention".
    """
    task = config.task
    generator = np.random.default_rng([config.seed, PICTURE])
    examples = max(config.data.test_examples, 64 * task.objects)  # fewer can not be decoded
    last_step, middle_step = task.objects - 1, task.objects // 2
    last, middle = (
        record_memories(model, task, generator, examples=examples, step=step)
        for step in (last_step, middle_step)
    )
    contents = slot_contents(last, middle)
    numbers: dict[str, Any] = {"slots": slot_record(contents)}
    if 0 < middle_step < last_step:
        asked = record_attention_at(model, task, generator, examples=ATTENDED, step=middle_step)
        numbers["attention"] = attention_shares(asked)
    return contents, numbers


def mistakes_of(trained: Trained) -> dict[str, Any]:
    """Return which of the test examples of its training a model gets wrong."""
    batch = splits_of(alone(trained.config, trained.contestant.seed)).test
    return mistakes(batch, trained.predict(batch.inputs, every_step=False))
