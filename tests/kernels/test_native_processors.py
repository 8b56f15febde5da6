"""The native library as several compilers make it for several processors, some of them emulated.

What a machine lacks is skipped: clang, `gcc-aarch64-linux-gnu`, and `qemu-user`, by their Debian names.
"""

import ctypes
import platform
import shutil
import subprocess
from pathlib import Path

import pytest

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch")

from helpers.sequences import assert_as_eager, make_case  # noqa: E402
from kernels.test_native import CONFIGS, sequence  # noqa: E402
from relational_rnn.config import RelationalMemoryConfig  # noqa: E402
from relational_rnn.kernels.native import backend, build, library  # noqa: E402

GCC, CLANG = ("gcc",), ("clang",)
ARM_GCC, ARM_CLANG = ("aarch64-linux-gnu-gcc",), ("clang", "--target=aarch64-linux-gnu")
ARM = ("qemu-aarch64", "-L", "/usr/aarch64-linux-gnu")
NO_AVX = ("qemu-x86_64", "-cpu", "Nehalem")  # x86-64-v2; any instruction of AVX ends the process
AVX2 = ("qemu-x86_64", "-cpu", "Haswell")

X86 = platform.machine().lower() in ("x86_64", "amd64")


class Program:
    """The library's functions in another program, with an emulator before its name.

    It stands in the place of `library.Library`: what a problem points at goes there and back in a file.
    """

    def __init__(self, folder, compiler, shared, emulator=()):
        self.file, program = folder / "problem", folder / "replay"
        source = Path(__file__).with_name("replay.c")
        run([*compiler, "-O1", "-Wall", "-Werror", f"-I{build.SOURCES}", source, shared, "-o", program])
        self.command = [*emulator, program]
        self.names = run([*self.command, "variants"]).split()

    def sizes(self, variant, problem, sizes):
        ctypes.memmove(sizes, self.call("sizes", variant, problem, []), 24)

    def forward(self, variant, problem):
        self.call("forward", variant, problem, self.lengths(variant, problem))

    def backward(self, variant, problem):
        self.call("backward", variant, problem, self.lengths(variant, problem))

    def lengths(self, variant, problem):
        """Bytes behind each pointer of a problem (native.h)."""
        sizes = (ctypes.c_int64 * 3)()
        self.sizes(variant, problem, ctypes.addressof(sizes))
        p = library.Problem.from_address(problem)
        width, gates = p.heads * p.value, 2 * p.gate
        projection = p.heads * (2 * p.key + p.value)
        layers = [
            width * p.features,
            width,
            projection * width,
            projection,
            projection,
            projection,
            *[width] * 4,
        ]
        layers += [
            gates * p.input_rows * width,
            gates,
            gates * width,
            gates,
            *[width * width, width] * p.layers,
        ]
        layers += [0] * (2 * (library.MAX_LAYERS - p.layers))
        inputs, state = p.total * p.input_rows * p.features, p.slots * width
        steps, batch = p.total * state, p.batch * state
        floats = [
            inputs,
            batch,
            state,
            0,
            *layers,
            steps,
            batch,
            sizes[0],
            0,
            steps,
            batch,
            inputs,
            batch,
            state,
        ]
        lengths = [8 * p.steps, *(4 * count for count in [*floats, *layers])]
        lengths[4] = p.total  # resets
        return lengths

    def call(self, what, variant, problem, lengths):
        """Let the program make a call; its answer goes where the problem's pointers point."""
        sent = library.Problem.from_buffer_copy(ctypes.string_at(problem, ctypes.sizeof(library.Problem)))
        first = library.Problem.batch_sizes.offset
        pointers = (ctypes.c_size_t * ((ctypes.sizeof(sent) - first) // 8)).from_buffer(sent, first)
        content, places = bytearray(24 + ctypes.sizeof(sent)), []
        for number, address in enumerate(pointers):
            length = lengths[number] if lengths and address else 0
            pointers[number] = len(content) if length else 0
            if length:
                places.append((address, len(content), length))
                content += ctypes.string_at(address, length) + bytes(-length % 64)
        content[24 : 24 + ctypes.sizeof(sent)] = bytes(sent)
        self.file.write_bytes(content)
        run([*self.command, what, str(variant), self.file])
        answer = self.file.read_bytes()
        for address, start, length in places:
            ctypes.memmove(address, answer[start : start + length], length)
        return answer


def run(command):
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False, timeout=600)
    assert not done.returncode, (command, done.returncode, done.stderr)
    return done.stdout


def need(*commands):
    for name in commands:
        if shutil.which(name) is None:
            pytest.skip(f"{name} is not installed")


def assert_parity(program, monkeypatch, configs, batch_sizes):
    """Every instruction set of a program gives what eager gives, outputs and gradients."""
    monkeypatch.setattr(backend, "load", lambda: program)
    for variant, name in enumerate(program.names):
        if name.endswith("bf16"):
            continue  # its results are not float32's
        for number, options in enumerate(configs):
            case = make_case(
                RelationalMemoryConfig(**options),
                batch_sizes[number % len(batch_sizes)],
                number,
                dtype=torch.float32,
            )
            assert_as_eager(sequence(variant, 1 + number % 3, recompute=number % 2 == 1), case)


BATCHES = [[1], [5, 5, 4, 1], [40, 37, 2]]


def test_the_library_of_this_machine(tmp_path, monkeypatch):
    """The installed library, here and without AVX, in a program without Python."""
    need("gcc")
    shared = build.FOLDER / build.library_name()
    if not build.is_current(shared):
        pytest.skip("the library is not built")
    configs = [CONFIGS["odd"], CONFIGS["vectors"]]
    assert_parity(Program(tmp_path, GCC, shared), monkeypatch, configs, BATCHES[1:])


@pytest.fixture(scope="module")
def compiled(tmp_path_factory):
    """A function that compiles the library, once for every compiler."""
    made = {}

    def library_of(compiler):
        if compiler not in made:
            folder = tmp_path_factory.mktemp("compiled")
            content = build.compile_library(list(compiler), folder)
            made[compiler] = folder / "native.so"
            made[compiler].write_bytes(content)
        return made[compiler]

    return library_of


@pytest.mark.slow
@pytest.mark.parametrize(
    ("compiler", "emulator", "names"),
    [
        (GCC, (), None),
        (CLANG, (), None),
        (GCC, NO_AVX, ["baseline"]),
        (CLANG, NO_AVX, ["baseline"]),
        (GCC, AVX2, ["avx2", "baseline"]),
        (ARM_GCC, ARM, ["baseline"]),
        (ARM_CLANG, ARM, ["baseline"]),
    ],
    ids=["gcc", "clang", "gcc-no-avx", "clang-no-avx", "gcc-avx2", "gcc-aarch64", "clang-aarch64"],
)
def test_every_compiler_and_processor(compiler, emulator, names, compiled, tmp_path, monkeypatch):
    need(compiler[0], *emulator[:1])
    if emulator == ARM:
        need(ARM_GCC[0])  # with which the C library for it comes
    elif not X86:
        pytest.skip("the emulated program is of an x86-64 processor")
    program = Program(tmp_path, compiler, compiled(compiler), emulator)
    assert names is None or program.names == names
    assert_parity(program, monkeypatch, CONFIGS.values(), BATCHES)


@pytest.mark.slow
@pytest.mark.parametrize("compiler", [GCC, CLANG], ids=["gcc", "clang"])
def test_every_instruction_set_is_compiled(compiler, compiled):
    need(*compiler)
    if not X86:
        pytest.skip("only x86-64 has several")
    content = compiled(compiler).read_bytes()
    for name in build.INSTRUCTION_SETS:
        assert f"{name}\0".encode() in content, name
