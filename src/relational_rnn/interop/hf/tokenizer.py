"""The vocabulary of a language model as a tokenizer of `transformers`, with the same numbers."""

from __future__ import annotations

import json
from typing import Any

from tokenizers import Regex, Tokenizer, decoders, normalizers, pre_tokenizers
from tokenizers.models import WordLevel
from transformers import PreTrainedTokenizerFast

from relational_rnn.tasks.language.vocabulary import END, UNKNOWN, Vocabulary


def tokenizer_of(vocabulary: Vocabulary, **options: Any) -> PreTrainedTokenizerFast:
    r"""Return a tokenizer that numbers a text as a run did.

    It adds no tokens. Of words, the end of a line is `<eos>`, and decoding puts one space between words.

    Args:
        vocabulary: of a run, `relational_rnn.load(RUN).vocabulary`.
        **options: of `PreTrainedTokenizerFast`, such as `pad_token`, a token of the vocabulary.

    Example:
        >>> vocabulary = Vocabulary("words", ("the", "<eos>", "<unk>", "cat"), (5, 2, 1, 1))
        >>> tokenizer = tokenizer_of(vocabulary)
        >>> tokenizer("the dog\nthe cat")["input_ids"], tokenizer.decode([0, 3, 1, 0])
        ([0, 2, 1, 0, 3], 'the cat\nthe')
    """
    made = {"words": _words, "characters": _characters, "bytes": _bytes, "subwords": _subwords}
    return PreTrainedTokenizerFast(
        tokenizer_object=made[vocabulary.units](vocabulary), clean_up_tokenization_spaces=False, **options
    )


def _words(vocabulary: Vocabulary) -> Tokenizer:
    tokenizer = Tokenizer(WordLevel(dict(vocabulary.number_of), unk_token=UNKNOWN))
    tokenizer.normalizer = normalizers.Replace("\n", f" {END} ")
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    spaced = decoders.WordPiece(prefix="\0", cleanup=False)  # a space before every word but the first
    lines = [decoders.Replace(before, "\n") for before in (f" {END}", END, "\n ")]
    tokenizer.decoder = decoders.Sequence([spaced, decoders.Fuse(), *lines])
    return tokenizer


def _characters(vocabulary: Vocabulary) -> Tokenizer:
    tokenizer = Tokenizer(WordLevel(dict(vocabulary.number_of), unk_token=UNKNOWN))
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex("(?m)."), "isolated")  # m: line ends too
    tokenizer.decoder = decoders.Fuse()
    return tokenizer


def _bytes(vocabulary: Vocabulary) -> Tokenizer:
    letters = _byte_letters()
    numbers = {letters[int(token)]: number for number, token in enumerate(vocabulary.tokens)}
    tokenizer = Tokenizer(WordLevel(numbers, unk_token=next(iter(numbers))))  # nothing is unknown
    as_letters = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [as_letters, pre_tokenizers.Split(Regex("."), "isolated")]
    )
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def _subwords(vocabulary: Vocabulary) -> Tokenizer:
    described = json.loads(vocabulary.subwords)
    described["model"]["vocab"] = dict(vocabulary.number_of)  # by how often they are, not by when they came
    return Tokenizer.from_str(json.dumps(described))


def _byte_letters() -> list[str]:
    """Return the letter of each byte in `tokenizers`: its own if that can be seen, else a later one.

    Source: GPT-2's (Radford et al. 2019).
    """
    seen = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    others = iter(range(0x100, 0x200))
    return [chr(byte if byte in seen else next(others)) for byte in range(0x100)]
