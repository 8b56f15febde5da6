"""bAbI under the names that every task has: stories of the test, and the splits that a run learns from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from relational_rnn.tasks.babi.scores import mean_and_failed
from relational_rnn.tasks.babi.source import find
from relational_rnn.tasks.babi.synthetic import STORIES
from relational_rnn.tasks.babi.task import Babi, StoryExamples, read
from relational_rnn.tasks.batch import ReasoningBatch
from relational_rnn.tasks.checks import one_example_generators
from relational_rnn.tasks.splits import Counts, Splits

if TYPE_CHECKING:
    from jaxtyping import Float, Int64

    from relational_rnn.tasks.registry import TaskEntry

LONGEST = 0.1
"""Share of the test's sequences that count as harder."""


def resolve(task: Babi) -> tuple[Babi, str] | None:
    """Find the stories, or take synthetic ones; return the task to train on and where they come from.

    None where the task says so itself.

    Raises:
        ValueError: `data_dir` has no stories.
    """
    if task.synthetic:
        return None
    directory, how = find(None if task.data_dir is None else Path(task.data_dir), variant=task.variant)
    if directory is None:
        some = tuple(number for number in task.tasks if number in STORIES)
        task = replace(task, synthetic=True, tasks=some or tuple(STORIES))
        how += f"; tasks {', '.join(map(str, task.tasks))}"
    return task, how


def title(task: Babi) -> str:
    """Return which tasks there are, in words.

    Example:
        >>> title(Babi(tasks=(1, 18), synthetic=True)), title(Babi())
        ('bAbI, tasks 1, 18, synthetic stories', 'bAbI, all 20 tasks')
    """
    every = len(task.tasks) == len(Babi.tasks)
    named = f"all {len(task.tasks)} tasks" if every else f"tasks {', '.join(map(str, task.tasks))}"
    variant = "" if task.variant == Babi.variant else f" of {task.variant}"
    return f"bAbI, {named}{variant}" + ", synthetic stories" * task.synthetic


def splits(entry: TaskEntry, task: Babi, counts: Counts, seed: int) -> Splits:
    """Return the splits of the files, whatever the counts; harder are the longest sequences of the test."""
    found = read(task)
    train = StoryExamples(found.train, found.vocabulary)
    validation, test = (
        StoryExamples(part, found.vocabulary).by_length() for part in (found.validation, found.test)
    )
    first = len(test.inputs) - max(1, round(LONGEST * len(test.inputs)))
    longest = test.select(np.arange(first, len(test.inputs)))
    scores: dict[str, float | None] = {"chance": task.chance, "majority": task.majority, "shortcut": None}
    changes = f"the longest tenth of the test, stories of {longest.lengths.min()} words and more"
    return Splits(train, validation, test, longest, asdict(task), changes, {"test": scores, "harder": scores})


def kinds(examples: Any) -> list[str]:
    """Return of which task each sequence of a split is."""
    found: list[str] = examples.kinds
    return found


def trivial_by_kind(task: Babi, examples: Any) -> dict[str, dict[str, float]]:
    """Return what the most frequent answer of each task is right in."""
    return {"majority_by_kind": task.majority_by_kind}


def from_kinds(by_kind: dict[str, float]) -> dict[str, float | int]:
    """Return the mean error over the tasks, and how many have more than 5 %: as papers report them.

    Example:
        >>> from_kinds({"task 1": 1.0, "task 2": 0.9})["failed_tasks"]
        1
    """
    mean, failed = mean_and_failed(by_kind.values())
    return {"mean_error": mean, "failed_tasks": failed}


def sample(task: Babi, batch_size: int, generator: np.random.Generator) -> ReasoningBatch:
    """Draw stories of the test, each with all its questions.

    Example:
        >>> batch = sample(Babi(tasks=(1,), synthetic=True), 3, np.random.default_rng(0))
        >>> len(batch.inputs), batch.mask.any(1).all()
        (3, np.True_)
    """
    found = read(task)
    chosen = generator.integers(len(found.test.lengths), size=batch_size)
    return found.test.rows(chosen).as_batch(found.vocabulary)


def oracle(task: Babi, inputs: Float[np.ndarray, "B T F"]) -> Int64[np.ndarray, "B T"]:
    """Answer as the files do.

    Raises:
        ValueError: a sequence that is no story of the test.
    """
    found = read(task)
    answers = np.zeros(inputs.shape[:2], dtype=np.int64)
    known = {
        found.test.words[begin : begin + length].tobytes(): found.test.asked[begin : begin + length]
        for begin, length in zip(found.test.lengths.cumsum() - found.test.lengths, found.test.lengths)
    }
    for row, ids in enumerate(inputs.argmax(2).astype(np.int32)):
        length = int((ids != 0).sum())
        story = known.get(ids[:length].tobytes())
        if story is None:
            raise ValueError(f"inputs[{row}] is no story of the test")
        answers[row, :length] = np.maximum(story, 0)
    return answers


def records(task: Babi, count: int, seed: int) -> Iterator[dict[str, Any]]:
    """Yield stories as plain values, with the answers to their questions in order."""
    for generator in one_example_generators(count, seed):
        yield as_record(task, sample(task, 1, generator), 0)


def as_record(task: Babi, batch: ReasoningBatch, example: int) -> dict[str, Any]:
    """Return a story as plain values: its words, and the answers at its questions."""
    vocabulary = read(task).vocabulary
    words = [vocabulary.words[word] for word in batch.inputs[example, : batch.lengths[example]].argmax(1)]
    answers = batch.targets[example][batch.mask[example]]
    return {
        "task": task.name,
        "story": " ".join(words),
        "answer": [vocabulary.answers[answer] for answer in answers],
    }


def as_text(record: dict[str, Any]) -> str:
    """Return the story sentence by sentence, and the answers below it.

    Example:
        >>> print(as_text({"story": "mary went home . where is mary ?", "answer": ["home"]}))
        mary went home.
        where is mary?
        Answer: home
    """
    lines = record["story"].replace(" . ", ".\n").replace(" ? ", "?\n").replace(" ?", "?").replace(" .", ".")
    return f"{lines}\nAnswer: {'; '.join(record['answer'])}"
