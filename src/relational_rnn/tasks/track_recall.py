"""Track and recall: holders have values, objects change holders; what does the holder of an object have now?

Two abilities in one question: to follow who holds the object (state tracking), and to look up what that
holder has (associative recall). The parts and their definitions are FactWorld's
(https://github.com/ianbarber/factworld, `factworld/tasks.py`, b8fd246); `kind` says which are asked for:

- "composite" (`composite_copy_v2`): P holders with a value each, then L events, then an object: what does its
  holder have? FactWorld's models write down the holder before the value; so it is with `written`: the answer
  to the object is its holder, then he is shown, and the answer is his value. Without it the value is the one
  answer, in one step.
- "binding" (`binding_v2`): events and an object; who holds it? No values.
- "recall" (`recall_copy_v1`): P holders with a value each, then a holder; what does he have? No events.

and `events` says what happens:

- "swaps": each object has a holder of its own at first, then two random objects exchange theirs at each
  event. This is the word problem of a group (see `group_word`), with 5 objects of S5: order matters, and no
  event makes earlier ones void.
- "gives": FactWorld's. An object is given to a holder, the last time counts. The object that is asked for is
  given for the last time at event p, uniform from L/10 to L - 2; before p any object is given, later any
  other, each to a random holder.

One step shows one statement as features 0 or 1: objects, N; holders, N; values, V; and whether it is a query.
A fact has a holder and a value; a giving an object and a holder; a swap two objects; a query an object or, of
kind "recall", a holder. The objects are 0 to M - 1, the holders P random names of N, with P distinct values
of V. FactWorld has P = 16, N = 32, V = 128, M = 4 (the preset `factworld`).

`shortcut` is the score of a model that lets each object stay with its first holder; of kind "recall", of one
that predicts the last value shown.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, Final, NamedTuple

import numpy as np

from relational_rnn.config.checks import check_bool, check_choice, check_size
from relational_rnn.tasks.batch import ReasoningBatch
from relational_rnn.tasks.checks import (
    MOST_SIZE,
    check_at_most,
    check_generator,
    check_inputs,
    check_task_size,
    one_example_generators,
    refuse,
)

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Float32, Int64

KINDS: Final = ("composite", "binding", "recall")
"""What the holder of an object has, who he is, what a holder has."""
EVENTS: Final = ("swaps", "gives")
"""Two objects exchange their holders, or an object is given to a holder."""
ANSWERS: Final = ("every", "one")
"""Whether every object (of kind "recall" every holder) is asked for in the end, in random order, or one."""
FACTORS: Final = (1, 2, 4, 8, 16)
"""Numbers of events that models are scored on, as multiples of those of training."""


@dataclass(frozen=True, kw_only=True)
class TrackRecall:
    """Sizes of the task.

    Raises:
        TypeError: a size is no integer.
        ValueError: a size out of range, an unknown choice, or sizes that do not fit together.

    Example:
        >>> task = TrackRecall()
        >>> task.input_size, task.steps, task.classes, task.chance
        (33, 31, 16, 0.0625)
        >>> theirs = TrackRecall(events="gives", answers="one", holders=16, names=32, values=128, objects=4)
        >>> theirs.input_size, theirs.steps, theirs.classes
        (193, 33, 128)
    """

    name: ClassVar[str] = "track-recall"
    """In the registry."""
    kind: str = "composite"
    """One of `KINDS`."""
    events: str = "swaps"
    """One of `EVENTS`."""
    answers: str = "every"
    """One of `ANSWERS`."""
    written: bool = False
    """Whether a query takes two steps: the object, to which its holder is the answer, then this holder."""
    objects: int = 5
    """M, objects in an example."""
    holders: int | None = None
    """P, holders in an example; None for as many as objects."""
    length: int = 16
    """L, events in an example."""
    names: int = 8
    """N, names that holders can have; as many objects can be told apart."""
    values: int = 16
    """V, values that holders can have."""

    def __post_init__(self) -> None:
        """Check the sizes; they become plain ints."""
        check_choice("kind", self.kind, KINDS)
        check_choice("events", self.events, EVENTS)
        check_choice("answers", self.answers, ANSWERS)
        check_bool("written", self.written)
        if self.written and self.kind != "composite":
            raise ValueError(f"written needs kind 'composite', got {self.kind!r}")
        gives = self.kind != "recall" and self.events == "gives"
        if gives and self.answers != "one":
            raise ValueError("with gives one object is asked for: answers must be 'one', got 'every'")
        least = {"objects": 2, "length": 2 if gives else 0}
        for size in ("objects", "length", "names", "values"):
            object.__setattr__(self, size, check_task_size(size, getattr(self, size), least.get(size, 1)))
        check_at_most("objects", self.objects, self.names, "the names")
        if self.holders is not None:
            object.__setattr__(self, "holders", check_task_size("holders", self.holders))
            check_at_most("holders", self.holders, self.names, "the names")
        if self.kind != "binding":
            check_at_most(
                "objects" if self.holders is None else "holders", self.people, self.values, "the values"
            )
        if self.kind != "recall" and not gives:
            check_at_most("objects", self.objects, self.people, "each has a holder of its own")

    @property
    def people(self) -> int:
        """P, holders in an example."""
        return self.objects if self.holders is None else self.holders

    @property
    def queries(self) -> int:
        """Q, objects (of kind "recall" holders) that are asked for."""
        if self.answers == "one":
            return 1
        return self.people if self.kind == "recall" else self.objects

    @property
    def answer_steps(self) -> int:
        """Steps at the end of a sequence that have an answer."""
        return 2 * self.queries if self.written else self.queries

    @property
    def shown(self) -> _Counts:
        """How many statements of each form an example has."""
        facts = 0 if self.kind == "binding" else self.people
        if self.kind == "recall":
            return _Counts(facts, 0, 0, self.answer_steps)
        gives, swaps = (self.length, 0) if self.events == "gives" else (self.objects, self.length)
        return _Counts(facts, gives, swaps, self.answer_steps)

    @property
    def input_size(self) -> int:
        """F = 2N + V + 1, features of one step's input."""
        return 2 * self.names + self.values + 1

    @property
    def classes(self) -> int:
        """Values, of kind "binding" names of holders, and with `written` first the names, then the values."""
        if self.written:
            return self.names + self.values
        return self.names if self.kind == "binding" else self.values

    @property
    def steps(self) -> int:
        """T, steps of a sequence: facts, events, queries."""
        return sum(self.shown)

    @property
    def chance(self) -> float:
        """1 / classes, the score of guessing."""
        return 1 / self.classes

    @property
    def majority(self) -> float:
        """Exact: 1 / classes, for all are equally often right; with `written` half of them are holders."""
        return 1 / (2 * min(self.names, self.values)) if self.written else 1 / self.classes

    def harder(self) -> TrackRecall:
        """Return the task with twice the events; of kind "recall" with twice the holders, as there are names.

        Raises:
            ValueError: there are no names left for another holder.
        """
        if self.kind != "recall":
            return replace(self, length=max(1, 2 * self.length))
        if self.people == (most := min(self.names, self.values)):
            raise ValueError(f"no harder task: {most} holders already use all names or values")
        return self._with(self._recalled, min(most, 2 * self.people))

    def larger(self) -> dict[str, list[TrackRecall]]:
        """Return the task and those with 2, 4, 8 and 16 times the events (of kind "recall": the holders)."""
        size, most = "length", MOST_SIZE
        if self.kind == "recall":
            size, most = self._recalled, min(self.names, self.values)
        counts = sorted({factor * getattr(self, size) for factor in FACTORS})
        return {size: [self._with(size, count) for count in counts if count <= most]}

    @property
    def _recalled(self) -> str:
        """The size that sets the number of holders."""
        return "objects" if self.holders is None else "holders"

    def _with(self, size: str, value: int) -> TrackRecall:
        changed: dict[str, Any] = {size: value}
        return replace(self, **changed)


