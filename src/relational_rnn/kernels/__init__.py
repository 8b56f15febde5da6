"""What is fast: pure functions on torch tensors that own no parameters, and the choice between them."""

from relational_rnn.kernels.backends import BACKENDS, choose_backend

__all__ = ["BACKENDS", "choose_backend"]
