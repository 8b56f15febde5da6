"""Solution of exercise 5: the data of Nth farthest, and the score of knowing nothing."""

import numpy as np


def squared_distances(vectors, reference_step):
    """Return how far each vector is from the reference, squared.

    Args:
        vectors: (B, N, D).
        reference_step: (B,) integers, the step at which the reference was shown.

    Returns:
        (B, N); 0 at the reference's step.
    """
    reference = vectors[np.arange(len(vectors)), reference_step]  # (B, D)
    return ((vectors - reference[:, None]) ** 2).sum(axis=-1)


def answer(vectors, labels, n, reference):
    """Return the label of the vector that is the n-th farthest from the reference.

    Args:
        vectors: (B, N, D), in the order in which they are shown.
        labels: (B, N) integers, each row a permutation of 0..N-1: the label of each step's vector.
        n: (B,) integers, 0 for the farthest and N-1 for the nearest, which is the reference itself.
        reference: (B,) integers, the LABEL of the reference.

    Returns:
        (B,) integers, labels.
    """
    every = np.arange(len(vectors))
    reference_step = (labels == reference[:, None]).argmax(axis=1)
    farthest_first = np.argsort(-squared_distances(vectors, reference_step), axis=1)  # (B, N) steps
    return labels[every, farthest_first[every, n]]


def encode(vectors, labels, n, reference):
    """Write vectors and question the way a model reads them.

    Args:
        vectors: (B, N, D) floats.
        labels: (B, N) integers.
        n: (B,) integers.
        reference: (B,) integers, labels.

    Returns:
        (B, N, D + 3N) float32: at each step its vector, then three one-hot codes of N features each: its own
        label, the reference's label, n. The last two are the same at every step.
    """
    codes = np.eye(labels.shape[1])
    own = codes[labels]  # (B, N, N)
    question = np.concatenate([codes[reference], codes[n]], axis=1)  # (B, 2N)
    question = np.repeat(question[:, None], labels.shape[1], axis=1)
    return np.concatenate([vectors, own, question], axis=2).astype(np.float32)


def sample(batch_size, objects, dimensions, generator):
    """Draw examples of Nth farthest.

    Args:
        batch_size: B.
        objects: N, vectors in an example.
        dimensions: D.
        generator: `np.random.Generator`, the only source of chance.

    Returns:
        inputs: (B, N, D + 3N) float32, as `encode` writes them. Vectors are uniform in [-1, 1), labels a
            random permutation for each example, n and the label of the reference uniform in 0..N-1; all are
            independent.
        targets: (B,) integers, the answers.
    """
    vectors = generator.uniform(-1, 1, (batch_size, objects, dimensions)).astype(np.float32)
    labels = generator.permuted(np.tile(np.arange(objects), (batch_size, 1)), axis=1)
    n = generator.integers(objects, size=batch_size)
    reference = generator.integers(objects, size=batch_size)
    return encode(vectors, labels, n, reference), answer(vectors, labels, n, reference)


def trivial_answers(n, reference, objects, generator):
    """Answer as well as one can without looking at any vector.

    Args:
        n: (B,) integers.
        reference: (B,) integers, labels.
        objects: N.
        generator: `np.random.Generator`, for the guesses.

    Returns:
        (B,) integers: the reference's label where n asks for it, else a guess among all OTHER labels.
    """
    guess = generator.integers(objects - 1, size=len(n))
    guess += guess >= reference  # skips the reference's label
    return np.where(n == objects - 1, reference, guess)


def trivial_score(objects):
    """Return the share of right answers that `trivial_answers` has in the long run.

    Args:
        objects: N, at least 2.

    Returns:
        A fraction of 1.
    """
    asks_for_reference = 1 / objects
    return asks_for_reference * 1 + (1 - asks_for_reference) * 1 / (objects - 1)


if __name__ == "__main__":
    from relational_rnn.cli.main import main

    raise SystemExit(main(["course", "check", "5", __file__]))
