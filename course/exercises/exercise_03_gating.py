"""Exercise 3: the gates that decide what a slot keeps and what it takes.

Write the functions, then run this file or `relational-rnn course check 3`; both say where the lesson is.
Each function may use those above it.
"""


def sigmoid(x):
    """Squeeze numbers into 0..1: `1 / (1 + exp(-x))`.

    Args:
        x: any shape; may be large, in either direction, and nothing may overflow.

    Returns:
        The same shape.
    """
    raise NotImplementedError("Compute 1 / (1 + exp(-x)) without exp of a large number; tanh(x / 2) helps.")


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
    raise NotImplementedError(
        "Apply gate_memory to tanh(memory) and gate_input to x_proj, and add the latter to every slot."
    )


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
    raise NotImplementedError("Split the logits into i and f, add the biases, take the sigmoids, and blend.")


def gate_parameters(style, width):
    """Count the learned numbers of both gate layers.

    Args:
        style: "unit" (G = D), "memory" (G = 1) or "none" (no gates).
        width: D.

    Returns:
        An integer.
    """
    raise NotImplementedError(
        "Count two layers of 2G outputs and D inputs each, with their biases; G depends on the style."
    )


def retention(forget_bias, steps):
    """Say how much of a memory is left when nothing is written and all logits are 0.

    Args:
        forget_bias: a number.
        steps: T, at least 0.

    Returns:
        The factor between the memory after T steps and the one before.
    """
    raise NotImplementedError("Every step multiplies the memory by the forget gate.")


def forget_bias_for(share, steps):
    """Return the forget bias at which `retention(forget_bias, steps)` is `share`.

    Args:
        share: between 0 and 1, both excluded.
        steps: T, at least 1.

    Returns:
        A number.
    """
    raise NotImplementedError("Which gate g has g ** steps = share? Then undo the sigmoid: log(g / (1 - g)).")


if __name__ == "__main__":
    from relational_rnn.cli.main import main

    raise SystemExit(main(["course", "check", "3", __file__]))
