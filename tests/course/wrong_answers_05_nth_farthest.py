"""Wrong answers to exercise 5: function, what of the solution becomes what, and what the learner reads."""

SQUARES = "((vectors - reference[:, None]) ** 2).sum(axis=-1)"
REFERENCE = "vectors[np.arange(len(vectors)), reference_step]"
STEP = "(labels == reference[:, None]).argmax(axis=1)"
ANSWER = "labels[every, farthest_first[every, n]]"
PERMUTED = "generator.permuted(np.tile(np.arange(objects), (batch_size, 1)), axis=1)"
UNIFORM = "generator.uniform(-1, 1, (batch_size, objects, dimensions))"
SCORE = "return asks_for_reference * 1 + (1 - asks_for_reference) * 1 / (objects - 1)"

WRONG = [
    ("squared_distances", SQUARES, f"np.sqrt({SQUARES})", "leave the root out"),
    *(
        ("squared_distances", SQUARES, sum_of, "The square is missing: a squared distance is")
        for sum_of in (
            "np.abs(vectors - reference[:, None]).sum(axis=-1)",
            "(vectors - reference[:, None]).sum(axis=-1)",
        )
    ),
    (
        "squared_distances",
        REFERENCE,
        "vectors[:, reference_step[0]]",
        "All examples have the first one's reference",
    ),
    ("squared_distances", REFERENCE, "vectors[:, reference_step]", "Pair them: vectors[np.arange"),
    ("answer", "np.argsort(-", "np.argsort(", "n counts from the nearest"),
    ("answer", ANSWER, "farthest_first[every, n]", "These are steps; the answer is the label"),
    ("answer", STEP, "reference", "The reference is taken for a step"),
    ("encode", "[codes[reference], codes[n]]", "[codes[n], codes[reference]]", "are in the wrong order"),
    (
        "encode",
        "question = np.repeat(question[:, None], labels.shape[1], axis=1)",
        "question = question[:, None] * (np.arange(labels.shape[1]) == 0)[:, None]",
        "stands at the first step only",
    ),
    (
        "encode",
        "codes[reference]",
        "codes[(labels == reference[:, None]).argmax(axis=1)]",
        "is coded by its step",
    ),
    (
        "encode",
        "question = np.repeat(question[:, None], labels.shape[1], axis=1)",
        "question = question[:, None] * (np.arange(labels.shape[1]) == labels.shape[1] - 1)[:, None]",
        "stands at the last step only",
    ),
    ("encode", "codes[n]", "codes[labels.shape[1] - 1 - n]", "The codes of n run backwards"),
    ("answer", "[every, n]", "[every, n - 1]", "n is counted from 1; n = 0 is the farthest"),
    (
        "answer",
        ANSWER,
        ANSWER.replace("[every, n]", ".argsort(axis=1)[every, n]"),
        "argsort of argsort gives",
    ),
    ("encode", ".astype(np.float32)", "", "must be of dtype float32, got float64"),
    (
        "sample",
        "return encode(vectors, labels, n, reference)",
        "return vectors",
        "inputs must have shape (1000, 5, 18)",
    ),
    (
        "sample",
        "return encode(vectors, labels, n, reference)",
        "return vectors[0]",
        "got (5, 3)",
    ),
    (
        "sample",
        "return encode(vectors, labels, n, reference)",
        "return encode(vectors, labels, n, reference).astype(float)",
        "inputs must be float32, got float64",
    ),
    (
        "sample",
        "return encode(vectors, labels, n, reference)",
        "return 2 * encode(vectors, labels, n, reference)",
        "The oracle cannot read the inputs",
    ),
    ("sample", "answer(vectors, labels, n, reference)", "n", "targets are"),
    (
        "sample",
        UNIFORM,
        "generator.uniform(-1, 1, (1, objects, dimensions)).repeat(batch_size, axis=0)",
        "same vec",
    ),
    ("sample", "uniform(-1, 1,", "uniform(0, 1,", "The vectors lie in 0.00..1.00 instead of -1..1"),
    ("sample", PERMUTED, "np.tile(np.arange(objects), (batch_size, 1))", "Permute each row by itself"),
    (
        "sample",
        PERMUTED,
        "generator.permutation(np.tile(np.arange(objects), (batch_size, 1)))",
        "permutes the rows",
    ),
    (
        "sample",
        "n = generator.integers(objects,",
        "n = generator.integers(objects - 1,",
        "n is not uniform in 0..4",
    ),
    (
        "sample",
        "reference = generator.integers(objects, size=batch_size)",
        "reference = labels[:, 0]",
        "step is not",
    ),
    (
        "sample",
        UNIFORM,
        "np.tanh(2 * generator.standard_normal((batch_size, objects, dimensions)))",
        "The vectors are not uniform in -1..1: the tenths of the range",
    ),
    (
        "sample",
        PERMUTED,
        "(np.arange(objects) + generator.integers(objects, size=(batch_size, 1))) % objects",
        "Not every order of the labels is equally likely",
    ),
    (
        "sample",
        "reference = generator.integers(objects, size=batch_size)",
        "reference = n",
        "n and the reference's label depend on each other",
    ),
    (
        "sample",
        UNIFORM,
        "np.random.default_rng().uniform(-1, 1, (batch_size, objects, dimensions))",
        "The same seed",
    ),
    (
        "sample",
        "vectors = generator",
        "generator = np.random.default_rng(0)\n    vectors = generator",
        "Two calls give",
    ),
    ("trivial_answers", "reference, guess)", "guess, guess)", "n = N-1 asks for the nearest"),
    (
        "trivial_answers",
        "    guess += guess >= reference  # skips the reference's label\n",
        "",
        "guess among the others",
    ),
    (
        "trivial_answers",
        "generator.integers(objects - 1, size=len(n))",
        "np.zeros(len(n), int)",
        "are guessed more",
    ),
    (
        "trivial_answers",
        "return np.where(n == objects - 1, reference, guess)",
        "return guess[:5]",
        "must have shape (4000,), got (5,)",
    ),
    (
        "trivial_answers",
        "generator.integers(objects - 1,",
        "generator.integers(objects,",
        "Of 5 vectors the labels are 0..4; one answer is 5.",
    ),
    ("trivial_answers", "size=len(n))", "size=len(n)) + 0.0", "whole numbers; got an array of dtype float64"),
    (
        "trivial_answers",
        "guess = generator.",
        "guess = np.random.default_rng().",
        "The same seed gives other guesses",
    ),
    (
        "trivial_answers",
        "guess = generator.",
        "guess = np.random.default_rng(0).",
        "Two calls give the same guesses",
    ),
    ("trivial_score", SCORE, "return 1 / objects", "That is chance"),
    ("trivial_score", SCORE, "return 1 / (objects - 1)", "one question in N is answered for sure"),
    ("trivial_score", SCORE, "return 1 + 1 / (objects - 1)", "Both parts are added without their shares"),
]
