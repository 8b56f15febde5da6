"""Where a text is: a folder with its splits, files to be split by shares, or made up; read piece by piece."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from relational_rnn.config.checks import BadFile, did_you_mean
from relational_rnn.tasks.language.download import TEXTS, fetch

SPLITS: Final = ("train", "validation", "test")
"""In the order in which a text is cut by shares."""

MADE: Final = "made"
"""Names the text of `made`, which needs no file."""

SUFFIXES: Final = (".txt", ".text", ".tokens", ".raw")
"""Of files that a folder's text is in."""

NAMES: Final = {"train": "train", "valid": "validation", "validation": "validation", "val": "validation"}
"""What files call the splits, as in wiki.valid.tokens, but for test."""

_NAMED: Final = re.compile(r"(?:.*[._-])?(train|validation|valid|val|test)(?:[._-].*)?")

BLOCK: Final = 1 << 20
"""Bytes read at once."""


class Span(NamedTuple):
    """A part of a file."""

    path: Path
    begin: int
    """The first byte."""
    end: int
    """The byte after the last."""


Spans = dict[str, tuple[Span, ...]]
"""Split -> its parts, in order."""


class Source(NamedTuple):
    """Where a text comes from."""

    spans: Spans
    """`test` is missing where there is no such file."""
    folder: Path
    """That it is in."""
    how: str
    """In one line, for people."""


class Piece(NamedTuple):
    """Some text: whole lines, or of a very long line whole words, or at least whole characters."""

    text: str
    size: int
    """Its bytes."""
    last: bool
    """Whether its file ends here."""


def find(data: str, validation_share: float, test_share: float) -> Source:
    """Find the files of a text.

    Args:
        data: a folder with files such as `wiki.train.tokens` and `wiki.valid.tokens` or `train.txt` and
            `valid.txt`; any other folder of text files, or one file, which are split; or one of `TEXTS`.
        validation_share: of the bytes of a text without splits of its own, 0..1.
        test_share: likewise, the last part.

    Raises:
        ValueError: nothing is there, no text is in the folder, or a split is missing.
        BadFile: a file is empty.
        OSError: a file cannot be read, or not be downloaded.
    """
    path = Path(data)
    if not path.exists() and data in TEXTS:
        folder, origin = fetch(data)
        found = find(str(folder), validation_share, test_share)
        return found._replace(how=f"{data} from {origin}. {found.how}")
    if not path.exists():
        names = (MADE, *TEXTS)
        near = did_you_mean(data, names)
        raise ValueError(
            f"there is no text {data!r}{near}; data must be a folder, a file, or one of {', '.join(names)}"
        )
    if path.is_dir():
        files = sorted(
            file
            for file in path.rglob("*")
            if file.suffix in SUFFIXES
            and file.is_file()
            and not any(part.startswith(".") for part in file.relative_to(path).parts)
        )
        named = _by_split(path, [file for file in files if file.parent == path])
        if named:
            spans: Spans = {split: (whole(file),) for split, file in named.items()}
            told = ", ".join(file.name for file in named.values())
            without = "" if "test" in named else "; without a test file, test scores are on validation"
            return Source(spans, path, f"Text from {path}: {told}{without}.")
        if not files:
            raise ValueError(f"{path} has no text: no file ends in {', '.join(SUFFIXES)}")
    else:
        files = [path]
    spans = _by_shares([whole(file) for file in files], validation_share, test_share)
    lacking = [split for split in SPLITS if not spans[split]]
    if lacking:
        raise ValueError(f"{path} is too short: nothing is left for {lacking[0]} at the shares that are set")
    what = f"{len(files)} files in {path}" if path.is_dir() else str(path)
    percents = f"{100 * validation_share:g} % for validation, the last {100 * test_share:g} % for test"
    return Source(spans, path if path.is_dir() else path.parent, f"Text from {what}, split: {percents}.")