def sample(task: TrackRecall, batch_size: int, generator: np.random.Generator) -> ReasoningBatch:
    """Draw a batch.

    Args:
        task: sizes of the task.
        batch_size: B, examples.
        generator: the only source of chance; it moves on.

    Returns:
        inputs (B, T, F), targets and mask (B, T), lengths (B,).

    Raises:
        TypeError: `batch_size` is no integer, or `generator` is no `numpy.random.Generator`.
        ValueError: `batch_size` is below 1.

    Example:
        >>> batch = sample(TrackRecall(), 512, np.random.default_rng(0))
        >>> batch.inputs.shape, batch.targets.shape, int(batch.mask.sum())
        ((512, 31, 33), (512, 31), 2560)
    """
    count = check_size("batch_size", batch_size)
    check_generator(generator)
    shown = task.shown

    def some(among: int, number: int) -> Int64[np.ndarray, "B K"]:
        """Return `number` distinct ones of 0 to `among` - 1 in random order."""
        return generator.random((count, among)).argsort(1)[:, :number]

    holders = some(task.names, task.people)
    values = some(max(task.values, task.people), task.people)  # of kind "binding" there may be fewer: unused
    swaps = np.zeros((count, 0, 2), dtype=np.int64)
    if task.kind == "recall":
        gives = swaps
        queries = np.take_along_axis(holders, some(task.people, task.queries), axis=1)
    elif task.events == "swaps":
        gives = np.stack([some(task.objects, task.objects), holders[:, : task.objects]], axis=2)
        first = generator.integers(task.objects, size=(count, task.length))
        apart = generator.integers(1, task.objects, size=first.shape)
        swaps = np.stack([first, (first + apart) % task.objects], axis=2)
        queries = some(task.objects, task.queries)
        holders, values = _in_random_order(generator, holders, values)
    else:
        queries = generator.integers(task.objects, size=(count, 1))
        last = generator.integers(task.length // 10, task.length - 1, size=(count, 1))
        step = np.arange(task.length)
        before = generator.integers(task.objects, size=(count, task.length))
        after = (queries + generator.integers(1, task.objects, size=before.shape)) % task.objects
        objects = np.where(step < last, before, np.where(step == last, queries, after))
        takers = generator.integers(task.people, size=before.shape)
        gives = np.stack([objects, np.take_along_axis(holders, takers, axis=1)], axis=2)
    facts = np.stack([holders, values], axis=2)[:, : shown.facts]
    story = _Story(facts, gives, swaps, queries)
    answers = np.zeros((count, task.steps), dtype=np.int64)
    answers[:, -task.answer_steps :] = _answers(task, story)
    mask = np.zeros(answers.shape, dtype=bool)
    mask[:, -task.answer_steps :] = True
    return ReasoningBatch(_encode(task, story), answers, mask, np.full(count, task.steps))


def oracle(task: TrackRecall, inputs: Float[np.ndarray, "B T F"]) -> Int64[np.ndarray, "B T"]:
    """Answer from the inputs alone, always rightly.

    Args:
        task: sizes of the task.
        inputs: (B, T, F).

    Returns:
        (B, T) answers at the queries, 0 elsewhere.

    Raises:
        TypeError: `inputs` is no array of floating-point numbers.
        ValueError: `inputs` is not what the task makes; the message names the row.

    Example:
        >>> batch = sample(TrackRecall(), 100, np.random.default_rng(0))
        >>> bool((oracle(TrackRecall(), batch.inputs) == batch.targets).all())
        True
    """
    return _at_queries(task, _answers(task, _read(task, inputs)))


def shortcut(task: TrackRecall, inputs: Float[np.ndarray, "B T F"]) -> Int64[np.ndarray, "B T"]:
    """Answer as if each object stayed with its first holder; of kind "recall" the last value shown.

    Args:
        task: sizes of the task.
        inputs: (B, T, F) as for `oracle`.

    Returns:
        (B, T) as `oracle`.

    Raises:
        TypeError, ValueError: as `oracle`.

    Example:
        >>> batch = sample(TrackRecall(), 5_000, np.random.default_rng(0))
        >>> round(float((shortcut(TrackRecall(), batch.inputs) == batch.targets)[batch.mask].mean()), 2)
        0.2
    """
    story = _read(task, inputs)
    if task.kind == "recall":
        last = story.facts[:, -1:, 1]
        return _at_queries(task, np.repeat(last, task.queries, axis=1))
    first = story._replace(gives=story.gives[:, ::-1], swaps=story.swaps[:, :0])
    return _at_queries(task, _answers(task, first))


def records(task: TrackRecall, count: int, seed: int) -> Iterator[dict[str, Any]]:
    """Yield `count` examples as plain values, ready for JSON.

    The first examples of a seed do not depend on `count`.

    Returns:
        Dicts with the `kind`, the `facts` [holder, value], the `gives` [object, holder], the `swaps` [object,
        object], the `queries`, the holders that are `written` after each (if so) and the `answer`, each in
        order of presentation.

    Raises:
        TypeError: `count` or `seed` is no integer.
        ValueError: `count` or `seed` is out of range.

    Example:
        >>> sorted(next(records(TrackRecall(), count=1, seed=0)))
        ['answer', 'facts', 'gives', 'kind', 'queries', 'swaps', 'task', 'written']
    """
    return (as_record(task, sample(task, 1, each), 0) for each in one_example_generators(count, seed))


def as_text(record: dict[str, Any]) -> str:
    """Return a record as a person reads it.

    Example:
        >>> record = {"kind": "composite", "facts": [[2, 7], [0, 5]], "gives": [[0, 2], [1, 0]]}
        >>> print(as_text({**record, "swaps": [[0, 1]], "queries": [0], "written": [], "answer": [5]}))
        holder 2 has value 7
        holder 0 has value 5
        object 0 goes to holder 2
        object 1 goes to holder 0
        objects 0 and 1 exchange their holders
        What does the holder of object 0 have?
        Answer: [5]
    """
    ask = {
        "composite": "What does the holder of object {} have?",
        "binding": "Who is the holder of object {}?",
        "recall": "What does holder {} have?",
    }[record["kind"]]
    if record["written"]:
        ask = "Who is the holder of object {}, and what does he have?"
    return "\n".join(
        [
            *(f"holder {holder} has value {value}" for holder, value in record["facts"]),
            *(f"object {thing} goes to holder {holder}" for thing, holder in record["gives"]),
            *(f"objects {one} and {other} exchange their holders" for one, other in record["swaps"]),
            *(ask.format(query) for query in record["queries"]),
            f"Answer: {record['answer']}",
        ]
    )


def as_record(task: TrackRecall, batch: ReasoningBatch, example: int) -> dict[str, Any]:
    """Return an example of a batch as plain values, see `records`; its answer is what `targets` say."""
    story = _read(task, batch.inputs[example : example + 1])
    return {
        "task": "track-recall",
        "kind": task.kind,
        **{part: told[0].tolist() for part, told in story._asdict().items()},
        "written": _holders(task, story)[0].tolist() if task.written else [],
        "answer": [_named(task, one) for one in batch.targets[example, -task.answer_steps :].tolist()],
    }


def title(task: TrackRecall) -> str:
    """Return the task in words.

    Example:
        >>> title(TrackRecall()), title(TrackRecall(kind="recall"))
        ('Track and recall, 5 objects, 16 swaps', 'Track and recall, recall of 5 values')
    """
    if task.kind == "recall":
        return f"Track and recall, recall of {task.people} values"
    asked = "" if task.kind == "composite" else ", holders alone"
    asked += ", who then what" if task.written else ""
    return f"Track and recall, {task.objects} objects, {task.length} {task.events}{asked}"


def _named(task: TrackRecall, answer: int) -> int | str:
    """Return an answer as a record has it: in words where it can be a holder or a value."""
    if not task.written:
        return answer
    return f"holder {answer}" if answer < task.names else f"value {answer - task.names}"


class _Counts(NamedTuple):
    """Statements of each form, in their order."""

    facts: int
    gives: int
    swaps: int
    queries: int


class _Story(NamedTuple):
    """What the inputs say."""

    facts: Int64[np.ndarray, "B facts 2"]
    """Holder and value."""
    gives: Int64[np.ndarray, "B gives 2"]
    """Object and holder."""
    swaps: Int64[np.ndarray, "B swaps 2"]
    """The two objects."""
    queries: Int64[np.ndarray, "B Q"]
    """Objects; of kind "recall" holders."""


def _in_random_order(
    generator: np.random.Generator, *arrays: Int64[np.ndarray, "B P"]
) -> list[Int64[np.ndarray, "B P"]]:
    """Return arrays with their columns in an order of each row's own, the same for all arrays."""
    order = generator.random(arrays[0].shape).argsort(1)
    return [np.take_along_axis(array, order, axis=1) for array in arrays]


def _answers(task: TrackRecall, story: _Story) -> Int64[np.ndarray, "B A"]:
    """Follow the events, then look up; with `written` the answers of each query are two."""
    holders = _holders(task, story)
    if task.kind == "binding":
        return holders
    has = np.zeros((len(holders), task.names), dtype=np.int64)
    np.put_along_axis(has, story.facts[:, :, 0], story.facts[:, :, 1], axis=1)
    values = np.take_along_axis(has, holders, axis=1)
    if task.written:
        return np.stack([holders, task.names + values], axis=2).reshape(len(holders), -1)
    return values


def _holders(task: TrackRecall, story: _Story) -> Int64[np.ndarray, "B Q"]:
    """Return who is meant: the holders of the objects that are asked for, after all events."""
    if task.kind == "recall":
        return story.queries
    rows = np.arange(len(story.queries))
    held = np.full((len(rows), task.names), -1)
    for thing, holder in story.gives.transpose(1, 2, 0):
        held[rows, thing] = holder
    for one, other in story.swaps.transpose(1, 2, 0):
        held[rows, one], held[rows, other] = held[rows, other], held[rows, one]
    return np.take_along_axis(held, story.queries, axis=1)


def _at_queries(task: TrackRecall, answers: Int64[np.ndarray, "B A"]) -> Int64[np.ndarray, "B T"]:
    """Return the answers at the queries, 0 before them."""
    targets = np.zeros((len(answers), task.steps), dtype=np.int64)
    targets[:, -task.answer_steps :] = answers
    return targets


def _encode(task: TrackRecall, story: _Story) -> Float32[np.ndarray, "B T F"]:
    inputs = np.zeros((len(story.queries), task.steps, task.input_size), dtype=np.float32)
    objects, holders, values, flag = _blocks(task, inputs)
    facts, gives, swaps, queries = _steps(task)
    _mark(holders, facts, story.facts[:, :, 0])
    _mark(values, facts, story.facts[:, :, 1])
    _mark(objects, gives, story.gives[:, :, 0])
    _mark(holders, gives, story.gives[:, :, 1])
    _mark(objects, swaps, story.swaps[:, :, 0])
    _mark(objects, swaps, story.swaps[:, :, 1])
    flag[:, queries] = 1
    _mark(holders if task.kind == "recall" else objects, _asked(task, queries), story.queries)
    if task.written:
        _mark(holders, slice(queries.start + 1, queries.stop, 2), _holders(task, story))
    return inputs


def _mark(block: Float[np.ndarray, "B T K"], steps: slice, which: Int64[np.ndarray, "B S"]) -> None:
    """Set the features of one block at some steps."""
    np.put_along_axis(block[:, steps], which[:, :, None], 1, axis=2)


def _blocks(task: TrackRecall, inputs: Float[np.ndarray, "B T F"]) -> list[Float[np.ndarray, "B T K"]]:
    """Return views of the features: objects, holders, values, whether it is a query."""
    return np.split(inputs, np.cumsum([task.names, task.names, task.values]), axis=2)


def _steps(task: TrackRecall) -> list[slice]:
    """Return the steps of facts, gives, swaps and queries."""
    ends = np.cumsum(task.shown).tolist()
    return [slice(start, end) for start, end in zip([0, *ends], ends)]


def _asked(task: TrackRecall, queries: slice) -> slice:
    """Return the steps of the queries that name what is asked for."""
    return slice(queries.start, queries.stop, 2 if task.written else 1)


def _read(task: TrackRecall, inputs: Float[np.ndarray, "B T F"]) -> _Story:
    """Return the statements, or say which row is none of the task's."""
    inputs = check_inputs(inputs, T=task.steps, F=task.input_size)
    objects, holders, values, _ = (block.argmax(2) for block in _blocks(task, inputs))
    others = task.names - 1 - _blocks(task, inputs)[0][:, :, ::-1].argmax(2)  # a swap's second object
    facts, gives, swaps, queries = _steps(task)
    story = _Story(
        np.stack([holders[:, facts], values[:, facts]], axis=2),
        np.stack([objects[:, gives], holders[:, gives]], axis=2),
        np.stack([objects[:, swaps], others[:, swaps]], axis=2),
        (holders if task.kind == "recall" else objects)[:, _asked(task, queries)],
    )
    wrong = (inputs != _encode(task, story)).any(2)
    wrong[:, swaps] |= story.swaps[:, :, 0] == story.swaps[:, :, 1]
    counts = ", ".join(f"{count} {form}" for form, count in task.shown._asdict().items())
    refuse(wrong, f"must be the statement that comes there: {counts}")
    refuse(_unknown(task, story), "must name objects and holders that were shown before, and each fact once")
    return story


def _unknown(task: TrackRecall, story: _Story) -> Bool[np.ndarray, "B T"]:
    """Return which steps name an object or a holder that is none of the example's, or one twice."""
    wrong = np.zeros((len(story.queries), task.steps), dtype=bool)
    facts, gives, swaps, queries = _steps(task)
    known, taken = story.facts[:, :, 0], story.gives[:, :, 0]
    for part in (0, 1):
        wrong[:, facts] |= _again(story.facts[:, :, part])
        if task.events == "swaps":
            wrong[:, gives] |= _again(story.gives[:, :, part])
        wrong[:, swaps] |= ~_among(story.swaps[:, :, part], taken)
    if task.kind == "composite":
        wrong[:, gives] |= ~_among(story.gives[:, :, 1], known)
    wrong[:, gives] |= story.gives[:, :, 0] >= task.objects
    asked = _asked(task, queries)
    wrong[:, asked] = ~_among(story.queries, known if task.kind == "recall" else taken)
    wrong[:, asked] |= _again(story.queries)
    return wrong


def _among(some: Int64[np.ndarray, "B S"], those: Int64[np.ndarray, "B K"]) -> Bool[np.ndarray, "B S"]:
    found: Bool[np.ndarray, "B S"] = (some[:, :, None] == those[:, None, :]).any(2)
    return found


def _again(some: Int64[np.ndarray, "B S"]) -> Bool[np.ndarray, "B S"]:
    """Return which ones came before in their row."""
    found: Bool[np.ndarray, "B S"] = np.tril(some[:, :, None] == some[:, None, :], -1).any(2)
    return found
