"""Stories in the style of bAbI: people walk and carry things; the question takes 1, 2 or 3 supporting facts.

A story has S sentences, each one of

    PERSON went to PLACE .        PERSON took OBJECT .        PERSON dropped OBJECT .

and a question, each kind equally often unless `supporting_facts` names fewer:

    where is PERSON ?                    1 fact: the person's last walk
    where is OBJECT ?                    2 facts: who took it last (or dropped it), where that one was
    where was OBJECT before PLACE ?      3 facts: who carried it to PLACE the last time, and from where

(after the public bAbI tasks 1, 2 and 3: Weston et al. 2015; those have articles, synonyms and other people).
People walk to another place than where they are; they take what is where they are and carry it along; an
object that nobody has touched yet may be anywhere. The answer is a place.

**What a model sees**: words, one a step, one-hot over the fixed vocabulary of `babi_words` (F words; a word's
id is its place there). Sequences end with "?", the step that counts, and are padded at the end with id 0,
`<pad>`, to T = 5S + 6 steps; `lengths` says where. The target is the index of the answer in
`babi_words.PLACES`.

People, places and objects of a story are drawn from the vocabulary's, so that all names are known to a model
and larger stories fit the same input format. By this symmetry every place is the answer equally often.
But few places are named in a story, and those in which much happens are asked for more often: `shortcut`
has noticed this and nothing else, and its score is the one to beat.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import numpy as np

from relational_rnn.config.checks import check_size
from relational_rnn.tasks.babi_words import (
    IDS,
    OBJECTS,
    PADDING,
    PEOPLE,
    PLACES,
    VOCABULARY,
    read_story,
)
from relational_rnn.tasks.batch import most_frequent, one_hot
from relational_rnn.tasks.checks import (
    check_at_most,
    check_generator,
    check_inputs,
    check_task_size,
    one_example_generators,
    refuse,
)
from relational_rnn.tasks.growing import growing

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Float32, Int64

_LONGEST_SENTENCE = 5
_LONGEST_QUESTION = 6
_WALK, _TAKE, _DROP = range(3)


@dataclass(frozen=True, kw_only=True)
class BabiSynthetic:
    """Sizes of the task.

    Raises:
        TypeError: a size is no integer.
        ValueError: a size is out of range, or `supporting_facts` is not a choice of 1, 2 and 3.

    Example:
        >>> task = BabiSynthetic()
        >>> task.input_size, task.steps, task.classes, task.chance
        (33, 46, 8, 0.125)
    """

    name: ClassVar[str] = "babi-synthetic"
    """In the registry."""
    people: int = 4
    """People in a story, up to 8."""
    places: int = 6
    """Places in a story, 2 to 8."""
    objects: int = 2
    """Objects in a story, up to 6."""
    sentences: int = 8
    """S, sentences of a story, at least the largest of `supporting_facts`."""
    supporting_facts: tuple[int, ...] = (1, 2, 3)
    """Kinds of questions."""

    def __post_init__(self) -> None:
        """Check the sizes; they become plain ints."""
        kinds = self.supporting_facts
        if not isinstance(kinds, tuple) or not kinds or not set(kinds) <= {1, 2, 3}:
            raise ValueError(f"supporting_facts must be a tuple of 1, 2 or 3, got {kinds!r}")
        for name, least, most in (("people", 1, PEOPLE), ("places", 2, PLACES), ("objects", 1, OBJECTS)):
            size = check_task_size(name, getattr(self, name), minimum=least)
            object.__setattr__(
                self, name, check_at_most(name, size, len(most), "as many as the vocabulary has")
            )
        object.__setattr__(
            self, "sentences", check_task_size("sentences", self.sentences, minimum=max(kinds))
        )

    @property
    def input_size(self) -> int:
        """F, words of the vocabulary."""
        return len(VOCABULARY)

    @property
    def classes(self) -> int:
        """C, places of the vocabulary."""
        return len(PLACES)

    @property
    def steps(self) -> int:
        """T = 5S + 6, steps of a padded sequence."""
        return _LONGEST_SENTENCE * self.sentences + _LONGEST_QUESTION

    @property
    def chance(self) -> float:
        """1/C, the score of guessing among all places of the vocabulary."""
        return 1 / self.classes

    @property
    def majority(self) -> float:
        """1/C, exact: every place is the answer equally often."""
        return 1 / self.classes

    def harder(self) -> BabiSynthetic:
        """Return the task with twice the sentences and up to two more of everybody and everything."""
        return replace(
            self,
            people=min(len(PEOPLE), self.people + 2),
            places=min(len(PLACES), self.places + 2),
            objects=min(len(OBJECTS), self.objects + 2),
            sentences=2 * self.sentences,
        )

    def larger(self) -> dict[str, list[BabiSynthetic]]:
        """Return tasks of ever longer stories, of more people and of more places; see `growing`."""
        return growing(self, sentences=None, people=len(PEOPLE), places=len(PLACES))


class StoryBatch(NamedTuple):
    """A batch of stories; the first four fields are those of every `ReasoningBatch`."""

    inputs: Float32[np.ndarray, "B T F"]
    """The words, one-hot."""
    targets: Int64[np.ndarray, "B T"]
    """Index of the answer in PLACES at the step of "?", 0 elsewhere."""
    mask: Bool[np.ndarray, "B T"]
    """True at the step of "?"."""
    lengths: Int64[np.ndarray, " B"]
    """Words of story and question."""
    ids: Int64[np.ndarray, "B T"]
    """The words as ids, 0 for padding."""
    facts: Int64[np.ndarray, "B 3"]
    """Supporting sentences in order of time, counted from 1 as in bAbI; 0 where there are fewer than 3."""


def sample(task: BabiSynthetic, batch_size: int, generator: np.random.Generator) -> StoryBatch:
    """Draw a batch.

    Args:
        task: sizes of the task.
        batch_size: B, examples.
        generator: the only source of chance; it moves on.

    Returns:
        inputs (B, 5S + 6, F), targets, mask and ids (B, 5S + 6), lengths (B,), facts (B, 3).

    Raises:
        TypeError: `batch_size` is no integer, or `generator` is no `numpy.random.Generator`.
        ValueError: `batch_size` is below 1.

    Example:
        >>> batch = sample(BabiSynthetic(), 512, np.random.default_rng(0))
        >>> batch.inputs.shape, batch.targets.shape, int(batch.mask.sum())
        ((512, 46, 33), (512, 46), 512)
    """
    batch_size = check_size("batch_size", batch_size)
    check_generator(generator)
    kinds = generator.choice(np.array(task.supporting_facts), size=batch_size)
    ids = np.empty((batch_size, task.steps), dtype=np.int64)
    facts = np.empty((batch_size, 3), dtype=np.int64)
    answers = np.empty(batch_size, dtype=np.int64)
    open_ = np.arange(batch_size)
    while len(
        open_
    ):  # a story in which nothing can be asked for is drawn again, for the same kind of question
        story = _draw(task, kinds[open_], generator)
        done = open_[story.askable]
        ids[done], facts[done], answers[done] = (
            part[story.askable] for part in (story.ids, story.facts, story.answers)
        )
        open_ = open_[~story.askable]

    lengths = (ids != PADDING).sum(1)
    mask = np.arange(task.steps) == lengths[:, None] - 1
    targets = np.where(mask, answers[:, None], 0)
    return StoryBatch(one_hot(ids, len(VOCABULARY)), targets, mask, lengths, ids, facts)


def kinds(batch: StoryBatch) -> list[str]:
    """Return for each story how many sentences its question needs, in words.

    Example:
        >>> kinds(sample(BabiSynthetic(supporting_facts=(2,)), 1, np.random.default_rng(0)))
        ['2 supporting facts']
    """
    needed = (batch.facts > 0).sum(1)
    return [f"{n} supporting fact{'s' if n > 1 else ''}" for n in needed]


def oracle(task: BabiSynthetic, inputs: Float[np.ndarray, "B T F"]) -> Int64[np.ndarray, "B T"]:
    """Answer from the words alone, always rightly, with the interpreter `babi_words.read_story`.

    Args:
        task: sizes of the task.
        inputs: (B, T, F) with T = 5S + 6.

    Returns:
        (B, T) index of the answer in PLACES at the step of "?", 0 elsewhere.

    Raises:
        TypeError: `inputs` is no array of floating-point numbers.
        ValueError: `inputs` is no story; the message names the row.

    Example:
        >>> batch = sample(BabiSynthetic(), 100, np.random.default_rng(0))
        >>> bool((oracle(BabiSynthetic(), batch.inputs) == batch.targets).all())
        True
    """
    ids = _read(task, inputs)
    targets = np.zeros(ids.shape, dtype=np.int64)
    for example, row in enumerate(ids):
        words = [VOCABULARY[word] for word in row[row != PADDING]]
        try:
            targets[example, len(words) - 1] = PLACES.index(read_story(words))
        except ValueError as wrong:
            raise ValueError(f"inputs[{example}] is no story of this task: {wrong}") from None
    return targets


def shortcut(task: BabiSynthetic, inputs: Float[np.ndarray, "B T F"]) -> Int64[np.ndarray, "B T"]:
    """Answer without understanding the story: the place named most often, of several the last.

    The place in `where was OBJECT before PLACE ?` is left out: it is never the answer.

    Args:
        task: sizes of the task.
        inputs: (B, T, F) as for `oracle`.

    Returns:
        (B, T) as `oracle`.

    Raises:
        TypeError, ValueError: as `oracle`.

    Example:
        >>> batch = sample(BabiSynthetic(), 20_000, np.random.default_rng(0))
        >>> told = shortcut(BabiSynthetic(), batch.inputs)
        >>> round(float((told == batch.targets)[batch.mask].mean()), 2)
        0.43
    """
    ids = _read(task, inputs)
    lengths = (ids != PADDING).sum(1)
    asked = ids[np.arange(len(ids)), lengths - 2]  # before "?": a place only after "before"
    others = np.where(ids == asked[:, None], PADDING, ids)
    named = most_frequent(others - IDS[PLACES[0]], task.classes)
    return np.where(np.arange(task.steps) == lengths[:, None] - 1, named[:, None], 0)


def records(task: BabiSynthetic, count: int, seed: int) -> Iterator[dict[str, Any]]:
    """Yield `count` examples as plain values, ready for JSON.

    The first examples of a seed do not depend on `count`.

    Returns:
        Dicts with the sentences of the `story`, the `question`, the `answer` (a word), the
        `supporting_facts` (sentences, counted from 1 as in bAbI) and the `ids` of all words.

    Raises:
        TypeError: `count` or `seed` is no integer.
        ValueError: `count` or `seed` is out of range.

    Example:
        >>> sorted(next(records(BabiSynthetic(), count=1, seed=0)))
        ['answer', 'ids', 'question', 'story', 'supporting_facts', 'task']
    """
    return (as_record(task, sample(task, 1, each), 0) for each in one_example_generators(count, seed))


def as_text(record: dict[str, Any]) -> str:
    """Return a record as a person reads it, with > at the supporting facts.

    Example:
        >>> record = dict(story=["mary went to attic .", "john went to cellar ."], supporting_facts=[1])
        >>> print(as_text(record | dict(question="where is mary ?", answer="attic")))
        >  1 mary went to attic .
           2 john went to cellar .
        where is mary ?
        Answer: attic
    """
    lines = [
        f"{'>' if number in record['supporting_facts'] else ' '}{number:3d} {sentence}"
        for number, sentence in enumerate(record["story"], start=1)
    ]
    return "\n".join([*lines, record["question"], f"Answer: {record['answer']}"])


def as_record(task: BabiSynthetic, batch: StoryBatch, example: int) -> dict[str, Any]:
    """Return an example of a batch as plain values, see `records`; its answer is what `targets` say."""
    ids = batch.ids[example, : batch.lengths[example]].tolist()
    *story, question = " ".join(VOCABULARY[number] for number in ids).split(" . ")
    return {
        "task": "babi-synthetic",
        "story": [f"{sentence} ." for sentence in story],
        "question": question,
        "supporting_facts": [number for number in batch.facts[example].tolist() if number],
        "ids": ids,
        "answer": PLACES[batch.targets[example].max()],
    }


def _read(task: BabiSynthetic, inputs: Float[np.ndarray, "B T F"]) -> Int64[np.ndarray, "B T"]:
    """Return the words as ids, or say which row is no word or has padding before it."""
    inputs = check_inputs(inputs, T=task.steps, F=task.input_size)
    ids: Int64[np.ndarray, "B T"] = inputs.argmax(-1)
    refuse((inputs != one_hot(ids, len(VOCABULARY))).any(-1), f"must be one-hot of {task.input_size} words")
    padded = ids == PADDING
    refuse(padded[:, :-1] & ~padded[:, 1:], "is padding before the last word")
    return ids


class _Drawn(NamedTuple):
    """Stories with a question of the kind wanted, where there is one."""

    ids: Int64[np.ndarray, "B T"]
    facts: Int64[np.ndarray, "B 3"]
    answers: Int64[np.ndarray, " B"]
    askable: Bool[np.ndarray, " B"]


def _draw(task: BabiSynthetic, kinds: Int64[np.ndarray, " B"], generator: np.random.Generator) -> _Drawn:
    """Draw a story for each kind of question (1, 2 or 3 facts), all examples at once, sentence by sentence.

    People (P), objects (O) and places (Q) are numbered within their story, sentences from 1. The arrays hold
    what is known at each sentence and the sentences it is known from; -1 is an unknown place.
    """
    every, count = np.arange(len(kinds)), len(kinds)
    people = _names(PEOPLE, task.people, count, generator)  # (B, P) ids
    objects = _names(OBJECTS, task.objects, count, generator)  # (B, O) ids
    places = _names(PLACES, task.places, count, generator)  # (B, Q) ids

    at = np.full((count, task.people), -1)
    """Place of each person."""
    walked = np.zeros((count, task.people), dtype=np.int64)
    """The walk that led there."""
    holder = np.full((count, task.objects), -1)
    """Who carries each object."""
    lies = np.full((count, task.objects), -1)
    """Place of each object."""
    known_by = np.zeros((count, task.objects, 2), dtype=np.int64)
    """The taking or dropping, and the walk, that say so."""
    came_from = np.full((count, task.objects, task.places), -1)
    """From where each object was last carried to each place."""
    came_by = np.zeros((count, task.objects, task.places, 3), dtype=np.int64)
    """The taking and the two walks that say so."""

    words = np.full((count, task.sentences, _LONGEST_SENTENCE), PADDING)
    for number in range(1, task.sentences + 1):
        here = at[:, :, None]  # (B, P, 1)
        may_take = (here >= 0) & (holder < 0)[:, None] & ((lies[:, None] < 0) | (lies[:, None] == here))
        may_drop = holder[:, None] == np.arange(task.people)[:, None]  # (B, P, O)
        draw = generator.random(count)
        take = (draw < 0.3) & may_take.any((1, 2))
        drop = (draw >= 0.3) & (draw < 0.45) & may_drop.any((1, 2))
        walk = ~take & ~drop

        taker, taken = _one_of(may_take, generator)
        dropper, dropped = _one_of(may_drop, generator)
        walker, goal = _one_of(here != np.arange(task.places), generator)

        b = every[take]
        p, o = taker[b], taken[b]
        _write(words, b, number, people[b, p], "took", objects[b, o], ".")
        holder[b, o], lies[b, o] = p, at[b, p]
        known_by[b, o] = np.stack([np.full(len(b), number), walked[b, p]], axis=1)

        b = every[drop]
        p, o = dropper[b], dropped[b]
        _write(words, b, number, people[b, p], "dropped", objects[b, o], ".")
        holder[b, o], known_by[b, o, 0] = -1, number

        b = every[walk]
        p, q = walker[b], goal[b]
        _write(words, b, number, people[b, p], "went", "to", places[b, q], ".")
        i, o = np.nonzero(holder[b] == p[:, None])  # the i-th of those that walk carries o along
        carried = b[i], o
        came_from[(*carried, q[i])] = lies[carried]
        last = walked[b, p][i]
        came_by[(*carried, q[i])] = np.stack([known_by[(*carried, 0)], last, np.full(len(i), number)], axis=1)
        lies[carried], known_by[(*carried, 1)] = q[i], number
        at[b, p], walked[b, p] = q, number

    who = _one_of((at >= 0)[:, None], generator)[1]
    thing = _one_of((lies >= 0)[:, None], generator)[1]
    moved, goal = _one_of(came_from >= 0, generator)
    nothing = np.zeros(count, dtype=np.int64)

    question = np.full((count, _LONGEST_QUESTION), PADDING)
    one, two, three = (every[kinds == kind] for kind in (1, 2, 3))
    _write(question[:, None], one, 1, "where", "is", people[one, who[one]], "?")
    _write(question[:, None], two, 1, "where", "is", objects[two, thing[two]], "?")
    b = three
    _write(question[:, None], b, 1, "where", "was", objects[b, moved[b]], "before", places[b, goal[b]], "?")
    answer = np.choose(kinds - 1, [at[every, who], lies[every, thing], came_from[every, moved, goal]])
    walk_fact = np.stack([walked[every, who], nothing, nothing], axis=1)
    object_facts = np.concatenate([known_by[every, thing], nothing[:, None]], axis=1)
    facts = np.choose((kinds - 1)[:, None], [walk_fact, object_facts, came_by[every, moved, goal]])
    in_time = np.sort(np.where(facts == 0, task.sentences + 1, facts), axis=1)  # absent ones last
    facts = np.where(in_time > task.sentences, 0, in_time)

    ids = np.concatenate([words.reshape(count, -1), question], axis=1)
    ids = np.take_along_axis(ids, np.argsort(ids == PADDING, axis=1, kind="stable"), axis=1)
    return _Drawn(ids, facts, places[every, answer] - IDS[PLACES[0]], answer >= 0)


def _names(
    known: tuple[str, ...], size: int, count: int, generator: np.random.Generator
) -> Int64[np.ndarray, "B n"]:
    """Draw the ids of `size` names for each of `count` stories."""
    every_name = np.tile(np.array([IDS[name] for name in known]), (count, 1))
    names: Int64[np.ndarray, "B n"] = generator.permuted(every_name, axis=1)[:, :size]
    return names


def _one_of(
    allowed: Bool[np.ndarray, "B m n"], generator: np.random.Generator
) -> tuple[Int64[np.ndarray, " B"], Int64[np.ndarray, " B"]]:
    """Draw one allowed pair of indices for each example; (0, 0) where none is allowed."""
    scores = np.where(allowed, 1 - generator.random(allowed.shape), 0)  # 1 - [0, 1) is never 0
    flat = scores.reshape(len(allowed), -1).argmax(1)
    return flat // allowed.shape[2], flat % allowed.shape[2]


def _write(
    words: Int64[np.ndarray, "B S W"],
    examples: Int64[np.ndarray, " b"],
    number: int,
    *sentence: str | Int64[np.ndarray, " b"],
) -> None:
    """Write sentence `number` of some examples: words, or one id for each example."""
    for position, word in enumerate(sentence):
        words[examples, number - 1, position] = IDS[word] if isinstance(word, str) else word
