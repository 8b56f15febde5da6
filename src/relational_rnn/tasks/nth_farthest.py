"""Nth farthest: which vector is the n-th farthest from vector m? (Santoro et al. 2018, appendix A.1)

N vectors of D dimensions, uniform in [-1, 1), are shown one a step, in random order. Each carries a label of
0..N-1 (the paper writes 1..N); the question, a rank n and the label m of a reference vector, is repeated at
every step. The answer, read after the last step, is the label of the vector with that rank of distance from
the reference. One step's input has D + 3N features, in the order of the authors' generator:

    [ vector, D | own label, one-hot N | reference m, one-hot N | n, one-hot N ]

**n is a 0-based rank counted from the farthest**, as the paper's text says: n = 0 is the farthest vector and
n = N-1 the reference itself, at distance 0. The authors' generator (Sonnet v1, `dataset_nth_farthest.py`)
counts from the nearest, 0 being the reference itself, so `n = N-1 - n_theirs`; see `relabel_authors`.

**The curriculum** shows only k of N objects (k steps, labels 0..k-1) and leaves all but the first d
dimensions 0, in the input format of the full task, so that a model can start small. There n is drawn from
N-k..N-1: n = N-k is the farthest of the k, and n = N-1 means the reference at every size. Were n drawn from
0..k-1 instead, the code for "the reference itself" would be another one at each size and what a model has
learned about it would be wrong at the next. The labels grow with the objects, or all N are in play from the
start.

**Ties** have probability zero for real numbers and about 1e-7 for two float32 numbers in one dimension. The
rule: of two vectors at the same distance the one shown earlier counts as farther, and the reference is
always the nearest.

The questions and answers are exact: differences of the float32 vectors are squared and summed in float64.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import numpy as np

from relational_rnn.config.checks import check_size
from relational_rnn.tasks.checks import (
    check_generator,
    check_inputs,
    check_task_size,
    one_example_generators,
    refuse,
)

if TYPE_CHECKING:
    from jaxtyping import Float, Float32, Float64, Int64


@dataclass(frozen=True, kw_only=True)
class NthFarthest:
    """Sizes of the full task; the defaults are the paper's.

    Raises:
        TypeError: a size is no integer.
        ValueError: fewer than 2 objects or fewer than 1 dimension.

    Example:
        >>> task = NthFarthest(objects=8, dimensions=16)
        >>> task.input_size, task.steps, task.classes, task.trivial_accuracy
        (40, 8, 8, 0.25)
    """

    name: ClassVar[str] = "nth-farthest"
    """In the registry."""
    objects: int = 8
    """N, vectors in a sequence."""
    dimensions: int = 16
    """D, dimensions of a vector."""

    def __post_init__(self) -> None:
        """Check the sizes; they become plain ints."""
        object.__setattr__(self, "objects", check_task_size("objects", self.objects, minimum=2))
        object.__setattr__(self, "dimensions", check_task_size("dimensions", self.dimensions))

    @property
    def input_size(self) -> int:
        """F = D + 3N, features of one step's input."""
        return self.dimensions + 3 * self.objects

    @property
    def classes(self) -> int:
        """C = N, labels to choose from."""
        return self.objects

    @property
    def steps(self) -> int:
        """T = N, steps of a sequence of the full task."""
        return self.objects

    @property
    def growth_floor(self) -> float:
        """What a model scores that ignores distances, at the first stage that tells: of 2 it knows all."""
        return trivial_accuracy(max(self.objects, 3))

    @property
    def chance(self) -> float:
        """1/N, what guessing gets right."""
        return 1 / self.objects

    @property
    def majority(self) -> float:
        """1/N: every label is the answer equally often."""
        return 1 / self.objects

    @property
    def shortcut(self) -> float:
        """2/N, what a model scores that ignores distances."""
        return self.trivial_accuracy

    @property
    def trivial_accuracy(self) -> float:
        """2/N, the score of a model that ignores distances; see `trivial_accuracy`."""
        return trivial_accuracy(self.objects)

    def larger(self) -> dict[str, list[NthFarthest]]:
        """Return no sizes: labels are one-hot of N, so no model reads more objects."""
        return {}


class NthFarthestBatch(NamedTuple):
    """A batch of k objects of d dimensions; k = N and d = D unless the task is growing."""

    inputs: Float32[np.ndarray, "B k F"]
    """What a model sees, F = D + 3N."""
    targets: Int64[np.ndarray, " B"]
    """Label of the answer."""
    vectors: Float32[np.ndarray, "B k d"]
    """The vectors in order of presentation, a view of `inputs`."""
    labels: Int64[np.ndarray, "B k"]
    """Their labels, a permutation of 0..k-1 unless more are in play."""
    n: Int64[np.ndarray, " B"]
    """Rank asked for, N-k..N-1, counted from the farthest; N-1 is the reference itself."""
    reference: Int64[np.ndarray, " B"]
    """Label of the reference."""


