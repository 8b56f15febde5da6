"""The whole sequence as one differentiable operation; a cell's single step is the eager one."""

from relational_rnn.kernels.eager import cell, read
from relational_rnn.kernels.fused.function import implementation_for, sequence

__all__ = ["cell", "implementation_for", "read", "sequence"]
