"""The checks of exercise 6: loss, clipping, a training loop in a few tiny steps, and the end of a plateau."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Final

import numpy as np

from relational_rnn.course.checking import Array, Function, Part, WrongAnswer, called, compare, unpack
from relational_rnn.reference import SGD, Classifier, RelationalMemory, clip_gradients, cross_entropy_loss
from relational_rnn.tasks.nth_farthest import NthFarthest
from relational_rnn.tasks.nth_farthest import sample as draw_batch

TASK: Final = NthFarthest(objects=3, dimensions=1)
BATCH: Final = 8
MAX_NORM: Final = 0.1
"""So small that every step of the tiny model is clipped."""
NO_GRADIENTS: Final = "model.backward(d_scores) has not been called before the step: there are no gradients."


def draw(*shape: int, seed: int = 0) -> Array:
    """Draw numbers from N(0, 1)."""
    return np.random.default_rng(seed).standard_normal(shape)


def factors(warmup: Function) -> None:
    """Four warm-up steps: 1/4, 1/2, 3/4, 1, and 1 from then on; then two: 1/2, 1, and 1."""
    steps = range(7)
    compare(
        "The factors of steps 0 to 6",
        np.array([warmup(step, 4) for step in steps]),
        np.array([0.25, 0.5, 0.75, 1, 1, 1, 1]),
        {
            "The factor of step 0 is 0, so the step is wasted: count it as the first, (step + 1) / W.": (
                np.array([0, 0.25, 0.5, 0.75, 1, 1, 1])
            ),
            "It goes on growing after the warm-up; hold it at 1.": np.array([(s + 1) / 4 for s in steps]),
        },
    )
    short = np.array([warmup(step, 2) for step in range(3)])
    compare("The factors of steps 0 to 2", short, np.array([0.5, 1, 1]))


def _loss(scores: Array, targets: Array) -> tuple[float, Array]:
    loss, d_last = cross_entropy_loss(scores[:, -1], targets)
    d_scores = np.zeros_like(scores)
    d_scores[:, -1] = d_last
    return loss, d_scores


def loss_of_the_last_step(last_step_loss: Function) -> None:
    """Five examples, three steps, four classes."""
    scores, targets = 2 * draw(5, 3, 4), np.array([3, 0, 1, 1, 2])
    loss, d_scores = _loss(scores, targets)
    got = unpack(("loss", "d_scores"), last_step_loss(scores, targets))
    every, d_every = cross_entropy_loss(scores, np.repeat(targets[:, None], 3, axis=1))
    rows, last = np.arange(5), scores[:, -1]
    power = np.exp(last) / np.exp(last).sum(axis=1, keepdims=True)
    compare(
        "loss",
        got[0],
        loss,
        {
            "That is the loss of all steps; the answer counts after the last one alone.": every,
            "That is the loss of the first step; the last is scores[:, -1].": cross_entropy_loss(
                scores[:, 0], targets
            )[0],
            "That is the sum over the batch; take the mean, so that the rate does not depend on B.": 5 * loss,
            "The sign is missing: minus the logarithm.": -loss,
            "That is minus the mean score of the right class; take the softmax's logarithm.": -last[
                rows, targets
            ].mean(),
            "That is 1 minus the mean probability; take its logarithm.": 1 - power[rows, targets].mean(),
        },
    )
    uncentred = np.zeros_like(scores)
    uncentred[:, -1] = power / 5
    compare(
        "d_scores",
        got[1],
        d_scores,
        {
            "The gradient is not divided by B, though the loss is a mean.": 5 * d_scores,
            "That is the softmax; subtract 1 at each right class.": uncentred,
            "The sign is the other way round: softmax minus one-hot.": -d_scores,
            "All steps have a gradient; the loss looks at the last alone.": 3 * d_every,
        },
    )


def loss_of_large_scores(last_step_loss: Function) -> None:
    """Scores of 1000 and of -1000: a finite loss."""
    scores, targets = np.array([[[0.0, 0.0], [1000.0, -1000.0]]]), np.array([1])
    loss, d_scores = unpack(("loss", "d_scores"), last_step_loss(scores, targets))
    if isinstance(loss, float | np.floating) and not np.isfinite(loss):
        raise WrongAnswer(
            f"The loss is {loss}: exp(1000) overflows, and log(0) is -inf. Subtract each row's largest score "
            f"first, and use log softmax = score - log(sum of exp), not the logarithm of the softmax."
        )
    right = _loss(scores, targets)
    compare("loss", loss, right[0])
    compare("d_scores", d_scores, right[1])


def gradients_that_are_too_long(clip: Function) -> None:
    """Two arrays with a joint norm of 5, to at most 1."""
    gradients = {"weight": np.array([[0.0, 3.0]]), "bias": np.array([4.0])}
    _clipped(clip(gradients, 1.0), gradients, 0.2)


def gradients_that_are_short(clip: Function) -> None:
    """The same with 10 allowed: they stay as they are; and gradients of 0."""
    gradients = {"weight": np.array([[0.0, 3.0]]), "bias": np.array([4.0])}
    _clipped(clip(gradients, 10.0), gradients, 1.0)
    nothing = {"weight": np.zeros((1, 2)), "bias": np.zeros(1)}
    _clipped(clip(nothing, 1.0), nothing, 1.0)


def _clipped(got: Any, gradients: dict[str, Array], factor: float) -> None:
    if not isinstance(got, dict) or got.keys() != gradients.keys():
        kind = f"the names {', '.join(map(str, got))}" if isinstance(got, dict) else type(got).__name__
        raise WrongAnswer(f"It must return a dict with the names {', '.join(gradients)}; got {kind}.")

    def joined(arrays: dict[str, Array]) -> Array:
        return np.concatenate([np.ravel(arrays[name]) for name in gradients])

    before = joined(gradients)
    mistakes = {}
    if factor < 1:
        mistakes = {
            "Each array is clipped by itself, which turns the direction. One norm, one factor for all.": (
                np.array([0.0, 1.0, 1.0])
            ),
            "The norm is not rooted: sqrt of the sum of squares.": before / 25,
            "The sum of absolute values is no Euclidean norm: sqrt of the sum of squares.": before / 7,
            "They are not clipped.": before,
        }
    elif before.any():
        mistakes = {"Gradients that are short enough are made longer; the factor is at most 1.": 2 * before}
    compare("All gradients in a row", joined(got), before * factor, mistakes)
    for name, value in gradients.items():
        compare(name, got[name], value * factor)


def make_model() -> Classifier:
    """Make a tiny classifier, always the same."""
    return Classifier(RelationalMemory(TASK.input_size, 2, head_size=4, seed=1), TASK.classes, seed=2)


def _examples() -> Callable[[], tuple[Array, Array]]:
    generator = np.random.default_rng(3)

    def fresh() -> tuple[Array, Array]:
        batch = draw_batch(TASK, BATCH, generator)
        return batch.inputs.astype(float), batch.targets

    return fresh


def _step(
    model: Classifier, inputs: Array, targets: Array, rate: float, max_norm: float
) -> tuple[float, float]:
    """Do what `train_step` should, with plain gradient descent."""
    scores = model.forward(inputs)
    loss, d_scores = _loss(scores, targets)
    model.backward(d_scores)
    grads, _ = clip_gradients(model.grads, max_norm)
    for name, value in model.params.items():
        value -= rate * grads[name]
    return loss, float((scores[:, -1].argmax(axis=1) == targets).mean())


def _joined(model: Classifier) -> Array:
    return np.concatenate([value.ravel() for value in model.params.values()])


def one_step(train_step: Function) -> None:
    """Eight examples, a tiny core, gradient descent with a rate of 4, clipped at 0.1."""
    _one_step(train_step, 4.0, MAX_NORM)  # so long a step that the accuracy changes


def another_step(train_step: Function) -> None:
    """A rate of 0.25, clipped at 0.2."""
    _one_step(train_step, 0.25, 2 * MAX_NORM)


def step_by_default(train_step: Function) -> None:
    """No `max_norm` given: clipped at 1."""
    _one_step(train_step, 0.5, None)


def _one_step(function: Function, rate: float, given: float | None) -> None:
    inputs, targets = _examples()()
    max_norm = 1.0 if given is None else given

    def after(rate: float, max_norm: float) -> Array:
        other = make_model()
        _step(other, inputs, targets, rate, max_norm)
        return _joined(other)

    model, twin = make_model(), make_model()
    start = _joined(model)
    norms = () if given is None else (given,)
    try:
        returned = function(model, inputs, targets, SGD(learning_rate=3.0), rate, *norms)
    except WrongAnswer as wrong:
        empty = called(wrong, "_check_match") or isinstance(wrong.__cause__, ZeroDivisionError | KeyError)
        if empty and not model.grads:
            raise WrongAnswer(NO_GRADIENTS) from wrong
        raise
    if not model.grads:
        raise WrongAnswer(NO_GRADIENTS)
    got = unpack(("loss", "accuracy"), returned)
    loss, accuracy = _step(twin, inputs, targets, rate, max_norm)
    scores = make_model().forward(inputs)
    compare(
        "The parameters after the step",
        _joined(model),
        _joined(twin),
        {
            "The parameters have not changed: optimizer.step(model.params, ...).": start,
            "The gradients were not clipped.": after(rate, 1e9),
            f"They are clipped at 1.0; `max_norm` was {max_norm}.": after(rate, 1.0),
            "The optimizer used its old learning rate: set optimizer.learning_rate before its step.": after(
                3.0, max_norm
            ),
            "The model was changed twice.": _twice(inputs, targets, rate, max_norm),
        },
    )
    compare(
        "loss",
        got[0],
        loss,
        {
            "That is the loss after the change.": _loss(twin.forward(inputs), targets)[0],
            "That is the accuracy: return the loss, then the accuracy.": accuracy,
        },
    )
    compare(
        "accuracy",
        got[1],
        accuracy,
        {
            "That is the accuracy after the change; take it from the scores before the step.": float(
                (twin.forward(inputs)[:, -1].argmax(axis=1) == targets).mean()
            ),
            "That is the accuracy of all steps; only the answer after the last counts.": float(
                (scores.argmax(axis=2) == targets[:, None]).mean()
            ),
            "That is the number of right answers; divide by B.": BATCH * accuracy,
        },
    )


def _twice(inputs: Array, targets: Array, rate: float, max_norm: float) -> Array:
    model = make_model()
    for _ in range(2):
        _step(model, inputs, targets, rate, max_norm)
    return _joined(model)


def five_steps(train: Function) -> None:
    """Five steps of eight fresh examples, three of them warm-up, peak rate 0.5."""
    _steps(train, 5, 0.5, 3)


def four_steps(train: Function) -> None:
    """Four steps, two of them warm-up, peak rate 0.25."""
    _steps(train, 4, 0.25, 2)


def _steps(train: Function, steps: int, peak: float, warmup_steps: int) -> None:
    def factor(step: int) -> float:
        return min(1.0, (step + 1) / warmup_steps)

    def run(factor: Callable[[int], float], fresh: bool = True) -> tuple[Array, Array]:
        model, examples = make_model(), _examples()
        accuracies = []
        batch = examples()
        for step in range(steps):
            batch = examples() if fresh and step else batch
            accuracies.append(_step(model, *batch, peak * factor(step), 1.0)[1])
        return np.array(accuracies), _joined(model)

    model = make_model()
    got = train(model, _examples(), SGD(learning_rate=3.0), steps, peak, warmup_steps)
    accuracies, right = run(factor)
    compare(
        f"The parameters after {steps} steps",
        _joined(model),
        right,
        {
            "There is no warm-up: the rate of a step is peak * warmup(step, warmup_steps).": run(
                lambda step: 1.0
            )[1],
            "All steps have the same examples: call draw() inside the loop.": run(factor, fresh=False)[1],
            "The rate is the warm-up's factor alone; multiply it by the peak.": run(
                lambda step: factor(step) / peak
            )[1],
            "The warm-up counts from 1; the first step is step 0.": run(lambda step: factor(step + 1))[1],
        },
    )
    compare("The array of accuracies", got, accuracies)


def errors(standard_error: Function) -> None:
    """Two thirds of 128 and of 12,800 questions, one half of 100."""
    for score, questions in ((2 / 3, 128), (2 / 3, 12_800), (0.5, 100)):
        variance = score * (1 - score)
        compare(
            f"The standard error of {score:.3f} and {questions} questions",
            standard_error(score, questions),
            math.sqrt(variance / questions),
            {
                "That is the variance; its root is asked for.": variance / questions,
                "That is the spread of a single answer; the mean of many spreads less.": math.sqrt(variance),
                "The mean of n answers spreads by 1/sqrt(n), not by 1/n.": math.sqrt(variance) / questions,
                "That is the spread of the number of right answers, not of their share.": math.sqrt(
                    variance * questions
                ),
            },
        )


def a_plateau_that_ends(left_plateau: Function) -> None:
    """A plateau at one half with a lucky batch, then a rise: windows of 4 steps of 100 questions."""
    plateau = [0.5, 0.48, 0.52, 0.44, 0.44, 0.46, 0.64, 0.44, 0.44, 0.46]
    rise = [0.49, 0.5, 0.55, 0.55, 0.55, 0.55, 0.59, 0.61, 0.61, 0.62, 0.65, 0.68, 0.7]
    rise += [0.9, 0.95, 0.95, 0.95, 1, 1, 1]
    accuracies = np.array(plateau + rise)  # so slow that each mistake below has a step of its own
    # The error of a window is that of 400 questions, 0.025, so its mean must be above 0.625.
    right = _first_above(accuracies, 4, 0.625)
    fewer = tuple(_first_above(accuracies, 4, 0.5 + 0.025 * errors) for errors in (2, 3, 4))
    so_far = np.cumsum(accuracies) / np.arange(1, len(accuracies) + 1)
    compare(
        "The number of steps",
        left_plateau(accuracies, 0.5, 100, 4),
        right,
        {
            "It ends too early, at a margin that chance reaches: the margin is five standard errors.": fewer,
            "One lucky batch is taken for the end of the plateau: average over the window.": _first_above(
                accuracies, 1, 0.625
            ),
            "The mean runs over all steps so far, not over the last `window`.": _first_above(
                so_far, 1, 0.625
            ),
            "That is the index of the last step; one step more had been made after it.": right - 1,
            "That is where the window begins; the question is after how many steps its mean was known.": right
            - 4,
            "The bound is too high: a window holds window * batch_size questions, not B.": _first_above(
                accuracies, 4, 0.75
            ),
            "The bound is a single standard error above the score, which chance often reaches; take five.": (
                _first_above(accuracies, 4, 0.525)
            ),
            "There is no margin: half of all means lie above the score by chance.": _first_above(
                accuracies, 4, 0.5
            ),
        },
    )


def another_plateau(left_plateau: Function) -> None:
    """A plateau at one third with a lucky batch: windows of 2 steps of 50 questions."""
    accuracies = np.array([0.3, 0.8, 0.3, 0.4, 0.6, 0.7])
    # The error of a window is that of 100 questions, so its mean must be above 0.569.
    compare("The number of steps", left_plateau(accuracies, 1 / 3, 50, 2), 6)


def a_plateau_that_does_not_end(left_plateau: Function) -> None:
    """A lucky first batch, then the plateau: 0."""
    compare(
        "The number of steps",
        left_plateau(np.array([0.9, 0.5, 0.5, 0.5, 0.5, 0.5]), 0.5, 100, 4),
        0,
        {
            "The first mean is known after `window` steps; before that fewer would be averaged.": 1,
            "It never left the plateau: return 0.": 6,
        },
    )


def fewer_steps_than_the_window(left_plateau: Function) -> None:
    """Two accuracies and a window of 4: 0, however good they are."""
    compare(
        "The number of steps",
        left_plateau(np.array([0.9, 0.95]), 0.5, 100, 4),
        0,
        {
            "Two accuracies are no window of four: the first mean is known after `window` steps, "
            "range(window, len(accuracies) + 1).": (1, 2)
        },
    )


def _first_above(accuracies: Array, window: int, bound: float) -> int:
    """Return the number of steps at which a moving average is first above a bound; 0 for never."""
    means = np.convolve(accuracies, np.full(window, 1 / window), mode="valid")
    return int((means > bound).argmax()) + window if (means > bound).any() else 0


PARTS: Final = (
    Part("warmup", (factors,)),
    Part("last_step_loss", (loss_of_the_last_step, loss_of_large_scores)),
    Part("clip", (gradients_that_are_too_long, gradients_that_are_short)),
    Part("train_step", (one_step, another_step, step_by_default)),
    Part("train", (five_steps, four_steps)),
    Part("standard_error", (errors,)),
    Part(
        "left_plateau",
        (a_plateau_that_ends, another_plateau, a_plateau_that_does_not_end, fewer_steps_than_the_window),
    ),
)
