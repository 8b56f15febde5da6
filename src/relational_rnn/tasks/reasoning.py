"""Data of the reasoning tasks in splits: training, validation, test, and a harder test."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, overload

import numpy as np

from relational_rnn.config.checks import check_seed, check_size, did_you_mean
from relational_rnn.tasks.babi_synthetic import StoryBatch
from relational_rnn.tasks.batch import ReasoningBatch
from relational_rnn.tasks.entry import TaskEntry
from relational_rnn.tasks.registry import find_task, task_name
from relational_rnn.tasks.splits import Counts, Splits

REASONING_TASKS = (
    *("sorting", "pair-matching", "object-tracking", "babi-synthetic"),
    *("group-word", "mqar", "track-recall"),
)
"""The tasks whose batches have targets and a mask at every step."""

SPLITS = ("train", "validation", "test", "harder")
"""The splits; each has a stream of chance of its own."""


@dataclass(frozen=True, kw_only=True)
class ReasoningData:
    """The splits of one task. All batches have the same features and classes, so one model reads them all.

    Example:
        >>> data = generate_reasoning_data("sorting", seed=0, train=5, validation=3, test=2)
        >>> len(data.train.inputs), len(data.test.inputs), data.metadata["classes"]
        (5, 2, 10)
    """

    task: Any
    """Sizes of train, validation and test."""
    harder_task: Any
    """Sizes of harder."""
    train: ReasoningBatch | StoryBatch
    """To learn from."""
    validation: ReasoningBatch | StoryBatch
    """To stop and to choose by."""
    test: ReasoningBatch | StoryBatch
    """To report."""
    harder: ReasoningBatch | StoryBatch
    """To report: longer sequences with more objects than any in training."""
    metadata: dict[str, Any]
    """Plain values, ready for JSON: task, description, seed, examples (of each split), sizes, harder_sizes,
    input_size, classes, what `harder` is in words, and the scores to beat: chance, majority, shortcut (on
    test; None where there is none, see `TaskEntry.shortcut`), and the same for harder: harder_chance,
    harder_majority, harder_shortcut."""


@overload
def generate_reasoning_data(  # type: ignore[overload-overlap]  # "all" is also a str; it comes first
    task: Literal["all"] = "all",
    *,
    train: int = ...,
    validation: int = ...,
    test: int = ...,
    harder: int = ...,
    seed: int = ...,
    sizes: None = ...,
    harder_sizes: None = ...,
) -> dict[str, ReasoningData]: ...
@overload
def generate_reasoning_data(
    task: str,
    *,
    train: int = ...,
    validation: int = ...,
    test: int = ...,
    harder: int = ...,
    seed: int = ...,
    sizes: Mapping[str, Any] | None = ...,
    harder_sizes: Mapping[str, Any] | None = ...,
) -> ReasoningData: ...
def generate_reasoning_data(
    task: str = "all",
    *,
    train: int = 10_000,
    validation: int = 1_000,
    test: int = 2_000,
    harder: int = 2_000,
    seed: int = 0,
    sizes: Mapping[str, Any] | None = None,
    harder_sizes: Mapping[str, Any] | None = None,
) -> ReasoningData | dict[str, ReasoningData]:
    """Draw the splits of a reasoning task, or of all of them.

    Each split of each task has a generator of its own, made from `seed`, the task's name and the split's, so
    a split does not depend on the number of examples in another, nor on which other tasks are drawn.

    Args:
        task: one of `REASONING_TASKS`, also with underscores, as in "pair_matching"; or "all".
        train: examples in that split, at least 1; so are `validation`, `test` and `harder`.
        seed: at least 0; the same seed gives the same data.
        sizes: how difficult train, validation and test are: fields of the task's class that are not to have
            their standard value, for example `{"items": 5}`. Only for a single task.
        harder_sizes: how difficult `harder` is: fields that differ from `sizes`; None for the class's own
            `harder()`. It must keep the features and classes. Only for a single task.

    Returns:
        The data of one task, or a dict from name to data for "all".

    Raises:
        TypeError: a number is no integer.
        ValueError: unknown task or size (the message lists the known ones), a number out of range, sizes
            together with "all", or harder sizes that another model would have to read.

    Example:
        >>> data = generate_reasoning_data("sorting", train=100, validation=10, test=20, harder=20, seed=1)
        >>> data.train.inputs.shape, data.train.targets.shape, data.harder.inputs.shape
        ((100, 16, 11), (100, 16), (20, 24, 11))
        >>> data.metadata["harder"]
        'items 12 instead of 8'
        >>> train, test = data.train, data.test
        >>> every = generate_reasoning_data(train=100, validation=10, test=20, harder=20)
        >>> every["pair-matching"].train.inputs.shape
        (100, 7, 23)
    """
    examples = dict(zip(SPLITS, (train, validation, test, harder), strict=True))
    examples = {split: check_size(split, count) for split, count in examples.items()}
    seed = check_seed("seed", seed)
    name = task_name(task)
    if name == "all":
        if sizes is not None or harder_sizes is not None:
            raise ValueError(f"sizes belong to a single task, one of {', '.join(REASONING_TASKS)}; got 'all'")
        return {name: _generate(name, examples, seed, None, None) for name in REASONING_TASKS}
    if name not in REASONING_TASKS:
        near = did_you_mean(name, REASONING_TASKS)
        known = ", ".join(REASONING_TASKS)
        raise ValueError(f"there is no reasoning task {task!r}{near}; known: {known}, and 'all' for each")
    return _generate(name, examples, seed, sizes, harder_sizes)


def _generate(
    name: str,
    examples: dict[str, int],
    seed: int,
    sizes: Mapping[str, Any] | None,
    harder_sizes: Mapping[str, Any] | None,
) -> ReasoningData:
    """Draw the splits of one task."""
    entry = find_task(name)
    sizes = sizes or {}
    task = entry.factory(**sizes)
    harder_task = task.harder() if harder_sizes is None else entry.factory(**{**sizes, **harder_sizes})
    for what in ("input_size", "classes"):
        own, other = getattr(task, what), getattr(harder_task, what)
        if own != other:
            raise ValueError(
                f"harder_sizes must keep the {what}, {own}, so that the same model reads them; got {other}"
            )
    batches = {
        split: entry.sample(harder_task if split == "harder" else task, count, _stream(seed, name, split))
        for split, count in examples.items()
    }
    own_sizes, other_sizes = asdict(task), asdict(harder_task)
    differences = [f"{k} {v} instead of {own_sizes[k]}" for k, v in other_sizes.items() if v != own_sizes[k]]
    metadata = {
        "task": name,
        "description": entry.description,
        "seed": seed,
        "examples": examples,
        "sizes": own_sizes,
        "harder_sizes": other_sizes,
        "harder": ", ".join(differences) or "the same sizes",
        "input_size": task.input_size,
        "classes": task.classes,
        "chance": task.chance,
        "majority": task.majority,
        "harder_chance": harder_task.chance,
        "harder_majority": harder_task.majority,
        "shortcut": None,
        "harder_shortcut": None,
    }
    if entry.shortcut is not None:
        metadata["shortcut"] = policy_score(entry.shortcut, task, batches["test"])
        metadata["harder_shortcut"] = policy_score(entry.shortcut, harder_task, batches["harder"])
    return ReasoningData(task=task, harder_task=harder_task, metadata=metadata, **batches)


def reasoning_splits(entry: TaskEntry, task: Any, counts: Counts, seed: int) -> Splits:
    """Return the splits of `generate_reasoning_data` as a training takes them."""
    data = generate_reasoning_data(
        entry.name,
        train=counts.train or 1,
        validation=counts.validation,
        test=counts.test,
        harder=counts.test,
        seed=seed,
        sizes=asdict(task),
    )
    found = data.metadata
    trivial = {
        "test": {score: found[score] for score in ("chance", "majority", "shortcut")},
        "harder": {score: found[f"harder_{score}"] for score in ("chance", "majority", "shortcut")},
    }
    train = data.train if counts.train else None
    return Splits(
        train, data.validation, data.test, data.harder, found["harder_sizes"], found["harder"], trivial
    )


def policy_score(policy: Callable[[Any, Any], Any], task: Any, batch: ReasoningBatch | StoryBatch) -> float:
    """Return the share of the steps that count at which `policy` is right."""
    return float((policy(task, batch.inputs) == batch.targets)[batch.mask].mean())


def _stream(seed: int, name: str, split: str) -> np.random.Generator:
    """Return the generator that belongs to this seed, task and split alone."""
    key = f"{name}/{split}".encode()
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=tuple(key)))
