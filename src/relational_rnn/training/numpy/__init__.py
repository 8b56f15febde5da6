"""Training of the NumPy models; nothing here needs torch."""

from relational_rnn.training.numpy.fit import FitResult, fit

__all__ = ["FitResult", "fit"]
