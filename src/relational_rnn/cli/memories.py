"""Models whose memories can be recorded: those with a NumPy twin."""

from __future__ import annotations

from relational_rnn.reference import Classifier
from relational_rnn.training.models import models_of
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
