"""The tasks by name: where a string from outside becomes a task."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
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
from relational_rnn.tasks.entry import TaskEntry, entry_from, factory_of, trivial_of
from relational_rnn.tasks.language import examples as language
from relational_rnn.tasks.language.task import Language
from relational_rnn.tasks.nth_farthest_text import as_text as nth_farthest_as_text
from relational_rnn.tasks.nth_farthest_variants import lengthen, longer_scores
from relational_rnn.tasks.score import ACCURACY, PERPLEXITY, Score
from relational_rnn.tasks.splits import Counts, Splits


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


def _characters(kind: type[programs.CharacterTask], description: str, majority: str) -> TaskEntry:
    """Return the entry of a task of characters in and digits out; they differ in their class alone."""
    return TaskEntry(
        name=kind.name,
        description=description,
        trivial=f"chance 10 % of the digits, the most frequent one at each place {majority}; none solved",
        factory=factory_of(kind.name, kind),
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
        factory=factory_of("nth-farthest", nth_farthest.NthFarthest),
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
        trivial=trivial_of(sorting.Sorting()),
        factory=factory_of("sorting", sorting.Sorting),
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
        trivial=trivial_of(pair_matching.PairMatching()) + "; the value shown most often, 34 %",
        factory=factory_of("pair-matching", pair_matching.PairMatching),
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
        trivial=trivial_of(object_tracking.ObjectTracking()) + "; the first cell of the object, 15 %",
        factory=factory_of("object-tracking", object_tracking.ObjectTracking),
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
        trivial=trivial_of(babi_synthetic.BabiSynthetic()) + "; the place named most often, 43 %",
        factory=factory_of("babi-synthetic", babi_synthetic.BabiSynthetic),
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
        trivial=trivial_of(group_word.GroupWord()) + "; the parity alone, 37 %",
        factory=factory_of("group-word", group_word.GroupWord),
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
        trivial=trivial_of(mqar.Mqar()) + "; the values in the order in which they came, 32 %",
        factory=factory_of("mqar", mqar.Mqar),
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
        trivial=trivial_of(track_recall.TrackRecall()) + "; as if no object changed its holder, 20 %",
        factory=factory_of("track-recall", track_recall.TrackRecall),
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
        factory=factory_of("babi", Babi),
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
        factory=factory_of("language", Language),
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