def trivial_accuracy(objects: int) -> float:
    """Return the score 2/N of a model that knows only that n = N-1 asks for the reference itself.

    That question comes with probability 1/N and is then answered rightly. At every other n the answer is
    one of the N-1 other labels, each equally likely, and a guess among them is right with probability
    1/(N-1):

        1/N * 1 + (N-1)/N * 1/(N-1) = 2/N

    Models that have not discovered distance stay at exactly this score. For a stage of k objects put k for N.

    Args:
        objects: N, vectors in a sequence, at least 2.

    Returns:
        A fraction of 1.

    Example:
        >>> trivial_accuracy(8)
        0.25
    """
    return 2 / check_task_size("objects", objects, minimum=2)


def sample(
    task: NthFarthest,
    batch_size: int,
    generator: np.random.Generator,
    *,
    objects: int | None = None,
    dimensions: int | None = None,
    labels: int | None = None,
) -> NthFarthestBatch:
    """Draw a batch; with the other arguments of a stage of the curriculum, in the full task's input format.

    Departs from the authors' generator in that n counts from the farthest (see the module's text).

    Args:
        task: sizes of the full task.
        batch_size: B, examples.
        generator: the only source of chance; it moves on.
        objects: k, vectors shown, 2..N; None for N.
        dimensions: d, dimensions that are not 0, 1..D; None for D.
        labels: how many labels the k of the objects are drawn from, k..N; None for k.

    Returns:
        The batch: inputs (B, k, D + 3N) and targets (B,) among its fields.

    Raises:
        TypeError: a size is no integer, or `generator` is no `numpy.random.Generator`.
        ValueError: a size is out of range.

    Example:
        >>> batch = sample(NthFarthest(), 512, np.random.default_rng(0))
        >>> batch.inputs.shape, batch.targets.shape
        ((512, 8, 40), (512,))
        >>> sample(NthFarthest(), 512, np.random.default_rng(0), objects=3, dimensions=2).inputs.shape
        (512, 3, 40)
    """
    batch_size = check_size("batch_size", batch_size)
    check_generator(generator)
    full, width = task.objects, task.dimensions
    shown = _up_to("objects", objects, 2, full)
    used = _up_to("dimensions", dimensions, 1, width)
    in_play = shown if labels is None else _up_to("labels", labels, shown, full)

    vectors = generator.random((batch_size, shown, used), dtype=np.float32)
    vectors *= 2
    vectors -= 1
    own = generator.permuted(np.tile(np.arange(in_play), (batch_size, 1)), axis=1)[:, :shown]  # (B, k)
    n = generator.integers(full - shown, full, size=batch_size)
    reference_step = generator.integers(shown, size=batch_size)

    every = np.arange(batch_size)
    reference = own[every, reference_step]
    codes = np.arange(full)
    inputs = np.empty((batch_size, shown, task.input_size), dtype=np.float32)
    inputs[:, :, :used] = vectors
    inputs[:, :, used:width] = 0
    inputs[:, :, width : width + full] = own[:, :, None] == codes
    inputs[:, :, width + full : width + 2 * full] = (reference[:, None] == codes)[:, None]
    inputs[:, :, width + 2 * full :] = (n[:, None] == codes)[:, None]

    answer_step = _steps_from_farthest(inputs[:, :, :width], reference_step)[every, n - (full - shown)]
    return NthFarthestBatch(inputs, own[every, answer_step], inputs[:, :, :used], own, n, reference)


def stages(task: NthFarthest, start: dict[str, int]) -> list[dict[str, int]]:
    """Return the sizes of the stages: the dimensions double up to the full task's, then objects come.

    With "labels" in `start` the labels come in with the objects; else all N are in play from the start, and
    every stage says so.

    Args:
        task: the full one.
        start: which sizes grow, and from where: some of objects, dimensions and labels.

    Raises:
        ValueError: a size that cannot grow or starts out of range.

    Example:
        >>> stages(NthFarthest(objects=4, dimensions=4), {"objects": 3, "labels": 3, "dimensions": 2})[:2]
        [{'objects': 3, 'dimensions': 2}, {'objects': 3, 'dimensions': 4}]
    """
    with_labels = "labels" in start
    unknown = sorted(start.keys() - {"objects", "dimensions", "labels"})
    if unknown or (with_labels and start["labels"] != start.get("objects")):
        raise ValueError(
            "nth-farthest starts from objects, dimensions and labels, as many labels as objects; got "
            + ", ".join(f"{name}={value}" for name, value in start.items())
        )
    objects = _up_to("objects", start.get("objects"), 2, task.objects)
    dimensions = _up_to("dimensions", start.get("dimensions"), 1, task.dimensions)
    found = []
    while True:
        found.append({"objects": objects, "dimensions": dimensions})
        if not with_labels:
            found[-1]["labels"] = task.objects
        if dimensions < task.dimensions:
            dimensions = min(2 * dimensions, task.dimensions)
        elif objects < task.objects:
            objects += 1
        else:
            return found


