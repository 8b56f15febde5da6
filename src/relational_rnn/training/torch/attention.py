"""What a trained core attends to on a few questions of Nth farthest, recorded for the figures."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float

from relational_rnn.nn import SequenceClassifier
from relational_rnn.tasks.nth_farthest import NthFarthestBatch


@dataclass(frozen=True)
class RecordedAttention:
    """One question, what the model answered, and where each slot looked at each step."""

    attention: Float[np.ndarray, "T H N M"]
    """Of the last block."""
    labels: list[int]
    """Labels of the vectors in the order of the steps."""
    n: int
    """0-based, counted from the farthest."""
    reference: int
    """Label of the reference."""
    answer: int
    prediction: int


@torch.no_grad()
def record_attention(model: SequenceClassifier, batch: NthFarthestBatch) -> list[RecordedAttention]:
    """Run a model with a relational core over the batch and keep its attention."""
    model.eval()
    outputs, _, trace = model.core(torch.from_numpy(batch.inputs), return_trace=True)
    predictions = model.head(outputs[:, -1]).argmax(1).tolist()
    return [
        RecordedAttention(
            attention=trace.attention[row, :, -1].numpy(),
            labels=batch.labels[row].tolist(),
            n=int(batch.n[row]),
            reference=int(batch.reference[row]),
            answer=int(batch.targets[row]),
            prediction=predictions[row],
        )
        for row in range(len(predictions))
    ]
