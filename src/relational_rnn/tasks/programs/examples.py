"""Examples of the seven tasks: batches for a model, an oracle that reads them, records for people."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from relational_rnn.config.checks import check_seed, check_size
from relational_rnn.tasks.checks import check_generator, check_inputs, refuse
from relational_rnn.tasks.programs.characters import CHARACTERS, ID, PADDING, as_strings, one_hot
from relational_rnn.tasks.programs.task import CharacterTask

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Float32, Int64, Integer, UInt8

_BLOCK = 256
"""Examples that records are drawn in: the first ones of a seed do not depend on how many are wanted."""


class CharacterBatch(NamedTuple):
    """Texts and then zeros while the answer is told; the first four fields are `ReasoningBatch`'s."""

    inputs: Float32[np.ndarray, "B T F"]
    """The characters, one-hot, then zeros; T = P + A."""
    targets: Int64[np.ndarray, "B T"]
    """Ids of the answer's digits from the step after the text on; 0, the id of padding, elsewhere."""
    mask: Bool[np.ndarray, "B T"]
    """True at the steps of the answer's digits."""
    lengths: Int64[np.ndarray, " B"]
    """Steps until the answer has been told."""
    texts: UInt8[np.ndarray, "B P"]
    """The characters as ids, padding at the end."""
    answers: UInt8[np.ndarray, "B A"]
    """The answer's digits as ids, padding at the end."""
    modulus: Int64[np.ndarray, " B"] | None
    """Of each answer; None for memorisation."""


def sample(task: CharacterTask, batch_size: int, generator: np.random.Generator) -> CharacterBatch:
    """Draw a batch, of the sizes that the task's curriculum allows.

    Args:
        task: one of the seven, with its sizes.
        batch_size: B, examples.
        generator: the only source of chance; it moves on.

    Returns:
        inputs (B, T, 28), targets and mask (B, T), lengths (B,); texts (B, P) and answers (B, A) as ids.

    Raises:
        TypeError: `batch_size` is no integer, or `generator` is no `numpy.random.Generator`.
        ValueError: `batch_size` is below 1.

    Example:
        >>> from relational_rnn.tasks.programs import Control
        >>> batch = sample(Control(nesting=1, length=2), 2, np.random.default_rng(0))
        >>> batch.inputs.shape, batch.targets.shape
        ((2, 18, 28), (2, 18))
        >>> as_strings(batch.texts), as_strings(batch.answers)
        (['75if98>89else36', '68if35>57else12'], ['75', '12'])
    """
    batch_size = check_size("batch_size", batch_size)
    texts, answers, modulus = task.draw(batch_size, check_generator(generator))
    inputs = np.zeros((batch_size, task.steps, task.input_size), dtype=np.float32)
    inputs[:, : task.text_steps] = one_hot(texts)
    targets = after_texts(texts, answers)
    mask = targets != PADDING
    lengths = (texts != PADDING).sum(1) + mask.sum(1)
    return CharacterBatch(inputs, targets, mask, lengths, texts, answers, modulus)


def oracle(task: CharacterTask, inputs: Float[np.ndarray, "B T F"]) -> Int64[np.ndarray, "B T"]:
    """Answer from the inputs alone, always rightly: read the text, execute it one statement at a time.

    Args:
        task: one of the seven, with its sizes.
        inputs: (B, T, 28) with T = P + A.

    Returns:
        (B, T) as `targets` of a batch.

    Raises:
        TypeError: `inputs` is no array of floating-point numbers.
        ValueError: `inputs` is not what the task makes; the message names the row.

    Example:
        >>> from relational_rnn.tasks.programs import FullProgram
        >>> task = FullProgram(nesting=3, length=4, curriculum="mix")
        >>> batch = sample(task, 100, np.random.default_rng(0))
        >>> bool((oracle(task, batch.inputs) == batch.targets).all())
        True
    """
    inputs = check_inputs(inputs, T=task.steps, F=task.input_size)
    ids = np.where(inputs.any(-1), inputs.argmax(-1) + 1, PADDING).astype(np.uint8)
    refuse((inputs != one_hot(ids)).any(-1), "must be a one-hot character or zeros")
    padded = ids == PADDING
    refuse(padded[:, :-1] & ~padded[:, 1:], "is all zeros before a character")
    behind = np.arange(task.steps) >= task.text_steps
    refuse(~padded & behind, f"must be zeros, as texts have at most {task.text_steps} characters")
    answers = np.zeros((len(ids), task.answer_steps), dtype=np.uint8)
    for example, text in enumerate(as_strings(ids)):
        try:
            answer = task.answer(text)
        except ValueError as wrong:
            raise ValueError(f"inputs[{example}] is no text of {task.name}: {wrong}") from None
        answers[example, : len(answer)] = [ID[digit] for digit in answer]
    return after_texts(ids[:, : task.text_steps], answers)


def records(task: CharacterTask, count: int, seed: int) -> Iterator[dict[str, Any]]:
    """Yield `count` examples as plain values, ready for JSON.

    The first examples of a seed do not depend on `count`.

    Returns:
        Dicts with the `text`, the `answer` (digits, a string) and its `modulus` (None for memorisation).

    Raises:
        TypeError: `count` or `seed` is no integer.
        ValueError: `count` or `seed` is out of range.

    Example:
        >>> from relational_rnn.tasks.programs import Addition
        >>> next(records(Addition(nesting=1, length=2), count=1, seed=0))
        {'task': 'addition', 'text': '25+38', 'answer': '63', 'modulus': 1000}
    """
    count, seed = check_size("count", count), check_seed("seed", seed)
    return _records(task, count, np.random.default_rng(seed))


def as_record(task: CharacterTask, batch: CharacterBatch, example: int) -> dict[str, Any]:
    """Return an example of a batch as plain values, see `records`; its answer is what `targets` say."""
    answer = batch.targets[example, batch.mask[example]].tolist()
    return {
        "task": task.name,
        "text": as_strings(batch.texts[example : example + 1])[0],
        "answer": "".join(CHARACTERS[told] for told in answer),
        "modulus": None if batch.modulus is None else int(batch.modulus[example]),
    }


def as_text(record: dict[str, Any]) -> str:
    """Return a record as a person reads it.

    Example:
        >>> print(as_text({"task": "addition", "text": "(88+12)+34", "answer": "134", "modulus": 1000}))
        Execute modulo 1000: (88+12)+34
        Answer: 134
        >>> print(as_text({"task": "reverse", "text": "472", "answer": "274", "modulus": None}))
        Reverse: 472
        Answer: 274
    """
    asked = (
        record["task"].capitalize() if record["modulus"] is None else f"Execute modulo {record['modulus']}"
    )
    return f"{asked}: {record['text']}\nAnswer: {record['answer']}"


def _records(task: CharacterTask, count: int, generator: np.random.Generator) -> Iterator[dict[str, Any]]:
    """Yield the records, block by block."""
    for start in range(0, count, _BLOCK):
        batch = sample(task, _BLOCK, generator)
        for example in range(min(_BLOCK, count - start)):
            yield as_record(task, batch, example)


def after_texts(
    texts: UInt8[np.ndarray, "B P"], answers: Integer[np.ndarray, "B A"]
) -> Int64[np.ndarray, "B T"]:
    """Return `answers` at the steps at which they are told, each from the end of its text on; 0 elsewhere."""
    targets = np.zeros((len(texts), texts.shape[1] + answers.shape[1]), dtype=np.int64)
    steps = (texts != PADDING).sum(1)[:, None] + np.arange(answers.shape[1])
    np.put_along_axis(targets, steps, answers, axis=1)
    return targets
