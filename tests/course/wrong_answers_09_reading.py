"""Wrong answers to exercise 9: function, what of the solution becomes what, and what the learner reads."""

BEFORE = "before = np.concatenate([initial[:, None], memories[:, :-1]], axis=1)"
CHANGED = "return np.linalg.norm(memories - before, axis=3).mean(axis=0)"
SHARE = "attention[..., -1].mean(axis=(0, 3))"
SINGULAR = "singular = np.linalg.svd(memories, compute_uv=False)"
LOGS = "logs = np.log(np.where(shares > 0, shares, 1))"
RANK = "np.exp(-(shares * logs).sum(axis=-1)).mean(axis=0)"
CENTRED = "x, y = features - mean, targets - target_mean"
SOLVED = "np.linalg.solve(x.T @ x + penalty * np.eye(x.shape[1]), x.T @ y).T"
WITH_ONES = """x = np.concatenate([features, np.ones((len(features), 1))], axis=1)
    both = np.linalg.solve(x.T @ x + penalty * np.eye(x.shape[1]), x.T @ targets).T
    return both[:, :-1], both[:, -1]
    x, y = features - mean, targets - target_mean"""
FITTED = "fit_probe(features[:half], classes[:half], count)"
TOLD = "told = (features[half:] @ weights.T + bias).argmax(axis=1)"
SCORED = "return float((told == classes[half:]).mean())"
MIXED = "mixed[:, slots] = np.roll(memory, 1, axis=0)[:, slots]"
ON = "core.forward(inputs[:, step:], mixed)"
RUN = "_, memory = core.forward(inputs[:, :step])"

