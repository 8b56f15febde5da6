"""Exercise 8: what a sequence of length T costs an LSTM, a Transformer and the core.

Write the functions, then run this file or `relational-rnn course check 8`; both say where the lesson is.
A multiply-add counts as one; each function may use those above it.
"""


def lstm_cost(steps, inputs, width):
    """Count the multiply-adds of an LSTM over a sequence.

    Args:
        steps: T.
        inputs: F, features of an input.
        width: D, of the hidden state.

    Returns:
        An integer: the four gates' products with the input and with the hidden state, at every step.
    """
    raise NotImplementedError(
        "Each of the four gates has a matrix for the input and one for the hidden state."
    )


def attention_cost(queries, keys, width):
    """Count the multiply-adds of attention, without projections.

    Args:
        queries: Lq rows.
        keys: Lk rows.
        width: D = H K = H V, of all heads together.

    Returns:
        An integer: the scores, and the weighted sums of the values.
    """
    raise NotImplementedError("Two products: queries with keys, weights with values.")


def core_cost(steps, inputs, slots, width):
    """Count the multiply-adds of the Relational Memory Core over a sequence.

    Args:
        steps: T.
        inputs: F.
        slots: N; attention sees N + 1 rows.
        width: D; keys are as wide as values, unit gates, one block, an MLP of two layers.

    Returns:
        An integer.
    """
    raise NotImplementedError(
        "Go through the step's matrices: how many entries, and for how many rows? Then the attention."
    )


def transformer_cost(steps, width):
    """Count the multiply-adds of a Transformer block over a whole sequence at once.

    Args:
        steps: T rows; every row attends to every row (a mask hides results, it saves nothing here).
        width: D; four projections of D by D, an MLP with 4 D hidden features.

    Returns:
        An integer.
    """
    raise NotImplementedError(
        "Four projections and two layers of the MLP for every row, and the attention of all rows."
    )


def recomputed_cost(steps, width):
    """Count the same when the rows come one at a time and nothing is kept between two steps.

    Args:
        steps: T; at step t, 1 to T, the block runs over all t rows that have come.
        width: D.

    Returns:
        An integer.
    """
    raise NotImplementedError("At step t the whole block runs over t rows; add up the steps.")


def cached_cost(steps, width):
    """Count the same when the keys and values of earlier rows are kept.

    Args:
        steps: T; at step t only row t is projected, and its query attends to t keys.
        width: D.

    Returns:
        An integer.
    """
    raise NotImplementedError(
        "At step t one row goes through the matrices, and one query meets t keys; add up the steps."
    )


def state_size(model, steps, slots, width):
    """Count the numbers that must be kept after T steps to go on with the next one.

    Args:
        model: "lstm", "core" or "transformer" (one block, with a cache).
        steps: T.
        slots: N of the core.
        width: D of each.

    Returns:
        An integer.
    """
    raise NotImplementedError(
        "What does each hand from one step to the next: vectors, slots, keys and values?"
    )


def first_cheaper(one, other, longest):
    """Find the shortest sequence for which `one` costs less than `other`.

    Args:
        one: a function of T that returns a number.
        other: the same.
        longest: T is looked for among 1, 2, ..., longest.

    Returns:
        T, or 0 if there is none.
    """
    raise NotImplementedError("Try the lengths in order and return the first at which one(T) < other(T).")


def growth(lengths, seconds):
    """Estimate p of `seconds = c * lengths ** p`: the slope of log(seconds) over log(lengths).

    Args:
        lengths: (n,).
        seconds: (n,).

    Returns:
        A float, by least squares over all n points: about 1 for linear, 2 for quadratic.
    """
    raise NotImplementedError("Take logarithms of both; a power law is then a line: np.polyfit with deg=1.")


if __name__ == "__main__":
    from relational_rnn.cli.main import main

    raise SystemExit(main(["course", "check", "8", __file__]))
