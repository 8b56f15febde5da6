"""The whole sequence in a few Triton kernels a step, recorded as CUDA graphs; float32 and float64 on GPUs.

Triton is imported when this backend is first asked whether it can run, and only here.
"""

from relational_rnn.kernels.triton.backend import BACKEND

__all__ = ["BACKEND"]
