"""The native library is loaded only if it is what was built, and a build that fails leaves one line."""

import errno
import importlib.util
import random
import shlex
import shutil
import sys
import threading
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

pytestmark = pytest.mark.torch
pytest.importorskip("torch")

from relational_rnn.kernels.native import build, library  # noqa: E402

COMMAND = "(python -m relational_rnn.kernels.native.build)"
NOT_AS_BUILT = f"the native library is damaged or not of these sources {COMMAND}"


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """That of the package if it is current, as building takes a while."""
    usual = build.FOLDER / build.library_name()
    if build.is_current(usual):
        return usual
    return fresh(tmp_path_factory.mktemp("native"))


def fresh(folder):
    try:
        build.find_compiler()
    except build.BuildError as error:
        pytest.skip(str(error))
    return build.build(folder / build.library_name())


@pytest.fixture
def compiler(tmp_path, monkeypatch):
    """Let a shell script be the compiler; `$out` is the file that it is asked for."""

    def use(script):
        path = tmp_path / "a compiler"
        path.write_text(f"#!/bin/sh\nfor out; do :; done\n{script}\n", encoding="latin-1")
        path.chmod(0o755)
        monkeypatch.setenv("CC", f"'{path}'")

    return use


@pytest.fixture
def place(tmp_path):
    """A folder with an older library in it, that a build which fails leaves as it was."""
    folder = tmp_path / "package"
    folder.mkdir()
    older = folder / build.library_name()
    older.write_bytes(b"an older one")
    yield older
    assert older.read_bytes() == b"an older one"
    assert list(folder.iterdir()) == [older]


# loading


@pytest.mark.slow  # every library here was built afresh once, when the package was installed
def test_a_fresh_build_loads(tmp_path):
    found = library.load(fresh(tmp_path))
    assert found.variants[-1] == "baseline"
    beside = library.load()
    if isinstance(beside, library.Library):
        assert found.variants == beside.variants


def test_a_library_that_is_absent_foreign_or_stale(built, tmp_path, monkeypatch):
    absent = f"the native library is not built {COMMAND}"
    assert library.load(tmp_path / "nothing.so") == absent
    assert library.load(tmp_path) == absent
    other = tmp_path / "other.so"
    other.write_bytes(build.source_digest().encode())
    assert library.load(other) == NOT_AS_BUILT
    stale = Path(shutil.copy(built, tmp_path / "stale.so"))
    monkeypatch.setattr(build, "source_digest", lambda: "another")
    assert library.load(stale) == NOT_AS_BUILT


def test_not_one_bit_may_differ(built, tmp_path):
    whole, copy, generator = built.read_bytes(), tmp_path / "copy.so", random.Random(0)
    size, damaged = len(whole), {}
    for at in [0, size - build.SEAL - 1, size - build.SEAL, size - 1, *generator.sample(range(size), 100)]:
        changed = bytearray(whole)
        changed[at] ^= 1 << generator.randrange(8)
        damaged[f"a bit of byte {at}"] = bytes(changed)
    for length in [0, 1, build.SEAL, size - build.SEAL, size - 1, *generator.sample(range(size), 50)]:
        damaged[f"cut after {length}"] = whole[:length]
        damaged[f"zeros from {length}"] = whole[:length] + bytes(size - length)
        damaged[f"cut after {length}, with the seal"] = whole[:length] + whole[-build.SEAL :]
    damaged["longer"] = whole + b"\0"
    copy.write_bytes(whole)
    assert build.is_current(copy)
    for what, content in damaged.items():
        copy.write_bytes(content)
        assert content == whole or not build.is_current(copy), what
    copy.write_bytes(whole[: size // 2])  # which would end the process
    assert library.load(copy) == NOT_AS_BUILT


def test_a_library_that_is_whole_and_still_of_no_use(built, tmp_path, monkeypatch):
    content = b"no library"
    sealed = tmp_path / "sealed.so"
    sealed.write_bytes(content + build._seal(content, build.source_digest()))
    assert library.load(sealed).startswith("the native library cannot be used: ")
    unreadable = Path(shutil.copy(built, tmp_path / "unreadable.so"))
    monkeypatch.setattr(Path, "read_bytes", raising(PermissionError(errno.EACCES, "Permission denied")))
    assert library.load(unreadable) == "the native library cannot be used: [Errno 13] Permission denied"


def raising(error):
    def function(*_, **__):
        raise error

    return function


# building


SCRIPTS = {
    "complains": (
        "echo 'a.c: note' >&2; echo 'fatal error: out of order' >&2; exit 1",
        "fatal error: out of order",
    ),
    "fails without a word": ("exit 3", "exit status 3, no message"),
    "is killed": ("kill -9 $$", "exit status -9, no message"),
    "speaks no UTF-8": ("echo 'Fehler: \xfcbel' >&2; exit 1", "Fehler: �bel"),
    "makes nothing": ("exit 0", "made nothing"),
    "makes garbage": ('echo garbage > "$out"', "does not load"),
    "makes an empty file": (': > "$out"', "does not load"),
    "makes half a library": ('head -c 200000 "{built}" > "$out"', "does not load"),
    "makes another library": ('echo "int x;" | {cc} -x c -fPIC -shared - -o "$out"', "undefined symbol"),
    "hangs": ("exec sleep 60", "not done after 0.5 s"),
}


@pytest.mark.parametrize(("script", "message"), SCRIPTS.values(), ids=SCRIPTS)
def test_a_compiler_that(script, message, built, compiler, place, monkeypatch, capsys):
    monkeypatch.setattr(build, "TIMEOUT", 0.5 if "sleep" in script else 60)
    if "{cc}" in script:
        script = script.replace("{cc}", shlex.join(build.find_compiler()))
    compiler(script.replace("{built}", str(built)))
    assert_fails(message, place, monkeypatch, capsys)


def assert_fails(message, place, monkeypatch, capsys):
    """A build says so in one line, both ways."""
    with pytest.raises(build.BuildError) as failed:
        build.build(place)
    assert message in str(failed.value)
    assert "\n" not in str(failed.value)
    monkeypatch.setattr(build, "FOLDER", place.parent)
    assert build.main() == 1
    printed = capsys.readouterr()
    assert printed.err.startswith("the native library was not built: ")
    assert printed.err.count("\n") == 1
    assert printed.out == ""


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("/no such compiler", "'/no' does not run: [Errno 2]"),
        ("''", "'' does not run: [Errno"),
        ("/", "'/' does not run: [Errno 13]"),
        ("'cc", "the variable CC is no command: No closing quotation"),
    ],
)
def test_a_variable_that_names_no_compiler(value, message, place, monkeypatch, capsys):
    monkeypatch.setenv("CC", value)
    assert_fails(message, place, monkeypatch, capsys)


