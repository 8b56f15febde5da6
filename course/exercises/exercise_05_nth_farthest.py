"""Exercise 5: the data of Nth farthest, and the score of knowing nothing.

Write the functions, then run this file or `relational-rnn course check 5`; both say where the lesson is.
"""


def squared_distances(vectors, reference_step):
    """Return how far each vector is from the reference, squared.

    Args:
        vectors: (B, N, D).
        reference_step: (B,) integers, the step at which the reference was shown.

    Returns:
        (B, N); 0 at the reference's step.
    """
    raise NotImplementedError(
        "Pick each example's reference with np.arange(B), subtract it from its vectors, square, sum over D."
    )


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
    raise NotImplementedError(
        "Find the step that has the reference's label, order the steps farthest first, take the n-th."
    )


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
    raise NotImplementedError(
        "np.eye(N)[labels] is a one-hot code; repeat the question's at every step; join along the last axis."
    )


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
    raise NotImplementedError(
        "Draw vectors, labels (generator.permuted), n and reference, then use `encode` and `answer`."
    )


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
    raise NotImplementedError(
        "Where n is N-1 the answer is the reference; elsewhere it is any other label: guess among N-1."
    )


def trivial_score(objects):
    """Return the share of right answers that `trivial_answers` has in the long run.

    Args:
        objects: N, at least 2.

    Returns:
        A fraction of 1.
    """
    raise NotImplementedError(
        "Add up both kinds of question: how often each comes, times how often its answer is right."
    )


if __name__ == "__main__":
    from relational_rnn.cli.main import main

    raise SystemExit(main(["course", "check", "5", __file__]))
