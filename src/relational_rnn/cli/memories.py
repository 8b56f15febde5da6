"""What the memories of a run's models are like: figures and memory.json."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from relational_rnn.analysis import RecordedMemory, compare_memories, memory_evolution, slot_usage
from relational_rnn.analysis.style import can_draw
from relational_rnn.reference import Classifier
from relational_rnn.training.files import write_json
from relational_rnn.training.models import models_of
from relational_rnn.training.run_folder import RunFolder
from relational_rnn.training.weights import Trained

NUMPY_MODELS = models_of("numpy")
"""Models whose memories can be recorded: those with a NumPy twin."""

RECORDED = 256
"""Test examples whose memories are recorded."""


def numpy_model(trained: Trained) -> Classifier | None:
    """Return a trained model in NumPy; None for a core with a fault of the ports, which has no twin."""
    if isinstance(trained.model, Classifier):
        return trained.model
    from relational_rnn.interop.classifier import numpy_classifier
    from relational_rnn.nn.variant import VariantRelationalMemory

    if isinstance(trained.model.core, VariantRelationalMemory):
        return None
    return numpy_classifier(trained.model)


def show_memories(
    recorded: dict[str, RecordedMemory], mask: np.ndarray, what: str, folder: RunFolder
) -> list[Path]:
    """Draw memories and write memory.json; return the figures.

    Args:
        recorded: by the models' labels.
        mask: (B, T), where answers count.
        what: was read, in words.
        folder: of the run.
    """
    figures = [
        draw(recorded, title=f"{heading}: {what}", mask=mask, path=folder.plots / f"{name}.png")
        for draw, heading, name in (
            (memory_evolution, "Memory over time", "memory_evolution"),
            (slot_usage, "Which slot is written when", "slot_usage"),
        )
        if can_draw()
    ]
    write_json(folder.path / "memory.json", {"examples": what, "models": compare_memories(recorded, mask)})
    return figures
