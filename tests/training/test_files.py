import json
import os
import socket
import stat

import pytest

from relational_rnn.training.files import (
    check_folder,
    find_target,
    read_json,
    read_lines,
    write_atomically,
    write_json,
    write_text,
)

on_posix = pytest.mark.skipif(os.name == "nt", reason="links, pipes and modes")


def never(temporary):
    raise AssertionError("work was done for a file that cannot be written")


def test_a_failed_write_leaves_the_old_file(tmp_path):
    path = tmp_path / "value.json"
    write_json(path, {"old": 1})

    def fails(temporary):
        temporary.write_text("half of")
        raise RuntimeError("killed")

    with pytest.raises(RuntimeError, match="killed"):
        write_atomically(path, fails)
    assert read_json(path) == {"old": 1}
    assert [file.name for file in path.parent.iterdir()] == ["value.json"]


def test_broken_json_names_the_file(tmp_path):
    path = tmp_path / "x.json"
    path.write_text("{")
    with pytest.raises(ValueError, match=r"x\.json is no JSON file"):
        read_json(path)


def test_a_line_cut_short_is_left_out(tmp_path):
    path = tmp_path / "lines.jsonl"
    assert list(read_lines(path)) == []
    path.write_text(json.dumps({"step": 1}) + "\n" + '{"step": 2')
    assert list(read_lines(path)) == [{"step": 1}]


@on_posix
def test_a_link_stays_and_its_file_is_replaced(tmp_path):
    real, link, chain = tmp_path / "data" / "real.txt", tmp_path / "link.txt", tmp_path / "chain.txt"
    real.parent.mkdir()
    write_text(real, "old")
    link.symlink_to("data/real.txt")
    chain.symlink_to(link)
    before = real.stat().st_ino
    write_text(chain, "new é")
    assert (chain.readlink(), str(link.readlink())) == (link, "data/real.txt")
    assert real.read_bytes() == "new é".encode()
    assert real.stat().st_ino != before  # another file, so the write was atomic
    with pytest.raises(AssertionError):
        write_atomically(link, never)
    assert real.read_bytes() == "new é".encode()
    assert [file.name for file in real.parent.iterdir()] == ["real.txt"]


@on_posix
def test_a_link_to_what_is_not_there_yet(tmp_path):
    link = tmp_path / "link.txt"
    link.symlink_to("made/later.txt")
    with pytest.raises(FileNotFoundError, match=r"the folder is not there \(any more\): '.*made'"):
        write_atomically(link, never)
    (tmp_path / "made").mkdir()
    write_text(link, "new")
    assert link.is_symlink()
    assert (tmp_path / "made" / "later.txt").read_text() == "new"


@on_posix
def test_links_in_a_circle(tmp_path):
    one, other = tmp_path / "one", tmp_path / "other"
    one.symlink_to(other)
    other.symlink_to(one)
    with pytest.raises(OSError, match=r"levels of symbolic links: '.*one'"):
        write_atomically(one, never)
    assert one.is_symlink()


@on_posix
@pytest.mark.parametrize("through", [False, True])
@pytest.mark.parametrize("kind", ["a pipe (FIFO)", "a socket", "a folder"])
def test_what_is_no_file_is_left_alone(tmp_path, monkeypatch, kind, through):
    monkeypatch.chdir(tmp_path)  # a socket's path is short
    path = tmp_path / "there"
    if kind == "a folder":
        path.mkdir()
    elif kind == "a socket":
        with socket.socket(socket.AF_UNIX) as end:
            end.bind(path.name)
    else:
        os.mkfifo(path)
    before = path.stat()
    if through:
        (tmp_path / "link").symlink_to(path)
        path = tmp_path / "link"
    for refused in (lambda: find_target(path), lambda: write_atomically(path, never)):
        with pytest.raises(ValueError) as error:
            refused()
        assert str(error.value) == f"{path} is {kind}; only a file can be written there"
    assert (tmp_path / "there").stat() == before
    assert path.is_symlink() == through


@on_posix
def test_modes(tmp_path):
    path = tmp_path / "value.json"
    umask = os.umask(0o027)
    try:
        write_json(path, 1)
        assert stat.S_IMODE(path.stat().st_mode) == 0o640
        for mode in (0o600, 0o664):
            path.chmod(mode)
            write_json(path, 2)
            assert stat.S_IMODE(path.stat().st_mode) == mode
    finally:
        os.umask(umask)


@on_posix
@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root may give files away")
def test_the_owner_stays(tmp_path):
    path = tmp_path / "value.json"
    write_json(path, 1)
    os.chown(path, 1234, 1235)
    write_json(path, 2)
    assert (path.stat().st_uid, path.stat().st_gid) == (1234, 1235)


def test_folders_that_cannot_be_written(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("x")
    for path in (tmp_path / "file" / "x.json", tmp_path / "file" / "deep" / "x.json"):
        with pytest.raises(NotADirectoryError, match=r"file"):
            write_atomically(path, never)
    with pytest.raises(NotADirectoryError, match=r"a file is where a folder is needed: '.*file'"):
        check_folder(tmp_path / "file" / "deep")
    check_folder(tmp_path / "new" / "deep")
    monkeypatch.setattr(os, "access", lambda folder, mode: str(folder) != str(tmp_path))
    with pytest.raises(PermissionError, match=r"nothing can be written into this folder: '.*'"):
        write_atomically(tmp_path / "new" / "x.json", never)
    assert [file.name for file in tmp_path.iterdir()] == ["file"]
