"""Tokens by number in every unit: there and back, what is unknown, limits, and the order of counts."""

import builtins

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relational_rnn.tasks.language import Language, build_vocabulary, cut_offs, vocabulary
from relational_rnn.tasks.language.source import Piece
from relational_rnn.tasks.language.stream import in_memory
from relational_rnn.tasks.language.vocabulary import END, UNKNOWN

TEXT = "the cat saw the dog\nthe dog ran\n\nnaïve — cats\n"


def piece(text, last=True):
    return Piece(text, len(text.encode()), last)


def built(units, text=TEXT, **limits):
    return build_vocabulary(units, [piece(text)], **limits)


def test_words_are_sorted_by_count_with_the_special_ones_among_them():
    found = built("words")
    assert found.tokens[:3] == (END, "the", "dog")
    assert found.counts[:3] == (4, 3, 2)
    assert found.tokens[-1] == UNKNOWN
    assert sum(found.counts) == len(found.encode(piece(TEXT)))
    assert list(found.counts) == sorted(found.counts, reverse=True)


def test_a_wikitext_file_is_read_as_it_is():
    found = built("words", " = Title = \n \n The <unk> ran . \n")
    assert found.encode(piece(" = Title = \n \n The <unk> ran . \n")).tolist() == [
        found.number_of[word] for word in ("=", "Title", "=", END, END, "The", UNKNOWN, "ran", ".", END)
    ]
    assert found.counts[found.number_of[UNKNOWN]] == 1


def test_rarer_words_are_unknown():
    found = built("words", min_count=2)
    assert set(found.tokens) == {END, UNKNOWN, "the", "dog"}
    assert found.counts[found.number_of[UNKNOWN]] == 6
    assert found.decode(found.encode(piece("the naïve dog\n"))) == "the <unk> dog\n"
    small = built("words", size=4)
    assert set(small.tokens) == {END, UNKNOWN, "the", "dog"}
    assert found.unknowns("the naïve cat saw naïve dogs") == ["naïve", "cat", "saw", "dogs"]


@pytest.mark.parametrize("units", ["characters", "bytes"])
@settings(deadline=None, max_examples=15)
@given(text=st.text(alphabet=st.characters(codec="utf-8"), min_size=1, max_size=80))
def test_characters_and_bytes_come_back(units, text):
    found = built(units, text)
    assert found.decode(found.encode(piece(text))) == text
    assert sum(found.counts) == len(text if units == "characters" else text.encode())


def test_an_unknown_character():
    found = built("characters", "abc")
    assert found.encode(piece("abXc")).tolist() == [0, 1, found.unknown, 2]
    assert found.unknowns("aXXb") == ["X"]


def test_characters_below_a_count():
    assert set(built("characters", "aabbc", min_count=2).tokens) == {"a", "b", UNKNOWN}


@pytest.mark.smoke  # tokenizers is where torch is
def test_subwords_come_back_and_are_sorted_by_count():
    pytest.importorskip("tokenizers")
    text = TEXT * 20
    found = in_memory("subwords", dict.fromkeys(("train", "validation", "test"), text), 300, 1)
    assert len(found.vocabulary) <= 300
    assert list(found.vocabulary.counts) == sorted(found.vocabulary.counts, reverse=True)
    assert found.vocabulary.decode(found.streams["train"]) == text
    assert len(found.streams["train"]) < len(text) / 2
    strange = "\N{SNAIL} unheard-of\n"
    assert found.vocabulary.decode(found.vocabulary.encode(piece(strange))) == strange


def test_subwords_without_their_library_name_the_extra(monkeypatch):
    real = builtins.__import__

    def refuse(name, *rest, **named):
        if name.partition(".")[0] == "tokenizers":
            raise ModuleNotFoundError("No module named 'tokenizers'", name="tokenizers")
        return real(name, *rest, **named)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(ImportError, match=r"pip install 'relational-rnn\[language\]'"):
        built("subwords")


def test_too_many_words(monkeypatch):
    monkeypatch.setattr(vocabulary, "MOST", 5)
    with pytest.raises(ValueError, match=r"different words, more than 5; set vocabulary_size or min_count"):
        built("words")
    monkeypatch.setattr(vocabulary, "MOST_COUNTED", 5)
    with pytest.raises(ValueError, match=r"more than 5 different words; take subwords, or characters"):
        built("words", size=5)


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"units": "letters"}, "units must be one of"),
        ({"units": "bytes", "vocabulary_size": 300}, "bytes are 256: vocabulary_size must be None, got 300"),
        ({"units": "subwords", "vocabulary_size": 100}, "vocabulary_size must be an integer of at least 256"),
        ({"vocabulary_size": 2_000_000}, "vocabulary_size must be an integer of at most 1000000"),
        ({"min_count": 0}, "min_count must be an integer of at least 1"),
        ({"window": 0}, "window must be an integer of at least 1"),
        ({"test_share": 0.0}, "test_share must be above 0 and below 1, got 0"),
        ({"test_share": 0.6, "validation_share": 0.5}, "must leave some for training, got 0.5 and 0.6"),
    ],
)
def test_wrong_values_are_refused(values, told):
    with pytest.raises(ValueError, match=told):
        Language(**values)


@given(st.lists(st.integers(0, 10**6), min_size=2, max_size=200))
def test_cut_offs_are_inside_and_rise(counts):
    found = cut_offs(sorted(counts, reverse=True))
    assert list(found) == sorted(set(found))
    assert all(0 < cut < len(counts) for cut in found)


def test_cut_offs_follow_the_counts():
    counts = np.array([82.0, 14.0, *[0.04] * 100]) * 1e6
    assert cut_offs(counts.astype(int).tolist()) == (1, 2)
