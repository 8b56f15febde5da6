"""Solution of exercise 3: the gates that decide what a slot keeps and what it takes."""

import numpy as np


def sigmoid(x):
    """Squeeze numbers into 0..1: `1 / (1 + exp(-x))`.

    Args:
        x: any shape; may be large, in either direction, and nothing may overflow.

    Returns:
        The same shape.
    """
    return 0.5 * (1 + np.tanh(0.5 * x))  # the same function, and tanh never overflows


def gate_logits(memory, x_proj, params):
    """Compute what the gates are made of: `linear(tanh(memory)) + linear(x_proj)`.

    A linear layer is `y = x Wᵀ + b`, with W (outputs, inputs).

    Args:
        memory: (B, N, D) before the step.
        x_proj: (B, D), the projected input, the same for all slots.
        params: gate_memory.weight (2G, D), gate_memory.bias (2G,), gate_input.weight (2G, D) and
            gate_input.bias (2G,). G = D gates every feature (unit), G = 1 the whole slot (memory).

    Returns:
        (B, N, 2G): the input gates' half first, then the forget gates'.
    """
    of_memory = np.tanh(memory) @ params["gate_memory.weight"].T + params["gate_memory.bias"]  # (B, N, 2G)
    of_input = x_proj @ params["gate_input.weight"].T + params["gate_input.bias"]  # (B, 2G)
    return of_memory + of_input[:, None]


def gated_update(memory, new, logits, input_bias=0.0, forget_bias=1.0):
    """Blend old and new: `sigmoid(i + input_bias) tanh(new) + sigmoid(f + forget_bias) memory`.

    Args:
        memory: (B, N, D) before the step.
        new: (B, N, D), what attention and MLP made of it.
        logits: (B, N, 2G), i in the first half of the last axis, f in the second; G = D or 1.
        input_bias: added to i before the sigmoid.
        forget_bias: added to f before the sigmoid.

    Returns:
        (B, N, D), the memory after the step.
    """
    i, f = np.split(logits, 2, axis=-1)  # (B, N, G) each; G = 1 is broadcast over the features
    return sigmoid(i + input_bias) * np.tanh(new) + sigmoid(f + forget_bias) * memory


def gate_parameters(style, width):
    """Count the learned numbers of both gate layers.

    Args:
        style: "unit" (G = D), "memory" (G = 1) or "none" (no gates).
        width: D.

    Returns:
        An integer.
    """
    gates = {"unit": width, "memory": 1, "none": 0}[style]
    return 2 * (2 * gates * width + 2 * gates)


def retention(forget_bias, steps):
    """Say how much of a memory is left when nothing is written and all logits are 0.

    Args:
        forget_bias: a number.
        steps: T, at least 0.

    Returns:
        The factor between the memory after T steps and the one before.
    """
    return float(sigmoid(forget_bias) ** steps)


def forget_bias_for(share, steps):
    """Return the forget bias at which `retention(forget_bias, steps)` is `share`.

    Args:
        share: between 0 and 1, both excluded.
        steps: T, at least 1.

    Returns:
        A number.
    """
    gate = share ** (1 / steps)
    return float(np.log(gate / (1 - gate)))


if __name__ == "__main__":
    from relational_rnn.cli.main import main

    raise SystemExit(main(["course", "check", "3", __file__]))
