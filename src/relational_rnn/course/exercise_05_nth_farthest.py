"""The checks of exercise 5: the data of Nth farthest, and its trivial score."""

from __future__ import annotations

import itertools
from typing import Any, Final

import numpy as np

from relational_rnn.course.checking import Array, Function, Part, WrongAnswer, compare, expect_shape, unpack
from relational_rnn.tasks.nth_farthest import NthFarthest, oracle, trivial_accuracy
from relational_rnn.tasks.nth_farthest import sample as draw

TASK: Final = NthFarthest(objects=5, dimensions=3)
MANY: Final = 4_000


def distances_by_hand(squared_distances: Function) -> None:
    """Three points of the plane, (0, 0), (3, 4) and (3, 2), the reference is the second."""
    vectors, step = np.array([[[0.0, 0.0], [3.0, 4.0], [3.0, 2.0]]]), np.array([1])
    expected = np.array([[25.0, 0.0, 4.0]])
    compare(
        "The result",
        squared_distances(vectors, step),
        expected,
        {
            "These are the distances; leave the root out, it changes no order.": np.sqrt(expected),
            "The square is missing: a squared distance is the sum of the squared differences.": (
                np.array([[7.0, 0.0, 2.0]]),
                np.array([[-7.0, 0.0, -2.0]]),
            ),
            "vectors[:, reference_step] takes the reference of every example for every example. Pair them: "
            "vectors[np.arange(B), reference_step].": expected[None],
        },
    )


def distances_of_batches(squared_distances: Function) -> None:
    """Four examples of five vectors in three dimensions, each with a reference of its own."""
    batch = draw(TASK, 4, np.random.default_rng(0))
    vectors, step = batch.vectors.astype(float), np.array([3, 0, 4, 1])
    expected = ((vectors - vectors[np.arange(4), step][:, None]) ** 2).sum(axis=2)
    one = ((vectors - vectors[:, step[0]][:, None]) ** 2).sum(axis=2)
    compare(
        "The result",
        squared_distances(vectors, step),
        expected,
        {"All examples have the first one's reference: vectors[np.arange(B), reference_step].": one},
    )


def answer_by_hand(answer: Function) -> None:
    """Points 0, 3, 1 and 10 with labels 2, 0, 1 and 3, the reference is label 0: every n."""
    vectors = np.repeat(np.array([[[0.0], [3.0], [1.0], [10.0]]]), 4, axis=0)
    labels, n, reference = np.repeat([[2, 0, 1, 3]], 4, axis=0), np.arange(4), np.zeros(4, int)
    _answers(answer, vectors, labels, n, reference)


def answer_of_batches(answer: Function) -> None:
    """Two hundred examples of five vectors in three dimensions."""
    batch = draw(TASK, 200, np.random.default_rng(0))
    _answers(answer, batch.vectors.astype(float), batch.labels, batch.n, batch.reference)


def _answers(answer: Function, vectors: Array, labels: Array, n: Array, reference: Array) -> None:
    every, objects = np.arange(len(n)), labels.shape[1]

    def steps(reference_step: Array) -> Array:
        away = vectors - vectors[every, reference_step][:, None]
        return np.argsort(-(away**2).sum(axis=2), axis=1)

    right = steps((labels == reference[:, None]).argmax(axis=1))
    compare(
        "The result",
        answer(vectors, labels, n, reference),
        labels[every, right[every, n]],
        {
            "n counts from the nearest; n = 0 should be the farthest.": labels[
                every, right[every, objects - 1 - n]
            ],
            "n is counted from 1; n = 0 is the farthest already.": labels[every, right[every, n - 1]],
            "argsort of argsort gives each vector's rank. One argsort gives the step at each rank.": labels[
                every, np.argsort(right, axis=1)[every, n]
            ],
            "These are steps; the answer is the label of the vector shown at that step.": right[every, n],
            "The reference is taken for a step. It is a label: find the step that has it.": labels[
                every, steps(reference)[every, n]
            ],
        },
    )


