"""Solution of exercise 4: the Relational Memory Core, built from its parts."""

import numpy as np

from relational_rnn.reference import RelationalMemory
from relational_rnn.reference.attention import attention_forward, merge_heads, split_heads
from relational_rnn.reference.gates import gates_forward
from relational_rnn.reference.layer_norm import layer_norm_forward
from relational_rnn.reference.linear import linear_forward
from relational_rnn.reference.mlp import mlp_forward


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
    qkv = layer_norm(linear(rows, params, "blocks.0.qkv"), params, "blocks.0.qkv_norm")
    heads = split_heads(qkv, num_heads)  # (B, H, M, 2K + V)
    key = (heads.shape[-1] - rows.shape[-1] // num_heads) // 2
    return heads[..., :key], heads[..., key : 2 * key], heads[..., 2 * key :]


def attention_block(rows, params, num_heads):
    """Let all rows attend to all rows: `LN(rows + attention)`.

    Args:
        rows: (B, M, D).
        params: those of `queries_keys_values`, and the norm blocks.0.attention_norm.
        num_heads: H.

    Returns:
        (B, M, D).
    """
    attended, _ = attention_forward(*queries_keys_values(rows, params, num_heads))  # (B, H, M, V)
    return layer_norm(rows + merge_heads(attended), params, "blocks.0.attention_norm")


def mlp_block(rows, params):
    """Transform each row by itself: `LN(rows + MLP(rows))`.

    Args:
        rows: (B, M, D).
        params: the layers mlp.0 and mlp.1, ReLU between them, and the norm blocks.0.mlp_norm.

    Returns:
        (B, M, D).
    """
    weights, biases = ([params[f"mlp.{layer}.{kind}"] for layer in (0, 1)] for kind in ("weight", "bias"))
    transformed, _ = mlp_forward(rows, weights, biases)
    return layer_norm(rows + transformed, params, "blocks.0.mlp_norm")


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
    x_proj = linear(x, params, "input_projection")  # (B, D)
    rows = np.concatenate([memory, x_proj[:, None]], axis=1)  # (B, N + 1, D)
    new = mlp_block(attention_block(rows, params, num_heads), params)[:, :-1]
    logits = linear(np.tanh(memory), params, "gate_memory") + linear(x_proj, params, "gate_input")[:, None]
    updated, _ = gates_forward(logits, new, memory, input_bias=0.0, forget_bias=1.0)
    return updated


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
    outputs = []
    for t in range(inputs.shape[1]):
        memory = step(inputs[:, t], memory, params, num_heads)
        outputs.append(memory.reshape(len(memory), -1))
    return np.stack(outputs, axis=1), memory


def small_core(input_size, seed):
    """Make the package's core with 4 slots and one head of 32 features, to be trained.

    Args:
        input_size: F.
        seed: of its weights.

    Returns:
        A `RelationalMemory` in float32.
    """
    return RelationalMemory(input_size, mem_slots=4, head_size=32, num_heads=1, dtype=np.float32, seed=seed)


if __name__ == "__main__":
    from relational_rnn.cli.main import main

    raise SystemExit(main(["course", "check", "4", __file__]))
