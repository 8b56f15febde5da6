"""The tokens of a text by number, the most frequent first, for each unit that a text can be read in."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from relational_rnn.tasks.language.source import Piece

if TYPE_CHECKING:
    from jaxtyping import Int64, Shaped

UNITS: Final = ("words", "characters", "bytes", "subwords")

UNKNOWN, END = "<unk>", "<eos>"
"""A token that the vocabulary lacks, and, of words, the end of a line."""

MOST: Final = 1_000_000
"""Different tokens in a vocabulary."""

MOST_COUNTED: Final = 5_000_000
"""Different words that are counted."""

LONGEST: Final = 4
"""Bytes of a character."""

SUBWORDS: Final = 8_192
"""Of the vocabulary, where nobody says how many."""

VISIBLE: Final = str.maketrans({" ": "␣", "\n": "↵", "\t": "⇥"})
"""White space -> the sign that people see of it where a single token is shown."""


@dataclass(frozen=True)
class Vocabulary:
    r"""The tokens of a text by number.

    Example:
        >>> vocabulary = Vocabulary("words", ("the", "<eos>", "<unk>", "cat"), (5, 2, 1, 1))
        >>> vocabulary.encode(Piece("the dog\nthe cat", 15, True)).tolist()
        [0, 2, 1, 0, 3, 1]
        >>> vocabulary.decode([0, 3, 1])
        'the cat\n'
    """

    units: str
    """One of `UNITS`."""
    tokens: tuple[str, ...]
    """By number, the most frequent in training first. A byte stands as its number in words."""
    counts: tuple[int, ...]
    """How often each is in the training text."""
    subwords: str = ""
    """Of subwords, the tokenizer as the `tokenizers` library writes it."""

    def __len__(self) -> int:
        return len(self.tokens)

    def to_json(self) -> dict[str, Any]:
        """Return it as plain values."""
        return {name: getattr(self, name) for name in ("units", "tokens", "counts", "subwords")}

    @classmethod
    def from_json(cls, values: Any) -> Vocabulary:
        """Return the vocabulary of such values.

        Raises:
            ValueError: they are none of one.
        """
        try:
            units, tokens, counts = values["units"], tuple(values["tokens"]), tuple(values["counts"])
            subwords = values["subwords"]
        except (KeyError, TypeError) as error:
            raise ValueError(f"it describes no vocabulary: {error!r}") from None
        right = units in UNITS and isinstance(subwords, str) and len(tokens) == len(counts) > 0
        if not right or not all(isinstance(token, str) for token in tokens) or len({*tokens}) < len(tokens):
            raise ValueError("it describes no vocabulary: tokens must be texts, each once, with their counts")
        return cls(units, tokens, counts, subwords)

    @cached_property
    def number_of(self) -> dict[str, int]:
        """Token -> its number."""
        return {token: number for number, token in enumerate(self.tokens)}

    @property
    def unknown(self) -> int | None:
        """The number of `<unk>`; None where nothing can be unknown."""
        return self.number_of[UNKNOWN] if self.units in ("words", "characters") else None

    @cached_property
    def _numbers(self) -> Int64[np.ndarray, " N"]:
        """Number of a character, a byte or a subword in the unit's own count -> number here."""
        if self.units == "characters":
            table = np.full(0x110000, self.unknown, dtype=np.int64)
            for token, number in self.number_of.items():
                if len(token) == 1:
                    table[ord(token)] = number
            return table
        own = self.tokens if self.units == "bytes" else map(str, self._own_numbers)
        table = np.zeros(len(self), dtype=np.int64)
        table[[int(number) for number in own]] = np.arange(len(self))
        return table

    @cached_property
    def _own_numbers(self) -> list[int]:
        """Of each subword, its number in the tokenizer."""
        return [self._tokenizer.token_to_id(token) for token in self.tokens]

    @cached_property
    def _tokenizer(self) -> Any:
        return import_tokenizers().Tokenizer.from_str(self.subwords)

    def encode(self, piece: Piece) -> Int64[np.ndarray, " N"]:
        """Return the numbers of a text's tokens; what is not in the vocabulary is `<unk>`."""
        if self.units == "words":
            known, unknown = self.number_of, self.number_of[UNKNOWN]
            return np.fromiter((known.get(word, unknown) for word in words_of(piece)), dtype=np.int64)
        if self.units == "subwords":
            own = np.array(self._tokenizer.encode(piece.text).ids, dtype=np.int64)
        else:
            own = code_units(self.units, piece.text)
        return np.take(self._numbers, own)

    def unknowns(self, text: str) -> list[str]:
        """Return what of a text the vocabulary lacks, each once."""
        if self.units == "words":
            return [one for one in dict.fromkeys(text.split()) if one not in self.number_of]
        if self.units == "characters":
            return [one for one in dict.fromkeys(text) if one not in self.number_of]
        return []

    def decode(self, numbers: Iterable[int]) -> str:
        """Return the text of some tokens: words stand apart by spaces, and lines end at `<eos>`."""
        chosen = [int(number) for number in numbers]
        if self.units == "words":
            told = " ".join("\n" if self.tokens[number] == END else self.tokens[number] for number in chosen)
            return told.replace(" \n ", "\n").replace("\n ", "\n").replace(" \n", "\n")
        if self.units == "bytes":
            return bytes(int(self.tokens[number]) for number in chosen).decode(errors="replace")
        if self.units == "subwords":
            decoded: str = self._tokenizer.decode([self._own_numbers[number] for number in chosen])
            return decoded
        return "".join(self.tokens[number] for number in chosen)

    def shown(self, number: int) -> str:
        r"""Return a token on one line, as people read it: white space has signs, see `VISIBLE`.

        Example:
            >>> vocabulary = Vocabulary("characters", ("\n", " ", "a", "<unk>"), (3, 2, 2, 0))
            >>> [vocabulary.shown(number) for number in (0, 1, 2)]
            ['↵', '␣', 'a']
        """
        text = self.tokens[number] if self.units == "words" else self.decode([number])
        signs = text.translate(VISIBLE)
        return signs.encode("unicode_escape").decode() if not signs.isprintable() else signs or "?"


