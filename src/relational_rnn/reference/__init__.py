"""The mathematics in NumPy: every operation with its forward pass and its derivative, written by hand."""

from relational_rnn.reference.attention import multi_head_attention
from relational_rnn.reference.attention_layer import MultiHeadAttention
from relational_rnn.reference.lstm import LSTM
from relational_rnn.reference.lstm_cell import LSTMCell
from relational_rnn.reference.memory import RelationalMemory
from relational_rnn.reference.memory_cell import RelationalMemoryCell

__all__ = [
    "LSTM",
    "LSTMCell",
    "MultiHeadAttention",
    "RelationalMemory",
    "RelationalMemoryCell",
    "multi_head_attention",
]
