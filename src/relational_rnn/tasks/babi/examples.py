"""bAbI under the names that every task has: stories of the test, and the splits that a run learns from."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from relational_rnn.tasks.babi.scores import mean_and_failed
from relational_rnn.tasks.babi.source import find
from relational_rnn.tasks.babi.synthetic import STORIES
from relational_rnn.tasks.babi.task import Babi, StoryExamples, read
from relational_rnn.tasks.babi_words import PADDING
from relational_rnn.tasks.batch import ReasoningBatch
from relational_rnn.tasks.checks import one_example_generators
from relational_rnn.tasks.splits import Counts, Splits

if TYPE_CHECKING:
    from jaxtyping import Float, Int64

    from relational_rnn.tasks.entry import TaskEntry

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
    train = StoryExamples(found.train, found.vocabulary, task.reading)
    validation, test = (
        StoryExamples(part, found.vocabulary, task.reading).by_length()
        for part in (found.validation, found.test)
    )
    first = len(test.inputs) - max(1, round(LONGEST * len(test.inputs)))
    longest = test.select(np.arange(first, len(test.inputs)))
    scores: dict[str, float | None] = {"chance": task.chance, "majority": task.majority, "shortcut": None}
    shortest = min(longest.words_told())
    changes = f"the longest tenth of the test, stories of {shortest} words and more"
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
    return found.test.rows(chosen).as_batch(found.vocabulary, task.reading)


def oracle(task: Babi, inputs: Float[np.ndarray, "B T F"]) -> Int64[np.ndarray, "B T"]:
    """Answer as the files do.

    Raises:
        ValueError: a sequence that is no story of the test.
    """
    found = read(task)
    answers = np.zeros(inputs.shape[:2], dtype=np.int64)
    for row, story in enumerate(inputs):
        told = found.test.rows([_number(task, story, f"inputs[{row}]")])
        targets, _, lengths = told.answers(found.vocabulary, task.reading)
        answers[row, : lengths[0]] = targets[0]
    return answers


def _number(task: Babi, inputs: Float[np.ndarray, "T F"], name: str) -> int:
    """Return which story of the test a model reads in `inputs`.

    Raises:
        ValueError: none; the message names them by `name`.
    """
    number = _numbers(task).get(_digest(inputs))
    if number is None:
        raise ValueError(f"{name} is no story of the test")
    return number


@functools.lru_cache(maxsize=2)
def _numbers(task: Babi) -> dict[bytes, int]:
    """Return digest -> number of the story, for all of the test."""
    examples = StoryExamples(read(task).test, read(task).vocabulary, task.reading)
    return {_digest(examples.inputs[[number]][0]): number for number in range(len(examples.inputs))}


def _digest(inputs: Float[np.ndarray, "T F"]) -> bytes:
    """Return a digest of what a model reads, without the padding at its end."""
    steps = np.flatnonzero((inputs[:, 1:] != 0).any(1))  # a padded word's only feature is the first
    told = inputs[: steps[-1] + 1 if len(steps) else 0]
    return hashlib.blake2b(np.ascontiguousarray(told, dtype=np.float32).tobytes(), digest_size=16).digest()


def records(task: Babi, count: int, seed: int) -> Iterator[dict[str, Any]]:
    """Yield stories as plain values, with the answers to their questions in order."""
    for generator in one_example_generators(count, seed):
        yield as_record(task, sample(task, 1, generator), 0)


def as_record(task: Babi, batch: ReasoningBatch, example: int) -> dict[str, Any]:
    """Return a story as plain values: its words, and the answers at its questions.

    Raises:
        ValueError: sentences are read, and these are no story of the test.
    """
    test, vocabulary = read(task).test, read(task).vocabulary
    if task.reading == "words":
        ids = batch.inputs[example, : batch.lengths[example]].argmax(1)
    else:  # which only the story has in order
        ids = test.rows([_number(task, batch.inputs[example], f"example {example}")]).ids[0]
    words = [vocabulary.words[word] for word in ids if word != PADDING]
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