class Spelling:
    r"""The text of tokens that come one after another.

    Example:
        >>> spelling = Spelling(Vocabulary("words", ("the", "<eos>", "<unk>", "cat"), (5, 2, 1, 1)))
        >>> [spelling.spell(number) for number in (0, 3, 1, 0)]
        ['the', ' cat', '\n', 'the']
    """

    def __init__(self, vocabulary: Vocabulary) -> None:
        self.vocabulary = vocabulary
        self._parted = False  # whether a word has to stand apart from what is there
        self._held: list[int] = []  # parts of a character

    def goes_on(self, number: int) -> None:
        """Take note of the token before the first."""
        self._parted = self.vocabulary.units == "words" and self.vocabulary.tokens[number] != END

    def spell(self, number: int) -> str:
        """Return what a token adds to the text: nothing while it is a part of a character."""
        if self.vocabulary.units == "words":
            ends = self.vocabulary.tokens[number] == END
            text = "\n" if ends else " " * self._parted + self.vocabulary.tokens[number]
            self._parted = not ends
            return text
        self._held.append(number)
        text = self.vocabulary.decode(self._held)
        if text.endswith("\N{REPLACEMENT CHARACTER}") and len(self._held) < LONGEST:
            return ""
        self._held = []
        return text

    def rest(self) -> str:
        """Return what is left of a character that never came to its end."""
        text = self.vocabulary.decode(self._held)
        self._held = []
        return text


def words_of(piece: Piece) -> Iterator[str]:
    r"""Yield the words of a text, and `<eos>` at each line's end.

    Example:
        >>> list(words_of(Piece(" a b\n\nc", 7, True)))
        ['a', 'b', '<eos>', '<eos>', 'c', '<eos>']
    """
    *lines, rest = piece.text.split("\n")
    for line in lines:
        yield from line.split()
        yield END
    yield from rest.split()
    if piece.last and rest:
        yield END


def code_units(units: str, text: str) -> Shaped[np.ndarray, " N"]:
    """Return the numbers of a text's characters, or those of its bytes."""
    if units == "bytes":
        return np.frombuffer(text.encode(), dtype=np.uint8)
    return np.frombuffer(text.encode("utf-32-le"), dtype=np.uint32)


