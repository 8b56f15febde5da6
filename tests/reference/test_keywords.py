"""A misspelled keyword is an error at run time and for a type checker, and so is a value of another type."""

import pytest

pytestmark = pytest.mark.smoke  # mypy is where torch is
pytest.importorskip("mypy")

from relational_rnn import reference  # noqa: E402
from type_checker import check_misspelled, mypy_errors  # noqa: E402

CALLS = [
    "reference.RelationalMemory(5, 3, 4, 2, use_mlp=False)",
    "reference.RelationalMemory(5, 3, 4, seed=1)",
    "reference.RelationalMemoryCell(5, 3, 4, gate_style=None)",
    "reference.RelationalRNN(5, 6, num_slots=3)",
    "reference.RelationalRNNCell(5, 6, slot_size=8)",
    "reference.LSTM(5, 6, output_size=2)",
    "reference.LSTMCell(5, 6, dtype='float32')",
    "reference.MultiHeadAttention(8, 2, seed=1)",
]


def test_a_misspelled_keyword(tmp_path):
    check_misspelled(tmp_path, "from relational_rnn import reference", CALLS, {"reference": reference})


def test_an_option_of_another_type(tmp_path):
    lines = [
        "from relational_rnn import reference",
        "reference.RelationalMemory(5, 3, 4, key_size=None, forget_bias=1)",
        "reference.RelationalMemory(5, 3, 4, num_blocks='two')",
    ]
    assert list(mypy_errors(tmp_path, lines)) == [3]
