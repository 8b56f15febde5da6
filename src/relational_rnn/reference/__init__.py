"""The mathematics in NumPy: every operation with its forward pass and its derivative, written by hand."""

from relational_rnn.reference.attention import multi_head_attention
from relational_rnn.reference.attention_layer import MultiHeadAttention
from relational_rnn.reference.classifier import Classifier
from relational_rnn.reference.gradient_check import GradientCheck, check_gradients, check_split
from relational_rnn.reference.losses import cross_entropy_loss, mse_loss
from relational_rnn.reference.lstm import LSTM
from relational_rnn.reference.lstm_cell import LSTMCell
from relational_rnn.reference.memory import RelationalMemory
from relational_rnn.reference.memory_cell import RelationalMemoryCell
from relational_rnn.reference.optimisers import SGD, Adam, clip_gradients
from relational_rnn.reference.relational_rnn import RelationalRNN
from relational_rnn.reference.relational_rnn_cell import RelationalRNNCell
from relational_rnn.reference.training import Batch, evaluate, train_step

__all__ = [
    "LSTM",
    "SGD",
    "Adam",
    "Batch",
    "Classifier",
    "GradientCheck",
    "LSTMCell",
    "MultiHeadAttention",
    "RelationalMemory",
    "RelationalMemoryCell",
    "RelationalRNN",
    "RelationalRNNCell",
    "check_gradients",
    "check_split",
    "clip_gradients",
    "cross_entropy_loss",
    "evaluate",
    "mse_loss",
    "multi_head_attention",
    "train_step",
]
