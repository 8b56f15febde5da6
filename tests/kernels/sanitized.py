"""The native library's debug build at work, as a program of its own: see test_native_sanitized.py.

`python -m kernels.sanitized LIBRARY right` holds every instruction set against eager. `... wrong` makes calls
that are wrong, each in a child, and sees it end with the right message.
"""

import os
import signal
import sys
import tempfile
from ctypes import addressof, c_int64
from pathlib import Path

import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from helpers.sequences import assert_as_eager, cases, make_case, results
from kernels import test_native
from relational_rnn.config import RelationalMemoryConfig
from relational_rnn.kernels import eager, workspace
from relational_rnn.kernels.native import backend, library
from tolerances import difference

EXAMPLES = 5
"""Drawn sequences for every instruction set."""

WIDE = dict(input_size=70, mem_slots=2, head_size=3)
"""More features of the input than of anything else; the others are test_native's."""


def check_all(names):
    """Run drawn sequences, and fixed ones of more samples, on every instruction set."""
    for variant, name in enumerate(names):
        compare = assert_as_eager if name != "bfloat16" else assert_near

        @settings(max_examples=EXAMPLES, deadline=None, derandomize=True, suppress_health_check=HealthCheck)
        @given(
            cases(torch.float32),
            st.sampled_from([(True, True), (True, False), (False, True)]),
            st.integers(1, 3),
            st.booleans(),
        )
        def check(case, outputs, threads, recompute):
            native = test_native.sequence(variant, threads, recompute)  # noqa: B023
            compare(native, test_native.supported(case), outputs)  # noqa: B023

        check()
        for number, options in enumerate([WIDE, *test_native.CONFIGS.values()]):
            case = make_case(RelationalMemoryConfig(**options), [29, 29, 17, 2], dtype=torch.float32)
            compare(test_native.sequence(variant, 2, recompute=number % 2 == 0), case)
        print(name)


def assert_near(sequence, case, outputs=(True, True)):
    """The memories are eager's as far as bfloat16 goes, and no gradient is unwritten."""
    actual, expected = results(sequence, case, outputs), results(eager.sequence, case, outputs)
    for name in ("memories", "last"):
        assert difference(actual[name], expected[name]) < 0.2, name
    for name, x in actual.items():
        assert x.isfinite().all(), name


RISING = (c_int64 * 3)(3, 1, 3)
SHORT = torch.empty(7)


def puts(field, value):
    """Return what changes a field of a problem: to a value, or to what a function makes of the old one."""

    def change(problem):
        old = getattr(problem, field)
        setattr(problem, field, value(old) if callable(value) else value)

    return change


BEYOND = "AddressSanitizer: heap-buffer-overflow"
TOUCHED = ("asan_region_is_poisoned", BEYOND)
"""By an intrinsic, which the library watches, or by a plain access, which the compiler does."""

WRONG = [
    *(
        ("sizes", f"check failed: (p->{field}) >= (1)", puts(field, 0))
        for field in ("features", "slots", "input_rows", "heads", "key", "value", "steps", "batch", "threads")
    ),
    ("sizes", "(p->layers) <= (8)", puts("layers", 9)),
    ("sizes", "(p->threads) <= (p->batch)", puts("threads", 4)),
    ("sizes", "p->gate == p->heads * p->value", puts("gate", 2)),
    ("sizes", "(p->keep) <= (KEEP_ALL)", puts("keep", 3)),
    ("sizes", "total == p->total", puts("total", lambda total: total - 1)),
    ("sizes", "p->batch_sizes[0] == p->batch", puts("batch", lambda batch: batch + 1)),
    ("sizes", "(p->batch_sizes[t]) <= (p->batch_sizes[t - 1])", puts("batch_sizes", addressof(RISING))),
    ("sizes", "check failed: p->batch_sizes", puts("batch_sizes", None)),
    ("sizes", BEYOND, puts("steps", lambda steps: steps + 1)),
    ("forward", "check failed: p->inputs", puts("inputs", None)),
    ("forward", "(uintptr_t)(p->memory) % (4) == 0", puts("memory", lambda memory: memory + 2)),
    ("forward", "(uintptr_t)(p->workspace) % (64) == 0", puts("workspace", lambda space: space + 4)),
    ("forward", "check failed: p->saved", puts("saved", None)),
    ("forward", TOUCHED, puts("inputs", SHORT.data_ptr())),
    ("forward", TOUCHED, puts("workspace", SHORT.data_ptr())),
    ("forward", BEYOND, puts("last", SHORT.data_ptr())),
    ("backward", "check failed: p->d_inputs", puts("d_inputs", None)),
    ("backward", "p->keep != KEEP_NOTHING", puts("keep", 0)),
    ("backward", BEYOND, puts("d_initial", SHORT.data_ptr())),
]
"""The call before which something is changed, what is said then, and the change."""


def spoil(debug, stage, change):
    """Change the problem before a call of the library."""
    call = getattr(debug, stage)

    def spoiled(variant, problem, *more):
        change(library.Problem.from_address(problem))
        call(variant, problem, *more)

    setattr(debug, stage, spoiled)


def go_wrong(debug):
    """Make the calls, each in a process that it ends."""
    case = make_case(test_native.CONFIG, [3, 2, 2], with_resets=False, dtype=torch.float32)
    for stage, message, change in WRONG:
        with tempfile.TemporaryFile("w+") as said:
            child = os.fork()
            if not child:
                signal.alarm(60)
                os.dup2(said.fileno(), 2)
                spoil(debug, stage, change)
                results(test_native.sequence(0, 1), case)
                os._exit(0)
            ended = os.waitpid(child, 0)[1]
            said.seek(0)
            text = said.read()
        assert ended, f"{stage}: not noticed, {message}"
        told = message if isinstance(message, tuple) else (message,)
        assert any(one in text for one in told), f"{stage}: {message!r} is not in {text}"
        print(message)


def main():
    """Load the library in place of the usual one."""
    path, task = sys.argv[1:]
    debug = library.load(Path(path))
    assert isinstance(debug, library.Library), debug
    backend.load = lambda: debug
    debug.use_team(None, None, None)  # threads of its own, however many torch has
    workspace.LARGE = 1 << 60  # all memory is from malloc, whose ends the sanitizer sees
    if task == "wrong":
        go_wrong(debug)
    else:
        torch.use_deterministic_algorithms(True)  # new memory is NaN
        check_all([*debug.variants, *([] if debug.bfloat16 is None else ["bfloat16"])])


if __name__ == "__main__":
    main()
