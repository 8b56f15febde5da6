"""Wrong answers to exercise 8: function, what of the solution becomes what, and what the learner reads."""

TWICE = "a multiplication and the addition after it count as one here"
LSTM = "steps * 4 * width * (inputs + width)"
GATES = "slots * 2 * width**2 + 2 * width**2"
BLOCK = "steps * 12 * width**2 + attention_cost(steps, steps, width)"
AGAIN = "sum(transformer_cost(step, width) for step in range(1, steps + 1))"
CACHED = "12 * width**2 + attention_cost(1, step, width)"
FIRST = "next((steps for steps in range(1, longest + 1) if one(steps) < other(steps)), 0)"
FIT = "np.polyfit(np.log(lengths), np.log(seconds), deg=1)"
SLOPE = f"slope, _ = {FIT}\n    return float(slope)"

WRONG = [
    ("lstm_cost", "steps * 4", "2 * steps * 4", TWICE),
    ("lstm_cost", "steps * 4", "4", "That is a single step"),
    ("lstm_cost", "steps * 4", "steps", "That is one gate; there are three"),
    ("lstm_cost", "steps * 4", "steps * 3", "That is three gates; the candidate"),
    ("lstm_cost", "(inputs + width)", "inputs", "The products with the hidden state are missing"),
    ("lstm_cost", "(inputs + width)", "width", "The products with the input are missing"),
    ("attention_cost", "2 * queries", "queries", "Half of it is missing"),
    ("attention_cost", "2 * queries", "4 * queries", TWICE),
    ("attention_cost", " * width", "", "The width is missing"),
    ("core_cost", "return steps", "return 2 * steps", TWICE),
    ("core_cost", "return steps * ", "return ", "That is a single step"),
    (
        "core_cost",
        "rows = slots + 1\n    projections",
        "rows = slots\n    projections",
        "The input's row is missing",
    ),
    ("core_cost", "inputs * width + ", "", "The projection of the input is missing"),
    ("core_cost", "attention_cost(rows, rows, width) + ", "", "The attention is missing: N + 1 queries"),
    ("core_cost", " + mlp", "", "2 D² for each of N + 1 rows are missing"),
    ("core_cost", GATES, "2 * slots * 2 * width**2", "The gates' layer of the input runs once a step"),
    ("core_cost", GATES, "rows * 2 * width**2 + 2 * width**2", "the input's row has no gates"),
    ("transformer_cost", f"return {BLOCK}", f"return 2 * ({BLOCK})", TWICE),
    ("transformer_cost", "12", "11", "The projection of the result is missing"),
    ("transformer_cost", "12", "8", "That is 8 D² for each row"),
    ("transformer_cost", "12", "4", "The MLP is missing"),
    ("transformer_cost", " + attention_cost(steps, steps, width)", "", "The attention is missing."),
    *(
        (
            "transformer_cost",
            " + attention_cost(steps, steps, width)",
            f" + {half}",
            "That is about half of the",
        )
        for half in (
            "attention_cost(steps, steps, width) // 2",
            "steps * (steps + 1) * width",
        )
    ),
    ("transformer_cost", BLOCK, f"2 * ({BLOCK}) / 2", "must be a whole number, got the float"),
    ("core_cost", "mlp = rows * 2", "mlp = rows", "the MLP has two layers"),
    ("transformer_cost", "12", "6", "The hidden features of the MLP are 4 D"),
    ("recomputed_cost", AGAIN, "steps * transformer_cost(steps, width)", "Each step is counted as the last"),
    ("recomputed_cost", "range(1, steps + 1)", "range(steps)", "The last step is missing"),
    ("recomputed_cost", AGAIN, "transformer_cost(steps, width)", "That is the whole sequence at once"),
    ("cached_cost", "(1, step, width)", "(1, steps, width)", "the query meets t keys, not T"),
    ("cached_cost", "(1, step, width)", "(1, step - 1, width)", "The row's own key is missing"),
    ("cached_cost", "(1, step, width)", "(step, step, width)", "only the new row asks"),
    ("cached_cost", CACHED, f"step * {CACHED}", "only the new row goes through the matrices"),
    ("state_size", '"lstm": 2 * width', '"lstm": width', "An LSTM keeps two vectors"),
    ("state_size", "slots * width", "(slots + 1) * width", "The input's row is not kept"),
    ("state_size", '"core": slots', '"core": 2 * slots', "The core keeps one memory"),
    ("state_size", "2 * steps * width", "steps * width", "A key and a value are kept"),
    ("state_size", "2 * steps * width", "3 * steps * width", "The queries need not be kept"),
    ("first_cheaper", "range(1, longest + 1)", "range(longest, 0, -1)", "That is the last such length"),
    ("first_cheaper", "<", "<=", "At that length both cost the same"),
    ("first_cheaper", "range(1, longest + 1)", "range(1, longest)", "The longest length is left out"),
    ("first_cheaper", ", 0)", ", longest)", "There is none, so the result should be 0"),
    ("first_cheaper", "range(1,", "range(0,", "It stops with ValueError in line"),
    ("growth", FIT, "np.polyfit(lengths, seconds, deg=1)", "take logarithms of both first"),
    ("growth", "np.log(lengths)", "lengths", "Only the times are logarithms"),
    (
        "growth",
        SLOPE,
        "x, y = np.log(lengths), np.log(seconds)\n    return float(x @ y / (x @ x))",
        "The line is forced through 0",
    ),
    (
        "growth",
        FIT,
        "np.polyfit(np.log(seconds), np.log(lengths), deg=1)",
        "The slope is the other way round",
    ),
    ("growth", "slope, _ =", "_, slope =", "That is the intercept"),
    (
        "growth",
        SLOPE,
        "x, y = np.log(lengths), np.log(seconds)\n    return float((y[-1] - y[0]) / (x[-1] - x[0]))",
        "That uses the first and the last point alone",
    ),
]
