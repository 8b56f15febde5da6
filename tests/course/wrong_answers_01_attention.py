"""Wrong answers to exercise 1: function, what of the solution becomes what, and what the learner reads."""

SCALED = "scores = q @ k.swapaxes(-1, -2) / math.sqrt(q.shape[-1])"
MASKED = "weights = softmax(np.where(mask | ~attends, scores, -np.inf)) * attends"
PEAK = "power = np.exp(x - x.max(axis=-1, keepdims=True))"
TOTAL = "power / power.sum(axis=-1, keepdims=True)"
SPLIT = "x.reshape(batch, length, num_heads, width // num_heads).swapaxes(1, 2)"
MERGED = "x.swapaxes(1, 2).reshape(batch, length, heads * size)"
HEADS = "q, k, v = (split_heads(x, num_heads) for x in (Q, K, V))"
ATTENDED = "output, weights = scaled_dot_product_attention(q, k, v, mask)"
ATTENTION = "scaled_dot_product_attention"

WRONG = [
    ("softmax", f"return {TOTAL}", "return np.exp(x)", "not yet divided"),
    ("softmax", TOTAL, "power / power.sum(axis=0)", "Each column sums to 1"),
    ("softmax", TOTAL, "power / power.sum()", "All entries together sum to 1"),
    ("softmax", TOTAL, "x / x.sum(axis=-1, keepdims=True)", "take exp of them first"),
    ("softmax", "axis=-1", "axis=1", "It sums over axis 1"),
    (
        "softmax",
        TOTAL,
        f"power / ({TOTAL.removeprefix('power / ')} + 1e-8)",
        "That is nearly right. Is a small",
    ),
    ("softmax", PEAK, "power = np.exp(x)", "exp(1000) is infinite"),
    ("softmax", PEAK, "power = np.exp(x - x.max())", "Subtract each row's own largest score"),
    ("softmax", PEAK, "x -= 1\n    power = np.exp(x)", "It changes its argument x"),
    ("softmax", f"return {TOTAL}", TOTAL, "It returns nothing (None)"),
    *(
        (
            "softmax",
            "x.max(axis=-1, keepdims=True)",
            other,
            "Subtract the largest of the row, not its smallest",
        )
        for other in (
            "x.min(axis=-1, keepdims=True)",
            "x.mean(axis=-1, keepdims=True)",
            "x[..., :1]",
            "x[..., -1:]",
        )
    ),
    ("softmax", TOTAL, f"np.log({TOTAL})", "These are the weights' logarithms"),
    (ATTENTION, " / math.sqrt(q.shape[-1])", "", "yours are not scaled"),
    (ATTENTION, "math.sqrt(q.shape[-1])", "q.shape[-1]", "yours are divided by d_k"),
    (ATTENTION, "q.shape[-1]", "k.shape[-2]", "the root of the number of keys"),
    (
        ATTENTION,
        "softmax(scores)",
        "softmax(scores.swapaxes(-1, -2)).swapaxes(-1, -2)",
        "runs over the queries",
    ),
    (ATTENTION, "weights = softmax(scores)", "weights = scores", "the softmax is missing"),
    (ATTENTION, "return weights @ v, weights", "return weights, weights @ v", "in the wrong order"),
    (
        ATTENTION,
        "return weights @ v, weights",
        "return (weights @ v, weights), weights",
        "output must be a NumPy array, got a tuple of 2; take [0].",
    ),
    (ATTENTION, "return weights @ v, weights", "return weights @ v", "It must return 2 values"),
    (ATTENTION, "return weights @ v, weights", "return scores @ v, weights", "use the weights"),
    (ATTENTION, MASKED, "weights = softmax(scores)", "The mask has no effect"),
    (ATTENTION, MASKED, "weights = softmax(np.where(mask, -np.inf, scores))", "the wrong way round"),
    (ATTENTION, MASKED, "weights = softmax(scores) * mask", "The mask comes after the softmax"),
    (ATTENTION, MASKED, "weights = softmax(np.where(mask, scores, 0))", "which is a score like any other"),
    (ATTENTION, MASKED, "weights = softmax(scores + mask)", "The mask is added to the scores"),
    (ATTENTION, MASKED, "weights = softmax(np.where(mask, scores, -np.inf))", "weights[1] is NaN"),
    (ATTENTION, MASKED, "weights = softmax(np.where(mask, scores, -1e9))", "attends to everything evenly"),
    (ATTENTION, "math.sqrt", "np.sqrt", "is float64, though q, k and v are float32"),
    (ATTENTION, "k.swapaxes(-1, -2)", "k.T", "all 4 axes of k: (2, 3, 6, 4) becomes (4, 6, 3, 2)"),
    (ATTENTION, "k.swapaxes(-1, -2)", "np.transpose(k)", "k.swapaxes(-1, -2) swaps the last two"),
    (ATTENTION, SCALED, "scores = q @ k / math.sqrt(q.shape[-1])", "It stops with ValueError in line"),
    (
        "split_heads",
        SPLIT,
        "x.reshape(batch, num_heads, length, width // num_heads)",
        "The rows are mixed up",
    ),
    ("split_heads", ".swapaxes(1, 2)", "", "The heads are still behind the rows"),
    (
        "split_heads",
        SPLIT,
        "x.reshape(batch, length, width // num_heads, num_heads).transpose(0, 3, 1, 2)",
        "Head h has every 4th feature",
    ),
    ("merge_heads", MERGED, "x.reshape(batch, length, heads * size)", "head by head"),
    ("merge_heads", MERGED, "x.transpose(0, 2, 3, 1).reshape(batch, length, -1)", "are interleaved"),
    (
        "multi_head_attention",
        HEADS,
        "q, k, v = (x[:, None] for x in (Q, K, V))",
        "must have shape (2, 4, 5, 6)",
    ),
    ("multi_head_attention", HEADS, "q, k, v = Q, K, V", "It stops with ValueError in line"),
    (
        "multi_head_attention",
        f"{HEADS}  # (B, H, L, D / H)\n    {ATTENDED}\n    return merge_heads(output), weights",
        f"return {ATTENTION}(Q, K, V, mask)",
        "There is one head over all features",
    ),
    (
        "multi_head_attention",
        "return merge_heads(output), weights",
        "return output, weights",
        "are not merged",
    ),
    (
        "multi_head_attention",
        "return merge_heads(output), weights",
        "return merge_heads(output), weights.mean(axis=1)",
        "This is the mean over the heads",
    ),
    (
        "multi_head_attention",
        "return merge_heads(output), weights",
        f"return {ATTENTION}(Q, K, V, mask)[0], weights",
        "The output is that of one head",
    ),
    ("multi_head_attention", "(q, k, v, mask)", "(q, k, v)", "The mask is not passed on"),
    ("softmax", TOTAL, "power", "Each row's largest weight is 1; divide by the row's sum"),
    ("softmax", "power.sum(", "power.mean(", "Each row is divided by its mean"),
    ("softmax", PEAK, "power = np.exp(x.min(axis=-1, keepdims=True) - x)", "The sign is the other way round"),
    (
        "softmax",
        "power.sum(axis=-1, keepdims=True)",
        "power.sum(axis=-1)",
        "(2,) does not fit (2, 3), (2, 1) does",
    ),
    (ATTENTION, "/ math.sqrt", "* math.sqrt", "yours are multiplied by sqrt(d_k)"),
    (ATTENTION, "q.shape[-1]", "v.shape[-1]", "yours are not scaled, or by a size that is 1 here"),
    (ATTENTION, "weights @ v, weights", "weights @ k, weights", "The output is a mean of the keys"),
    (ATTENTION, "q @ k.swapaxes(-1, -2)", "k @ q.swapaxes(-1, -2)", "Is one of them to be transposed?"),
    ("multi_head_attention", "(Q, K, V)", "(Q, K, K)", "The values are made of K"),
    ("multi_head_attention", "(Q, K, V)", "(Q, V, V)", "The keys are made of V"),
    ("multi_head_attention", "(Q, K, V)", "(Q, V, K)", "The keys are made of V"),
    (
        "multi_head_attention",
        "merge_heads(output)",
        "output.reshape(Q.shape)",
        "Reshape alone joins the heads",
    ),
]
