"""The public port's file, loaded with the one line replaced that current PyTorch refuses."""

import numpy as np
import pytest

from relational_rnn.interop.port import load_port


def test_one_line_is_replaced(tmp_path):
    file = tmp_path / "port.py"
    file.write_text(
        "class RelationalMemory:\n    def scale(q):\n        q *= (2 ** -0.5)\n        return q\n"
    )
    port = load_port(file)
    q = np.array([3.0])
    assert port.RelationalMemory.scale(q) == 3.0 * 2**-0.5
    assert q == 3.0
    assert port.__file__ == str(file)


@pytest.mark.parametrize(
    ("text", "message"),
    [("q = 1\n", "has no line that scales q"), ("q = 1\nq *= 2\n", "has no RelationalMemory")],
)
def test_another_file_is_refused(tmp_path, text, message):
    file = tmp_path / "port.py"
    file.write_text(text)
    with pytest.raises(ValueError, match=f"port.py is not relational_rnn_general.py: it {message}"):
        load_port(file)
