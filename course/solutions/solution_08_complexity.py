"""Solution of exercise 8: what a sequence of length T costs an LSTM, a Transformer and the core."""

import numpy as np


def lstm_cost(steps, inputs, width):
    """Count the multiply-adds of an LSTM over a sequence.

    Args:
        steps: T.
        inputs: F, features of an input.
        width: D, of the hidden state.

    Returns:
        An integer: the four gates' products with the input and with the hidden state, at every step.
    """
    return steps * 4 * width * (inputs + width)


def attention_cost(queries, keys, width):
    """Count the multiply-adds of attention, without projections.

    Args:
        queries: Lq rows.
        keys: Lk rows.
        width: D = H K = H V, of all heads together.

    Returns:
        An integer: the scores, and the weighted sums of the values.
    """
    return 2 * queries * keys * width


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
    rows = slots + 1
    projections = inputs * width + rows * 3 * width**2  # of the input; queries, keys and values
    mlp = rows * 2 * width**2
    gates = slots * 2 * width**2 + 2 * width**2  # the memory's layer for each slot, the input's once
    return steps * (projections + attention_cost(rows, rows, width) + mlp + gates)


def transformer_cost(steps, width):
    """Count the multiply-adds of a Transformer block over a whole sequence at once.

    Args:
        steps: T rows; every row attends to every row (a mask hides results, it saves nothing here).
        width: D; four projections of D by D, an MLP with 4 D hidden features.

    Returns:
        An integer.
    """
    return steps * 12 * width**2 + attention_cost(steps, steps, width)


def recomputed_cost(steps, width):
    """Count the same when the rows come one at a time and nothing is kept between two steps.

    Args:
        steps: T; at step t, 1 to T, the block runs over all t rows that have come.
        width: D.

    Returns:
        An integer.
    """
    return sum(transformer_cost(step, width) for step in range(1, steps + 1))


def cached_cost(steps, width):
    """Count the same when the keys and values of earlier rows are kept.

    Args:
        steps: T; at step t only row t is projected, and its query attends to t keys.
        width: D.

    Returns:
        An integer.
    """
    return sum(12 * width**2 + attention_cost(1, step, width) for step in range(1, steps + 1))


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
    return {"lstm": 2 * width, "core": slots * width, "transformer": 2 * steps * width}[model]


def first_cheaper(one, other, longest):
    """Find the shortest sequence for which `one` costs less than `other`.

    Args:
        one: a function of T that returns a number.
        other: the same.
        longest: T is looked for among 1, 2, ..., longest.

    Returns:
        T, or 0 if there is none.
    """
    return next((steps for steps in range(1, longest + 1) if one(steps) < other(steps)), 0)


def growth(lengths, seconds):
    """Estimate p of `seconds = c * lengths ** p`: the slope of log(seconds) over log(lengths).

    Args:
        lengths: (n,).
        seconds: (n,).

    Returns:
        A float, by least squares over all n points: about 1 for linear, 2 for quadratic.
    """
    slope, _ = np.polyfit(np.log(lengths), np.log(seconds), deg=1)
    return float(slope)


if __name__ == "__main__":
    from relational_rnn.cli.main import main

    raise SystemExit(main(["course", "check", "8", __file__]))
