"""bAbI as a task to train on: which stories, read once, ready for a model."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final, NamedTuple

import numpy as np

from relational_rnn.config.checks import check_bool, check_choice, check_size
from relational_rnn.tasks.babi.data import load
from relational_rnn.tasks.babi.encode import READINGS, EncodedStories, Vocabulary, encode
from relational_rnn.tasks.babi.scores import BabiScores, majority_scores
from relational_rnn.tasks.babi.source import VARIANTS, find
from relational_rnn.tasks.babi.stories import TASKS
from relational_rnn.tasks.babi.synthetic import synthetic
from relational_rnn.tasks.babi_words import PADDING

if TYPE_CHECKING:
    from jaxtyping import Float32, Int

MOST_PAUSES: Final = 100


@dataclass(frozen=True, kw_only=True)
class Babi:
    """Some of the 20 tasks, learned jointly; every story with all its questions is one sequence.

    Each step reads a word or a whole sentence; the answer is told where a question ends.

    Raises:
        ValueError: unknown or repeated tasks, an unknown variant.

    Example:
        >>> Babi(tasks=(1, 18), synthetic=True).classes > 2
        True
    """

    name: ClassVar[str] = "babi"
    """In the registry."""
    tasks: tuple[int, ...] = tuple(TASKS)
    """Numbers of the tasks, 1..20."""
    variant: str = "en"
    """"en" (1,000 questions to learn from a task), "en-10k" or "en-valid", ..."""
    data_dir: str | None = None
    """Folder with the files; None for the cache."""
    synthetic: bool = False
    """Stories of our own instead of files, for tasks 1, 2, 3, 7, 8, 17 and 18."""
    reading: str = "words"
    """What a step reads: "words", one of them, or "sentences", the words of one with their places."""
    pauses: int = 0
    """Empty steps after each question; the answer is told at the last of them."""

    def __post_init__(self) -> None:
        """Check the fields."""
        if not self.tasks or len(set(self.tasks)) != len(self.tasks):
            raise ValueError(f"tasks must name each task once, from 1 to {len(TASKS)}; got {self.tasks!r}")
        for task in self.tasks:
            if task not in TASKS:
                raise ValueError(f"tasks must be from 1 to {len(TASKS)}, got {task!r}")
        check_choice("variant", self.variant, VARIANTS)
        check_bool("synthetic", self.synthetic)
        check_choice("reading", self.reading, READINGS)
        check_size("pauses", self.pauses, minimum=0, maximum=MOST_PAUSES)

    @property
    def input_size(self) -> int:
        """F, words of the vocabulary; twice as many where sentences are read."""
        return len(read(self).vocabulary.words) * (2 if self.reading == "sentences" else 1)

    @property
    def classes(self) -> int:
        """C, different answers."""
        return len(read(self).vocabulary.answers)

    @property
    def chance(self) -> float:
        """1/C."""
        return 1 / self.classes

    @property
    def majority(self) -> float:
        """Mean accuracy of telling each task's most frequent answer."""
        return 1 - read(self).majority.mean

    @property
    def majority_by_kind(self) -> dict[str, float]:
        """The same for each kind of question, which is its task."""
        return {kind_of(task): 1 - error for task, error in read(self).majority.errors.items()}

    def larger(self) -> dict[str, list[Babi]]:
        """Return no sizes: the stories are as they are."""
        return {}


class ReadBabi(NamedTuple):
    """The stories of a `Babi`."""

    train: EncodedStories
    validation: EncodedStories
    test: EncodedStories
    vocabulary: Vocabulary
    majority: BabiScores
    """Of always telling a task's most frequent answer."""


def kind_of(task: int) -> str:
    """Return how the scores call a task's questions.

    Example:
        >>> kind_of(7)
        'task 7'
    """
    return f"task {task}"


