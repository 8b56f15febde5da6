"""The batches of a training: given examples in an order that follows from the seed, or fresh ones."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np

from relational_rnn.reference import Batch
from relational_rnn.reference.training import Examples
from relational_rnn.tasks import entry_of
from relational_rnn.tasks.language.task import Stream, Windows
from relational_rnn.tasks.registry import draw
from relational_rnn.tasks.splits import TRAINING, Counts, Splits
from relational_rnn.training.config import RunConfig, Task
from relational_rnn.training.curriculum import Growth
from relational_rnn.training.processes import physical_memory

POOL = 8
"""Batches whose stories are sorted by length together: padding costs time, too much order costs chance."""


@runtime_checkable
class Ragged(Protocol):
    """Examples of very different lengths, padded only as far as those chosen need it."""

    @property
    def inputs(self) -> Any:
        """(S, T, F) when indexed along its first axis."""

    @property
    def targets(self) -> Any:
        """(S, T) in the same way."""

    @property
    def mask(self) -> Any:
        """(S, T) in the same way, True at the steps that count."""

    @property
    def lengths(self) -> Any:
        """(S,), steps of each."""

    def select(self, numbers: Any) -> Examples:
        """Return some of them, in that order."""


class Batches(Protocol):
    """Where a training's batches come from."""

    def __call__(self, step: int, losses: Sequence[float]) -> Examples:
        """Return the examples of a step.

        Args:
            step: from 0.
            losses: on the validation examples, at the evaluations so far.
        """

    def observe(self, step: int, accuracy: float) -> None:
        """Take note of how well a step's examples were answered."""

    def sizes(self, step: int) -> dict[str, int]:
        """Return the sizes of a step's examples, where they change over the training."""

    def state(self) -> dict[str, Any]:
        """Return what a checkpoint keeps."""

    def restore(self, state: dict[str, Any]) -> None:
        """Go back to a checkpoint's `state`.

        Raises:
            ValueError: it is none of such batches.
        """


class Given:
    """Batches that take no notice of the training."""

    def observe(self, step: int, accuracy: float) -> None:
        """Take no notice."""

    def sizes(self, step: int) -> dict[str, int]:
        """Return none."""
        return {}

    def state(self) -> dict[str, Any]:
        """Return nothing."""
        return {}

    def restore(self, state: dict[str, Any]) -> None:
        """Have nothing to go back to."""
        _refuse_state(state)


