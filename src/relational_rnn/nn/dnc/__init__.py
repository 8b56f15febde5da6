"""The Differentiable Neural Computer, from the equations of Graves et al. 2016."""

from relational_rnn.nn.dnc.core import DNC, DNCState

__all__ = ["DNC", "DNCState"]