def test_no_compiler_at_all(tmp_path, place, monkeypatch, capsys):
    monkeypatch.setenv("CC", " ")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert_fails("no C compiler found", place, monkeypatch, capsys)


FULL = OSError(errno.ENOSPC, "No space left on device")
REFUSALS = {
    "no folder for temporary files": (
        "tempfile.TemporaryDirectory",
        FileNotFoundError("No usable temporary directory"),
    ),
    "a full disk": ("pathlib.Path.write_bytes", FULL),
    "a folder that may not be written to": ("os.replace", OSError(errno.EROFS, "Read-only file system")),
    "no more threads": (f"{build.__name__}.ThreadPoolExecutor", RuntimeError("can't start new thread")),
    "no more processes": (
        "subprocess.run",
        BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable"),
    ),
}


@pytest.mark.parametrize(("what", "error"), REFUSALS.values(), ids=REFUSALS)
def test_a_system_with(what, error, built, compiler, place, monkeypatch, capsys):
    compiler(f'cat "{built}" > "$out"')
    with monkeypatch.context() as patch:
        patch.setattr(what, raising(error))
        assert_fails(str(error), place, patch, capsys)


def test_a_disk_that_fills_up_while_it_is_written(built, compiler, place, monkeypatch, capsys):
    def half(path, content):
        with path.open("wb") as file:
            file.write(content[: len(content) // 2])
        raise FULL

    compiler(f'cat "{built}" > "$out"')
    monkeypatch.setattr(Path, "write_bytes", half)
    assert_fails("No space left", place, monkeypatch, capsys)


def test_sources_that_change_while_they_are_compiled(built, compiler, place, monkeypatch):
    compiler(f'cat "{built}" > "$out"')
    digests = iter("ab")
    monkeypatch.setattr(build, "source_digest", lambda: next(digests))
    with pytest.raises(build.BuildError, match="the sources have changed meanwhile"):
        build.build(place)


def test_builds_at_the_same_time_and_under_a_user(built, compiler, tmp_path):
    compiler(f'cat "{built}" > "$out"')
    target = build.build(tmp_path / build.library_name())
    used = library.load(target)
    builders = [threading.Thread(target=build.build, args=(target,)) for _ in range(4)]
    for builder in builders:
        builder.start()
    while any(builder.is_alive() for builder in builders):
        assert build.is_current(target)  # all the time
    assert sorted(tmp_path.glob(f"{target.name}*")) == [target]
    assert not target.samefile(built)
    used.activate(0, 0, 0, None, None)


def test_the_command_prints_where_the_library_is(built, compiler, tmp_path, monkeypatch, capsys):
    compiler(f'cat "{built}" > "$out"')
    monkeypatch.setattr(build, "FOLDER", tmp_path)
    assert build.main() == 0
    assert capsys.readouterr().out == f"{tmp_path / build.library_name()}\n"


# the wheel


@pytest.fixture
def hook(monkeypatch):
    """hatch_build.py's, without hatchling."""
    interface = ModuleType("hatchling.builders.hooks.plugin.interface")
    interface.BuildHookInterface = SimpleNamespace
    names = interface.__name__.split(".")
    for count in range(1, len(names)):
        name = ".".join(names[:count])
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    monkeypatch.setitem(sys.modules, interface.__name__, interface)
    root = Path(__file__).parents[2]
    spec = importlib.util.spec_from_file_location("hatch_build", root / "hatch_build.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "_load", lambda path: build)
    return module.NativeLibraryHook(root=str(root), target_name="wheel")


def test_a_wheel_without_a_compiler_is_made_in_one_line(hook, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("CC", "/no/compiler")
    monkeypatch.setattr(build, "FOLDER", tmp_path)
    data = {"artifacts": []}
    hook.initialize("standard", data)
    assert data == {"artifacts": []}
    printed = capsys.readouterr().err
    assert printed.startswith("relational-rnn without its native library (torch is used instead): ")
    assert printed.count("\n") == 1


def test_a_wheel_holds_a_library_that_is_whole(hook, built, compiler, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(build, "FOLDER", tmp_path)
    hook.root = str(tmp_path)
    compiler(f'cat "{built}" > "$out"')

    def artifacts():
        data = {"artifacts": []}
        hook.initialize("standard", data)
        return data["artifacts"]

    name = build.library_name()
    assert artifacts() == [name]
    compiler("exit 1")
    assert artifacts() == [name]  # that which is there
    (tmp_path / name).write_bytes(built.read_bytes()[:-1])
    assert artifacts() == []
    compiler(f'cat "{built}" > "$out"')
    assert artifacts() == [name]
    assert build.is_current(tmp_path / name)
    assert capsys.readouterr().err.count("\n") == 1
