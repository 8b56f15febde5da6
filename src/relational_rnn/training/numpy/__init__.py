"""Training of the NumPy models; nothing here needs torch."""

from relational_rnn.training.common.fit import FitResult
from relational_rnn.training.numpy.fit import fit

__all__ = ["FitResult", "fit"]
