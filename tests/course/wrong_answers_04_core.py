"""Wrong answers to exercise 4: function, what of the solution becomes what, and what the learner reads."""

QKV = 'layer_norm(linear(rows, params, "blocks.0.qkv"), params, "blocks.0.qkv_norm")'
CUT = "return heads[..., :key], heads[..., key : 2 * key], heads[..., 2 * key :]"
FLAT = """qkv_key = key * num_heads
    q, k, v = qkv[..., :qkv_key], qkv[..., qkv_key : 2 * qkv_key], qkv[..., 2 * qkv_key :]
    return split_heads(q, num_heads), split_heads(k, num_heads), split_heads(v, num_heads)"""
ALONE = """raw = split_heads(linear(rows, params, "blocks.0.qkv"), num_heads)
    parts = raw[..., :key], raw[..., key : 2 * key], raw[..., 2 * key :]
    return tuple(
        layer_norm_forward(part, np.ones(part.shape[-1]), np.zeros(part.shape[-1]))[0] for part in parts
    )"""
ATTENDED = 'layer_norm(rows + merge_heads(attended), params, "blocks.0.attention_norm")'
MLP = 'layer_norm(rows + transformed, params, "blocks.0.mlp_norm")'
ATTEND = "attended, _ = attention_forward(*queries_keys_values(rows, params, num_heads))"
NORMED = 'layer_norm(rows, params, "blocks.0.attention_norm")'
MLP_NORMED = 'layer_norm(rows, params, "blocks.0.mlp_norm")'
ROWS = "rows = np.concatenate([memory, x_proj[:, None]], axis=1)"
NEW = "mlp_block(attention_block(rows, params, num_heads), params)[:, :-1]"
GATE = 'linear(np.tanh(memory), params, "gate_memory")'
LOOP = """outputs = []
    for t in range(inputs.shape[1]):
        memory = step(inputs[:, t], memory, params, num_heads)
        outputs.append(memory.reshape(len(memory), -1))"""