def _by_split(folder: Path, files: Sequence[Path]) -> dict[str, Path]:
    """Return the files that are named by splits; none where there is no training file.

    Raises:
        ValueError: several files of one split, or no validation file.
    """
    found: dict[str, Path] = {}
    for file in files:
        match = _NAMED.fullmatch(file.stem)
        if match is None:
            continue
        split = NAMES.get(match[1], match[1])
        if split in found:
            raise ValueError(f"{folder} has two files of {split}: {found[split].name} and {file.name}")
        found[split] = file
    if "train" not in found:
        return {}
    if "validation" not in found:
        raise ValueError(
            f"{folder} has {found['train'].name} and no validation split; it must be named like "
            f"{found['train'].name.replace('train', 'valid')}"
        )
    return {split: found[split] for split in SPLITS if split in found}


def whole(file: Path) -> Span:
    """Return all of a file.

    Raises:
        BadFile: it is empty.
    """
    size = file.stat().st_size
    if not size:
        raise BadFile(file, "is empty")
    return Span(file, 0, size)


def _by_shares(files: Sequence[Span], validation: float, test: float) -> dict[str, tuple[Span, ...]]:
    """Cut the text of some files into train, validation and test, each cut at the end of a line."""
    total = sum(span.end for span in files)
    bounds = [
        0,
        *(_line_end(files, round(total * share)) for share in (1 - validation - test, 1 - test)),
        total,
    ]
    spans: dict[str, tuple[Span, ...]] = {}
    for split, begin, end in zip(SPLITS, bounds, bounds[1:]):
        own, before = [], 0
        for path, _, size in files:
            first, after = max(begin - before, 0), min(end - before, size)
            if first < after:
                own.append(Span(path, first, after))
            before += size
        spans[split] = tuple(own)
    return spans


def _line_end(files: Sequence[Span], place: int) -> int:
    """Return where the text can be cut at `place` or soon after it: behind a line, a word or a character."""
    before = 0
    for path, _, size in files:
        if place < before + size:
            with path.open("rb") as file:
                file.seek(place - before)
                block = file.read(BLOCK)
            cut = block.find(b"\n") + 1 or block.find(b" ") + 1
            while not cut and block and block[0] & 0xC0 == 0x80:  # inside a character
                block, place = block[1:], place + 1
            return place + cut
        before += size
    return place


def read_pieces(spans: Sequence[Span]) -> Iterator[Piece]:
    """Yield a text in pieces of about a megabyte, so that it need never be in memory as a whole.

    Raises:
        BadFile: a file is no UTF-8; the message has the line and the byte.
        OSError: it cannot be read.
    """
    for path, begin, end in spans:
        with path.open("rb") as file:
            file.seek(begin)
            left, place, line = b"", begin, 1
            while place < end:
                block = left + file.read(min(BLOCK, end - place - len(left)))
                last = place + len(block) >= end
                cut = len(block) if last else _cut(block)
                if len(block) == len(left) and not last:
                    raise BadFile(path, "has become shorter while it was read")
                whole, left = block[:cut], block[cut:]
                yield Piece(_decoded(path, whole, place, line, begin), len(whole), last)
                line += whole.count(b"\n")
                place += cut


def _cut(block: bytes) -> int:
    """Return how much of a block makes a piece."""
    found = block.rfind(b"\n") + 1 or block.rfind(b" ") + 1
    if found:
        return found
    end = len(block)
    while end > len(block) - 4 and block[end - 1] & 0xC0 == 0x80:
        end -= 1
    return end - 1  # the last character may be cut


def _decoded(path: Path, block: bytes, place: int, line: int, begin: int) -> str:
    try:
        return block.decode()
    except UnicodeDecodeError as error:
        at = line + block[: error.start].count(b"\n")
        where = f"line {at:,}" if not begin else f"line {at:,} after byte {begin:,}"
        raise BadFile(
            path, f"is no UTF-8 text: {error.reason} at byte {place + error.start:,}, {where}", "convert it"
        ) from None
