"""Compile the native library with the system's C compiler: `python -m relational_rnn.kernels.native.build`.

Needs nothing but Python and a compiler, and imports nothing of the package: the wheel's build hook loads this
file by its path. The library runs on every processor of the architecture; what instruction sets it uses is
decided when it is called.
"""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

FOLDER = Path(__file__).resolve().parent

FLAGS = ["-std=gnu11", "-O3", "-fPIC", "-fvisibility=hidden", "-ffp-contract=fast", "-fno-math-errno"]
"""Not -ffast-math: NaN and infinity must come through. Not -march=native: the library may go elsewhere."""

INSTRUCTION_SETS = {
    "avx512": ["-mavx512f", "-mavx512vl", "-mavx512bw", "-mavx512dq", "-mavx2", "-mfma"],
    "avx2": ["-mavx2", "-mfma"],
}
INSTRUCTION_SETS["avx512_bf16"] = [*INSTRUCTION_SETS["avx512"], "-mavx512bf16"]
"""Files that are compiled for more than the architecture's baseline, where the compiler knows how."""


class BuildError(Exception):
    """There is no compiler, or it failed."""


def library_name() -> str:
    """Return the library's file name, which tells platforms apart.

    Example:
        >>> library_name().startswith("_native")
        True
    """
    tag = sysconfig.get_platform().replace("-", "_").replace(".", "_")
    return f"_native_{tag}{'.dylib' if sys.platform == 'darwin' else '.so'}"


def find_compiler() -> list[str]:
    """Return the command that compiles C: the variable CC, else cc, gcc or clang.

    Raises:
        BuildError: there is none.
    """
    chosen = os.environ.get("CC", "").split()
    if chosen:
        return chosen
    for name in ("cc", "gcc", "clang"):
        if (path := shutil.which(name)) is not None:
            return [path]
    raise BuildError("no C compiler found: neither the variable CC nor cc, gcc or clang")


def source_digest() -> str:
    """Return a digest of the C sources; the library carries that of the sources that it was made from."""
    digest = hashlib.sha256()
    for path in sorted([*FOLDER.glob("*.c"), *FOLDER.glob("*.h")]):
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def is_current(library: Path) -> bool:
    """Say whether there is a library that was made from the sources beside this file."""
    return library.exists() and source_digest().encode() in library.read_bytes()


def build(target: Path | None = None) -> Path:
    """Compile the library.

    Args:
        target: where it is written; None means beside this file, where the package looks for it.

    Returns:
        Its path.

    Raises:
        BuildError: no compiler, or it failed.
    """
    compiler = find_compiler()
    target = FOLDER / library_name() if target is None else target
    x86 = platform.machine().lower() in ("x86_64", "amd64")
    with tempfile.TemporaryDirectory() as folder:

        def compile_file(name: str, *more: str) -> str:
            made = f"{folder}/{name}.o"
            _run([*compiler, *FLAGS, *more, "-pthread", "-c", str(FOLDER / f"{name}.c"), "-o", made])
            return made

        with ThreadPoolExecutor() as pool:
            plain = [pool.submit(compile_file, name) for name in ("baseline", "threads")]
            sets = {n: pool.submit(compile_file, n, *f) for n, f in INSTRUCTION_SETS.items() if x86}
        objects = {n: made.result() for n, made in sets.items() if made.exception() is None}
        have = [f"-DHAVE_{name.upper()}" for name in objects]
        chosen = compile_file("native", f'-DSOURCES="{source_digest()}"', *have)
        files = [chosen, *(made.result() for made in plain), *objects.values()]
        made = Path(folder) / target.name
        _run([*compiler, "-shared", *files, "-pthread", "-lm", "-o", str(made)])
        # Into place in one step: a process that has the old library loaded keeps it.
        beside = target.with_name(f".{target.name}.{os.getpid()}")
        shutil.copyfile(made, beside)
        os.replace(beside, target)
    return target


def _run(command: list[str]) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError as error:
        raise BuildError(f"{command[0]} does not run: {error}") from error
    if done.returncode:
        lines = (done.stderr or done.stdout).strip().splitlines()
        first = next((line for line in lines if "error" in line.lower()), lines[0] if lines else "no message")
        raise BuildError(f"{command[0]} failed: {first}")


def main() -> int:
    """Build and say where; 1 if that fails."""
    try:
        print(build())
    except BuildError as error:
        print(f"the native library was not built: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
