"""The tasks by name: where a string from outside becomes a task."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from relational_rnn.config.checks import did_you_mean, shortened
from relational_rnn.tasks import (
    babi_synthetic,
    group_word,
    mqar,
    nth_farthest,
    object_tracking,
    pair_matching,
    programs,
    sorting,
    step_words,
    track_recall,
)
from relational_rnn.tasks.babi import examples as babi
from relational_rnn.tasks.babi.task import Babi
from relational_rnn.tasks.checks import one_example_generators
from relational_rnn.tasks.language import examples as language
from relational_rnn.tasks.language.task import Language
from relational_rnn.tasks.nth_farthest_text import as_text as nth_farthest_as_text
from relational_rnn.tasks.nth_farthest_variants import lengthen, longer_scores
from relational_rnn.tasks.score import ACCURACY, PERPLEXITY, Score
from relational_rnn.tasks.splits import Counts, Grow, Splits, draw_splits, grow


@dataclass(frozen=True, kw_only=True)
class TaskEntry:
    """What every task offers, under the same names.

    Example:
        >>> entry = TASKS["sorting"]
        >>> entry.name, entry.factory(items=5).classes
        ('sorting', 10)
    """

    name: str
    """What people type."""
    description: str
    """One line on what is asked."""
    trivial: str
    """The score without understanding the task, in words."""
    factory: Callable[..., Any]
    """Sizes as keyword arguments -> the task; without arguments the standard ones. A size that the task does
    not have is a ValueError that lists those it has."""
    sample: Callable[..., Any]
    """(task, batch_size, generator) -> a batch with `inputs` and `targets`."""
    oracle: Callable[[Any, Any], Any]
    """(task, inputs) -> the right answers."""
    records: Callable[[Any, int, int], Iterator[dict[str, Any]]]
    """(task, count, seed) -> examples as plain values with at least `task` and `answer`."""
    as_record: Callable[[Any, Any, int], dict[str, Any]]
    """(task, batch, number of the example) -> it as such a record, with what the batch's targets say as the
    answer; the targets may be a model's."""
    as_text: Callable[[dict[str, Any]], str]
    """A record -> the example as a person reads it."""
    step_words: Callable[[dict[str, Any], np.ndarray], list[str]] = lambda record, inputs: []
    """(record, its inputs (T, F)) -> what each step shows in a few words; none where steps have no words."""
    title: Callable[[Any], str] | None = None
    """(task) -> it in words, as figures and tables have it above them; None for its name and sizes."""
    shortcut: Callable[[Any, Any], Any] | None = None
    """(task, inputs) -> answers of a model that has noticed a regularity and does not reason; None if the
    task knows of none that is better than the majority."""
    kinds: Callable[[Any], list[str]] | None = None
    """(batch) -> what kind each example is of, for scores by kind; None if all are alike."""
    make_splits: Callable[[TaskEntry, Any, Counts, int], Splits] = draw_splits
    """(entry, full task, counts, seed) -> the examples of a training."""
    resolve: Callable[[Any], tuple[Any, str] | None] = lambda task: None
    """(task) -> it with its files found, and where they are in words; None if there is nothing to find."""
    score: Score = ACCURACY
    """What models are compared by."""
    vectors: bool = False
    """Whether an example is labelled vectors and a query, so that what slots hold of them can be decoded."""
    tokens: bool = False
    """Whether inputs are the numbers of tokens, (B, T), which a model embeds; else features (B, T, F)."""
    keep: Callable[[Any], dict[str, Any]] | None = None
    """(task) -> what a run keeps of the task's files, as plain values; None where models need none of it."""
    with_kept: Callable[[Any, Path], Any] = lambda task, file: task
    """(task, file of what was kept) -> it as its models can be built where its own files are gone."""
    given: Callable[[Any, Path], Any] | None = None
    """(task, file) -> what a file of one's own holds, to be scored; None where that is arrays (.npz)."""
    from_files: bool = False
    """Whether the examples are as they are, none can be drawn, and `sample` says so."""
    at_full_size: Callable[[Any], Any] = lambda task: task
    """(task) -> it as it is scored, without a curriculum of its own."""
    at_level: Callable[[Any, Sequence[float]], Any] = lambda task, losses: task
    """(task, validation losses so far) -> it as the next step draws it."""
    harder: Callable[[Any], Any] = lambda task: task.harder()
    """(task) -> it with larger examples that the same model reads; None if there are none."""
    larger: Callable[[Any], dict[str, list[Any]]] = lambda task: task.larger()
    """(full task) -> by size the task itself and ever larger ones, that the same model reads."""
    stages: Grow | None = grow
    """How the task can grow; None if it cannot."""
    draw_stage: Callable[..., tuple[Any, bool]] | None = None
    """(full task, batch_size, generator, sizes of the stage, share of smaller batches) -> a batch, and
    whether it is of the stage's own size; None draws the task with these sizes in place of its own."""
    lengthen: Callable[..., Any] | None = None
    """(task, batch, generator, counts by name) -> inputs with further steps that change no answer."""
    more_scores: Callable[..., dict[str, Any]] | None = None
    """(task, its test examples, seed, predict) -> further scores of a trained model, as plain values."""
    from_kinds: Callable[[dict[str, float]], dict[str, Any]] | None = None
    """(accuracy by kind) -> further scores of a model."""
    trivial_by_kind: Callable[[Any, Any], dict[str, dict[str, float]]] | None = None
    """(task, test examples) -> name of the score -> kind -> what a model without understanding has."""


