"""Language modelling as a task to train on: which text, in which units, read once, ready for a model."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final, NamedTuple

import numpy as np

from relational_rnn.config.checks import check_choice, check_number, check_size
from relational_rnn.tasks.batch import ReasoningBatch
from relational_rnn.tasks.language.made import LINES, made_text
from relational_rnn.tasks.language.source import MADE, find
from relational_rnn.tasks.language.stream import Text, in_memory, on_disk, without_text
from relational_rnn.tasks.language.vocabulary import MOST, UNITS

if TYPE_CHECKING:
    from jaxtyping import Bool, Int64


KEPT: Final = "vocabulary.json"
"""In a run's folder: what its models need where the text is gone."""


@dataclass(frozen=True, kw_only=True)
class Language:
    """Predict the next token of a text from all that came before it.

    The text is read in streams side by side, window after window; a model carries its memory from one window
    to the next.

    Raises:
        TypeError: a number is none.
        ValueError: unknown units, a number out of range, or shares that leave nothing to train on.

    Example:
        >>> Language(units="characters").classes
        34
    """

    name: ClassVar[str] = "language"
    """In the registry."""
    data: str = MADE
    """The text: a folder with files such as wiki.train.tokens or train.txt, valid.txt and perhaps test.txt;
    any other text file or folder of them, which is split; "wikitext-2", "wikitext-103" or "tiny-shakespeare",
    downloaded once; or "made", sentences that the package makes up."""
    units: str = "words"
    """What is predicted: "words" (parted by white space; <eos> at a line's end), "characters", "bytes", or
    "subwords" (byte-pair encoding; needs tokenizers)."""
    vocabulary_size: int | None = None
    """Most different tokens; rarer ones become <unk>. None for all; of subwords, None means 8,192."""
    min_count: int = 1
    """Tokens that are rarer in training become <unk>."""
    window: int = 100
    """T, steps through which gradients flow back; the memory goes on from window to window."""
    validation_share: float = 0.05
    """Of a text without splits of its own: the share to choose the parameters by."""
    test_share: float = 0.05
    """Of a text without splits of its own: the share to report, its last part."""
    cut_every: int = 100
    """Steps after which the memory starts anew for the harder score of the test (the paper's figure 12)."""
    streams: int = 16
    """Streams, side by side, in which validation and test are read. Each starts with an empty memory."""
    cache: str | None = None
    """Folder where the encoded text is kept; None for .relational-rnn beside the text."""

    def __post_init__(self) -> None:
        """Check the fields."""
        check_choice("units", self.units, UNITS)
        if not isinstance(self.data, str) or not self.data:
            raise TypeError(f"data must be the name of a folder or a file, or {MADE!r}, got {self.data!r}")
        if self.vocabulary_size is not None:
            if self.units == "bytes":
                raise ValueError(f"bytes are 256: vocabulary_size must be None, got {self.vocabulary_size}")
            lowest = 256 if self.units == "subwords" else 4
            check_size("vocabulary_size", self.vocabulary_size, minimum=lowest, maximum=MOST)
        for name in ("min_count", "window", "cut_every", "streams"):
            check_size(name, getattr(self, name))
        for name in ("validation_share", "test_share"):
            if not 0 < check_number(name, getattr(self, name)) < 1:
                raise ValueError(f"{name} must be above 0 and below 1, got {getattr(self, name)}")
        if self.validation_share + self.test_share >= 1:
            raise ValueError(
                f"validation_share and test_share must leave some for training, got "
                f"{self.validation_share} and {self.test_share}"
            )

    @property
    def input_size(self) -> int:
        """V, tokens of the vocabulary: a model embeds them."""
        return len(read(self).vocabulary)

    @property
    def classes(self) -> int:
        """V, what can come next."""
        return self.input_size

    @property
    def chance(self) -> float:
        """1/V."""
        return 1 / self.classes

    @property
    def majority(self) -> float:
        """How often the next token of the test is the most frequent one of training."""
        return float((read(self).streams["test"][1:] == 0).mean())

    def larger(self) -> dict[str, list[Language]]:
        """Return no sizes: the text is as it is."""
        return {}


@functools.lru_cache(maxsize=4)
def read(task: Language) -> Text:
    """Encode the text, or open what was encoded before.

    Raises:
        ValueError, OSError: see `source.find` and `stream.on_disk`.
    """
    encoding = task.units, task.vocabulary_size, task.min_count
    if task.data == MADE:
        return in_memory(encoding[0], {split: made_text(split) for split in LINES}, *encoding[1:])
    if Path(task.data).name == KEPT:
        return without_text(Path(task.data))
    source = find(task.data, task.validation_share, task.test_share)
    return on_disk(source, *encoding, None if task.cache is None else Path(task.cache))


