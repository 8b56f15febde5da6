"""Where the heads of a core look on questions of Nth farthest: maps of one question, shares over many."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from relational_rnn.analysis.attention import Attention, attention_in_words, attention_maps
from relational_rnn.tasks.nth_farthest_text import question
from relational_rnn.training.recordings import RecordedAttention

REFERENCE = "the step that brings the reference"
"""What maps of the attention point out."""


def question_maps(seen: RecordedAttention, *, about: str, path: str | os.PathLike[str]) -> Path:
    """Draw where an RMC looks on one question of Nth farthest and write it to `path`.

    Args:
        seen: the question.
        about: of whom, before the question.
        path: of the figure.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> weights = np.full((3, 2, 2, 3), 1 / 3)  # T, H, N, M: heads that look everywhere alike
        >>> seen = RecordedAttention(weights, [2, 0, 1], n=0, reference=0, answer=1, prediction=1)
        >>> with TemporaryDirectory() as folder:
        ...     question_maps(seen, about="untrained", path=f"{folder}/question.svg").name
        'question.svg'
    """
    attention = {"RMC": Attention(seen.attention[:, None])}
    asked = question({"labels": seen.labels, "n": seen.n, "reference": seen.reference})
    return attention_maps(
        attention,
        title=attention_in_words(attention),
        about=f"{about}: {asked} (right answer {seen.answer}, prediction {seen.prediction})",
        step_labels=[f"v{label}" for label in seen.labels],
        marked={REFERENCE: [seen.reference_step]},
        path=path,
    )


def attention_shares(recorded: Sequence[RecordedAttention]) -> dict[str, dict[str, list[float]]]:
    """Return what share of its attention each head gives the input, and the slot that asks itself.

    The weights of all slots are averaged, over the recorded questions of Nth farthest and over the steps
    before the one that brings the reference, that one, and the steps after it.

    Args:
        recorded: questions of one core, with the reference at the same step of all, neither the first nor
            the last.

    Returns:
        "input" and "itself" -> "before", "reference" and "after" -> for each head a share, to 4 digits.

    Raises:
        ValueError: no questions, the reference at other steps, or at the first or last.

    Example:
        >>> weights = np.full((3, 1, 2, 3), 1 / 3)  # T, H, N, M: a head that looks everywhere alike
        >>> one = RecordedAttention(weights, [2, 0, 1], n=0, reference=0, answer=1, prediction=1)
        >>> round(attention_shares([one])["input"]["before"][0], 3)
        0.333
    """
    found = {one.reference_step for one in recorded}
    if len(found) != 1:
        raise ValueError(
            f"the reference must be at the same step of all questions, got steps {sorted(found)}"
        )
    (step,) = found
    steps, _, slots, _ = recorded[0].attention.shape
    if not 0 < step < steps - 1:
        raise ValueError(f"the reference must have steps before and after it, got step {step} of {steps}")
    weights = np.stack([one.attention for one in recorded]).astype(np.float64).mean(0)  # (T, H, N, M)
    phases = {"before": slice(step), "reference": slice(step, step + 1), "after": slice(step + 1, None)}
    to_input = weights[..., slots:].sum(-1).mean(-1)  # (T, H)
    to_itself = np.diagonal(weights, axis1=2, axis2=3).mean(-1)  # (T, H)
    return {
        name: {phase: np.round(shares[part].mean(0), 4).tolist() for phase, part in phases.items()}
        for name, shares in (("input", to_input), ("itself", to_itself))
    }
