"""The whole sequence in torch's own operations, with a backward derived by hand."""

from relational_rnn.kernels.fused.backend import BACKEND

__all__ = ["BACKEND"]
