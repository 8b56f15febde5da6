"""Texts on disk: encoded once, whole or not at all, found again, refused if damaged, and small in memory."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

from relational_rnn.config.checks import BadFile
from relational_rnn.tasks.language import Language, Stream, read, stream, vocabulary
from relational_rnn.tasks.language.source import find
from relational_rnn.tasks.language.stream import FOLDER, on_disk

WORDS = "the cat saw a dog\nthe dog ran to the cat\n"


@pytest.fixture
def folder(tmp_path):
    for name, text in (("train.txt", WORDS * 20), ("valid.txt", WORDS * 3), ("test.txt", WORDS * 2)):
        (tmp_path / name).write_text(text)
    return tmp_path


def test_it_is_written_once_beside_the_text_and_mapped(folder, monkeypatch):
    first = read(Language(data=str(folder)))
    kept = list((folder / FOLDER).iterdir())
    assert len(kept) == 1
    assert isinstance(first.streams["train"], np.memmap)
    assert first.streams["train"].dtype == np.uint16
    assert first.sizes["test"] == 2 * len(WORDS)
    monkeypatch.setattr(stream, "build_vocabulary", lambda *arguments: pytest.fail("it is there already"))
    again = on_disk(find(str(folder), 0.1, 0.1), "words", None, 1, None)
    assert again.vocabulary == first.vocabulary
    for split, tokens in first.streams.items():
        np.testing.assert_array_equal(again.streams[split], tokens)


def test_another_text_or_another_way_is_written_anew(folder, tmp_path_factory):
    cache = tmp_path_factory.mktemp("cache")
    for changes in ({}, {"units": "characters"}, {"min_count": 2}, {"vocabulary_size": 5}):
        read(Language(data=str(folder), cache=str(cache), **changes))
    assert len(list(cache.iterdir())) == 4
    assert not (folder / FOLDER).exists()
    (folder / "train.txt").write_text(WORDS * 21)
    on_disk(find(str(folder), 0.1, 0.1), "words", None, 1, cache)
    assert len(list(cache.iterdir())) == 5


def test_a_failure_leaves_nothing(folder, monkeypatch):
    (folder / "valid.txt").write_bytes(b"good\n\xff\n")
    with pytest.raises(BadFile, match="no UTF-8"):
        read(Language(data=str(folder)))
    assert list((folder / FOLDER).iterdir()) == []


@pytest.mark.parametrize("file", ["train.bin", "text.json"])
def test_damaged_files_are_refused(folder, file):
    where = find(str(folder), 0.1, 0.1)
    on_disk(where, "words", None, 1, None)
    (place,) = (folder / FOLDER).iterdir()
    with (place / file).open("r+b") as opened:
        opened.truncate(7)
    with pytest.raises(BadFile, match=rf"{file}.*remove .*{place.name}: it is written again"):
        on_disk(where, "words", None, 1, None)


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="nothing is forbidden to root")
def test_a_folder_that_cannot_be_written_asks_for_a_cache(folder):
    folder.chmod(0o555)
    with pytest.raises(OSError, match=r"cannot be kept in .*; name a cache"):
        read(Language(data=str(folder)))


def test_a_large_vocabulary_takes_four_bytes(tmp_path, monkeypatch):
    monkeypatch.setattr(stream, "dtype_of", lambda size: np.dtype(np.uint32))
    for name in ("train.txt", "valid.txt"):
        (tmp_path / name).write_text(WORDS)
    text = on_disk(find(str(tmp_path), 0.1, 0.1), "words", None, 1, None)
    assert text.streams["train"].dtype == np.uint32
    assert text.vocabulary.decode(text.streams["train"]) == WORDS


@pytest.mark.parametrize("cut", [None, 3, 5, 100])
@pytest.mark.parametrize(("length", "count", "window"), [(101, 4, 7), (6, 10, 2), (50, 1, 50), (23, 3, 4)])
def test_every_token_but_the_first_is_predicted_once(length, count, window, cut):
    tokens = np.arange(length, dtype=np.uint16)
    found, steps = [], np.zeros(min(count, length - 1), dtype=int)
    for one in Stream(tokens, length, window, count, cut).windows():
        assert (one.targets[one.mask] == one.inputs[one.mask] + 1).all()
        assert one.inputs.shape[1] <= window
        assert one.begins == (steps[0] % (cut or length) == 0)
        steps += one.inputs.shape[1]
        found += one.targets[one.mask].tolist()
    assert sorted(found) == list(range(1, length))


MEASURE = """
import resource, sys
from relational_rnn.tasks.language import Language, read
import numpy
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
text = read(Language(data=sys.argv[1]))
total = int(text.streams["train"][:: 1000].sum())
after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(len(text.streams["train"]), len(text.vocabulary), before, after)
"""


def made_file(folder, tokens, words):
    """Write so many tokens of a vocabulary in which some words are far more frequent than others."""
    generator = np.random.default_rng(0)
    names = np.array([f"word{number}" for number in range(words)], dtype=object)
    for name, count in (("train.txt", tokens), ("valid.txt", 1000)):
        with (folder / name).open("w") as file:
            left = count
            while left:
                some = min(left, 1_000_000)
                ranks = (words ** generator.random(some)).astype(int)
                ranks[::25] = 0
                chosen = names[ranks - (ranks >= words)]
                chosen[24::25] = "\n"
                file.write(" ".join(chosen.tolist()))
                left -= some


def peak(folder):
    """Return tokens, words, and the megabytes that a process takes before and after it has read the text."""
    told = subprocess.run(
        [sys.executable, "-c", MEASURE, str(folder)], capture_output=True, text=True, check=True
    ).stdout.split()
    tokens, words, before, after = map(int, told)
    return tokens, words, before / 1024, after / 1024


@pytest.mark.skipif(sys.platform != "linux", reason="counts in kilobytes")
def test_a_text_takes_little_memory(tmp_path):
    made_file(tmp_path, 400_000, 2_000)
    tokens, _, before, after = peak(tmp_path)
    assert tokens > 390_000
    assert after - before < 60


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="counts in kilobytes")
def test_a_hundred_million_tokens_take_a_few_hundred_megabytes(tmp_path):
    made_file(tmp_path, 100_000_000, 260_000)
    tokens, words, _, after = peak(tmp_path)
    assert tokens > 99_000_000
    assert words > 200_000
    assert after < 500


def test_the_text_describes_itself(folder):
    read(Language(data=str(folder)))
    (place,) = (folder / FOLDER).iterdir()
    values = json.loads((place / "text.json").read_text())
    assert values["units"] == "words"
    assert sum(values["lengths"].values()) == sum(
        (place / f"{split}.bin").stat().st_size // 2 for split in ("train", "validation", "test")
    )
    assert vocabulary.Vocabulary(
        "words", tuple(values["tokens"]), tuple(values["counts"])
    ).number_of.keys() == set(values["tokens"])
