"""What mypy says of a few lines, as someone who uses the package would see it."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

import relational_rnn


def mypy_errors(folder, lines):
    """Line number from 1 -> the errors that `mypy --strict` finds there."""
    (folder / "snippet.py").write_text("\n".join(lines) + "\n")
    root = Path(__file__).parents[1]  # whose settings are strict, and whose cache `make lint` has filled
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--config-file", root / "pyproject.toml", "snippet.py"],
        cwd=folder,
        env={
            "MYPYPATH": str(Path(relational_rnn.__file__).parents[1]),
            "MYPY_CACHE_DIR": str(root / ".mypy_cache"),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode in (0, 1), done.stdout + done.stderr
    found = {}
    for number, message in re.findall(r"^snippet\.py:(\d+): error: (.*)$", done.stdout, re.MULTILINE):
        found.setdefault(int(number), []).append(message)
    return found


def check_misspelled(folder, imports, calls, names):
    """Each call is right for mypy and Python, and an error for both when its one keyword is misspelled."""
    wrong = [call.replace("=", "x=") for call in calls]
    errors = mypy_errors(folder, [imports, *calls, *wrong])
    first = 2 + len(calls)
    assert list(errors) == list(range(first, first + len(wrong))), errors
    for call, messages in zip(wrong, errors.values(), strict=True):
        keyword = re.search(r"(\w+)=", call)[1]
        assert [m.startswith(f'Unexpected keyword argument "{keyword}" for') for m in messages] == [True]
        with pytest.raises(TypeError, match=keyword):
            eval(call, dict(names))
    for call in calls:
        eval(call, dict(names))
