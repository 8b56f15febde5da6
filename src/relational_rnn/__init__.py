"""The relational recurrent network (Santoro et al. 2018, arXiv 1806.01822) as a library.

Importing the package costs nothing and needs no torch: take what you need from its rooms, for example
`from relational_rnn.nn import RelationalMemory` (PyTorch) or
`from relational_rnn.reference import RelationalMemory` (NumPy).
"""

__version__ = "0.1.0"