def _factory(name: str, kind: type[Any]) -> Callable[..., Any]:
    """Return `kind` with a ValueError for sizes that it lacks: they come from outside, as names do."""
    known = [field.name for field in fields(kind)]

    def make(**sizes: Any) -> Any:
        unknown = [size for size in sizes if size not in known]
        if unknown:
            raise ValueError(f"{name} has no size {', '.join(unknown)}; its sizes are {', '.join(known)}")
        return kind(**sizes)

    return make


def draw(
    entry: TaskEntry,
    task: Any,
    size: int,
    generator: np.random.Generator,
    stages: Sequence[Mapping[str, int]],
    smaller_share: float,
) -> tuple[Any, bool]:
    """Draw a batch of a curriculum.

    Args:
        entry: of the task.
        task: at its full size.
        size: examples.
        generator: the only source of chance.
        stages: the sizes that differ from the full task's, of all stages up to the present one.
        smaller_share: of the batches that are of a smaller size: one of these stages, each equally likely.

    Returns:
        The batch, and whether it is of the stage's own size.
    """
    if entry.draw_stage is not None:
        return entry.draw_stage(task, size, generator, stages[-1], smaller_share)
    chosen = len(stages) - 1
    if chosen and smaller_share and generator.random() < smaller_share:
        chosen = int(generator.integers(len(stages)))
    own = chosen == len(stages) - 1
    return entry.sample(dataclasses.replace(task, **stages[chosen]), size, generator), own


def _trivial(task: Any) -> str:
    return f"chance {100 * task.chance:.3g} %, majority {100 * task.majority:.3g} % at the standard sizes"


def _characters(kind: type[programs.CharacterTask], description: str, majority: str) -> TaskEntry:
    """Return the entry of a task of characters in and digits out; they differ in their class alone."""
    return TaskEntry(
        name=kind.name,
        description=description,
        trivial=f"chance 10 % of the digits, the most frequent one at each place {majority}; none solved",
        factory=_factory(kind.name, kind),
        sample=programs.sample,
        oracle=programs.oracle,
        records=programs.records,
        as_record=programs.as_record,
        as_text=programs.as_text,
        step_words=step_words.of_characters,
        at_full_size=programs.at_full_size,
        at_level=programs.at_level,
    )


def _reasoning_splits(entry: TaskEntry, task: Any, counts: Counts, seed: int) -> Splits:
    from relational_rnn.tasks.reasoning import reasoning_splits  # which finds its tasks here

    return reasoning_splits(entry, task, counts, seed)