class Windows(NamedTuple):
    """One step of all streams: (B, T) tokens, and what comes next."""

    inputs: Int64[np.ndarray, "B T"]
    targets: Int64[np.ndarray, "B T"]
    mask: Bool[np.ndarray, "B T"]
    """Which of the targets are of the text: the last streams may be a little shorter."""
    begins: bool
    """Whether the memory of all streams starts anew before it."""


@dataclass(frozen=True, eq=False)
class Stream:
    """A split of a text: some hundred million tokens that are read as they are needed.

    As examples it is windows of T tokens after each other, `inputs` (W, T) and `targets` (W, T).
    """

    tokens: np.ndarray
    """(N,) unsigned integers."""
    size: int
    """Bytes of the text."""
    window: int
    """T."""
    count: int
    """S, streams in which `windows` reads it."""
    cut_every: int | None = None
    """Steps after which the memory starts anew; None for never."""

    @property
    def inputs(self) -> _Part:
        """(W, T) when indexed along its first axis."""
        return _Part(self, 0)

    @property
    def targets(self) -> _Part:
        """(W, T) in the same way."""
        return _Part(self, 1)

    @property
    def predictions(self) -> int:
        """Tokens that are predicted: all but the first."""
        return len(self.tokens) - 1

    def windows(self) -> Iterator[Windows]:
        """Yield all of it in S streams side by side, so that every token but the first is predicted once.

        Example:
            >>> stream = Stream(np.arange(8, dtype=np.uint16), size=8, window=2, count=2)
            >>> [(one.targets.tolist(), one.begins) for one in stream.windows()]
            [([[1, 2], [5, 6]], True), ([[3, 4], [7, 0]], False)]
        """
        count = min(self.count, self.predictions)
        length = -(-self.predictions // count)
        begins = np.arange(count) * length
        ends = np.minimum(begins + length, self.predictions)
        part = length if self.cut_every is None else self.cut_every
        for first, steps, anew in _pieces(length, part, self.window):
            places = begins[:, None] + first + np.arange(steps)
            mask = places < ends[:, None]
            inputs = self.tokens[np.minimum(places, len(self.tokens) - 1)]
            targets = np.where(mask, self.tokens[np.minimum(places + 1, len(self.tokens) - 1)], 0)
            yield Windows(inputs.astype(np.int64), targets.astype(np.int64), mask, anew)

    def select(self, numbers: Any) -> ReasoningBatch:
        """Return some of its windows as examples of which the last answer counts: what comes after them."""
        window = min(self.window, self.predictions)
        return windows_at(self.tokens, np.arange(len(self.inputs))[numbers] * window, window)

    def cut(self, every: int) -> Stream:
        """Return it with a memory that starts anew after so many steps."""
        return replace(self, cut_every=every)


def windows_at(tokens: np.ndarray, first: np.ndarray, window: int) -> ReasoningBatch:
    """Return the windows that begin at some places; their last answer counts, what comes after them.

    Example:
        >>> batch = windows_at(np.arange(9, dtype=np.uint16), np.array([1, 4]), 3)
        >>> batch.inputs.tolist(), batch.targets.tolist()
        ([[1, 2, 3], [4, 5, 6]], [[0, 0, 4], [0, 0, 7]])
    """
    inputs = tokens[first[:, None] + np.arange(window)].astype(np.int64)
    targets, mask = np.zeros_like(inputs), np.zeros(inputs.shape, dtype=bool)
    targets[:, -1], mask[:, -1] = tokens[first + window], True
    return ReasoningBatch(inputs, targets, mask, np.full(len(first), window, dtype=np.int64))


def _pieces(length: int, part: int, window: int) -> Iterator[tuple[int, int, bool]]:
    """Yield where windows begin, how long they are, and whether they begin a part.

    Example:
        >>> list(_pieces(length=7, part=5, window=3))
        [(0, 3, True), (3, 2, False), (5, 2, True)]
    """
    for begin in range(0, length, part):
        end = min(begin + part, length)
        for first in range(begin, end, window):
            yield first, min(window, end - first), first == begin


class _Part:
    """The inputs or the targets of a stream's windows, read when they are indexed."""

    def __init__(self, stream: Stream, shift: int) -> None:
        self._stream, self._shift = stream, shift

    def __len__(self) -> int:
        return max(1, self._stream.predictions // self._stream.window)

    def __getitem__(self, chosen: Any) -> np.ndarray:
        window = min(self._stream.window, self._stream.predictions)
        first = np.arange(len(self))[chosen] * window + self._shift
        part: np.ndarray = self._stream.tokens[first[..., None] + np.arange(window)].astype(np.int64)
        return part

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.asarray(self[:], dtype=dtype)
