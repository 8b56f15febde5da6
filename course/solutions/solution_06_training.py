"""Solution of exercise 6: a training loop, and how to tell that the plateau is over."""

import math

import numpy as np


def warmup(step, warmup_steps):
    """Return the factor of the learning rate: it grows in equal parts, then stays 1.

    Args:
        step: number of the step, from 0.
        warmup_steps: W; the factor of step 0 is 1/W, from step W - 1 on it is 1.

    Returns:
        A float.
    """
    return min(1.0, (step + 1) / warmup_steps)


def last_step_loss(scores, targets):
    """Return the cross-entropy of the answers after the last step, and its gradient.

    Args:
        scores: (B, T, C), one score a class after every step; may be large.
        targets: (B,) integers, the right classes after the last step.

    Returns:
        loss: a float, the mean over the batch of `-log softmax(scores of the last step)[target]`.
        d_scores: (B, T, C), 0 at all steps but the last.
    """
    last, every = scores[:, -1], np.arange(len(targets))
    shifted = last - last.max(axis=1, keepdims=True)
    logs = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))  # of the probabilities
    d_last = np.exp(logs)
    d_last[every, targets] -= 1
    d_scores = np.zeros_like(scores)
    d_scores[:, -1] = d_last / len(targets)
    return float(-logs[every, targets].mean()), d_scores


def clip(gradients, max_norm):
    """Shorten all gradients together so that their joint norm is at most `max_norm`.

    Args:
        gradients: arrays by name.
        max_norm: a number above 0.

    Returns:
        Arrays by name, all multiplied by the same factor, which is at most 1.
    """
    norm = math.sqrt(sum(float((gradient**2).sum()) for gradient in gradients.values()))
    factor = min(1.0, max_norm / norm) if norm > 0 else 1.0
    return {name: gradient * factor for name, gradient in gradients.items()}


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
    scores = model.forward(inputs)
    loss, d_scores = last_step_loss(scores, targets)
    model.backward(d_scores)
    optimizer.learning_rate = learning_rate
    optimizer.step(model.params, clip(model.grads, max_norm))
    return loss, float((scores[:, -1].argmax(axis=1) == targets).mean())


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
    accuracies = []
    for step in range(steps):
        inputs, targets = draw()
        rate = peak * warmup(step, warmup_steps)
        accuracies.append(train_step(model, inputs, targets, optimizer, rate)[1])
    return np.array(accuracies)


def standard_error(score, questions):
    """Say how far a measured accuracy typically is from the true one.

    Args:
        score: p, the probability of a right answer.
        questions: how many were asked, each independent of the others.

    Returns:
        The standard deviation of the share that is right.
    """
    return math.sqrt(score * (1 - score) / questions)


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
    bound = score + 5 * standard_error(score, window * batch_size)
    for steps in range(window, len(accuracies) + 1):
        if accuracies[steps - window : steps].mean() > bound:
            return steps
    return 0


if __name__ == "__main__":
    from relational_rnn.cli.main import main

    raise SystemExit(main(["course", "check", "6", __file__]))
