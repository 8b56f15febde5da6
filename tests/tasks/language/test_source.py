"""Where a text is found, how it is cut into splits and pieces, and what is said of a damaged one."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relational_rnn.config.checks import BadFile
from relational_rnn.tasks.language import Language, read, source
from relational_rnn.tasks.language.source import SPLITS, Span, find, read_pieces

LINES = "one two three\nfour five\n\nsix — sieben\n"


def text_of(spans):
    return "".join(piece.text for piece in read_pieces(spans))


def write(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(text, encoding="utf-8")
    return folder


@pytest.mark.parametrize(
    "names",
    [
        ("wiki.train.tokens", "wiki.valid.tokens", "wiki.test.tokens"),
        ("train.txt", "valid.txt", "test.txt"),
        ("ptb.train.txt", "ptb.validation.txt", "ptb.test.txt"),
        ("train.raw", "val.raw", "test.raw"),
    ],
)
def test_files_named_by_splits(tmp_path, names):
    for name in (*names, "notes.txt"):
        (tmp_path / name).write_text(f"{name}\n")
    found = find(str(tmp_path), 0.1, 0.1)
    assert {split: text_of(spans) for split, spans in found.spans.items()} == {
        split: f"{name}\n" for split, name in zip(SPLITS, names)
    }
    assert found.how == f"Text from {tmp_path}: {', '.join(names)}."


def test_without_a_test_file_validation_is_scored_and_it_is_said(tmp_path):
    write(tmp_path, train__txt="a b\n", valid__txt="b a\n")
    assert find(str(tmp_path), 0.1, 0.1).how.endswith("without a test file, test scores are on validation.")
    text = read(Language(data=str(tmp_path)))
    assert text.streams["test"].tolist() == text.streams["validation"].tolist()
    assert text.sizes == {"train": 4, "validation": 4, "test": 4}


def test_a_missing_split_is_named(tmp_path):
    write(tmp_path, wiki__train__tokens="a\n", wiki__test__tokens="a\n")
    with pytest.raises(
        ValueError, match=r"has wiki.train.tokens and no validation split.* wiki.valid.tokens"
    ):
        find(str(tmp_path), 0.1, 0.1)


def test_two_files_of_one_split(tmp_path):
    write(tmp_path, train__txt="a\n", train__tokens="a\n", valid__txt="a\n")
    with pytest.raises(ValueError, match=r"two files of train: train.tokens and train.txt"):
        find(str(tmp_path), 0.1, 0.1)


def test_nothing_there(tmp_path):
    with pytest.raises(ValueError, match=r"there is no text 'mad' \(did you mean made\?\); data must be"):
        find("mad", 0.1, 0.1)
    with pytest.raises(ValueError, match=r"has no text: no file ends in .txt, .text, .tokens, .raw"):
        find(str(tmp_path), 0.1, 0.1)


def test_an_empty_file(tmp_path):
    write(tmp_path, train__txt="a\n", valid__txt="")
    with pytest.raises(BadFile, match=r"valid.txt is empty"):
        find(str(tmp_path), 0.1, 0.1)


def test_a_text_too_short_for_its_shares(tmp_path):
    write(tmp_path, book__txt="a")
    with pytest.raises(ValueError, match=r"is too short: nothing is left for (train|validation|test)"):
        find(str(tmp_path / "book.txt"), 0.1, 0.1)


def test_a_text_of_blanks(tmp_path):
    write(tmp_path, train__txt="  \t", valid__txt="a\n")
    with pytest.raises(BadFile, match=r"train.txt is too short: its train text has 1 words, at least 2"):
        read(Language(data=str(tmp_path)))


@settings(deadline=None, max_examples=60)
@given(
    texts=st.lists(st.text(alphabet="ab é\n\U0001f40c", min_size=1, max_size=60), min_size=1, max_size=3),
    shares=st.sampled_from([(0.1, 0.1), (0.3, 0.3), (0.05, 0.5)]),
    block=st.sampled_from([5, 8, 64]),
)
def test_shares_and_pieces_lose_nothing(tmp_path_factory, texts, shares, block):
    """The splits follow each other, cut between characters; pieces are the text, whatever is read at once."""
    folder = tmp_path_factory.mktemp("text")
    for number, text in enumerate(texts):
        (folder / f"{number}.txt").write_bytes(text.encode())
    files = [Span(path, 0, path.stat().st_size) for path in sorted(folder.iterdir())]
    spans = source._by_shares(files, *shares)
    assert "".join(text_of(spans[split]) for split in SPLITS) == "".join(texts)
    before, source.BLOCK = source.BLOCK, block
    try:
        pieces = list(read_pieces(files))
    finally:
        source.BLOCK = before
    assert "".join(piece.text for piece in pieces) == "".join(texts)
    assert sum(piece.size for piece in pieces) == sum(span.end for span in files)
    assert sum(piece.last for piece in pieces) == len(texts)


def test_splits_end_with_lines(tmp_path):
    (tmp_path / "book.txt").write_text(LINES * 50, encoding="utf-8")
    spans = find(str(tmp_path / "book.txt"), 0.1, 0.2).spans
    sizes = {split: sum(span.end - span.begin for span in spans[split]) for split in SPLITS}
    assert all(text_of(spans[split]).endswith("\n") for split in SPLITS)
    total = sum(sizes.values())
    assert sizes["validation"] / total == pytest.approx(0.1, abs=0.02)
    assert sizes["test"] / total == pytest.approx(0.2, abs=0.02)


@pytest.mark.parametrize(("block", "line", "byte"), [(1 << 20, 3, 9), (8, 3, 9)])
def test_broken_encoding_is_told_by_line_and_byte(tmp_path, monkeypatch, block, line, byte):
    monkeypatch.setattr(source, "BLOCK", block)
    path = tmp_path / "bad.txt"
    path.write_bytes(b"one\ntwo\n\xc3\xff and more\n")
    with pytest.raises(
        BadFile, match=rf"bad.txt is no UTF-8 text: .* at byte {byte - 1}, line {line}; convert it"
    ):
        list(read_pieces([Span(path, 0, path.stat().st_size)]))
