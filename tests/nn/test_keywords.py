"""A misspelled keyword is an error at run time and for a type checker."""

import pytest

pytestmark = pytest.mark.torch
pytest.importorskip("torch")
pytest.importorskip("mypy")

from relational_rnn import nn  # noqa: E402
from relational_rnn.nn.variant import VariantRelationalMemory  # noqa: E402
from relational_rnn.training.models import MODELS  # noqa: E402
from type_checker import check_misspelled  # noqa: E402

IMPORTS = "from relational_rnn import nn; from relational_rnn.nn.variant import VariantRelationalMemory"
CALLS = [
    "nn.RelationalMemory(5, 3, 4, 2, use_mlp=False)",
    "nn.RelationalMemory(5, 3, 4, batch_first=True)",
    "nn.RelationalMemoryCell(5, 3, 4, gate_style=None)",
    "VariantRelationalMemory(5, 3, 4, read_head='mean')",
    "VariantRelationalMemory(5, 3, 4, joint_norm=True)",
    "nn.RelationalRNN(5, 6, num_slots=3)",
    "nn.RelationalRNNCell(5, 6, slot_size=8)",
    "nn.LSTM(5, 6, num_layers=2)",
    "nn.GRU(5, 6, batch_first=True)",
    "nn.CausalTransformer(5, 6, dropout=0.5)",
    "nn.DNC(5, 6, word_size=3)",
    "nn.SLSTM(5, 6, num_layers=2)",
    "nn.GatedDeltaNet(5, 6, negative_eigenvalues=True)",
]


def test_every_core_is_among_them():
    kinds = {spec.core("torch").__name__ for spec in MODELS.values()}
    assert kinds & set(nn.__all__) <= {call[3:].split("(")[0] for call in CALLS}


def test_a_misspelled_keyword(tmp_path):
    names = {"nn": nn, "VariantRelationalMemory": VariantRelationalMemory}
    check_misspelled(tmp_path, IMPORTS, CALLS, names)
