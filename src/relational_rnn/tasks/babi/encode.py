"""Stories as numbers: a vocabulary for words and answers, and what a step reads: a word or a sentence."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from relational_rnn.tasks.babi.stories import Story
from relational_rnn.tasks.babi_words import PADDING
from relational_rnn.tasks.batch import ReasoningBatch, one_hot

if TYPE_CHECKING:
    from jaxtyping import Bool, Float32, Int, Int32, Int64

READINGS: Final = ("words", "sentences")
"""What a step reads."""

_NOTHING_ASKED = -1
_ENDS: Final = (".", "?")
"""The last word of a statement, and of a question."""


class Vocabulary(NamedTuple):
    """Words and answers; their places are their ids. Synthetic stories: `Vocabulary(VOCABULARY, PLACES)`."""

    words: tuple[str, ...]
    """The first is padding."""
    answers: tuple[str, ...]
    """A list of things is one answer."""

    @classmethod
    def of(cls, stories: Iterable[Story]) -> Vocabulary:
        r"""Return the vocabulary of some stories, in alphabetical order.

        Example:
            >>> from relational_rnn.tasks.babi import parse
            >>> Vocabulary.of(parse(["1 Mary went home.", "2 Where is Mary? \thome\t1"], 1, "example"))
            Vocabulary(words=('<pad>', '.', '?', 'home', 'is', 'mary', 'went', 'where'), answers=('home',))
        """
        words: set[str] = set()
        answers: set[str] = set()
        for story in stories:
            words.update(*story.statements, *(question.words for question in story.questions))
            answers.update(question.answer for question in story.questions)
        return cls(("<pad>", *sorted(words)), tuple(sorted(answers)))


class StoryRows(NamedTuple):
    """Some sequences as arrays, padded to the longest of them."""

    ids: Int64[np.ndarray, "B T"]
    """Ids of the words, 0 for padding."""
    targets: Int64[np.ndarray, "B T"]
    """Id of the answer at the "?" of each question that counts, 0 elsewhere."""
    mask: Bool[np.ndarray, "B T"]
    """True at the "?" of each question that counts."""
    lengths: Int64[np.ndarray, " B"]
    """Words of each sequence."""
    tasks: Int64[np.ndarray, " B"]
    """Number of the task of each."""

    def as_batch(self, vocabulary: Vocabulary, reading: str = "words") -> ReasoningBatch:
        """Return the same as what a model reads.

        Args:
            vocabulary: of the ids.
            reading: "words" for a one-hot word a step, "sentences" for `sentence_features`.
        """
        return ReasoningBatch(self.inputs(vocabulary, reading), *self.answers(vocabulary, reading))

    def inputs(self, vocabulary: Vocabulary, reading: str) -> Float32[np.ndarray, "B T F"]:
        """Return what a model sees at each step."""
        if reading == "words":
            return one_hot(self.ids, len(vocabulary.words))
        sentence, lengths = self._in_sentences(vocabulary)
        return sentence_features(self.ids, sentence, int(lengths.max()), len(vocabulary.words))

    def answers(self, vocabulary: Vocabulary, reading: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return targets (B, T), the mask of the steps that count (B, T) and the number of steps (B)."""
        if reading == "words":
            return self.targets, self.mask, self.lengths
        sentence, lengths = self._in_sentences(vocabulary)
        shape = (len(lengths), int(lengths.max()))
        targets, mask = np.zeros(shape, dtype=np.int64), np.zeros(shape, dtype=bool)
        rows, steps = np.nonzero(self.mask)
        targets[rows, sentence[rows, steps]] = self.targets[rows, steps]
        mask[rows, sentence[rows, steps]] = True
        return targets, mask, lengths

    def _in_sentences(self, vocabulary: Vocabulary) -> tuple[np.ndarray, np.ndarray]:
        """Return the sentence of each word (B, T), and how many there are (B); a pause is one of its own."""
        last = [PADDING, *(number for number, word in enumerate(vocabulary.words) if word in _ENDS)]
        ends = np.isin(self.ids, last) & (np.arange(self.ids.shape[1]) < self.lengths[:, None])
        return ends.cumsum(1) - ends, ends.sum(1)


