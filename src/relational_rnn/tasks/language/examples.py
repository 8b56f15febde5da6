"""Language under the names that every task has: windows of the test, and the splits of a run."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from relational_rnn.config.checks import BadFile
from relational_rnn.config.paths import check_file
from relational_rnn.tasks.batch import ReasoningBatch
from relational_rnn.tasks.checks import one_example_generators
from relational_rnn.tasks.language.download import is_kept
from relational_rnn.tasks.language.source import MADE, find, read_pieces, whole
from relational_rnn.tasks.language.stream import dtype_of
from relational_rnn.tasks.language.task import Language, Stream, read, windows_at
from relational_rnn.tasks.language.vocabulary import VISIBLE
from relational_rnn.tasks.splits import Counts, Splits

if TYPE_CHECKING:
    from jaxtyping import Int64

    from relational_rnn.tasks.entry import TaskEntry


def resolve(task: Language) -> tuple[Language, str] | None:
    """Find the text, and say where it is.

    Raises:
        ValueError: there is none, or a split is missing.
    """
    if task.data == MADE:
        return task, "Made-up sentences; name your own text with --data."
    return task, find(task.data, task.validation_share, task.test_share).how


def given(task: Language, file: Path) -> Stream:
    """Return a text of one's own in a task's tokens, as its test is read.

    Raises:
        BadFile: it is empty, has fewer than two tokens, or is no UTF-8.
        OSError: it cannot be read.
    """
    vocabulary = read(task).vocabulary
    pieces = [vocabulary.encode(piece) for piece in read_pieces([whole(check_file(file))])]
    tokens = np.concatenate(pieces).astype(dtype_of(len(vocabulary)))
    if len(tokens) < 2:
        raise BadFile(file, f"has {len(tokens)} {task.units}, at least 2 are needed")
    return Stream(tokens, file.stat().st_size, task.window, task.streams)


def keep(task: Language) -> dict[str, Any]:
    """Return the vocabulary as plain values."""
    return read(task).vocabulary.to_json()


def with_kept(task: Language, file: Path) -> Language:
    """Return a task with the vocabulary of a run, where its text is gone: nothing can be read then."""
    there = task.data == MADE or Path(task.data).exists() or is_kept(task.data)
    return task if there else replace(task, data=str(file))


def title(task: Language) -> str:
    """Return which text there is, in words.

    Example:
        >>> title(Language()), title(Language(data="texts/wikitext-2/", units="bytes"))
        ('language, words of made sentences', 'language, bytes of wikitext-2')
    """
    named = "made sentences" if task.data == MADE else Path(task.data).name
    return f"language, {task.units} of {named}"


def splits(entry: TaskEntry, task: Language, counts: Counts, seed: int) -> Splits:
    """Return the splits of the text, whatever the counts; harder is the test with a memory that is cut."""
    found = read(task)
    train, validation, test = (
        Stream(found.streams[split], found.sizes[split], task.window, task.streams)
        for split in ("train", "validation", "test")
    )
    scores: dict[str, float | None] = {"chance": task.chance, "majority": task.majority, "shortcut": None}
    changes = f"the same, with a memory that starts anew every {task.cut_every} steps"
    trivial = {"test": scores, "harder": scores, **trivial_losses(task)}
    return Splits(train, validation, test, test.cut(task.cut_every), asdict(task), changes, trivial)


def trivial_losses(task: Language) -> dict[str, dict[str, float | None]]:
    """Return what models without a memory score on the test, by the name of the score.

    `unigram` knows how often each token is in training (one more is added to every count), `uniform` nothing.
    """
    found = read(task)
    frequencies = np.array(found.vocabulary.counts, dtype=float) + 1
    frequencies /= frequencies.sum()
    test = Stream(found.streams["test"], found.sizes["test"], task.window, task.streams)
    counts = np.bincount(test.tokens[1:], minlength=len(frequencies))
    unigram = float(-(counts * np.log(frequencies)).sum() / test.predictions)
    losses = {"uniform": math.log(len(frequencies)), "unigram": unigram}
    told = {name: measures(loss, test) for name, loss in losses.items()}
    return {measure: {name: one[measure] for name, one in told.items()} for measure in MEASURES}


MEASURES = ("loss", "perplexity", "bits_per_byte")
"""What is told of a model: nats a token, its exponential, and bits a byte of the text."""


def measures(loss: float, stream: Stream) -> dict[str, float]:
    """Return a loss as perplexity and as bits for each byte of the text.

        perplexity = exp(loss);  bits per byte = loss / ln 2 * tokens / bytes

    Tokens of different units have different perplexities for the same text; bits per byte can be compared,
    as long as no token is `<unk>`.

    Args:
        loss: in nats a token.
        stream: on which it is.

    Example:
        >>> stream = Stream(np.zeros(101, dtype=np.uint16), size=201, window=10, count=1)
        >>> {name: round(value, 3) for name, value in measures(math.log(8), stream).items()}
        {'loss': 2.079, 'perplexity': 8.0, 'bits_per_byte': 1.507}
    """
    return {
        "loss": loss,
        "perplexity": math.exp(min(loss, 700.0)),
        "bits_per_byte": loss / math.log(2) * len(stream.tokens) / stream.size,
    }


def sample(task: Language, batch_size: int, generator: np.random.Generator) -> ReasoningBatch:
    """Draw windows of the test, (B, T) tokens, of which the last answer counts: what comes after them.

    Example:
        >>> batch = sample(Language(window=12), 3, np.random.default_rng(0))
        >>> batch.inputs.shape, batch.mask.sum(1).tolist()
        ((3, 12), [1, 1, 1])
    """
    tokens = read(task).streams["test"]
    window = min(task.window, len(tokens) - 1)
    first = generator.integers(len(tokens) - window, size=batch_size)
    return windows_at(tokens, first, window)


def oracle(task: Language, inputs: Int64[np.ndarray, "B T"]) -> Int64[np.ndarray, "B T"]:
    """Tell what comes after windows of the test, where each is first found; 0 at the steps before the last.

    Raises:
        ValueError: a window that is not in the test, or ends it.
    """
    tokens = np.asarray(read(task).streams["test"])
    text, width = tokens.tobytes(), tokens.itemsize
    answers = np.zeros_like(inputs)
    for row, window in enumerate(inputs):
        wanted = window.astype(tokens.dtype).tobytes()
        at = text.find(wanted)
        while at % width:
            at = text.find(wanted, at + 1)
        end = at // width + len(window)
        if at < 0 or end >= len(tokens):
            raise ValueError(f"inputs[{row}] is no window of the test with a token behind it")
        answers[row, -1] = tokens[end]
    return answers


def records(task: Language, count: int, seed: int) -> Iterator[dict[str, Any]]:
    """Yield windows as plain values, with what comes next."""
    for generator in one_example_generators(count, seed):
        yield as_record(task, sample(task, 1, generator), 0)


def as_record(task: Language, batch: Any, example: int) -> dict[str, Any]:
    """Return a window as plain values: its text, and the token after it."""
    vocabulary = read(task).vocabulary
    return {
        "task": task.name,
        "text": vocabulary.decode(batch.inputs[example]),
        "answer": vocabulary.shown(int(batch.targets[example][-1])),
    }


def as_text(record: dict[str, Any]) -> str:
    """Return the text in lines that fit a screen, and what comes next below it; white space between shows.

    Example:
        >>> print(as_text({"text": "Anna takes a ", "answer": "l"}))
        Anna takes a␣
        Answer: l
    """
    text = record["text"]
    end = len(text.rstrip())
    shown = text[:end] + text[end:].translate(VISIBLE)
    lines = [part for line in shown.split("\n") for part in textwrap.wrap(line, 96) or [""]]
    return "\n".join([*lines, f"Answer: {record['answer']}"])
