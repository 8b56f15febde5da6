"""Wrong answers to exercise 7: function, what of the solution becomes what, and what the learner reads."""

SLOPE = "(function(above) - function(below)) / (2 * step)"
LINEAR = "return d_y @ weight, np.einsum("
OUTER = 'np.einsum("bno,bnd->od", d_y, x)'
SUMMED = "d_y.sum(axis=(0, 1))"
SOFTMAX = "y * (d_y - (d_y * y).sum(axis=-1, keepdims=True))"
SCORES = "d_products = softmax_backward(d_weights, weights) / math.sqrt(q.shape[-1])"
TOTAL = "d_kept + d_squashed * (1 - squashed**2) + d_new + d_q + d_k + d_v"
LARGEST = "np.abs(gradient - central_differences(loss, x)).max()"
DIFFERENCE = "gradient - central_differences(loss, x)"
PASSED = "d_products @ k, d_products.swapaxes(-1, -2) @ q, d_v"

WRONG = [
    (
        "central_differences",
        SLOPE,
        "(function(above) - function(x)) / step",
        "That is the forward difference",
    ),
    ("central_differences", "/ (2 * step)", "/ step", "It is twice as large"),
    ("central_differences", "/ (2 * step)", "/ 2 * step", "Brackets are missing: / (2 * step)"),
    ("central_differences", " / (2 * step)", "", "It is not divided by the distance"),
    (
        "central_differences",
        "above[at] += step\n        below[at] -= step",
        "above += step\n        below -= step",
        "All entries are moved at once",
    ),
    ("central_differences", "x.copy(), x.copy()", "x, x.copy()", "It changes its argument x"),
    ("central_differences", "function(above)", "function(above[at])", "It stops with ValueError in line"),
    ("central_differences", "step=1e-5", "step=1e-2", "The gradient is"),
    ("linear_backward", OUTER, f"{OUTER}.T", "d_weight is transposed"),
    ("linear_backward", "bno,bnd->od", "bno,bnd->bod", "d_weight is kept for each sample"),
    ("linear_backward", OUTER, f"{OUTER} / (len(x) * x.shape[1])", "d_weight is a mean over the rows"),
    ("linear_backward", SUMMED, "d_y.sum(axis=0)", "d_bias is summed over the batch alone"),
    ("linear_backward", SUMMED, "d_y.mean(axis=(0, 1))", "d_bias is a mean over the rows"),
    ("linear_backward", LINEAR, LINEAR.replace("weight", "weight.T"), "It stops with ValueError in line"),
    ("softmax_backward", SOFTMAX, "d_y * y * (1 - y)", "That is the diagonal of the Jacobian"),
    ("softmax_backward", SOFTMAX, "d_y * y", "The part through the row's sum is missing"),
    ("softmax_backward", "axis=-1", "axis=-2", "The sum runs over the queries"),
    ("softmax_backward", "(axis=-1, keepdims=True)", "()", "The sum runs over the whole array"),
    ("softmax_backward", "(d_y * y).sum(", "d_y.mean(", "That subtracts the plain mean of d_y"),
    ("softmax_backward", "(d_y * y)", "d_y", "The sum is of d_y alone"),
    ("softmax_backward", SOFTMAX, SOFTMAX.removeprefix("y * "), "The bracket is right; multiply it by y"),
    ("attention_backward", " / math.sqrt(q.shape[-1])", "", "1/sqrt(K) is missing"),
    ("attention_backward", "softmax_backward(d_weights, weights)", "d_weights", "The softmax is missing"),
    ("attention_backward", "(d_weights, weights)", "(weights, d_weights)", "of softmax_backward are swapped"),
    ("attention_backward", "weights.swapaxes(-1, -2) @", "weights @", "d_v needs the weights transposed"),
    ("attention_backward", "d_products.swapaxes(-1, -2) @ q", "d_products @ q", "d_k needs the scores'"),
    (
        "attention_backward",
        PASSED,
        "d_products.swapaxes(-1, -2) @ q, d_products @ k, d_v",
        "d_q and d_k are sw",
    ),
    (
        "attention_backward",
        PASSED,
        "d_v, d_products.swapaxes(-1, -2) @ q, d_products @ k",
        "That is d_q: return",
    ),
    (
        "attention_backward",
        PASSED,
        "d_v, d_products @ k, d_products.swapaxes(-1, -2) @ q",
        "That is d_k: return",
    ),
    ("attention_backward", SCORES, SCORES.replace("-1]", "-2]"), "d_q is"),
    ("attention_backward", "return d_products @ k, d_", "return d_products @ q, d_", "d_q is"),
    ("attention_backward", "v.swapaxes(-1, -2)", "v.T", "v.T reverses all 3 axes of v"),
    ("gates_backward", "[d_i, d_f]", "[d_f, d_i]", "The halves of d_logits are swapped"),
    (
        "gates_backward",
        "return np.concatenate([d_i, d_f], axis=-1)",
        "return np.concatenate([d_next * candidate, d_next * memory], axis=-1)",
        "The sigmoid's derivative is missing",
    ),
    (
        "gates_backward",
        "d_next * candidate * i * (1 - i)\n    d_f = d_next * memory",
        "d_next * memory * i * (1 - i)\n    d_f = d_next * candidate",
        "The gates get each other's factor",
    ),
    (
        "gates_backward",
        "i * (1 - i)\n    d_f = d_next * memory * f * (1 - f)",
        "(1 - i**2)\n    d_f = d_next * memory * (1 - f**2)",
        "you took tanh's, 1 - s²",
    ),
    ("gates_backward", "d_next * i * (1 - candidate**2)", "d_next * i", "tanh's derivative is missing"),
    ("gates_backward", "candidate**2", "candidate", "the square of its result"),
    ("gates_backward", "candidate**2", "np.tanh(candidate) ** 2", "you took tanh of it once more"),
    ("gates_backward", "d_new, d_next * f", "d_next * f, d_new", "d_new and d_memory are swapped"),
    ("gates_backward", "d_new, d_next * f", "d_new, d_next * i", "is d_next times f, not i"),
    ("gates_backward", "d_new, d_next * f", "d_new, d_next", "d_memory is d_next as it came"),
    ("step_backward", TOTAL, TOTAL.replace(" + d_new", ""), "The residual's path is missing"),
    ("step_backward", TOTAL, TOTAL.removeprefix("d_kept + "), "The path through the forget gate is missing"),
    (
        "step_backward",
        TOTAL,
        "d_kept + d_new + d_q + d_k + d_v",
        "The path through the gates' logits is missing",
    ),
    ("step_backward", " * (1 - squashed**2)", "", "On the way through the logits tanh's derivative"),
    *(
        ("gates_backward", f" * {gate} * (1 - {gate})", "", "is missing at one of the gates")
        for gate in ("i", "f")
    ),
    *(
        (
            "gates_backward",
            "candidate * i * (1 - i)\n    d_f = d_next * memory * f * (1 - f)",
            f"candidate * {i}\n    d_f = d_next * memory * {f}",
            "two factors, s and 1 - s; one is missing",
        )
        for i, f in (("i", "f"), ("(1 - i)", "(1 - f)"))
    ),
    ("step_backward", " + d_q + d_k + d_v", " + d_q", "Only the queries' path leads through"),
    ("step_backward", " + d_q + d_k + d_v", " + d_v", "Only the values' path leads through"),
    ("step_backward", " + d_q + d_k + d_v", "", "The whole path through the attention is missing"),
    ("step_backward", " + d_q", "", "The memory gave the queries too, and their gradient"),
    ("step_backward", " + d_k + d_v", " + d_v", "The memory gave the keys too"),
    ("step_backward", " + d_k + d_v", " + d_k", "The memory gave the values too"),
    ("step_backward", "(d_logits, squashed, weight)", "(d_logits, memory, weight)", "layer got tanh(memory)"),
    (
        "gradient_gaps",
        "(d_next * step(memory, x, bias)[0])",
        "step(memory, x, bias)[0]",
        "The backward pass was right, and the gaps are",
    ),
    ("gradient_gaps", LARGEST, f"({DIFFERENCE}).max()", "take absolute values before the largest"),
    ("gradient_gaps", LARGEST, LARGEST.replace("max()", "mean()"), "That is the mean of the differences"),
    (
        "gradient_gaps",
        LARGEST,
        f"np.sqrt((({DIFFERENCE}) ** 2).sum())",
        "That is the norm of the differences",
    ),
    (
        "gradient_gaps",
        "zip(derived, losses",
        "zip(derived[:1] * 3, losses",
        "It stops with ValueError in line",
    ),
]