def sentence_features(
    ids: Int64[np.ndarray, "B T"], sentence: Int64[np.ndarray, "B T"], sentences: int, size: int
) -> Float32[np.ndarray, "B S F"]:
    """Return sentences as inputs: how often each word comes, and where, F = 2 `size` features.

    The second half is the sum of j/5 - 1 over the places j (from 0) at which the word stands. A linear layer
    on both holds the position encoding of Sukhbaatar et al. 2015 (End-To-End Memory Networks, section 4.1),
    which is linear in j as well.

    Args:
        ids: of the words, 0 for padding, which has no feature.
        sentence: of each word, from 0; it begins with its first word and has no gap.
        sentences: S, more than any number in it where a word stands.
        size: of the vocabulary.

    Example:
        >>> sentence_features(np.array([[2, 1, 2, 1]]), np.array([[0, 0, 0, 1]]), 2, 3)[0].tolist()
        [[0.0, 1.0, 2.0, 0.0, -0.800000011920929, -1.600000023841858], [0.0, 1.0, 0.0, 0.0, -1.0, 0.0]]
    """
    batch, steps = ids.shape
    begins = np.diff(sentence, axis=1, prepend=-1) != 0
    place = np.arange(steps) - np.maximum.accumulate(np.where(begins, np.arange(steps), 0), axis=1)
    told = ids != PADDING
    step = (np.arange(batch)[:, None] * sentences + sentence)[told]  # of all rows, one behind another
    features = np.zeros((2, batch * sentences * size))
    for part, weights in zip(features, (None, place[told] / 5 - 1)):
        part[:] = np.bincount(step * size + ids[told], weights, part.size)
    both: Float32[np.ndarray, "B S F"] = np.concatenate(
        features.astype(np.float32).reshape(2, batch, sentences, size), axis=2
    )
    return both


class EncodedStories(NamedTuple):
    """All sequences, one behind another without padding: the longest is a hundred times as long as others."""

    words: Int32[np.ndarray, " W"]
    """Ids of the words."""
    asked: Int32[np.ndarray, " W"]
    """Id of the answer at the "?" of each question that counts, -1 elsewhere."""
    lengths: Int64[np.ndarray, " S"]
    """Words of each sequence."""
    tasks: Int64[np.ndarray, " S"]
    """Number of the task of each."""

    def rows(self, numbers: Sequence[int] | Int[np.ndarray, " B"]) -> StoryRows:
        """Return some of the sequences, by number."""
        lengths = self.lengths[numbers]
        steps = np.arange(lengths.max())
        within = steps < lengths[:, None]  # (B, T)
        place = ((self.lengths.cumsum() - self.lengths)[numbers][:, None] + steps)[within]
        ids = np.full(within.shape, PADDING, dtype=np.int64)
        ids[within] = self.words[place]
        targets = np.full(within.shape, _NOTHING_ASKED, dtype=np.int64)
        targets[within] = self.asked[place]
        mask = targets != _NOTHING_ASKED
        return StoryRows(ids, np.where(mask, targets, 0), mask, lengths, self.tasks[numbers])


def encode(
    stories: Iterable[Story], vocabulary: Vocabulary, *, whole: bool = False, pauses: int = 0
) -> EncodedStories:
    r"""Turn stories into sequences of words.

    Args:
        stories: of one task or of many.
        vocabulary: that has all their words and answers.
        whole: False for a sequence of each question: the statements before it, then the question. True for
            one sequence of each story with all its questions where they are asked, each of which counts:
            fewer words in all.
        pauses: paddings after each question, at the last of which its answer is told.

    Raises:
        ValueError: a word or an answer is not in the vocabulary.

    Example:
        >>> from relational_rnn.tasks.babi import parse
        >>> told = ["1 Mary went home.", "2 Where is Mary? \thome\t1"]
        >>> told += ["3 Mary went out.", "4 Where is Mary? \tout\t3"]
        >>> stories = parse(told, 1, "example")
        >>> vocabulary = Vocabulary.of(stories)
        >>> encode(stories, vocabulary).lengths, encode(stories, vocabulary, whole=True).lengths
        (array([ 8, 12]), array([16]))
    """
    word_ids = {word: number for number, word in enumerate(vocabulary.words)}
    answer_ids = {answer: number for number, answer in enumerate(vocabulary.answers)}
    words: list[int] = []
    asked: list[int] = []
    lengths: list[int] = []
    tasks: list[int] = []
    try:
        for story in stories:
            for sequence, answers in _sequences(story, word_ids, answer_ids, whole, pauses):
                words += sequence
                asked += answers
                lengths.append(len(sequence))
                tasks.append(story.task)
    except KeyError as wrong:
        raise ValueError(f"{wrong.args[0]!r} is not in the vocabulary") from None
    return EncodedStories(
        words=np.array(words, dtype=np.int32),
        asked=np.array(asked, dtype=np.int32),
        lengths=np.array(lengths, dtype=np.int64),
        tasks=np.array(tasks, dtype=np.int64),
    )


def _sequences(
    story: Story, word_ids: dict[str, int], answer_ids: dict[str, int], whole: bool, pauses: int
) -> Iterator[tuple[list[int], list[int]]]:
    """Yield the words of each sequence of a story, and the answer asked for at each word."""
    words: list[int] = []
    asked: list[int] = []
    told = 0
    for question in story.questions:
        for statement in story.statements[told : question.after]:
            words += [word_ids[word] for word in statement]
            asked += [_NOTHING_ASKED] * len(statement)
        told = question.after
        last_words = [word_ids[word] for word in question.words] + [PADDING] * pauses
        last_asked = [_NOTHING_ASKED] * (len(last_words) - 1) + [answer_ids[question.answer]]
        if whole:
            words += last_words
            asked += last_asked
        else:
            yield words + last_words, asked + last_asked
    if whole and words:
        yield words, asked
