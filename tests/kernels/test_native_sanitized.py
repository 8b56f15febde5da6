"""The native library's debug build: every access is right, and wrong calls end at a check."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.torch
pytest.importorskip("torch")

from relational_rnn.kernels.native import build  # noqa: E402

TESTS = Path(__file__).parents[1]


@pytest.fixture
def sanitized(tmp_path):
    """A function that runs kernels/sanitized.py with the debug build."""
    try:
        compiler = build.find_compiler()
    except build.BuildError as error:
        pytest.skip(str(error))
    asked = [*compiler, "-print-file-name=libasan.so"]
    asan = Path(subprocess.run(asked, capture_output=True, text=True, check=False).stdout.strip())
    if not asan.is_absolute():
        pytest.skip(f"{compiler[0]} has no libasan")
    library = build.build(tmp_path / build.library_name(), debug=True)
    variables = dict(
        LD_PRELOAD=str(asan.resolve()),
        ASAN_OPTIONS="detect_leaks=0",  # Python leaves much to the end of the process
        UBSAN_OPTIONS="print_stacktrace=1",
        PYTHONMALLOC="malloc",  # that the ends of small arrays are seen, too
        PYTHONPATH=os.pathsep.join([str(TESTS), os.environ.get("PYTHONPATH", "")]),
        OMP_NUM_THREADS="1",
    )

    def run(task):
        command = [sys.executable, "-m", "kernels.sanitized", str(library), task]
        return subprocess.run(
            command, env=os.environ | variables, capture_output=True, text=True, check=False, timeout=600
        )

    return run


@pytest.mark.slow
def test_wrong_calls_end_at_a_check_and_right_ones_are_clean(sanitized):
    # One test, so that the library is compiled once however many processes share the tests.
    for task, printed in ("wrong", "total == p->total"), ("right", "baseline"):
        done = sanitized(task)
        assert done.returncode == 0, done.stderr
        assert printed in done.stdout.splitlines()