WRONG = [
    ("queries_keys_values", QKV, 'linear(rows, params, "blocks.0.qkv")', "blocks.0.qkv_norm is missing"),
    ("queries_keys_values", CUT, FLAT, "split_heads first, then cut each head's last axis"),
    ("queries_keys_values", CUT, ALONE, "is normalised by itself"),
    (
        "queries_keys_values",
        "(heads.shape[-1] - rows.shape[-1] // num_heads) // 2",
        "heads.shape[-1] // 3",
        "q must",
    ),
    (
        "queries_keys_values",
        CUT,
        f"q, k, v = {CUT[7:]}\n    return k, q, v",
        "q is what k should be. The order",
    ),
    (
        "queries_keys_values",
        CUT,
        f"v, k, q = {CUT[7:]}\n    return q, k, v",
        "q is what v should be. The order",
    ),
    (
        "queries_keys_values",
        CUT,
        f"q, v, k = {CUT[7:]}\n    return q, k, v",
        "k is what v should be. The order",
    ),
    ("queries_keys_values", CUT, "return heads", "It must return 3 values, (q, k, v)"),
    (
        "attention_block",
        "rows + merge_heads(attended)",
        "merge_heads(attended)",
        "The residual is missing: add the",
    ),
    ("attention_block", ATTENDED, "rows + merge_heads(attended)", "blocks.0.attention_norm is missing"),
    (
        "attention_block",
        ATTENDED,
        'rows + layer_norm(merge_heads(attended), params, "blocks.0.attention_norm")',
        "The norm comes before the sum",
    ),
    *(
        (
            "attention_block",
            "attended, _ = attention_forward(*queries_keys_values(rows, params, num_heads))",
            "q, k, v = queries_keys_values(rows, params, num_heads)\n"
            f"    attended, _ = attention_forward({order})",
            f"attention_forward takes q, k and v in this order; it got {order}.",
        )
        for order in ("k, q, v", "v, k, q", "q, v, k", "k, v, q", "v, q, k")
    ),
    ("attention_block", "merge_heads(attended)", "attended", "It stops with ValueError in line"),
    ("mlp_block", "rows + transformed", "transformed", "add the rows to the MLP's result"),
    ("mlp_block", MLP, "rows + transformed", "blocks.0.mlp_norm is missing"),
    (
        "mlp_block",
        "rows + transformed",
        "rows + np.maximum(transformed, 0)",
        "There is a ReLU after the last layer",
    ),
    (
        "mlp_block",
        "transformed, _ = mlp_forward(rows, weights, biases)",
        'transformed = linear(linear(rows, params, "mlp.0"), params, "mlp.1")',
        "The ReLU between the two layers is missing",
    ),
    ("mlp_block", "transformed, _ =", "transformed =", "A tuple came where one array is wanted"),
    ("attention_block", "attended, _ =", "attended =", "A tuple came where one array is wanted"),
    (
        "attention_block",
        "merge_heads(attended)",
        "attended",
        "The heads are not merged: merge_heads puts them",
    ),
    ("step", "updated, _ =", "updated =", "The memory must be a NumPy array, got a tuple of 2; take [0]."),
    ("step", "[:, :-1]", "[:-1]", "`new` has shape (1, 4, 8): drop the row on axis 1, [:, :-1]."),
    ("step", "[:, :-1]", "[..., :-1]", "`new` has shape (2, 4, 7): drop the row on axis 1, [:, :-1]."),
    ("run", "inputs[:, t]", "inputs[t]", "inputs[t] is sample t, inputs[:, t] is step t"),
    ("run", "    return np.stack", "        return np.stack", "`return` stands inside the loop"),
    (
        "run",
        "outputs = []\n    for t in range(inputs.shape[1]):\n",
        "for t in range(inputs.shape[1]):\n        outputs = []\n",
        "`outputs = []` stands before the loop",
    ),
    (
        "small_core",
        "return RelationalMemory(",
        "RelationalMemory = type('RelationalMemory', (dict,), {'__module__': 'relational_rnn.torch'})\n"
        "    return RelationalMemory(input_size=",
        "relational_rnn.reference.RelationalMemory, got a relational_rnn.torch.RelationalMemory.",
    ),
    (
        "step",
        f"{ROWS}  # (B, N + 1, D)\n    new = {NEW}",
        f"rows = memory\n    new = {NEW[:-8]}",
        "is not appended",
    ),
    ("step", ROWS, "rows = np.concatenate([x_proj[:, None], memory], axis=1)", "The input row stands first"),
    ("step", "return updated", "return new", "The gates are missing"),
    (
        "step",
        "logits, new, memory",
        "logits, memory, new",
        "`new` and `memory` are swapped: gates_forward takes",
    ),
    (
        "step",
        "logits, new, memory",
        "memory, new, logits",
        "gates_forward takes logits, new, memory, in this",
    ),
    (
        "step",
        "input_bias=0.0, forget_bias=1.0",
        "input_bias=1.0, forget_bias=0.0",
        "The biases are swapped: ga",
    ),
    (
        "step",
        NEW,
        "attention_block(mlp_block(rows, params), params, num_heads)[:, :-1]",
        "The MLP comes before the attention",
    ),
    ("step", NEW, "attention_block(rows, params, num_heads)[:, :-1]", "The MLP is missing"),
    (
        "step",
        "linear(x_proj, params",
        "linear(np.tanh(x_proj), params",
        "The gates see tanh of the input too",
    ),
    ("step", "[:, :-1]", "[:, 1:]", "The first slot was dropped"),
    ("step", ' + linear(x_proj, params, "gate_input")[:, None]', "", "The gates do not see the input"),
    ("step", "forget_bias=1.0", "forget_bias=0.0", "The forget bias is missing"),
    ("step", GATE, 'linear(memory, params, "gate_memory")', "The gates see the memory without tanh"),
    ("step", GATE, 'linear(np.tanh(new), params, "gate_memory")', "The gates see the new memory"),
    ("step", "[:, :-1]", "", "The input's row is still there, N + 1 rows"),
    (
        "run",
        "memory = step(inputs[:, t], memory, params, num_heads)\n        outputs.append(memory",
        "last = step(inputs[:, t], memory, params, num_heads)\n        outputs.append(last",
        "Each step begins with the first memory again",
    ),
    ("run", "axis=1)", "axis=0)", "The outputs are time first"),
    (
        "run",
        "memory = step(inputs[:, t], memory, params, num_heads)\n"
        "        outputs.append(memory.reshape(len(memory), -1))",
        "outputs.append(memory.reshape(len(memory), -1))\n"
        "        memory = step(inputs[:, t], memory, params, num_heads)",
        "These are the memories before each step",
    ),
    (
        "run",
        LOOP,
        LOOP.replace("memory", "last").replace("outputs = []", "outputs, last = [], memory"),
        "That is the memory before the first step",
    ),
    (
        "small_core",
        "return RelationalMemory(",
        "return dict(input_size=",
        "It must return a RelationalMemory",
    ),
    ("small_core", "mem_slots=4", "mem_slots=8", "mem_slots is 8, not 4"),
    ("small_core", "head_size=32, num_heads=1", "head_size=8, num_heads=4", "num_heads is 4, not 1"),
    ("small_core", "np.float32", "np.float64", "The core is float64"),
    ("small_core", "seed=seed", "seed=0", "Two seeds give the same weights"),
    (
        "queries_keys_values",
        "split_heads(qkv, num_heads)",
        "qkv.reshape(len(qkv), num_heads, qkv.shape[1], -1)",
        "reshape alone cuts across the rows",
    ),
    ("attention_block", ATTENDED, "merge_heads(attended)", "The residual and the norm are missing"),
    *(
        ("attention_block", ATTENDED, new, "The norm comes before the sum")
        for new in (
            f"{NORMED} + merge_heads(attended)",
            f"{NORMED} + {NORMED.replace('rows', 'merge_heads(attended)')}",
        )
    ),
    *(
        (
            "attention_block",
            f"{ATTEND}  # (B, H, M, V)\n    return {ATTENDED}",
            f"{ATTEND.replace('rows', NORMED)}\n    return {last}",
            "The norm comes before the attention",
        )
        for last in (
            "rows + merge_heads(attended)",
            f"{NORMED} + merge_heads(attended)",
            ATTENDED,
            ATTENDED.replace("rows", NORMED),
        )
    ),
    ("attention_block", ATTENDED, NORMED.replace("rows", ATTENDED), "The norm runs twice"),
    ("attention_block", ATTENDED, ATTENDED.replace("attention_n", "mlp_n"), "That is the norm of the MLP"),
    (
        "attention_block",
        "merge_heads(attended)",
        "attended.reshape(rows.shape)",
        "mixes up the rows of the heads",
    ),
    ("mlp_block", MLP, "transformed", "The residual and the norm are missing"),
    *(
        ("mlp_block", MLP, new, "The norm comes before the sum")
        for new in (
            f"rows + {MLP_NORMED.replace('rows', 'transformed')}",
            f"{MLP_NORMED} + transformed",
            f"{MLP_NORMED} + {MLP_NORMED.replace('rows', 'transformed')}",
        )
    ),
    *(
        (
            "mlp_block",
            f"mlp_forward(rows, weights, biases)\n    return {MLP}",
            f"mlp_forward({MLP_NORMED}, weights, biases)\n    return {last}",
            "The norm comes before the MLP",
        )
        for last in (
            "rows + transformed",
            f"{MLP_NORMED} + transformed",
            MLP,
            MLP.replace("rows", MLP_NORMED),
        )
    ),
    ("mlp_block", MLP, MLP_NORMED.replace("rows", MLP), "The norm runs twice"),
    ("mlp_block", MLP, MLP.replace("mlp_n", "attention_n"), "That is the norm of the attention"),
    ("mlp_block", "weights, biases)", "weights[::-1], biases[::-1])", "The layers come in the wrong order"),
    (
        "mlp_block",
        "transformed, _ = mlp_forward(rows, weights, biases)",
        'transformed = linear(np.tanh(linear(rows, params, "mlp.0")), params, "mlp.1")',
        "There is a tanh between the two layers",
    ),
    (
        "step",
        "return updated",
        "return np.concatenate([updated, x_proj[:, None]], axis=1)",
        "still there, N + 1",
    ),
    ("step", "[memory, x_proj[:, None]], axis", "[memory, x_proj], axis", "One array has an axis fewer"),
    (
        "step",
        "[memory, x_proj[:, None]], axis",
        "memory, x_proj[:, None], axis",
        "take the arrays as one list",
    ),
    ("step", "input_bias=0.0", "input_bias=1.0", "The input bias is 1; it is 0"),
    ("step", "logits, new, memory", "logits, np.tanh(new), memory", "`new` goes through tanh twice"),
    ("step", "logits, new, memory", "logits, new, np.tanh(memory)", "The old memory goes through tanh"),
    ("step", "attention_block(rows, params, num_heads)", "rows", "The attention is missing: attention_block"),
    ("step", f"logits = {GATE} + ", "logits = 0 * memory[..., :1] + ", "The gates do not see the memory"),
    (
        "step",
        f'{GATE} + linear(x_proj, params, "gate_input")',
        'linear(np.tanh(memory), params, "gate_input") + linear(x_proj, params, "gate_memory")',
        "The gates' two layers are exchanged",
    ),
    ("run", "memory = step", "_ = step", "The memory never changes"),
    ("run", "step(inputs[:, t], memory", "step(inputs[:, t], 0 * memory", "begins with a memory of zeros"),
    ("run", "inputs[:, t]", "inputs[:, 0]", "Each step sees the first input"),
    ("run", "range(inputs.shape[1])", "reversed(range(inputs.shape[1]))", "from the last to the first"),
]
