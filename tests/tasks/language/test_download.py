"""Texts by name: downloaded once, checked, whole or not at all; here from files instead of the network."""

import hashlib
import zipfile

import pytest

from relational_rnn.tasks.language import download
from relational_rnn.tasks.language.examples import resolve, with_kept
from relational_rnn.tasks.language.task import Language, read

PARTS = {"train": "the cat sat\n" * 20, "valid": "the cat\n", "test": "a cat\n"}


@pytest.fixture
def published(tmp_path, monkeypatch):
    """WikiText-2 in small, an archive at an address of this machine; and an empty home."""
    archive = tmp_path / "wikitext-2-v1.zip"
    with zipfile.ZipFile(archive, "w") as packed:
        packed.writestr("../evil.txt", "no")
        for split, text in PARTS.items():
            packed.writestr(f"wikitext-2/wiki.{split}.tokens", text)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    check = f"md5 {hashlib.md5(archive.read_bytes()).hexdigest()}"
    text = download.TEXTS["wikitext-2"]._replace(address=archive.as_uri(), check=check)
    monkeypatch.setitem(download.TEXTS, "wikitext-2", text)
    read.cache_clear()
    yield archive
    read.cache_clear()


def test_a_text_is_downloaded_once_and_then_read_from_the_cache(published, tmp_path):
    task, how = resolve(Language(data="wikitext-2"))
    folder = tmp_path / "home/.cache/relational-rnn/texts/wikitext-2"
    assert how.startswith(f"wikitext-2 from {published.as_uri()}, kept in {folder} (CC BY-SA 3.0")
    assert sorted(file.name for file in folder.iterdir()) == sorted(download.WIKITEXT)
    assert [file.name for file in folder.parent.iterdir()] == ["wikitext-2"]
    assert not list(tmp_path.rglob("evil.txt"))
    published.unlink()
    assert resolve(task)[1].startswith(f"wikitext-2 from the cache, {folder}. Text from {folder}")
    assert read(task).vocabulary.tokens[:2] == ("<eos>", "cat")
    assert with_kept(task, tmp_path / "vocabulary.json") == task


def test_a_folder_of_that_name_comes_first(published, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "wikitext-2").mkdir()
    (tmp_path / "wikitext-2/all.txt").write_text("one two\n" * 50)
    assert resolve(Language(data="wikitext-2"))[1].startswith("Text from 1 files in wikitext-2")


def test_what_goes_wrong_names_the_folder_and_leaves_nothing(published, tmp_path, monkeypatch):
    folder = tmp_path / "home/.cache/relational-rnn/texts/wikitext-2"
    remedy = f"put wiki.train.tokens, wiki.valid.tokens, wiki.test.tokens into {folder}, or name another"
    text, broken = download.TEXTS["wikitext-2"], tmp_path / "broken.zip"
    broken.write_bytes(published.read_bytes()[:-9])
    check = f"md5 {hashlib.md5(broken.read_bytes()).hexdigest()}"
    for changed, told in (
        ({"address": broken.as_uri()}, "what is there is another text: its md5 is "),
        ({"address": broken.as_uri(), "check": check}, "the archive is damaged"),
        ({"files": ("wiki.tokens",)}, "the archive has no wiki.tokens"),
        ({"address": (tmp_path / "gone.zip").as_uri()}, "No such file or directory"),
        ({"address": "http://127.0.0.1:9/offline.zip"}, "Connection refused"),
    ):
        monkeypatch.setitem(download.TEXTS, "wikitext-2", text._replace(**changed))
        with pytest.raises(OSError, match=told) as raised:
            resolve(Language(data="wikitext-2"))
        assert "files" in changed or remedy in str(raised.value)
        assert list(folder.parent.iterdir()) == []
    with pytest.raises(ValueError, match=r"no text 'wikitext2' \(did you mean wikitext-2\?\)"):
        resolve(Language(data="wikitext2"))
