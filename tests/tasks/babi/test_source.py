"""Where stories come from: folder, cache, download, or nowhere, and what is said about it."""

import io
import tarfile
from pathlib import Path

import pytest

from relational_rnn.tasks.babi import download, files_in, find
from relational_rnn.tasks.babi.source import default_cache

EXCERPT = Path(__file__).parent / "excerpt"
NOWHERE = "file:///there/is/no/such/archive.tar.gz"


def archive(path: Path, members: dict[str, bytes]) -> str:
    """Write an archive; return its address."""
    with tarfile.open(path, "w:gz") as tar:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return path.as_uri()


STORIES = {f"tasks_1-20_v1-2/en/{path.name}": path.read_bytes() for path in EXCERPT.iterdir()}


def test_files_by_task_and_split():
    files = files_in(EXCERPT)
    expected = {(task, split) for task in (1, 8, 15) for split in ("train", "test")} | {(15, "valid")}
    assert set(files) == expected
    assert files[1, "test"].name == "qa1_single-supporting-fact_test.txt"
    assert files_in(EXCERPT / "nothing") == {}
    assert files_in(EXCERPT.parent) == {}


def test_a_given_folder_comes_first(tmp_path):
    assert find(EXCERPT, cache=tmp_path) == (EXCERPT, f"bAbI stories from {EXCERPT}")
    for inner in ("en-10k", "tasks_1-20_v1-2/en-10k"):
        folder = tmp_path / inner.replace("/", "-") / inner
        folder.parent.mkdir(parents=True)
        folder.symlink_to(EXCERPT)
        outer = tmp_path / inner.replace("/", "-")
        assert find(outer, variant="en-10k").directory == folder
        with pytest.raises(ValueError, match=r"has no bAbI files: .* is in it or in its folder en$"):
            find(outer, may_download=False)


def test_then_the_cache(tmp_path):
    folder = tmp_path / "tasks_1-20_v1-2" / "en"
    folder.parent.mkdir()
    folder.symlink_to(EXCERPT)
    source = find(cache=tmp_path, address=NOWHERE)
    assert source == (folder, f"bAbI stories from the cache, {folder}")


def test_then_a_download_that_is_kept(tmp_path):
    outside = {
        "../en/qa2_train.txt": b"x",
        "/en/qa3_train.txt": b"x",
        "tasks_1-20_v1-2/hn/qa1_train.txt": b"x",
    }
    others = {"tasks_1-20_v1-2/en/LICENSE.txt": b"x", "tasks_1-20_v1-2/README": b"x"}
    address = archive(tmp_path / "a.tar.gz", STORIES | others)
    cache = tmp_path / "cache"
    source = find(cache=cache, address=address)
    folder = cache / "tasks_1-20_v1-2" / "en"
    assert source == (folder, f"bAbI stories downloaded from {address} to {folder}")
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == {
        path.name: path.read_bytes() for path in EXCERPT.iterdir()
    }
    assert [path.name for path in cache.iterdir()] == ["tasks_1-20_v1-2"]
    assert find(cache=cache, address=NOWHERE).how.startswith("bAbI stories from the cache")
    download(cache, archive(tmp_path / "b.tar.gz", STORIES | outside))
    written = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.txt")}
    assert written == {
        f"cache/{name}"
        for name in [*STORIES, "tasks_1-20_v1-2/en/qa2_train.txt", "tasks_1-20_v1-2/en/qa3_train.txt"]
    }


@pytest.mark.parametrize(
    ("members", "reason"),
    [
        (None, "No such file"),
        ({}, "the archive has no stories"),
        ({"a/en/notes.txt": b"x"}, "the archive has no stories"),
        ({"a/en-10k/qa1_train.txt": b"x"}, "the archive has no stories of en"),
    ],
)
def test_else_synthetic_stories_and_why(tmp_path, members, reason):
    address = NOWHERE if members is None else archive(tmp_path / "a.tar.gz", members)
    directory, how = find(cache=tmp_path / "cache", address=address)
    assert directory is None
    assert how.startswith("synthetic stories: no bAbI files in ")
    assert address in how
    assert reason in how
    assert "\n" not in how


def test_a_damaged_archive_leaves_the_cache_alone(tmp_path):
    cache = tmp_path / "cache"
    address = archive(tmp_path / "a.tar.gz", STORIES)
    find(cache=cache, address=address)
    (tmp_path / "a.tar.gz").write_bytes((tmp_path / "a.tar.gz").read_bytes()[:300])
    with pytest.raises(OSError, match="the archive is damaged"):
        download(cache, address)
    (tmp_path / "a.tar.gz").write_bytes(b"<html>")
    with pytest.raises(OSError, match="the archive is damaged"):
        download(cache, address)
    assert len(files_in(cache / "tasks_1-20_v1-2" / "en")) == 7


def test_no_download_unless_wanted(tmp_path):
    address = archive(tmp_path / "a.tar.gz", STORIES)
    source = find(cache=tmp_path / "cache", address=address, may_download=False)
    assert source.directory is None
    assert source.how.endswith("and no download was wanted")


def test_unknown_variant():
    with pytest.raises(
        ValueError, match="variant must be one of 'en', 'en-10k', 'en-valid', 'en-valid-10k', got 'hn'"
    ):
        find(variant="hn")


def test_no_home(monkeypatch):
    def homeless():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", homeless)
    with pytest.raises(OSError, match="there is no home folder to keep downloads in: set HOME, or name"):
        default_cache()
    assert find(EXCERPT).directory == EXCERPT
    directory, how = find(address=NOWHERE)
    assert directory is None
    assert how.startswith("synthetic stories: there is no home folder")


def test_a_home_that_may_not_be_looked_into(tmp_path, monkeypatch):
    def forbidden(path):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "is_dir", forbidden)
    directory, how = find(cache=tmp_path, address=NOWHERE)
    assert directory is None
    assert "permission denied" in how


def test_a_cache_that_is_a_link_stays_one(tmp_path):
    cache, elsewhere = tmp_path / "cache", tmp_path / "elsewhere"
    cache.mkdir()
    elsewhere.mkdir()
    (cache / "tasks_1-20_v1-2").symlink_to(elsewhere)
    download(cache, archive(tmp_path / "a.tar.gz", STORIES))
    assert (cache / "tasks_1-20_v1-2").is_symlink()
    assert len(files_in(elsewhere / "en")) == 7
