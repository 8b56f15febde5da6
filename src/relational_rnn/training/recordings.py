"""What trained models do on questions of Nth farthest, recorded for figures: attention and memories."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from relational_rnn.config.checks import check_shape


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


@dataclass(frozen=True, eq=False)
class RecordedMemories:
    """Sequences of Nth farthest, the reference at the same step of all, and what a core kept of them."""

    memories: Float[np.ndarray, "B T N D"]
    """After each step."""
    vectors: Float[np.ndarray, "B T K"]
    """Shown at each step."""
    labels: Int[np.ndarray, "B T"]
    """Theirs, 0..T-1."""
    reference_step: int
    """The step that shows the vector from which distances are asked, from 0."""

    def __post_init__(self) -> None:
        """Raise ValueError where the shapes do not fit together."""
        check_shape("memories", self.memories.shape, ("B", "T", "N", "D"))
        count, steps = self.memories.shape[:2]
        check_shape("vectors", self.vectors.shape, ("B", "T", "K"), B=count, T=steps)
        check_shape("labels", self.labels.shape, ("B", "T"), B=count, T=steps)
        if not 0 <= self.reference_step < steps:
            raise ValueError(f"reference_step must be from 0 to {steps - 1}, got {self.reference_step}")