TASKS: dict[str, TaskEntry] = {
    "nth-farthest": TaskEntry(
        name="nth-farthest",
        description="Which of N labelled vectors is the n-th farthest from the vector labelled m?",
        trivial="2/N, 25 % at 8 objects",
        factory=_factory("nth-farthest", nth_farthest.NthFarthest),
        vectors=True,
        sample=nth_farthest.sample,
        oracle=nth_farthest.oracle,
        records=nth_farthest.records,
        as_record=nth_farthest.as_record,
        as_text=nth_farthest_as_text,
        step_words=step_words.of_nth_farthest,
        title=lambda task: f"Nth farthest, {task.objects} vectors of {task.dimensions} dimensions",
        harder=lambda task: None,
        stages=nth_farthest.stages,
        draw_stage=nth_farthest.draw_stage,
        lengthen=lengthen,
        more_scores=longer_scores,
    ),
    "sorting": TaskEntry(
        name="sorting",
        description="Items are shown one a step; then predict them in ascending order.",
        trivial=_trivial(sorting.Sorting()),
        factory=_factory("sorting", sorting.Sorting),
        sample=sorting.sample,
        oracle=sorting.oracle,
        records=sorting.records,
        as_record=sorting.as_record,
        as_text=sorting.as_text,
        step_words=step_words.of_sorting,
        make_splits=_reasoning_splits,
    ),
    "pair-matching": TaskEntry(
        name="pair-matching",
        description="Pairs of a key and a value are shown, then a key; which value has it?",
        trivial=_trivial(pair_matching.PairMatching()) + "; the value shown most often, 34 %",
        factory=_factory("pair-matching", pair_matching.PairMatching),
        sample=pair_matching.sample,
        oracle=pair_matching.oracle,
        records=pair_matching.records,
        as_record=pair_matching.as_record,
        as_text=pair_matching.as_text,
        step_words=step_words.of_pair_matching,
        make_splits=_reasoning_splits,
        shortcut=pair_matching.shortcut,
    ),
    "object-tracking": TaskEntry(
        name="object-tracking",
        description="Objects walk on a grid, one move a step; in which cell is one of them at the end?",
        trivial=_trivial(object_tracking.ObjectTracking()) + "; the first cell of the object, 15 %",
        factory=_factory("object-tracking", object_tracking.ObjectTracking),
        sample=object_tracking.sample,
        oracle=object_tracking.oracle,
        records=object_tracking.records,
        as_record=object_tracking.as_record,
        as_text=object_tracking.as_text,
        step_words=step_words.of_object_tracking,
        make_splits=_reasoning_splits,
        shortcut=object_tracking.shortcut,
    ),
    "babi-synthetic": TaskEntry(
        name="babi-synthetic",
        description="A story of people who walk and carry things; where is one, or where was it before?",
        trivial=_trivial(babi_synthetic.BabiSynthetic()) + "; the place named most often, 43 %",
        factory=_factory("babi-synthetic", babi_synthetic.BabiSynthetic),
        sample=babi_synthetic.sample,
        oracle=babi_synthetic.oracle,
        records=babi_synthetic.records,
        as_record=babi_synthetic.as_record,
        as_text=babi_synthetic.as_text,
        step_words=step_words.of_babi_synthetic,
        make_splits=_reasoning_splits,
        shortcut=babi_synthetic.shortcut,
        kinds=babi_synthetic.kinds,
    ),
    "group-word": TaskEntry(
        name="group-word",
        description="Elements of a group are shown one a step; predict their product so far, at every step.",
        trivial=_trivial(group_word.GroupWord()) + "; the parity alone, 37 %",
        factory=_factory("group-word", group_word.GroupWord),
        sample=group_word.sample,
        oracle=group_word.oracle,
        records=group_word.records,
        as_record=group_word.as_record,
        as_text=group_word.as_text,
        step_words=step_words.of_group_word,
        title=group_word.title,
        make_splits=_reasoning_splits,
        shortcut=group_word.shortcut,
        more_scores=group_word.long_scores,
    ),
    "mqar": TaskEntry(
        name="mqar",
        description="Pairs of a key and a value are shown, then every key again; which value has it?",
        trivial=_trivial(mqar.Mqar()) + "; the values in the order in which they came, 32 %",
        factory=_factory("mqar", mqar.Mqar),
        sample=mqar.sample,
        oracle=mqar.oracle,
        records=mqar.records,
        as_record=mqar.as_record,
        as_text=mqar.as_text,
        step_words=step_words.of_mqar,
        title=mqar.title,
        make_splits=_reasoning_splits,
        shortcut=mqar.shortcut,
    ),
    "track-recall": TaskEntry(
        name="track-recall",
        description="Holders have values, objects change holders; what does an object's holder have now?",
        trivial=_trivial(track_recall.TrackRecall()) + "; as if no object changed its holder, 20 %",
        factory=_factory("track-recall", track_recall.TrackRecall),
        sample=track_recall.sample,
        oracle=track_recall.oracle,
        records=track_recall.records,
        as_record=track_recall.as_record,
        as_text=track_recall.as_text,
        step_words=step_words.of_track_recall,
        title=track_recall.title,
        make_splits=_reasoning_splits,
        shortcut=track_recall.shortcut,
    ),
    "addition": _characters(programs.Addition, "Add up the numbers of a text, read by characters.", "20 %"),
    "control": _characters(programs.Control, "Execute a program of choices and loops.", "11 %"),
    "program": _characters(
        programs.FullProgram, "Execute a program of arithmetic, choices and loops.", "13 %"
    ),
    "algebra": _characters(programs.Algebra, "Execute sums, differences and products.", "13 %"),
    "copy": _characters(programs.Copy, "Read digits, then predict them.", "10 %"),
    "reverse": _characters(programs.Reverse, "Read digits, then predict them backwards.", "10 %"),
    "double": _characters(programs.Double, "Read digits, then predict them twice.", "10 %"),
    "babi": TaskEntry(
        name="babi",
        description="Facebook's 20 tasks: stories read by words or sentences, with all their questions.",
        trivial="each task's most frequent answer, 34 % on average",
        factory=_factory("babi", Babi),
        sample=babi.sample,
        oracle=babi.oracle,
        records=babi.records,
        as_record=babi.as_record,
        as_text=babi.as_text,
        step_words=step_words.of_babi,
        title=babi.title,
        kinds=babi.kinds,
        make_splits=babi.splits,
        resolve=babi.resolve,
        from_files=True,
        stages=None,
        from_kinds=babi.from_kinds,
        trivial_by_kind=babi.trivial_by_kind,
    ),
    "language": TaskEntry(
        name="language",
        description="Predict the next word, character, byte or sub-word of a text.",
        trivial="a model that knows only how often each token comes, by the text",
        factory=_factory("language", Language),
        sample=language.sample,
        oracle=language.oracle,
        records=language.records,
        as_record=language.as_record,
        as_text=language.as_text,
        title=language.title,
        score=PERPLEXITY,
        tokens=True,
        make_splits=language.splits,
        resolve=language.resolve,
        given=language.given,
        keep=language.keep,
        with_kept=language.with_kept,
        from_files=True,
        harder=lambda task: None,
        stages=None,
    ),
}


