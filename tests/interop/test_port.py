"""The public port's file, loaded with the one line replaced that current PyTorch refuses."""

import numpy as np
import pytest

from relational_rnn.config.checks import BadFile
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


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("q *= 1\n", "cannot be loaded: NameError: name 'q' is not defined"),
        ("q = 1\nq *= 1\nexit('x')\n", "cannot be loaded: SystemExit: x"),
        ("q *= 1\ndef\n", "cannot be loaded: SyntaxError: invalid syntax"),
        ("q *= 1 # \xff\n", "is no UTF-8 text"),
    ],
)
def test_a_file_whose_code_fails_is_refused(tmp_path, text, message):
    file = tmp_path / "port.py"
    file.write_bytes(text.encode("latin-1"))
    with pytest.raises(BadFile, match=f"port.py {message}"):
        load_port(file)