WRONG = [
    (
        "slot_changes",
        f"{BEFORE}\n    {CHANGED}",
        CHANGED.replace("memories - before", "np.diff(memories, axis=1)"),
        "The first step is missing",
    ),
    ("slot_changes", "initial[:, None]", "0 * initial[:, None]", "The first step is measured from 0"),
    (
        "slot_changes",
        CHANGED,
        "return np.linalg.norm((memories - before).mean(axis=0), axis=2)",
        "That is the length of the mean change",
    ),
    ("slot_changes", "memories - before", "memories", "That is how long the slots are"),
    (
        "slot_changes",
        CHANGED,
        "return np.square(memories - before).sum(axis=3).mean(axis=0)",
        "That is the squared length",
    ),
    (
        "slot_changes",
        "memories - before",
        "memories - initial[:, None]",
        "measured from the initial memory; take",
    ),
    ("input_share", "[..., -1]", "[..., 0]", "That is the weight on the first slot"),
    ("input_share", "[..., -1]", "[..., -1, :]", "That is the weight that the last slot gives"),
    ("input_share", SHARE, "attention[..., -1].mean(axis=0).sum(axis=2)", "It is the sum over the slots"),
    ("input_share", "axis=(0, 3)", "axis=(0, 2, 3)", "The heads are averaged too"),
    ("effective_rank", LOGS, "logs = np.log(shares * (shares > 1e-12))", "where a singular value is 0"),
    ("effective_rank", LOGS, "logs = np.log(shares + 1e-8)", "That is nearly right. Is a small number added"),
    ("effective_rank", SINGULAR, f"{SINGULAR} ** 2", "The shares are those of the squared singular values"),
    ("effective_rank", RANK, "-(shares * logs).sum(axis=-1).mean(axis=0)", "That is the entropy"),
    (
        "effective_rank",
        RANK,
        "np.exp(-(shares * logs).sum(axis=-1).mean(axis=0))",
        "That is exp of the mean entropy",
    ),
    (
        "effective_rank",
        f"return {RANK}",
        "return np.linalg.matrix_rank(memories).mean(axis=0)",
        "as linear algebra counts it",
    ),
    (
        "effective_rank",
        "svd(memories,",
        "svd(memories.mean(axis=0, keepdims=True),",
        "That is the rank of the mean memory",
    ),
    *(
        ("fit_probe", "np.eye(count)[classes]", f"classes{more}", "The classes are used as numbers")
        for more in ("", "[:, None]", ".astype(float)")
    ),
    ("fit_probe", "penalty * np.eye", "0 * np.eye", "There is no penalty"),
    ("fit_probe", "penalty * np.eye", "np.eye", "The penalty is 1; `penalty` was 2"),
    ("fit_probe", "penalty * np.eye", "len(x) * penalty * np.eye", "multiplied by the number of samples"),
    ("fit_probe", CENTRED, WITH_ONES, "The bias is penalised as well"),
    ("fit_probe", CENTRED, "x, y = features, targets", "are not centred, so the line goes through 0"),
    ("fit_probe", "return weights,", "return weights.T,", "They are transposed: (C, D)"),
    ("fit_probe", "target_mean - weights @ mean", "target_mean", "That is the mean of the codes"),
    ("fit_probe", "target_mean - weights", "target_mean + weights", "The sign is wrong: b is"),
    ("fit_probe", "penalty=1.0", "penalty=0.5", "weights are"),
    ("fit_probe", "np.eye(count)", "np.eye(classes.max() + 1)", "The classes are counted in `classes`"),
    (
        "fit_probe",
        "weights @ mean",
        "(weights @ mean)[: classes.max() + 1]",
        "It stops with ValueError in line",
    ),
    (
        "probe_accuracy",
        f"{TOLD}\n    {SCORED}",
        f"{TOLD}\n    {SCORED}".replace("half:", ":half"),
        "so flatters",
    ),
    ("probe_accuracy", "half = len(features) // 2", "half = len(features)", "The accuracy holds NaN"),
    (
        "probe_accuracy",
        f"{FITTED}\n    {TOLD}\n    {SCORED}",
        f"{FITTED}\n    {TOLD}\n    {SCORED}".replace("[:half]", "").replace("[half:]", ""),
        "It is fitted and scored on all samples",
    ),
    (
        "probe_accuracy",
        FITTED,
        FITTED.replace("[:half]", ""),
        "It was fitted on the samples that it is scored on too",
    ),
    ("probe_accuracy", " + bias", "", "The bias is left out"),
    ("probe_accuracy", ".mean()", ".sum()", "That is the number of right answers"),
    (
        "probe_accuracy",
        f"{FITTED}\n    {TOLD}\n    {SCORED}",
        f"{FITTED}\n    {TOLD}\n    {SCORED}".replace("[:half]", "[xx]")
        .replace("half:", ":half")
        .replace("xx", "half:"),
        "The halves are swapped",
    ),
    (
        "probe_map",
        "for n in range(slots)] for t in range(steps)]",
        "for t in range(steps)] for n in range(slots)]",
        "Steps and slots are swapped",
    ),
    ("probe_accuracy", "argmax(axis=1)", "argmax(axis=0)", "argmax runs over the samples"),
    ("probe_map", "memories[:, t, n]", "memories[:, n, t]", "memories[:, t, n], step before slot"),
    ("probe_map", "memories[:, t, n]", "memories[:, t, 0]", "All slots of a row are the same"),
    ("probe_map", "return np.array(", "return list(", "The map must be a NumPy array, got a list of 4"),
    ("transplant", "memory.copy()", "memory", "It writes into what the core returned"),
    ("transplant", MIXED, "pass", "Nothing was replaced"),
    ("transplant", "np.roll(memory, 1", "np.roll(memory, -1", "The slots come from sample b + 1"),
    (
        "transplant",
        MIXED,
        "mixed = np.roll(memory, 1, axis=0)\n    mixed[:, slots] = memory[:, slots]",
        "The other slots were replaced",
    ),
    ("transplant", MIXED, "mixed = np.roll(memory, 1, axis=0)", "All slots were replaced"),
    ("transplant", RUN, f"step += 1\n    {RUN}", "It is a step late"),
    ("transplant", RUN, f"step -= 1\n    {RUN}", "It is a step early"),
    ("transplant", ON, "core.forward(inputs[:, step:])", "began with the initial memory"),
    ("transplant", ON, "core.forward(inputs, mixed)", "The whole sequence was run again"),
    ("transplant", "outputs[:, -1]", "outputs", "The output must have shape (6, 15)"),
    (
        "slot_changes",
        BEFORE,
        "before = np.roll(memories, 1, axis=1)",
        "from the last memory, as np.roll does",
    ),
    ("slot_changes", "initial[:, None]", "memories[:, :1]", "The first step is measured from itself"),
    ("slot_changes", "initial[:, None]", "initial", "One array has an axis fewer"),
    ("slot_changes", ".mean(axis=0)", ".sum(axis=0)", "That is the sum over the samples; take the mean"),
    ("slot_changes", ".mean(axis=0)", ".max(axis=0)", "That is the largest change of any sample"),
    *(
        ("slot_changes", CHANGED, f"return {new}", message)
        for new, message in {
            "(memories - before).mean(axis=(0, 3))": "Changes have a sign",
            "(memories - before).sum(axis=3).mean(axis=0)": "Changes have a sign",
            "np.abs(memories - before).mean(axis=(0, 3))": "That is the sum of absolute changes",
            "np.abs(memories - before).sum(axis=3).mean(axis=0)": "That is the sum of absolute changes",
            "np.sqrt(((memories - before) ** 2).mean(axis=(0, 3)))": "The squares are averaged",
            "np.sqrt(((memories - before) ** 2).mean(axis=3)).mean(axis=0)": "The squares are averaged over",
            "np.sqrt(((memories - before) ** 2).sum(axis=3).mean(axis=0))": "That is the root of a mean",
        }.items()
    ),
    ("input_share", SHARE, "attention[..., -1].sum(axis=0).mean(axis=2)", "It is the sum over the samples"),
    ("input_share", ".mean", ".sum", "It is the sum over samples and slots"),
    ("input_share", SHARE, "attention[..., :-1].mean(axis=(0, 3, 4))", "the weight on the slots' own rows"),
    ("input_share", SHARE, "(1 - attention[..., -1]).mean(axis=(0, 3))", "the weight on the slots' own rows"),
    ("effective_rank", "np.exp(-", "np.exp(", "The minus is missing: exp(-"),
    ("effective_rank", RANK, "(shares * logs).sum(axis=-1).mean(axis=0)", "The minus is missing: exp(-"),
    *(
        ("effective_rank", "np.log(", f"np.log{base}(", "The logarithm is that of base 2 or 10")
        for base in (2, 10)
    ),
    *(
        ("effective_rank", "np.exp(-", f"({base}.0) ** (-", "The logarithm is natural, and 2 ** or 10 **")
        for base in (2, 10)
    ),
    ("effective_rank", RANK, RANK.replace(".mean", ".sum"), "That is the sum over the samples"),
    ("effective_rank", RANK, "(1 / (shares**2).sum(axis=-1)).mean(axis=0)", "another count of directions"),
    ("effective_rank", RANK, "1 / (shares**2).sum(axis=-1).mean(axis=0)", "another count of directions"),
    ("effective_rank", "singular.sum(", "singular.max(", "The singular values are divided by the largest"),
    ("effective_rank", " / singular.sum(axis=-1, keepdims=True)", "", "are not divided by their sum"),
    ("effective_rank", "singular.sum(axis=-1, keepdims=True)", "singular.sum()", "are divided by one sum"),
    ("fit_probe", "features - mean, targets", "features, targets", "Only the codes are centred"),
    ("fit_probe", "penalty * np.eye(x.shape[1])", "penalty", "The penalty is added to every entry"),
    ("fit_probe", "penalty * np.eye", "penalty**2 * np.eye", "The penalty is squared; it is"),
    ("fit_probe", "target_mean - weights @ mean", "-weights @ mean", "The codes' mean is missing"),
    ("fit_probe", "target_mean - weights @ mean", "np.zeros(count)", "The bias is 0; it is the codes' mean"),
    ("probe_accuracy", "told ==", "told !=", "That is the share of wrong answers"),
    (
        "transplant",
        MIXED,
        "for b in range(len(mixed)):\n        mixed[b, slots] = mixed[b - 1, slots]",
        "A loop changed the samples in place",
    ),
    (
        "transplant",
        MIXED,
        "for b in range(1, len(mixed)):\n        mixed[b, slots] = memory[b - 1, slots]",
        "The first sample kept its slots",
    ),
    *(
        ("transplant", MIXED, f"mixed[:, slots] = np.roll({rolled}", message)
        for rolled, message in {
            "memory, 1, axis=1)[:, slots]": "The slots were rolled; roll the samples",
            "memory[:, slots], 1, axis=1)": "The slots were rolled; roll the samples",
            "memory, 1)[:, slots]": "np.roll without an axis",
            "memory[:, slots], 1)": "np.roll without an axis",
        }.items()
    ),
    ("transplant", MIXED, "mixed[:, slots] = 0", "The slots were set to 0"),
    ("transplant", MIXED, MIXED.replace("[:, slots]", "[slots]"), "Whole samples were replaced"),
]
