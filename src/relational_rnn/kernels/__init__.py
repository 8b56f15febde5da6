"""What is fast: pure functions on torch tensors that own no parameters, and the choice between them."""

from relational_rnn.kernels.backends import BACKENDS, choose_backend
from relational_rnn.kernels.dot_product import autocasts, dot_product_attention, layer_norm, transformed
from relational_rnn.kernels.forked import single_thread_after_fork

__all__ = [
    "BACKENDS",
    "autocasts",
    "choose_backend",
    "dot_product_attention",
    "layer_norm",
    "single_thread_after_fork",
    "transformed",
]
