"""The compiled library: found, loaded and checked once; the structures that it is called with."""

from __future__ import annotations

import ctypes
from functools import cache
from pathlib import Path
from typing import Final

import torch

MAX_LAYERS: Final = 8
"""Layers of the MLP that the library has room for (native.h)."""

_Pointer = ctypes.c_void_p

LAYERS: Final = (
    "input_projection",
    "blocks.0.qkv",
    "blocks.0.qkv_norm",
    "blocks.0.attention_norm",
    "blocks.0.mlp_norm",
    "gate_input",
    "gate_memory",
)
"""The layers in the order of native.h; those of the MLP follow."""

Layers = _Pointer * (2 * (len(LAYERS) + MAX_LAYERS))
"""Weight and bias of every layer, or their gradients (native.h, `parameters`)."""

SIZES: Final = (
    *("features", "slots", "input_rows", "heads", "key", "value", "gate", "layers"),
    *("steps", "batch", "total", "threads", "keep"),
)


class Problem(ctypes.Structure):
    """One call (native.h, `problem`)."""

    _fields_ = [
        *((name, ctypes.c_int64) for name in SIZES),
        *((name, ctypes.c_float) for name in ("input_bias", "forget_bias")),
        *((name, _Pointer) for name in ("batch_sizes", "inputs", "memory", "initial", "resets")),
        ("values", Layers),
        *((name, _Pointer) for name in ("memories", "last", "saved", "workspace")),
        *((name, _Pointer) for name in ("d_memories", "d_last", "d_inputs", "d_memory", "d_initial")),
        ("gradients", Layers),
    ]


class Library:
    """The functions of native.c.

    Raises:
        OSError: the file cannot be loaded.
        ValueError: native.h and this file differ.
    """

    def __init__(self, path: Path) -> None:
        loaded = ctypes.CDLL(str(path))
        number, problem = ctypes.c_int64, ctypes.c_void_p
        loaded.relational_problem_size.restype = ctypes.c_int64
        size = loaded.relational_problem_size()
        if size != ctypes.sizeof(Problem):
            raise ValueError(f"its problem has {size} bytes, Python's {ctypes.sizeof(Problem)}")
        loaded.relational_variant.argtypes, loaded.relational_variant.restype = [number], ctypes.c_char_p
        self.sizes, self.forward, self.backward = (
            getattr(loaded, f"relational_{name}") for name in ("sizes", "forward", "backward")
        )
        self.activate = loaded.relational_activate
        self.sizes.argtypes, self.sizes.restype = [number, problem, problem], None
        self.activate.argtypes = [number, number, number, problem, problem]
        for function in (self.forward, self.backward):
            function.argtypes = [number, problem]
        self.use_team = loaded.relational_use_team
        self.use_team.argtypes = [problem, problem, problem]
        for function in (self.forward, self.backward, self.activate, self.use_team):
            function.restype = None
        names: list[str] = []
        while (name := loaded.relational_variant(len(names))) is not None:
            names.append(name.decode())
        self.variants = tuple(name for name in names if not name.endswith("bf16"))
        """Instruction sets that this processor has, from the fastest to the baseline."""
        self.bfloat16 = len(self.variants) if len(names) > len(self.variants) else None
        """Number of the variant that multiplies in bfloat16."""


TEAM: Final = ("GOMP_parallel", "omp_get_thread_num", "omp_get_num_threads")


def share_threads(library: Library, user: str) -> bool:
    """Let the library work on the OpenMP threads of another one.

    After a parallel operation OpenMP's threads spin for milliseconds, ready for the next one, so that new
    threads beside them get half a processor each.

    Args:
        library: whose threads these become.
        user: path of a loaded library; that which it, or one that it was linked with, runs on is found.

    Returns:
        Whether there are such threads.
    """
    try:
        loaded = ctypes.CDLL(user)
        functions = [ctypes.cast(getattr(loaded, name), ctypes.c_void_p) for name in TEAM]
    except (OSError, AttributeError):
        return False
    library.use_team(*functions)
    return True


@cache
def load(path: Path | None = None) -> Library | str:
    """Return the library, or why there is none.

    Args:
        path: where it is; None means in the package's folder.
    """
    # Here, so that `python -m` runs a module that nothing has imported before.
    from relational_rnn.kernels.native.build import FOLDER, is_current, library_name

    command = "python -m relational_rnn.kernels.native.build"
    path = FOLDER / library_name() if path is None else path
    try:
        if not path.is_file():
            return f"the native library is not built ({command})"
        if not is_current(path):
            return f"the native library is damaged or not of these sources ({command})"
        library = Library(path)
    except (OSError, ValueError, AttributeError) as error:
        return f"the native library cannot be used: {error}"
    share_threads(library, torch._C.__file__)
    return library
