"""Wrong answers to exercise 3: function, what of the solution becomes what, and what the learner reads."""

SIGMOID = "0.5 * (1 + np.tanh(0.5 * x))"
BLEND = "sigmoid(i + input_bias) * np.tanh(new) + sigmoid(f + forget_bias) * memory"
RETAINED = "float(sigmoid(forget_bias) ** steps)"
BIASES = ' + params["gate_memory.bias"]', ' + params["gate_input.bias"]'
LOGITS = "of_memory + of_input[:, None]"
COUNT = "2 * (2 * gates * width + 2 * gates)"

WRONG = [
    ("sigmoid", SIGMOID, "1 / (1 + np.exp(x))", "The sign is the other way round"),
    ("sigmoid", SIGMOID, "np.tanh(x)", "That is tanh"),
    ("sigmoid", SIGMOID, "np.exp(x) / (1 + np.exp(x))", "infinity / infinity is NaN"),
    ("sigmoid", SIGMOID, "1 / (1 + np.exp(-x))", "exp(1000) overflows: NumPy warns"),
    ("sigmoid", SIGMOID, "np.where(x < 0, np.exp(x) / (1 + np.exp(x)), 1 / (1 + np.exp(-x)))", "overflows"),
    ("gate_logits", "np.tanh(memory)", "memory", "The memory enters without tanh"),
    ("gate_logits", "x_proj @", "np.tanh(x_proj) @", "The input goes through tanh as well"),
    (
        "gate_logits",
        f"return {LOGITS}",
        f'return {LOGITS} - params["gate_memory.bias"] - params["gate_input.bias"]',
        "The biases are missing: both layers have one",
    ),
    ("gate_logits", BIASES[0], "", "The bias of the memory's layer is missing"),
    ("gate_logits", BIASES[1], "", "The bias of the input's layer is missing"),
    ("gate_logits", LOGITS, "of_memory", "The input is missing"),
    ("gate_logits", LOGITS, "0 * of_memory + of_input[:, None]", "The memory is missing"),
    ("gate_logits", "of_input[:, None]", "of_input", "It stops with ValueError in line"),
    ("gate_logits", '.weight"].T', '.weight"]', "It stops with ValueError in line"),
    ("gated_update", "i, f =", "f, i =", "The halves are swapped"),
    (
        "gated_update",
        BLEND,
        BLEND.replace("input", "xx").replace("forget", "input").replace("xx", "forget"),
        "swapped",
    ),
    (
        "gated_update",
        BLEND,
        BLEND.replace(" + input_bias", "").replace(" + forget_bias", ""),
        "have no effect",
    ),
    (
        "gated_update",
        BLEND,
        "(sigmoid(i) + input_bias) * np.tanh(new) + (sigmoid(f) + forget_bias) * memory",
        "The biases are added after the sigmoid",
    ),
    ("gated_update", "(i + input_bias)", "(i)", "input_bias has no effect"),
    ("gated_update", "(f + forget_bias)", "(f)", "forget_bias has no effect"),
    ("gated_update", "sigmoid(i + input_bias)", "(sigmoid(i) + input_bias)", "input_bias is added after the"),
    ("gated_update", "sigmoid(f + forget_bias)", "(sigmoid(f) + forget_bias)", "forget_bias is added after"),
    (
        "gated_update",
        BLEND,
        BLEND.replace("new", "x").replace("memory", "new").replace("x", "memory"),
        "are swapped: i",
    ),
    ("gated_update", "np.tanh(new)", "new", "`new` enters without tanh"),
    ("gated_update", "* memory", "* np.tanh(memory)", "The old memory goes through tanh"),
    ("gated_update", "sigmoid(f + forget_bias)", "(1 - sigmoid(i + input_bias))", "The forget gate is 1 - i"),
    ("gated_update", BLEND, BLEND.replace("sigmoid", ""), "The logits are used as gates"),
    ("gated_update", "forget_bias=1.0", "forget_bias=0.0", "The forget bias is 0 by default"),
    (
        "gated_update",
        f"return {BLEND}",
        f"memory *= 1.5\n    return {BLEND}",
        "It changes its argument memory",
    ),
    ("gate_parameters", COUNT, "2 * 2 * gates * width", "'unit': the biases are missing"),
    ("gate_parameters", COUNT, "2 * gates * width + 2 * gates", "'unit': that is half"),
    ("gate_parameters", '"memory": 1', '"memory": width', "for 'memory' and width 12 is 624, expected 52"),
    (
        "retention",
        "sigmoid(forget_bias) ** steps",
        "sigmoid(forget_bias) * steps",
        "times the number of steps",
    ),
    ("retention", "sigmoid(forget_bias) ** steps", "forget_bias ** steps", "The bias is not a gate yet"),
    (
        "retention",
        "sigmoid(forget_bias) ** steps",
        "sigmoid(forget_bias)",
        "That is the gate of a single step",
    ),
    ("forget_bias_for", "np.log(gate / (1 - gate))", "gate", "That is the gate g. The bias is"),
    ("forget_bias_for", "share ** (1 / steps)", "share", "The share is used as the gate of one step"),
]
