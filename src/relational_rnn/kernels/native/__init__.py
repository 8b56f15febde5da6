"""The whole sequence in compiled C, one call each way, called through ctypes; float32 on the CPU.

`build.py` compiles the C sources of csrc/, `library.py` finds and loads the result.
"""

from relational_rnn.kernels.native.backend import BACKEND

__all__ = ["BACKEND"]