def find_task(name: str) -> TaskEntry:
    """Return the entry of a task.

    Raises:
        ValueError: there is no such task; the message lists the known ones.

    Example:
        >>> find_task("nth-farthest").factory().input_size
        40
    """
    found = task_name(name)
    if not isinstance(found, str) or found not in TASKS:
        near = did_you_mean(found, TASKS)
        raise ValueError(f"there is no task {shortened(name)}{near}; known tasks: {', '.join(TASKS)}")
    return TASKS[found]


def score_of(task: str) -> Score:
    """Return what a task is scored by, as its name stands in results; one of one's own by its accuracy.

    Example:
        >>> score_of("language").name, score_of("mine").name
        ('perplexity', 'accuracy')
    """
    return TASKS[task].score if task in TASKS else ACCURACY


def task_name(text: Any) -> Any:
    """Return a task's name in its one spelling: pair_matching, as Python's names are, is pair-matching.

    Example:
        >>> task_name("pair_matching")
        'pair-matching'
    """
    return text.replace("_", "-") if isinstance(text, str) else text


def entry_of(task: Any) -> TaskEntry:
    """Return the entry of a task object: one of the package's, or one that brings all itself.

    Raises:
        TypeError: see `entry_from`; or a class in place of an object.
        ValueError: a task of one's own with the name of one of the package's.

    Example:
        >>> from relational_rnn.tasks.sorting import Sorting
        >>> entry_of(Sorting()).name
        'sorting'
    """
    if isinstance(task, type):
        raise TypeError(f"a task must be an object, {task.__name__}(), not its class")
    entry = TASKS.get(getattr(task, "name", ""))
    if entry is None:
        return entry_from(type(task))
    if type(task) is not type(entry.factory()):
        raise ValueError(f"the name {entry.name!r} is that of a task of the package; give yours another")
    return entry


NEEDED = ("name", "input_size", "classes", "chance", "majority", "sample")
"""What a task class has to have."""


