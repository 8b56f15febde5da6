"""Compile the native library with the system's C compiler: `python -m relational_rnn.kernels.native.build`.

Needs nothing but Python and a compiler, and imports nothing of the package: the wheel's build hook loads this
file by its path. The library runs on every processor of the architecture; what instruction sets it uses is
decided when it is called.
"""

from __future__ import annotations

import hashlib
import os
import platform
import secrets
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
"""Where the library is put, and looked for."""

SOURCES = FOLDER / "csrc"

WINDOWS = sys.platform == "win32"

FLAGS = ["-std=gnu11", "-O3", "-fvisibility=hidden", "-ffp-contract=fast", "-fno-math-errno"]
"""Not -ffast-math: NaN and infinity must come through. Not -march=native: the library may go elsewhere."""

COMPILE, LINK = ([], []) if WINDOWS else (["-fPIC", "-pthread"], ["-pthread", "-lm"])
"""More flags. On Windows code can lie anywhere as it is, and compilers refuse some of these."""

COMPILERS = ("clang", "gcc", "cc") if WINDOWS else ("cc", "gcc", "clang")
"""Tried in this order. GCC's AVX code is of no use on Windows (vector.h)."""

INSTRUCTION_SETS = {
    "avx512": ["-mavx512f", "-mavx512vl", "-mavx512bw", "-mavx512dq", "-mavx2", "-mfma"],
    "avx2": ["-mavx2", "-mfma"],
}
INSTRUCTION_SETS["avx512_bf16"] = [*INSTRUCTION_SETS["avx512"], "-mavx512bf16"]
"""Files that are compiled for more than the baseline: on x86, where the compiler knows how."""

DEBUG = ["-O0", "-g", "-fno-omit-frame-pointer", "-DRELATIONAL_CHECK"]
DEBUG += ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
"""What a debug build adds: check.h, and the compiler's watch over memory and undefined behaviour. Not -O1,
which takes it four times as long."""

TIMEOUT = 600
"""Seconds after which a compiler hangs."""

LOADED = """
import ctypes, sys
try:
    library = ctypes.CDLL(sys.argv[1])
    for name in ("variant", "sizes", "forward", "backward", "activate", "use_team", "problem_size"):
        library["relational_" + name]
    library.relational_problem_size()
except (ImportError, OSError, AttributeError) as error:
    sys.exit(str(error))
"""
"""Run by another process, which a broken library may end."""

SEAL = 64
"""Bytes behind the compiler's output: a digest of it and of what it was made from."""


class BuildError(Exception):
    """There is no compiler, it failed, or what it made is of no use; in one line."""


def library_name() -> str:
    """Return the library's file name, which tells platforms apart.

    Example:
        >>> library_name().startswith("_native")
        True
    """
    # A Python for both of the Mac's processors runs on one at a time, and so does what a compiler makes.
    tag = sysconfig.get_platform().replace("universal2", platform.machine())
    suffix = {"darwin": ".dylib", "win32": ".dll"}.get(sys.platform, ".so")
    return f"_native_{tag.replace('-', '_').replace('.', '_')}{suffix}"


def find_compiler() -> list[str]:
    """Return the command that compiles C: the variable CC, else the first of `COMPILERS` that is found.

    Raises:
        BuildError: there is none.
    """
    try:
        chosen = shlex.split(os.environ.get("CC", ""))
    except ValueError as error:
        raise BuildError(f"the variable CC is no command: {error}") from error
    if chosen:
        return chosen
    for name in COMPILERS:
        if (path := shutil.which(name)) is not None:
            return [path]
    raise BuildError(
        "no C compiler found: neither the variable CC nor cc, gcc or clang; install gcc or clang"
    )


def source_digest() -> str:
    """Return a digest of the C sources and of how they are compiled."""
    digest = hashlib.sha256(repr((FLAGS, COMPILE, LINK, INSTRUCTION_SETS)).encode())
    for path in sorted([*SOURCES.glob("*.c"), *SOURCES.glob("*.h")]):
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def is_current(library: Path) -> bool:
    """Say whether a file is, to the last bit, what `build` made of the sources.

    Loading anything else could end the process: the system maps a library without looking at it.

    Raises:
        OSError: it cannot be read.
    """
    if not library.is_file():
        return False
    content = library.read_bytes()
    return content[-SEAL:] == _seal(content[:-SEAL], source_digest())