def codes(encode: Function) -> None:
    """Six examples of five vectors in three dimensions: (6, 5, 18) float32."""
    batch = draw(TASK, 6, np.random.default_rng(0))
    vectors, labels, n, reference = batch.vectors.copy(), batch.labels, batch.n, batch.reference
    expected, eye = batch.inputs, np.eye(5, dtype=np.float32)
    swapped = expected.copy()
    swapped[:, :, 8:13], swapped[:, :, 13:] = expected[:, :, 13:], expected[:, :, 8:13]
    first = expected.copy()
    first[:, 1:, 8:] = 0
    last, backwards = expected.copy(), expected.copy()
    last[:, :-1, 8:] = 0
    backwards[:, :, 13:] = expected[:, :, :12:-1]
    by_step = expected.copy()
    by_step[:, :, 8:13] = eye[(labels == reference[:, None]).argmax(axis=1)][:, None]
    compare(
        "The result",
        encode(vectors, labels, n, reference),
        expected,
        {
            "The codes of the reference and of n are in the wrong order: reference first.": swapped,
            "The question stands at the first step only; repeat it at every step.": first,
            "The codes of n run backwards, as the authors' do, who count from the nearest; here n = 0 is "
            "the farthest.": backwards,
            "The question stands at the last step only; repeat it at every step.": last,
            "The reference is coded by its step; code its label.": by_step,
        },
        tolerance=1e-6,
    )


def examples_are_right(sample: Function) -> None:
    """A thousand examples each of N = 5 and 4: inputs that the package's oracle can read, and its answers."""
    for task in (TASK, NthFarthest(objects=4, dimensions=2)):
        inputs, targets = _sample(sample, 1_000, task)
        if inputs.dtype != np.float32:
            raise WrongAnswer(f"inputs must be float32, got {inputs.dtype}; `encode` makes them.")
        try:
            answers = oracle(task, inputs)
        except ValueError as wrong:
            raise WrongAnswer(f"The oracle cannot read the inputs: {wrong}.") from wrong
        compare("targets", targets, answers)


def examples_are_random(sample: Function) -> None:
    """Four thousand examples: vectors, labels, n and the reference have the right distributions."""
    inputs, _ = _sample(sample, MANY)
    vectors, labels = inputs[:, :, :3], inputs[:, :, 3:8].argmax(axis=2)
    reference, n = inputs[:, 0, 8:13].argmax(axis=1), inputs[:, 0, 13:].argmax(axis=1)
    if (vectors[0] == vectors[1]).all():
        raise WrongAnswer("All examples have the same vectors: draw (batch_size, objects, dimensions).")
    if vectors.min() > -0.9 or vectors.max() < 0.9 or abs(vectors).max() > 1:
        raise WrongAnswer(
            f"The vectors lie in {vectors.min():.2f}..{vectors.max():.2f} instead of -1..1: "
            f"generator.uniform(-1, 1, shape)."
        )
    if (labels == labels[0]).all():
        raise WrongAnswer(
            "Every example has the same labels, so a model need not read them. Permute each row by itself: "
            "generator.permuted(..., axis=1); generator.permutation permutes the rows."
        )
    tenths = np.bincount(np.minimum(5 * (vectors.ravel() + 1), 9).astype(int), minlength=10)
    if not _even(tenths):
        raise WrongAnswer(
            f"The vectors are not uniform in -1..1: the tenths of the range, from the lowest, hold "
            f"{', '.join(f'{share:.1%}' for share in tenths / tenths.sum())} of the numbers."
        )
    steps = (labels == reference[:, None]).argmax(axis=1)
    for name, drawn in (("n", n), ("The reference's label", reference), ("The reference's step", steps)):
        counts = np.bincount(drawn, minlength=5)
        if not _even(counts):
            raise WrongAnswer(f"{name} is not uniform in 0..4: it comes {counts.tolist()} times.")
    if not _even(np.bincount(5 * n + reference, minlength=25)):
        raise WrongAnswer("n and the reference's label depend on each other: draw each by itself.")
    for first, second in itertools.combinations(range(5), 2):
        pairs = np.bincount(5 * labels[:, first] + labels[:, second], minlength=25)
        if not _even(pairs[~np.eye(5, dtype=bool).ravel()]):
            raise WrongAnswer(
                "Not every order of the labels is equally likely: permute each row by itself, "
                "generator.permuted(..., axis=1)."
            )


def _even(counts: Array) -> bool:
    """Say whether counts are what equal shares give: none is off by more than five standard deviations."""
    share = 1 / len(counts)
    return bool(abs(counts - counts.sum() * share).max() <= 5 * np.sqrt(counts.sum() * share * (1 - share)))


