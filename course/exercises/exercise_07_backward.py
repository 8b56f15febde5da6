"""Exercise 7: one backward pass, derived by hand and checked.

Write the functions, then run this file or `relational-rnn course check 7`; both say where the lesson is.
`attention` and `step` are given; each function may use those above it.
"""

import math

import numpy as np


def attention(q, k, v):
    """Given: exercise 1's attention, q (B, Lq, K), k (B, Lk, K), v (B, Lk, V); returns output and weights."""
    scores = q @ k.swapaxes(-1, -2) / math.sqrt(q.shape[-1])
    power = np.exp(scores - scores.max(axis=-1, keepdims=True))
    weights = power / power.sum(axis=-1, keepdims=True)
    return weights @ v, weights


def step(memory, weight, bias):
    """Given: the step to differentiate; memory (B, N, D), weight (2D, D), bias (2D,).

    Returns the next memory, and what the backward pass needs: the attention weights (B, N, N), both gates i
    and f, and the candidate tanh(new), (B, N, D) each.
    """
    attended, weights = attention(memory, memory, memory)
    new = memory + attended
    logits = np.tanh(memory) @ weight.T + bias
    i, f = np.split(0.5 * (1 + np.tanh(0.5 * logits)), 2, axis=-1)
    candidate = np.tanh(new)
    return i * candidate + f * memory, weights, i, f, candidate


def central_differences(function, x, step=1e-5):
    """Measure a gradient, entry by entry: `(f(x + h) - f(x - h)) / 2h`.

    Args:
        function: takes an array of x's shape and returns a number.
        x: where the gradient is wanted, any shape.
        step: h.

    Returns:
        The gradient, x's shape.
    """
    raise NotImplementedError(
        "For each entry, move it by +h and by -h in a copy of x, call the function, divide by 2h."
    )


def linear_backward(d_y, x, weight):
    """Carry a gradient back through `y = x Wᵀ + b`.

    Args:
        d_y: (B, N, O), the gradient of y.
        x: (B, N, D).
        weight: W, (O, D).

    Returns:
        d_x: (B, N, D).
        d_weight: (O, D), the sum over all rows.
        d_bias: (O,), the sum over all rows.
    """
    raise NotImplementedError(
        "d_x = d_y W; the weight and the bias served every row, so sum over batch and rows."
    )


def softmax_backward(d_y, y):
    """Carry a gradient back through `y = softmax(x)` over the last axis.

    Args:
        d_y: (..., n), the gradient of y.
        y: (..., n), the weights.

    Returns:
        (..., n), the gradient of the scores x.
    """
    raise NotImplementedError(
        "Every score changes every weight of its row; multiply d_y by the row's Jacobian without building it."
    )


def attention_backward(d_output, q, k, v, weights):
    """Carry a gradient back through `output = weights v`, `weights = softmax(q kᵀ / sqrt(K))`.

    Args:
        d_output: (B, Lq, V), the gradient of the output.
        q: (B, Lq, K).
        k: (B, Lk, K).
        v: (B, Lk, V).
        weights: (B, Lq, Lk), from the forward pass.

    Returns:
        d_q: (B, Lq, K).
        d_k: (B, Lk, K).
        d_v: (B, Lk, V).
    """
    raise NotImplementedError(
        "Go backwards: output = weights v, then the softmax, then the scaled product q kᵀ."
    )


def gates_backward(d_next, i, f, candidate, memory):
    """Carry a gradient back through `next = i * tanh(new) + f * memory`, `i, f = sigmoid(logits)`.

    Args:
        d_next: (B, N, D), the gradient of the next memory.
        i: input gates (B, N, D), after the sigmoid.
        f: forget gates (B, N, D), after the sigmoid.
        candidate: (B, N, D), tanh(new).
        memory: (B, N, D), before the step.

    Returns:
        d_logits: (B, N, 2D), i's half first.
        d_new: (B, N, D).
        d_memory: (B, N, D), through the forget gate alone.
    """
    raise NotImplementedError(
        "Each product gives each factor the other one; sigmoid' = s (1 - s), tanh' = 1 - tanh²."
    )


def step_backward(d_next, memory, weight, bias):
    """Carry a gradient back through the whole of `step`.

    Args:
        d_next: (B, N, D), the gradient of the next memory.
        memory: (B, N, D).
        weight: (2D, D).
        bias: (2D,).

    Returns:
        d_memory: (B, N, D), the sum over all the ways in which the memory enters.
        d_weight: (2D, D).
        d_bias: (2D,).
    """
    raise NotImplementedError(
        "Call the parts above from the last line of `step` to the first; add up what reaches the memory."
    )


def gradient_gaps(backward, d_next, memory, weight, bias):
    """Hold a backward pass of `step` against central differences of the loss `sum(d_next * next)`.

    Args:
        backward: takes and returns what `step_backward` does.
        d_next: (B, N, D).
        memory: (B, N, D).
        weight: (2D, D).
        bias: (2D,).

    Returns:
        (3,): for memory, weight and bias the largest absolute difference between the two gradients.
    """
    raise NotImplementedError(
        "Define the loss as a function of each of the three arrays, and use central_differences."
    )


if __name__ == "__main__":
    from relational_rnn.cli.main import main

    raise SystemExit(main(["course", "check", "7", __file__]))
