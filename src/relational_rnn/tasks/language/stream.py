"""A text as numbers on disk: encoded once, piece by piece, then mapped into memory as it is read."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np

from relational_rnn.config.checks import BadFile
from relational_rnn.tasks.language.source import SPLITS, Piece, Source, read_pieces
from relational_rnn.tasks.language.vocabulary import Vocabulary, build_vocabulary, by_count

FORMAT: Final = 1
"""Changes when the same text would be written otherwise."""

FOLDER: Final = ".relational-rnn"
"""Beside a text, where its numbers are kept."""

Pieces = Callable[[str], Iterable[Piece]]
"""Split -> its text."""


class Text(NamedTuple):
    """An encoded text."""

    streams: dict[str, np.ndarray]
    """Split -> its tokens (N,), mapped from a file; train, validation and test."""
    sizes: dict[str, int]
    """Split -> bytes of its text."""
    vocabulary: Vocabulary


def dtype_of(size: int) -> np.dtype[Any]:
    """Return the smallest dtype that numbers a vocabulary.

    Example:
        >>> dtype_of(65_536), dtype_of(65_537)
        (dtype('uint16'), dtype('uint32'))
    """
    return np.dtype(np.uint16 if size <= 2**16 else np.uint32)


def encode(units: str, pieces: Pieces, size: int | None, min_count: int) -> Vocabulary:
    """Return the vocabulary of a text's training split, sorted by count."""
    vocabulary = build_vocabulary(units, pieces("train"), size, min_count)
    return by_count(vocabulary, pieces("train")) if units == "subwords" else vocabulary


def in_memory(units: str, texts: dict[str, str], size: int | None, min_count: int) -> Text:
    """Encode a text that is in memory.

    Example:
        >>> found = in_memory("characters", {"train": "abba", "validation": "ab", "test": "ac"}, None, 1)
        >>> found.streams["test"].tolist(), found.sizes["test"]
        ([0, 2], 2)
    """

    def pieces(split: str) -> list[Piece]:
        return [Piece(texts[split], len(texts[split].encode()), True)]

    vocabulary = encode(units, pieces, size, min_count)
    streams = {
        split: vocabulary.encode(pieces(split)[0]).astype(dtype_of(len(vocabulary))) for split in SPLITS
    }
    return Text(streams, {split: len(text.encode()) for split, text in texts.items()}, vocabulary)


def on_disk(source: Source, units: str, size: int | None, min_count: int, cache: Path | None) -> Text:
    """Encode a text into files, or open those that are there already.

    The folder is written beside its place and renamed when it is whole, so that a kill leaves none or all.

    Args:
        source: of the text.
        units, size, min_count: see `build_vocabulary`.
        cache: folder for the numbers; None for `.relational-rnn` beside the text.

    Raises:
        BadFile: the text is no UTF-8, or files that are there are damaged.
        ValueError: see `build_vocabulary`.
        OSError: the text cannot be read, or the folder not be written.
    """
    place = (source.folder / FOLDER if cache is None else cache) / _name(source, units, size, min_count)
    if place.exists():
        return _open(place)

    def pieces(split: str) -> Iterator[Piece]:
        return read_pieces(source.spans[split])

    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        made = Path(tempfile.mkdtemp(prefix=f"{place.name}.", dir=place.parent))
    except OSError as error:
        raise OSError(
            f"the encoded text cannot be kept in {place.parent} ({error.strerror}); name a cache"
        ) from error
    try:
        vocabulary = encode(units, pieces, size, min_count)
        dtype = dtype_of(len(vocabulary))
        described: dict[str, Any] = {"dtype": dtype.name, "sizes": {}, "lengths": {}}
        for split in source.spans:
            length = written = 0
            with (made / f"{split}.bin").open("wb") as file:
                for piece in pieces(split):
                    numbers = vocabulary.encode(piece)
                    file.write(numbers.astype(dtype).tobytes())
                    length, written = length + len(numbers), written + piece.size
            if length < 2:
                path = source.spans[split][0].path
                raise BadFile(
                    path, f"is too short: its {split} text has {length} {units}, at least 2 are needed"
                )
            described["sizes"][split], described["lengths"][split] = written, length
        told = json.dumps(described | vocabulary.to_json())
        (made / "text.json").write_text(told, encoding="utf-8")
        made.chmod(0o755)
        with contextlib.suppress(OSError):  # another process has been quicker, with the same
            os.rename(made, place)
    finally:
        shutil.rmtree(made, ignore_errors=True)
    return _open(place)


def without_text(file: Path) -> Text:
    """Return the vocabulary alone, of a file that a run has kept.

    Raises:
        BadFile: it is damaged.
        OSError: it cannot be read.
    """
    try:
        return Text({}, {}, Vocabulary.from_json(json.loads(file.read_text(encoding="utf-8"))))
    except ValueError as error:
        raise BadFile(file, f"is damaged: {error}", "bring back the text of the run") from None


def _name(source: Source, units: str, size: int | None, min_count: int) -> str:
    """Return a name that changes with the text and with how it is encoded."""
    parts: list[Any] = [FORMAT, units, size, min_count]
    for split, spans in source.spans.items():
        for path, begin, end in spans:
            found = path.stat()
            parts.append((split, path.name, begin, end, found.st_size, found.st_mtime_ns))
    return f"{units}-{hashlib.sha256(repr(parts).encode()).hexdigest()[:16]}"


def _open(place: Path) -> Text:
    """Map the files of an encoded text.

    Raises:
        BadFile: one is missing, or not of the length that it was written with.
    """
    told, remedy = place / "text.json", f"remove {place}: it is written again"
    try:
        values = json.loads(told.read_text(encoding="utf-8"))
        vocabulary = Vocabulary.from_json(values)
        dtype, lengths, sizes = np.dtype(values["dtype"]), dict(values["lengths"]), dict(values["sizes"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BadFile(told, f"does not describe an encoded text: {error!r}", remedy) from None
    streams: dict[str, np.ndarray] = {}
    for split, length in lengths.items():
        file = place / f"{split}.bin"
        if not file.exists() or file.stat().st_size != length * dtype.itemsize:
            raise BadFile(file, f"does not hold {length:,} tokens", remedy)
        streams[split] = np.memmap(file, dtype=dtype, mode="r")
    for kept in (streams, sizes):
        kept.setdefault("test", kept["validation"])
    return Text(streams, sizes, vocabulary)