class Shuffled(Given):
    """Batches of given examples, in a new order each pass; the order depends on seed and step alone.

    Args:
        examples: inputs (B, T, F), targets and perhaps a mask; see `reference.Batch`.
        batch_size: at most the number of examples.
        seed: of the order.

    Raises:
        ValueError: more examples in a batch than there are.

    Example:
        >>> batches = Shuffled(Batch(np.zeros((5, 1, 1)), np.arange(5)), batch_size=2, seed=0)
        >>> len({*batches(0).targets, *batches(1).targets})
        4
    """

    def __init__(self, examples: Examples, batch_size: int, seed: int) -> None:
        inputs, targets, mask = examples.inputs, np.asarray(examples.targets), getattr(examples, "mask", None)
        self.examples = Batch(np.asarray(inputs), targets, None if mask is None else np.asarray(mask))
        if batch_size > len(self.examples.inputs):
            raise ValueError(
                f"batch_size must be at most the {len(self.examples.inputs)} training examples, "
                f"got {batch_size}"
            )
        self.batch_size, self.seed = batch_size, seed
        self._pass, self._order = -1, np.empty(0, dtype=int)

    def __call__(self, step: int, losses: Sequence[float] = ()) -> Batch:
        """Return the examples of a step."""
        size = self.batch_size
        number, place = divmod(step, len(self.examples.inputs) // size)
        if number != self._pass:
            generator = np.random.default_rng([self.seed, number])
            self._pass, self._order = number, generator.permutation(len(self.examples.inputs))
        chosen = self._order[place * size : (place + 1) * size]
        inputs, targets, mask = self.examples
        return Batch(inputs[chosen], targets[chosen], None if mask is None else mask[chosen])


class StoryBatches(Given):
    """Batches of stories in a new order each pass, each story beside others of about its length.

    Args:
        examples: the stories.
        batch_size: at most their number; what is left over waits for the next pass.
        seed: of the order, which depends on it and the step alone.

    Raises:
        ValueError: more stories in a batch than there are.

    Example:
        >>> from relational_rnn.tasks.babi.task import Babi, StoryExamples, read
        >>> found = read(Babi(tasks=(1,), synthetic=True))
        >>> batches = StoryBatches(StoryExamples(found.train, found.vocabulary), batch_size=4, seed=0)
        >>> len(batches(0).inputs)
        4
    """

    def __init__(self, examples: Ragged, batch_size: int, seed: int) -> None:
        self.count = len(examples.inputs)
        if batch_size > self.count:
            raise ValueError(f"batch_size must be at most the {self.count} stories, got {batch_size}")
        self.examples, self.batch_size, self.seed = examples, batch_size, seed
        self._pass, self._batches = -1, np.empty((0, batch_size), dtype=int)

    def __call__(self, step: int, losses: Sequence[float] = ()) -> Examples:
        """Return the stories of a step."""
        number, place = divmod(step, self.count // self.batch_size)
        if number != self._pass:
            self._pass, self._batches = number, self._order(number)
        return self.examples.select(self._batches[place])

    def _order(self, number: int) -> np.ndarray:
        """Return the numbers of the stories in each batch of a pass."""
        generator, size = np.random.default_rng([self.seed, number]), self.batch_size
        order = generator.permutation(self.count)[: self.count // size * size]
        pools = [order[start : start + POOL * size] for start in range(0, len(order), POOL * size)]
        lengths = self.examples.lengths
        sorted_pools = [pool[lengths[pool].argsort(kind="stable")] for pool in pools]
        return generator.permutation(np.concatenate(sorted_pools).reshape(-1, size))


class TextBatches(Given):
    """Windows of a text that is read in B streams side by side; what is left of a stream is no whole window.

    Each pass begins a little later in the text, so that windows end elsewhere.

    Args:
        text: to learn from.
        batch_size: B.
        seed: of where passes begin.

    Raises:
        ValueError: a stream would be shorter than a window.

    Example:
        >>> text = Stream(np.arange(10, dtype=np.uint16), size=10, window=2, count=1)
        >>> batches = TextBatches(text, batch_size=2, seed=0)
        >>> [(batches(step).inputs.tolist(), batches(step).begins) for step in (0, 1)]
        [([[0, 1], [4, 5]], True), ([[2, 3], [6, 7]], False)]
    """

    def __init__(self, text: Stream, batch_size: int, seed: int) -> None:
        self.text, self.batch_size, self.seed = text, batch_size, seed
        self.length = text.predictions // batch_size
        self.windows = self.length // text.window
        if not self.windows:
            raise ValueError(
                f"the training text of {len(text.tokens):,} tokens has no window of {text.window} in each of "
                f"batch_size = {batch_size} streams; set a smaller window or batch_size"
            )

    def __call__(self, step: int, losses: Sequence[float] = ()) -> Windows:
        """Return the next window of all streams."""
        text = self.text
        number, place = divmod(step, self.windows)
        left = self.length - self.windows * text.window
        shift = int(np.random.default_rng([self.seed, TRAINING, number]).integers(left + 1))
        first = np.arange(self.batch_size)[:, None] * self.length + shift + place * text.window
        places = first + np.arange(text.window)
        inputs, targets = (text.tokens[places + ahead].astype(np.int64) for ahead in (0, 1))
        return Windows(inputs, targets, np.ones(inputs.shape, dtype=bool), begins=place == 0)


class Fresh:
    """New examples at every step, of the sizes that a curriculum says.

    They depend on the seed, the step and the stage alone: models that replay the same changes see the same
    examples, and a resumed training goes on with those it would have seen.

    Args:
        config: of the training.
        growth: its stages; None for the full task from the first step on.
    """

    def __init__(self, config: RunConfig, growth: Growth | None = None) -> None:
        self.config, self.growth = config, growth
        self.entry = entry_of(config.task)
        self._own = True

    def __call__(self, step: int, losses: Sequence[float] = ()) -> Examples:
        """Return the examples of a step."""
        config, size = self.config, self.config.budget.batch_size
        task = self.entry.at_level(config.task, losses)
        generator = np.random.default_rng([config.seed, TRAINING, step])
        share = config.curriculum.smaller_share
        stages = [{}] if self.growth is None else self.growth.until(step)
        batch, self._own = draw(self.entry, task, size, generator, stages, share)
        examples: Examples = batch
        return examples

    def observe(self, step: int, accuracy: float) -> None:
        """Let the task grow if it is time; a batch that was smaller than its stage does not count."""
        if self.growth is not None and self._own:
            self.growth.observe(step, accuracy)

    def sizes(self, step: int) -> dict[str, int]:
        """Return the sizes of the stage."""
        return {} if self.growth is None else self.growth.at(step)

    def state(self) -> dict[str, Any]:
        """Return that of the stages."""
        return {} if self.growth is None else self.growth.state()

    def restore(self, state: dict[str, Any]) -> None:
        """Go back to it."""
        if self.growth is not None:
            self.growth.restore(state)
        else:
            _refuse_state(state)


def _refuse_state(state: Any) -> None:
    if state != {}:
        raise ValueError("it holds stages of a task that does not grow")


def with_files(config: RunConfig[Task]) -> tuple[RunConfig[Task], str]:
    """Find the examples of a task that comes in files.

    Returns:
        The run as it is trained, and where its examples come from, in words ("" if there is nothing to find).

    Raises:
        ValueError: there are none where the task says.
    """
    found = entry_of(config.task).resolve(config.task)
    return (config, "") if found is None else (dataclasses.replace(config, task=found[0]), found[1])


def splits_of(config: RunConfig, *, with_training: bool = False) -> Splits:
    """Return the examples of a training's seed; those of a task with a curriculum have its largest sizes."""
    entry, data = entry_of(config.task), config.data
    counts = Counts(
        data.train_examples if with_training else None, data.validation_examples, data.test_examples
    )
    splits = entry.make_splits(entry, entry.at_full_size(config.task), counts, config.seed)
    if splits.train is None or entry.at_full_size(config.task) == config.task:
        return splits
    # What is learned from has the task's own curriculum.
    generator = np.random.default_rng([config.seed, TRAINING])
    return splits._replace(train=entry.sample(config.task, data.train_examples, generator))


def batches_of(config: RunConfig, splits: Splits, growth: Growth | None) -> Batches:
    """Return where a training's batches come from.

    Args:
        config: of the training.
        splits: its examples, with those to learn from.
        growth: its stages, None without.
    """
    size, train = config.budget.batch_size, splits.train
    if train is None:
        return Fresh(config, growth)
    if isinstance(train, Stream):
        return TextBatches(train, size, config.seed)
    if isinstance(train, Ragged):
        return StoryBatches(train, size, config.seed)
    return Shuffled(train, size, config.seed)


def check_memory(task: Any, count: int) -> None:
    """Check that so many examples of a task fit into the memory of this machine.

    Raises:
        ValueError: they do not; the message says how much they take.

    Example:
        >>> from relational_rnn.tasks.sorting import Sorting
        >>> check_memory(Sorting(), 1_000)
    """
    memory = physical_memory()
    one = entry_of(task).sample(task, 1, np.random.default_rng(0))
    size = count * sum(np.asarray(part).nbytes for part in (one.inputs, one.targets))
    if memory and size > memory:
        told = f"{size / 2**30:,.0f} GiB of memory, and this machine has {memory / 2**30:,.0f}"
        raise ValueError(f"{count:,} examples of {entry_of(task).name} with these sizes take {told}")


def check_examples(config: RunConfig) -> None:
    """Check, before a run begins, that its examples can be read or drawn.

    Raises:
        ValueError: they do not fit into memory, or a file is damaged (`BadFile`).
        OSError: a file cannot be read.
    """
    entry, data = entry_of(config.task), config.data
    task = entry.at_full_size(config.task)
    if entry.from_files:
        task.input_size  # noqa: B018 - which reads them
        if entry.tokens:
            for model in config.model.models:
                batches_of(config.of(model), splits_of(alone(config, config.seed)), None)
        return
    check_memory(task, data.validation_examples + data.test_examples + (data.train_examples or 0))
    check_memory(task, config.budget.batch_size)
    harder = entry.harder(task)
    if harder is not None:
        check_memory(harder, data.test_examples)


def alone(config: RunConfig, seed: int) -> RunConfig:
    """Return a run of one seed."""
    return dataclasses.replace(config, seed=seed, seeds=1)
