"""The most used PyTorch port of the core, from a file of it: github.com/L0SG/relational-rnn-pytorch."""

from __future__ import annotations

import re
from pathlib import Path
from types import ModuleType

from relational_rnn.config.paths import check_file


def load_port(path: Path) -> ModuleType:
    """Return the port's `relational_rnn_general.py` as a module; its code is run.

    Its line `q *= ...`, which current PyTorch refuses (it changes a view that `split` made), is replaced by
    `q = q * ...`.

    Args:
        path: of the file.

    Raises:
        OSError: the file cannot be read.
        ValueError: it has no such line or no `RelationalMemory`, so it is another file.
    """
    source, count = re.subn(r"^(\s*)q \*= ", r"\1q = q * ", check_file(path).read_text(), flags=re.MULTILINE)
    if count != 1 and not re.search(r"^\s*q = q \* ", source, flags=re.MULTILINE):
        raise ValueError(f"{path} is not relational_rnn_general.py: it has no line that scales q")
    module = ModuleType("port")
    module.__file__ = str(path.resolve())
    exec(compile(source, path.name, "exec"), module.__dict__)
    if not hasattr(module, "RelationalMemory"):
        raise ValueError(f"{path} is not relational_rnn_general.py: it has no RelationalMemory")
    return module