def examples_follow_the_generator(sample: Function) -> None:
    """The same seed twice, then the generator used on: the same examples, then others."""
    generator = np.random.default_rng(7)
    first, again, on = (
        unpack(("inputs", "targets"), sample(8, 5, 3, source))[0]
        for source in (generator, np.random.default_rng(7), generator)
    )
    if not np.array_equal(first, again):
        raise WrongAnswer("The same seed gives other examples: draw from `generator` alone, not np.random.")
    if np.array_equal(first, on):
        raise WrongAnswer("Two calls give the same examples: use the generator, do not make a new one.")


def _sample(sample: Function, batch: int, task: NthFarthest = TASK) -> tuple[Any, Any]:
    generator = np.random.default_rng(0)
    inputs, targets = unpack(("inputs", "targets"), sample(batch, task.objects, task.dimensions, generator))
    expect_shape("inputs", inputs, (batch, task.objects, task.input_size))
    return inputs, targets


def guesses(trivial_answers: Function) -> None:
    """Four thousand questions about five vectors: what is answered for each n."""
    _guesses(trivial_answers, 5)


def guesses_about_three(trivial_answers: Function) -> None:
    """The same about three vectors."""
    _guesses(trivial_answers, 3)


def _guesses(trivial_answers: Function, objects: int) -> None:
    generator = np.random.default_rng(17)  # not 0, which a learner's own might have: it would draw n again
    n, reference = generator.integers(objects, size=MANY), generator.integers(objects, size=MANY)
    got = trivial_answers(n, reference, objects, generator)
    expect_shape("The result", got, (MANY,))
    if got.dtype.kind not in "iu":
        raise WrongAnswer(f"The answers are labels, whole numbers; got an array of dtype {got.dtype}.")
    if (lost := (got < 0) | (got >= objects)).any():
        raise WrongAnswer(
            f"Of {objects} vectors the labels are 0..{objects - 1}; one answer is {got[lost][0]}."
        )
    nearest = n == objects - 1
    if (got[nearest] != reference[nearest]).any():
        raise WrongAnswer("n = N-1 asks for the nearest vector, the reference itself: answer its label.")
    if (got[~nearest] == reference[~nearest]).any():
        raise WrongAnswer("For n below N-1 the reference is never the answer: guess among the others.")
    counts = np.bincount((got[~nearest] - reference[~nearest]) % objects, minlength=objects)[1:]
    expected = counts.sum() / (objects - 1)
    if abs(counts - expected).max() > 5 * np.sqrt(expected):
        raise WrongAnswer("Some labels are guessed more often than others; all N-1 should be equally likely.")


def guesses_follow_the_generator(trivial_answers: Function) -> None:
    """The same seed twice, then the generator used on: the same guesses, then others."""
    n, reference, generator = np.zeros(40, int), np.arange(40) % 5, np.random.default_rng(7)
    first, again, on = (
        trivial_answers(n, reference, 5, source)
        for source in (generator, np.random.default_rng(7), generator)
    )
    if not np.array_equal(first, again):
        raise WrongAnswer("The same seed gives other guesses: draw from `generator` alone, not np.random.")
    if np.array_equal(first, on):
        raise WrongAnswer("Two calls give the same guesses: use the generator, do not make a new one.")


def score(trivial_score: Function) -> None:
    """N = 2, 3, 5, 8 and 100."""
    for objects in (2, 3, 5, 8, 100):
        compare(
            f"The score for N = {objects}",
            trivial_score(objects),
            trivial_accuracy(objects),
            {
                "That is chance. The question for the reference itself needs no distance.": 1 / objects,
                "That is the guess among the N-1 others alone; one question in N is answered for sure.": 1
                / (objects - 1),
                "Both parts are added without their shares: a question of each kind comes how often?": 1
                + 1 / (objects - 1),
            },
        )


PARTS: Final = (
    Part("squared_distances", (distances_by_hand, distances_of_batches)),
    Part("answer", (answer_by_hand, answer_of_batches)),
    Part("encode", (codes,)),
    Part("sample", (examples_are_right, examples_are_random, examples_follow_the_generator)),
    Part("trivial_answers", (guesses, guesses_about_three, guesses_follow_the_generator)),
    Part("trivial_score", (score,)),
)