def build(target: Path | None = None, debug: bool = False) -> Path:
    """Compile the library.

    Args:
        target: where it is written; None means beside this file, where the package looks for it.
        debug: check sizes and every access to memory; loads only after the compiler's libasan.

    Returns:
        Its path.

    Raises:
        BuildError: no compiler, it failed, it made no library, or that cannot be written.
    """
    target = FOLDER / library_name() if target is None else target
    compiler = find_compiler()
    try:
        digest = source_digest()
        # A compiler that was stopped may leave others behind that still write.
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            content = compile_library(compiler, Path(folder), debug)
        if source_digest() != digest:
            raise BuildError("the sources have changed meanwhile")
        # In one step: a process that has the old library loaded keeps it, and none finds half of the new one.
        beside = target.with_name(f"{target.name}.{secrets.token_hex(8)}")
        try:
            beside.write_bytes(content + _seal(content, digest))
            if not debug:
                command = [sys.executable, "-I", "-S", "-c", LOADED, str(beside)]
                _run(command, f"what {compiler[0]} made does not load")
            os.replace(beside, target)
        finally:
            beside.unlink(missing_ok=True)
    except (OSError, RuntimeError) as error:  # the latter: there can be no more threads
        raise BuildError(str(error)) from error
    return target


def _seal(content: bytes, digest: str) -> bytes:
    return hashlib.sha256(digest.encode() + content).hexdigest().encode()


def compile_library(compiler: list[str], folder: Path, debug: bool = False) -> bytes:
    """Return what a compiler, of this processor or another, makes of the sources.

    Args:
        compiler: its command.
        folder: for what it makes.
        debug: see `build`.

    Raises:
        BuildError: it failed, or made no library.
        OSError: it does not run or end.
    """
    flags = [*FLAGS, *DEBUG] if debug else FLAGS
    failed = f"{compiler[0]} failed"

    def compile_file(name: str, *more: str) -> str:
        made = f"{folder}/{name}.o"
        _run([*compiler, *flags, *COMPILE, *more, "-c", str(SOURCES / f"{name}.c"), "-o", made], failed)
        return made

    def link(sets: dict[str, str]) -> bytes:
        chosen = compile_file("native", *(f"-DHAVE_{name.upper()}" for name in sets))
        files = [chosen, *(made.result() for made in plain), *sets.values()]
        library = folder / "library"
        _run([*compiler, *flags, "-shared", *files, *LINK, "-o", str(library)], failed)
        if not library.is_file():
            raise BuildError(f"{compiler[0]} made nothing")
        return library.read_bytes()

    x86 = platform.machine().lower() in ("x86_64", "amd64")
    with ThreadPoolExecutor() as pool:
        plain = [pool.submit(compile_file, name) for name in ("baseline", "threads")]
        sets = {n: pool.submit(compile_file, n, *f) for n, f in INSTRUCTION_SETS.items() if x86}
    # Only a compiler's refusal says that it does not know how; anything else goes on up.
    objects = {n: made.result() for n, made in sets.items() if not isinstance(made.exception(), BuildError)}
    try:
        return link(objects)
    except BuildError:
        # Which sets a processor has is asked by a builtin that not every compiler's own library answers.
        if not objects:
            raise
        return link({})


def _run(command: list[str], failed: str) -> None:
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=TIMEOUT,
            check=False,
        )
    except OSError as error:
        raise OSError(f"{command[0]!r} does not run: {error}") from error
    except subprocess.TimeoutExpired as error:
        raise TimeoutError(f"{failed}: not done after {TIMEOUT} s") from error
    if done.returncode:
        lines = (done.stderr or done.stdout).strip().splitlines()
        lines = lines or [f"exit status {done.returncode}, no message"]
        raise BuildError(f"{failed}: {next((line for line in lines if 'error' in line.lower()), lines[0])}")


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