def check_batch(task: Any, batch: Any, batch_size: int) -> None:
    """Check what a task of one's own has drawn.

    Raises:
        TypeError: inputs, targets or a mask that are missing or of another kind.
        ValueError: another number of examples, shapes that do not fit, or targets that are no classes.
    """
    name = type(task).__name__
    inputs, targets, mask = (getattr(batch, part, None) for part in ("inputs", "targets", "mask"))
    if not isinstance(inputs, np.ndarray) or inputs.dtype != np.float32:
        raise TypeError(f"{name}.sample must give inputs as a float32 array, got {_kind_of(inputs)}")
    if not isinstance(targets, np.ndarray) or targets.dtype != np.int64:
        raise TypeError(f"{name}.sample must give targets as an int64 array, got {_kind_of(targets)}")
    wanted, steps = (batch_size, task.input_size), inputs.shape[:2]
    if (
        inputs.ndim != 3
        or (inputs.shape[0], inputs.shape[2]) != wanted
        or targets.shape not in (steps, steps[:1])
    ):
        raise ValueError(
            f"{name}.sample must give inputs (B, T, F) with B = {batch_size} and F = {task.input_size} and "
            f"targets (B,) or (B, T), got {inputs.shape} and {targets.shape}"
        )
    lowest, highest = targets.min(), targets.max()
    if lowest < 0 or highest >= task.classes:
        raise ValueError(
            f"{name}.sample must give targets from 0 to {task.classes - 1}, got {lowest} to {highest}"
        )
    if mask is None:
        return
    if not isinstance(mask, np.ndarray) or mask.dtype != bool:
        raise TypeError(f"{name}.sample must give a mask of booleans, got {_kind_of(mask)}")
    if mask.shape != targets.shape or mask.ndim != 2 or not mask.any():
        raise ValueError(
            f"{name}.sample must give a mask (B, T) beside targets (B, T), True where an answer counts; "
            f"got {mask.shape} beside {targets.shape}, {mask.sum()} of them True"
        )


def _kind_of(value: Any) -> str:
    return f"{value.dtype}" if isinstance(value, np.ndarray) else type(value).__name__


def entry_from(kind: type[Any], description: str = "") -> TaskEntry:
    """Make the entry of a task whose class has everything; docs/extending.md shows a whole one.

    Args:
        kind: a frozen dataclass of sizes with `name`, `input_size`, `classes`, `chance`, `majority` and
            `sample(batch_size, generator) -> batch`, see `check_batch`: `inputs` (B, T, F), `targets`, (B,)
            for an answer after the last step or (B, T), and perhaps `mask` (B, T). It may have `harder()`,
            `larger()` and `oracle(inputs)`, and a static `kinds(batch)`: of what kind each example is.
        description: one line on what is asked.

    Raises:
        TypeError: something is missing, or it is no dataclass; the message names it.
    """
    missing = [attribute for attribute in NEEDED if not hasattr(kind, attribute)]
    if missing or not dataclasses.is_dataclass(kind):
        told = f"has no {', '.join(missing)}" if missing else "is no dataclass"
        raise TypeError(f"a task must be a dataclass with {', '.join(NEEDED)}; {kind.__name__} {told}")

    name = str(getattr(kind, "name"))  # noqa: B009  (a type has none that mypy knows)
    trivial = _trivial(kind()) if description else ""

    def sample(task: Any, batch_size: int, generator: np.random.Generator) -> Any:
        batch = task.sample(batch_size, generator)
        check_batch(task, batch, batch_size)
        return batch

    def as_record(task: Any, batch: Any, example: int) -> dict[str, Any]:
        inputs, answer = np.asarray(batch.inputs[example]), np.asarray(batch.targets[example])
        return {"task": task.name, "inputs": inputs.tolist(), "answer": answer.tolist()}

    def records(task: Any, count: int, seed: int) -> Iterator[dict[str, Any]]:
        for generator in one_example_generators(count, seed):
            yield as_record(task, task.sample(1, generator), 0)

    return TaskEntry(
        name=name,
        description=description,
        trivial=trivial,
        factory=_factory(name, kind),
        sample=sample,
        oracle=lambda task, inputs: task.oracle(inputs),
        records=records,
        as_record=as_record,
        as_text=lambda record: "\n".join([*map(str, record["inputs"]), f"Answer: {record['answer']}"]),
        kinds=(lambda batch: list(kind.kinds(batch))) if hasattr(kind, "kinds") else None,
        harder=lambda task: task.harder() if hasattr(task, "harder") else None,
        larger=lambda task: task.larger() if hasattr(task, "larger") else {},
    )
