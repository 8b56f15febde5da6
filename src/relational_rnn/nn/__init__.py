"""What learns: torch modules."""

try:
    from relational_rnn.nn import functional
except ModuleNotFoundError as missing:
    if missing.name != "torch":
        raise
    raise ModuleNotFoundError(
        "relational_rnn.nn needs torch: pip install torch; relational_rnn.reference has the core in NumPy",
        name="torch",
    ) from None

from relational_rnn.nn.adapter import RelationalMemoryAdapter
from relational_rnn.nn.classifier import SequenceClassifier
from relational_rnn.nn.cores import Core
from relational_rnn.nn.deltanet import GatedDeltaNet
from relational_rnn.nn.dnc import DNC
from relational_rnn.nn.gru import GRU
from relational_rnn.nn.language_model import LanguageModel
from relational_rnn.nn.lstm import LSTM
from relational_rnn.nn.relational_memory import RelationalMemory, RelationalMemoryCell
from relational_rnn.nn.relational_rnn import RelationalRNN, RelationalRNNCell
from relational_rnn.nn.slstm import SLSTM
from relational_rnn.nn.transformer import CausalTransformer

__all__ = [
    "DNC",
    "GRU",
    "LSTM",
    "SLSTM",
    "CausalTransformer",
    "Core",
    "GatedDeltaNet",
    "LanguageModel",
    "RelationalMemory",
    "RelationalMemoryAdapter",
    "RelationalMemoryCell",
    "RelationalRNN",
    "RelationalRNNCell",
    "SequenceClassifier",
    "functional",
]
