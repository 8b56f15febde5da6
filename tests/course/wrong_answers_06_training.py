"""Wrong answers to exercise 6: function, what of the solution becomes what, and what the learner reads."""

LAST = "last, every = scores[:, -1], np.arange(len(targets))"
LOSS = "float(-logs[every, targets].mean())"
SHIFTED = "shifted = last - last.max(axis=1, keepdims=True)"
NORM = "math.sqrt(sum(float((gradient**2).sum()) for gradient in gradients.values()))"
FACTOR = "min(1.0, max_norm / norm) if norm > 0 else 1.0"
CLIPPED = "return {name: gradient * factor for name, gradient in gradients.items()}"
ALONE = """return {
        name: gradient * min(1.0, max_norm / np.sqrt((gradient**2).sum()))
        for name, gradient in gradients.items()
    }"""
STEPPED = "optimizer.step(model.params, clip(model.grads, max_norm))"
RATED = "optimizer.learning_rate = learning_rate"
ACCURACY = "float((scores[:, -1].argmax(axis=1) == targets).mean())"
RATE = "peak * warmup(step, warmup_steps)"
BOUND = "score + 5 * standard_error(score, window * batch_size)"
MEAN = "accuracies[steps - window : steps].mean()"

WRONG = [
    ("warmup", "(step + 1)", "step", "The factor of step 0 is 0"),
    ("warmup", "min(1.0, (step + 1) / warmup_steps)", "(step + 1) / warmup_steps", "It goes on growing"),
    (
        "last_step_loss",
        "return float(-logs[every, targets].mean())",
        "return float(np.mean([-np.log(np.exp(row)[target] / np.exp(row).sum())"
        " for rows, target in zip(scores, targets) for row in rows]))",
        "That is the loss of all steps",
    ),
    ("last_step_loss", "scores[:, -1], np", "scores[:, 0], np", "That is the loss of the first step"),
    ("last_step_loss", LOSS, LOSS.replace("mean", "sum"), "That is the sum over the batch"),
    ("last_step_loss", LOSS, LOSS.replace("-logs", "logs"), "The sign is missing: minus the logarithm"),
    (
        "last_step_loss",
        LOSS,
        "float(-last[every, targets].mean())",
        "minus the mean score of the right class",
    ),
    (
        "last_step_loss",
        LOSS,
        "1 - float(np.exp(logs)[every, targets].mean())",
        "That is 1 minus the mean probability",
    ),
    (
        "last_step_loss",
        LOSS,
        "float(-np.log(np.exp(logs)[every, targets] + 1e-8).mean())",
        "That is nearly right. Is a small number added",
    ),
    ("last_step_loss", " / len(targets)", "", "The gradient is not divided by B"),
    ("last_step_loss", "    d_last[every, targets] -= 1\n", "", "That is the softmax; subtract 1"),
    ("last_step_loss", "= d_last / len", "= -d_last / len", "The sign is the other way round"),
    (
        "last_step_loss",
        "d_scores[:, -1] = d_last / len(targets)",
        "power = np.exp(scores) / np.exp(scores).sum(axis=2, keepdims=True)\n"
        "    d_scores = (power - np.eye(scores.shape[2])[targets][:, None]) / len(targets)",
        "All steps have a gradient",
    ),
    ("last_step_loss", SHIFTED, "shifted = last", "The loss is inf: exp(1000) overflows"),
    (
        "last_step_loss",
        LOSS,
        "float(-np.log(np.exp(logs)[every, targets]).mean())",
        "The loss is inf: exp(1000) overflows, and log(0) is -inf",
    ),
    ("clip", CLIPPED, ALONE, "Each array is clipped by itself"),
    ("clip", NORM, f"({NORM}) ** 2", "The norm is not rooted"),
    (
        "clip",
        NORM,
        "sum(float(abs(gradient).sum()) for gradient in gradients.values())",
        "The sum of absolute values is no Euclidean norm",
    ),
    ("clip", FACTOR, "1.0", "They are not clipped"),
    ("clip", FACTOR, "min(1.0, max_norm / (norm + 1e-6))", "That is nearly right. Is a small number added"),
    ("clip", FACTOR, "max_norm / norm if norm > 0 else 1.0", "short enough are made longer"),
    ("clip", FACTOR, "min(1.0, max_norm / norm)", "It stops with ZeroDivisionError in line"),
    ("clip", CLIPPED, f"{CLIPPED}, norm", "with the names weight, bias; got tuple"),
    ("clip", CLIPPED, "return {'weight': gradients['weight']}", "got the names weight"),
    (
        "clip",
        CLIPPED,
        f"for gradient in gradients.values():\n        gradient *= factor\n    {CLIPPED}",
        "It changes its argument gradients['weight']",
    ),
    ("train_step", STEPPED, "pass", "The parameters have not changed"),
    ("train_step", "clip(model.grads, max_norm)", "model.grads", "The gradients were not clipped"),
    ("train_step", "(model.grads, max_norm)", "(model.grads, 1.0)", "They are clipped at 1.0"),
    ("train_step", "optimizer.learning_rate = learning_rate", "pass", "used its old learning rate"),
    (
        "train_step",
        STEPPED,
        f"{STEPPED}\n    loss, d_scores = last_step_loss(model.forward(inputs), targets)\n"
        f"    model.backward(d_scores)\n    {STEPPED}",
        "The model was changed twice",
    ),
    (
        "train_step",
        STEPPED,
        f"{STEPPED}\n    loss, _ = last_step_loss(model.forward(inputs), targets)",
        "That is the loss after the change",
    ),
    (
        "train_step",
        "    model.backward(d_scores)\n",
        "",
        "model.backward(d_scores) has not been called before",
    ),
    *(
        (
            "train_step",
            f"    model.backward(d_scores)\n    {RATED}\n    {STEPPED}",
            new,
            "has not been called",
        )
        for new in (
            "    1 / math.sqrt(sum((g**2).sum() for g in model.grads.values()))",
            "    for name in model.params:\n        model.params[name] -= learning_rate * model.grads[name]",
            "    for name, g in model.grads.items():\n        model.params[name] -= learning_rate * g",
        )
    ),
    (
        "train_step",
        f"    model.backward(d_scores)\n    {RATED}\n    {STEPPED}\n",
        f"    {RATED}\n    {STEPPED}\n    model.backward(d_scores)\n",
        "model.backward(d_scores) has not been called before the step",
    ),
    (
        "train_step",
        f"return loss, {ACCURACY}",
        f"scores = model.forward(inputs)\n    return loss, {ACCURACY}",
        "That is the accuracy after the change",
    ),
    (
        "train_step",
        ACCURACY,
        "float((scores.argmax(axis=2) == targets[:, None]).mean())",
        "That is the accuracy of all steps",
    ),
    ("train_step", ACCURACY, ACCURACY.replace("mean", "sum"), "That is the number of right answers"),
    (
        "train_step",
        f"return loss, {ACCURACY}",
        f"return {ACCURACY}, loss",
        "That is the accuracy: return the loss, then",
    ),
    ("train_step", "return loss, ", "return ", "It must return 2 values, (loss, accuracy)"),
    ("train", RATE, "peak", "There is no warm-up"),
    (
        "train",
        "    for step in range(steps):\n        inputs, targets = draw()\n",
        "    inputs, targets = draw()\n    for step in range(steps):\n",
        "All steps have the same examples",
    ),
    ("train", RATE, "warmup(step, warmup_steps)", "multiply it by the peak"),
    ("train", "warmup(step,", "warmup(step + 1,", "The warm-up counts from 1"),
    ("train", "rate)[1]", "rate)[0]", "The array of accuracies is"),
    (
        "train",
        "np.array(accuracies)",
        "accuracies",
        "The array of accuracies must be a NumPy array, got a list of 5",
    ),
    (
        "standard_error",
        "math.sqrt(score * (1 - score) / questions)",
        "score * (1 - score) / questions",
        "root",
    ),
    ("standard_error", " / questions", "", "That is the spread of a single answer"),
    ("standard_error", "(1 - score) / questions)", "(1 - score)) / questions", "by 1/sqrt(n), not by 1/n"),
    ("standard_error", "/ questions", "* questions", "of the number of right answers"),
    ("left_plateau", MEAN, "accuracies[steps - 1]", "One lucky batch is taken for the end"),
    ("left_plateau", MEAN, "accuracies[:steps].mean()", "The mean runs over all steps so far"),
    ("left_plateau", "return steps\n", "return steps - 1\n", "That is the index of the last step"),
    ("left_plateau", "return steps\n", "return steps - window\n", "That is where the window begins"),
    ("left_plateau", "window * batch_size", "batch_size", "The bound is too high"),
    ("left_plateau", "5 * ", "", "The bound is a single standard error"),
    *(("left_plateau", "5 * ", f"{errors} * ", "the margin is five standard errors") for errors in (2, 3, 4)),
    *(
        ("left_plateau", "range(window, len", f"range({start}len", "Two accuracies are no window of four")
        for start in ("1, ", "")
    ),
    ("left_plateau", f"bound = {BOUND}", "bound = score", "There is no margin"),
    (
        "left_plateau",
        f"range(window, len(accuracies) + 1):\n        if {MEAN}",
        "range(1, len(accuracies) + 1):\n        if accuracies[max(0, steps - window) : steps].mean()",
        "before that fewer would be averaged",
    ),
    ("left_plateau", "return 0", "return len(accuracies)", "It never left the plateau"),
    ("left_plateau", "    return 0", "    return None", "It returns nothing (None)"),
]
