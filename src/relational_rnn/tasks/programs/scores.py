"""How well answers were told: the share of their digits that are right, and of answers without a mistake.

Only the digits of the right answer count, as in the authors' code; what a model predicts after them does not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from relational_rnn.config.checks import check_seed, check_size
from relational_rnn.tasks.programs.characters import ANSWER_CLASSES, PADDING
from relational_rnn.tasks.programs.examples import CharacterBatch, after_texts, sample
from relational_rnn.tasks.programs.task import CharacterTask

if TYPE_CHECKING:
    from jaxtyping import Int64, Integer

TEST_EXAMPLES = 12_800
"""Examples that the paper evaluates on, at the largest nesting and length."""


class Scores(NamedTuple):
    """Fractions of 1."""

    characters: float
    """Digits that are right, of all digits of all answers: the paper's per-character accuracy."""
    solved: float
    """Answers with every digit right."""


def score(batch: CharacterBatch, told: Integer[np.ndarray, "B T"]) -> Scores:
    """Score what a model told at every step.

    Args:
        batch: what was asked.
        told: (B, T) ids, for example the argmax of the logits; only those at `batch.mask` count.

    Raises:
        ValueError: wrong shape.

    Example:
        >>> from relational_rnn.tasks.programs import Copy
        >>> batch = sample(Copy(length=2), 4, np.random.default_rng(0))
        >>> told = batch.targets.copy()
        >>> told[0, 2] += 1
        >>> score(batch, told)
        Scores(characters=0.875, solved=0.75)
    """
    if told.shape != batch.targets.shape:
        raise ValueError(f"told must have shape {batch.targets.shape} as the targets, got {told.shape}")
    right = told == batch.targets
    return Scores(float(right[batch.mask].mean()), float((right | ~batch.mask).all(1).mean()))


def majority_answers(batch: CharacterBatch, known: CharacterBatch) -> Int64[np.ndarray, "B T"]:
    """Tell at each place of the answer the digit that comes there most often in `known`, whatever the text.

    Example:
        >>> from relational_rnn.tasks.programs import Copy
        >>> batch = sample(Copy(length=1), 100, np.random.default_rng(0))
        >>> len(set(majority_answers(batch, batch)[:, 1]))
        1
    """
    every_digit = np.arange(PADDING + 1, ANSWER_CLASSES)
    often = (known.answers[:, :, None] == every_digit).sum(0)  # (A, 10)
    digits = np.broadcast_to(every_digit[often.argmax(1)], batch.answers.shape)
    return after_texts(batch.texts, digits)


def majority_scores(task: CharacterTask, examples: int = TEST_EXAMPLES, seed: int = 0) -> Scores:
    """Return the scores of `majority_answers`, measured on as many examples as it knows.

    Example:
        >>> from relational_rnn.tasks.programs import Addition
        >>> scores = majority_scores(Addition())
        >>> round(scores.characters, 2), round(scores.solved, 2)
        (0.2, 0.0)
    """
    generator = np.random.default_rng(check_seed("seed", seed))
    known, batch = (sample(task, check_size("examples", examples), generator) for _ in range(2))
    return score(batch, majority_answers(batch, known))
