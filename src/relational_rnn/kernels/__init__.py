"""What is fast: pure functions on torch tensors that own no parameters, and the choice between them."""

from relational_rnn.kernels import forked  # noqa: F401  (for what it does in a forked child)
from relational_rnn.kernels.backend import KernelOptions, SequenceInputs
from relational_rnn.kernels.backends import BACKENDS, choose_backend
from relational_rnn.kernels.dot_product import (
    autocasts,
    dot_product_attention,
    layer_norm,
    plain_attention,
    transformed,
    without_autocast,
)
from relational_rnn.kernels.operation import run_sequence, run_step

__all__ = [
    "BACKENDS",
    "KernelOptions",
    "SequenceInputs",
    "autocasts",
    "choose_backend",
    "dot_product_attention",
    "layer_norm",
    "plain_attention",
    "run_sequence",
    "run_step",
    "transformed",
    "without_autocast",
]
