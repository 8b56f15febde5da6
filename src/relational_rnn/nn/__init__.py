"""What learns: torch modules."""

from relational_rnn.nn.classifier import SequenceClassifier
from relational_rnn.nn.lstm import LSTM
from relational_rnn.nn.relational_memory import RelationalMemory, RelationalMemoryCell

__all__ = ["LSTM", "RelationalMemory", "RelationalMemoryCell", "SequenceClassifier"]