@functools.lru_cache(maxsize=4)
def read(task: Babi) -> ReadBabi:
    """Read or make the stories; nothing is downloaded.

    Raises:
        OSError: a file cannot be read.
        ValueError: no files are found, or some are missing or malformed; a task without synthetic stories.
    """
    if task.synthetic:
        data = synthetic(task.tasks)
    else:
        named = None if task.data_dir is None else Path(task.data_dir)
        directory, how = find(named, variant=task.variant, may_download=False)
        if directory is None:
            raise ValueError(f"{how}; name data_dir, a folder with the files, or set synthetic")
        data = load(directory, task.tasks)
    vocabulary = data.vocabulary
    train, validation, test = (
        encode(part, vocabulary, whole=True, pauses=task.pauses)
        for part in (data.train, data.validation, data.test)
    )
    return ReadBabi(train, validation, test, vocabulary, majority_scores(data.train, data.test))


class StoryExamples:
    """Encoded stories as examples for a training loop; padded only as far as a batch needs it.

    Args:
        stories: the sequences.
        vocabulary: of them.
        reading: what a step reads, "words" or "sentences".

    Attributes:
        inputs: (S, T, F) when indexed along its first axis, T being the longest of those chosen.
        targets: (S, T) in the same way.
        mask: the same.

    Example:
        >>> found = read(Babi(tasks=(1,), synthetic=True))
        >>> examples = StoryExamples(found.test, found.vocabulary)
        >>> len(examples.inputs), examples.inputs[:3].shape[:2] == examples.targets[:3].shape
        (1000, True)
    """

    def __init__(self, stories: EncodedStories, vocabulary: Vocabulary, reading: str = "words") -> None:
        self.stories, self.vocabulary, self.reading = stories, vocabulary, reading
        self.inputs, self.targets, self.mask = (_Part(self, name) for name in ("inputs", "targets", "mask"))

    def __getitem__(self, chosen: Any) -> Any:
        """Return `inputs`, `targets` and `mask` by number, as a batch's tuple does."""
        return (self.inputs, self.targets, self.mask)[chosen]

    @property
    def lengths(self) -> Int[np.ndarray, " S"]:
        """Words of each sequence, pauses included."""
        return self.stories.lengths

    def words_told(self) -> Int[np.ndarray, " S"]:
        """Return the words of each sequence without the pauses."""
        begins = self.lengths.cumsum() - self.lengths
        return np.add.reduceat((self.stories.words != PADDING).astype(int), begins)

    @property
    def kinds(self) -> list[str]:
        """Of which task each sequence is."""
        return [kind_of(task) for task in self.stories.tasks]

    def by_length(self) -> StoryExamples:
        """Return all sequences, the shortest first: so pieces of them need little padding."""
        return self.select(self.lengths.argsort(kind="stable"))

    def select(self, numbers: Int[np.ndarray, " B"]) -> StoryExamples:
        """Return some of the sequences, in that order."""
        lengths = self.lengths
        begins = lengths.cumsum() - lengths
        words = [slice(begins[n], begins[n] + lengths[n]) for n in numbers]
        chosen = EncodedStories(
            words=_joined(self.stories.words[span] for span in words),
            asked=_joined(self.stories.asked[span] for span in words),
            lengths=lengths[numbers],
            tasks=self.stories.tasks[numbers],
        )
        return StoryExamples(chosen, self.vocabulary, self.reading)


class _Part:
    """One of a batch's arrays, made when it is indexed."""

    def __init__(self, examples: StoryExamples, name: str) -> None:
        self._examples, self._name = examples, name

    def __len__(self) -> int:
        return len(self._examples.lengths)

    def __getitem__(self, chosen: Any) -> np.ndarray:
        rows = self._examples.stories.rows(np.arange(len(self))[chosen])
        reads = (self._examples.vocabulary, self._examples.reading)
        if self._name == "inputs":
            inputs: Float32[np.ndarray, "B T F"] = rows.inputs(*reads)
            return inputs
        targets, mask, _ = rows.answers(*reads)
        return targets if self._name == "targets" else mask

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.asarray(self[:], dtype=dtype)


def _joined(parts: Iterable[np.ndarray]) -> np.ndarray:
    joined: np.ndarray = np.concatenate(list(parts))
    return joined
