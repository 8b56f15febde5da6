"""Exercise 6: a training loop, and how to tell that the plateau is over.

Write the functions, then run this file or `relational-rnn course check 6`; both say where the lesson is.
Each function may use those above it.
"""


def warmup(step, warmup_steps):
    """Return the factor of the learning rate: it grows in equal parts, then stays 1.

    Args:
        step: number of the step, from 0.
        warmup_steps: W; the factor of step 0 is 1/W, from step W - 1 on it is 1.

    Returns:
        A float.
    """
    raise NotImplementedError("A straight line from 1/W at step 0 to 1 at step W - 1, then 1.")


def last_step_loss(scores, targets):
    """Return the cross-entropy of the answers after the last step, and its gradient.

    Args:
        scores: (B, T, C), one score a class after every step; may be large.
        targets: (B,) integers, the right classes after the last step.

    Returns:
        loss: a float, the mean over the batch of `-log softmax(scores of the last step)[target]`.
        d_scores: (B, T, C), 0 at all steps but the last.
    """
    raise NotImplementedError(
        "Take the last step's scores alone; its gradient is softmax minus one-hot, divided by B."
    )


def clip(gradients, max_norm):
    """Shorten all gradients together so that their joint norm is at most `max_norm`.

    Args:
        gradients: arrays by name.
        max_norm: a number above 0.

    Returns:
        Arrays by name, all multiplied by the same factor, which is at most 1.
    """
    raise NotImplementedError(
        "One norm over all entries of all arrays, one factor for all, and never a factor above 1."
    )


def train_step(model, inputs, targets, optimizer, learning_rate, max_norm=1.0):
    """Change a model's parameters once.

    Args:
        model: a `Classifier`: `forward(inputs)` returns scores (B, T, C), `backward(d_scores)` fills `grads`,
            a dict with the names of `params`.
        inputs: (B, T, F).
        targets: (B,).
        optimizer: has a `learning_rate`, and `step(params, gradients)` changes the parameters in place.
        learning_rate: of this step.
        max_norm: for the clipping.

    Returns:
        loss: before the change.
        accuracy: share of the last step's answers that were right, before the change.
    """
    raise NotImplementedError(
        "Forward, loss, backward, set the rate, clip, let the optimizer step; return what was before."
    )


def train(model, draw, optimizer, steps, peak, warmup_steps):
    """Train on fresh examples.

    Args:
        model: a `Classifier`.
        draw: called without arguments it returns fresh inputs (B, T, F) and targets (B,).
        optimizer: as in `train_step`.
        steps: how many.
        peak: the learning rate after the warm-up.
        warmup_steps: see `warmup`.

    Returns:
        (steps,): each step's accuracy, on examples that the model had not seen.
    """
    raise NotImplementedError(
        "For each step draw fresh examples, reckon the rate from peak and warm-up, and call train_step."
    )


def standard_error(score, questions):
    """Say how far a measured accuracy typically is from the true one.

    Args:
        score: p, the probability of a right answer.
        questions: how many were asked, each independent of the others.

    Returns:
        The standard deviation of the share that is right.
    """
    raise NotImplementedError(
        "A right answer is a coin with probability p; how far does the mean of so many spread?"
    )


def left_plateau(accuracies, score, batch_size, window):
    """Find when a training has left its plateau for good reason, and not by chance.

    Args:
        accuracies: (steps,), each on `batch_size` fresh questions.
        score: of the plateau.
        batch_size: B.
        window: so many steps are averaged.

    Returns:
        How many steps had been made when the mean of the last `window` accuracies was, for the first time,
        more than five standard errors above `score`; 0 if it never was.
    """
    raise NotImplementedError(
        "Average the last `window` accuracies at each step, and compare with the score plus five errors."
    )


if __name__ == "__main__":
    from relational_rnn.cli.main import main

    raise SystemExit(main(["course", "check", "6", __file__]))