def draw_stage(
    task: NthFarthest,
    batch_size: int,
    generator: np.random.Generator,
    stage: Mapping[str, int],
    smaller_share: float,
) -> tuple[NthFarthestBatch, bool]:
    """Draw a batch of a stage; return it, and whether it is of the stage's own size.

    Args:
        task: the full one.
        batch_size: B.
        generator: the only source of chance.
        stage: one of `stages`; none for the full task.
        smaller_share: of the batches whose objects are drawn from 2 up to the stage's own number.
    """
    sizes = dict(stage)
    if generator.random() < smaller_share:
        sizes["objects"] = int(generator.integers(2, sizes.get("objects", task.objects) + 1))
    batch = sample(task, batch_size, generator, **sizes)
    return batch, batch.inputs.shape[1] == stage.get("objects", task.objects)


def oracle(task: NthFarthest, inputs: Float[np.ndarray, "B T F"]) -> Int64[np.ndarray, " B"]:
    """Answer from the inputs alone, always rightly; the full task and every stage.

    Args:
        task: sizes of the full task.
        inputs: (B, T, F) with T from 2 to N and F = D + 3N.

    Returns:
        (B,) labels.

    Raises:
        TypeError: `inputs` is no array of floating-point numbers.
        ValueError: `inputs` is not what the task makes; the message names the row.

    Example:
        >>> task = NthFarthest()
        >>> batch = sample(task, 100, np.random.default_rng(0))
        >>> bool((oracle(task, batch.inputs) == batch.targets).all())
        True
    """
    question = _read(task, inputs)
    every, steps = np.arange(len(question.n)), question.labels.shape[1]
    ranks = question.n - (task.objects - steps)
    answer_step = _steps_from_farthest(question.vectors, question.reference_step)[every, ranks]
    answers: Int64[np.ndarray, " B"] = question.labels[every, answer_step]
    return answers


def trivial_policy(
    task: NthFarthest, inputs: Float[np.ndarray, "B T F"], generator: np.random.Generator
) -> Int64[np.ndarray, " B"]:
    """Answer knowing only that n = N-1 asks for the reference; otherwise guess one of the other labels shown.

    Its score is `trivial_accuracy` of the number of objects shown.

    Args:
        task: sizes of the full task.
        inputs: (B, T, F) as for `oracle`.
        generator: the source of the guesses.

    Returns:
        (B,) labels.

    Raises:
        TypeError, ValueError: as `oracle`; TypeError if `generator` is no `numpy.random.Generator`.

    Example:
        >>> task, generator = NthFarthest(), np.random.default_rng(0)
        >>> batch = sample(task, 100_000, generator)
        >>> round(float((trivial_policy(task, batch.inputs, generator) == batch.targets).mean()), 2)
        0.25
    """
    check_generator(generator)
    question = _read(task, inputs)
    every, steps = np.arange(len(question.n)), question.labels.shape[1]
    guess = generator.integers(steps - 1, size=len(every))
    guess += guess >= question.reference_step  # skip the reference's own step
    step = np.where(question.n == task.objects - 1, question.reference_step, guess)
    return question.labels[every, step]


def relabel_authors(task: NthFarthest, inputs: Float[np.ndarray, "B T F"]) -> Float[np.ndarray, "B T F"]:
    """Turn inputs of the authors' generator, whose n counts from the nearest, into ours (and back).

    `n = N-1 - n_theirs` reverses the one-hot n, the last N features; the answers stay the same.

    Args:
        task: sizes of the full task.
        inputs: (B, T, F) with F = D + 3N.

    Returns:
        A new array (B, T, F) of the same type.

    Raises:
        TypeError: `inputs` is no array of floating-point numbers.
        ValueError: wrong shape.

    Example:
        >>> task = NthFarthest(objects=2, dimensions=1)
        >>> relabel_authors(task, np.array([[[0.5, 1, 0, 1, 0, 1, 0], [-0.3, 0, 1, 1, 0, 1, 0]]]))[0, 0, -2:]
        array([0., 1.])
    """
    inputs = check_inputs(inputs, F=task.input_size)
    relabelled = inputs.copy()
    relabelled[:, :, -task.objects :] = inputs[:, :, : -task.objects - 1 : -1]
    return relabelled


