"""docs/core.md written down word for word: one sample, one step, one row at a time.

It shares no code with the package, so that an agreement of the two says something.
"""

import numpy as np


def norm(core, name, row):
    """LN over one row, or the row itself if the core has no such norm."""
    if f"{name}.weight" not in core.params:
        return row
    centred = row - sum(row) / len(row)
    scaled = centred / np.sqrt(sum(centred**2) / len(row) + 1e-5)
    return core.params[f"{name}.weight"] * scaled + core.params[f"{name}.bias"]


def linear(core, name, row):
    """W row + b."""
    return core.params[f"{name}.weight"] @ row + core.params[f"{name}.bias"]


def softmax(scores):
    """exp(s) / sum exp(s)."""
    return np.exp(scores) / sum(np.exp(scores))


def sigmoid(x):
    """1 / (1 + exp(-x))."""
    return 1 / (1 + np.exp(-x))


def plain_step(core, memory, x):
    """One sample's step: memory (N, D), x (R, F) or None -> next memory, attention, gates."""
    config = core.config
    slots, heads, key, value = config.mem_slots, config.num_heads, config.key_width, config.head_size
    rows_in = [] if x is None else [linear(core, "input_projection", row) for row in x]
    side_by_side = np.concatenate(rows_in) if rows_in else np.zeros(config.input_rows * config.memory_width)
    tile = config.input_fusion == "tile"
    m = list(memory) if tile else list(memory) + rows_in
    attention = []
    for block in range(config.num_blocks):
        name = f"blocks.{block}"
        seen = [np.concatenate([row, side_by_side]) for row in m] if tile else m
        qkv = [norm(core, f"{name}.qkv_norm", linear(core, f"{name}.qkv", row)) for row in seen]
        mixed, weights = [[] for _ in m], np.empty((heads, len(m), len(m)))
        for head in range(heads):
            if config.use_attention:
                per_head = [row[head * (2 * key + value) : (head + 1) * (2 * key + value)] for row in qkv]
                q, k = [row[:key] for row in per_head], [row[key : 2 * key] for row in per_head]
                v = [row[2 * key :] for row in per_head]
            else:
                v = [row[head * value : (head + 1) * value] for row in qkv]
            for i in range(len(m)):
                if config.use_attention:
                    weights[head, i] = softmax(np.array([q[i] @ other / np.sqrt(key) for other in k]))
                else:
                    weights[head, i] = 1 / len(m)
                mixed[i].append(sum(w * row for w, row in zip(weights[head, i], v, strict=True)))
        attention.append(weights[:, :slots])
        for i in range(len(m)):
            attended = np.concatenate(mixed[i])
            row = norm(core, f"{name}.attention_norm", attended + (m[i] if config.use_residual else 0))
            if config.use_mlp:
                hidden = row
                for layer in range(config.attention_mlp_layers):
                    hidden = linear(core, f"mlp.{layer}", hidden)
                    if layer + 1 < config.attention_mlp_layers:
                        hidden = np.where(hidden > 0, hidden, 0)
                row = norm(core, f"{name}.mlp_norm", hidden + (row if config.use_residual else 0))
            m[i] = row
    new = np.array(m[:slots])
    if config.gate_style == "none":
        return new, np.array(attention), None, None
    g = np.array([linear(core, "gate_memory", np.tanh(row)) for row in memory])
    if x is not None:
        g = g + linear(core, "gate_input", side_by_side)
    width = g.shape[1] // 2
    i, f = sigmoid(g[:, :width] + config.input_bias), sigmoid(g[:, width:] + config.forget_bias)
    return i * np.tanh(new) + f * memory, np.array(attention), i, f


def plain_read(core, memory, x=None):
    """One sample's output; `x` is its input, if it has one."""
    kind = core.config.read_head
    if kind == "flatten":
        return memory.reshape(-1)
    weights = np.full(len(memory), 1 / len(memory))
    if kind == "weighted":
        weights = softmax(core.params["read_weights"])
    if kind == "attention":
        weights = softmax(memory @ core.params["read_query"] / np.sqrt(memory.shape[1]))
    query = 0.0
    if kind == "query":
        query = core.params["read_projection.bias"] if x is None else linear(core, "read_projection", x)
        weights = softmax(memory @ query / np.sqrt(memory.shape[1]))
    return query + sum(w * row for w, row in zip(weights, memory, strict=True))