def build_vocabulary(
    units: str, pieces: Iterable[Piece], size: int | None = None, min_count: int = 1
) -> Vocabulary:
    """Count the tokens of a training text.

    Args:
        units: one of `UNITS`.
        pieces: of the text.
        size: most tokens, the special ones included; rarer ones are `<unk>`. Of subwords 8,192 if it is None.
        min_count: rarer tokens are `<unk>`; of subwords, rarer pairs are not joined.

    Returns:
        The vocabulary, sorted by count; the counts of subwords are 0 until the text is encoded.

    Raises:
        ValueError: more different words than can be held, or a size too small.
        ImportError: subwords need the `tokenizers` library.
    """
    if units == "subwords":
        return _subwords(pieces, SUBWORDS if size is None else size, min_count)
    if units == "bytes":
        return _ordered(units, _count_units(units, pieces), [str(byte) for byte in range(256)])
    counts: Counter[str] = Counter()
    if units == "words":
        for piece in pieces:
            counts.update(words_of(piece))
            if len(counts) > MOST_COUNTED:
                raise ValueError(
                    f"the text has more than {MOST_COUNTED:,} different words; take subwords, or characters"
                )
    else:
        counts = _count_units(units, pieces)
    special = (UNKNOWN, END) if units == "words" else (UNKNOWN,)
    kept = [
        token
        for token, count in sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
        if count >= min_count and token not in special
    ]
    if size is not None:
        kept = kept[: max(0, size - len(special))]
    if len(kept) + len(special) > MOST:
        raise ValueError(
            f"the text has {len(kept):,} different {units}, more than {MOST:,}; "
            "set vocabulary_size or min_count, or take subwords"
        )
    lost = sum(counts.values()) - sum(counts[token] for token in kept)
    counts[UNKNOWN] = lost - counts[END] if units == "words" else lost
    return _ordered(units, counts, [*special, *kept])


def _count_units(units: str, pieces: Iterable[Piece]) -> Counter[str]:
    """Count the characters or the bytes of a text."""
    totals = np.zeros(256 if units == "bytes" else 0x110000, dtype=np.int64)
    for piece in pieces:
        found, counts = np.unique(code_units(units, piece.text), return_counts=True)
        totals[found] += counts
    name = str if units == "bytes" else chr
    return Counter({name(int(one)): int(totals[one]) for one in np.flatnonzero(totals)})


def _ordered(units: str, counts: Counter[str], tokens: Sequence[str], subwords: str = "") -> Vocabulary:
    ranked = sorted(tokens, key=lambda token: -counts[token])
    return Vocabulary(units, tuple(ranked), tuple(counts[token] for token in ranked), subwords)


def _subwords(pieces: Iterable[Piece], size: int, min_count: int) -> Vocabulary:
    """Learn byte-pair encoding (Sennrich et al. 2016), over bytes, so that nothing is unknown.

    Source: GPT-2's (Radford et al. 2019), by the `tokenizers` library.
    """
    library = import_tokenizers()
    if size < 256:
        raise ValueError(f"vocabulary_size of subwords must be at least 256, one for each byte, got {size}")
    tokenizer = library.Tokenizer(library.models.BPE())
    tokenizer.pre_tokenizer = library.pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = library.decoders.ByteLevel()
    trainer = library.trainers.BpeTrainer(
        vocab_size=size,
        min_frequency=max(2, min_count),
        initial_alphabet=library.pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator((piece.text for piece in pieces), trainer)
    tokens = [tokenizer.id_to_token(number) for number in range(tokenizer.get_vocab_size())]
    return Vocabulary("subwords", tuple(tokens), (0,) * len(tokens), tokenizer.to_str())


def by_count(vocabulary: Vocabulary, pieces: Iterable[Piece]) -> Vocabulary:
    """Return a vocabulary sorted by how often its tokens are in a text."""
    totals = np.zeros(len(vocabulary), dtype=np.int64)
    for piece in pieces:
        totals += np.bincount(vocabulary.encode(piece), minlength=len(vocabulary))
    counts = Counter(dict(zip(vocabulary.tokens, totals.tolist())))
    return _ordered(vocabulary.units, counts, vocabulary.tokens, vocabulary.subwords)


def import_tokenizers() -> Any:
    """Return the `tokenizers` library.

    Raises:
        ImportError: it is absent; the message names the extra that brings it.
    """
    try:
        import tokenizers
        from tokenizers import decoders, models, pre_tokenizers, trainers  # noqa: F401
    except ModuleNotFoundError as error:
        raise ImportError(
            "units 'subwords' needs tokenizers: pip install 'relational-rnn[language]'", name=error.name
        ) from None
    return tokenizers


def cut_offs(counts: Sequence[int]) -> tuple[int, ...]:
    """Return where the adaptive softmax cuts a vocabulary: the head has 80 % of a text, the first tail 15 %.

    Source: Grave et al. 2017, whose clusters hold words of like frequency.

    Args:
        counts: of the tokens, the largest first.

    Example:
        >>> cut_offs([1000 // (rank + 1) + 1 for rank in range(5000)])
        (3294, 4574)
    """
    share = np.cumsum(np.asarray(counts, dtype=float) + 1)
    found = np.searchsorted(share, share[-1] * np.array([0.8, 0.95])) + 1
    return tuple(dict.fromkeys(int(cut) for cut in found if cut < len(counts))) or (max(1, len(counts) // 2),)