def records(task: NthFarthest, count: int, seed: int) -> Iterator[dict[str, Any]]:
    """Yield `count` examples of the full task as plain values, ready for JSON.

    The first examples of a seed do not depend on `count`. Numbers are exact: whoever recomputes the answer
    from a record gets the same.

    Args:
        task: sizes of the full task.
        count: examples, at least 1.
        seed: of the generator, at least 0.

    Returns:
        Dicts with `vectors` and `labels` in order of presentation, the question `n` and `reference` (a label)
        and the `answer` (a label).

    Raises:
        TypeError: `count` or `seed` is no integer.
        ValueError: `count` or `seed` is out of range.

    Example:
        >>> next(records(NthFarthest(objects=3, dimensions=2), count=1, seed=0))["labels"]
        [2, 0, 1]
    """
    return (as_record(task, sample(task, 1, each), 0) for each in one_example_generators(count, seed))


def as_record(task: NthFarthest, batch: NthFarthestBatch, example: int) -> dict[str, Any]:
    """Return an example of a batch as plain values, see `records`; its answer is what `targets` say."""
    return {
        "task": "nth-farthest",
        "vectors": batch.vectors[example].tolist(),
        "labels": batch.labels[example].tolist(),
        "n": int(batch.n[example]),
        "n_counts_from": "the farthest, which is 0",
        "reference": int(batch.reference[example]),
        "answer": int(batch.targets[example]),
    }


class _Question(NamedTuple):
    """What the inputs say."""

    vectors: Float[np.ndarray, "B T D"]
    labels: Int64[np.ndarray, "B T"]
    reference_step: Int64[np.ndarray, " B"]
    n: Int64[np.ndarray, " B"]


def _steps_from_farthest(
    vectors: Float[np.ndarray, "B T D"], reference_step: Int64[np.ndarray, " B"]
) -> Int64[np.ndarray, "B T"]:
    """Return the steps ordered by the distance of their vector from the reference, farthest first."""
    every = np.arange(len(vectors))
    # float64: the difference of two float32 vectors and its square lose nothing, so no order is decided by
    # rounding.
    away: Float64[np.ndarray, "B T D"] = vectors.astype(np.float64)
    away -= away[every, reference_step][:, None]
    squared = np.einsum("btd,btd->bt", away, away)
    squared[every, reference_step] = -1  # the reference is the nearest even if another vector equals it
    return np.argsort(-squared, axis=1, kind="stable")


def _read(task: NthFarthest, inputs: Float[np.ndarray, "B T F"]) -> _Question:
    """Decode the inputs, or say which row is none of the task's."""
    inputs = check_inputs(inputs, F=task.input_size)
    full, width, steps = task.objects, task.dimensions, inputs.shape[1]
    if not 2 <= steps <= full:
        raise ValueError(f"inputs must have 2 to {full} steps, got {steps} (shape {inputs.shape})")
    vectors = inputs[:, :, :width]
    refuse(~np.isfinite(vectors).all(-1), "has a vector that is not finite")
    codes = []
    for part, name in enumerate(("own label", "reference", "n")):
        start, stop = width + part * full, width + (part + 1) * full
        block = inputs[:, :, start:stop]
        one_hot = ((block == 0) | (block == 1)).all(-1) & ((block == 1).sum(-1) == 1)
        refuse(~one_hot, f"has no one-hot {name} in its features {start}..{stop - 1}")
        codes.append(block.argmax(-1))
    labels, references, ns = codes  # (B, T) each
    refuse(references != references[:, :1], "has another reference than the first step")
    refuse(ns != ns[:, :1], "has another n than the first step")
    refuse(ns < full - steps, f"has an n below {full - steps}, where {steps} of {full} objects are shown")
    seen = labels[:, :, None] == labels[:, None, :]  # (B, T, T)
    refuse(np.tril(seen, -1).any(-1), "has the label of an earlier step")
    is_reference = labels == references
    refuse(~is_reference.any(-1, keepdims=True), "names a reference that is none of the labels shown")
    return _Question(vectors, labels, is_reference.argmax(-1), ns[:, 0])


def _up_to(name: str, value: int | None, minimum: int, maximum: int) -> int:
    """Return a size of a stage, at most the full task's."""
    size = maximum if value is None else check_size(name, value, minimum)
    if size > maximum:
        raise ValueError(f"{name} must be from {minimum} to {maximum}, the full task's, got {size}")
    return size
