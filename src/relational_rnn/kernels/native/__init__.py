"""The whole sequence in compiled C, one call each way, called through ctypes; float32 on the CPU.

`build.py` compiles the C sources of csrc/, `library.py` finds and loads the result.
"""

from relational_rnn.kernels.eager import read
from relational_rnn.kernels.native.function import cell, implementation_for, sequence, unsupported_products
from relational_rnn.kernels.native.passes import unsupported

__all__ = ["cell", "implementation_for", "read", "sequence", "unsupported", "unsupported_products"]
