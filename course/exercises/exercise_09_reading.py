"""Exercise 9: reading a trained memory.

Write the functions, then run this file or `relational-rnn course check 9`; both say where the lesson is.
Each function may use those above it.
"""


def slot_changes(memories, initial):
    """Measure how far each slot moves in each step.

    Args:
        memories: (B, T, N, D), after each step.
        initial: (B, N, D), before the first.

    Returns:
        (T, N): the Euclidean length of the change, its mean over the samples.
    """
    raise NotImplementedError(
        "Subtract the memory before each step, the initial one at first; lengths over D, then the mean."
    )


def input_share(attention):
    """Measure how much the slots look at the input.

    Args:
        attention: (B, T, H, N, M), weights of the N slots' queries over M = N + 1 rows, the input's row last.

    Returns:
        (T, H): the weight on the input's row, its mean over samples and slots.
    """
    raise NotImplementedError(
        "The input's row is the last of the M; average its weight over the samples and the slots that ask."
    )


def effective_rank(memories):
    """Count the directions that the slots of a sample span: `exp(-Σ p log p)`, `p = σ / Σ σ`.

    Args:
        memories: (B, T, N, D), none of them all 0; σ are the singular values of a sample's (N, D) matrix.

    Returns:
        (T,): between 1 and min(N, D), the mean over the samples.
    """
    raise NotImplementedError(
        "Singular values of each sample's matrix, as shares of their sum; exp of the entropy; then the mean."
    )


def fit_probe(features, classes, count, penalty=1.0):
    """Fit a linear probe: the least squares of one-hot codes, with a penalty on the weights (ridge).

    Args:
        features: (S, D), one row a sample.
        classes: (S,) integers 0..count-1, what should be read.
        count: C.
        penalty: λ; what is minimised is `Σ |W x + b - onehot|² + λ Σ W²`, without a penalty on b.

    Returns:
        weights: W, (C, D).
        bias: b, (C,).
    """
    raise NotImplementedError(
        "Centre features and one-hot codes, solve (XᵀX + λ I) Wᵀ = XᵀY, and get b from the means."
    )


def probe_accuracy(features, classes, count):
    """Fit a probe on the first half of the samples and score it on the second.

    Args:
        features: (S, D), S even.
        classes: (S,).
        count: C.

    Returns:
        The share of the second half for which the largest of the C results is at the right class.
    """
    raise NotImplementedError(
        "Fit on the first half, and count on the second how often the largest result is the right class."
    )


def probe_map(memories, classes, count):
    """Probe every slot after every step.

    Args:
        memories: (S, T, N, D).
        classes: (S,), the same for all steps and slots.
        count: C.

    Returns:
        (T, N) accuracies.
    """
    raise NotImplementedError("One probe for each slot and step, with `probe_accuracy`.")


def transplant(core, inputs, step, slots):
    """Run a core, replace some slots by those of another sequence, and go on.

    Args:
        core: `core.forward(inputs, memory=None)` returns outputs (B, T, O) and the last memory (B, N, D).
        inputs: (B, T, F).
        step: 1..T-1, so many steps are made before.
        slots: list of slots; sample b gets those of sample b - 1, the first one those of the last.

    Returns:
        (B, O): the output after the last step.
    """
    raise NotImplementedError(
        "Run the first steps, put the other sample's slots into a copy of the memory, run the rest from it."
    )


if __name__ == "__main__":
    from relational_rnn.cli.main import main

    raise SystemExit(main(["course", "check", "9", __file__]))
