"""Exercise 4: the Relational Memory Core, built from its parts.

Write the functions, then run this file or `relational-rnn course check 4`; both say where the lesson is.
The parts are the package's own, so your exercises 1 and 3 need not be done.
"""

from relational_rnn.reference.layer_norm import layer_norm_forward
from relational_rnn.reference.linear import linear_forward


def linear(x, params, name):
    """Given: `y = x Wᵀ + b` with the layer called `name`. The parts above return (result, cache)."""
    return linear_forward(x, params[f"{name}.weight"], params[f"{name}.bias"])[0]


def layer_norm(x, params, name):
    """Given: normalise each row over its features, then gain and bias of the norm called `name`."""
    return layer_norm_forward(x, params[f"{name}.weight"], params[f"{name}.bias"])[0]


def queries_keys_values(rows, params, num_heads):
    """Make queries, keys and values of every row: `LN(linear(rows))`, cut into heads, then into q, k, v.

    Args:
        rows: (B, M, D).
        params: the layer blocks.0.qkv, with H (2K + V) outputs, and the norm blocks.0.qkv_norm.
        num_heads: H. V = D / H; K follows from the number of outputs.

    Returns:
        q (B, H, M, K), k (B, H, M, K) and v (B, H, M, V). Each head has 2K + V neighbouring features: its
        query, its key, its value.
    """
    raise NotImplementedError(
        "Project, normalise, split_heads; each head's last axis is then q, k and v side by side."
    )


def attention_block(rows, params, num_heads):
    """Let all rows attend to all rows: `LN(rows + attention)`.

    Args:
        rows: (B, M, D).
        params: those of `queries_keys_values`, and the norm blocks.0.attention_norm.
        num_heads: H.

    Returns:
        (B, M, D).
    """
    raise NotImplementedError("Attend with attention_forward, merge the heads, add the rows, normalise.")


def mlp_block(rows, params):
    """Transform each row by itself: `LN(rows + MLP(rows))`.

    Args:
        rows: (B, M, D).
        params: the layers mlp.0 and mlp.1, ReLU between them, and the norm blocks.0.mlp_norm.

    Returns:
        (B, M, D).
    """
    raise NotImplementedError(
        "mlp_forward takes the two weights and the two biases as lists; add the rows, normalise."
    )


def step(x, memory, params, num_heads):
    """Advance the memory by one step.

    Args:
        x: (B, F), the input.
        memory: (B, N, D) before the step.
        params: those of the blocks, and the layers input_projection (D outputs), gate_memory and gate_input.
        num_heads: H.

    Returns:
        (B, N, D), the memory after the step.
    """
    raise NotImplementedError(
        "Project x, append it as a row, run both blocks, drop the input row, gate (forget bias 1)."
    )


def run(inputs, memory, params, num_heads):
    """Run the core over a sequence.

    Args:
        inputs: (B, T, F).
        memory: (B, N, D) before the first step.
        params: those of `step`.
        num_heads: H.

    Returns:
        outputs: (B, T, N D), the memory after each step as one row.
        memory: (B, N, D) after the last step.
    """
    raise NotImplementedError(
        "Call `step` for each time step with the memory that the one before returned; collect the memories."
    )


def small_core(input_size, seed):
    """Make the package's core with 4 slots and one head of 32 features, to be trained.

    Args:
        input_size: F.
        seed: of its weights.

    Returns:
        A `RelationalMemory` in float32.
    """
    raise NotImplementedError(
        "RelationalMemory(input_size, mem_slots=..., head_size=..., num_heads=..., dtype=..., seed=...)"
    )


if __name__ == "__main__":
    from relational_rnn.cli.main import main

    raise SystemExit(main(["course", "check", "4", __file__]))
