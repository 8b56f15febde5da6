"""Wrong answers to exercise 2: function, what of the solution becomes what, and what the learner reads."""

NORMAL = "deviation * generator.standard_normal((slots, width))"
COPY = "np.repeat(initial[None], batch_size, axis=0)"
LAST = "return float(np.abs(last[:, order] - of_reordered).max())"
TOTAL = "np.where(total == 0, 1, total)"
MEAN = "memory.mean(axis=1, keepdims=True)"
SPREAD = f"np.sqrt((away**2).sum(axis=(1, 2)) / {TOTAL})"
RUNS = """_, last = core.forward(inputs, memory)
    _, of_reordered = core.forward(inputs, memory[:, order])"""
SHARED = "np.lib.stride_tricks.as_strided(initial, (batch_size, *initial.shape), (0, *initial.strides))"
SMALL = "A small number is added to the denominator, so the result is slightly too small; divide by 1"

WRONG = [
    ("zeros_memory", "(slots, width))", "(width, slots))", "The axes are swapped"),
    ("zeros_memory", "np.zeros((slots, width))", "np.zeros((1, slots, width))", "must have shape (3, 8)"),
    ("zeros_memory", "np.zeros", "np.empty", "np.empty writes nothing: what stood there before"),
    (
        "zeros_memory",
        "np.zeros((slots, width))",
        "[[0.0] * width] * slots",
        "must be a NumPy array, got a list",
    ),
    ("zeros_memory", "np.zeros((slots, width))", "np.zeros((slots, width), int)", "must be of dtype float64"),
    ("identity_memory", "np.eye(slots, width)", "np.eye(slots)", "rows of 8 features, got a square"),
    ("identity_memory", "np.eye(slots, width)", "np.eye(width)", "this one is as wide as it is high"),
    (
        "identity_memory",
        "np.eye(slots, width)",
        "np.repeat(np.eye(1, width), slots, axis=0)",
        "All slots are the same; slot i has its 1",
    ),
    ("normal_memory", "(slots, width))", "width) + np.zeros((slots, 1))", "draw (slots, width) numbers"),
    ("normal_memory", "deviation *", "deviation**0.5 *", "is taken for a variance"),
    ("normal_memory", "deviation *", "", "deviation 0.999: expected 0 and 0.1"),
    (
        "normal_memory",
        NORMAL,
        "deviation * generator.uniform(-3**0.5, 3**0.5, (slots, width))",
        "no normal distr",
    ),
    (
        "normal_memory",
        NORMAL,
        "deviation * np.random.default_rng().standard_normal((slots, width))",
        "The same seed gives another memory",
    ),
    ("normal_memory", "generator.st", "np.random.default_rng(0).st", "Two calls give the same memory"),
    ("start", COPY, "np.tile(initial, (batch_size, 1))", "The slots are repeated, (B N, D)"),
    ("start", COPY, "np.repeat(initial[:, None], batch_size, axis=1)", "The batch axis comes second"),
    ("start", COPY, "np.broadcast_to(initial, (batch_size, *initial.shape))", "np.broadcast_to gives a view"),
    (
        "start",
        COPY,
        SHARED,
        "Writing into the batch changes `initial`",
    ),
    (
        "start",
        COPY,
        SHARED.replace("initial,", "initial.copy(),"),
        "Writing into one sample changes the others",
    ),
    (
        "start",
        f"return {COPY}",
        f"whole = {COPY}\n    return np.lib.stride_tricks.as_strided(whole, strides=(0, *whole.strides[1:]))",
        "Writing into one sample changes the others",
    ),
    ("initial_memory_gradient", "sum(axis=0)", "mean(axis=0)", "That is the mean over the batch"),
    ("initial_memory_gradient", "sum(axis=0)", "sum(axis=1)", "The sum runs over the slots"),
    ("initial_memory_gradient", "d_memory.sum(axis=0)", "d_memory[0]", "the first sample's gradient alone"),
    ("slot_spread", MEAN, "memory.mean(axis=2, keepdims=True)", "The mean runs over the features"),
    ("slot_spread", MEAN, "memory.mean(axis=0, keepdims=True)", "The mean runs over the samples"),
    ("slot_spread", "np.sqrt(", "(", "The root is missing"),
    ("slot_spread", f" / {TOTAL}", "", "so it grows with the memory"),
    ("slot_spread", SPREAD, "np.sqrt((away**2).sum() / (memory**2).sum())", "one number for the batch"),
    ("slot_spread", TOTAL, "total", "0 / 0 is NaN"),
    *(("slot_spread", TOTAL, f"(total + {small})", SMALL) for small in ("1e-8", "1e-6", "1e-3")),
    ("slot_spread", SPREAD, "np.sqrt((away**2).sum(axis=(1, 2))) / (np.sqrt(total) + 1e-8)", SMALL),
    ("slot_spread", f"return {SPREAD}", f"return ({SPREAD}).astype('f')", "That is nearly right."),
    (
        "slot_spread",
        f"away = memory - {MEAN}",
        f"memory -= {MEAN}; away = memory",
        "It changes its argument memory",
    ),
    *(
        (
            "permutation_gap",
            RUNS,
            RUNS.replace("_, last", "last, _").replace("_, of_reordered", "of_reordered, _") + more,
            "These are the outputs: `forward` returns",
        )
        for more in ("", "\n    last, of_reordered = last[:, -1], of_reordered[:, -1]")
    ),
    ("permutation_gap", "last[:, order]", "last", "though the core treats all slots alike"),
    ("permutation_gap", "np.abs(last[:, order] - of_reordered).max()", "0.0", "Nothing is compared"),
    ("permutation_gap", ".max()", ".mean()", "That is the mean difference"),
    (
        "permutation_gap",
        "np.abs(last[:, order] - of_reordered)",
        "(last[:, order] - of_reordered)",
        "np.abs before",
    ),
    ("permutation_gap", LAST, "return np.abs(last[:, order] - of_reordered)", "The gap must have shape ()"),
    ("zeros_memory", "((slots, width))", "(slots, width)", "A shape is one argument, a tuple"),
    ("identity_memory", "np.eye(slots, width)", "np.eye((slots, width))", "takes its sizes one by one"),
    (
        "identity_memory",
        "np.eye(slots, width)",
        "np.eye(width, slots)",
        "The axes are swapped: the slots come",
    ),
    ("normal_memory", "((slots, width))", "(slots, width)", "A shape is one argument, a tuple"),
    ("normal_memory", "deviation *", "deviation**2 *", "deviation is squared: multiply by it once"),
    ("start", COPY, "np.repeat(initial, batch_size, axis=0)", "Each slot is repeated, not the whole memory"),
    ("start", "axis=0", "axis=1", "Each slot is repeated, not the whole memory"),
    (
        "start",
        COPY,
        "np.repeat(initial, batch_size, axis=0).reshape(batch_size, *initial.shape)",
        "Samples have one slot several times",
    ),
    ("start", COPY, "np.tile(initial, batch_size)", "The features are repeated, (N, B D)"),
    ("start", COPY, "np.repeat(initial, batch_size)", "np.repeat without an axis"),
    ("slot_spread", MEAN, "memory.mean(axis=1)", "x[:, None] puts an axis of length 1 there"),
    ("slot_spread", MEAN, "memory.mean(axis=(0, 1))", "The mean runs over all slots of all samples"),
    ("slot_spread", MEAN, "memory.mean()", "One number is taken for the mean of all"),
    ("slot_spread", MEAN, "memory[:, :1]", "The first slot is taken for the mean"),
    (
        "slot_spread",
        SPREAD,
        f"np.sqrt((away**2).sum(axis=(1, 2))) / {TOTAL}",
        "The root is that of the numerator alone",
    ),
    ("permutation_gap", ".max()", ".sum()", "That is the sum of the differences"),
    (
        "permutation_gap",
        "np.abs(last[:, order] - of_reordered)",
        "((last[:, order] - of_reordered) ** 2)",
        "That is the square of the largest difference",
    ),
]
