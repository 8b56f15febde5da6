"""A question of Nth farthest, what a model answered, and where its slots looked: recorded for figures."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float


@dataclass(frozen=True, eq=False)
class RecordedAttention:
    """One sequence through a trained core."""

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

    @property
    def reference_step(self) -> int:
        """The step that shows the reference, from 0."""
        return self.labels.index(self.reference)
