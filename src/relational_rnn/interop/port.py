"""The most used PyTorch port of the core, from a file of it: github.com/L0SG/relational-rnn-pytorch."""

from __future__ import annotations

import re
from pathlib import Path
from types import ModuleType

from relational_rnn.config.checks import BadFile
from relational_rnn.config.paths import check_file


def load_port(path: Path) -> ModuleType:
    """Return the port's `relational_rnn_general.py` as a module; its code is run.

    Its line `q *= ...`, which current PyTorch refuses (it changes a view that `split` made), is replaced by
    `q = q * ...`.

    Args:
        path: of the file.

    Raises:
        OSError: the file cannot be read.
        BadFile: it is no file, or its code fails.
        ModuleNotFoundError: torch is not there.
        ValueError: it has no such line or no `RelationalMemory`, so it is another file.

    Example:
        >>> port = load_port(Path("relational_rnn_general.py"))  # doctest: +SKIP
        >>> port.RelationalMemory  # doctest: +SKIP
    """
    try:
        text = check_file(path).read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise BadFile(path, f"is no UTF-8 text: {error}") from None
    source, count = re.subn(r"^(\s*)q \*= ", r"\1q = q * ", text, flags=re.MULTILINE)
    if count != 1 and not re.search(r"^\s*q = q \* ", source, flags=re.MULTILINE):
        raise ValueError(f"{path} is not relational_rnn_general.py: it has no line that scales q")
    module = ModuleType("port")
    module.__file__ = str(path.resolve())
    try:
        exec(compile(source, path.name, "exec"), module.__dict__)
    except (Exception, SystemExit) as error:
        if isinstance(error, ModuleNotFoundError) and error.name == "torch":
            raise  # which every port needs, and is not installed here
        raise BadFile(path, f"cannot be loaded: {type(error).__name__}: {error}") from error
    if not hasattr(module, "RelationalMemory"):
        raise ValueError(f"{path} is not relational_rnn_general.py: it has no RelationalMemory")
    return module
